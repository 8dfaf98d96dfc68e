/* SPDX-License-Identifier: BSD-2-Clause */
/* Bringing the machine up. `mini=spin` on the command line: the user program never waits.
 * `mini=reset`: asks for a reset as soon as all is up. */
#include "guests/minikernel/mini.h"

#define STACK 8192
#define HART_START 0

void guest_main(uint64_t id, uint64_t tree);
void second_start(void);
_Noreturn void second_main(uint64_t id);

struct hart harts[HARTS];
unsigned hart_count;
extern bool mini_spins;
static uint8_t stacks[HARTS][STACK] __attribute__((aligned(16)));
static _Atomic unsigned up;

static void hart_begin(uint64_t id)
{
    harts[id].id = id;
    __asm__ volatile("mv tp, %0" ::"r"(&harts[id]));
    csr_write(CSR_SSCRATCH, 0);
    csr_write(CSR_STVEC, (uint64_t)mini_trap);
    csr_write(CSR_SIE, IRQ_BIT(IRQ_S_SOFT));
}

/* The others wait for each other's calls, for ever. */
void second_main(uint64_t id)
{
    hart_begin(id);
    csr_write(CSR_SATP, paging_satp());
    sfence_vma_all();
    up++;
    for (;;) {
        wait_for_interrupt();
        trap_serve();
    }
}

static void start_others(uint64_t me, uint64_t tree)
{
    hart_count = guest_tree_count(tree, "cpu");
    if (hart_count > HARTS)
        hart_count = HARTS;
    for (uint64_t n = 0; n < hart_count; n++) {
        if (n != me)
            guest_sbi(SBI_EXT_HSM, HART_START, n, (uint64_t)second_start,
                      (uint64_t)(stacks[n] + STACK), 0);
    }
    while (up + 1 < hart_count) {
    }
}

void guest_main(uint64_t id, uint64_t tree)
{
    hart_begin(id);
    plic_init(tree, id);
    console_init(tree);
    paging_on();
    start_others(id, tree);
    mini_spins = guest_is(tree, "mini", "spin");
    console_print("minikernel: %u hart%s, Sv39\n", (uint64_t)hart_count,
                  hart_count == 1 ? "" : "s");
    if (disk_init(tree))
        console_print("minikernel: disk of %u sectors\n", disk_sectors());
    if (shared_init(tree))
        shared_command("");
    if (guest_is(tree, "mini", "reset"))
        command_run("reset");
    csr_set(CSR_SIE, IRQ_BIT(IRQ_S_TIMER));
    guest_sbi(SBI_EXT_TIME, 0, csr_read(CSR_TIME), 0, 0, 0);
    command_prompt();
    mini_enter_user(USER_CODE, USER_DATA + 4096);
}
