/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stores that wait in a ring until the VMM looks at it for another reason (KVM's documentation,
 * 4.116). The ring is a page that each vCPU's file maps behind struct kvm_run; the VMM writes
 * `first`, we `last`, and nothing that is read of it is trusted.
 */
#include <linux/kvm.h>

#include <linux/mm.h>
#include <linux/slab.h>

#include "module.h"

#define MAX_ZONES 1000
/* How many have room; KVM_COALESCED_MMIO_MAX in KVM's ABI. */
#define RING_ENTRIES                                                                               \
    ((PAGE_SIZE - sizeof(struct kvm_coalesced_mmio_ring)) / sizeof(struct kvm_coalesced_mmio))

/* In guest->zones. */
struct stores {
    struct list_head list;
    u64 gpa, size;
};

static bool zone_has(const struct stores *zone, u64 gpa, u64 size)
{
    return gpa >= zone->gpa && size <= zone->size && gpa - zone->gpa <= zone->size - size;
}

static bool is_coalesced(const struct guest *guest, const struct cald_exit *exit)
{
    const struct stores *zone;
    list_for_each_entry(zone, &guest->zones, list)
        if (zone_has(zone, exit->gpa, exit->width))
            return true;
    return false;
}

/* One place stays free, so that a full ring is not like an empty one. */
static bool ring_add(struct kvm_coalesced_mmio_ring *ring, const struct cald_exit *exit)
{
    u32 last = READ_ONCE(ring->last);
    if (last >= RING_ENTRIES || (last + 1) % RING_ENTRIES == READ_ONCE(ring->first))
        return false;
    struct kvm_coalesced_mmio *entry = &ring->coalesced_mmio[last];
    entry->phys_addr = exit->gpa;
    entry->len = exit->width;
    entry->pio = 0;
    memcpy(entry->data, &exit->value, exit->width);
    smp_store_release(&ring->last, (last + 1) % RING_ENTRIES); /* who sees it sees the entry */
    return true;
}

bool coalesced_store(struct guest *guest, const struct cald_exit *exit)
{
    spin_lock(&guest->zones_lock);
    bool kept = is_coalesced(guest, exit) && ring_add(guest->ring, exit);
    spin_unlock(&guest->zones_lock);
    return kept;
}

static int zone_add(struct guest *guest, const struct kvm_coalesced_mmio_zone *args)
{
    if (guest->zone_count == MAX_ZONES)
        return -ENOSPC;
    struct stores *zone = kzalloc(sizeof(*zone), GFP_KERNEL_ACCOUNT);
    if (!zone)
        return -ENOMEM;
    zone->gpa = args->addr;
    zone->size = args->size;
    spin_lock(&guest->zones_lock);
    list_add_tail(&zone->list, &guest->zones);
    guest->zone_count++;
    spin_unlock(&guest->zones_lock);
    return 0;
}

/* Those in which the range lies. */
static void zones_remove(struct guest *guest, u64 gpa, u64 size)
{
    struct stores *zone, *next;
    LIST_HEAD(gone);
    spin_lock(&guest->zones_lock);
    list_for_each_entry_safe(zone, next, &guest->zones, list) {
        if (zone_has(zone, gpa, size)) {
            list_move(&zone->list, &gone);
            guest->zone_count--;
        }
    }
    spin_unlock(&guest->zones_lock);
    list_for_each_entry_safe(zone, next, &gone, list)
        kfree(zone);
}

/* RISC-V has no ports. guest->lock is held. */
int coalesced_set(struct guest *guest, const struct kvm_coalesced_mmio_zone *zone, bool there)
{
    if (zone->pio)
        return -EINVAL;
    if (there)
        return zone_add(guest, zone);
    zones_remove(guest, zone->addr, zone->size);
    return 0;
}

int coalesced_begin(struct guest *guest)
{
    spin_lock_init(&guest->zones_lock);
    INIT_LIST_HEAD(&guest->zones);
    guest->ring = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
    return guest->ring ? 0 : -ENOMEM;
}

void coalesced_end(struct guest *guest)
{
    struct stores *zone, *next;
    list_for_each_entry_safe(zone, next, &guest->zones, list)
        kfree(zone);
    free_page((unsigned long)guest->ring);
}
