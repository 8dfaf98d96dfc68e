/* SPDX-License-Identifier: BSD-2-Clause */
/* What step.c and state.c share. */
#ifndef GUESTS_DIFF_STEPS_H
#define GUESTS_DIFF_STEPS_H

#include "guests/diff/diff.h"

#define STATE_STEPS 31 /* `which` is below that */
void state_step(unsigned which, bool user);

#endif
