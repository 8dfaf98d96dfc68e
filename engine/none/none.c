/* SPDX-License-Identifier: BSD-2-Clause */
/* The engine of a machine that can run no guest: harts come up, the monitor works, no VM is made. */
#include "engine/engine.h"

static void nothing(void)
{
}

const struct engine_ops engine_none = {.name = "none", .hart_init = nothing};
