/* SPDX-License-Identifier: BSD-2-Clause */
/* cald_vcpu_run(): why it returns, and what wakes a vCPU that waits. */
#include "tests/unit/guests.h"

#include "caldarium/caldarium.h"
#include "caldarium/devices.h"
#include "riscv/cause.h"
#include "riscv/csr.h"

#define PC 0x80001000UL
#define HART 3

#define first (&guest_vcpus[0])
#define second (&guest_vcpus[1])
static struct cald_exit out;

static int set_up(void **state)
{
    (void)state;
    guest_describe(16);
    assert_int_equal(memory_take(&guest_vm), 0);
    assert_int_equal(cald_vm_start(guest, PC, 77), CALD_OK);
    atomic_store(&first->mailbox, 0);
    sim_kicks = 0;
    atomic_store(&guest_vm.state, VM_RUNNING);
    out = (struct cald_exit){0};
    return 0;
}

static enum cald_why run(struct cald_vcpu *vcpu)
{
    return cald_vcpu_run(vcpu, HART, &out);
}

/* The first vCPU runs, and has taken the mail that a start leaves it. */
static void start(void)
{
    assert_int_equal(run(first), CALD_AGAIN);
    assert_int_equal(run(first), CALD_AGAIN);
    assert_int_equal(guest_runs, 0);
}

static void sbi_call(struct cald_vcpu *vcpu, uint64_t extension, uint64_t function, uint64_t a0,
                     uint64_t a1, uint64_t a2)
{
    uint64_t *gpr = vcpu->eng.gpr;
    gpr[17] = extension;
    gpr[16] = function;
    gpr[10] = a0;
    gpr[11] = a1;
    gpr[12] = a2;
    guest_exit = (struct exit){.reason = EXIT_SBI};
}

static void wait_for_interrupt(void)
{
    guest_exit = (struct exit){.reason = EXIT_WFI, .insn = INSN_WFI};
    assert_int_equal(run(first), CALD_WAIT);
}

static void test_start(void **state)
{
    (void)state;
    start();
    assert_true(first->eng.trap_wfi);
    assert_true(first->eng.loaded);
    assert_int_equal(atomic_load(&first->hart), HART);
    assert_int_equal(guest_began_at, PC);
    assert_int_equal(first->eng.gpr[11], 77);
    assert_int_equal(run(first), CALD_AGAIN);
    assert_int_equal(guest_runs, 1);
}

static void test_stopped_until_started(void **state)
{
    (void)state;
    assert_int_equal(run(second), CALD_WAIT);
    assert_true(out.off_hart);
    assert_false(second->eng.loaded);
    assert_true(out.until == UINT64_MAX);
    assert_false(cald_vcpu_pending(second));
    start();
    sbi_call(first, SBI_EXT_HSM, 0, 1, PC + 16, 5);
    assert_int_equal(run(first), CALD_AGAIN);
    assert_true(cald_vcpu_pending(second));
    assert_ptr_equal(sim_kicked, second); /* host_wake() */
    assert_int_equal(run(second), CALD_AGAIN);
    assert_int_equal(guest_began_at, PC + 16);
    assert_int_equal(second->eng.gpr[11], 5);
    /* And stopped again: nothing is left on the hart. */
    assert_int_equal(run(second), CALD_AGAIN);
    sbi_call(second, SBI_EXT_HSM, 1, 0, 0, 0);
    assert_int_equal(run(second), CALD_AGAIN);
    assert_int_equal(run(second), CALD_WAIT);
    assert_true(out.off_hart);
    assert_false(second->eng.loaded);
}

/* A fence for one that waits does not wake it: the flush is left for its next run. */
static void test_wait_for_interrupt(void **state)
{
    (void)state;
    start();
    guest_timer = 1234;
    wait_for_interrupt();
    assert_false(out.off_hart);
    assert_true(first->eng.loaded);
    assert_int_equal(out.until, 1234);
    assert_false(cald_vcpu_pending(first));
    vcpu_fence_others(second, 1, &(struct fence){.kind = FENCE_ALL});
    assert_false(cald_vcpu_pending(first));
    assert_int_equal(sim_kicks, 0);
    vcpu_mail(first, MAIL_SOFT);
    assert_true(cald_vcpu_pending(first));
    assert_int_equal(sim_kicks, 1);
    guest_runs = guest_fences = 0;
    assert_int_equal(run(first), CALD_AGAIN);
    assert_int_equal(guest_fences, 2);
    assert_true(guest_sip >> GUEST_IRQ_SOFT & 1);
    /* With an interrupt that waits, WFI is over at once. */
    assert_int_equal(run(first), CALD_AGAIN);
    assert_int_equal(guest_runs, 1);
}

static void test_timer(void **state)
{
    (void)state;
    start();
    guest_timer = 1000;
    wait_for_interrupt();
    sim_time = 1000;
    cald_vcpu_timer(first);
    assert_true(cald_vcpu_pending(first));
    assert_int_equal(run(first), CALD_AGAIN);
    assert_true(guest_sip >> GUEST_IRQ_TIMER & 1);
}

/* It sleeps off its hart, and is still woken; one that was put while it could run is not. */
static void test_mail_wakes_who_waits(void **state)
{
    (void)state;
    start();
    wait_for_interrupt();
    cald_vcpu_put(first);
    assert_false(first->eng.loaded);
    assert_false(cald_vcpu_pending(first));
    cald_vcpu_messages(first);
    assert_int_equal(sim_kicks, 1);
    assert_true(cald_vcpu_pending(first));
    guest_exit = (struct exit){.reason = EXIT_INTERRUPT};
    assert_int_equal(run(first), CALD_AGAIN);
    assert_true(first->eng.loaded);
    cald_vcpu_put(first);
    assert_false(first->eng.loaded);
    cald_vcpu_messages(first);
    assert_int_equal(sim_kicks, 1);
}

static void test_suspended(void **state)
{
    (void)state;
    start();
    sbi_call(first, SBI_EXT_HSM, 3, 0, 0, 0);
    assert_int_equal(run(first), CALD_AGAIN);
    assert_int_equal(run(first), CALD_WAIT);
    assert_false(out.off_hart);
    vcpu_mail(first, MAIL_SOFT);
    assert_true(cald_vcpu_pending(first));
    uint64_t pc = first->eng.pc;
    assert_int_equal(run(first), CALD_AGAIN);
    assert_int_equal(first->eng.pc, pc + 4);
    assert_int_equal(atomic_load(&first->hsm), SBI_HSM_STARTED);
}

static void request_inside(struct cald_vcpu *vcpu)
{
    guest_in = NULL;
    cald_vcpu_request(vcpu);
}

static void test_request(void **state)
{
    (void)state;
    start();
    cald_vcpu_request(first);
    assert_int_equal(run(first), CALD_REQUEST);
    assert_int_equal(run(first), CALD_AGAIN); /* once */
    guest_in = request_inside;
    assert_int_equal(run(first), CALD_AGAIN);
    assert_int_equal(run(first), CALD_REQUEST);
    /* Out of a wait, and for one whose host leaves it out of the guest for long. */
    wait_for_interrupt();
    sim_kicks = 0;
    cald_vcpu_request(first);
    assert_true(cald_vcpu_pending(first));
    cald_vcpu_request(first);
    assert_int_equal(sim_kicks, 2);
    assert_int_equal(run(first), CALD_REQUEST);
    cald_vcpu_request(second); /* it is stopped */
    assert_int_equal(run(second), CALD_REQUEST);
    assert_int_equal(run(second), CALD_WAIT);
    sbi_call(first, SBI_EXT_HSM, 3, 0, 0, 0);
    assert_int_equal(run(first), CALD_AGAIN);
    assert_int_equal(run(first), CALD_WAIT);
    cald_vcpu_request(first);
    assert_int_equal(run(first), CALD_REQUEST);
    assert_int_equal(run(first), CALD_WAIT);
}

/* Polls let others go first: Zawrs's wait, and a console without room. */
static void test_yield(void **state)
{
    (void)state;
    start();
    guest_exit = (struct exit){.reason = EXIT_WFI, .insn = INSN_WRS_NTO};
    assert_int_equal(run(first), CALD_YIELD);
    sim_console_room = 0;
    sbi_call(first, SBI_EXT_DBCN, 2, 'x', 0, 0);
    assert_int_equal(run(first), CALD_YIELD);
    sim_console_room = 1;
    assert_int_equal(run(first), CALD_AGAIN);
}

static void test_pages_forgotten(void **state)
{
    (void)state;
    start();
    assert_true(cald_vcpu_has_forgotten(first, 9)); /* in no guest code */
    vcpu_enter_mode(first, VCPU_GUEST);
    assert_false(cald_vcpu_has_forgotten(first, 9));
    atomic_store(&first->maps_seen, 9);
    assert_true(cald_vcpu_has_forgotten(first, 9));
}

static void test_steal(void **state)
{
    (void)state;
    uint64_t steal;
    start();
    sbi_call(first, SBI_EXT_STA, 0, PC & ~63UL, 0, 0);
    assert_int_equal(run(first), CALD_AGAIN);
    cald_vcpu_put(first);
    cald_vcpu_steal(first, 10);
    assert_int_equal(run(first), CALD_AGAIN);
    assert_true(vm_read(guest, (PC & ~63UL) + 8, &steal, 8));
    assert_int_equal(steal, 1000);
}

/* Interrupts that the host shows: as they are, until it says otherwise, across a new start too. */
static void test_lines(void **state)
{
    (void)state;
    start();
    assert_int_equal(cald_vcpu_irq(first, GUEST_IRQ_EXTERNAL, true), CALD_ENOTSUP); /* the PLIC's */
    assert_int_equal(cald_vcpu_irq(first, 3, true), CALD_EINVAL);
    assert_int_equal(cald_vcpu_irq(first, 33, true), CALD_EINVAL);
    guest->irqchip = CALD_IRQCHIP_NONE; /* as if it had none */
    wait_for_interrupt();
    assert_int_equal(cald_vcpu_irq(first, GUEST_IRQ_EXTERNAL, true), CALD_OK);
    assert_true(cald_vcpu_pending(first));
    assert_int_equal(sim_kicks, 1);
    guest_exit = (struct exit){.reason = EXIT_INTERRUPT};
    assert_int_equal(run(first), CALD_AGAIN);
    assert_int_equal(guest_sip, 1UL << GUEST_IRQ_EXTERNAL);
    assert_int_equal(cald_vcpu_irq(first, GUEST_IRQ_TIMER, true), CALD_OK);
    assert_int_equal(cald_vcpu_irq(first, GUEST_IRQ_EXTERNAL, false), CALD_OK);
    assert_int_equal(run(first), CALD_AGAIN);
    assert_int_equal(guest_sip, 1UL << GUEST_IRQ_TIMER);
    guest_sip = 0;
    atomic_store(&first->hsm, SBI_HSM_START_PENDING);
    assert_int_equal(run(first), CALD_AGAIN);
    assert_int_equal(run(first), CALD_AGAIN);
    assert_int_equal(guest_sip, 1UL << GUEST_IRQ_TIMER);
}

/* One whose host does other things after a run: a fence doesn't wait for it, and is not lost. */
static void test_host_with_other_work(void **state)
{
    (void)state;
    guest_machine.told.flags &= ~CALD_MACHINE_KICKS_ARE_OURS;
    vcpu_init(first, guest, 0);
    atomic_store(&first->hsm, SBI_HSM_START_PENDING);
    assert_int_equal(first->eng.kick_irq, ENGINE_NO_IRQ);
    start();
    assert_int_equal(run(first), CALD_AGAIN);
    assert_true(first->eng.loaded);
    assert_int_equal(atomic_load(&first->mode), VCPU_AWAY);
    guest_fences = 0;
    vcpu_fence_others(second, 1, &(struct fence){.kind = FENCE_VMA, .start = 1, .size = 1});
    assert_int_equal(guest_fences, 0);
    assert_int_equal(run(first), CALD_AGAIN);
    assert_int_equal(guest_fences, 2);
    /* A wait is one all the same: mail wakes it. */
    wait_for_interrupt();
    vcpu_mail(first, MAIL_SOFT);
    assert_int_equal(sim_kicks, 1);
}

/* A load of 2 bytes, sign-extended, into a5 at an address where nothing is. */
static void load_from_nowhere(void)
{
    guest_exit =
        (struct exit){.reason = EXIT_MMIO,
                      .cause = CAUSE_LOAD_GUEST_PAGE,
                      .gva = 0x4444,
                      .gpa = 0x20001000,
                      .access = {.width = 2, .reg = 15, .sign_extend = true, .insn_bytes = 2}};
    first->eng.pc = PC;
}

static void test_load_goes_out(void **state)
{
    (void)state;
    start();
    load_from_nowhere();
    assert_int_equal(run(first), CALD_MMIO);
    assert_int_equal(out.gpa, 0x20001000);
    assert_int_equal(out.width, 2);
    assert_false(out.write);
    assert_int_equal(first->eng.pc, PC);
    /* Until it is completed the guest doesn't run. */
    guest_runs = 0;
    out = (struct cald_exit){0};
    assert_int_equal(run(first), CALD_MMIO);
    assert_int_equal(out.gpa, 0x20001000);
    assert_int_equal(guest_runs, 0);
    cald_vcpu_complete(first, CALD_OK, 0x8001);
    assert_int_equal(first->eng.gpr[15], 0xffffffffffff8001);
    assert_int_equal(first->eng.pc, PC + 2);
    guest_exit = (struct exit){.reason = EXIT_INTERRUPT};
    assert_int_equal(run(first), CALD_AGAIN);
    assert_int_equal(guest_runs, 1);
}

static void test_store_goes_out(void **state)
{
    (void)state;
    start();
    load_from_nowhere();
    guest_exit.access.store = true;
    first->eng.gpr[15] = 77;
    assert_int_equal(run(first), CALD_MMIO);
    assert_true(out.write);
    assert_int_equal(out.value, 77);
    cald_vcpu_complete(first, CALD_OK, 1);
    assert_int_equal(first->eng.gpr[15], 77);
    assert_int_equal(first->eng.pc, PC + 2);
}

static void test_access_that_the_host_refuses(void **state)
{
    (void)state;
    start();
    load_from_nowhere();
    assert_int_equal(run(first), CALD_MMIO);
    cald_vcpu_complete(first, CALD_EFAULT, 0);
    assert_int_equal(guest_cause, 0); /* at the next run, on its hart */
    assert_int_equal(run(first), CALD_AGAIN);
    assert_int_equal(guest_cause, CAUSE_LOAD_ACCESS);
    assert_int_equal(guest_tval, 0x4444);
    assert_int_equal(first->eng.pc, guest_handler);
    assert_int_equal(first->fw_count[FW_ACCESS_LOAD], 1);
    first->eng.pc = PC;
    assert_int_equal(run(first), CALD_MMIO);
    /* Put in between, and a request comes first. */
    cald_vcpu_complete(first, CALD_EFAULT, 0);
    cald_vcpu_put(first);
    cald_vcpu_request(first);
    assert_int_equal(run(first), CALD_REQUEST);
    guest_cause = 0;
    assert_int_equal(run(first), CALD_AGAIN);
    assert_int_equal(guest_cause, CAUSE_LOAD_ACCESS);
}

/* What is completed later would change what was read before, or what was written: neither is
 * possible. What was refused is forgotten with what is set. */
static void test_no_state_while_an_access_waits(void **state)
{
    (void)state;
    const uint32_t item = CALD_HSM + CALD_HSM_STATE;
    uint64_t value;
    start();
    load_from_nowhere();
    assert_int_equal(run(first), CALD_MMIO);
    cald_vcpu_put(first);
    assert_int_equal(cald_vcpu_get(first, item, &value), CALD_EBUSY);
    assert_int_equal(cald_vcpu_set(first, item, SBI_HSM_STARTED), CALD_EBUSY);
    assert_int_equal(cald_vcpu_items(first, NULL, 0), 0);
    cald_vcpu_complete(first, CALD_OK, 0x8001);
    assert_int_equal(cald_vcpu_get(first, item, &value), CALD_OK);
    load_from_nowhere();
    assert_int_equal(run(first), CALD_AGAIN); /* it was put: its mail */
    assert_int_equal(run(first), CALD_MMIO);
    cald_vcpu_put(first);
    cald_vcpu_complete(first, CALD_EFAULT, 0);
    assert_int_equal(cald_vcpu_get(first, item, &value), CALD_OK);
    assert_int_equal(first->eng.pc, PC); /* saved, it makes the access again */
    assert_int_equal(cald_vcpu_set(first, item, SBI_HSM_STARTED), CALD_OK);
    guest_cause = 0;
    assert_int_equal(run(first), CALD_AGAIN);
    assert_int_equal(run(first), CALD_MMIO);
    assert_int_equal(guest_cause, 0);
}

static int region_read(void *device, struct cald_vcpu *vcpu, uint64_t offset, uint32_t width,
                       uint64_t *value)
{
    (void)device, (void)vcpu, (void)width;
    *value = offset;
    return offset == 8 ? CALD_EFAULT : CALD_OK;
}

static int region_write(void *device, struct cald_vcpu *vcpu, uint64_t offset, uint32_t width,
                        uint64_t value)
{
    (void)device, (void)vcpu, (void)offset, (void)width, (void)value;
    return CALD_EBUSY;
}

static void test_access_to_a_region_stays_inside(void **state)
{
    (void)state;
    static const struct cald_region_ops ops = {region_read, region_write};
    assert_int_equal(cald_vm_region(guest, "test", 0x20001000, 16, &ops, NULL), CALD_OK);
    start();
    load_from_nowhere();
    guest_exit.gpa += 4;
    assert_int_equal(run(first), CALD_AGAIN);
    assert_int_equal(first->eng.gpr[15], 4);
    guest_exit.gpa += 4; /* no such register */
    assert_int_equal(run(first), CALD_AGAIN);
    assert_int_equal(guest_cause, CAUSE_LOAD_ACCESS);
    guest_exit.access.store = true; /* busy: again, and others first */
    first->eng.pc = PC;
    assert_int_equal(run(first), CALD_YIELD);
    assert_int_equal(first->eng.pc, PC);
}

static void test_call_goes_out(void **state)
{
    (void)state;
    start();
    guest->sbi_goes_out = true;
    first->eng.pc = PC;
    sbi_call(first, 0x09123456, 3, 11, 12, 13);
    assert_int_equal(run(first), CALD_SBI);
    assert_int_equal(out.extension, 0x09123456);
    assert_int_equal(out.function, 3);
    assert_int_equal(out.args[0], 11);
    assert_int_equal(out.args[2], 13);
    cald_vcpu_complete(first, -3, 5);
    assert_int_equal(first->eng.gpr[10], (uint64_t)-3);
    assert_int_equal(first->eng.gpr[11], 5);
    assert_int_equal(first->eng.pc, PC + 4);
    sbi_call(first, SBI_EXT_BASE, 0, 0, 0, 0); /* the library's own stay inside */
    assert_int_equal(run(first), CALD_AGAIN);
}

/* csrrs a0, 0x5c0, a1; csrrwi zero, 0x5c0, 5; csrrc a0, 0x5c0, zero. */
static void test_register_goes_out(void **state)
{
    (void)state;
    start();
    guest_exit = (struct exit){.reason = EXIT_CSR, .insn = 0x5c05a573};
    first->eng.gpr[11] = 6;
    assert_int_equal(run(first), CALD_AGAIN); /* where none goes out it is illegal */
    assert_int_equal(guest_cause, CAUSE_ILLEGAL);
    guest->csrs_go_out = true;
    first->eng.pc = PC;
    assert_int_equal(run(first), CALD_CSR_ACCESS);
    assert_int_equal(out.csr, 0x5c0);
    assert_int_equal(out.value, 6);
    assert_int_equal(out.mask, 6);
    cald_vcpu_complete(first, CALD_OK, 9);
    assert_int_equal(first->eng.gpr[10], 9);
    assert_int_equal(first->eng.pc, PC + 4);
    guest_exit.insn = 0x5c02d073;
    assert_int_equal(run(first), CALD_CSR_ACCESS);
    assert_int_equal(out.value, 5);
    assert_true(out.mask == UINT64_MAX);
    cald_vcpu_complete(first, CALD_OK, 9);
    assert_int_equal(first->eng.gpr[0], 0);
    guest_exit.insn = 0x5c003573;
    assert_int_equal(run(first), CALD_CSR_ACCESS);
    assert_int_equal(out.mask, 0);
    guest_cause = 0;
    cald_vcpu_complete(first, CALD_EFAULT, 0);
    assert_int_equal(run(first), CALD_AGAIN);
    assert_int_equal(guest_cause, CAUSE_ILLEGAL);
}

static void test_end_of_a_machine(void **state)
{
    (void)state;
    start();
    sbi_call(first, SBI_EXT_SRST, 0, SBI_SRST_SHUTDOWN, 0, 0);
    assert_int_equal(run(first), CALD_OFF);
    assert_int_equal(run(first), CALD_OFF); /* asks again */
    sbi_call(first, SBI_EXT_SRST, 0, SBI_SRST_COLD_REBOOT, 0, 0);
    assert_int_equal(run(first), CALD_RESET);
    assert_int_equal(out.type, CALD_RESET_COLD);
    sbi_call(first, SBI_EXT_SRST, 0, SBI_SRST_WARM_REBOOT, 0, 0);
    assert_int_equal(run(first), CALD_RESET);
    assert_int_equal(out.type, CALD_RESET_WARM);
    sbi_call(first, SBI_EXT_LEGACY_SHUTDOWN, 0, 0, 0, 0);
    assert_int_equal(run(first), CALD_OFF);
    sbi_call(first, SBI_EXT_SUSP, 0, 0, PC + 64, 0);
    assert_int_equal(run(first), CALD_SUSPEND);
    assert_int_equal(run(first), CALD_WAIT);
    vcpu_mail(first, MAIL_SOFT);
    assert_int_equal(run(first), CALD_AGAIN);
    assert_int_equal(guest_began_at, PC + 64);
    sbi_call(first, SBI_EXT_SRST, 0, SBI_SRST_SHUTDOWN, SBI_SRST_REASON_SYSTEM_FAILURE, 0);
    assert_int_equal(run(first), CALD_FAULT);
    assert_non_null(strstr(out.text, "system failure"));
    sbi_call(first, SBI_EXT_HSM, 1, 0, 0, 0);
    assert_int_equal(run(first), CALD_FAULT);
    assert_non_null(strstr(out.text, "last hart"));
    assert_int_equal(run(first), CALD_WAIT);
}

static void test_double_trap(void **state)
{
    (void)state;
    start();
    guest_exit = (struct exit){.reason = EXIT_ILLEGAL};
    first->eng.pc = guest_handler;
    assert_int_equal(run(first), CALD_FAULT);
    assert_non_null(strstr(out.text, "double trap"));
    /* Also where the host's answer leads to it. */
    load_from_nowhere();
    first->eng.pc = guest_handler;
    assert_int_equal(run(first), CALD_MMIO);
    cald_vcpu_complete(first, CALD_EFAULT, 0);
    assert_int_equal(run(first), CALD_FAULT);
    assert_non_null(strstr(out.text, "double trap"));
}

/* A debugger's ebreaks are its own, and the guest's stay the guest's without one. */
static void test_breakpoints(void **state)
{
    (void)state;
    start();
    uint64_t pc = first->eng.pc;
    guest_exit = (struct exit){.reason = EXIT_BREAKPOINT, .gva = pc};
    cald_vcpu_breakpoints(first, true);
    assert_int_equal(run(first), CALD_BREAKPOINT);
    assert_int_equal(run(first), CALD_BREAKPOINT);
    assert_int_equal(cald_vcpu_pc(first), pc);
    cald_vcpu_breakpoints(first, false);
    assert_int_equal(run(first), CALD_AGAIN);
    assert_int_equal(cald_vcpu_pc(first), guest_handler);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_start, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_stopped_until_started, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_wait_for_interrupt, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_timer, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_mail_wakes_who_waits, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_suspended, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_request, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_yield, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_pages_forgotten, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_steal, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_lines, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_host_with_other_work, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_load_goes_out, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_store_goes_out, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_access_that_the_host_refuses, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_no_state_while_an_access_waits, set_up,
                                        guest_tear_down),
        cmocka_unit_test_setup_teardown(test_access_to_a_region_stays_inside, set_up,
                                        guest_tear_down),
        cmocka_unit_test_setup_teardown(test_call_goes_out, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_register_goes_out, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_end_of_a_machine, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_double_trap, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_breakpoints, set_up, guest_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
