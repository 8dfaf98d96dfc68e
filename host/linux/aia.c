/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The interrupt controller in the kernel (KVM_DEV_TYPE_RISCV_AIA): an APLIC that sends messages,
 * and an interrupt file for each vCPU. Both are the library's. What the VMM says of them is kept
 * until the VM is made; wires that are high before that, too.
 */
#include <linux/kvm.h>

#include <linux/anon_inodes.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "module.h"

#define NOWHERE ULLONG_MAX /* KVM's own word for an address that wasn't said */
#define CONFIGS (KVM_DEV_RISCV_AIA_CONFIG_GUEST_BITS + 1)

/* In guest->aia, from KVM_CREATE_DEVICE on; guest->lock. */
struct aia {
    u32 config[CONFIGS]; /* KVM_DEV_RISCV_AIA_CONFIG_* */
    u64 aplic, imsic[CALD_MAX_VCPUS];
    bool ready; /* all is said */
    DECLARE_BITMAP(wires, KVM_DEV_RISCV_AIA_SRCS_MAX);
};

static u32 sources(const struct aia *aia)
{
    return aia->config[KVM_DEV_RISCV_AIA_CONFIG_SRCS];
}

/* ---- What it is like ---- */

/* Least and most of each, by number. Files come without those of a guest's own guests. */
static const u32 limits[CONFIGS][2] = {
    [KVM_DEV_RISCV_AIA_CONFIG_MODE] = {KVM_DEV_RISCV_AIA_MODE_EMUL, KVM_DEV_RISCV_AIA_MODE_EMUL},
    [KVM_DEV_RISCV_AIA_CONFIG_IDS] = {KVM_DEV_RISCV_AIA_IDS_MIN, CALD_MAX_IMSIC_IDS},
    [KVM_DEV_RISCV_AIA_CONFIG_SRCS] = {0, CALD_MAX_SOURCES},
    [KVM_DEV_RISCV_AIA_CONFIG_GROUP_BITS] = {0, KVM_DEV_RISCV_AIA_GROUP_BITS_MAX - 1},
    [KVM_DEV_RISCV_AIA_CONFIG_GROUP_SHIFT] = {KVM_DEV_RISCV_AIA_GROUP_SHIFT_MIN,
                                              KVM_DEV_RISCV_AIA_GROUP_SHIFT_MAX - 1},
    [KVM_DEV_RISCV_AIA_CONFIG_HART_BITS] = {0, KVM_DEV_RISCV_AIA_HART_BITS_MAX - 1},
    [KVM_DEV_RISCV_AIA_CONFIG_GUEST_BITS] = {0, 0},
};

static int config_set(struct aia *aia, u64 number, u32 value)
{
    if (aia->ready)
        return -EBUSY;
    if (value < limits[number][0] || value > limits[number][1])
        return -EINVAL;
    if (number == KVM_DEV_RISCV_AIA_CONFIG_IDS && value % 64 != 63)
        return -EINVAL;
    aia->config[number] = value;
    return 0;
}

/* The APLIC's is 0, then comes each vCPU's file. */
static u64 *address(struct guest *guest, u64 number)
{
    if (number == KVM_DEV_RISCV_AIA_ADDR_APLIC)
        return &guest->aia->aplic;
    return number <= guest->vcpus ? &guest->aia->imsic[number - 1] : NULL;
}

static int address_set(struct aia *aia, u64 *place, u64 value)
{
    if (aia->ready)
        return -EBUSY;
    if (value & (PAGE_SIZE - 1))
        return -EINVAL;
    *place = value;
    return 0;
}

/* The library's files lie page behind page. */
static int init(struct guest *guest)
{
    struct aia *aia = guest->aia;
    if (aia->ready)
        return -EBUSY;
    if (!guest->vcpus || sources(aia) > aia->config[KVM_DEV_RISCV_AIA_CONFIG_IDS] ||
        aia->aplic == NOWHERE)
        return -EINVAL; /* files without an APLIC there are none here */
    for (unsigned int n = 0; n < guest->vcpus; n++) {
        if (aia->imsic[n] == NOWHERE)
            return -EINVAL;
        if (aia->imsic[n] == aia->imsic[0] + n * CALD_IMSIC_PAGE)
            continue;
        pr_info_ratelimited("caldarium: vm %s: vCPU %u's interrupt file is at %#llx; %#llx is "
                            "expected: they lie page behind page\n",
                            guest->name, n, aia->imsic[n], aia->imsic[0] + n * CALD_IMSIC_PAGE);
        return -EINVAL;
    }
    aia->ready = true;
    return 0;
}

/* ---- For the VM that is being made ---- */

void aia_params(const struct guest *guest, struct cald_vm_params *params)
{
    const struct aia *aia = guest->aia;
    if (!aia || !aia->ready)
        return;
    params->irqchip = CALD_IRQCHIP_IMSIC;
    params->aplic_base = aia->aplic;
    params->imsic_base = aia->imsic[0];
    params->irq_sources = max(sources(aia), 1U);
    params->imsic_ids = aia->config[KVM_DEV_RISCV_AIA_CONFIG_IDS];
}

bool aia_ready(const struct guest *guest)
{
    return guest->aia && guest->aia->ready;
}

void aia_made(struct guest *guest)
{
    unsigned long source;
    if (!aia_ready(guest))
        return;
    for_each_set_bit(source, guest->aia->wires, KVM_DEV_RISCV_AIA_SRCS_MAX)
        LIBRARY(cald_vm_irq(guest->vm, source, true));
}

void aia_destroy(struct guest *guest)
{
    kfree(guest->aia);
}

/* ---- Interrupts ---- */

/* routes_lock is held, so there is one at a time. */
int aia_wire(struct guest *guest, u32 source, bool level)
{
    struct aia *aia = guest->aia;
    if (!source || source > sources(aia))
        return source ? -EINVAL : 0; /* source 0: VMMs reset it with the others */
    if (guest->vm)
        return host_errno(cald_vm_irq(guest->vm, source, level));
    __assign_bit(source, aia->wires, level);
    return 0;
}

static int line_set(struct guest *guest, const struct kvm_irq_level *line)
{
    if (!guest->aia)
        return -ENXIO;
    return guest->aia->ready ? irq_line(guest, line->irq, line->level) : -EBUSY;
}

/* 1: it has come to a file; 0: nothing takes it. */
static int message(struct guest *guest, const struct kvm_msi *msi)
{
    u64 gpa = (u64)msi->address_hi << 32 | msi->address_lo;
    if (!guest->aia || msi->flags)
        return -EINVAL;
    if (!guest->aia->ready)
        return -EBUSY;
    return guest->vm && LIBRARY(cald_vm_msi(guest->vm, gpa, msi->data)) == CALD_OK;
}

/* ---- Its state ---- */

/* Registers of the APLIC's by where they lie (AIA specification 4.5), as items of the library's. */
static const struct {
    u32 from, to, item;
} registers[] = {
    {0x0004, 0x0ffc, CALD_APLIC_MODE + 1},   /* sourcecfg[1] .. */
    {0x1c00, 0x1c7c, CALD_APLIC_PENDING},    /* setip */
    {0x1e00, 0x1e7c, CALD_APLIC_ENABLE},     /* setie */
    {0x3004, 0x3ffc, CALD_APLIC_TARGET + 1}, /* target[1] .. */
};
#define DOMAINCFG 0
#define DOMAINCFG_IE (1U << 8)
#define DOMAINCFG_FIXED 0x80000004U /* messages, little-endian */

static int aplic_item(u64 offset, u32 *item)
{
    *item = CALD_APLIC | CALD_APLIC_DOMAIN;
    if (offset == DOMAINCFG)
        return 0;
    for (unsigned int n = 0; n < ARRAY_SIZE(registers); n++) {
        if (offset % 4 || offset < registers[n].from || offset > registers[n].to)
            continue;
        *item = CALD_APLIC | (registers[n].item + (u32)(offset - registers[n].from) / 4);
        return 0;
    }
    return -ENXIO;
}

static int aplic_access(struct guest *guest, u64 offset, u64 *value, bool set)
{
    u32 item;
    int error = aplic_item(offset, &item);
    u64 to = offset == DOMAINCFG ? !!(*value & DOMAINCFG_IE) : *value;
    if (error)
        return error;
    guest_stop(guest);
    error = host_errno(set ? LIBRARY(cald_vm_set(guest->vm, item, to))
                           : LIBRARY(cald_vm_get(guest->vm, item, value)));
    guest_go(guest);
    if (!set && offset == DOMAINCFG)
        *value = DOMAINCFG_FIXED | (*value ? DOMAINCFG_IE : 0);
    return error == -ENOENT ? -ENXIO : error;
}

/* Of a vCPU that is not in KVM_RUN; the VM is there. */
static int imsic_access(struct guest *guest, u64 number, u64 *value, bool set)
{
    u64 n = KVM_DEV_RISCV_AIA_IMSIC_GET_VCPU(number);
    u32 item = CALD_IMSIC | (u32)KVM_DEV_RISCV_AIA_IMSIC_GET_ISEL(number);
    if (n >= guest->vcpus)
        return -ENODEV;
    struct guest_vcpu *v = guest->vcpu[n];
    if (!mutex_trylock(&v->lock))
        return -EBUSY;
    run_complete_store(v);
    guest_stop(guest);
    int error = host_errno(set ? LIBRARY(cald_vcpu_set(v->vcpu, item, *value))
                               : LIBRARY(cald_vcpu_get(v->vcpu, item, value)));
    guest_go(guest);
    mutex_unlock(&v->lock);
    return error == -ENOENT ? -ENXIO : error;
}

/* ---- The device's file ---- */

static size_t value_bytes(const struct kvm_device_attr *attr)
{
    bool word =
        attr->group == KVM_DEV_RISCV_AIA_GRP_CONFIG || attr->group == KVM_DEV_RISCV_AIA_GRP_APLIC;
    return attr->group == KVM_DEV_RISCV_AIA_GRP_CTRL ? 0 : word ? 4 : 8;
}

/* guest->lock is held. */
static int access(struct guest *guest, const struct kvm_device_attr *attr, u64 *value, bool set)
{
    struct aia *aia = guest->aia;
    u64 *place;
    switch (attr->group) {
    case KVM_DEV_RISCV_AIA_GRP_CONFIG:
        if (attr->attr >= CONFIGS)
            return -ENXIO;
        if (set)
            return config_set(aia, attr->attr, *value);
        *value = aia->config[attr->attr];
        return 0;
    case KVM_DEV_RISCV_AIA_GRP_ADDR:
        place = address(guest, attr->attr);
        if (!place)
            return -EINVAL;
        if (set)
            return address_set(aia, place, *value);
        *value = *place;
        return 0;
    case KVM_DEV_RISCV_AIA_GRP_CTRL:
        return attr->attr == KVM_DEV_RISCV_AIA_CTRL_INIT && set ? init(guest) : -ENXIO;
    case KVM_DEV_RISCV_AIA_GRP_APLIC:
        return guest->vm ? aplic_access(guest, attr->attr, value, set) : -EBUSY;
    }
    return -ENXIO;
}

/* Its state is the VM's, which is made for it. */
static int make_for(struct guest *guest, const struct kvm_device_attr *attr)
{
    bool state =
        attr->group == KVM_DEV_RISCV_AIA_GRP_APLIC || attr->group == KVM_DEV_RISCV_AIA_GRP_IMSIC;
    return state && READ_ONCE(guest->aia->ready) ? guest_make(guest) : 0;
}

static long access_user(struct guest *guest, const struct kvm_device_attr *attr, bool set)
{
    void __user *user = u64_to_user_ptr(attr->addr);
    size_t bytes = value_bytes(attr);
    u64 value = 0;
    if (attr->flags)
        return -EINVAL;
    if (set && copy_from_user(&value, user, bytes))
        return -EFAULT;
    int error = make_for(guest, attr);
    if (error)
        return error;
    if (attr->group == KVM_DEV_RISCV_AIA_GRP_IMSIC) {
        error = aia_ready(guest) ? imsic_access(guest, attr->attr, &value, set) : -EBUSY;
    } else {
        mutex_lock(&guest->lock);
        error = access(guest, attr, &value, set);
        mutex_unlock(&guest->lock);
    }
    if (!error && !set && copy_to_user(user, &value, bytes))
        error = -EFAULT;
    return error;
}

static int has(struct guest *guest, const struct kvm_device_attr *attr)
{
    u32 item;
    switch (attr->group) {
    case KVM_DEV_RISCV_AIA_GRP_CONFIG:
        return attr->attr < CONFIGS ? 0 : -ENXIO;
    case KVM_DEV_RISCV_AIA_GRP_ADDR:
        return attr->attr <= READ_ONCE(guest->vcpus) ? 0 : -ENXIO;
    case KVM_DEV_RISCV_AIA_GRP_CTRL:
        return attr->attr == KVM_DEV_RISCV_AIA_CTRL_INIT ? 0 : -ENXIO;
    case KVM_DEV_RISCV_AIA_GRP_APLIC:
        return aplic_item(attr->attr, &item);
    case KVM_DEV_RISCV_AIA_GRP_IMSIC:
        return KVM_DEV_RISCV_AIA_IMSIC_GET_VCPU(attr->attr) < READ_ONCE(guest->vcpus) ? 0 : -ENXIO;
    }
    return -ENXIO;
}

static long aia_ioctl(struct file *file, unsigned int number, unsigned long argument)
{
    struct guest *guest = file->private_data;
    struct kvm_device_attr attr;
    if (guest->mm != current->mm)
        return -EIO;
    if (copy_from_user(&attr, (void __user *)argument, sizeof(attr)))
        return -EFAULT;
    switch (number) {
    case KVM_HAS_DEVICE_ATTR:
        return has(guest, &attr);
    case KVM_GET_DEVICE_ATTR:
    case KVM_SET_DEVICE_ATTR:
        return access_user(guest, &attr, number == KVM_SET_DEVICE_ATTR);
    }
    return -ENOTTY;
}

static int aia_release(struct inode *inode, struct file *file)
{
    guest_put(file->private_data);
    return 0;
}

static const struct file_operations aia_fops = {.owner = THIS_MODULE,
                                                .release = aia_release,
                                                .unlocked_ioctl = aia_ioctl,
                                                .llseek = noop_llseek};

/* Sets args->fd. */
static int create(struct guest *guest, struct kvm_create_device *args)
{
    if (args->type != KVM_DEV_TYPE_RISCV_AIA)
        return -ENODEV;
    if (args->flags & ~KVM_CREATE_DEVICE_TEST)
        return -EINVAL;
    if (args->flags & KVM_CREATE_DEVICE_TEST)
        return 0;
    if (guest->aia)
        return -EEXIST;
    if (guest->vm)
        return -EBUSY;
    struct aia *aia = kzalloc(sizeof(*aia), GFP_KERNEL_ACCOUNT);
    if (!aia)
        return -ENOMEM;
    aia->config[KVM_DEV_RISCV_AIA_CONFIG_IDS] = CALD_MAX_IMSIC_IDS;
    aia->config[KVM_DEV_RISCV_AIA_CONFIG_GROUP_SHIFT] = KVM_DEV_RISCV_AIA_GROUP_SHIFT_MIN;
    aia->aplic = NOWHERE;
    for (unsigned int n = 0; n < CALD_MAX_VCPUS; n++)
        aia->imsic[n] = NOWHERE;
    refcount_inc(&guest->users);
    int fd = anon_inode_getfd("kvm-riscv-aia", &aia_fops, guest, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        refcount_dec(&guest->users);
        kfree(aia);
        return fd;
    }
    guest->aia = aia;
    args->fd = fd;
    return 0;
}

static int create_user(struct guest *guest, void __user *user)
{
    struct kvm_create_device args;
    if (copy_from_user(&args, user, sizeof(args)))
        return -EFAULT;
    int error = create(guest, &args);
    return error ?: copy_to_user(user, &args, sizeof(args)) ? -EFAULT : 0;
}

/* guest->lock is held. */
int aia_vm_ioctl(struct guest *guest, unsigned int number, void __user *user)
{
    struct kvm_irq_level line;
    struct kvm_msi msi;
    switch (number) {
    case KVM_CREATE_DEVICE:
        return create_user(guest, user);
    case KVM_IRQ_LINE:
        return copy_from_user(&line, user, sizeof(line)) ? -EFAULT : line_set(guest, &line);
    case KVM_SIGNAL_MSI:
        return copy_from_user(&msi, user, sizeof(msi)) ? -EFAULT : message(guest, &msi);
    }
    return -ENOTTY;
}
