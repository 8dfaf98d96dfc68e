/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A VM's memory is its process's. The library is told page by page; what it was told is kept in the
 * slots, and dropped when Linux takes the page away (MMU notifiers). No page is pinned: a guest
 * reaches one for as long as the process's own table has it.
 */
#include <linux/kvm.h>

#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "module.h"

#include "caldarium/host.h"

#define KVM_MEM_KNOWN (KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY)

static struct slot *slot_at(struct guest *guest, u64 gpa)
{
    struct slot *slot;
    list_for_each_entry(slot, &guest->slots, list)
        if (gpa - slot->gpa < slot->size)
            return slot;
    return NULL;
}

/* The library's question, from inside a run. */
enum cald_page_is host_guest_page(void *owner, uint64_t gpa, bool write, struct cald_page *page)
{
    struct guest *guest = owner;
    enum cald_page_is is = CALD_PAGE_NOTHING;
    unsigned long flags;
    raw_spin_lock_irqsave(&guest->pages_lock, flags);
    struct slot *slot = slot_at(guest, gpa);
    if (slot && !(write && slot->flags & KVM_MEM_READONLY)) {
        unsigned long at = slot->page[(gpa - slot->gpa) >> PAGE_SHIFT];
        bool here = at & PAGE_HERE && (at & PAGE_WRITABLE || !write);
        page->pa = PFN_PHYS(at >> 2);
        page->writable = at & PAGE_WRITABLE;
        is = here ? CALD_PAGE_HERE : CALD_PAGE_ABSENT;
    }
    raw_spin_unlock_irqrestore(&guest->pages_lock, flags);
    return is;
}

/* Linux's page for the guest's, as KVM_RUN's thread: it may wait for a disk. What was taken while
 * we looked is not kept; the guest asks again. */
int memory_get_page(struct guest *guest, u64 gpa, bool write)
{
    struct page *page;
    unsigned long hva, before;
    bool read_only;
    raw_spin_lock_irq(&guest->pages_lock);
    struct slot *slot = slot_at(guest, gpa);
    hva = slot ? slot->hva + (gpa - slot->gpa) : 0;
    read_only = slot && slot->flags & KVM_MEM_READONLY;
    before = guest->taken;
    raw_spin_unlock_irq(&guest->pages_lock);
    if (!slot || (write && read_only))
        return 0; /* it is no memory any more: the next run sees that */

    if (get_user_pages_fast(hva & PAGE_MASK, 1, write ? FOLL_WRITE : 0, &page) != 1)
        return -EFAULT;
    unsigned long entry = page_to_pfn(page) << 2 | PAGE_HERE | (write ? PAGE_WRITABLE : 0);
    raw_spin_lock_irq(&guest->pages_lock);
    slot = slot_at(guest, gpa);
    if (slot && !guest->gone && !guest->taking && before == guest->taken &&
        slot->hva + (gpa - slot->gpa) == hva) {
        slot->page[(gpa - slot->gpa) >> PAGE_SHIFT] = entry;
        if (write)
            set_page_dirty(page);
    }
    raw_spin_unlock_irq(&guest->pages_lock);
    put_page(page);
    if (READ_ONCE(guest->taking))
        cond_resched();
    return 0;
}

/* ---- What Linux takes ---- */

/* Pages of the slot that lie in [from, to) of the process: their number, the first in *first. */
static u64 slot_part(const struct slot *slot, unsigned long from, unsigned long to, u64 *first)
{
    unsigned long begin = max(from, slot->hva),
                  end = min(to, slot->hva + (unsigned long)slot->size);
    if (begin >= end)
        return 0;
    *first = (begin - slot->hva) >> PAGE_SHIFT;
    return ((end - slot->hva - 1) >> PAGE_SHIFT) - *first + 1;
}

/* Drops what a slot knows of [from, to); returns how many pages that may concern, from *gpa on. 0:
 * none knows of any. pages_lock is held. */
static u64 drop(struct guest *guest, unsigned long from, unsigned long to, u64 *gpa)
{
    struct slot *slot;
    u64 first, count;
    list_for_each_entry(slot, &guest->slots, list) {
        bool any = false;
        count = slot_part(slot, from, to, &first);
        for (u64 n = 0; n < count; n++) {
            any |= slot->page[first + n] != 0;
            slot->page[first + n] = 0;
        }
        *gpa = slot->gpa + (first << PAGE_SHIFT);
        if (any)
            return count;
    }
    return 0;
}

/* No vCPU reaches what [from, to) was, when this returns. The slots may change meanwhile. */
static void take(struct guest *guest, unsigned long from, unsigned long to)
{
    u64 gpa, count;
    unsigned long flags;
    local_irq_save(flags);
    do {
        raw_spin_lock(&guest->pages_lock);
        count = drop(guest, from, to, &gpa);
        raw_spin_unlock(&guest->pages_lock);
        if (count && guest->vm)
            cald_vm_forget(guest->vm, gpa, count << PAGE_SHIFT);
    } while (count);
    local_irq_restore(flags);
}

void memory_forget(struct guest *guest)
{
    take(guest, 0, ULONG_MAX);
}

static struct guest *guest_of(struct mmu_notifier *notifier)
{
    return container_of(notifier, struct guest, notifier);
}

static int take_begin(struct mmu_notifier *notifier, const struct mmu_notifier_range *range)
{
    struct guest *guest = guest_of(notifier);
    unsigned long flags;
    raw_spin_lock_irqsave(&guest->pages_lock, flags);
    guest->taking++;
    raw_spin_unlock_irqrestore(&guest->pages_lock, flags);
    take(guest, range->start, range->end);
    return 0;
}

static void take_end(struct mmu_notifier *notifier, const struct mmu_notifier_range *range)
{
    struct guest *guest = guest_of(notifier);
    unsigned long flags;
    raw_spin_lock_irqsave(&guest->pages_lock, flags);
    guest->taken++;
    guest->taking--;
    raw_spin_unlock_irqrestore(&guest->pages_lock, flags);
}

/* The process has ended, or got another program. */
static void take_all(struct mmu_notifier *notifier, struct mm_struct *mm)
{
    struct guest *guest = guest_of(notifier);
    unsigned long flags;
    raw_spin_lock_irqsave(&guest->pages_lock, flags);
    guest->gone = true;
    raw_spin_unlock_irqrestore(&guest->pages_lock, flags);
    take(guest, 0, ULONG_MAX);
}

static const struct mmu_notifier_ops notifier_ops = {
    .invalidate_range_start = take_begin, .invalidate_range_end = take_end, .release = take_all};

int memory_begin(struct guest *guest)
{
    raw_spin_lock_init(&guest->pages_lock);
    INIT_LIST_HEAD(&guest->slots);
    guest->mm = current->mm;
    guest->notifier.ops = &notifier_ops;
    return mmu_notifier_register(&guest->notifier, guest->mm);
}

static void slot_free(struct slot *slot)
{
    dirty_end(slot);
    kvfree(slot->page);
    kfree(slot);
}

void memory_end(struct guest *guest)
{
    struct slot *slot, *next;
    mmu_notifier_unregister(&guest->notifier, guest->mm);
    list_for_each_entry_safe(slot, next, &guest->slots, list)
        slot_free(slot);
}

/* ---- Slots ---- */

static int enter(struct guest *guest, const struct slot *slot)
{
    u32 flags = slot->flags & KVM_MEM_READONLY ? CALD_SLOT_READ_ONLY : CALD_SLOT_PRIVATE;
    if (slot->flags & KVM_MEM_LOG_DIRTY_PAGES)
        flags |= CALD_SLOT_LOG_DIRTY;
    return host_errno(
        LIBRARY_ALLOCATES(cald_vm_slot(guest->vm, slot->id, slot->gpa, slot->size, NULL, flags)));
}

int memory_enter(struct guest *guest)
{
    struct slot *slot;
    int error = 0;
    list_for_each_entry(slot, &guest->slots, list)
        error = error ?: enter(guest, slot);
    return error;
}

struct slot *memory_slot(struct guest *guest, u32 id)
{
    struct slot *slot;
    list_for_each_entry(slot, &guest->slots, list)
        if (slot->id == id)
            return slot;
    return NULL;
}

static int slot_remove(struct guest *guest, struct slot *slot)
{
    if (guest->vm)
        LIBRARY(cald_vm_slot(guest->vm, slot->id, slot->gpa, 0, NULL, 0));
    raw_spin_lock_irq(&guest->pages_lock);
    list_del(&slot->list);
    guest->taken++;
    raw_spin_unlock_irq(&guest->pages_lock);
    slot_free(slot);
    return 0;
}

static bool overlaps(struct guest *guest, const struct kvm_userspace_memory_region2 *region)
{
    struct slot *slot;
    list_for_each_entry(slot, &guest->slots, list)
        if (slot->id != region->slot && region->guest_phys_addr < slot->gpa + slot->size &&
            slot->gpa < region->guest_phys_addr + region->memory_size)
            return true;
    return false;
}

static bool is_logged(u32 flags)
{
    return flags & KVM_MEM_LOG_DIRTY_PAGES;
}

static struct slot *slot_make(struct guest *guest,
                              const struct kvm_userspace_memory_region2 *region)
{
    struct slot *slot = kzalloc(sizeof(*slot), GFP_KERNEL_ACCOUNT);
    if (!slot)
        return NULL;
    slot->id = region->slot;
    slot->flags = region->flags;
    slot->gpa = region->guest_phys_addr;
    slot->size = region->memory_size;
    slot->hva = region->userspace_addr;
    slot->page =
        kvcalloc(slot->size >> PAGE_SHIFT, sizeof(*slot->page), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
    if (slot->page && (!is_logged(slot->flags) || !dirty_begin(guest, slot)))
        return slot;
    slot_free(slot);
    return NULL;
}

static int slot_add(struct guest *guest, struct slot *slot)
{
    raw_spin_lock_irq(&guest->pages_lock);
    list_add_tail(&slot->list, &guest->slots);
    raw_spin_unlock_irq(&guest->pages_lock);
    int error = guest->vm ? enter(guest, slot) : 0;
    if (error)
        slot_remove(guest, slot);
    return error;
}

/* The flags of one that stays where it is. */
static int slot_change(struct guest *guest, struct slot *slot, u32 flags)
{
    int error = 0;
    if (slot->flags == flags)
        return 0;
    if (is_logged(flags))
        error = dirty_begin(guest, slot);
    else
        dirty_end(slot);
    if (error)
        return error;
    slot->flags = flags;
    return guest->vm ? enter(guest, slot) : 0;
}

/* Whatever is wrong with it beside the slots that there are (KVM's documentation, 4.35). */
static bool is_region(const struct kvm_userspace_memory_region2 *region)
{
    u64 size = region->memory_size, gpa = region->guest_phys_addr;
    return !(region->flags & ~KVM_MEM_KNOWN) && region->slot < MAX_SLOTS &&
           !((gpa | size | region->userspace_addr) & ~PAGE_MASK) && gpa + size >= gpa &&
           access_ok(u64_to_user_ptr(region->userspace_addr), size) &&
           gpa + size <= 1ULL << GPA_BITS;
}

/* One that is there can move and change its log, and nothing else. */
static bool can_become(const struct slot *slot, const struct kvm_userspace_memory_region2 *region)
{
    return slot->size == region->memory_size && slot->hva == region->userspace_addr &&
           !((slot->flags ^ region->flags) & KVM_MEM_READONLY);
}

int memory_set(struct guest *guest, const struct kvm_userspace_memory_region2 *region)
{
    if (!is_region(region))
        return -EINVAL;
    struct slot *slot = memory_slot(guest, region->slot), *fresh;
    if (!region->memory_size)
        return slot ? slot_remove(guest, slot) : -EINVAL;
    if (slot && !can_become(slot, region))
        return -EINVAL;
    if (slot && slot->gpa == region->guest_phys_addr)
        return slot_change(guest, slot, region->flags);
    if (overlaps(guest, region))
        return -EEXIST;
    fresh = slot_make(guest, region);
    if (!fresh)
        return -ENOMEM;
    if (slot)
        slot_remove(guest, slot);
    return slot_add(guest, fresh);
}
