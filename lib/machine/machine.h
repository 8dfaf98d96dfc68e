/* SPDX-License-Identifier: BSD-2-Clause */
/* What the library keeps for a machine: all that its VMs share. There is no other global state. */
#ifndef LIB_MACHINE_MACHINE_H
#define LIB_MACHINE_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "caldarium/caldarium.h"
#include "riscv/lock.h"
#include "lib/engine/h/state.h"
#include "lib/engine/shadow/state.h"
#include "riscv/isa.h"

/* Of a hart. Its own hart alone reads and writes it, but for the page, which stays. */
struct machine_hart {
    bool begun;
    struct h_hart h;
    struct s_hart s;
};

struct cald_machine {
    struct cald_machine_params told; /* constant, as all that follows but `h` and `printing` */
    void *owner;
    struct riscv_isa isa_h, isa_shadow; /* what a guest of either engine can be shown */
    struct machine_hart *hart;          /* told.harts of them */
    struct h_machine h;
    struct s_machine s;
    struct lock printing; /* so that the lines of two reports do not mix */
};

static inline bool machine_has(const struct cald_machine *machine, uint32_t flag)
{
    return machine->told.flags & flag;
}

#endif
