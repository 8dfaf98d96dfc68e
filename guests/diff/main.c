/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Command line: seed=, first= and count= choose the sequences, block= how many make a line of
 * output (`diff: FIRST HASH`), levels=4 is Sv48, kinds=code adds what a system does to its own code
 * (arena.h; wants a second hart), trace=1 prints every step.
 */
#include "guests/diff/arena.h"

uint64_t diff_hash;
bool diff_trace, diff_code;

void guest_main(uint64_t hart, uint64_t tree);
extern char run_lost_vector[];
uint64_t diff_hart, diff_sequence;

void run_lost(void)
{
    guest_print("diff: lost in sequence %u: cause %x at %x, value %x\n", diff_sequence,
                csr_read(CSR_SCAUSE), csr_read(CSR_SEPC), csr_read(CSR_STVAL));
    guest_poweroff();
}

static void sequence(uint64_t seed, uint64_t number)
{
    diff_sequence = number;
    random_start(seed, number);
    space_reset();
    if (diff_code) {
        arena_reset();
        mixed_reset();
    }
    steps_reset();
    for (unsigned left = 16 + below(32); left; left--)
        step();
    steps_fold();
    space_fold();
    if (diff_code)
        arena_fold();
}

void guest_main(uint64_t hart, uint64_t tree)
{
    uint64_t seed = guest_number(tree, "seed", 1), first = guest_number(tree, "first", 0),
             count = guest_number(tree, "count", 100), block = guest_number(tree, "block", 50);
    diff_trace = guest_number(tree, "trace", 0);
    space_levels = (unsigned)guest_number(tree, "levels", 3);
    diff_code = guest_is(tree, "kinds", "code");
    diff_hart = hart;
    csr_write(CSR_STVEC, (uint64_t)run_lost_vector);
    if (diff_code)
        second_begin();
    for (uint64_t n = first; n < first + count; n++) {
        if ((n - first) % block == 0)
            diff_hash = 0;
        sequence(seed, n);
        if ((n - first) % block == block - 1 || n == first + count - 1)
            guest_print("diff: %u %x\n", n - (n - first) % block, diff_hash);
    }
    guest_print("diff: done\n");
    guest_poweroff();
}
