/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small unikernel that embeds libcaldarium: what its parts know of each other.
 *
 * One address space, S-mode only. Each hart has tasks of its own, which an interrupt may take the
 * hart from at any time; tasks don't move. docs/embedding.md walks through it.
 */
#ifndef EMBED_H
#define EMBED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE 4096UL
#define MIB (1UL << 20)
#define MAX_HARTS 16

/* ---- the hart (hart.c) -------------------------------------------------------------------- */

#define csr_read(name)                                                                             \
    ({                                                                                             \
        uint64_t value_;                                                                           \
        __asm__ volatile("csrr %0, " #name : "=r"(value_)::"memory");                              \
        value_;                                                                                    \
    })
#define csr_write(name, value)                                                                     \
    __asm__ volatile("csrw " #name ", %0" ::"r"((uint64_t)(value)) : "memory")
#define csr_set(name, bits)                                                                        \
    __asm__ volatile("csrs " #name ", %0" ::"r"((uint64_t)(bits)) : "memory")
#define csr_clear(name, bits)                                                                      \
    __asm__ volatile("csrc " #name ", %0" ::"r"((uint64_t)(bits)) : "memory")

#define SSTATUS_SIE 2UL
#define SOFT_BIT (1UL << 1)
#define TIMER_BIT (1UL << 5)

/* A lock that a task may take with interrupts on: none comes while it is held. */
struct spinlock {
    _Atomic uint32_t taken;
};
uint64_t spin_lock(struct spinlock *); /* returns what spin_unlock() needs */
void spin_unlock(struct spinlock *, uint64_t);

enum task_state { TASK_READY, TASK_WAITING, TASK_ENDED };

/* Written below its hart's lock, but for what task_start() fills in. */
struct task {
    uint64_t sp; /* while another one has the hart */
    struct hart *hart;
    const char *name;
    void *stack;
    void (*go)(void *);
    void *with;
    enum task_state state;
    bool woken;       /* and has not waited since */
    atomic_bool gone; /* nobody uses its memory any more but task_join() */
    uint64_t wake_at; /* host time; UINT64_MAX: only task_wake() */
    uint64_t alarm;   /* host time at which on_alarm() is called, in the interrupt */
    void (*on_alarm)(struct task *);
};

#define HART_TASKS 16
struct hart {
    uint64_t id;    /* the board's number for it */
    unsigned index; /* ours */
    struct spinlock lock;
    struct task *tasks[HART_TASKS], *current;
    struct task idle;
    unsigned turn;      /* whose turn it was last */
    uint64_t timer;     /* what the timer is set to */
    uint64_t slice_end; /* when the next task gets the hart */
    bool resched;
    atomic_bool online;
    struct guest_vcpu *vcpu; /* whose registers are in it: vcpu.c */
};
extern struct hart harts[MAX_HARTS];
extern unsigned hart_count;

static inline struct hart *this_hart(void)
{
    struct hart *hart;
    __asm__("mv %0, tp" : "=r"(hart));
    return hart;
}

/* Interrupts off; what irq_restore() needs to have them as they were. */
static inline uint64_t irq_save(void)
{
    uint64_t before;
    __asm__ volatile("csrrci %0, sstatus, 2" : "=r"(before)::"memory");
    return before & SSTATUS_SIE;
}

static inline void irq_restore(uint64_t before)
{
    csr_set(sstatus, before);
}

static inline uint64_t now(void)
{
    return csr_read(time);
}

struct sbi_answer {
    int64_t error, value;
};
struct sbi_answer sbi(uint64_t extension, uint64_t function, uint64_t a0, uint64_t a1, uint64_t a2);

void hart_begin(struct hart *);
void harts_start(void); /* all but this one */
void harts_flush(void);
void hart_interrupt(struct hart *); /* makes it take an interrupt, and look at its tasks */
void hart_timer(struct hart *, uint64_t when);
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void power_off(void);

/* ---- tasks (task.c) ------------------------------------------------------------------------ */

/* make: it does nothing before task_go(); NULL: no memory. start: does both, and memory is there.
 */
struct task *task_make(struct hart *, const char *name, void (*go)(void *), void *with);
void task_go(struct task *);
struct task *task_start(struct hart *, const char *name, void (*go)(void *), void *with);
void task_yield(void);
void task_wait(uint64_t until);                /* returns at once after a task_wake() */
void task_wake(struct task *);                 /* any hart, also in an interrupt */
void task_join(struct task *);                 /* until it has returned; gives its memory back */
void task_alarm(struct task *, uint64_t when); /* on its hart */
void tasks_timer(struct hart *);               /* in the interrupt */
_Noreturn void tasks_idle(struct hart *);      /* the caller's stack becomes the idle task's */
void timer_program(struct hart *);             /* its hart, the lock is held */

/* ---- memory (pages.c, paging.c) ------------------------------------------------------------ */

void *pages_take(uint64_t bytes, uint64_t align); /* zero; NULL: none left */
void pages_give(void *, uint64_t bytes);
uint64_t pages_free(void);

#define LINEAR_VA 0xffffffc000000000UL /* the machine's RAM from memory_base on */
#define LINEAR_GIB 64
#define DEVICE_VA 0xffffffff00000000UL
#define IMAGE_VA 0xffffffff80000000UL
extern uint64_t memory_base;
extern char image_start[], image_end[];

uint64_t paging_early(uint64_t load_pa);          /* physical addresses; start.S */
void paging_map_ram(uint64_t pa, uint64_t bytes); /* the blocks of 2 MiB that it touches */
volatile uint8_t *paging_map_device(uint64_t pa); /* one device's registers */
unsigned paging_levels(unsigned levels);          /* as many, or as the hart has; what it is */
bool paging_share(uint64_t va, const uint64_t *last_level);
uint64_t pa_of(const void *);
void *va_of(uint64_t pa);

/* ---- the board (board.c) ------------------------------------------------------------------- */

struct board {
    const void *tree;
    int cpu; /* the boot hart's node */
    uint64_t timebase;
    const char *bootargs;
    uint64_t initrd, initrd_bytes;
    uint64_t uart; /* 0: the firmware's console */
    unsigned uart_shift, uart_width;
};
extern struct board board;
const char *board_isa(void); /* what the harts have, in one string */
void board_read(const void *tree, uint64_t boot_id);
uint64_t option(const char *name, uint64_t otherwise); /* name=NUMBER among the boot arguments */
bool option_is(const char *name, const char *value);

/* ---- the console (console.c) --------------------------------------------------------------- */

void console_begin(void);
int console_read(void); /* -1: nothing came */
void print_line(const char *text, size_t length);
void console_flush(void); /* lines of ours that wait for the end of the guest's */
void console_guest(const char *bytes, size_t count);
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));

extern _Atomic uint64_t ticks_of_all; /* main.c */

#endif
