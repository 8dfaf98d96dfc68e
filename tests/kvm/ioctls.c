/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Single ioctls of KVM's, with what they answer, and a guest of six instructions: two stores to an
 * address where there is no memory, the first of which signals an eventfd.
 */
#include <sys/eventfd.h>

#include "vmm.h"

#define RAM_BYTES 65536
#define STORED 0x10001000UL
#define SIGNALS 7
#define NO_SIGNAL 8
#define SEIP (1UL << 9)
#define FP_D(n) REG(KVM_REG_RISCV_FP_D, n)
#define FP_F(n) (KVM_REG_RISCV | KVM_REG_SIZE_U32 | KVM_REG_RISCV_FP_F | (n))
#define ISA_D REG(KVM_REG_RISCV_ISA_EXT, KVM_RISCV_ISA_EXT_D)
#define CAP_SYNC_MMU 16 /* which older headers have under a condition */
#define CSR_SIP 7       /* its place in struct kvm_riscv_csr */

static const uint32_t code[] = {
    0x100012b7, /* lui t0, 0x10001 */
    0x00700313, /* li t1, 7 */
    0x0062a023, /* sw t1, 0(t0) */
    0x00800313, /* li t1, 8 */
    0x0062a023, /* sw t1, 0(t0) */
    0x0000006f, /* j . */
};

static void make(void)
{
    uint8_t *ram = load(code, sizeof(code), RAM_BYTES);
    struct kvm_userspace_memory_region region = {.slot = 1,
                                                 .guest_phys_addr = RAM,
                                                 .memory_size = RAM_BYTES,
                                                 .userspace_addr = (uintptr_t)ram};
    call("memory over memory", vm, KVM_SET_USER_MEMORY_REGION, &region, EEXIST);
    region.guest_phys_addr = 1UL << 60;
    call("memory that no guest reaches", vm, KVM_SET_USER_MEMORY_REGION, &region, EINVAL);
}

static void run_from_start(long stored)
{
    uint32_t data;
    reg_set(CORE(0), RAM);
    run_to(KVM_EXIT_MMIO);
    memcpy(&data, run->mmio.data, sizeof(data));
    expect("what is stored", data, stored);
}

static void stores(void)
{
    int event = eventfd(0, EFD_NONBLOCK);
    uint64_t count = 0;
    struct kvm_ioeventfd args = {.datamatch = SIGNALS,
                                 .addr = STORED,
                                 .len = 4,
                                 .fd = event,
                                 .flags = KVM_IOEVENTFD_FLAG_DATAMATCH};
    struct kvm_ioeventfd odd = args, port = args;
    odd.len = 3;
    port.flags |= KVM_IOEVENTFD_FLAG_PIO;
    call("a store of 3 bytes", vm, KVM_IOEVENTFD, &odd, EINVAL);
    call("a port", vm, KVM_IOEVENTFD, &port, EINVAL);
    call("an eventfd", vm, KVM_IOEVENTFD, &args, 0);
    call("the same again", vm, KVM_IOEVENTFD, &args, EEXIST);
    run_from_start(NO_SIGNAL);
    expect("what is read of the eventfd", read(event, &count, sizeof(count)), sizeof(count));
    expect("its signals", (long)count, 1);
    args.flags |= KVM_IOEVENTFD_FLAG_DEASSIGN;
    call("without it", vm, KVM_IOEVENTFD, &args, 0);
    call("without it again", vm, KVM_IOEVENTFD, &args, ENOENT);
    run_from_start(SIGNALS);
}

/* Before the first run: the VMM's interrupt controller may show its line so early. */
static void interrupt(bool set)
{
    struct kvm_interrupt irq = {.irq = set ? (uint32_t)KVM_INTERRUPT_SET : (uint32_t)-2};
    call("KVM_INTERRUPT", vcpu, KVM_INTERRUPT, &irq, 0);
}

static void expect_external(long expected)
{
    uint64_t sip = reg_get(REG(KVM_REG_RISCV_CSR, CSR_SIP));
    expect("the external interrupt", (long)(sip & SEIP), expected);
}

static void reg_fails(const char *what, uint64_t id, int error)
{
    uint64_t value = 0;
    struct kvm_one_reg one = {.id = id, .addr = (uintptr_t)&value};
    call(what, vcpu, KVM_GET_ONE_REG, &one, error);
}

/* FP registers are there as halves too, and go with their extension. */
static void fp_registers(void)
{
    uint32_t half = 0x40490fdb;
    struct kvm_one_reg one = {.id = FP_F(1), .addr = (uintptr_t)&half};
    reg_set(FP_D(1), 0x400921fb54442d18);
    reg_set(FP_D(2), 0);
    call("a half is set", vcpu, KVM_SET_ONE_REG, &one, 0);
    expect("the whole", (long)reg_get(FP_D(1)), (long)0xffffffff40490fdb);
    half = 0;
    call("a half is read", vcpu, KVM_GET_ONE_REG, &one, 0);
    expect("the half", half, 0x40490fdb);
    one.id = FP_F(33);
    call("no such half", vcpu, KVM_GET_ONE_REG, &one, ENOENT);
    reg_fails("another size", FP_F(1) ^ KVM_REG_SIZE_U32 ^ KVM_REG_SIZE_U64, EINVAL);
    reg_set(ISA_D, 0);
    reg_fails("without D", FP_D(1), ENOENT);
    reg_set(ISA_D, 1);
    expect("with D again", (long)reg_get(FP_D(1)), (long)0xffffffff40490fdb);
}

int main(void)
{
    begin("ioctls");
    make();
    expect("CAP_SYNC_MMU", ioctl(vm, KVM_CHECK_EXTENSION, CAP_SYNC_MMU), 1);
    fp_registers();
    interrupt(true);
    stores();
    expect_external(SEIP);
    interrupt(false);
    run->immediate_exit = 1;
    call("an immediate exit", vcpu, KVM_RUN, 0, EINTR);
    expect_external(0);
    printf("ioctls: all good\n");
    return 0;
}
