/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ownership oracle: an image (`make oracle`) in which each page of RAM has an owner, noted
 * apart from all that Caldarium itself knows, and looked at when memory is given out and given
 * back, when a VM's memory is entered, when a VM begins and ends, and once a second against all
 * tables by which guests and devices reach memory. What is wrong is a panic that names page, owner
 * and table.
 *
 * It is the ordinary image's objects, linked anew with this folder's: the linker leads calls of the
 * functions named in mk/oracle.mk here first (--wrap). Nothing of it is in the ordinary image.
 */
#ifndef HOST_ORACLE_ORACLE_H
#define HOST_ORACLE_ORACLE_H

#include <stdbool.h>
#include <stdint.h>

#include "appliance/virtio/driver_vm.h"
#include "appliance/vm.h"

/* What a page is for. UNKNOWN: free, or Caldarium's since before the oracle began. */
enum owner_kind { OWNER_UNKNOWN, OWNER_FREE, OWNER_OWN, OWNER_RAM, OWNER_SHARED };

struct owner {
    enum owner_kind kind;
    unsigned vm; /* its index, and one; 0: Caldarium */
};

/* Takes what it needs for the board's RAM. */
void owner_begin(void);

/* False: there is no RAM at the address. */
bool owner_of(uint64_t pa, struct owner *owner);
const char *owner_name(const struct owner *owner);

/* The VM serves devices to that one, which shares all of its RAM for it (docs/virtio.md). */
static inline bool owner_is_client(const struct vm *vm, unsigned client)
{
    for (unsigned n = 0; vm->driver && n < vm->driver->windows; n++) {
        const struct driver_window *window = &vm->driver->window[n];
        if (!window->device && window->client->index + 1 == client)
            return true;
    }
    return false;
}

/* The VM's RAM, or shared memory, is about to be entered in its tables. */
void owner_enters(const struct vm *vm, uint64_t pa, uint64_t bytes, uint32_t flags);

/* The VM is about to begin or to end: no table of its is looked at until the same with false. */
void walk_changes(const struct vm *vm, bool begins);
bool walk_is_changing(unsigned index);

/* All tables; panics where one leads to what isn't its VM's. */
void walk_all(void);
void walk_one(const struct vm *vm);

/* No table of a device leads to the VM's memory. */
void walk_no_device(const struct vm *vm);

/* A fault that a test wants found: what `oracle-plant=` in /chosen/bootargs says. */
bool plant_is(const char *what);
void plant(void);

#endif
