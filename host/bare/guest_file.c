/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vCPU has one of its hart's files from host_file_load() to host_file_put(), if one is free, and
 * keeps its file in memory (lib/irq/imsic.h) otherwise. No message may be lost on the way:
 *
 * in   The file's registers are set, then its page is mapped where the guest has its file. What
 *      came into memory before, or by a store that trapped, is moved into the file by
 *      host_file_collect(), which the vCPU's mail calls for.
 * out  The page is unmapped, this hart forgets it, and the VM's other vCPUs are told to. What the
 *      file holds goes into memory. Until each of them has been told or was seen outside of the
 *      guest, a store of theirs may still reach the file: so it drains. All its identities are
 *      enabled, so that hgeip tells of such a late one, and it is moved on. Nobody waits for
 *      anybody here. A file is given out again only when it has drained.
 */
#include "host/bare/guest_file.h"

#include "caldarium/devices.h"
#include "appliance/vm.h"
#include "lib/vm/vm.h"
#include "drivers/imsic/file.h"
#include "drivers/mmio.h"
#include "host/bare/board.h"
#include "host/host.h"

enum { FREE, HELD, DRAINING };

static uint64_t bit_of(unsigned file)
{
    return 1UL << file;
}

void guest_file_begin(struct hart *hart)
{
    if (!hart->doorbell || !board_tree.imsic.guest_bits)
        return;
    bool ok;
    csr_try_read(CSR_HGEIE, ok);
    if (!ok)
        return;
    /* GEILEN is how many bits stick (privileged manual, "hgeip and hgeie"); bit 0 does not. */
    csr_write(CSR_HGEIE, UINT64_MAX);
    uint64_t stuck = csr_read(CSR_HGEIE);
    csr_write(CSR_HGEIE, 0);
    unsigned pages = (1u << board_tree.imsic.guest_bits) - 1;
    unsigned count = (unsigned)__builtin_popcountll(stuck);
    count = count < pages ? count : pages;
    _Static_assert(64 * sizeof(struct hart_file) <= HOST_PAGE_SIZE, "hgeie has 64 bits");
    hart->files = count ? host_pages_alloc(HOST_PAGE_SIZE, HOST_PAGE_SIZE) : NULL;
    hart->file_count = hart->files ? count : 0;
    if (hart->file_count)
        csr_set(CSR_HIE, IRQ_BIT(IRQ_S_GUEST_EXT));
}

/* ---- The registers of one file, by hstatus.VGEIN and vsiselect ------------------------------- */

struct window {
    uint64_t hstatus, select;
};

static struct window look_at(unsigned file)
{
    struct window old = {csr_read(CSR_HSTATUS), csr_read(CSR_VSISELECT)};
    csr_write(CSR_HSTATUS, (old.hstatus & ~HSTATUS_VGEIN) | (uint64_t)file << HSTATUS_VGEIN_SHIFT);
    return old;
}

static void look_back(struct window old)
{
    csr_write(CSR_VSISELECT, old.select);
    csr_write(CSR_HSTATUS, old.hstatus);
}

static uint64_t get(unsigned reg)
{
    csr_write(CSR_VSISELECT, reg);
    return csr_read(CSR_VSIREG);
}

static void set(unsigned reg, uint64_t value)
{
    csr_write(CSR_VSISELECT, reg);
    csr_write(CSR_VSIREG, value);
}

/* Reads and clears in one instruction: a message that comes meanwhile stays for the next time. */
static uint64_t take(unsigned reg)
{
    uint64_t value;
    csr_write(CSR_VSISELECT, reg);
    __asm__ volatile("csrrw %0, %1, zero" : "=r"(value) : "i"(CSR_VSIREG) : "memory");
    return value;
}

static void add(unsigned reg, uint64_t bits)
{
    csr_write(CSR_VSISELECT, reg);
    csr_set(CSR_VSIREG, bits);
}

/* ---- Coming and going ------------------------------------------------------------------------ */

/* Nobody reaches the file any more but by its own number: those who might, and were not seen
 * outside of the guest since, are left in `waits`. */
static bool drained(struct hart_file *file)
{
    const struct cald_vm *vm = file->vcpu->vm;
    if (file->life != vm_of(vm)->lives)
        return true; /* all of that life's vCPUs have left the guest */
    for (uint64_t left = file->waits; left; left &= left - 1) {
        const struct cald_vcpu *other = &vm->vcpus[__builtin_ctzll(left)];
        if (cald_vcpu_has_forgotten(other, file->maps))
            file->waits &= ~(left & -left);
    }
    return !file->waits;
}

/* What a draining file has got late goes where its vCPU's messages are now. */
static void forward(struct hart_file *file, unsigned number)
{
    struct cald_vcpu *vcpu = file->vcpu;
    struct window old = look_at(number);
    uint64_t any = 0;
    for (unsigned w = 0; w < IMSIC_WORDS && w * 64 <= vcpu->imsic.ids; w++) {
        uint64_t bits = take(IMSIC_EIP0 + 2 * w);
        if (file->life != vm_of_vcpu(vcpu)->lives)
            continue;
        atomic_fetch_or(&vcpu->imsic.word[w].pending, bits);
        any |= bits;
        atomic_fetch_add(&vcpu->imsic.moved, (unsigned)__builtin_popcountll(bits));
    }
    look_back(old);
    if (any)
        cald_vcpu_messages(vcpu);
}

/* A file that is free now, or 0. One that has just got something more is left to
 * guest_file_serve(). */
static unsigned find_free(struct hart *hart)
{
    for (unsigned n = 1; n <= hart->file_count; n++) {
        struct hart_file *file = &hart->files[n];
        if (file->state == DRAINING && drained(file) && !(csr_read(CSR_HGEIP) & bit_of(n))) {
            csr_clear(CSR_HGEIE, bit_of(n));
            file->state = FREE;
        }
        if (file->state == FREE)
            return n;
    }
    return 0;
}

void host_file_load(struct cald_vcpu *vcpu)
{
    struct hart *hart = &harts[vcpu->eng.hart];
    struct imsic *imsic = &vcpu->imsic;
    unsigned number = find_free(hart);
    if (!number)
        return;
    uint64_t page =
        imsic_file_address(&board_tree.imsic, (unsigned)hart->irq_context) + number * IMSIC_PAGE;
    hart->files[number] =
        (struct hart_file){.vcpu = vcpu, .state = HELD, .life = vm_of_vcpu(vcpu)->lives};
    vcpu->eng.ops->file(&vcpu->eng, number);
    struct window old = look_at(number);
    set(IMSIC_EIDELIVERY, 0);
    for (unsigned w = 0; w < IMSIC_WORDS && w * 64 <= imsic->ids; w++) {
        set(IMSIC_EIP0 + 2 * w, 0);
        set(IMSIC_EIE0 + 2 * w, atomic_load(&imsic->word[w].enable));
        /* An IOMMU that finds the file in memory tells of whatever it leaves there. */
        atomic_store(&imsic->word[w].enable, UINT64_MAX);
    }
    /* Identities that the guest has not been told of may hold what another one left there. */
    for (unsigned id = IMSIC_MAX_IDS + 1; id < board_tree.imsic.guest_ids; id += 64) {
        set(IMSIC_EIP0 + id / 32, 0);
        set(IMSIC_EIE0 + id / 32, 0);
    }
    set(IMSIC_EITHRESHOLD, imsic->threshold);
    set(IMSIC_EIDELIVERY, imsic->delivery);
    look_back(old);
    imsic->file = number;
    imsic->files_had++;
    vcpu->eng.ops->irq(&vcpu->eng, GUEST_IRQ_EXTERNAL, false); /* the file shows it now */
    cald_vcpu_file_page(vcpu, page);
    if (vm_of_vcpu(vcpu)->msi_devices)
        host_msi_retarget(vcpu, page);
    host_file_collect(vcpu);
}

void host_file_collect(struct cald_vcpu *vcpu)
{
    struct imsic *imsic = &vcpu->imsic;
    uint64_t select = csr_read(CSR_VSISELECT);
    for (unsigned w = 0; w < IMSIC_WORDS && w * 64 <= imsic->ids; w++) {
        uint64_t bits = atomic_exchange(&imsic->word[w].pending, 0);
        if (bits)
            add(IMSIC_EIP0 + 2 * w, bits);
    }
    csr_write(CSR_VSISELECT, select);
}

/* The others' translations go stale: each is told, and forgets before it runs the guest again. */
static void tell_others(struct cald_vcpu *vcpu, struct hart_file *file)
{
    struct cald_vm *vm = vcpu->vm;
    file->waits = 0;
    for (unsigned n = 0; n < vm->vcpu_count; n++) {
        if (n == vcpu->id)
            continue;
        file->waits |= 1ULL << n;
        cald_vcpu_forget(&vm->vcpus[n]);
    }
}

void host_file_put(struct cald_vcpu *vcpu)
{
    struct hart *hart = &harts[vcpu->eng.hart];
    struct imsic *imsic = &vcpu->imsic;
    unsigned number = imsic->file;
    if (!number)
        return;
    struct hart_file *file = &hart->files[number];
    guest_file_unwatch(hart);
    file->maps = cald_vcpu_file_page(vcpu, 0);
    if (vm_of_vcpu(vcpu)->msi_devices)
        host_msi_retarget(vcpu, 0);
    file->state = DRAINING;
    tell_others(vcpu, file);
    struct window old = look_at(number);
    imsic->delivery = (uint32_t)get(IMSIC_EIDELIVERY);
    imsic->threshold = (uint32_t)get(IMSIC_EITHRESHOLD);
    for (unsigned w = 0; w < IMSIC_WORDS && w * 64 <= imsic->ids; w++) {
        atomic_store(&imsic->word[w].enable, get(IMSIC_EIE0 + 2 * w));
        atomic_fetch_or(&imsic->word[w].pending, take(IMSIC_EIP0 + 2 * w));
        set(IMSIC_EIE0 + 2 * w, UINT64_MAX);
    }
    set(IMSIC_EITHRESHOLD, 0);
    set(IMSIC_EIDELIVERY, 1);
    look_back(old);
    csr_set(CSR_HGEIE, bit_of(number));
    imsic->file = 0;
    vcpu->eng.ops->file(&vcpu->eng, 0);
    cald_vcpu_messages_kept(vcpu); /* the caller wakes it, if it sleeps */
}

void guest_file_watch(struct hart *hart, const struct cald_vcpu *vcpu)
{
    if (!vcpu->imsic.file)
        return;
    hart->files_watched = bit_of(vcpu->imsic.file);
    csr_set(CSR_HGEIE, hart->files_watched);
}

void guest_file_serve(struct hart *hart)
{
    uint64_t pending = csr_read(CSR_HGEIP) & csr_read(CSR_HGEIE);
    for (; pending; pending &= pending - 1) {
        unsigned number = (unsigned)__builtin_ctzll(pending);
        struct hart_file *file = &hart->files[number];
        if (number > hart->file_count || file->state == FREE) {
            csr_clear(CSR_HGEIE, bit_of(number));
        } else if (file->state == DRAINING) {
            forward(file, number);
        } else {
            csr_clear(CSR_HGEIE, bit_of(number)); /* it stays pending until the guest serves it */
            hart->files_watched &= ~bit_of(number);
            cald_vcpu_messages(file->vcpu);
        }
    }
}
