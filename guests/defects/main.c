/* SPDX-License-Identifier: BSD-2-Clause */
#include "guests/defects/defects.h"

#include "riscv/asm.h"

void guest_main(uint64_t hart, uint64_t tree);
void *memset(void *to, int byte, unsigned long bytes);

/* The compiler calls it, to clear a structure. */
void *memset(void *to, int byte, unsigned long bytes)
{
    volatile uint8_t *at = to;
    while (bytes--)
        *at++ = (uint8_t)byte;
    return to;
}

struct attempt try_at(uint64_t pc, bool user, uint64_t a0, uint64_t a1, uint64_t a2)
{
    struct attempt a = {.pc = pc, .user = user, .a0 = a0, .a1 = a1, .a2 = a2};
    attempt_run(&a);
    return a;
}

struct attempt try_kernel(const char *snippet, uint64_t a1, uint64_t a2)
{
    return try_at((uint64_t)snippet, false, 0, a1, a2);
}

struct attempt try_user(const char *snippet, uint64_t a1, uint64_t a2)
{
    return try_at(USER_CODE + (uint64_t)(snippet - snippets_begin), true, 0, a1, a2);
}

static bool said(const struct attempt *a, bool ok)
{
    if (!ok)
        guest_print("defects: %s mode, pc %x: cause %x, stval %x, sepc %x, sstatus %x\n",
                    a->user ? "user" : "supervisor", a->pc, a->cause, a->tval, a->epc, a->status);
    return ok;
}

bool trapped(const struct attempt *a, uint64_t cause, uint64_t tval)
{
    bool from_user = !(a->status & SSTATUS_SPP);
    return said(a, a->cause == cause && a->tval == tval && from_user == a->user &&
                       !(a->status & SSTATUS_SIE) && !(a->status & SSTATUS_SPIE) == !a->interrupts);
}

bool ran(const struct attempt *a)
{
    return said(a, a->cause == CAUSE_BREAKPOINT && a->epc != a->pc);
}

void report(const char *name, bool ok)
{
    guest_print("defects: %s %s\n", name, ok ? "ok" : "FAILED");
}

void guest_main(uint64_t hart, uint64_t tree)
{
    (void)hart;
    uint64_t seed = guest_number(tree, "keep", 0);
    if (seed) {
        keep(seed, guest_number(tree, "ticks", 0));
        guest_poweroff();
    }
    paging_on();
    traps_check();
    pages_check();
    devices_check();
    harts_check();
    guest_print("defects: done\n");
    guest_poweroff();
}
