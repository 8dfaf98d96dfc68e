/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tasks: each stays on its hart, which goes round among those that are ready. Who calls
 * task_yield() or task_wait() gives the hart away; so does an interrupt, when a slice is over or
 * somebody woke.
 */
#include "embed.h"

#define STACK 16384UL
#define SLICES_PER_SECOND 100

void task_switch(uint64_t *old_sp, uint64_t new_sp); /* start.S */

/* A new task's first instruction; the switch came with interrupts off. */
static void first(void)
{
    struct task *task = this_hart()->current;
    irq_restore(SSTATUS_SIE);
    task->go(task->with);
    uint64_t irq = spin_lock(&task->hart->lock);
    task->state = TASK_ENDED;
    spin_unlock(&task->hart->lock, irq);
    for (;;)
        task_yield(); /* never comes back */
}

struct task *task_make(struct hart *hart, const char *name, void (*go)(void *), void *with)
{
    struct task *task = pages_take(PAGE, PAGE);
    uint8_t *stack = task ? pages_take(STACK, PAGE) : NULL;
    if (!stack) {
        pages_give(task, PAGE);
        return NULL;
    }
    uint64_t *frame = (uint64_t *)(stack + STACK - 112); /* as task_switch() leaves one */
    frame[0] = (uint64_t)first;
    *task = (struct task){.sp = (uint64_t)frame,
                          .hart = hart,
                          .name = name,
                          .stack = stack,
                          .go = go,
                          .with = with,
                          .state = TASK_READY,
                          .alarm = UINT64_MAX};
    return task;
}

void task_go(struct task *task)
{
    struct hart *hart = task->hart;
    uint64_t irq = spin_lock(&hart->lock);
    unsigned slot = 0;
    while (slot < HART_TASKS && hart->tasks[slot])
        slot++;
    if (slot == HART_TASKS)
        panic("hart %lu has %u tasks already", hart->id, HART_TASKS);
    hart->tasks[slot] = task;
    spin_unlock(&hart->lock, irq);
    hart_interrupt(hart);
}

struct task *task_start(struct hart *hart, const char *name, void (*go)(void *), void *with)
{
    struct task *task = task_make(hart, name, go, with);
    if (!task)
        panic("no memory for task %s", name);
    task_go(task);
    return task;
}

static bool is_ready(struct task *task, uint64_t time)
{
    if (task->state == TASK_WAITING && task->wake_at <= time)
        task->state = TASK_READY;
    return task->state == TASK_READY;
}

/* The next one in turn, the one that has the hart last; NULL: none is ready. The lock is held. */
static struct task *pick(struct hart *hart, unsigned *ready)
{
    struct task *found = NULL;
    uint64_t time = now();
    unsigned turn = hart->turn;
    for (unsigned n = 1; n <= HART_TASKS; n++) {
        unsigned slot = (turn + n) % HART_TASKS;
        struct task *task = hart->tasks[slot];
        if (!task)
            continue;
        if (task->state == TASK_ENDED && task != hart->current) { /* it has left its stack */
            hart->tasks[slot] = NULL;
            atomic_store(&task->gone, true);
        } else if (is_ready(task, time) && (*ready)++ == 0) {
            found = task;
            hart->turn = slot;
        }
    }
    return found;
}

void task_yield(void)
{
    uint64_t irq = irq_save();
    struct hart *hart = this_hart();
    struct task *old = hart->current;
    unsigned ready = 0;
    spin_lock(&hart->lock);
    hart->resched = false;
    struct task *next = pick(hart, &ready);
    /* After one that has ended too: it is taken off the list at the next turn. */
    bool turns = ready > 1 || old->state == TASK_ENDED;
    hart->slice_end = turns ? now() + board.timebase / SLICES_PER_SECOND : UINT64_MAX;
    hart->current = next ? next : &hart->idle;
    timer_program(hart);
    spin_unlock(&hart->lock, 0);
    if (hart->current != old)
        task_switch(&old->sp, hart->current->sp); /* and back again, on the same hart */
    irq_restore(irq);
}

void task_wait(uint64_t until)
{
    struct hart *hart = this_hart();
    uint64_t irq = spin_lock(&hart->lock);
    struct task *task = hart->current;
    if (!task->woken) {
        task->wake_at = until;
        task->state = TASK_WAITING;
    }
    task->woken = false;
    spin_unlock(&hart->lock, 0);
    task_yield();
    irq_restore(irq);
}

void task_wake(struct task *task)
{
    struct hart *hart = task->hart;
    uint64_t irq = spin_lock(&hart->lock);
    bool waits = task->state == TASK_WAITING;
    if (waits)
        task->state = TASK_READY;
    else
        task->woken = true;
    spin_unlock(&hart->lock, irq);
    hart_interrupt(hart); /* if it runs a guest, out of that */
}

void task_join(struct task *task)
{
    while (!atomic_load(&task->gone))
        task_wait(now() + board.timebase / 1000);
    pages_give(task->stack, STACK);
    pages_give(task, PAGE);
}

/* The earliest of what this hart waits for. The lock is held. */
void timer_program(struct hart *hart)
{
    uint64_t when = hart->slice_end;
    for (unsigned n = 0; n < HART_TASKS; n++) {
        const struct task *task = hart->tasks[n];
        if (task && task->state == TASK_WAITING && task->wake_at < when)
            when = task->wake_at;
        if (task && task->alarm < when)
            when = task->alarm;
    }
    if (when != hart->timer)
        hart_timer(hart, when);
}

void task_alarm(struct task *task, uint64_t when)
{
    uint64_t irq = spin_lock(&task->hart->lock);
    task->alarm = when;
    timer_program(task->hart);
    spin_unlock(&task->hart->lock, irq);
}

/* The timer has gone off, and is set anew by the yield that follows. */
void tasks_timer(struct hart *hart)
{
    uint64_t time = now();
    hart->timer = UINT64_MAX - 1; /* none of those that it may have to be set to */
    hart->resched = true;
    for (unsigned n = 0; n < HART_TASKS; n++) {
        struct task *task = hart->tasks[n];
        if (task && task->alarm <= time) {
            task->alarm = UINT64_MAX;
            task->on_alarm(task);
        }
    }
}

/* From here on the caller is what the hart does when no task is ready. */
void tasks_idle(struct hart *hart)
{
    hart->idle.hart = hart;
    hart->idle.name = "idle";
    hart->current = &hart->idle;
    atomic_store(&hart->online, true);
    for (;;) {
        irq_save();
        task_yield(); /* takes what has ended off the list, too */
        if (!(csr_read(sip) & csr_read(sie)))
            __asm__ volatile("wfi" ::: "memory"); /* ends with a pending interrupt, taken or not */
        irq_restore(SSTATUS_SIE);
    }
}
