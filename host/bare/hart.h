/* SPDX-License-Identifier: BSD-2-Clause */
/* The harts Caldarium runs on. A hart never takes an interrupt while it runs Caldarium: it looks
 * for pending ones at known places, or is interrupted while a guest runs. */
#ifndef HOST_BARE_HART_H
#define HOST_BARE_HART_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "caldarium/caldarium.h"
#include "host/bare/board.h"
#include "host/bare/runqueue.h"

/* What hart_start (start.S) reads with paging off. */
struct hart_boot {
    uint64_t satp, entry, stack, hart;
};

struct hart {
    unsigned index;
    const struct board_hart *board;
    struct hart_boot *boot; /* one for each of the board's harts: a late one must find its own */
    _Atomic bool online;
    struct runqueue rq;
    struct cald_vcpu *loaded; /* whose state may be in this hart's registers, or NULL */
    _Atomic bool resched;     /* the queue has changed: decide anew who runs */
    bool turn_over;           /* somebody's turn among equals has ended: look how others fare */
    unsigned look;            /* at which of the other harts next */
    _Atomic unsigned evict;   /* a pinned VM has come: everybody else goes elsewhere */
    _Atomic uint64_t idle_ticks, idle_since; /* time with nobody to run; since: 0, or from when */
    atomic_bool tick;                        /* the monitor wants to be called each second */
    uint64_t tick_deadline;
    uint64_t flush_deadline;  /* when to call console_flush() */
    uint64_t watch_deadline;  /* when a watchdog may be due */
    uint64_t notice_deadline; /* when notices of messages come through again */
    uint64_t sched_deadline;  /* when a turn, a budget or a sleep ends here */
    uint64_t timer;           /* what the hart's timer is set to */
    uint64_t guest_deadline;  /* this hart's vCPU's timer, where it is the host's to keep */
    uint64_t poll_deadline;   /* when to look at the console; UINT64_MAX: never */
    bool serves_console;      /* the boot hart does */
    bool polls_console;       /* because the port can't interrupt */
    int irq_context;          /* -1: this hart takes no device interrupts */
    unsigned file_count;      /* guest interrupt files: 1..file_count, see guest_file.h */
    uint64_t files_watched;   /* bit n: its vCPU is loaded here, and sleeps */
    struct hart_file {
        struct cald_vcpu *vcpu; /* whose it is, or was */
        uint8_t state;
        unsigned life;        /* of the VM, when it got the file */
        uint64_t maps, waits; /* draining: who has not yet forgotten this */
    } * files;
    struct cald_vcpu *woken; /* taken off the hart asleep, with a message for it */
    bool collects;           /* kicks are collected: host_kicks_begin(). This hart's own */
    uint64_t to_kick;        /* bit n: harts[n], while it collects. This hart's own */
    volatile void *doorbell; /* its interrupt file, where others kick it; NULL: through firmware */
};

extern struct hart harts[BOARD_HARTS];
extern unsigned hart_count;
extern unsigned console_hart; /* the one that serves the console */

/* Brings all harts of the board up; the boot hart calls it. Returns when each one is online or its
 * firmware has refused. */
void harts_start(uint64_t boot_id);

/* Makes a hart leave the guest or its wait soon. On any hart. */
void hart_kick(const struct hart *hart);

/* console_flush() is called on this hart within a millisecond. */
void hart_flush_soon(void);

/* Reads and writes the console's port; on the console's hart. Has that done soon; on any hart. */
void hart_serve_console(void);
void hart_serve_console_soon(void);

/* The index of the hart that asks; on the boot stack a number beyond all harts. */
uint64_t hart_this(void);

/* Something has to be looked at by time, not by interrupt; on the console's hart. */
void hart_poll_soon(struct hart *hart);

/* When to call msi_notice_again(); on the console's hart. */
void hart_notice_deadline(uint64_t when);

/* When the scheduler wants this hart to look again; on the hart itself. */
void hart_sched_deadline(struct hart *hart, uint64_t when);

/* The boot hart becomes an ordinary one: leaves the boot stack, never returns. */
_Noreturn void hart_join(void);

/* Whether harts have stimecmp (Sstc): else timers go through the firmware. */
extern bool hart_has_sstc;

#endif
