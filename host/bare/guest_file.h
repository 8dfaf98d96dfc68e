/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest interrupt files: a hart's IMSIC has a few, a page each, that deliver straight to the guest
 * whose hstatus.VGEIN names them (AIA specification, chapters 3 and 6). What is here runs on the
 * hart whose files they are; host_file_load() and its like are in host/host.h.
 */
#ifndef HOST_BARE_GUEST_FILE_H
#define HOST_BARE_GUEST_FILE_H

#include "host/bare/hart.h"
#include "riscv/asm.h"

/* On each hart: how many there are, and all of them free. */
void guest_file_begin(struct hart *hart);

/* The loaded vCPU is about to sleep: a message in its file wakes it from now on. */
void guest_file_watch(struct hart *hart, const struct cald_vcpu *vcpu);

/* It is about to run, and gets its interrupts by itself. */
static inline void guest_file_unwatch(struct hart *hart)
{
    if (hart->files_watched) {
        csr_clear(CSR_HGEIE, hart->files_watched);
        hart->files_watched = 0;
    }
}

/* Messages have come into files whose vCPU sleeps, or has gone elsewhere. */
void guest_file_serve(struct hart *hart);

/* hgeip names a file that somebody has to look at. */
static inline bool guest_file_pends(const struct hart *hart)
{
    return hart->file_count && csr_read(CSR_HGEIP) & csr_read(CSR_HGEIE);
}

#endif
