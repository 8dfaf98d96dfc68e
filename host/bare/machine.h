/* SPDX-License-Identifier: BSD-2-Clause */
/* What the machine as a whole is set to: chosen once at boot. */
#ifndef HOST_BARE_MACHINE_H
#define HOST_BARE_MACHINE_H

#include "engine/engine.h"

/* The engine every VM runs on; NULL until main.c has chosen. */
extern const struct engine_ops *machine_engine;

/* Powers the machine off through the firmware; if that can't, says so and stops this hart. */
_Noreturn void machine_poweroff(void);

#endif
