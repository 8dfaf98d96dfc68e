/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's memory. By default it has no page before it touches it: the library asks
 * host_guest_page(), hears "absent", the vCPU's run ends, and its task gets the page. With
 * thieve=N, a task takes pages away from the running guest, N in each 10 ms, and puts what was in
 * them somewhere else.
 */
#include "guest.h"

#include <string.h>

static struct guest_page *find(struct guest *guest, uint64_t gpa)
{
    return gpa - guest->base < guest->bytes ? &guest->page[(gpa - guest->base) / PAGE] : NULL;
}

bool guest_memory_begin(struct guest *guest)
{
    if (option_is("memory", "slot"))
        return (guest->slot = pages_take(guest->bytes, 2 * MIB)) != NULL;
    guest->page = pages_take(guest->bytes / PAGE * sizeof(*guest->page), PAGE);
    guest->taken = guest->moved = 0;
    return guest->page != NULL;
}

/* Nothing of the VM is left. */
void guest_memory_end(struct guest *guest)
{
    for (uint64_t n = 0; guest->page && n < guest->bytes / PAGE; n++)
        pages_give(guest->page[n].page, PAGE);
    pages_give(guest->page, guest->bytes / PAGE * sizeof(*guest->page));
    pages_give(guest->slot, guest->bytes);
    guest->page = NULL;
    guest->slot = NULL;
}

/* Interrupts are off, and a run waits for the answer: nothing is allocated here. */
enum cald_page_is host_guest_page(void *owner, uint64_t gpa, bool write, struct cald_page *page)
{
    struct guest *guest = owner;
    struct guest_page *at = find(guest, gpa);
    (void)write;
    if (!at)
        return CALD_PAGE_NOTHING;
    uint64_t irq = spin_lock(&guest->lock);
    bool here = at->page && !at->away;
    page->pa = at->page ? pa_of(at->page) : 0;
    page->writable = true;
    spin_unlock(&guest->lock, irq);
    return here ? CALD_PAGE_HERE : CALD_PAGE_ABSENT;
}

bool guest_page_get(struct guest *guest, uint64_t gpa)
{
    struct guest_page *at = find(guest, gpa);
    void *fresh = NULL;
    for (;;) {
        uint64_t irq = spin_lock(&guest->lock);
        bool needs = !at->page, away = at->away;
        if (needs && fresh) {
            at->page = fresh;
            guest->taken++;
        }
        spin_unlock(&guest->lock, irq);
        if (needs && fresh)
            return true;
        if (!needs && !away) { /* another vCPU was first */
            pages_give(fresh, PAGE);
            return true;
        }
        if (away)
            task_wait(now() + board.timebase / 10000); /* its new place is soon there */
        else if (!(fresh = pages_take(PAGE, PAGE)))
            return false;
    }
}

bool guest_write(struct guest *guest, uint64_t gpa, const void *from, uint64_t bytes)
{
    const uint8_t *in = from;
    while (bytes) {
        uint64_t inside = gpa & (PAGE - 1), part = PAGE - inside < bytes ? PAGE - inside : bytes;
        if (gpa - guest->base >= guest->bytes)
            return false;
        if (!guest->slot && !guest_page_get(guest, gpa))
            return false;
        uint8_t *to = guest->slot ? guest->slot + (gpa - guest->base)
                                  : (uint8_t *)find(guest, gpa)->page + inside;
        memcpy(to, in, part);
        gpa += part;
        in += part;
        bytes -= part;
    }
    return true;
}

/* One page to another place: nobody reaches the old one any more when cald_vm_forget() returns. */
static void move(struct guest *guest, struct guest_page *at, uint64_t gpa)
{
    uint64_t irq = spin_lock(&guest->lock);
    void *old = at->page;
    at->away = old != NULL;
    spin_unlock(&guest->lock, irq);
    if (!old)
        return;
    irq = irq_save();
    cald_vm_forget(guest->vm, gpa, PAGE);
    irq_restore(irq);
    void *fresh = pages_take(PAGE, PAGE);
    if (fresh) {
        memcpy(fresh, old, PAGE);
        memset(old, 0xdb, PAGE); /* who still reads it sees that; who still writes it is lost */
    }
    irq = spin_lock(&guest->lock);
    if (fresh)
        at->page = fresh;
    at->away = false;
    guest->moved++;
    spin_unlock(&guest->lock, irq);
    pages_give(fresh ? old : NULL, PAGE);
}

void guest_thief(void *with)
{
    struct guest *guest = with;
    uint64_t random = now() | 1, each = option("thieve", 0), next = now();
    while (atomic_load(&guest->end) == GUEST_RUNS) {
        for (uint64_t n = 0; n < each; n++) {
            random ^= random << 13, random ^= random >> 7, random ^= random << 17;
            uint64_t which = random % (guest->bytes / PAGE);
            move(guest, &guest->page[which], guest->base + which * PAGE);
        }
        next += board.timebase / 100;
        task_wait(next);
    }
}
