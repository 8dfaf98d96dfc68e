/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest's interrupt file: CSR instructions, messages and state items; its top beside a walk. */
#include "tests/fuzz/fuzz.h"

#include "lib/irq/imsic.h"
#include "riscv/csr.h"

static struct imsic file;

static unsigned expected(void)
{
    for (unsigned id = 1; id <= file.ids && (!file.threshold || id < file.threshold); id++) {
        if (file.word[id / 64].pending & file.word[id / 64].enable & 1ULL << id % 64)
            return id;
    }
    return 0;
}

static void step(struct input *in)
{
    unsigned what = (unsigned)input_number(in, 1);
    uint64_t value = 0;
    bool posted;
    switch (what & 3) {
    case 0: {
        struct riscv_csr_op op = {.csr = what & 4 ? CSR_SIREG : CSR_STOPEI,
                                  .funct3 = (uint8_t)((what >> 3 & 3) % 3 + 1),
                                  .writes = what & 0x20};
        uint64_t select = input_number(in, 1 + (what >> 7)), before = UINT64_MAX;
        unsigned top = expected();
        if (imsic_csr(&file, &op, select, input_number(in, 8), &before) && !(what & 4))
            REQUIRE(before == ((uint64_t)top << 16 | top));
        break;
    }
    case 1:
        imsic_post(&file, (uint32_t)input_number(in, what & 0x80 ? 4 : 1));
        break;
    case 2: {
        uint32_t offset = (uint32_t)input_number(in, what & 0x80 ? 2 : 1) & 0xfff;
        imsic_store(&file, offset, 1U << (what >> 3 & 3), input_number(in, 4), &posted);
        break;
    }
    case 3: {
        uint32_t select = (uint32_t)input_number(in, what & 0x80 ? 4 : 1);
        if (!imsic_get(&file, select, &value))
            REQUIRE(
                !imsic_set(&file, select, value)); /* what it told is a state that it can have */
        imsic_set(&file, select, input_number(in, 8));
        break;
    }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input in = {data, bytes};
    memset(&file, 0xff, sizeof(file));
    imsic_init(&file, 64 * ((unsigned)input_number(&in, 1) % 4 + 1) - 1);
    while (in.left) {
        step(&in);
        REQUIRE(imsic_top(&file) == expected());
        REQUIRE(file.delivery <= 1 && file.threshold <= file.ids);
        REQUIRE(!(file.word[0].pending & 1) && !(file.word[0].enable & 1));
    }
    return 0;
}
