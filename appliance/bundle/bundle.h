/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads a bundle: the device tree blob that describes the VMs (docs/bundle.md has every property).
 * The blob is hostile until checked. Works in place: configs point into it, so it has to stay.
 */
#ifndef APPLIANCE_BUNDLE_BUNDLE_H
#define APPLIANCE_BUNDLE_BUNDLE_H

#include <stddef.h>

#include "appliance/config.h"

/*
 * Checks the blob of at most `bytes` bytes and fills in up to VM_MAX configs. Returns how many VMs
 * it names, or -1 if it is no bundle at all (one line said why). A VM whose description is wrong is
 * among them with `refused` set, and one line named VM, node, property and what was expected; the
 * others are not touched by that.
 */
int bundle_read(const void *blob, size_t bytes, struct vm_config *configs);

#endif
