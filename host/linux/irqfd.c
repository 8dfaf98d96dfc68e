/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Interrupts by number (KVM's "gsi"): which source of the APLIC or which message a number is
 * (KVM_SET_GSI_ROUTING), the level of one (KVM_IRQ_LINE), and eventfds that bring one (KVM_IRQFD).
 * An eventfd is signalled with interrupts off and its lock held: the library is called right there.
 */
#include <linux/kvm.h>

#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "module.h"

#define MAX_IRQFDS 1000

enum route_is { NO_ROUTE, TO_SOURCE, TO_FILE };

struct route {
    enum route_is is;
    u32 data; /* the source, or what is written */
    u64 gpa;
};

/* guest->routes: NULL where the VMM set none, each number is the source of that number then. */
struct routes {
    u32 count;
    struct route route[] __counted_by(count);
};

/* In guest->irqfds. */
struct irqfd {
    struct list_head list;
    struct guest *guest;
    struct eventfd_ctx *eventfd;
    u32 gsi;
    wait_queue_entry_t wait;
    poll_table table;
};

/* ---- One interrupt: routes_lock is held, interrupts are off ---- */

static struct route route_of(struct guest *guest, u32 gsi)
{
    const struct routes *routes = guest->routes;
    if (!routes)
        return (struct route){.is = TO_SOURCE, .data = gsi};
    return gsi < routes->count ? routes->route[gsi] : (struct route){.is = NO_ROUTE};
}

/* An edge of a wire, or a message. Before the VM is made nothing can be enabled. */
static void bring(struct guest *guest, u32 gsi)
{
    struct cald_vm *vm = READ_ONCE(guest->vm);
    struct route route = route_of(guest, gsi);
    if (!vm || route.is == NO_ROUTE)
        return;
    if (route.is == TO_FILE)
        cald_vm_msi(vm, route.gpa, route.data);
    else if (cald_vm_irq(vm, route.data, true) == CALD_OK)
        cald_vm_irq(vm, route.data, false);
}

int irq_line(struct guest *guest, u32 gsi, bool level)
{
    unsigned long flags;
    raw_spin_lock_irqsave(&guest->routes_lock, flags);
    struct route route = route_of(guest, gsi);
    int error = route.is == TO_SOURCE ? aia_wire(guest, route.data, level) : -EINVAL;
    if (route.is == TO_FILE) {
        error = 0;
        if (level)
            bring(guest, gsi);
    }
    raw_spin_unlock_irqrestore(&guest->routes_lock, flags);
    return error;
}

/* ---- Eventfds ---- */

static int on_signal(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
    struct irqfd *one = container_of(wait, struct irqfd, wait);
    u64 count;
    if (!(key_to_poll(key) & EPOLLIN))
        return 0;
    eventfd_ctx_do_read(one->eventfd, &count);
    raw_spin_lock(&one->guest->routes_lock);
    bring(one->guest, one->gsi);
    raw_spin_unlock(&one->guest->routes_lock);
    return 1;
}

static void on_queue(struct file *file, wait_queue_head_t *head, poll_table *table)
{
    add_wait_queue(head, &container_of(table, struct irqfd, table)->wait);
}

static void irqfd_free(struct irqfd *one)
{
    u64 count;
    eventfd_ctx_remove_wait_queue(one->eventfd, &one->wait, &count);
    eventfd_ctx_put(one->eventfd);
    kfree(one);
}

static int may_enter(struct guest *guest, const struct eventfd_ctx *eventfd)
{
    struct irqfd *one;
    unsigned int count = 0;
    list_for_each_entry(one, &guest->irqfds, list) {
        count++;
        if (one->eventfd == eventfd)
            return -EBUSY;
    }
    return count < MAX_IRQFDS ? 0 : -ENOSPC;
}

/* What was signalled before counts too. */
static void listen(struct irqfd *one, struct file *file)
{
    unsigned long flags;
    init_waitqueue_func_entry(&one->wait, on_signal);
    init_poll_funcptr(&one->table, on_queue);
    list_add_tail(&one->list, &one->guest->irqfds);
    if (!(vfs_poll(file, &one->table) & EPOLLIN))
        return;
    raw_spin_lock_irqsave(&one->guest->routes_lock, flags);
    bring(one->guest, one->gsi);
    raw_spin_unlock_irqrestore(&one->guest->routes_lock, flags);
}

static int assign(struct guest *guest, const struct kvm_irqfd *args)
{
    struct fd fd = fdget(args->fd);
    if (fd_empty(fd))
        return -EBADF;
    struct eventfd_ctx *eventfd = eventfd_ctx_fileget(fd_file(fd));
    int error = IS_ERR(eventfd) ? PTR_ERR(eventfd) : may_enter(guest, eventfd);
    struct irqfd *one = error ? NULL : kzalloc(sizeof(*one), GFP_KERNEL_ACCOUNT);
    if (!one) {
        if (!IS_ERR(eventfd))
            eventfd_ctx_put(eventfd);
        fdput(fd);
        return error ?: -ENOMEM;
    }
    one->guest = guest;
    one->eventfd = eventfd;
    one->gsi = args->gsi;
    listen(one, fd_file(fd));
    fdput(fd);
    return 0;
}

static int deassign(struct guest *guest, const struct kvm_irqfd *args)
{
    struct eventfd_ctx *eventfd = eventfd_ctx_fdget(args->fd);
    struct irqfd *one, *next;
    if (IS_ERR(eventfd))
        return PTR_ERR(eventfd);
    list_for_each_entry_safe(one, next, &guest->irqfds, list) {
        if (one->eventfd != eventfd || one->gsi != args->gsi)
            continue;
        list_del(&one->list);
        irqfd_free(one);
    }
    eventfd_ctx_put(eventfd);
    return 0;
}

static int set_irqfd(struct guest *guest, void __user *user)
{
    struct kvm_irqfd args;
    if (copy_from_user(&args, user, sizeof(args)))
        return -EFAULT;
    if (args.flags & ~KVM_IRQFD_FLAG_DEASSIGN || args.gsi >= MAX_ROUTES)
        return -EINVAL;
    if (!aia_ready(guest))
        return -EINVAL; /* as KVM does it: the interrupt controller comes first */
    return args.flags & KVM_IRQFD_FLAG_DEASSIGN ? deassign(guest, &args) : assign(guest, &args);
}

/* ---- Routes ---- */

static int route_make(const struct kvm_irq_routing_entry *entry, struct route *route)
{
    if (route->is != NO_ROUTE || entry->flags)
        return -EINVAL;
    if (entry->type == KVM_IRQ_ROUTING_MSI) {
        *route = (struct route){TO_FILE, entry->u.msi.data,
                                (u64)entry->u.msi.address_hi << 32 | entry->u.msi.address_lo};
        return 0;
    }
    if (entry->type != KVM_IRQ_ROUTING_IRQCHIP || entry->u.irqchip.irqchip ||
        entry->u.irqchip.pin > CALD_MAX_SOURCES)
        return -EINVAL;
    *route = (struct route){TO_SOURCE, entry->u.irqchip.pin, 0};
    return 0;
}

static int fill(struct routes *routes, const struct kvm_irq_routing_entry *entries, u32 count)
{
    int error = 0;
    for (u32 n = 0; n < count && !error; n++)
        error = entries[n].gsi < MAX_ROUTES
                    ? route_make(&entries[n], &routes->route[entries[n].gsi])
                    : -EINVAL;
    return error;
}

static int set_routes(struct guest *guest, void __user *user)
{
    struct kvm_irq_routing head;
    struct kvm_irq_routing_entry *entries = NULL;
    int error = copy_from_user(&head, user, sizeof(head)) ? -EFAULT : 0;
    if (!error && (head.flags || head.nr > MAX_ROUTES))
        error = -EINVAL;
    if (error)
        return error;
    if (head.nr) {
        entries = vmemdup_array_user(user + sizeof(head), head.nr, sizeof(*entries));
        if (IS_ERR(entries))
            return PTR_ERR(entries);
    }
    struct routes *routes = kvzalloc(struct_size(routes, route, MAX_ROUTES), GFP_KERNEL_ACCOUNT);
    error = -ENOMEM;
    if (routes) {
        routes->count = MAX_ROUTES;
        error = fill(routes, entries, head.nr);
    }
    if (!error) {
        raw_spin_lock_irq(&guest->routes_lock);
        swap(guest->routes, routes);
        raw_spin_unlock_irq(&guest->routes_lock);
    }
    kvfree(routes);
    kvfree(entries);
    return error;
}

/* guest->lock is held. */
int irqfd_vm_ioctl(struct guest *guest, unsigned int number, void __user *user)
{
    switch (number) {
    case KVM_IRQFD:
        return set_irqfd(guest, user);
    case KVM_SET_GSI_ROUTING:
        return set_routes(guest, user);
    }
    return aia_vm_ioctl(guest, number, user);
}

void irqfd_begin(struct guest *guest)
{
    raw_spin_lock_init(&guest->routes_lock);
    INIT_LIST_HEAD(&guest->irqfds);
}

void irqfd_end(struct guest *guest)
{
    struct irqfd *one, *next;
    list_for_each_entry_safe(one, next, &guest->irqfds, list)
        irqfd_free(one);
    kvfree(guest->routes);
}
