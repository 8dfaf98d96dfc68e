/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Stores that signal an eventfd, and don't reach the VMM (KVM's documentation, 4.59). */
#include <linux/kvm.h>

#include <linux/eventfd.h>
#include <linux/slab.h>

#include "module.h"

#define KNOWN (KVM_IOEVENTFD_FLAG_DATAMATCH | KVM_IOEVENTFD_FLAG_DEASSIGN)
#define MAX_IOEVENTS 1000

/* In guest->ioevents. */
struct ioevent {
    struct list_head list;
    struct eventfd_ctx *eventfd;
    u64 gpa, match;
    u32 width; /* 0: any, whatever is stored */
    bool matches;
};

static bool is_same(const struct ioevent *one, const struct kvm_ioeventfd *args)
{
    return one->gpa == args->addr && one->width == args->len &&
           one->matches == !!(args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH) &&
           (!one->matches || one->match == args->datamatch);
}

/* There is a store that both are for. */
static bool collides(const struct ioevent *one, const struct ioevent *other)
{
    return one->gpa == other->gpa &&
           (!one->width || !other->width ||
            (one->width == other->width &&
             (!one->matches || !other->matches || one->match == other->match)));
}

static bool serves(const struct ioevent *one, const struct cald_exit *exit)
{
    return one->gpa == exit->gpa && (!one->width || one->width == exit->width) &&
           (!one->matches || one->match == exit->value);
}

bool ioevent_store(struct guest *guest, const struct cald_exit *exit)
{
    struct ioevent *one;
    bool served = false;
    spin_lock(&guest->ioevents_lock);
    list_for_each_entry(one, &guest->ioevents, list) {
        served = serves(one, exit);
        if (served) {
            eventfd_signal(one->eventfd);
            break;
        }
    }
    spin_unlock(&guest->ioevents_lock);
    return served;
}

static void ioevent_free(struct ioevent *one)
{
    eventfd_ctx_put(one->eventfd);
    kfree(one);
}

static int enter(struct guest *guest, struct ioevent *fresh)
{
    struct ioevent *one;
    unsigned int count = 0;
    int error = 0;
    spin_lock(&guest->ioevents_lock);
    list_for_each_entry(one, &guest->ioevents, list) {
        count++;
        if (collides(one, fresh))
            error = -EEXIST;
    }
    if (!error && count == MAX_IOEVENTS)
        error = -ENOSPC;
    if (!error)
        list_add_tail(&fresh->list, &guest->ioevents);
    spin_unlock(&guest->ioevents_lock);
    return error;
}

static int assign(struct guest *guest, const struct kvm_ioeventfd *args)
{
    struct eventfd_ctx *eventfd = eventfd_ctx_fdget(args->fd);
    struct ioevent *fresh;
    if (IS_ERR(eventfd))
        return PTR_ERR(eventfd);
    fresh = kzalloc(sizeof(*fresh), GFP_KERNEL_ACCOUNT);
    if (!fresh) {
        eventfd_ctx_put(eventfd);
        return -ENOMEM;
    }
    fresh->eventfd = eventfd;
    fresh->gpa = args->addr;
    fresh->width = args->len;
    fresh->matches = args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH;
    fresh->match = args->datamatch;
    int error = enter(guest, fresh);
    if (error)
        ioevent_free(fresh);
    return error;
}

static int deassign(struct guest *guest, const struct kvm_ioeventfd *args)
{
    struct eventfd_ctx *eventfd = eventfd_ctx_fdget(args->fd);
    struct ioevent *one, *found = NULL;
    if (IS_ERR(eventfd))
        return PTR_ERR(eventfd);
    spin_lock(&guest->ioevents_lock);
    list_for_each_entry(one, &guest->ioevents, list) {
        if (one->eventfd == eventfd && is_same(one, args)) {
            found = one;
            list_del(&one->list);
            break;
        }
    }
    spin_unlock(&guest->ioevents_lock);
    eventfd_ctx_put(eventfd);
    if (!found)
        return -ENOENT;
    ioevent_free(found);
    return 0;
}

/* RISC-V has no ports. */
int ioevent_set(struct guest *guest, const struct kvm_ioeventfd *args)
{
    bool any = !args->len;
    if (args->flags & ~KNOWN || args->addr + args->len < args->addr)
        return -EINVAL;
    if (!any && args->len != 1 && args->len != 2 && args->len != 4 && args->len != 8)
        return -EINVAL;
    if (any && args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH)
        return -EINVAL;
    return args->flags & KVM_IOEVENTFD_FLAG_DEASSIGN ? deassign(guest, args) : assign(guest, args);
}

void ioevent_begin(struct guest *guest)
{
    spin_lock_init(&guest->ioevents_lock);
    INIT_LIST_HEAD(&guest->ioevents);
}

void ioevent_end(struct guest *guest)
{
    struct ioevent *one, *next;
    list_for_each_entry_safe(one, next, &guest->ioevents, list)
        ioevent_free(one);
}
