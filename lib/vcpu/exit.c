/* SPDX-License-Identifier: BSD-2-Clause */
/* One table from an exit's reason to its handler. */
#include "lib/vcpu/exit.h"

#include "caldarium/caldarium.h"
#include "lib/sbi/sbi.h"
#include "lib/vm/vm.h"
#include "host/host.h"
#include "riscv/cause.h"
#include "riscv/csr.h"

/* Where the handler's own first instruction traps, it will for ever: nothing that the guest does
 * can change that. */
static void inject(struct cald_vcpu *vcpu, uint64_t cause, uint64_t tval)
{
    uint64_t pc = vcpu->eng.pc;
    vcpu->eng.ops->inject(&vcpu->eng, cause, tval);
    if (vcpu->eng.pc == pc)
        vcpu_fault(vcpu,
                   "double trap: the first instruction of its trap handler traps too, "
                   "cause %lu (%s), address %#lx",
                   cause, riscv_cause_name(cause), tval);
}

/* The mailboxes, which the loop looks at anyway, are all that an interrupt means to a guest. */
static void on_interrupt(struct cald_vcpu *vcpu, const struct exit *exit)
{
    (void)vcpu;
    (void)exit;
}

/* The host has first to get the page: nothing has been done, and the guest does the same again. */
static void page_out(struct cald_vcpu *vcpu, uint64_t gpa, bool write)
{
    vcpu->pending.exit.gpa = gpa;
    vcpu->pending.write = write;
    vcpu->why = CALD_PAGE;
}

static void on_sbi(struct cald_vcpu *vcpu, const struct exit *exit)
{
    (void)exit;
    vcpu->eng.absent = false;
    sbi_handle(vcpu);
    if (vcpu->eng.absent)
        page_out(vcpu, vcpu->eng.absent_gpa, vcpu->eng.absent_write);
}

/* A load or store of what is no register. */
void exit_no_device(struct cald_vcpu *vcpu, const struct exit *exit)
{
    vcpu->fw_count[exit->access.store ? FW_ACCESS_STORE : FW_ACCESS_LOAD]++;
    inject(vcpu, exit->access.store ? CAUSE_STORE_ACCESS : CAUSE_LOAD_ACCESS, exit->gva);
}

static void on_mmio(struct cald_vcpu *vcpu, const struct exit *exit)
{
    const struct riscv_access *access = &exit->access;
    uint64_t *gpr = vcpu->eng.gpr;
    int answer;
    if (access->store) {
        answer = bus_write(&vcpu->vm->bus, vcpu, exit->gpa, access->width, gpr[access->reg]);
    } else {
        uint64_t raw = 0;
        answer = bus_read(&vcpu->vm->bus, vcpu, exit->gpa, access->width, &raw);
        if (!answer && access->reg)
            gpr[access->reg] = riscv_load_value(access, raw);
    }
    if (!answer)
        vcpu->eng.pc += access->insn_bytes;
    else if (answer == CALD_EBUSY)
        vcpu->why = CALD_YIELD; /* others may go first; interrupts come in between */
    else if (answer == CALD_ENOENT)
        pending_out(vcpu, CALD_MMIO, exit);
    else
        exit_no_device(vcpu, exit);
}

/* Atomics, FP and vector accesses find no register to talk to: what a real bus answers. */
static void on_undecoded(struct cald_vcpu *vcpu, const struct exit *exit)
{
    bool load = exit->cause == CAUSE_LOAD_GUEST_PAGE;
    inject(vcpu, load ? CAUSE_LOAD_ACCESS : CAUSE_STORE_ACCESS, exit->gva);
}

static void on_fetch_fault(struct cald_vcpu *vcpu, const struct exit *exit)
{
    inject(vcpu, exit->cause, exit->gva);
}

static void on_breakpoint(struct cald_vcpu *vcpu, const struct exit *exit)
{
    if (vcpu->breakpoints_exit)
        vcpu->why = CALD_BREAKPOINT;
    else
        inject(vcpu, CAUSE_BREAKPOINT, exit->gva);
}

void exit_illegal(struct cald_vcpu *vcpu, const struct exit *exit)
{
    vcpu->fw_count[FW_ILLEGAL_INSN]++;
    inject(vcpu, CAUSE_ILLEGAL, exit->insn);
}

/* Counters are the only CSRs that a guest is allowed and that are not its own: `cycle` and
 * `instret` as its SBI PMU shows them, and the counters that it doesn't have as zero. `time` comes
 * here where the engine can't have the hart show the VM's own. */
static void on_csr(struct cald_vcpu *vcpu, const struct exit *exit)
{
    struct riscv_csr_op op;
    if (!riscv_decode_csr(exit->insn, &op) || op.writes || op.csr < CSR_CYCLE ||
        op.csr > CSR_HPMCOUNTER31 || !engine_counter_open(&vcpu->eng, op.csr - CSR_CYCLE)) {
        if (vcpu->vm->csrs_go_out && !engine_in_user(&vcpu->eng))
            pending_out(vcpu, CALD_CSR_ACCESS, exit);
        else
            exit_illegal(vcpu, exit);
        return;
    }
    if (op.rd && op.csr == CSR_TIME)
        vcpu->eng.gpr[op.rd] = host_time() + vcpu->vm->eng.time_delta;
    else if (op.rd)
        vcpu->eng.gpr[op.rd] = op.csr == CSR_CYCLE || op.csr == CSR_INSTRET
                                   ? engine_counter_value(&vcpu->eng, op.csr - CSR_CYCLE)
                                   : 0;
    vcpu->eng.pc += 4;
}

/* Where WFI exits, somebody else can have the hart until an interrupt comes. User mode may not wait
 * for one, as on a machine whose WFI takes its time (privileged manual, "Wait for Interrupt").
 * Zawrs's waits, which are for user mode too, end with a store that nobody tells us of: they let
 * others go first. */
static void on_wfi(struct cald_vcpu *vcpu, const struct exit *exit)
{
    if (exit->insn == INSN_WFI && engine_in_user(&vcpu->eng)) {
        exit_illegal(vcpu, exit);
        return;
    }
    vcpu->eng.pc += 4;
    vcpu->why = exit->insn == INSN_WFI ? CALD_WAIT : CALD_YIELD;
}

static void on_page(struct cald_vcpu *vcpu, const struct exit *exit)
{
    page_out(vcpu, exit->gpa, exit->write);
}

static void on_error(struct cald_vcpu *vcpu, const struct exit *exit)
{
    vcpu_fault(vcpu, "trap that no guest should cause: scause %#lx stval %#lx", exit->cause,
               exit->gva);
}

/* The hot ones have been answered by the engine. */
static void (*const handlers[EXIT_REASONS])(struct cald_vcpu *vcpu, const struct exit *exit) = {
    [EXIT_INTERRUPT] = on_interrupt,
    [EXIT_SBI] = on_sbi,
    [EXIT_MMIO] = on_mmio,
    [EXIT_FETCH_FAULT] = on_fetch_fault,
    [EXIT_CSR] = on_csr,
    [EXIT_WFI] = on_wfi,
    [EXIT_ILLEGAL] = exit_illegal,
    [EXIT_BREAKPOINT] = on_breakpoint,
    [EXIT_UNDECODED] = on_undecoded,
    [EXIT_PAGE] = on_page,
    [EXIT_ERROR] = on_error,
};

void exit_handle(struct cald_vcpu *vcpu, const struct exit *exit)
{
    handlers[exit->reason](vcpu, exit);
}
