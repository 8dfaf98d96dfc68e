/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the library asks of its host (include/caldarium/host.h), as Linux gives it.
 *
 * From inside a run the root in force has Linux's upper half and nothing below, and stvec is the
 * library's: what is called here touches neither a process's memory nor anything that could fault,
 * and takes raw spinlocks alone.
 */
#include <asm/fpu.h>
#include <asm/timex.h>
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/irq_work.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/smp.h>
#include <linux/vmalloc.h>

#include "module.h"

#include "caldarium/devices.h"
#include "caldarium/host.h"

/* ---- memory ---- */

#define MAKE_ROOM_TRIES 3

/* The order of what could not be had last on this hart. */
static DEFINE_PER_CPU(unsigned int, failed_order);

/* Interrupts are off: nothing is waited for. Whoever called the library makes room and calls again.
 * What is needed for a longer run than that of one order comes as a power of two, and the rest goes
 * back. */
void *host_pages_alloc(uint64_t bytes, uint64_t align)
{
    uint64_t size = PAGE_ALIGN(bytes);
    unsigned int order = get_order(max(size, align));
    void *pages = NULL;
    if (order <= MAX_PAGE_ORDER)
        pages = alloc_pages_exact(PAGE_SIZE << order,
                                  GFP_NOWAIT | __GFP_NOWARN | __GFP_ZERO | __GFP_ACCOUNT);
    if (!pages) {
        __this_cpu_write(failed_order, order);
        return NULL;
    }
    if (size < PAGE_SIZE << order)
        free_pages_exact(pages + size, (PAGE_SIZE << order) - size);
    return pages;
}

void host_pages_free(void *pages, uint64_t bytes)
{
    free_pages_exact(pages, PAGE_ALIGN(bytes));
}

bool host_make_room(unsigned int tries)
{
    unsigned int order = raw_cpu_read(failed_order);
    if (tries == MAKE_ROOM_TRIES || order > MAX_PAGE_ORDER)
        return false;
    /* Room for more than that one, since others follow. */
    struct page *page[16];
    unsigned int n = 0;
    while (n < ARRAY_SIZE(page)) {
        page[n] = alloc_pages(GFP_KERNEL_ACCOUNT | __GFP_NOWARN | __GFP_RETRY_MAYFAIL, order);
        if (!page[n])
            break;
        n++;
    }
    bool some = n;
    while (n)
        __free_pages(page[--n], order);
    return some;
}

uint64_t host_pa(const void *va)
{
    return __pa(va);
}

void *host_va(uint64_t pa)
{
    return __va(pa);
}

uint64_t host_page_attributes(bool device)
{
    return device ? pgprot_val(PAGE_KERNEL_IO) & _PAGE_MTMASK
                  : pgprot_val(PAGE_KERNEL) & _PAGE_MTMASK;
}

uint64_t host_image_pa(const void *object)
{
    return PFN_PHYS(vmalloc_to_pfn(object)) + offset_in_page(object);
}

/* The machine has CALD_MACHINE_PRIVATE_ROOT: never called. */
bool host_table_share(uint64_t va, const uint64_t *table)
{
    return false;
}

/* Around the library's long calls interrupts alone are off, by LIBRARY(). */
void host_may_yield(void)
{
    if (!irqs_disabled() || preempt_count())
        return;
    local_irq_enable();
    cond_resched();
    local_irq_disable();
}

/* ---- time ---- */

uint64_t host_time(void)
{
    return get_cycles64();
}

uint64_t host_timebase(void)
{
    return riscv_timebase;
}

/* A year, where it would be more. */
u64 host_ns(u64 ticks)
{
    u64 most = 365ULL * 86400 * riscv_timebase;
    return mul_u64_u64_div_u64(min(ticks, most), NSEC_PER_SEC, riscv_timebase);
}

/* From inside a run nothing of Linux's timers may be called: they switch the timer's interrupt on
 * in sie, which the library sets back when the run ends. So an interrupt of our own ends the run,
 * and arms it (on_arm() in run.c). One that fires too early does no harm: the library looks at the
 * time. */
void host_timer_arm(struct cald_vcpu *vcpu, uint64_t deadline)
{
    struct guest_vcpu *v = cald_vcpu_owner(vcpu);
    WRITE_ONCE(v->deadline, deadline);
    if (deadline != UINT64_MAX)
        irq_work_queue(&v->arm);
}

/* ---- registers ---- */

/* The thread's own values are in its thread_struct meanwhile. */
void host_fp_begin(struct cald_vcpu *vcpu)
{
    struct guest_vcpu *v = cald_vcpu_owner(vcpu);
    if (v->guest->vectors)
        vector_begin();
    kernel_fpu_begin();
}

void host_fp_end(struct cald_vcpu *vcpu)
{
    kernel_fpu_end();
}

/* ---- other harts ---- */

/* v->cpu is written before the run begins, with interrupts off: whoever sees the vCPU in its guest
 * sees where it is. An interrupt too many is one that Linux has no use for. */
void host_kick(struct cald_vcpu *vcpu)
{
    struct guest_vcpu *v = cald_vcpu_owner(vcpu);
    int cpu = READ_ONCE(v->cpu);
    if (cpu >= 0)
        arch_smp_send_reschedule(cpu);
}

void host_kicks_begin(void)
{
}

void host_kicks_end(void)
{
}

/* Marked before it is looked for: it looks for the mark when it is on no hart any more. Its thread
 * is woken by an interrupt, since the scheduler too uses timers. */
void host_wake(struct cald_vcpu *vcpu)
{
    struct guest_vcpu *v = cald_vcpu_owner(vcpu);
    WRITE_ONCE(v->woken, true);
    smp_mb(); /* pairs with set_current_state() in rcuwait_wait_event() */
    if (READ_ONCE(v->cpu) >= 0)
        host_kick(vcpu);
    else
        irq_work_queue(&v->wake);
}

/* ---- text ---- */

void host_line(enum host_severity severity, const char *text, size_t length)
{
    if (severity == HOST_ERROR)
        pr_err_ratelimited("caldarium: %.*s\n", (int)length, text);
    else
        pr_info_ratelimited("caldarium: %.*s\n", (int)length, text);
}

void host_panic(const char *text, size_t length)
{
    panic("caldarium: %.*s", (int)length, text);
}

/* ---- what no guest of ours has: a console of the library's, devices of the board's ---- */

size_t host_console_write(struct cald_vm *vm, const char *bytes, size_t count)
{
    return count;
}

size_t host_console_room(struct cald_vm *vm)
{
    return PAGE_SIZE;
}

void host_console_flush(struct cald_vm *vm)
{
}

void host_console_sent(struct cald_vm *vm)
{
}

bool host_console_hurry(struct cald_vm *vm, uint8_t byte)
{
    return true;
}

void host_console_taken(struct cald_vm *vm)
{
}

void host_irq_complete(struct cald_vm *vm, unsigned int source)
{
}

void host_file_load(struct cald_vcpu *vcpu)
{
}

void host_file_put(struct cald_vcpu *vcpu)
{
}

void host_file_collect(struct cald_vcpu *vcpu)
{
}

int host_errno(int error)
{
    switch (error) {
    case CALD_OK:
        return 0;
    case CALD_ENOMEM:
        return -ENOMEM;
    case CALD_ENOENT:
        return -ENOENT;
    case CALD_EBUSY:
        return -EBUSY;
    case CALD_ENOTSUP:
        return -EOPNOTSUPP;
    case CALD_EFAULT:
    case CALD_EAGAIN:
        return -EFAULT;
    }
    return -EINVAL;
}
