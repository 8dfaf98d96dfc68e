/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A debugger's breakpoints: an ebreak that the VMM writes into code that has run already stops the
 * guest there; what it takes away again is gone. Without a debugger ebreaks are the guest's own, as
 * those are of its user mode. The guest's page has privileged instructions, so it is executed in
 * another form.
 */
#include "vmm.h"

#define PAGE 4096UL
#define DONE 0x10001000UL
#define PLACE 4 /* in `code`: where breakpoints are set */
#define OWN 8   /* an ebreak of the guest's */
#define USER 16 /* and one of its user mode's */
#define HANDLER 12
#define CAP_SET_GUEST_DEBUG 23 /* which older headers have for x86 alone */
#define EBREAK 0x00100073U
#define STVEC 2 /* places in struct kvm_riscv_csr */
#define SEPC 4
#define SCAUSE 5
#define CSR(n) REG(KVM_REG_RISCV_CSR, n)
#define MODE CORE(32)

static const uint32_t code[] = {
    0x14051073, /* csrw sscratch, a0 */
    0x00150513, /* addi a0, a0, 1 */
    0x140025f3, /* csrr a1, sscratch */
    0x100012b7, /* lui t0, 0x10001 */
    0x00858593, /* PLACE: addi a1, a1, 8 */
    0x00a2b023, /* sd a0, 0(t0) */
    0xfe9ff06f, /* j code */
    0x00000013, /* nop */
    EBREAK,     /* OWN */
    0x00000013, /* nop */
    0x00000013, /* nop */
    0x00000013, /* nop */
    0x100012b7, /* HANDLER: lui t0, 0x10001 */
    0x0002b023, /* sd zero, 0(t0) */
    0x0000006f, /* j . */
    0x00000013, /* nop */
    EBREAK,     /* USER */
};

static volatile uint32_t *ram;

static void debug(const char *what, uint32_t control, int error)
{
    struct kvm_guest_debug args = {.control = control};
    call(what, vcpu, KVM_SET_GUEST_DEBUG, &args, error);
}

static void stops_at(const char *what, uint64_t index)
{
    run_to(KVM_EXIT_DEBUG);
    expect(what, (long)reg_get(CORE(0)), (long)(RAM + 4 * index));
}

static void rounds(uint64_t first, unsigned int count)
{
    for (unsigned int n = 0; n < count; n++) {
        run_to(KVM_EXIT_MMIO);
        expect("a round", *(long *)run->mmio.data, (long)(first + n));
    }
}

static void breakpoints(void)
{
    reg_set(CORE(0), RAM);
    reg_set(CORE(A0), 0);
    rounds(1, 3);
    ram[PLACE] = EBREAK;
    debug("single steps", KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP, EINVAL);
    debug("a debugger", KVM_GUESTDBG_ENABLE, 0);
    stops_at("where it stops", PLACE);
    stops_at("where it stops again", PLACE);
    expect("what it has done", (long)reg_get(CORE(A1)), 3);
    ram[PLACE] = code[PLACE];
    debug("a breakpoint less", KVM_GUESTDBG_ENABLE, 0);
    rounds(4, 3);
    expect("what stood there", (long)reg_get(CORE(A1)), 5 + 8);
}

static void own(void)
{
    reg_set(CORE(0), RAM + 4 * OWN);
    stops_at("the guest's own", OWN);
    reg_set(CSR(STVEC), RAM + 4 * HANDLER);
    debug("no debugger", 0, 0);
    run_to(KVM_EXIT_MMIO);
    expect("its handler's store", *(long *)run->mmio.data, 0);
    expect("where it was", (long)reg_get(CSR(SEPC)), RAM + 4 * OWN);
    expect("its cause", (long)reg_get(CSR(SCAUSE)), 3);
}

static void user(void)
{
    debug("a debugger", KVM_GUESTDBG_ENABLE, 0);
    reg_set(CORE(0), RAM + 4 * USER);
    reg_set(MODE, 0);
    stops_at("user mode's", USER);
    debug("no debugger", 0, 0);
    run_to(KVM_EXIT_MMIO);
    expect("where user mode was", (long)reg_get(CSR(SEPC)), RAM + 4 * USER);
}

int main(void)
{
    begin("debug");
    ram = (volatile uint32_t *)load(code, sizeof(code), PAGE);
    expect("CAP_SET_GUEST_DEBUG", ioctl(vm, KVM_CHECK_EXTENSION, CAP_SET_GUEST_DEBUG), 1);
    breakpoints();
    own();
    user();
    printf("debug: all good\n");
    return 0;
}
