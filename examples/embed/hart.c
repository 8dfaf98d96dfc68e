/* SPDX-License-Identifier: BSD-2-Clause */
/* Harts, their interrupts, and the firmware. */
#include "embed.h"

#include <stdarg.h>
#include <stdio.h>

#define SBI_TIME 0x54494D45
#define SBI_IPI 0x735049
#define SBI_RFENCE 0x52464E43
#define SBI_HSM 0x48534D
#define SBI_SRST 0x53525354
#define CAUSE_INTERRUPT (1UL << 63)
#define IRQ_SOFT 1
#define IRQ_TIMER 5
#define STACK 16384UL

struct hart harts[MAX_HARTS];
unsigned hart_count;

extern char hart_entry[], hart_mapped[];
void trap(uint64_t cause);
_Noreturn void hart_main(void);

struct sbi_answer sbi(uint64_t extension, uint64_t function, uint64_t a0, uint64_t a1, uint64_t a2)
{
    register uint64_t r0 __asm__("a0") = a0, r1 __asm__("a1") = a1, r2 __asm__("a2") = a2;
    register uint64_t r3 __asm__("a3") = 0;
    register uint64_t r6 __asm__("a6") = function, r7 __asm__("a7") = extension;
    __asm__ volatile("ecall" : "+r"(r0), "+r"(r1) : "r"(r2), "r"(r3), "r"(r6), "r"(r7) : "memory");
    return (struct sbi_answer){(int64_t)r0, (int64_t)r1};
}

void power_off(void)
{
    console_flush();
    sbi(SBI_SRST, 0, 0, 0, 0);
    for (;;)
        __asm__ volatile("wfi");
}

void panic(const char *format, ...)
{
    char text[200];
    va_list args;
    irq_save();
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    print("panic: %s", text);
    power_off();
}

uint64_t spin_lock(struct spinlock *lock)
{
    uint64_t before = irq_save();
    while (atomic_exchange_explicit(&lock->taken, 1, memory_order_acquire)) {
    }
    return before;
}

void spin_unlock(struct spinlock *lock, uint64_t before)
{
    atomic_store_explicit(&lock->taken, 0, memory_order_release);
    irq_restore(before);
}

/* "Never" is the interrupt's enable bit; the call takes a pending one away (SBI 2.0, chapter 6.1).
 */
void hart_timer(struct hart *hart, uint64_t when)
{
    hart->timer = when;
    if (when == UINT64_MAX) {
        csr_clear(sie, TIMER_BIT);
        return;
    }
    sbi(SBI_TIME, 0, when, 0, 0);
    csr_set(sie, TIMER_BIT);
}

void hart_interrupt(struct hart *hart)
{
    if (hart == this_hart())
        csr_set(sip, SOFT_BIT);
    else
        sbi(SBI_IPI, 0, 1, hart->id, 0); /* a mask of one hart, from its id on */
}

/* All harts, this one too, forget what they know of our page tables. */
void harts_flush(void)
{
    __asm__ volatile("sfence.vma" ::: "memory");
    sbi(SBI_RFENCE, 1, 0, UINT64_MAX,
        0); /* every hart, every address (SBI 2.0, chapters 3.1, 8.2) */
}

/* Interrupts are off until the hart returns from it. */
void trap(uint64_t cause)
{
    struct hart *hart = this_hart();
    if (cause == (CAUSE_INTERRUPT | IRQ_SOFT)) {
        csr_clear(sip, SOFT_BIT);
        hart->resched = true;
    } else if (cause == (CAUSE_INTERRUPT | IRQ_TIMER)) {
        tasks_timer(hart);
    } else {
        panic("trap %#lx at %#lx, %#lx", cause, csr_read(sepc), csr_read(stval));
    }
    if (hart->resched)
        task_yield();
}

void hart_begin(struct hart *hart)
{
    hart->timer = hart->slice_end = UINT64_MAX;
    csr_write(sie, SOFT_BIT);
}

void hart_main(void)
{
    hart_begin(this_hart());
    tasks_idle(this_hart());
}

void harts_start(void)
{
    static struct {
        uint64_t satp;
        const char *entry;
        void *stack;
        struct hart *hart;
    } boot; /* start.S; one hart after the other */
    for (unsigned n = 1; n < hart_count; n++) {
        uint8_t *stack = pages_take(STACK, PAGE);
        if (!stack)
            panic("no memory for the stack of hart %lu", harts[n].id);
        boot.satp = csr_read(satp);
        boot.entry = hart_mapped;
        boot.stack = stack + STACK;
        boot.hart = &harts[n];
        struct sbi_answer answer = sbi(SBI_HSM, 0, harts[n].id, pa_of(hart_entry), pa_of(&boot));
        uint64_t limit = now() + 2 * board.timebase;
        while (!answer.error && !atomic_load(&harts[n].online) && now() < limit) {
        }
        if (!atomic_load(&harts[n].online))
            panic("hart %lu does not start (SBI error %ld)", harts[n].id, (long)answer.error);
    }
}
