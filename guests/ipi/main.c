/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages among harts that have an IMSIC each: `messages=` of them (100000), by stores into each
 * other's interrupt files and through the APLIC, in turns. Each pair of harts has an identity of
 * its own and sends the next one only when the last has been taken, so that none may merge with
 * another: what is sent and what is taken must agree at every step. A hart that has to wait sleeps,
 * with its timer set.
 */
#include "guests/common/guest.h"
#include "guests/common/tree.h"

#define HARTS 16
#define FIRST_ID 2
#define PAGE 4096UL
#define NAP 2000UL       /* ticks of `time`: 200 us at 10 MHz */
#define LOST 600000000UL /* a minute without an answer: it is lost */
#define S_TIMER (1UL << 5)
#define S_EXT (1UL << 9)
#define DOMAINCFG 0x0000UL
#define GENMSI 0x3000UL

void second_start(void);
_Noreturn void second_main(uint64_t hart);
void guest_main(uint64_t hart, uint64_t tree);

static volatile uint8_t *files, *aplic;
static unsigned harts;
static uint64_t share;
static _Atomic uint64_t sent[HARTS][HARTS], taken[HARTS][HARTS]; /* from, to */
static _Atomic uint64_t twice, strange, timers;
static _Atomic unsigned ready, done;
static char stacks[HARTS][8192] __attribute__((aligned(16)));

static uint64_t self(void)
{
    uint64_t hart;
    __asm__ volatile("mv %0, tp" : "=r"(hart));
    return hart;
}

static void file_write(unsigned reg, uint64_t value)
{
    csr_write(CSR_SISELECT, reg);
    csr_write(CSR_SIREG, value);
}

static void take_messages(void)
{
    uint64_t top, me = self();
    for (;;) {
        __asm__ volatile("csrrw %0, 0x15c, zero" : "=r"(top) : : "memory");
        if (!top)
            return;
        uint64_t from = (top >> 16) - FIRST_ID;
        if (from >= harts)
            strange++;
        else if (taken[from][me] >= sent[from][me])
            twice++;
        else
            taken[from][me]++;
    }
}

static void __attribute__((interrupt("supervisor"), aligned(4))) trap(void)
{
    uint64_t cause = csr_read(CSR_SCAUSE);
    if (cause == (CAUSE_INTERRUPT | IRQ_S_EXT)) {
        take_messages();
    } else if (cause == (CAUSE_INTERRUPT | IRQ_S_TIMER)) {
        timers++;
        csr_clear(CSR_SIE, S_TIMER);
    } else {
        guest_print("ipi: cause %x at %x\n", cause, csr_read(CSR_SEPC));
        guest_poweroff();
    }
}

static void send(uint64_t from, uint64_t to, uint64_t turn)
{
    sent[from][to]++;
    __asm__ volatile("fence rw, o" ::: "memory");
    uint32_t id = (uint32_t)(FIRST_ID + from);
    if (turn & 1)
        *(volatile uint32_t *)(aplic + GENMSI) = (uint32_t)to << 18 | id;
    else
        *(volatile uint32_t *)(files + to * PAGE) = id;
}

/* Until something happens, or a moment has passed. Interrupts are taken after the WFI, which a
 * pending one ends: taken before it, the timer would be gone by then. */
static void nap(void)
{
    csr_clear(CSR_SSTATUS, SSTATUS_SIE);
    guest_sbi(SBI_EXT_TIME, 0, csr_read(CSR_TIME) + NAP, 0, 0, 0);
    csr_set(CSR_SIE, S_TIMER);
    wait_for_interrupt();
    csr_set(CSR_SSTATUS, SSTATUS_SIE);
}

static void check_lost(uint64_t since, uint64_t me)
{
    if (csr_read(CSR_TIME) - since < LOST)
        return;
    for (unsigned to = 0; to < harts; to++) {
        if (taken[me][to] != sent[me][to])
            guest_print("ipi: lost: from %u to %u, %u sent, %u taken\n", me, (uint64_t)to,
                        sent[me][to], taken[me][to]);
    }
    guest_poweroff();
}

static void run(uint64_t me)
{
    uint64_t seed = me * 77 + 1, since = csr_read(CSR_TIME);
    for (uint64_t n = 0; n < share;) {
        unsigned tries = 0;
        seed = seed * 6364136223846793005UL + 1442695040888963407UL;
        uint64_t to = (seed >> 33) % harts;
        while (tries < harts && taken[me][to] != sent[me][to])
            to = (to + 1) % harts, tries++;
        if (tries < harts) {
            send(me, to, seed >> 40);
            n++;
            since = csr_read(CSR_TIME);
        } else {
            nap();
            check_lost(since, me);
        }
    }
    for (unsigned to = 0; to < harts; to++) {
        while (taken[me][to] != sent[me][to]) {
            nap();
            check_lost(since, me);
        }
    }
}

static void begin(uint64_t hart)
{
    __asm__ volatile("mv tp, %0" : : "r"(hart));
    csr_write(CSR_STVEC, (uint64_t)trap);
    file_write(IMSIC_EIE0, ~1UL);
    file_write(IMSIC_EITHRESHOLD, 0);
    file_write(IMSIC_EIDELIVERY, 1);
    csr_write(CSR_SIE, S_EXT);
    csr_set(CSR_SSTATUS, SSTATUS_SIE);
    ready++;
    while (ready < harts)
        nap();
    run(hart);
    done++;
    while (done < harts)
        nap();
}

void second_main(uint64_t hart)
{
    begin(hart);
    for (;;)
        wait_for_interrupt();
}

void guest_main(uint64_t hart, uint64_t tree)
{
    struct guest_node node;
    harts = guest_tree_count(tree, "cpu");
    harts = harts < HARTS ? harts : HARTS;
    share = guest_number(tree, "messages", 100000) / harts;
    if (!guest_tree_find(tree, "riscv,imsics", 0, &node)) {
        guest_print("ipi: no IMSIC\n");
        guest_poweroff();
    }
    files = (volatile uint8_t *)node.base;
    guest_tree_find(tree, "riscv,aplic", 0, &node);
    aplic = (volatile uint8_t *)node.base;
    *(volatile uint32_t *)(aplic + DOMAINCFG) = 0x100;
    for (unsigned n = 0; n < harts; n++) {
        if (n != hart)
            guest_sbi(SBI_EXT_HSM, 0, n, (uint64_t)second_start,
                      (uint64_t)(stacks[n] + sizeof(stacks[n])), 0);
    }
    begin(hart);
    uint64_t all_sent = 0, all_taken = 0;
    for (unsigned from = 0; from < harts; from++) {
        for (unsigned to = 0; to < harts; to++)
            all_sent += sent[from][to], all_taken += taken[from][to];
    }
    guest_print("ipi: %u harts, %u sent, %u taken, %u twice, %u strange, %u timers\n",
                (uint64_t)harts, all_sent, all_taken, twice, strange, timers);
    guest_poweroff();
}
