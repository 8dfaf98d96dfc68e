/* SPDX-License-Identifier: BSD-2-Clause */
/* The two engines, by what a VM asks for. */
#include "lib/engine/h/h.h"
#include "lib/engine/shadow/shadow.h"

const struct engine_ops *engine_by(enum cald_engine engine)
{
    return engine == CALD_ENGINE_H ? &engine_h : &engine_shadow;
}
