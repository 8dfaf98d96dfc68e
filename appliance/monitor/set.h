/* SPDX-License-Identifier: BSD-2-Clause */
/* `set`: another share for a VM that runs. The bundle's values come back when it starts anew from
 * the monitor. */
#ifndef APPLIANCE_MONITOR_SET_H
#define APPLIANCE_MONITOR_SET_H

/* "VM name=value ..." */
void set_run(const char *words);

#endif
