/* SPDX-License-Identifier: BSD-2-Clause */
/* What engine h keeps: the VS-mode CSRs of a vCPU that is off its hart, FP and vector registers,
 * and a VM's second-stage table. */
#ifndef LIB_ENGINE_H_STATE_H
#define LIB_ENGINE_H_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/engine/common/unit_state.h"

#include "riscv/lock.h"
#include "lib/engine/h/gstage.h"

/* Of a machine: the VMIDs that are handed out. vmid.c */
struct h_machine {
    struct lock lock;
    uint64_t generation, next;
};

#define H_FOUND 24

/* Of a hart of the machine; its own alone. */
struct h_hart {
    uint64_t generation;     /* of VMIDs: what it remembers is of that one, or older. 0: of none */
    uint64_t found[H_FOUND]; /* its CSRs when it began: hart.c */
};

/* Of a VM on a hart; that hart's alone. */
struct h_vm_hart {
    const void *last;   /* which vCPU ran there last */
    uint64_t maps_seen; /* up to where it has forgotten pages that went: window.c */
};

struct h_vm {
    struct gstage gstage;
    uint64_t henvcfg, hcounteren, hstateen0; /* what this VM's guests may use */
    uint64_t senvcfg;                        /* its bits that they have */
    _Atomic uint64_t vmid;                   /* generation << 16 | VMID; 0: none yet */
    bool has_fp, has_vector, has_sstc;
    struct h_vm_hart *hart; /* of each of the machine's */
    uint64_t *window;       /* the last-level table of the interrupt files' pages, or NULL */
    _Atomic uint64_t maps;  /* how often a page there has gone */
};

struct h_vcpu {
    bool own_timer; /* vstimecmp is the guest's timer; entry.S reads it */
    uint64_t vsstatus, vsie, vstvec, vsscratch, vsepc, vscause, vstval, vsatp, scounteren, senvcfg;
    uint64_t hvip, vstimecmp, vsiselect;
    uint64_t hstatus, sstatus; /* as they must be when the guest goes on */
    uint64_t timer;            /* when its timer is due, host time, where that is the host's */
    struct unit_state units;
    unsigned last_hart; /* where it ran last, and one; 0: nowhere since its start */
};

#endif
