/* SPDX-License-Identifier: BSD-2-Clause */
/* A packed kernel. The first two bytes say how large the room is, or (0) that its trailer does. */
#include "tests/fuzz/fuzz.h"

#include "appliance/load/gzip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input in = {data, bytes};
    size_t size = input_number(&in, 2);
    size = size ? size : gzip_size(in.at, in.left) % 0x10000;
    /* To the byte, both: ASan sees a step outside. */
    uint8_t *packed = malloc(in.left), *out = malloc(size);
    if (in.left)
        memcpy(packed, in.at, in.left);
    gzip_unpack(packed, in.left, out, size);
    free(packed);
    free(out);
    return 0;
}
