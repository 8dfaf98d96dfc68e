/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * /dev/kvm's own ioctls, and those of a VM. The library makes a VM with all its vCPUs at once, KVM
 * one after the other: so it is made when the first of them is to run, and what was set before is
 * kept until then.
 */
#include <linux/kvm.h>

#include <linux/anon_inodes.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "module.h"

#define SBI_DBCN 0x4442434e
#define SBI_PUTCHAR 1
#define SBI_GETCHAR 2

void guest_stop(struct guest *guest)
{
    atomic_inc(&guest->stops);
    for (unsigned int n = 0; n < READ_ONCE(guest->vcpus); n++) {
        struct guest_vcpu *v = READ_ONCE(guest->vcpu[n]);
        struct cald_vcpu *vcpu = v ? READ_ONCE(v->vcpu) : NULL;
        if (vcpu)
            LIBRARY_DO(cald_vcpu_request(vcpu));
    }
    down_write(&guest->runs);
    atomic_dec(&guest->stops);
}

void guest_go(struct guest *guest)
{
    up_write(&guest->runs);
}

/* ---- Making ---- */

static int make(struct guest *guest)
{
    static const u64 ours[] = {SBI_DBCN, SBI_PUTCHAR, SBI_GETCHAR};
    bool dbcn = test_bit(KVM_RISCV_SBI_EXT_DBCN, guest->sbi_on);
    bool console = test_bit(KVM_RISCV_SBI_EXT_V01, guest->sbi_on);
    char hidden[320];
    struct cald_vm *vm;
    struct cald_vm_params params = {.name = guest->name,
                                    .owner = guest,
                                    .vcpus = guest->vcpus,
                                    .flags = CALD_VM_CSRS_OUT | CALD_VM_SBI_OUT,
                                    .engine = CALD_ENGINE_SHADOW,
                                    .irqchip = CALD_IRQCHIP_NONE,
                                    .plic_base = CALD_NOWHERE,
                                    .aplic_base = CALD_NOWHERE,
                                    .imsic_base = CALD_NOWHERE,
                                    .uart_base = CALD_NOWHERE,
                                    .gpa_end = 1ULL << GPA_BITS,
                                    .isa_hidden = hidden,
                                    .sbi_hidden = regs_sbi_hidden(guest),
                                    .sbi_ids = ours + !dbcn,
                                    .sbi_id_count = dbcn + 2 * console,
                                    .mvendorid = guest->mvendorid,
                                    .marchid = guest->marchid,
                                    .mimpid = guest->mimpid};
    regs_hidden(guest, hidden, sizeof(hidden));
    aia_params(guest, &params);
    int error = host_errno(LIBRARY_ALLOCATES(cald_vm_create(machine, &params, &vm)));
    if (error)
        return error;
    guest->vectors = vector_there(guest);
    guest->vm = vm;
    for (unsigned int n = 0; n < guest->vcpus; n++) {
        struct cald_vcpu *vcpu = cald_vm_vcpu(vm, n);
        cald_vcpu_set_owner(vcpu, guest->vcpu[n]);
        smp_store_release(&guest->vcpu[n]->vcpu, vcpu);
    }
    error = memory_enter(guest) ?: host_errno(LIBRARY_ALLOCATES(cald_vm_start(vm, 0, 0)));
    for (unsigned int n = 0; !error && n < guest->vcpus; n++)
        error = regs_apply(guest->vcpu[n]);
    for (unsigned int n = 0; !error && !aia_ready(guest) && n < guest->vcpus; n++)
        error = vcpu_external(guest->vcpu[n], guest->vcpu[n]->external);
    aia_made(guest);
    return error;
}

/* Where it fails the VM is of no use any more: it is never tried twice. */
int guest_make(struct guest *guest)
{
    int error = 0;
    mutex_lock(&guest->lock);
    if (!guest->vm) {
        guest_stop(guest);
        error = make(guest);
        guest->failed = guest->vm ? error : 0;
        guest_go(guest);
    }
    error = error ?: guest->failed;
    mutex_unlock(&guest->lock);
    return error;
}

/* ---- A VM's ioctls ---- */

void guest_put(struct guest *guest)
{
    if (!refcount_dec_and_test(&guest->users))
        return;
    memory_end(guest); /* no notifier comes any more */
    ioevent_end(guest);
    irqfd_end(guest);
    coalesced_end(guest);
    if (guest->vm)
        LIBRARY_DO(cald_vm_destroy(guest->vm));
    for (unsigned int n = 0; n < guest->vcpus; n++)
        vcpu_destroy(guest->vcpu[n]);
    aia_destroy(guest);
    kfree(guest);
}

static int has_extension(unsigned long extension)
{
    switch (extension) {
    case KVM_CAP_USER_MEMORY:
    case KVM_CAP_SYNC_MMU: /* memory.c's notifier */
    case KVM_CAP_DESTROY_MEMORY_REGION_WORKS:
    case KVM_CAP_JOIN_MEMORY_REGIONS_WORKS:
    case KVM_CAP_INTERNAL_ERROR_DATA:
    case KVM_CAP_ONE_REG:
    case KVM_CAP_READONLY_MEM:
    case KVM_CAP_MP_STATE:
    case KVM_CAP_IMMEDIATE_EXIT:
    case KVM_CAP_CHECK_EXTENSION_VM:
    case KVM_CAP_IOEVENTFD:
    case KVM_CAP_IOEVENTFD_ANY_LENGTH:
    case KVM_CAP_IOEVENTFD_NO_LENGTH:
    case KVM_CAP_SET_GUEST_DEBUG:
    case KVM_CAP_ENABLE_CAP_VM:
    case KVM_CAP_USER_MEMORY2:
    case KVM_CAP_IRQCHIP:
    case KVM_CAP_DEVICE_CTRL:
    case KVM_CAP_SIGNAL_MSI:
    case KVM_CAP_IRQFD:
        return 1;
    case KVM_CAP_IRQ_ROUTING:
        return MAX_ROUTES;
    case KVM_CAP_COALESCED_MMIO:
        return RING_PAGE;
    case KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2:
        return KVM_DIRTY_LOG_MODES;
    case KVM_CAP_NR_VCPUS:
        return min_t(unsigned int, num_online_cpus(), CALD_MAX_VCPUS);
    case KVM_CAP_MAX_VCPUS:
    case KVM_CAP_MAX_VCPU_ID:
        return CALD_MAX_VCPUS;
    case KVM_CAP_NR_MEMSLOTS:
        return MAX_SLOTS;
    case KVM_CAP_VM_GPA_BITS:
        return GPA_BITS;
    }
    return 0;
}

/* The older one is the head of the other, and has no guest_memfd. */
static int set_memory(struct guest *guest, void __user *user, size_t bytes)
{
    struct kvm_userspace_memory_region2 region = {0};
    if (copy_from_user(&region, user, bytes))
        return -EFAULT;
    return memory_set(guest, &region);
}

static int set_ioevent(struct guest *guest, void __user *user)
{
    struct kvm_ioeventfd args;
    if (copy_from_user(&args, user, sizeof(args)))
        return -EFAULT;
    return ioevent_set(guest, &args);
}

static int set_coalesced(struct guest *guest, void __user *user, bool there)
{
    struct kvm_coalesced_mmio_zone zone;
    return copy_from_user(&zone, user, sizeof(zone)) ? -EFAULT : coalesced_set(guest, &zone, there);
}

static int get_dirty(struct guest *guest, void __user *user)
{
    struct kvm_dirty_log log;
    return copy_from_user(&log, user, sizeof(log)) ? -EFAULT : dirty_get(guest, &log);
}

static int clear_dirty(struct guest *guest, void __user *user)
{
    struct kvm_clear_dirty_log log;
    return copy_from_user(&log, user, sizeof(log)) ? -EFAULT : dirty_clear(guest, &log);
}

static int enable_cap(struct guest *guest, void __user *user)
{
    struct kvm_enable_cap cap;
    if (copy_from_user(&cap, user, sizeof(cap)))
        return -EFAULT;
    if (cap.flags || cap.cap != KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2)
        return -EINVAL;
    return dirty_mode(guest, cap.args[0]);
}

static long vm_ioctl(struct file *file, unsigned int number, unsigned long argument)
{
    struct guest *guest = file->private_data;
    void __user *user = (void __user *)argument;
    long result;
    if (guest->mm != current->mm)
        return -EIO;
    mutex_lock(&guest->lock);
    switch (number) {
    case KVM_CHECK_EXTENSION:
        result = has_extension(argument);
        break;
    case KVM_CREATE_VCPU:
        result = vcpu_create(guest, argument);
        break;
    case KVM_SET_USER_MEMORY_REGION:
        result = set_memory(guest, user, sizeof(struct kvm_userspace_memory_region));
        break;
    case KVM_SET_USER_MEMORY_REGION2:
        result = set_memory(guest, user, sizeof(struct kvm_userspace_memory_region2));
        break;
    case KVM_IOEVENTFD:
        result = set_ioevent(guest, user);
        break;
    case KVM_REGISTER_COALESCED_MMIO:
    case KVM_UNREGISTER_COALESCED_MMIO:
        result = set_coalesced(guest, user, number == KVM_REGISTER_COALESCED_MMIO);
        break;
    case KVM_GET_DIRTY_LOG:
        result = get_dirty(guest, user);
        break;
    case KVM_CLEAR_DIRTY_LOG:
        result = clear_dirty(guest, user);
        break;
    case KVM_ENABLE_CAP:
        result = enable_cap(guest, user);
        break;
    default:
        result = irqfd_vm_ioctl(guest, number, user);
    }
    mutex_unlock(&guest->lock);
    return result;
}

static int vm_release(struct inode *inode, struct file *file)
{
    guest_put(file->private_data);
    return 0;
}

static const struct file_operations vm_fops = {
    .owner = THIS_MODULE, .release = vm_release, .unlocked_ioctl = vm_ioctl, .llseek = noop_llseek};

static int vm_create(unsigned long type)
{
    if (type)
        return -EINVAL;
    struct guest *guest = kzalloc(sizeof(*guest), GFP_KERNEL_ACCOUNT);
    if (!guest)
        return -ENOMEM;
    refcount_set(&guest->users, 1);
    mutex_init(&guest->lock);
    init_rwsem(&guest->runs);
    ioevent_begin(guest);
    irqfd_begin(guest);
    snprintf(guest->name, sizeof(guest->name), "%d", task_pid_nr(current));
    regs_begin(guest);
    int error = coalesced_begin(guest) ?: memory_begin(guest);
    if (error) {
        coalesced_end(guest);
        kfree(guest);
        return error;
    }
    int fd = anon_inode_getfd("kvm-vm", &vm_fops, guest, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        guest_put(guest);
    return fd;
}

/* ---- /dev/kvm ---- */

static long kvm_ioctl(struct file *file, unsigned int number, unsigned long argument)
{
    switch (number) {
    case KVM_GET_API_VERSION:
        return argument ? -EINVAL : KVM_API_VERSION;
    case KVM_CREATE_VM:
        return vm_create(argument);
    case KVM_CHECK_EXTENSION:
        return has_extension(argument);
    case KVM_GET_VCPU_MMAP_SIZE:
        return argument ? -EINVAL : MAPPED_PAGES * PAGE_SIZE;
    }
    return -ENOTTY;
}

const struct file_operations kvm_fops = {
    .owner = THIS_MODULE, .unlocked_ioctl = kvm_ioctl, .llseek = noop_llseek};
