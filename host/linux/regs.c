/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A vCPU's registers by KVM's numbers: most are items of the library's state. What is set before
 * the library's vCPU is there is kept, and set when it is made.
 */
#include <linux/kvm.h>

#include <asm/cacheflush.h>
#include <asm/csr.h>
#include <asm/timex.h>
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "module.h"

#define NUMBER_MASK 0xffffffUL
#define CSR_FCSR_NUMBER 3
#define FCSR_PLACE 32 /* behind the FP registers */
#define MODE_S 1
#define AIA_CSRS (sizeof(struct kvm_riscv_aia_csr) / sizeof(unsigned long))

/* In the order of struct kvm_riscv_csr. */
static const u16 csr_number[] = {CSR_SSTATUS, CSR_SIE,        CSR_STVEC,  CSR_SSCRATCH,
                                 CSR_SEPC,    CSR_SCAUSE,     CSR_STVAL,  CSR_SIP,
                                 CSR_SATP,    CSR_SCOUNTEREN, CSR_SENVCFG};

/* ---- Items of the library's ---- */

/* All that is listed, the vector registers word by word, and room to spare. */
static unsigned int early_room(void)
{
    return 160 + 32 * told.vector_bytes / 8;
}

int regs_vcpu_begin(struct guest_vcpu *v)
{
    v->early = kvcalloc(early_room(), sizeof(*v->early), GFP_KERNEL_ACCOUNT);
    return v->early ? 0 : -ENOMEM;
}

void regs_vcpu_end(struct guest_vcpu *v)
{
    kvfree(v->early);
}

static struct early *early_find(struct guest_vcpu *v, u32 item)
{
    for (unsigned int n = 0; n < v->early_count; n++)
        if (v->early[n].item == item)
            return &v->early[n];
    return NULL;
}

/* What the library's vCPU begins with where that is not 0. */
static u64 at_first(u32 item)
{
    switch (item) {
    case CALD_CORE | CALD_CORE_MODE:
        return MODE_S;
    case CALD_TIMER:
        return ULLONG_MAX;
    case CALD_VM | CALD_VM_TIME:
        return get_cycles64();
    }
    return 0;
}

static int early_access(struct guest_vcpu *v, u32 item, u64 *value, bool set)
{
    struct early *early = early_find(v, item);
    if (!set) {
        *value = early ? early->value : at_first(item);
        return 0;
    }
    if (!early) {
        if (v->early_count == early_room())
            return -ENOSPC;
        early = &v->early[v->early_count++];
        early->item = item;
    }
    early->value = *value;
    return 0;
}

static bool is_vms(u32 item)
{
    return item >= CALD_VM;
}

static int library_access(struct guest_vcpu *v, u32 item, u64 *value, bool set)
{
    if (is_vms(item))
        return set ? LIBRARY(cald_vm_set(v->guest->vm, item, *value))
                   : LIBRARY(cald_vm_get(v->guest->vm, item, value));
    return set ? LIBRARY(cald_vcpu_set(v->vcpu, item, *value))
               : LIBRARY(cald_vcpu_get(v->vcpu, item, value));
}

/* A register that this machine lacks is read as 0, and takes 0. */
static int lenient(int error, u64 *value, bool set)
{
    if (error != CALD_ENOENT)
        return host_errno(error);
    if (set)
        return *value ? -EINVAL : 0;
    *value = 0;
    return 0;
}

/* Another vCPU's first KVM_RUN may make the VM meanwhile: what is kept is whole then, or it is
 * there. */
static bool try_early(struct guest_vcpu *v, u32 item, u64 *value, bool set, int *error)
{
    mutex_lock(&v->guest->lock);
    bool early = !v->vcpu;
    if (early)
        *error = early_access(v, item, value, set);
    mutex_unlock(&v->guest->lock);
    return early;
}

int regs_item(struct guest_vcpu *v, u32 item, u64 *value, bool set)
{
    int error;
    if (!smp_load_acquire(&v->vcpu) && try_early(v, item, value, set, &error))
        return error;
    run_complete_store(v);
    guest_stop(v->guest);
    error = lenient(library_access(v, item, value, set), value, set);
    guest_go(v->guest);
    return error;
}

int regs_apply(struct guest_vcpu *v)
{
    int error = 0;
    u64 state = v->stopped;
    for (unsigned int n = 0; !error && n < v->early_count; n++)
        error = lenient(library_access(v, v->early[n].item, &v->early[n].value, true),
                        &v->early[n].value, true);
    return error ?: host_errno(library_access(v, CALD_HSM | CALD_HSM_STATE, &state, true));
}

/* ---- What is not an item ---- */

bool regs_guest_has(const struct guest *guest, u32 ext)
{
    return machine_has(ext) && !test_bit(ext, guest->isa_off);
}

static int config_access(struct guest_vcpu *v, u64 n, u64 *value, bool set)
{
    struct guest *guest = v->guest;
    u64 now = 0, *place = NULL;
    switch (n) {
    case KVM_REG_RISCV_CONFIG_REG(isa):
        for (u32 ext = KVM_RISCV_ISA_EXT_A; ext <= KVM_RISCV_ISA_EXT_M; ext++)
            if (regs_guest_has(guest, ext))
                now |= 1UL << (machine_extension_name(ext)[0] - 'a');
        if (vector_there(guest))
            now |= 1UL << ('v' - 'a');
        break;
    case KVM_REG_RISCV_CONFIG_REG(zicbom_block_size):
        if (!regs_guest_has(guest, KVM_RISCV_ISA_EXT_ZICBOM))
            return -ENOENT;
        now = riscv_cbom_block_size;
        break;
    case KVM_REG_RISCV_CONFIG_REG(zicboz_block_size):
        if (!regs_guest_has(guest, KVM_RISCV_ISA_EXT_ZICBOZ))
            return -ENOENT;
        now = riscv_cboz_block_size;
        break;
    case KVM_REG_RISCV_CONFIG_REG(satp_mode):
        now = machine_satp_mode();
        break;
    case KVM_REG_RISCV_CONFIG_REG(mvendorid):
        place = &guest->mvendorid;
        break;
    case KVM_REG_RISCV_CONFIG_REG(marchid):
        place = &guest->marchid;
        break;
    case KVM_REG_RISCV_CONFIG_REG(mimpid):
        place = &guest->mimpid;
        break;
    default:
        return -ENOENT;
    }
    now = place ? *place : now;
    if (!set) {
        *value = now;
        return 0;
    }
    if (*value == now)
        return 0;
    if (!place)
        return -EINVAL;
    if (guest->vm)
        return -EBUSY;
    *place = *value;
    return 0;
}

static int isa_access(struct guest_vcpu *v, u64 ext, u64 *value, bool set)
{
    struct guest *guest = v->guest;
    if (ext >= KVM_RISCV_ISA_EXT_MAX)
        return -ENOENT;
    bool now = regs_guest_has(guest, ext);
    if (!set) {
        *value = now;
        return 0;
    }
    if (!!*value == now)
        return 0;
    if (guest->vm)
        return -EBUSY;
    if (!machine_has(ext) || ext == KVM_RISCV_ISA_EXT_I)
        return -EINVAL;
    __change_bit(ext, guest->isa_off);
    return 0;
}

/* What a VM can have of the SBI. Those without a bit of the library's end at the VMM. */
static const struct {
    u32 ext, bit;
    bool off; /* unless the VMM switches it on */
} sbi[] = {
    {KVM_RISCV_SBI_EXT_V01, CALD_SBI_LEGACY},
    {KVM_RISCV_SBI_EXT_TIME, CALD_SBI_TIME},
    {KVM_RISCV_SBI_EXT_IPI, CALD_SBI_IPI},
    {KVM_RISCV_SBI_EXT_RFENCE, CALD_SBI_RFENCE},
    {KVM_RISCV_SBI_EXT_SRST, CALD_SBI_SRST},
    {KVM_RISCV_SBI_EXT_HSM, CALD_SBI_HSM},
    {KVM_RISCV_SBI_EXT_PMU, CALD_SBI_PMU},
    {KVM_RISCV_SBI_EXT_EXPERIMENTAL},
    {KVM_RISCV_SBI_EXT_VENDOR},
    {KVM_RISCV_SBI_EXT_DBCN, .off = true},
};

static bool sbi_there(u64 ext)
{
    for (size_t n = 0; n < ARRAY_SIZE(sbi); n++)
        if (sbi[n].ext == ext)
            return true;
    return false;
}

static int sbi_access(struct guest_vcpu *v, u64 ext, u64 *value, bool set)
{
    struct guest *guest = v->guest;
    if (ext >= KVM_RISCV_SBI_EXT_MAX || !sbi_there(ext))
        return -ENOENT;
    bool now = test_bit(ext, guest->sbi_on);
    if (!set) {
        *value = now;
        return 0;
    }
    if (*value > 1)
        return -EINVAL;
    if (*value == now)
        return 0;
    if (guest->vm)
        return -EBUSY;
    __change_bit(ext, guest->sbi_on);
    return 0;
}

/* 64 of either sort in one register: reading tells which are on; writing switches those on, or off,
 * whose bits are set. */
static int multi_access(struct guest_vcpu *v, u64 n, bool on, u64 *value, bool set,
                        int (*one)(struct guest_vcpu *, u64, u64 *, bool))
{
    u64 word = 0;
    for (unsigned int bit = 0; bit < 64; bit++) {
        u64 state = on;
        int error = 0;
        if (set && *value & 1UL << bit)
            error = one(v, n * 64 + bit, &state, true);
        else if (!set && !one(v, n * 64 + bit, &state, false) && state)
            word |= 1UL << bit;
        if (error)
            return error;
    }
    if (!set)
        *value = on ? word : ~word;
    return 0;
}

/* ---- By number ---- */

static int grouped(struct guest_vcpu *v, u64 n, u64 *value, bool set,
                   int (*one)(struct guest_vcpu *, u64, u64 *, bool))
{
    u64 group = n & KVM_REG_RISCV_SUBTYPE_MASK, index = n & ~KVM_REG_RISCV_SUBTYPE_MASK;
    switch (group) {
    case KVM_REG_RISCV_ISA_SINGLE:
        return one(v, index, value, set);
    case KVM_REG_RISCV_ISA_MULTI_EN:
    case KVM_REG_RISCV_ISA_MULTI_DIS:
        return index > 1
                   ? -ENOENT
                   : multi_access(v, index, group == KVM_REG_RISCV_ISA_MULTI_EN, value, set, one);
    }
    return -ENOENT;
}

static int fp_access(struct guest_vcpu *v, u64 n, u64 *value, bool set)
{
    if (!regs_guest_has(v->guest, KVM_RISCV_ISA_EXT_D) || n > FCSR_PLACE)
        return -ENOENT;
    return regs_item(v, n == FCSR_PLACE ? CALD_CSR | CSR_FCSR_NUMBER : CALD_FP | n, value, set);
}

/* The halves of the same registers that F alone has: what is set is boxed, as FLW does
 * (unprivileged manual, "NaN Boxing of Narrower Values"). */
static int fp_half_access(struct guest_vcpu *v, u64 n, u64 *value, bool set)
{
    u64 boxed = *value | GENMASK(63, 32);
    if (!regs_guest_has(v->guest, KVM_RISCV_ISA_EXT_F) || n > FCSR_PLACE)
        return -ENOENT;
    if (n == FCSR_PLACE)
        return regs_item(v, CALD_CSR | CSR_FCSR_NUMBER, value, set);
    int error = regs_item(v, CALD_FP | n, set ? &boxed : value, set);
    *value = (u32)*value;
    return error;
}

static bool has_aia(const struct guest *guest)
{
    return machine_has(KVM_RISCV_ISA_EXT_SSAIA) &&
           !test_bit(KVM_RISCV_ISA_EXT_SSAIA, guest->isa_off);
}

/* Of AIA's there is siselect; priorities can't be set, and are 0. */
static int csr_access(struct guest_vcpu *v, u64 n, u64 *value, bool set)
{
    u64 group = n & KVM_REG_RISCV_SUBTYPE_MASK, index = n & ~KVM_REG_RISCV_SUBTYPE_MASK;
    if (group == KVM_REG_RISCV_CSR_GENERAL && index < ARRAY_SIZE(csr_number))
        return regs_item(v, CALD_CSR | csr_number[index], value, set);
    if (group != KVM_REG_RISCV_CSR_AIA || index >= AIA_CSRS || !has_aia(v->guest))
        return -ENOENT;
    return index == KVM_REG_RISCV_CSR_AIA_REG(siselect)
               ? regs_item(v, CALD_CSR | CSR_SISELECT, value, set)
               : lenient(CALD_ENOENT, value, set);
}

static int access_number(struct guest_vcpu *v, u64 id, u64 *value, bool set)
{
    u64 n = id & ~(KVM_REG_ARCH_MASK | KVM_REG_SIZE_MASK | KVM_REG_RISCV_TYPE_MASK);
    switch (id & KVM_REG_RISCV_TYPE_MASK) {
    case KVM_REG_RISCV_CONFIG:
        return config_access(v, n, value, set);
    case KVM_REG_RISCV_CORE:
        return n > CALD_CORE_MODE ? -ENOENT : regs_item(v, CALD_CORE | n, value, set);
    case KVM_REG_RISCV_CSR:
        return csr_access(v, n, value, set);
    case KVM_REG_RISCV_TIMER:
        return timer_reg(v, n, value, set);
    case KVM_REG_RISCV_FP_F:
        return fp_half_access(v, n, value, set);
    case KVM_REG_RISCV_FP_D:
        return fp_access(v, n, value, set);
    case KVM_REG_RISCV_ISA_EXT:
        return grouped(v, n, value, set, isa_access);
    case KVM_REG_RISCV_SBI_EXT:
        return grouped(v, n, value, set, sbi_access);
    }
    return -ENOENT;
}

/* Halves of FP registers, and fcsr, have 32 bits. */
static bool is_word(u64 id)
{
    u64 type = id & KVM_REG_RISCV_TYPE_MASK;
    return type == KVM_REG_RISCV_FP_F ||
           (type == KVM_REG_RISCV_FP_D && (id & NUMBER_MASK) == FCSR_PLACE);
}

int regs_access(struct guest_vcpu *v, u64 id, void __user *user, bool set)
{
    u64 value = 0;
    size_t bytes = is_word(id) ? 4 : 8;
    if ((id & KVM_REG_ARCH_MASK) != KVM_REG_RISCV)
        return -ENOENT;
    if ((id & KVM_REG_RISCV_TYPE_MASK) == KVM_REG_RISCV_VECTOR)
        return vector_access(v, id, user, set);
    if (KVM_REG_SIZE(id) != bytes)
        return -EINVAL;
    if (set && copy_from_user(&value, user, bytes))
        return -EFAULT;
    int error = access_number(v, id, &value, set);
    if (!error && !set && copy_to_user(user, &value, bytes))
        error = -EFAULT;
    return error;
}

/* ---- The list ---- */

struct list {
    u64 __user *to;
    u64 count, room;
    int error;
};

static void add_sized(struct list *list, u64 id, u64 bytes)
{
    id |= (u64)ilog2(bytes) << KVM_REG_SIZE_SHIFT;
    if (list->count < list->room && put_user(id, list->to + list->count))
        list->error = -EFAULT;
    list->count++;
}

static void add(struct list *list, u64 type, u64 n)
{
    u64 id = KVM_REG_RISCV | type | n;
    add_sized(list, id, is_word(id) ? 4 : 8);
}

static void add_vector(struct list *list)
{
    for (u64 n = 0; n <= KVM_REG_RISCV_VECTOR_CSR_REG(vlenb); n++)
        add(list, KVM_REG_RISCV_VECTOR, n);
    for (u64 n = 0; n < 32; n++)
        add_sized(list, KVM_REG_RISCV | KVM_REG_RISCV_VECTOR | KVM_REG_RISCV_VECTOR_REG(n),
                  told.vector_bytes);
}

static void add_run(struct list *list, u64 type, u64 count)
{
    for (u64 n = 0; n < count; n++)
        add(list, type, n);
}

static void list_all(struct guest_vcpu *v, struct list *list)
{
    u64 value;
    for (u64 n = 0; n < sizeof(struct kvm_riscv_config) / 8; n++)
        if (!config_access(v, n, &value, false))
            add(list, KVM_REG_RISCV_CONFIG, n);
    add_run(list, KVM_REG_RISCV_CORE, CALD_CORE_MODE + 1);
    add_run(list, KVM_REG_RISCV_CSR, ARRAY_SIZE(csr_number));
    if (has_aia(v->guest))
        add_run(list, KVM_REG_RISCV_CSR | KVM_REG_RISCV_CSR_AIA, AIA_CSRS);
    add_run(list, KVM_REG_RISCV_TIMER, sizeof(struct kvm_riscv_timer) / 8);
    /* The halves first, so that who restores all in this order restores the whole registers. */
    if (regs_guest_has(v->guest, KVM_RISCV_ISA_EXT_F))
        add_run(list, KVM_REG_RISCV_FP_F, FCSR_PLACE + 1);
    if (regs_guest_has(v->guest, KVM_RISCV_ISA_EXT_D))
        add_run(list, KVM_REG_RISCV_FP_D, FCSR_PLACE + 1);
    if (vector_there(v->guest))
        add_vector(list);
    for (u64 n = 0; n < KVM_RISCV_ISA_EXT_MAX; n++)
        if (machine_has(n))
            add(list, KVM_REG_RISCV_ISA_EXT, n);
    for (u64 n = 0; n < KVM_RISCV_SBI_EXT_MAX; n++)
        if (sbi_there(n))
            add(list, KVM_REG_RISCV_SBI_EXT, n);
}

int regs_list(struct guest_vcpu *v, struct kvm_reg_list __user *user)
{
    struct list list = {.to = user->reg};
    if (get_user(list.room, &user->n))
        return -EFAULT;
    list_all(v, &list);
    if (put_user(list.count, &user->n))
        return -EFAULT;
    return list.count > list.room ? -E2BIG : list.error;
}

/* ---- For others ---- */

void regs_begin(struct guest *guest)
{
    for (size_t n = 0; n < ARRAY_SIZE(sbi); n++)
        __assign_bit(sbi[n].ext, guest->sbi_on, !sbi[n].off);
}

u32 regs_sbi_hidden(const struct guest *guest)
{
    u32 hidden = CALD_SBI_SUSP | CALD_SBI_STA;
    for (size_t n = 0; n < ARRAY_SIZE(sbi); n++)
        hidden |= test_bit(sbi[n].ext, guest->sbi_on) ? 0 : sbi[n].bit;
    return hidden;
}

void regs_hidden(const struct guest *guest, char *text, size_t bytes)
{
    size_t used = scnprintf(text, bytes, "sstc ");
    u32 ext;
    for_each_set_bit(ext, guest->isa_off, KVM_RISCV_ISA_EXT_MAX)
        used += scnprintf(text + used, bytes - used, "%s ", machine_extension_name(ext));
}

int mp_state_get(struct guest_vcpu *v, struct kvm_mp_state *state)
{
    u64 stopped = v->stopped;
    int error = v->vcpu ? regs_item(v, CALD_HSM | CALD_HSM_STATE, &stopped, false) : 0;
    state->mp_state = stopped == 1 ? KVM_MP_STATE_STOPPED : KVM_MP_STATE_RUNNABLE;
    return error;
}

int mp_state_set(struct guest_vcpu *v, const struct kvm_mp_state *state)
{
    u64 stopped = state->mp_state == KVM_MP_STATE_STOPPED;
    if (!stopped && state->mp_state != KVM_MP_STATE_RUNNABLE)
        return -EINVAL;
    mutex_lock(&v->guest->lock);
    bool early = !v->vcpu;
    if (early)
        v->stopped = stopped;
    mutex_unlock(&v->guest->lock);
    return early ? 0 : regs_item(v, CALD_HSM | CALD_HSM_STATE, &stopped, true);
}
