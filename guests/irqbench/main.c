/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an interrupt costs, in instructions, with whatever interrupt controller this guest has: PLIC
 * and SBI IPIs, or APLIC and IMSIC. Measured as guests/bench does; the handler's own instructions
 * are in the figures. One line each: `irqbench: NAME VALUE instructions`.
 */
#include "guests/common/guest.h"
#include "guests/common/tree.h"

#define ROUNDS 2000UL
#define TICK 100UL /* instructions a tick of `time` */
#define S_SOFT 2UL
#define S_TIMER (1UL << 5)
#define S_EXT (1UL << 9)
#define PAGE 4096UL
#define ID_IPI 1U
#define ID_UART 2U
#define UART_IRQ 10U
#define UART_IER 1
#define UART_IIR 2

void second_start(void);
_Noreturn void second_main(uint64_t hart);
void guest_main(uint64_t hart, uint64_t tree);

static volatile uint8_t *files, *aplic, *plic, *uart;
static volatile uint64_t taken, when;
static _Atomic uint64_t second_up;
static uint64_t me;
static char second_stack[8192] __attribute__((aligned(16)));

static void store(volatile uint8_t *at, uint32_t value)
{
    *(volatile uint32_t *)at = value;
}

static void file_write(unsigned reg, uint64_t value)
{
    csr_write(CSR_SISELECT, reg);
    csr_write(CSR_SIREG, value);
}

static uint64_t claim_message(void)
{
    uint64_t top;
    __asm__ volatile("csrrw %0, 0x15c, zero" : "=r"(top) : : "memory");
    return top >> 16;
}

static void uart_quiet(void)
{
    (void)uart[UART_IIR];
    uart[UART_IER] = 0;
}

/* One interrupt, as a kernel would serve it: until nothing is left. */
static void external(void)
{
    if (!files) {
        volatile uint32_t *claim = (volatile uint32_t *)(plic + 0x201004 + 0x2000 * me);
        uint32_t source;
        while ((source = *claim)) {
            uart_quiet();
            *claim = source;
        }
        return;
    }
    uint64_t id;
    while ((id = claim_message())) {
        if (id == ID_UART) {
            uart_quiet();
            store(aplic + 0x2000, UART_IRQ); /* a level: if it still holds, tell again */
        }
    }
}

static void __attribute__((interrupt("supervisor"), aligned(4))) trap(void)
{
    uint64_t cause = csr_read(CSR_SCAUSE) & 63;
    when = csr_read(CSR_TIME);
    if (cause == IRQ_S_SOFT)
        csr_clear(CSR_SIP, S_SOFT);
    else if (cause == IRQ_S_TIMER)
        csr_clear(CSR_SIE, S_TIMER);
    else
        external();
    taken++;
}

static void report(const char *name, uint64_t ticks, uint64_t rounds)
{
    uint64_t tenths = ticks * TICK * 10 / rounds;
    guest_print("irqbench: %s %u.%u instructions\n", name, tenths / 10, tenths % 10);
}

static void ipi(uint64_t hart)
{
    if (files)
        store(files + hart * PAGE, ID_IPI);
    else
        guest_sbi(SBI_EXT_IPI, 0, 1UL << hart, 0, 0, 0);
}

static void ipi_self(void)
{
    ipi(me);
}

static void message(void)
{
    store(aplic + 0x3000, (uint32_t)me << 18 | ID_IPI);
}

static void wire(void)
{
    uart[UART_IER] = 2; /* the transmitter is empty: at once */
}

static void measure(const char *name, void (*cause)(void))
{
    uint64_t start = csr_read(CSR_TIME);
    for (uint64_t n = 0; n < ROUNDS; n++) {
        uint64_t before = taken;
        cause();
        while (taken == before) {
        }
    }
    report(name, csr_read(CSR_TIME) - start, ROUNDS);
}

static void timer(void)
{
    uint64_t sum = 0, rounds = 1000;
    for (uint64_t n = 0; n < rounds; n++) {
        uint64_t before = taken, deadline = csr_read(CSR_TIME) + 50;
        guest_sbi(SBI_EXT_TIME, 0, deadline, 0, 0, 0);
        csr_set(CSR_SIE, S_TIMER);
        while (taken == before) {
        }
        sum += when - deadline;
    }
    guest_sbi(SBI_EXT_TIME, 0, UINT64_MAX, 0, 0, 0);
    report("timer", sum, rounds);
}

static void file_begin(void)
{
    if (!files)
        return;
    file_write(IMSIC_EIE0, 1UL << ID_IPI | 1UL << ID_UART);
    file_write(IMSIC_EITHRESHOLD, 0);
    file_write(IMSIC_EIDELIVERY, 1);
}

static uint64_t ipi_bit(void)
{
    return files ? S_EXT : S_SOFT;
}

/* Waits for an IPI with WFI, interrupts off, and takes it away. */
static void await_ipi(void)
{
    while (!(csr_read(CSR_SIP) & ipi_bit()))
        wait_for_interrupt();
    if (files)
        claim_message();
    else
        csr_clear(CSR_SIP, S_SOFT);
}

void second_main(uint64_t hart)
{
    (void)hart;
    file_begin();
    csr_write(CSR_SIE, ipi_bit());
    second_up = 1;
    for (;;) {
        await_ipi();
        ipi(me);
    }
}

static void other(void)
{
    uint64_t rounds = 1000;
    csr_clear(CSR_SSTATUS, SSTATUS_SIE);
    guest_sbi(SBI_EXT_HSM, 0, me ^ 1, (uint64_t)second_start,
              (uint64_t)(second_stack + sizeof(second_stack)), 0);
    while (!second_up) {
    }
    uint64_t start = csr_read(CSR_TIME);
    for (uint64_t n = 0; n < rounds; n++) {
        ipi(me ^ 1);
        await_ipi();
    }
    report("ipi-other-and-back", csr_read(CSR_TIME) - start, rounds);
}

static volatile uint8_t *find(uint64_t tree, const char *name)
{
    struct guest_node node;
    return guest_tree_find(tree, name, 0, &node) ? (volatile uint8_t *)node.base : 0;
}

void guest_main(uint64_t hart, uint64_t tree)
{
    me = hart;
    files = find(tree, "riscv,imsics");
    aplic = find(tree, "riscv,aplic");
    plic = find(tree, "sifive,plic-1.0.0");
    uart = find(tree, "ns16550a");
    csr_write(CSR_STVEC, (uint64_t)trap);
    file_begin();
    if (files) {
        store(aplic, 0x100);
        store(aplic + 4 * UART_IRQ, 6);
        store(aplic + 0x3000 + 4 * UART_IRQ, (uint32_t)me << 18 | ID_UART);
        store(aplic + 0x1edc, UART_IRQ);
    } else {
        store(plic + 4 * UART_IRQ, 1);
        store(plic + 0x2080 + 0x100 * me, 1U << UART_IRQ);
    }
    csr_write(CSR_SIE, S_SOFT | S_EXT);
    csr_set(CSR_SSTATUS, SSTATUS_SIE);
    measure("ipi-self", ipi_self);
    if (files)
        measure("message", message);
    measure("wire", wire);
    timer();
    other();
    guest_print("irqbench: done\n");
    guest_poweroff();
}
