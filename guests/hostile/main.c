/* SPDX-License-Identifier: BSD-2-Clause */
#include "guests/hostile/hostile.h"

#include <stddef.h>

#include "guests/common/tree.h"

#define STACK 4096
#define EACH 10000 /* a line after so many attacks of the first hart */
#define HSM_START 0
#define HSM_STOP 1
#define HSM_STATUS 2
#define HSM_SUSPEND 3

_Static_assert(sizeof(struct context) == 688 && offsetof(struct context, x) == 176 &&
                   offsetof(struct context, trying) == 128,
               "trap.S");

void guest_main(uint64_t id, uint64_t tree);
void second_start(void);
_Noreturn void second_main(uint64_t id);
_Noreturn void hostile_unexpected(struct context *c);

uint64_t ram_end;
struct context contexts[HARTS];
static uint8_t stacks[HARTS][STACK] __attribute__((aligned(16)));
uint64_t harts;

uint64_t any(struct context *c)
{
    c->random ^= c->random << 13;
    c->random ^= c->random >> 7;
    c->random ^= c->random << 17;
    return c->random;
}

uint64_t below(struct context *c, uint64_t n)
{
    return (any(c) >> 16) % n;
}

/* In the arena, so that a word written there is no loss; each hart has a part of its own for its
 * code and tables. */
static uint64_t in_arena(struct context *c)
{
    return ARENA + below(c, ARENA_BYTES);
}

uint64_t any_address(struct context *c)
{
    uint64_t near = below(c, 64);
    switch (below(c, 18)) {
    case 0:
        return in_arena(c) & ~7UL;
    case 1:
        return in_arena(c);
    case 2:
        return ram_end - 1 - near;
    case 3:
        return ram_end + near;
    case 4:
        return RAM_BASE - 1 - near;
    case 5:
        return near;
    case 6:
        return 0x0c000000 + below(c, 0x600000);
    case 7:
        return (0x0c000000 + below(c, 0x600000)) & ~3UL;
    case 8:
        return 0x0c200000 + below(c, 0x20) * 0x1000 + near;
    case 9:
        return 0x0c600000 - 32 + near;
    case 10:
        return 0x10000000 + below(c, 0x120);
    case 11:
        return 0x10000000 + below(c, 0x10000);
    case 12:
        return 0x02000000 + below(c, 0x10000);
    case 13:
        return 0xffffffc080200000 + below(c, 0x200000); /* where a hypervisor may lie */
    case 14:
        return ram_end + below(c, 1UL << 40);
    case 15:
        return (1UL << below(c, 64)) - near;
    case 16:
        return -near;
    default:
        return any(c);
    }
}

uint64_t any_value(struct context *c)
{
    static const uint64_t some[] = {0,  1,          2,  3,          7,         8,
                                    63, 64,         65, 4095,       4096,      0x7fffffff,
                                    -1, 0x80000000, -2, 0xffffffff, 1UL << 63, ~(1UL << 63)};
    switch (below(c, 4)) {
    case 0:
        return any(c);
    case 1:
        return any_address(c);
    case 2:
        return below(c, 16);
    default:
        return some[below(c, sizeof(some) / sizeof(*some))];
    }
}

void all_registers(struct context *c)
{
    for (unsigned n = 1; n < 32; n++)
        c->x[n] = any_value(c);
}

/* Interrupts are on and a timer is set, so that what loops comes to an end. */
void run_at(struct context *c, uint64_t pc, bool user)
{
    guest_sbi(SBI_EXT_TIME, 0, csr_read(CSR_TIME) + 300, 0, 0, 0);
    csr_write(CSR_SIE, 1UL << IRQ_S_TIMER | (below(c, 8) ? 0 : any(c)));
    hostile_try(c, pc,
                (user ? 0 : 1UL << 8) | 1UL << 5 | SSTATUS_FS_INITIAL |
                    (below(c, 4) ? SSTATUS_VS_INITIAL : 0));
}

void run_code(struct context *c, bool user)
{
    fence_i();
    run_at(c, (uint64_t)c->code, user);
}

void hostile_unexpected(struct context *c)
{
    guest_print(
        "\nhostile: hart %u: BUG: a trap that it did not ask for: cause %x at %x, value %x\n",
        c->id, c->cause, c->epc, c->tval);
    guest_sbi(SBI_EXT_SRST, 0, SBI_SRST_SHUTDOWN, SBI_SRST_REASON_SYSTEM_FAILURE, 0, 0);
    for (;;) {
    }
}

static struct context *begin(uint64_t id)
{
    struct context *c = &contexts[id];
    c->id = id;
    c->trying = 0;
    csr_write(CSR_STVEC, hostile_vectors[id]);
    csr_write(CSR_SIE, 0);
    return c;
}

/* The others come and go. */
void second_main(uint64_t id)
{
    struct context *c = begin(id);
    for (uint64_t left = below(c, 3000); left; left--)
        attack(c);
    for (;;) {
        guest_sbi(SBI_EXT_TIME, 0, csr_read(CSR_TIME) + below(c, 10000), 0, 0, 0);
        csr_write(CSR_SIE, 1UL << IRQ_S_TIMER);
        switch (below(c, 3)) {
        case 0:
            guest_sbi(SBI_EXT_HSM, HSM_STOP, 0, 0, 0, 0);
            break;
        case 1:
            guest_sbi(SBI_EXT_HSM, HSM_SUSPEND, 0x80000000, (uint64_t)second_start,
                      (uint64_t)(stacks[id] + STACK), 0); /* non-retentive: begins anew */
            break;
        default:
            guest_sbi(SBI_EXT_HSM, HSM_SUSPEND, 0, any_value(c), any_value(c), 0);
        }
    }
}

static void wake_others(struct context *c)
{
    for (uint64_t id = 0; id < harts; id++) {
        guest_sbi(SBI_EXT_HSM, HSM_STATUS, id, 0, 0, 0);
        if (id != c->id)
            guest_sbi(SBI_EXT_HSM, HSM_START, id, (uint64_t)second_start,
                      (uint64_t)(stacks[id] + STACK), 0);
    }
}

void guest_main(uint64_t id, uint64_t tree)
{
    uint64_t count = guest_number(tree, "attacks", 0), seed = guest_number(tree, "seed", 0);
    ram_end = RAM_BASE + (guest_number(tree, "mib", 16) << 20);
    harts = guest_tree_count(tree, "cpu");
    harts = harts > HARTS ? HARTS : harts;
    if (!seed)
        seed = guest_tree_word(tree, "rng-seed") | 1;
    for (unsigned n = 0; n < HARTS; n++)
        contexts[n].random = seed * 0x9e3779b97f4a7c15 + n + 1;
    struct context *c = begin(id);
    guest_print("hostile: %u harts, seed=%u\n", harts, seed);
    for (uint64_t n = 1; n <= count || !count; n++) {
        attack(c);
        if (!(n % 256)) {
            wake_others(c);
            guest_sbi(SBI_EXT_CALDARIUM, 0, 0, 0, 0, 0); /* its watchdog, if it has one */
        }
        if (!(n % EACH))
            guest_print("\nhostile: %u attacks\n", n);
    }
    guest_print("\nhostile: done\n");
    guest_poweroff();
}
