/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A vCPU's file and its ioctls. */
#include <linux/kvm.h>

#include <linux/anon_inodes.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "module.h"

#define IRQ_EXTERNAL 9

int vcpu_external(struct guest_vcpu *v, bool level)
{
    return host_errno(LIBRARY(cald_vcpu_irq(v->vcpu, IRQ_EXTERNAL, level)));
}

/* A VMM resets its interrupt controller before it has made all vCPUs. */
static void keep_external(struct guest_vcpu *v, bool level)
{
    mutex_lock(&v->guest->lock);
    v->external = level;
    if (v->vcpu)
        vcpu_external(v, level);
    mutex_unlock(&v->guest->lock);
}

/* From any thread: a vCPU that runs is not waited for. */
static int interrupt(struct guest_vcpu *v, void __user *user)
{
    struct kvm_interrupt irq;
    if (copy_from_user(&irq, user, sizeof(irq)))
        return -EFAULT;
    if (irq.irq != KVM_INTERRUPT_SET && irq.irq != KVM_INTERRUPT_UNSET)
        return -EINVAL;
    if (smp_load_acquire(&v->vcpu))
        return vcpu_external(v, irq.irq == KVM_INTERRUPT_SET);
    keep_external(v, irq.irq == KVM_INTERRUPT_SET);
    return 0;
}

static int one_reg(struct guest_vcpu *v, void __user *user, bool set)
{
    struct kvm_one_reg reg;
    if (copy_from_user(&reg, user, sizeof(reg)))
        return -EFAULT;
    return regs_access(v, reg.id, u64_to_user_ptr(reg.addr), set);
}

static int signal_mask(struct guest_vcpu *v, void __user *user)
{
    struct kvm_signal_mask mask;
    sigset_t sigset;
    v->has_sigset = false;
    if (!user)
        return 0;
    if (copy_from_user(&mask, user, sizeof(mask)))
        return -EFAULT;
    if (mask.len != sizeof(sigset))
        return -EINVAL;
    if (copy_from_user(&sigset, user + offsetof(struct kvm_signal_mask, sigset), sizeof(sigset)))
        return -EFAULT;
    sigdelsetmask(&sigset, sigmask(SIGKILL) | sigmask(SIGSTOP));
    v->sigset = sigset;
    v->has_sigset = true;
    return 0;
}

static int get_mp_state(struct guest_vcpu *v, void __user *user)
{
    struct kvm_mp_state state;
    int error = mp_state_get(v, &state);
    if (!error && copy_to_user(user, &state, sizeof(state)))
        error = -EFAULT;
    return error;
}

static int set_mp_state(struct guest_vcpu *v, void __user *user)
{
    struct kvm_mp_state state;
    return copy_from_user(&state, user, sizeof(state)) ? -EFAULT : mp_state_set(v, &state);
}

/* Breakpoints alone: RISC-V's KVM has neither single steps nor the hart's triggers. The library
 * hears of it when the vCPU runs next. */
static int set_guest_debug(struct guest_vcpu *v, void __user *user)
{
    struct kvm_guest_debug debug;
    if (copy_from_user(&debug, user, sizeof(debug)))
        return -EFAULT;
    if (debug.control & ~KVM_GUESTDBG_ENABLE)
        return -EINVAL;
    v->debug = debug.control & KVM_GUESTDBG_ENABLE;
    v->debug_changed = true;
    return 0;
}

static long locked_ioctl(struct guest_vcpu *v, unsigned int number, void __user *user)
{
    switch (number) {
    case KVM_RUN:
        return user ? -EINVAL : vcpu_run(v);
    case KVM_GET_ONE_REG:
    case KVM_SET_ONE_REG:
        return one_reg(v, user, number == KVM_SET_ONE_REG);
    case KVM_GET_REG_LIST:
        return regs_list(v, user);
    case KVM_GET_MP_STATE:
        return get_mp_state(v, user);
    case KVM_SET_MP_STATE:
        return set_mp_state(v, user);
    case KVM_SET_GUEST_DEBUG:
        return set_guest_debug(v, user);
    case KVM_SET_SIGNAL_MASK:
        return signal_mask(v, user);
    }
    return -ENOTTY;
}

static long vcpu_ioctl(struct file *file, unsigned int number, unsigned long argument)
{
    struct guest_vcpu *v = file->private_data;
    void __user *user = (void __user *)argument;
    if (v->guest->mm != current->mm)
        return -EIO;
    if (number == KVM_INTERRUPT)
        return interrupt(v, user);
    if (mutex_lock_killable(&v->lock))
        return -EINTR;
    long result = locked_ioctl(v, number, user);
    mutex_unlock(&v->lock);
    return result;
}

static int vcpu_mmap(struct file *file, struct vm_area_struct *area)
{
    struct guest_vcpu *v = file->private_data;
    void *page[MAPPED_PAGES] = {v->run, [RING_PAGE] = v->guest->ring};
    unsigned long first = area->vm_pgoff, count = vma_pages(area);
    int error = 0;
    if (first >= MAPPED_PAGES || count > MAPPED_PAGES - first)
        return -EINVAL;
    for (unsigned long n = 0; !error && n < count; n++)
        error = vm_insert_page(area, area->vm_start + n * PAGE_SIZE, virt_to_page(page[first + n]));
    return error;
}

static int vcpu_release(struct inode *inode, struct file *file)
{
    struct guest_vcpu *v = file->private_data;
    guest_put(v->guest);
    return 0;
}

static const struct file_operations vcpu_fops = {.owner = THIS_MODULE,
                                                 .release = vcpu_release,
                                                 .unlocked_ioctl = vcpu_ioctl,
                                                 .mmap = vcpu_mmap,
                                                 .llseek = noop_llseek};

void vcpu_destroy(struct guest_vcpu *v)
{
    run_end(v);
    regs_vcpu_end(v);
    free_page((unsigned long)v->run);
    kfree(v);
}

/* guest->lock is held. The library numbers vCPUs without gaps, and makes them all at once. */
int vcpu_create(struct guest *guest, unsigned int id)
{
    if (id >= CALD_MAX_VCPUS)
        return -EINVAL;
    if (id < guest->vcpus)
        return -EEXIST;
    if (aia_ready(guest))
        return -EBUSY;
    if (id != guest->vcpus || guest->vm) {
        pr_info_ratelimited("caldarium: vm %s: vCPU %u can't be made: they are numbered 0, 1, 2, "
                            "and made before one runs\n",
                            guest->name, id);
        return -EINVAL;
    }
    struct guest_vcpu *v = kzalloc(sizeof(*v), GFP_KERNEL_ACCOUNT);
    if (!v)
        return -ENOMEM;
    v->run = (struct kvm_run *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
    if (!v->run || regs_vcpu_begin(v)) {
        free_page((unsigned long)v->run);
        kfree(v);
        return -ENOMEM;
    }
    v->guest = guest;
    v->id = id;
    v->stopped = id != 0;
    mutex_init(&v->lock);
    run_begin(v);
    refcount_inc(&guest->users);
    int fd = anon_inode_getfd("kvm-vcpu", &vcpu_fops, v, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        vcpu_destroy(v);
        refcount_dec(&guest->users);
        return fd;
    }
    guest->vcpu[id] = v;
    WRITE_ONCE(guest->vcpus, id + 1);
    return fd;
}
