/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that goes wrong, in the way that `wild=` on its command line says. What a machine answers
 * with a trap it takes, names and goes on; the rest ends it.
 */
#include "guests/common/guest.h"

void wild_ebreaks(void);
void wild_handler(void);
extern volatile uint64_t wild_cause, wild_tval;
void guest_main(uint64_t hart, uint64_t tree);

static void load(uint64_t address)
{
    wild_cause = 0;
    __asm__ volatile(".option push\n.option norvc\nlw t0, 0(%0)\n.option pop" ::"r"(address)
                     : "t0", "memory");
    guest_print("wild: load from %x: cause %u at %x\n", address, wild_cause, wild_tval);
}

static void store(uint64_t address)
{
    wild_cause = 0;
    __asm__ volatile(".option push\n.option norvc\nsd zero, 0(%0)\n.option pop" ::"r"(address)
                     : "memory");
    guest_print("wild: store to %x: cause %u at %x\n", address, wild_cause, wild_tval);
}

static void atomic(uint64_t address)
{
    wild_cause = 0;
    __asm__ volatile("amoadd.w t0, zero, (%0)" ::"r"(address) : "t0", "memory");
    guest_print("wild: atomic at %x: cause %u at %x\n", address, wild_cause, wild_tval);
}

/* A chain of calls that the report can follow. */
__attribute__((noinline)) static uint64_t deep(uint64_t n)
{
    if (!n)
        __asm__ volatile("ebreak");
    return n ? deep(n - 1) + n : 0;
}

static void kicks(uint64_t count, uint64_t ticks)
{
    for (uint64_t n = 0; n < count; n++) {
        uint64_t until = csr_read(CSR_TIME) + ticks;
        while (csr_read(CSR_TIME) < until) {
        }
        if (guest_sbi(SBI_EXT_CALDARIUM, 0, 0, 0, 0, 0).error)
            guest_print("wild: nobody wants a kick\n");
    }
    guest_print("wild: kicked %u times\n", count);
}

void guest_main(uint64_t hart, uint64_t tree)
{
    (void)hart;
    guest_print("wild: begins\n");
    if (guest_is(tree, "wild", "nowhere")) {
        ((void (*)(void))0x1000)();
    } else if (guest_is(tree, "wild", "ebreaks")) {
        csr_write(CSR_STVEC, (uint64_t)wild_ebreaks);
        wild_ebreaks();
    } else if (guest_is(tree, "wild", "deep")) {
        guest_print("wild: %u\n", deep(5));
    } else if (guest_is(tree, "wild", "stopped")) {
        guest_sbi(SBI_EXT_HSM, 1, 0, 0, 0, 0);
    } else if (guest_is(tree, "wild", "failure")) {
        guest_sbi(SBI_EXT_SRST, 0, SBI_SRST_SHUTDOWN, SBI_SRST_REASON_SYSTEM_FAILURE, 0, 0);
    } else if (guest_is(tree, "wild", "reset")) {
        guest_sbi(SBI_EXT_SRST, 0, SBI_SRST_COLD_REBOOT, SBI_SRST_REASON_NONE, 0, 0);
    } else if (guest_is(tree, "wild", "hangs")) {
        kicks(guest_number(tree, "kicks", 0), guest_number(tree, "ticks", 0));
        for (;;) {
        }
    } else {
        csr_write(CSR_STVEC, (uint64_t)wild_handler);
        load(0x50000000);
        store(0x1000);
        atomic(0x10000000);
        load(0xfffffffffffffff0);
    }
    guest_poweroff();
}
