/* SPDX-License-Identifier: BSD-2-Clause */
/* Running a guest until an exit, and turning the trap into an exit record. The hot exits that are
 * not SBI calls are answered here too, before h_enter() returns. */
#include <stddef.h>

#include "lib/engine/common/kick.h"
#include "lib/engine/h/h.h"
#include "lib/engine/common/offsets.h"
#include "lib/engine/hot.h"
#include "host/host.h"
#include "lib/common/line.h"
#include "riscv/asm.h"

_Static_assert(offsetof(struct engine_vcpu, gpr) == V_GPR(0), "entry.S");
_Static_assert(offsetof(struct engine_vcpu, pc) == V_PC, "entry.S");
_Static_assert(offsetof(struct engine_vcpu, host_sp) == V_HOST_SP, "entry.S");
_Static_assert(offsetof(struct engine_vcpu, exits[EXIT_HOT_SBI_BASE]) == V_EXITS_SBI_BASE, "");
_Static_assert(offsetof(struct engine_vcpu, exits[EXIT_HOT_SBI_TIME]) == V_EXITS_SBI_TIME, "");
_Static_assert(offsetof(struct engine_vcpu, exits[EXIT_HOT_PRIVILEGED]) == V_EXITS_PRIVILEGED, "");
_Static_assert(offsetof(struct engine_vcpu, sbi_ids[2]) == V_SBI_ID(2), "entry.S");
_Static_assert(offsetof(struct engine_vcpu, vm) == V_VM, "entry.S");
_Static_assert(offsetof(struct engine_vm, sbi_base) == 0, "entry.S");
_Static_assert(offsetof(struct engine_vcpu, counter[1].mask) == V_COUNTER_MASK(1), "entry.S");
_Static_assert(offsetof(struct engine_vcpu, counter[1].offset) == V_COUNTER_OFFSET(1), "entry.S");
_Static_assert(offsetof(struct engine_vcpu, h.own_timer) == V_H_OWN_TIMER, "entry.S");

/* htinst's pseudoinstructions: the access was the hart's own walk of the guest's first-stage tables
 * (privileged manual, "Transformed Instruction or Pseudoinstruction for mtinst or htinst"). */
#define WALK_READS 0x3000
#define WALK_WRITES 0x3020 /* accessed and dirty bits */
static bool is_walk(uint64_t htinst)
{
    return htinst == WALK_READS || htinst == WALK_WRITES;
}

/* What the second stage has to allow: `needed`, or what such a walk does. */
static uint64_t walk_needs(uint64_t needed)
{
    uint64_t htinst = csr_read(CSR_HTINST);
    return !is_walk(htinst) ? needed : htinst == WALK_WRITES ? PTE_W : PTE_R;
}

static uint64_t fault_gpa(void)
{
    /* htval holds the address shifted right by two, stval has the two bits that are missing. */
    return csr_read(CSR_HTVAL) << 2 | (csr_read(CSR_STVAL) & 3);
}

/* Registers of an interrupt file trap where hstatus.VGEIN names none: the guest's is in memory (AIA
 * specification 2.3, "VS-level"). */
static bool file_register(struct engine_vcpu *v, const struct riscv_csr_op *op)
{
    if (!machine_has(v->vm->machine, CALD_MACHINE_AIA) ||
        (op->csr != CSR_STOPEI && op->csr != CSR_SIREG) || !hot_csr(v, op, csr_read(CSR_VSISELECT)))
        return false;
    v->exits[EXIT_HOT_FILE]++;
    return true;
}

/* senvcfg traps where the hart's has bits of extensions that are hidden from the guest. The
 * register is the hart's own all the same: the guest's user mode obeys it. */
static bool senvcfg(struct engine_vcpu *v, const struct riscv_csr_op *op)
{
    if (op->csr != CSR_SENVCFG || !v->vm->machine->told.senvcfg) /* then firmware keeps it closed */
        return false;
    uint64_t before = csr_read(CSR_SENVCFG);
    uint64_t operand = op->funct3 & 4 ? op->rs1_or_imm : v->gpr[op->rs1_or_imm];
    unsigned kind = op->funct3 & 3;
    uint64_t value = kind == 1 ? operand : kind == 2 ? before | operand : before & ~operand;
    if (op->writes)
        csr_write(CSR_SENVCFG, value & v->vm->h.senvcfg);
    if (op->rd)
        v->gpr[op->rd] = before;
    v->exits[EXIT_HOT_PRIVILEGED]++;
    return true;
}

/* A read of `cycle` or `instret` that entry.S didn't know, for stval told nothing of it. User mode
 * reads them where the guest's scounteren lets it. */
static bool counter(struct engine_vcpu *v, uint32_t insn)
{
    if (!engine_reads_counter(insn) ||
        !(csr_read(CSR_SSTATUS) & SSTATUS_SPP || csr_read(CSR_SCOUNTEREN) >> (insn >> 20 & 2) & 1))
        return false;
    engine_read_counter(v, insn);
    v->exits[EXIT_HOT_PRIVILEGED]++;
    return true;
}

/* A CSR that is ours to answer. */
static bool own_csr(struct engine_vcpu *v, uint32_t insn)
{
    struct riscv_csr_op op;
    if (counter(v, insn))
        return true;
    return insn && riscv_decode_csr(insn, &op) && csr_read(CSR_SSTATUS) & SSTATUS_SPP &&
           (file_register(v, &op) || senvcfg(v, &op));
}

/* What the faulting instruction does, where htinst is zero, as it may always be but for a hart's
 * own walk whose address is told (privileged manual, "Transformed Instruction or Pseudoinstruction
 * for mtinst or htinst"). Execute permission is enough to read it. A fault of this read's own
 * overwrites what the guest goes on with: that is put back, and *again is set: another vCPU changed
 * the page, and the guest runs into that itself. */
static __attribute__((noinline)) bool fetch_access(struct riscv_access *access, bool *again)
{
    uint64_t pc = csr_read(CSR_SEPC), hstatus = csr_read(CSR_HSTATUS);
    uint64_t sstatus = csr_read(CSR_SSTATUS);
    uint32_t insn;
    *again = false;
    if (!csr_read(CSR_HTVAL)) /* then it may be such a walk */
        return false;
    if (h_fetch_insn(pc, &insn))
        return riscv_decode_access(insn, access);
    csr_write(CSR_SEPC, pc);
    csr_write(CSR_HSTATUS, hstatus);
    csr_write(CSR_SSTATUS, sstatus);
    *again = true;
    return false;
}

bool h_hot_fault(struct engine_vcpu *v)
{
    struct riscv_access access;
    bool again;
    if (csr_read(CSR_SCAUSE) == CAUSE_VIRTUAL_INSN) {
        if (!own_csr(v, (uint32_t)csr_read(CSR_STVAL)))
            return false;
        csr_write(CSR_SEPC, csr_read(CSR_SEPC) + 4);
        return true;
    }
    uint32_t htinst = (uint32_t)csr_read(CSR_HTINST);
    if (!htinst) {
        if (!fetch_access(&access, &again))
            return again;
    } else if (!riscv_decode_transformed(htinst, &access)) {
        return false;
    }
    if (!hot_device(v, fault_gpa(), &access))
        return false;
    csr_write(CSR_SEPC, csr_read(CSR_SEPC) + access.insn_bytes);
    return true;
}

bool h_hot_interrupt(struct engine_vcpu *v, uint64_t cause)
{
    uint64_t number = cause & ~CAUSE_INTERRUPT;
    if (engine_kick_taken(v, number)) {
        v->exits[EXIT_HOT_KICK]++;
        return hot_mail(v);
    }
    /* Where vstimecmp isn't the guest's, its timer is ours. Anything else that waits for this timer
     * sees to it in the slow path, which comes next if the host's own deadline has passed too. */
    if (number != IRQ_S_TIMER || !h_timer_due(v))
        return false;
    v->exits[EXIT_HOT_TIMER]++;
    return true;
}

bool h_in_user(const struct engine_vcpu *v)
{
    return !(v->h.sstatus & SSTATUS_SPP);
}

/* What the second stage lacks of RAM, or of the right to write it, is entered, and the guest tries
 * again; or the host has first to get it. True: so it was. */
static bool memory_fault(struct engine_vcpu *v, struct exit *exit, uint64_t needed)
{
    enum memory_is is = h_fault(v, exit->gpa, needed);
    exit->write = needed == PTE_W;
    exit->reason = is == MEMORY_ABSENT ? EXIT_PAGE : EXIT_INTERRUPT;
    return is != MEMORY_NOTHING;
}

/* A load or store where no RAM is: what does the instruction do? */
static void classify_access(struct engine_vcpu *v, struct exit *exit)
{
    uint64_t htinst = csr_read(CSR_HTINST);
    exit->gpa = fault_gpa();
    if (memory_fault(v, exit, walk_needs(exit->cause == CAUSE_STORE_GUEST_PAGE ? PTE_W : PTE_R)))
        return;
    if (is_walk(htinst)) {
        exit->reason = EXIT_FETCH_FAULT;
        exit->cause = exit->cause == CAUSE_LOAD_GUEST_PAGE ? CAUSE_LOAD_ACCESS : CAUSE_STORE_ACCESS;
        return;
    }
    exit->reason = EXIT_MMIO;
    if (riscv_decode_transformed((uint32_t)htinst, &exit->access))
        return;
    if (!h_fetch_insn(v->pc, &exit->insn)) {
        /* Another vCPU changed the page under us: let the guest run into it again. */
        exit->reason = EXIT_INTERRUPT;
        return;
    }
    if (!riscv_decode_access(exit->insn, &exit->access))
        exit->reason = EXIT_UNDECODED;
}

/* A virtual-instruction exception: legal for a hart with the right permissions, not for this guest.
 */
static void classify_virtual(struct engine_vcpu *v, struct exit *exit)
{
    struct riscv_csr_op op;
    exit->insn = (uint32_t)exit->gva; /* stval holds the instruction, or zero */
    exit->gva = 0;
    if (!exit->insn && !h_fetch_insn(v->pc, &exit->insn)) {
        exit->reason = EXIT_INTERRUPT;
        return;
    }
    if (own_csr(v, exit->insn)) {
        v->pc += 4; /* where stval told nothing of the instruction */
        exit->reason = EXIT_INTERRUPT;
        return;
    }
    if (exit->insn == INSN_WFI || exit->insn == INSN_WRS_NTO)
        exit->reason = EXIT_WFI;
    else if (riscv_decode_csr(exit->insn, &op))
        exit->reason = EXIT_CSR;
    else
        exit->reason = EXIT_ILLEGAL;
}

static void classify(struct engine_vcpu *v, struct exit *exit)
{
    if (exit->cause & CAUSE_INTERRUPT) {
        exit->reason = EXIT_INTERRUPT;
        return;
    }
    switch (exit->cause) {
    case CAUSE_VS_ECALL:
        exit->reason = EXIT_SBI;
        break;
    case CAUSE_LOAD_GUEST_PAGE:
    case CAUSE_STORE_GUEST_PAGE:
        classify_access(v, exit);
        break;
    case CAUSE_INSN_GUEST_PAGE:
        exit->gpa = fault_gpa();
        if (memory_fault(v, exit, walk_needs(PTE_X)))
            break;
        exit->reason = EXIT_FETCH_FAULT;
        exit->cause = CAUSE_INSN_ACCESS;
        break;
    case CAUSE_BREAKPOINT:
        exit->reason = EXIT_BREAKPOINT;
        break;
    case CAUSE_VIRTUAL_INSN:
        classify_virtual(v, exit);
        break;
    default:
        exit->reason = EXIT_ERROR;
    }
}

void h_run(struct engine_vcpu *v, struct exit *exit)
{
    uint64_t vector = csr_read(CSR_STVEC), scratch = csr_read(CSR_SSCRATCH);
    uint64_t status = csr_read(CSR_SSTATUS);
    csr_write(CSR_SEPC, v->pc);
    csr_write(CSR_HSTATUS, v->h.hstatus | (v->trap_wfi ? HSTATUS_VTW : 0));
    csr_write(CSR_SSTATUS, v->h.sstatus);
    csr_write(CSR_STVEC, (uint64_t)h_trap);
    h_enter(v);
    csr_write(CSR_STVEC, vector);
    csr_write(CSR_SSCRATCH, scratch);
    v->pc = csr_read(CSR_SEPC);
    /* SPV goes, or the host's next sret, back to a task of its own, would lead into the guest. */
    v->h.hstatus = csr_read_clear(CSR_HSTATUS, HSTATUS_SPV) & ~(HSTATUS_GVA | HSTATUS_VTW);
    v->h.sstatus = csr_read(CSR_SSTATUS);
    *exit = (struct exit){.cause = csr_read(CSR_SCAUSE), .gva = csr_read(CSR_STVAL)};
    classify(v, exit);
    csr_write(CSR_SSTATUS,
              status); /* last: a fault while the guest's instruction is read changes it */
    v->exits[exit->reason]++;
}
