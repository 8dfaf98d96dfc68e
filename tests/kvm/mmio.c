/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stores that wait in the ring behind struct kvm_run, in the order in which they were made; and the
 * SBI calls that are the VMM's. The guest stores 1, 2, 3, .. where a0 says, for ever; or calls the
 * SBI with what is in its registers.
 */
#include "vmm.h"

#define PAGE 4096UL
#define ZONE 0x10001000UL
#define ENTRIES                                                                                    \
    ((PAGE - sizeof(struct kvm_coalesced_mmio_ring)) / sizeof(struct kvm_coalesced_mmio))
#define CALLS (RAM + 16)
#define A6 16
#define A7 17
#define NOT_SUPPORTED (-2)
#define EXPERIMENTAL 0x08000001UL
#define VENDOR 0x09ffffffUL
#define NOBODYS 0x0a000000UL
#define REG_VENDOR REG(8UL << KVM_REG_RISCV_TYPE_SHIFT, 8) /* of KVM_REG_RISCV_SBI_EXT */

static const uint32_t code[] = {
    0x00000313, /* li t1, 0 */
    0x00130313, /* addi t1, t1, 1 */
    0x00653023, /* sd t1, 0(a0) */
    0xff9ff06f, /* j to the addi */
    0x00000073, /* CALLS: ecall */
    0x00052023, /* sw zero, 0(a0): a0 is the answer */
};

static struct kvm_coalesced_mmio_ring *ring;

static void zone(const char *what, unsigned long number, uint64_t gpa, uint32_t size, int error)
{
    struct kvm_coalesced_mmio_zone args = {.addr = gpa, .size = size};
    call(what, vm, number, &args, error);
}

/* Stores from `first` on in the ring; the next one comes out. */
static void run_until_store(uint64_t count, uint64_t value)
{
    uint32_t first = ring->first;
    run_to(KVM_EXIT_MMIO);
    expect("what comes out", *(long *)run->mmio.data, (long)value);
    expect("how many wait", (ring->last - first + (uint32_t)ENTRIES) % (uint32_t)ENTRIES,
           (long)count);
    for (uint64_t n = 0; n < count; n++) {
        const struct kvm_coalesced_mmio *one = &ring->coalesced_mmio[(first + n) % ENTRIES];
        expect("a store's address", (long)one->phys_addr, ZONE + 8);
        expect("its size", one->len, 8);
        expect("its value", *(const long *)one->data, (long)(value - count + n));
    }
    ring->first = ring->last;
}

static void coalesced(void)
{
    struct kvm_coalesced_mmio_zone port = {.addr = ZONE, .size = 8, .pio = 1};
    ring = (void *)((uint8_t *)run +
                    PAGE * (unsigned)ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_COALESCED_MMIO));
    call("a port", vm, KVM_REGISTER_COALESCED_MMIO, &port, EINVAL);
    reg_set(CORE(0), RAM);
    reg_set(CORE(A0), ZONE + 8);
    run_until_store(0, 1);
    zone("a zone", KVM_REGISTER_COALESCED_MMIO, ZONE, 16, 0);
    run_until_store(ENTRIES - 1, 1 + ENTRIES);
    run_until_store(ENTRIES - 1, 1 + 2 * ENTRIES);
    ring->last = ENTRIES; /* a VMM that writes what it should not */
    ring->first = 0;
    run_to(KVM_EXIT_MMIO);
    expect("with a broken ring", *(long *)run->mmio.data, 2 + 2 * ENTRIES);
    ring->last = 0;
    zone("none in there", KVM_UNREGISTER_COALESCED_MMIO, ZONE, 24, 0);
    run_until_store(ENTRIES - 1, 2 + 3 * ENTRIES);
    zone("no zone", KVM_UNREGISTER_COALESCED_MMIO, ZONE, 16, 0);
    run_until_store(0, 3 + 3 * ENTRIES);
}

static void call_sbi(uint64_t extension)
{
    reg_set(CORE(0), CALLS);
    reg_set(CORE(A0), ZONE);
    reg_set(CORE(A6), 5);
    reg_set(CORE(A7), extension);
}

static void goes_out(uint64_t extension)
{
    call_sbi(extension);
    run_to(KVM_EXIT_RISCV_SBI);
    expect("the extension", (long)run->riscv_sbi.extension_id, (long)extension);
    expect("the function", (long)run->riscv_sbi.function_id, 5);
    run->riscv_sbi.ret[0] = ZONE + 64;
    run->immediate_exit = 1;
    call("an immediate exit", vcpu, KVM_RUN, 0, EINTR);
    run->immediate_exit = 0;
    expect("the exit before it", run->exit_reason, KVM_EXIT_RISCV_SBI);
    expect("its answer", (long)reg_get(CORE(A0)), ZONE + 64);
    run_to(KVM_EXIT_MMIO);
    expect("the answer", (long)run->mmio.phys_addr, ZONE + 64);
}

static void sbi(void)
{
    goes_out(EXPERIMENTAL);
    goes_out(VENDOR);
    call_sbi(NOBODYS);
    run_to(KVM_EXIT_MMIO);
    expect("no extension", (int)run->mmio.phys_addr, NOT_SUPPORTED);
}

int main(void)
{
    begin("mmio");
    load(code, sizeof(code), PAGE);
    expect("vendor's calls are on", (long)reg_get(REG_VENDOR), 1);
    coalesced();
    sbi();
    printf("mmio: all good\n");
    return 0;
}
