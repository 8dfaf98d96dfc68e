/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM's watchdog: property watchdog-ms, kicked over SBI (docs/faults.md gives the call). */
#ifndef APPLIANCE_WATCHDOG_H
#define APPLIANCE_WATCHDOG_H

#include <stdint.h>

#include "appliance/vm.h"

/* Its time starts anew: the guest lives, or what was requested of the VM is done. Called on any of
 * its vCPUs' harts. Nothing where it has no watchdog. */
void watchdog_kick(struct vm *vm);

/* A run ended with CALD_SBI: answers Caldarium's own extension, by which the guest does that. No
 * other one is there. */
void watchdog_call(struct vm *vm, struct cald_vcpu *vcpu, const struct cald_exit *exit);

/* Resets the VMs whose time is up; not while something is requested of one. Returns the host time
 * of the next look; UINT64_MAX: none. On one hart at a time. */
uint64_t watchdog_check(uint64_t now);

#endif
