/* SPDX-License-Identifier: BSD-2-Clause */
/* pattern MIB: that many MiB of numbers that never repeat, to standard output; for disks and
 * networks whose far end has to be recognised. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define WORDS (1 << 17) /* 1 MiB */

int main(int argc, char **argv)
{
    static uint64_t words[WORDS];
    unsigned long mib = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
    uint64_t state = 0x9e3779b97f4a7c15;

    if (!mib) {
        fprintf(stderr, "usage: pattern MIB\n");
        return 2;
    }
    while (mib--) {
        for (unsigned n = 0; n < WORDS; n++) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            words[n] = state;
        }
        if (fwrite(words, sizeof(words), 1, stdout) != 1) {
            perror("pattern");
            return 1;
        }
    }
    return 0;
}
