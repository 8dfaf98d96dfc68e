/* SPDX-License-Identifier: BSD-2-Clause */
/* `top`: what harts and VMs did in the second that went by, until a key ends it. */
#ifndef APPLIANCE_MONITOR_TOP_H
#define APPLIANCE_MONITOR_TOP_H

#include <stdbool.h>

void top_begin(void);
bool top_runs(void);

/* A key came: ends it. False, if it doesn't run. */
bool top_end(void);

/* A second went by: the host calls it, while top_runs(), as monitor_host_tick() asked for. */
void top_tick(void);

#endif
