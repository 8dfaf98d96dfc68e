/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Dirty logs. The library's answer takes what it tells; so it is collected in the slot, and stays
 * there until the VMM has been told or, where it has asked for that (KVM_CAP_MANUAL_DIRTY_LOG_
 * PROTECT2), says itself of which pages it wants to hear anew (KVM's documentation, 4.8, 4.117).
 */
#include <linux/kvm.h>

#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "module.h"

#define WORD_BITS 64

static u64 words_of(u64 pages)
{
    return DIV_ROUND_UP(pages, WORD_BITS);
}

/* A log begins with nothing in it, or, if the VMM wants it so, with every page. */
int dirty_begin(struct guest *guest, struct slot *slot)
{
    u64 pages = slot->size >> PAGE_SHIFT;
    slot->dirty = kvcalloc(words_of(pages), sizeof(*slot->dirty), GFP_KERNEL_ACCOUNT);
    if (!slot->dirty)
        return -ENOMEM;
    if (guest->dirty_manual & KVM_DIRTY_LOG_INITIALLY_SET)
        bitmap_set((unsigned long *)slot->dirty, 0, pages);
    return 0;
}

void dirty_end(struct slot *slot)
{
    kvfree(slot->dirty);
    slot->dirty = NULL;
}

/* Every page that was written before this call is in slot->dirty, every later store will be in the
 * library's log. */
static int collect(struct guest *guest, struct slot *slot)
{
    u64 words = words_of(slot->size >> PAGE_SHIFT);
    if (!guest->vm)
        return 0;
    u64 *fresh = kvcalloc(words, sizeof(*fresh), GFP_KERNEL_ACCOUNT);
    if (!fresh)
        return -ENOMEM;
    int error = host_errno(LIBRARY(cald_vm_dirty(guest->vm, slot->id, fresh, words)));
    for (u64 n = 0; !error && n < words; n++)
        slot->dirty[n] |= fresh[n];
    kvfree(fresh);
    return error;
}

/* The slot of that number, if it has a log. */
static struct slot *logged(struct guest *guest, u32 id, int *error)
{
    struct slot *slot = memory_slot(guest, id);
    *error = id >= MAX_SLOTS ? -EINVAL : slot && slot->dirty ? 0 : -ENOENT;
    return *error ? NULL : slot;
}

int dirty_get(struct guest *guest, const struct kvm_dirty_log *log)
{
    int error;
    struct slot *slot = logged(guest, log->slot, &error);
    if (!slot)
        return error;
    size_t bytes = words_of(slot->size >> PAGE_SHIFT) * sizeof(*slot->dirty);
    error = collect(guest, slot);
    if (!error && copy_to_user(log->dirty_bitmap, slot->dirty, bytes))
        error = -EFAULT;
    if (!error && !guest->dirty_manual)
        memset(slot->dirty, 0, bytes);
    return error;
}

/* The range is a run of whole words, or ends where the slot ends. */
static bool is_range(const struct slot *slot, const struct kvm_clear_dirty_log *log)
{
    u64 pages = slot->size >> PAGE_SHIFT;
    return !(log->first_page % WORD_BITS) && log->first_page <= pages &&
           log->num_pages <= pages - log->first_page &&
           (log->first_page + log->num_pages == pages || !(log->num_pages % WORD_BITS));
}

int dirty_clear(struct guest *guest, const struct kvm_clear_dirty_log *log)
{
    int error;
    struct slot *slot = logged(guest, log->slot, &error);
    if (!slot)
        return error;
    if (!is_range(slot, log))
        return -EINVAL;
    u64 words = words_of(log->num_pages), *to = slot->dirty + log->first_page / WORD_BITS;
    u64 *clear = kvmalloc_array(words, sizeof(*clear), GFP_KERNEL_ACCOUNT);
    if (!clear)
        return -ENOMEM;
    error = copy_from_user(clear, log->dirty_bitmap, words * sizeof(*clear)) ? -EFAULT
                                                                             : collect(guest, slot);
    for (u64 n = 0; !error && n < words; n++)
        to[n] &= ~clear[n];
    kvfree(clear);
    return error;
}

/* KVM_ENABLE_CAP's for this: how logs are from now on. */
int dirty_mode(struct guest *guest, u64 mode)
{
    if (mode & ~KVM_DIRTY_LOG_MODES ||
        (mode & KVM_DIRTY_LOG_INITIALLY_SET && !(mode & KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE)))
        return -EINVAL;
    guest->dirty_manual = mode;
    return 0;
}
