/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A kernel of the smallest kind that is still one: paging (Sv39), a user program, the timer, other
 * harts, the PLIC, a serial port with a prompt, a virtio disk, memory shared with another VM.
 *
 * Its kernel runs with interrupts off. The user program runs with them on, and asks the kernel to
 * wait when it has nothing to do. Commands typed at the prompt are carried out as part of the
 * serial port's interrupt.
 */
#ifndef GUESTS_MINIKERNEL_MINI_H
#define GUESTS_MINIKERNEL_MINI_H

#include <stdbool.h>
#include <stdint.h>

#include "guests/common/guest.h"
#include "guests/common/tree.h"

#define HARTS 64

/* One for each hart, in tp while its kernel runs. */
struct hart {
    uint64_t id;
    volatile uint64_t ticks, ipis, waits;
};
extern struct hart harts[HARTS];
extern unsigned hart_count;

static inline struct hart *this_hart(void)
{
    struct hart *hart;
    __asm__ volatile("mv %0, tp" : "=r"(hart));
    return hart;
}

/* What trap.S saves; x0's place holds sepc. */
struct frame {
    uint64_t x[32];
};

/* trap.S */
void mini_trap(void);
_Noreturn void mini_enter_user(uint64_t pc, uint64_t sp);

/* trap.c: interrupts that are pending now are served; for those who wait inside the kernel. */
void trap_serve(void);
/* Runs `probe` with exceptions expected: an instruction that traps is skipped (it is 4 bytes long).
 * Returns the exception's cause, or -1 for none; *tval as the hart gave it. */
int64_t trap_expect(void (*probe)(void *), void *with, uint64_t *tval);

/* paging.c */
#define USER_CODE 0x1000000000UL
#define USER_DATA 0x1000001000UL
#define USER_NOTHING 0x1000002000UL
void paging_on(void);
uint64_t paging_satp(void);

/* user.S: position independent, copied into a page of the user's. */
extern const char user_begin[], user_end[];

/* console.c: the serial port, and printing there: %s, %u, %x. */
void console_init(uint64_t tree);
void console_print(const char *format, ...);
void console_interrupt(void);
extern uint32_t console_irq;

/* plic.c */
void plic_init(uint64_t tree, uint64_t hart);
void plic_enable(uint32_t source);
uint32_t plic_claim(void);
void plic_complete(uint32_t source);

/* disk.c: a virtio-mmio block device, legacy or modern. */
bool disk_init(uint64_t tree);
uint64_t disk_sectors(void);
bool disk_transfer(uint64_t sector, void *data, bool write); /* 512 bytes */
void disk_interrupt(void);
extern uint32_t disk_irq;

/* shared.c: memory shared with other VMs, and the doorbell to it. */
bool shared_init(uint64_t tree);
void shared_interrupt(void);
void shared_command(const char *words);
extern uint32_t shared_irq;

/* command.c: a line from the prompt. */
void command_run(const char *line);
void command_prompt(void);

#endif
