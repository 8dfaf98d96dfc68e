/* SPDX-License-Identifier: BSD-2-Clause */
/* Engine shadow's own interior: what its files share. */
#ifndef LIB_ENGINE_SHADOW_SHADOW_H
#define LIB_ENGINE_SHADOW_SHADOW_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/engine/engine.h"
#include "lib/machine/machine.h"
#include "host/host.h"
#include "riscv/csr.h"

/*
 * trampoline.c: the 2 MiB of address space that every shadow root keeps for Caldarium: the page
 * with the code that changes roots, and a page of data for each hart. Where a guest maps something
 * there, the trampoline moves to another place. All of them are canonical in every mode.
 */
extern const uint64_t s_trampoline_va[S_TRAMPOLINES];
struct s_hart_page {
    uint64_t t0, sp, host_satp; /* the offsets are entry.S's */
    struct engine_vcpu *vcpu;
    void (*trap)(void);
    uint64_t t1, shadow_satp, leave;
    uint64_t in_force; /* apart.c: what satp holds */
};
#define S_HARTS 511 /* of a machine, at most: the trampoline has 512 pages, one is the code */
int s_trampoline_build(struct cald_machine *machine);
void s_trampoline_free(struct cald_machine *machine);
/* The vCPU uses that one from now on; or the next one that its hart has. */
void s_trampoline_choose(struct engine_vcpu *v, unsigned trampoline);
void s_trampoline_next(struct engine_vcpu *v);
/* The trampolines that the vCPU has on its hart; at load. */
void s_trampoline_load(struct engine_vcpu *v);
/* Points this hart's stvec and sscratch into the vCPU's trampoline. */
void s_trampoline_enter(struct engine_vcpu *v);

/* apart.c: the host lies in every shadow root. Finds the entry that leads to it; an error: there is
 * none, which was said. */
int s_apart_find(struct cald_machine *machine);
/* At load, while the host's root is in force; and puts that in force again. */
void s_apart_load(struct engine_vcpu *v);
void s_apart_home(const struct engine_vcpu *v);
/* stvec and sscratch for a run. */
void s_apart_enter(struct engine_vcpu *v);

/* There are ASIDs for all roots, and nobody's entries are global: a change of root needs no flush.
 */
static inline bool s_asids(const struct cald_machine *machine)
{
    uint32_t needed = S_ASIDS + machine_has(machine, CALD_MACHINE_PRIVATE_ROOT);
    return machine->told.asids >= needed && !machine_has(machine, CALD_MACHINE_GLOBAL);
}

/* root.c. Memory for a hart's own root; false: there is none. */
bool s_root_make(struct cald_machine *machine, unsigned hart);
void s_root_free(struct cald_machine *machine, unsigned hart);
/* Makes it anew from the root that is in force on this hart, which is the host's. Writes the satp
 * that leads to it; returns a set of the trampolines that are there, 0: none can be. */
unsigned s_root_copy(struct cald_machine *machine, unsigned hart, uint64_t *satp);
/* Puts it in force, and the host's again. Returns the host's. */
uint64_t s_root_enter(struct engine_vcpu *v);
void s_root_leave(const struct engine_vcpu *v, uint64_t host);

/* entry.S: runs the guest until s_hot() says that it is not its to answer. */
void s_enter(struct engine_vcpu *v);

/* memory.c: guest-physical memory. */
uint64_t s_ram_bytes(const struct engine_vm *vm);
/* What tables, sources, places and copies of a VM with one vCPU take at most. */
static inline uint64_t s_budget(const struct engine_vm *vm)
{
    uint64_t share = s_ram_bytes(vm) / S_BUDGET_SHARE;
    return share > S_BUDGET_MIN ? share : S_BUDGET_MIN;
}
/* Where RAM at gpa is, up to the next page, for as long as the vCPU looks at no mail; NULL: there
 * is none, or its page is absent. */
uint8_t *s_ram(struct engine_vm *vm, uint64_t gpa);
/* The same for 8 aligned bytes, to be read; and to be written, which the dirty log notes. */
static inline _Atomic uint64_t *s_word(struct engine_vm *vm, uint64_t gpa)
{
    return (_Atomic uint64_t *)s_ram(vm, gpa);
}
_Atomic uint64_t *s_word_to_write(struct engine_vm *vm, uint64_t gpa);
/* Where these answered NULL: whether the page is absent, which is noted in the vCPU. */
bool s_absent(struct engine_vcpu *v, uint64_t gpa, bool write);

/* walk.c: the guest's own tables. */
enum s_access { S_FETCH, S_LOAD, S_STORE };
struct s_found {
    uint64_t gpa;
    uint64_t pte;   /* 0: the guest's paging is off */
    uint64_t at;    /* where the pte lies, guest-physical */
    unsigned shift; /* log2 of the page's bytes */
};

static inline uint64_t s_access_fault(enum s_access access)
{
    static const uint8_t causes[] = {CAUSE_INSN_ACCESS, CAUSE_LOAD_ACCESS, CAUSE_STORE_ACCESS};
    return causes[access];
}

/* Translates for the vCPU's present mode. 0, or the cause of the exception that hardware raises, or
 * S_ABSENT: a page of the guest's tables has to be there first, v->absent_gpa. */
#define S_ABSENT UINT64_MAX
uint64_t s_translate(struct engine_vcpu *v, uint64_t gva, enum s_access access,
                     struct s_found *found);
bool s_fetch_insn(struct engine_vcpu *v, uint64_t gva, uint32_t *insn);
bool s_peek(struct engine_vcpu *v, uint64_t gva, uint8_t *byte);
/* For a guess: no accessed bit is set and no page asked for, and who may read it doesn't matter. */
bool s_glance(const struct engine_vcpu *v, uint64_t gva, uint16_t *half);
static inline struct s_fetch_line *s_fetch_line(const struct s_vcpu *s, uint64_t va)
{
    return &s->fetch[va >> 12 & (S_FETCH_LINES - 1)];
}
/* The 32 bits at the pc, if it is the guest kernel's and its page was executed from since the last
 * fence. */
static inline bool s_fetch_next(const struct engine_vcpu *v, uint32_t *insn)
{
    const struct s_fetch_line *line = s_fetch_line(&v->s, v->pc);
    uint64_t inside = v->pc & 0xfff;
    if (line->page != v->pc >> 12 || v->s.user || inside > 0x1000 - 4)
        return false;
    const volatile uint16_t *half = (const volatile uint16_t *)(line->va + inside);
    *insn = (uint32_t)half[1] << 16 | half[0];
    return true;
}
/* The kernel executes from the pc's page: s_fetch_next() may go there. */
void s_fetch_note(struct engine_vcpu *v);
/* Fences and changes of satp: forgets all pages, or those that are this address space's alone; and
 * the places in them. */
void s_fetch_flush(struct s_vcpu *s, bool global);
/* The pages alone: with sources noted, places are each view's own, and go where it differs. */
void s_fetch_leave(struct s_vcpu *s);
/* As s_fetch_flush() if the address may be of any of them. */
void s_fetch_flush_page(struct s_vcpu *s, uint64_t gva, bool global);

/* place.c: the kernel executes a privileged instruction at the pc, of a page that was shown as a
 * copy. */
void s_place_note(struct engine_vcpu *v);
void s_places_flush(struct s_vcpu *s);
/* Those of one copy go, and nobody fetches by that copy's page. */
void s_places_drop(struct s_vcpu *s, unsigned copy);
/* A mark that no place has, for those of one view. */
uint64_t s_places_mark(struct s_vcpu *s);

/* tables.c: the shadow tables of one vCPU. */
static inline enum s_view s_view(const struct s_vcpu *s)
{
    if (s->user)
        return S_USER;
    return s->sstatus & SSTATUS_SUM ? S_KERNEL_SUM : S_KERNEL;
}
/* Of the hart's roots nothing is known: they are looked up again. */
static inline void s_roots_unknown(struct s_vcpu *s)
{
    s->view_shown = S_VIEWS;
    for (enum s_view view = 0; view < S_VIEWS; view++)
        s->root_at_hand[view] = 0;
}
/* Those of the present satp that are made and good as they are: root_at_hand[]. */
void s_tables_at_hand(struct s_vcpu *s);
int s_tables_init(struct engine_vcpu *v);
void s_tables_fini(struct engine_vcpu *v);
/* The root for the present satp, mode and SUM, as a satp value. It may take the root in force away;
 * then the host's is in force. */
uint64_t s_tables_satp(struct engine_vcpu *v);
/* The 4 KiB entry that the present view's root has for the address; 0: none. */
uint64_t s_tables_leaf(const struct s_vcpu *s, uint64_t gva);
/* A leaf of the shadow tables, as it is entered. */
struct s_leaf {
    uint64_t gva, pa;
    unsigned shift; /* 12 or 21: 4 KiB or 2 MiB */
    unsigned whole; /* log2 of the guest's own page, of which this may be a piece */
    uint64_t flags; /* PTE_* permissions and the region's attributes; with PTE_G it is for all roots
                       of the kernel's views */
    bool copy;      /* of a page of code: copy.h */
    bool poked;     /* the same */
};
/* Enters it in the present root, with the fence that the hart needs. Returns where the entry is,
 * and in `made` what its table belongs to. */
uint64_t *s_tables_fill(struct engine_vcpu *v, const struct s_leaf *leaf, struct s_made **made);
static inline bool s_is_table(uint64_t entry)
{
    return entry & PTE_V && !(entry & (PTE_R | PTE_W | PTE_X));
}
static inline uint64_t s_tables_entry(uint64_t pa, uint64_t flags)
{
    return pa >> 12 << PTE_PPN_SHIFT | (flags & ~PTE_G) | PTE_U;
}
void s_tables_reset(struct engine_vcpu *v); /* the same as flush, on any hart, while not loaded */
/* forget.c: the pages that the host has taken away go from tables, sources and fetch lines. */
void s_forget(struct engine_vcpu *v);
static inline uint64_t *s_tables_page(const struct s_vcpu *s, unsigned number)
{
    return s->pool[number / S_POOL_RUN][number % S_POOL_RUN];
}
/* Forgets: everything; an address space; one address, in one address space or (any) in all. */
void s_tables_flush(struct engine_vcpu *v);
void s_tables_flush_asid(struct engine_vcpu *v, uint64_t asid);
void s_tables_flush_page(struct engine_vcpu *v, uint64_t gva, bool any, uint64_t asid);
/* What an address leads to is to be entered in another way: no fence of the guest's. */
void s_tables_forget_entry(struct engine_vcpu *v, uint64_t gva);
/* The guest's full fence: flushes all tables, or looks at what has changed in the guest's own. */
void s_tables_fence(struct engine_vcpu *v);

/*
 * source.c: what entries were made from. Some kernels fence everything at each trap: then what the
 * guest's tables say is compared with what was read there, and only what differs is forgotten.
 */
/* Notes the source of `count` entries from `shadow` on: guest entries, of which `seen` were read,
 * that translate gva. Where that can't be done, noting ends: the next fence forgets everything. */
void s_source_note(struct engine_vcpu *v, uint64_t gva, const struct s_found *found,
                   struct s_made *made, uint64_t *shadow, const uint64_t *seen, unsigned count);
/* Under the present satp: forgets what a walk would no longer find. True: there was such. */
bool s_source_check(struct engine_vcpu *v, struct s_made *made);
void s_source_drop(struct s_vcpu *s, struct s_made *made);
void s_source_reset(struct s_vcpu *s);

/* fault.c: a page fault of the guest on its shadow root. True: answered, the guest goes on. */
bool s_fault(struct engine_vcpu *v, struct exit *exit);

/* csr.c: a CSR instruction on the virtual CSR file. False: this guest has no such register. */
bool s_csr_access(struct engine_vcpu *v, uint32_t insn);
void s_satp_write(struct s_vcpu *s, uint64_t value);

#define INSN_SRET 0x10200073u
/* sret, on the virtual CSR file: returns where it leads. Interrupts may be open then. */
static inline uint64_t s_sret(struct s_vcpu *s)
{
    uint64_t before = s->sstatus, status = before & ~(SSTATUS_SPP | SSTATUS_SIE);
    status |= before >> 4 & SSTATUS_SIE; /* from SPIE */
    if (!(before & SSTATUS_SPP))
        s->user = s->stale_root = true;
    s->sstatus = status | SSTATUS_SPIE;
    return s->sepc;
}

/*
 * A trap into the guest's S-mode, on the virtual CSR file; from U-mode as `user` says, which the
 * caller may know. The caller goes to stvec, and looks for another root. Interrupts stay closed
 * until sret.
 */
static inline void s_take_trap(struct s_vcpu *s, bool user, uint64_t pc, uint64_t cause,
                               uint64_t tval)
{
    uint64_t before = s->sstatus, status = before & ~(SSTATUS_SPP | SSTATUS_SPIE | SSTATUS_SIE);
    status |= (before & SSTATUS_SIE) << 4; /* to SPIE */
    s->sstatus = user ? status : status | SSTATUS_SPP;
    s->sepc = pc;
    s->scause = cause;
    s->stval = tval;
    s->user = false;
}

/* aia.c: the same for what Ssaia adds. */
bool s_aia_access(struct engine_vcpu *v, const struct riscv_csr_op *op);

/* privileged.c: an instruction that U-mode can't execute. False: not for the engine to answer, and
 * nothing was done. */
bool s_privileged(struct engine_vcpu *v, uint32_t insn);
/* The same for a read of cycle or instret, which U-mode may do too. */
bool s_counter(struct engine_vcpu *v, uint32_t insn);
/* The same; false: the exit record says what the guest did. */
bool s_illegal(struct engine_vcpu *v, uint32_t insn, struct exit *exit);

/*
 * sequence.c: does what follows at the guest kernel's pc, as long as it is short and privileged.
 * s_run_on() the most frequent of it; with what that returns, s_go_on() the rest, if it isn't 0.
 */
uint64_t s_run_on(struct engine_vcpu *v);
void s_go_on(struct engine_vcpu *v, uint64_t insn);

/* trap.c: into the guest's trap handler, and its interrupts. */
void s_deliver(struct engine_vcpu *v, uint64_t cause, uint64_t tval);
uint64_t s_interrupts(const struct engine_vcpu *v); /* pending and enabled, whatever the mode */
void s_deliver_interrupt(struct engine_vcpu *v);
/* What `due` says, but for the root. */
static inline void s_due(struct engine_vcpu *v)
{
    v->s.due = false;
    if (v->s.sip & v->s.sie)
        s_deliver_interrupt(v);
}

/* engine.c: the guest's timer. Whichever way it sets it, by SBI or stimecmp, it is the one that
 * Sstc has: STIP is pending while time has reached stimecmp. */
struct sbi_ret s_set_timer(struct engine_vcpu *v, uint64_t when);
void s_timer_check(struct engine_vcpu *v);
static inline void s_timer_due(struct engine_vcpu *v)
{
    v->s.stimecmp = v->s.timer + v->vm->time_delta;
    v->s.timer = UINT64_MAX;
    v->s.sip |= IRQ_BIT(IRQ_S_TIMER);
    v->s.due = true;
    host_timer_arm((struct cald_vcpu *)v, UINT64_MAX);
}

/* switch.c */
void s_load(struct engine_vcpu *v);
void s_put(struct engine_vcpu *v);
/* What of sstatus.FS and VS a vCPU begins with: on (dirty) where its VM has the unit. */
uint64_t s_units_on(const struct engine_vm *vm);
void s_vcpu_reset(struct engine_vcpu *v, uint64_t pc, uint64_t a0, uint64_t a1);
static inline enum s_mode s_mode(const struct s_vcpu *s)
{
    return s->user ? MODE_USER : MODE_KERNEL;
}
/* senvcfg and scounteren of the hart for the guest's present mode. */
void s_mode_registers(struct engine_vcpu *v);

/* run.c */
void s_run(struct engine_vcpu *v, struct exit *exit);
/* Called by entry.S, on the hart's stack, with all of the guest's registers in the vCPU. */
bool s_hot(struct engine_vcpu *v);
void s_hot_call(struct engine_vcpu *v);
void s_hot_due(struct engine_vcpu *v);
/* Called by place_entry.S: a write of satp (with a full fence behind it), a full fence and sret, up
 * to the root to be shown. The first says how many bytes the pc is to go on, the last where to. */
uint64_t s_hot_satp(struct engine_vcpu *v, uint64_t value, bool fence);
void s_hot_fence(struct engine_vcpu *v);
uint64_t s_hot_return(struct engine_vcpu *v);

/* items.c: see lib/engine/engine.h */
void s_regs(struct engine_vcpu *v, struct engine_regs *regs);
uint64_t s_special(const struct engine_vcpu *v, enum engine_special which);
bool s_set_special(struct engine_vcpu *v, enum engine_special which, uint64_t value);

/* Of sstatus, what a guest's FP and vector instructions find in the hart's own register. */
#define S_HARTS_SSTATUS (SSTATUS_FS | SSTATUS_VS)

/* An entry that leads to a table. */
static inline uint64_t s_table_entry(const uint64_t *table)
{
    return host_pa(table) >> 12 << PTE_PPN_SHIFT | PTE_V;
}

/* What a mode may load from or store to, by U bit and SUM. */
static inline bool s_mode_allows(const struct s_vcpu *s, uint64_t pte)
{
    return s->user ? pte & PTE_U : !(pte & PTE_U) || s->sstatus & SSTATUS_SUM;
}

/* Another root, or an interrupt, may be due. */
static inline void s_root_changed(struct s_vcpu *s)
{
    s->stale_root = s->due = true;
}

extern const struct engine_ops engine_shadow;

static inline uint64_t s_asid(uint64_t satp)
{
    return satp >> 44 & 0xffff;
}

#endif
