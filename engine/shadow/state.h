/* SPDX-License-Identifier: BSD-2-Clause */
/* What engine shadow keeps: a vCPU's virtual CSR file and shadow tables, and where a VM's memory
 * is. */
#ifndef ENGINE_SHADOW_STATE_H
#define ENGINE_SHADOW_STATE_H

#include <stdbool.h>
#include <stdint.h>

#define S_HARTS 64    /* harts of the host, at most */
#define S_REGIONS 160 /* runs of guest-physical memory: RAM chunks, shared regions, devices */
#define S_SPACES 10   /* guest address spaces that a vCPU keeps tables for */

/* A run of guest-physical memory that is one run of the machine's. */
struct s_region {
    uint64_t gpa, size, pa;
    uint8_t *va; /* NULL: a device's registers, which Caldarium doesn't touch */
};

struct s_vm {
    struct s_region region[S_REGIONS];
    unsigned regions;
    uint64_t table_pages;
    bool has_fp, has_vector;
    bool adue; /* accessed and dirty bits are set by the walk (Svadu); else it faults (Svade) */
    uint64_t envcfg;           /* bits of senvcfg that this VM's guests have */
    const void *last[S_HARTS]; /* which vCPU ran on that hart last */
};

/* One guest address space seen in three ways: what a mode may reach differs by the U bit and SUM.
 */
enum s_view { S_USER, S_KERNEL, S_KERNEL_SUM, S_VIEWS };

struct s_space {
    uint64_t satp;  /* the guest's, ASID included: what the tables are shadows of */
    uint64_t stamp; /* when it was chosen last; 0: free */
    struct {
        uint64_t *root;       /* NULL: not made yet */
        uint16_t first, last; /* its pages, linked through s_vcpu.next[] */
    } view[S_VIEWS];
};

struct s_vcpu {
    /* The CSRs as the guest reads them. Of sstatus, FS and VS live in the hart's while it runs. */
    uint64_t sstatus, sie, stvec, scounteren, senvcfg, sscratch, sepc, scause, stval, sip, satp,
        siselect;
    bool user;       /* the guest is in U-mode; else in S-mode */
    bool stale_root; /* mode, SUM, MXR or satp changed: another root may be due */
    uint64_t timer;  /* deadline of the guest's timer, host time; UINT64_MAX: none */

    uint64_t fp[32], fcsr;
    void *vector; /* room for 32 registers of VLENB bytes, or NULL */
    uint64_t vstart, vcsr, vl, vtype;
    bool fp_dirty, vector_dirty; /* changed since load(), although sstatus no longer says so */

    /* Shadow tables. Pages come from a pool that is taken when the VM is made. */
    uint64_t *pool;
    uint16_t *next;  /* of each page: the next one in the list it is in, 0: the last */
    unsigned pages;  /* in the pool; page 0 is never given out */
    unsigned unused; /* pages from here on have not been given out since the last reset */
    uint16_t free;   /* pages given back, a list */
    uint64_t *kernel_template, *user_template; /* what a new root begins as */
    struct s_space space[S_SPACES];
    struct s_space *current;
    uint64_t stamp;
    unsigned hole;      /* which of the holes holds Caldarium's way in and out */
    unsigned last_hart; /* where it ran last, and one; 0: nowhere since its start */
};

#endif
