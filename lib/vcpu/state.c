/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU's state, item by item: include/caldarium/caldarium.h. Each class is answered by whoever
 * keeps it. */
#include "caldarium/caldarium.h"
#include "lib/engine/common/items.h"
#include "lib/sbi/sbi.h"
#include "lib/vcpu/items.h"
#include "lib/vm/vm.h"

#define CSR_CYCLE_NUMBER 0xc00U
#define CSR_INSTRET_NUMBER 0xc02U
#define SHOWN ((uint32_t)(IRQ_BIT(IRQ_S_SOFT) | IRQ_BIT(IRQ_S_EXT)))

static bool has_imsic(const struct cald_vcpu *vcpu)
{
    return vcpu->vm->irqchip == CALD_IRQCHIP_IMSIC;
}

static bool is_counter(uint32_t item)
{
    return item == CALD_CSR + CSR_CYCLE_NUMBER || item == CALD_CSR + CSR_INSTRET_NUMBER;
}

/* The number of a counter's CSR tells which it is: 0 or 2. */
static uint32_t counter_index(uint32_t item)
{
    return (item & 2) << 4 | CALD_PMU_VALUE;
}

/* Interrupts that the host shows it, or no longer, and that it was not told of yet: an IPI that
 * waits in the mailbox is as good as shown. */
static uint64_t with_mail(const struct cald_vcpu *vcpu, uint64_t sip)
{
    uint64_t changed = atomic_load(&vcpu->lines_changed) & SHOWN;
    sip = (sip & ~changed) | (atomic_load(&vcpu->lines) & changed);
    return atomic_load(&vcpu->mailbox) & MAIL_SOFT ? sip | IRQ_BIT(IRQ_S_SOFT) : sip;
}

/* What is set is the newest of all. */
static void without_mail(struct cald_vcpu *vcpu, uint64_t sip)
{
    uint32_t external = vcpu->vm->irqchip ? 0 : (uint32_t)IRQ_BIT(IRQ_S_EXT);
    atomic_fetch_and(&vcpu->mailbox, ~MAIL_SOFT);
    atomic_fetch_and(&vcpu->lines_changed, ~SHOWN);
    atomic_fetch_and(&vcpu->lines, ~external);
    atomic_fetch_or(&vcpu->lines, (uint32_t)sip & external);
}

/* A hart has its registers, or its host is about to change them. */
static bool is_busy(const struct cald_vcpu *vcpu)
{
    return vcpu->eng.loaded || pending_waits(&vcpu->pending);
}

int cald_vcpu_get(struct cald_vcpu *vcpu, uint32_t item, uint64_t *value)
{
    uint32_t index = item_index(item);
    if (is_busy(vcpu))
        return CALD_EBUSY;
    if (is_counter(item))
        return sbi_pmu_get(vcpu, counter_index(item), value);
    int error;
    switch (item_class(item)) {
    case CALD_IMSIC:
        return has_imsic(vcpu) ? imsic_get(&vcpu->imsic, index, value) : CALD_ENOENT;
    case CALD_HSM:
        return sbi_hsm_get(vcpu, index, value);
    case CALD_PMU:
        return sbi_pmu_get(vcpu, index, value);
    case CALD_STA:
        return sbi_sta_get(vcpu, index, value);
    default:
        error = engine_get(&vcpu->eng, item, value);
        if (item == CALD_CSR + CSR_SIP)
            *value = with_mail(vcpu, *value);
        return error;
    }
}

static int set(struct cald_vcpu *vcpu, uint32_t item, uint64_t value)
{
    uint32_t index = item_index(item);
    if (is_counter(item))
        return sbi_pmu_set(vcpu, counter_index(item), value);
    switch (item_class(item)) {
    case CALD_IMSIC:
        return has_imsic(vcpu) ? imsic_set(&vcpu->imsic, index, value) : CALD_ENOENT;
    case CALD_HSM:
        return sbi_hsm_set(vcpu, index, value);
    case CALD_PMU:
        return sbi_pmu_set(vcpu, index, value);
    case CALD_STA:
        return sbi_sta_set(vcpu, index, value);
    default:
        if (item == CALD_CSR + CSR_SIP)
            without_mail(vcpu, value);
        return engine_set(&vcpu->eng, item, value);
    }
}

/* What the vCPU is owed before its next instruction, whatever has been changed: its hart forgets
 * what it knew of it, and its interrupt line is looked at. */
int cald_vcpu_set(struct cald_vcpu *vcpu, uint32_t item, uint64_t value)
{
    if (is_busy(vcpu))
        return CALD_EBUSY;
    int error = set(vcpu, item, value);
    if (!error) {
        pending_drop(&vcpu->pending);
        atomic_fetch_or(&vcpu->mailbox, MAIL_FLUSH | MAIL_EXTERNAL);
    }
    return error;
}

static void list_range(struct cald_vcpu *vcpu, struct item_list *list, uint32_t first,
                       uint32_t count, uint32_t step)
{
    uint64_t value;
    for (uint32_t n = 0; n < count; n++) {
        if (!cald_vcpu_get(vcpu, first + n * step, &value))
            item_list_add(list, first + n * step);
    }
}

uint32_t cald_vcpu_items(struct cald_vcpu *vcpu, uint32_t *items, uint32_t room)
{
    struct item_list list = {items, room, 0};
    static const uint16_t csrs[] = {
        CSR_SSTATUS,  CSR_SIE,   CSR_STVEC,        CSR_SCOUNTEREN,    CSR_SENVCFG,
        CSR_SSCRATCH, CSR_SEPC,  CSR_SCAUSE,       CSR_STVAL,         CSR_SIP,
        CSR_SISELECT, CSR_SATP,  CSR_FCSR,         CSR_VSTART,        CSR_VCSR,
        CSR_VL,       CSR_VTYPE, CSR_CYCLE_NUMBER, CSR_INSTRET_NUMBER};
    list_range(vcpu, &list, CALD_CORE + 0, 33, 1);
    for (unsigned n = 0; n < sizeof(csrs) / sizeof(*csrs); n++)
        list_range(vcpu, &list, CALD_CSR + csrs[n], 1, 1);
    list_range(vcpu, &list, CALD_TIMER + 0, 1, 1);
    list_range(vcpu, &list, CALD_FP + 0, 32, 1);
    /* A vector register has 65,536 bits at most (vector manual, "Implementation-defined Constant
     * Parameters"): as many words as its number leaves room for. */
    for (unsigned n = 0; n < 32; n++)
        list_range(vcpu, &list, CALD_VECTOR + (n << 10), 1024, 1);
    list_range(vcpu, &list, CALD_IMSIC + 0, 256, 1);
    list_range(vcpu, &list, CALD_HSM + 0, 4, 1);
    list_range(vcpu, &list, CALD_PMU + 0, CALD_PMU_SNAPSHOT + 1, 1);
    list_range(vcpu, &list, CALD_STA + 0, 2, 1);
    return list.count;
}
