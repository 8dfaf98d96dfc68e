/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtual CPU. Its state belongs to the hart it is placed on; everybody else leaves a bit in its
 * mailbox and kicks that hart. Nobody takes a lock.
 */
#ifndef LIB_VCPU_VCPU_H
#define LIB_VCPU_VCPU_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/irq/imsic.h"
#include "lib/engine/engine.h"
#include "lib/vcpu/pending.h"
#include "riscv/sbi.h"

struct cald_vm;

/* HSM: somebody has won the right to start this vCPU and is writing start_*; shown as pending. */
#define HSM_START_CLAIMED 0x100

/* Mailbox bits. MAIL_WAKE and MAIL_CONTROL are lib/vcpu/run.c's to answer; the rest is carried out
 * by vcpu_take_mail(), in hot handlers too. */
#define MAIL_SOFT (1u << 0)     /* show a software interrupt (SBI IPI) */
#define MAIL_EXTERNAL (1u << 1) /* the external interrupt of this vCPU may have changed: look */
#define MAIL_FENCE (1u << 2)    /* somebody in fence_from waits for a fence */
#define MAIL_FLUSH (1u << 3)    /* a full fence is owed before the next guest instruction */
#define MAIL_WAKE (1u << 4)     /* HSM state changed */
#define MAIL_CONTROL (1u << 5)  /* cald_vcpu_request(): the host wants the run to end */
#define MAIL_TIMER (1u << 6)    /* cald_vcpu_timer(): the host's timer for this vCPU went off */
#define MAIL_REMAP (1u << 7)    /* a page that the guest could reach has gone: forget it */
#define MAIL_LINES (1u << 8)    /* cald_vcpu_irq(): lines_changed tells which */
#define MAIL_FORGET (1u << 9)   /* pages of guest memory have gone: lib/vm/memory.c */
#define MAIL_TABLES (1u << 10)  /* FENCE_TABLES is owed before the next guest instruction */
/* Mail that ends a guest's wait for an interrupt. */
#define MAIL_ANY (MAIL_SOFT | MAIL_EXTERNAL | MAIL_TIMER | MAIL_WAKE | MAIL_CONTROL | MAIL_LINES)

/*
 * Where the vCPU is, for those who want to kick it or wait for it. Written by its own hart, with
 * a full barrier before the mailbox is read again (lib/vcpu/mail.c tells the protocol).
 */
enum vcpu_mode {
    VCPU_AWAY,   /* on no hart, or in no state to run: nobody waits for it */
    VCPU_HOST,   /* its hart is in Caldarium and looks at the mailbox before the guest goes on */
    VCPU_GUEST,  /* guest instructions may run right now: a kick is needed */
    VCPU_BLOCKED /* sleeps until it is woken; runs no guest code, nobody waits for it */
};

/* SBI firmware counters (SBI PMU, event type 15), counted in hot handlers too. */
enum sbi_fw_event {
    FW_MISALIGNED_LOAD,
    FW_MISALIGNED_STORE,
    FW_ACCESS_LOAD,
    FW_ACCESS_STORE,
    FW_ILLEGAL_INSN,
    FW_SET_TIMER,
    FW_IPI_SENT,
    FW_IPI_RECEIVED,
    FW_FENCE_I_SENT,
    FW_FENCE_I_RECEIVED,
    FW_SFENCE_VMA_SENT,
    FW_SFENCE_VMA_RECEIVED,
    FW_SFENCE_VMA_ASID_SENT,
    FW_SFENCE_VMA_ASID_RECEIVED,
    FW_EVENTS
};

#define PMU_COUNTERS 16 /* counter 0 cycle, 2 instret (as their CSRs), 3.. firmware counters */
struct vcpu_pmu {
    struct {
        bool configured, running, firmware;
        uint8_t fw_event;
        uint64_t offset; /* counted value = live source + offset while running */
        uint64_t value;  /* value while stopped */
    } counter[PMU_COUNTERS];
    uint64_t snapshot; /* guest-physical address of the snapshot area, UINT64_MAX for none */
};

struct cald_vcpu {
    struct engine_vcpu eng; /* first: assembly holds a pointer to it */
    struct cald_vm *vm;
    unsigned id;           /* also the hart id that the guest sees */
    _Atomic unsigned hart; /* index of the host hart it is on, or was on last */
    void *host;            /* the host's own notes on it */

    _Atomic uint32_t mailbox;
    _Atomic uint32_t mode; /* enum vcpu_mode */

    /* Fences. `fence` is this vCPU's own request to others, valid while fence_waiting is not 0. */
    struct fence fence;
    _Atomic uint64_t fence_waiting; /* bit n: vCPU n still has to carry out `fence` */
    _Atomic uint64_t fence_from;    /* bit n: vCPU n's `fence` is to be carried out here */

    /* HSM. start_* are written by the starter between START_PENDING and the MAIL_WAKE bit. */
    _Atomic uint32_t hsm; /* SBI_HSM_* */
    uint64_t start_pc, start_opaque;
    bool suspend_retentive; /* while suspended: start_* is not used to go on */
    /* enum cald_why: what its exit's handler wants of lib/vcpu/run.c. CALD_WAIT: it executed WFI.
     */
    uint8_t why;

    _Atomic uint64_t forgets_seen; /* memory.forgets when it forgot pages of guest memory last */
    _Atomic uint64_t maps_seen;    /* what the engine answered when it forgot pages last */

    uint64_t sta_shmem;   /* SBI STA area, guest-physical; UINT64_MAX for none */
    uint64_t steal_ticks; /* ready to run, while others had its hart */
    bool steal_changed;   /* since the guest was told */

    uint64_t fw_count[FW_EVENTS];
    struct vcpu_pmu pmu;

    void *vector; /* room for its vector registers; NULL: it has none */

    struct imsic imsic; /* its interrupt file, where its VM has such */

    struct trace *_Atomic trace; /* lib/vcpu/trace.h; NULL: never wanted so far */

    /* Ticks of the host's clock, for `stats`: in the guest (with its hot exits) and in slow exits.
     */
    uint64_t ticks_guest, ticks_host;
    uint64_t entered; /* host time when it went into the guest; 0: it is not in there */

    bool breakpoints_exit; /* the host wants to see ebreaks; written while it doesn't run */
    bool leaves; /* its host may do something else after each run: nobody waits for it then */

    /* Interrupts that the host shows it, by their numbers. Any thread. */
    _Atomic uint32_t lines, lines_changed;

    /* Last: no hot handler uses them, and what those use is better near. */
    struct vcpu_pending pending;
    char fault[160]; /* CALD_FAULT: why it can't go on */
};

static inline struct cald_vcpu *vcpu_of(struct engine_vcpu *eng)
{
    return (struct cald_vcpu *)eng;
}

/* Cold start state: stopped. */
void vcpu_init(struct cald_vcpu *vcpu, struct cald_vm *vm, unsigned id);

/* Leaves mail for `to` and kicks its hart where that is needed. */
void vcpu_mail(struct cald_vcpu *to, uint32_t bits);

/* Puts it on its hart, or takes it off, with its interrupt file; its mode stays. */
void vcpu_load(struct cald_vcpu *vcpu);
void vcpu_put(struct cald_vcpu *vcpu);

/* Makes the vCPU start (or resume) at pc in S-mode with a0 = its id, a1 = opaque. On its own hart.
 */
void vcpu_begin(struct cald_vcpu *vcpu, uint64_t pc, uint64_t opaque);

/* Takes what the mailbox holds and carries out the bits that concern the guest; own hart, loaded.
 * Returns the bits that are left for the caller: MAIL_WAKE, MAIL_CONTROL. */
uint32_t vcpu_take_mail(struct cald_vcpu *vcpu);

/* Mode changes, each with the barrier that the mail protocol needs. */
void vcpu_enter_mode(struct cald_vcpu *vcpu, enum vcpu_mode mode);

/* Asks for `fence` on the vCPUs in mask (bit n: vCPU n, `self` among them), waits until done. */
void vcpu_fence_others(struct cald_vcpu *self, uint64_t mask, const struct fence *fence);

/* Others have to wait for what it does: it is on a hart and may run guest code, or is about to. */
static inline bool vcpu_may_run(const struct cald_vcpu *vcpu)
{
    uint32_t mode = atomic_load(&vcpu->mode);
    return mode == VCPU_GUEST || mode == VCPU_HOST;
}

#endif
