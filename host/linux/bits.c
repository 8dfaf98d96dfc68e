/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What compilers call for the library and Linux doesn't export (libgcc's names). The empty asm
 * keeps the compiler from seeing what is computed, which it would do by a call to the same
 * function. */
#include <linux/types.h>

u32 __bswapsi2(u32 value);
int __popcountdi2(u64 value);

u32 __bswapsi2(u32 value)
{
    u32 swapped = 0;
    for (int n = 0; n < 4; n++) {
        swapped = swapped << 8 | (value & 0xff);
        value >>= 8;
        asm("" : "+r"(swapped), "+r"(value));
    }
    return swapped;
}

int __popcountdi2(u64 value)
{
    int bits = 0;
    for (; value; value >>= 1) {
        bits += value & 1;
        asm("" : "+r"(bits), "+r"(value));
    }
    return bits;
}
