/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the guest's kernel executes the privileged instructions that it has most of, and what they
 * are: so that the next exit there is place_entry.S's. A place is noted of a page that has a copy,
 * and what was written last into the page's own bytes is what is noted. Before anybody writes there
 * the copy goes, on all vCPUs, and places with it (s_copy_drop()). Where the address leads is known
 * as a TLB knows it: until the guest's fence.
 */
#include <stddef.h>

#include "lib/engine/common/offsets.h"
#include "lib/engine/shadow/copy.h"
#include "lib/engine/shadow/scan.h"
#include "lib/engine/shadow/shadow.h"

#define CHECK(member, offset)                                                                      \
    _Static_assert(offsetof(struct engine_vcpu, member) == (offset), "place_entry.S")
CHECK(exits[EXIT_HOT_PRIVILEGED], V_EXITS_PRIVILEGED);
CHECK(exits[EXIT_HOT_TRAP], V_EXITS_TRAP);
CHECK(s.mode_shown, V_S_MODE_SHOWN);
CHECK(s.view_shown, V_S_VIEW_SHOWN);
CHECK(s.modes_differ, V_S_MODES_DIFFER);
CHECK(s.fp_dirty, V_S_FP_DIRTY);
CHECK(s.vector_dirty, V_S_VECTOR_DIRTY);
CHECK(s.sstatus, V_S_SSTATUS);
CHECK(s.sie, V_S_SIE);
CHECK(s.stvec, V_S_STVEC);
CHECK(s.senvcfg, V_S_SENVCFG);
CHECK(s.trap_csr, V_S_TRAP_CSR(0));
CHECK(s.sip, V_S_SIP);
CHECK(s.satp, V_S_SATP);
CHECK(s.status_writable, V_S_STATUS_WRITABLE);
CHECK(s.root_at_hand, V_S_ROOT_AT_HAND(0));
CHECK(s.mode_csr, V_S_MODE_CSR(0, 0));
CHECK(s.place, V_S_PLACE);
CHECK(s.place_mark, V_S_PLACE_MARK);
CHECK(s.near.region, V_S_NEAR_REGION);
CHECK(s.near.table, V_S_NEAR_TABLE(0));
_Static_assert(offsetof(struct s_place, does) == 8 && offsetof(struct s_place, get) == 16 &&
                   offsetof(struct s_place, put) == 24 && sizeof(struct s_place) == 32 &&
                   S_PLACES == 1024 && S_NEAR == 2,
               "place_entry.S");
_Static_assert(S_SSCRATCH == 0 && S_SEPC == 1 && S_SCAUSE == 2 && S_STVAL == 3 && MODE_USER == 1 &&
                   MODE_KERNEL == 2 && S_USER == 0 && S_KERNEL == 1 && S_KERNEL_SUM == 2 &&
                   1 << S_SENVCFG == 2,
               "place_entry.S");

/* In the order of s_place_does[]. */
enum does {
    READ_TRAP_CSR,
    WRITE_TRAP_CSR = READ_TRAP_CSR + S_TRAP_CSRS,
    EXCHANGE_TRAP_CSR = WRITE_TRAP_CSR + S_TRAP_CSRS,
    READ_SIE = EXCHANGE_TRAP_CSR + S_TRAP_CSRS,
    READ_SIP,
    READ_SATP,
    STATUS_READ,
    STATUS_SET,
    STATUS_CLEAR,
    STATUS_WRITE,
    SIE_ON,
    SIE_OFF,
    RETURN,
    FENCE_PAGE,
    WRITE_SENVCFG,
    FENCE_FULL,
    WRITE_SATP,
    WRITE_SATP_AND_FENCE, /* which are two instructions */
    WRITE_STVEC,
    NOTHING, /* it is for C */
};

/* What does each, from s_place_here on; and for each register 16 bytes of code. */
extern const int32_t s_place_does[NOTHING];
extern const char s_place_here[], s_place_get[], s_place_put[], s_place_put_then[];
#define STUB_BYTES 16
#define GET_SIE 32 /* behind the registers */

/* sfence.vma of an address, in all address spaces: rs2 is x0. */
#define SFENCE_VMA_PAGE 0x12000073u
#define SFENCE_VMA_PAGE_MASK 0xfff07fffu
#define SFENCE_VMA_ALL SFENCE_VMA_PAGE /* with x0 for both */

/* csrrs, csrrc (funct3 2, 3) that change nothing. */
static bool only_reads(uint32_t insn)
{
    return insn >> 13 & 1 && !(insn >> 15 & 31);
}

/* csrrw with no rd. */
static bool only_writes(uint32_t insn)
{
    return (insn >> 12 & 7) == 1 && !(insn >> 7 & 31);
}

static enum does does_status(uint32_t insn)
{
    unsigned kind = insn >> 12 & 7, rs1 = insn >> 15 & 31, rd = insn >> 7 & 31;
    if (only_reads(insn))
        return STATUS_READ;
    if (kind >= 5) { /* csrrwi, csrrsi, csrrci */
        if (kind == 5 || rs1 != SSTATUS_SIE)
            return NOTHING;
        if (!rd)
            return kind == 6 ? SIE_ON : SIE_OFF;
        return kind == 6 ? STATUS_SET : STATUS_CLEAR;
    }
    return kind == 1 ? STATUS_WRITE : kind == 2 ? STATUS_SET : STATUS_CLEAR;
}

static enum does does_trap_csr(uint32_t insn)
{
    unsigned which = (insn >> 20) - CSR_SSCRATCH;
    if (only_reads(insn))
        return READ_TRAP_CSR + which;
    if ((insn >> 12 & 7) != 1)
        return NOTHING;
    return (insn >> 7 & 31 ? EXCHANGE_TRAP_CSR : WRITE_TRAP_CSR) + which;
}

static enum does does(uint32_t insn)
{
    if (insn == INSN_SRET)
        return RETURN;
    if ((insn & SFENCE_VMA_PAGE_MASK) == SFENCE_VMA_PAGE)
        return insn == SFENCE_VMA_ALL ? FENCE_FULL : FENCE_PAGE;
    if (!(insn >> 12 & 3))
        return NOTHING;
    switch (insn >> 20) {
    case CSR_SSTATUS:
        return does_status(insn);
    case CSR_SSCRATCH:
    case CSR_SEPC:
    case CSR_SCAUSE:
    case CSR_STVAL:
        return does_trap_csr(insn);
    case CSR_SENVCFG:
        return only_writes(insn) ? WRITE_SENVCFG : NOTHING;
    case CSR_SIE:
        return only_reads(insn) ? READ_SIE : NOTHING;
    case CSR_SIP:
        return only_reads(insn) ? READ_SIP : NOTHING;
    case CSR_SATP:
        return only_reads(insn) ? READ_SATP : only_writes(insn) ? WRITE_SATP : NOTHING;
    case CSR_STVEC:
        return only_writes(insn) ? WRITE_STVEC : NOTHING;
    }
    return NOTHING;
}

#define MARK_SHIFT 48
#define MARK_FIRST                                                                                 \
    (1UL << MARK_SHIFT) /* canonical addresses, with a mark of 15 bits there, stay apart */

static void forget_marks(struct s_vcpu *s)
{
    for (struct s_space *space = s->space; space < s->space + S_SPACES; space++) {
        for (enum s_view view = 0; view < S_VIEWS; view++)
            space->view[view].place_mark = 0;
    }
}

/* The next one, for all places that are noted from now on. */
static uint64_t next_mark(struct s_vcpu *s)
{
    s->place_last += MARK_FIRST;
    if (s->place_last >> 63) {
        s->place_last = MARK_FIRST;
        for (unsigned n = 0; n < S_PLACES; n++)
            s->place[n].tag = 0;
        forget_marks(s);
    }
    return s->place_last;
}

/* Address spaces have the same code at the same addresses: so that they don't take each other's
 * places, the mark says which eighth of the table comes first, too. */
#define SPREAD_SHIFT 8
#define SPREAD_MASK 7

uint64_t s_places_mark(struct s_vcpu *s)
{
    uint64_t mark = next_mark(s);
    return mark | (mark >> MARK_SHIFT & SPREAD_MASK) << SPREAD_SHIFT;
}

static unsigned index_of(uint64_t tag)
{
    return tag >> 1 & (S_PLACES - 1);
}

void s_places_flush(struct s_vcpu *s)
{
    s->places_local = false;
    forget_marks(s);
    s->place_mark = next_mark(s);
}

void s_places_drop(struct s_vcpu *s, unsigned copy)
{
    uint64_t page = s->copy_use[copy].places;
    s->copy_use[copy].places = 0;
    for (unsigned n = 0; n < S_FETCH_LINES; n++) {
        if (s->fetch[n].copy == copy)
            s->fetch[n].page = UINT64_MAX;
    }
    if (page == UINT64_MAX || (page && s->noting)) { /* there are marks besides the present one */
        s_places_flush(s);
    } else if (page) {
        for (struct s_place *place = s->place; place < s->place + S_PLACES; place++) {
            if ((place->tag ^ s->place_mark) - page < HOST_PAGE_SIZE)
                place->tag = 0;
        }
    }
}

static uint64_t stub(const char *stubs, unsigned n)
{
    return (uint64_t)stubs + n * STUB_BYTES;
}

/* The next instruction, if it is in the page too; else 0. */
static uint32_t following(const struct s_fetch_line *line, uint64_t inside)
{
    if (inside + 8 > 0x1000)
        return 0;
    const volatile uint16_t *half = (const volatile uint16_t *)(line->va + inside + 4);
    return (uint32_t)half[1] << 16 | half[0];
}

/* With sources noted a place is good for as long as an entry's source is the same: so it has to be
 * of that entry, of the view that the marks are of, not of what the guest's tables may say by now.
 */
static bool is_of_entry(struct engine_vcpu *v, const struct s_fetch_line *line)
{
    const struct s_space *space = v->s.current;
    struct s_found found;
    if (!space || space->view[s_view(&v->s)].place_mark != v->s.place_mark ||
        s_translate(v, v->pc, S_FETCH, &found))
        return false;
    const struct slot *slot = memory_slot(&v->vm->memory, found.gpa);
    uint64_t page = found.gpa & ~(HOST_PAGE_SIZE - 1);
    if (s_copy_of(slot, found.gpa) != line->copy || s_ram(v->vm, page) != line->va)
        return false;
    uint64_t differs = s_copy_entry(v, slot, found.gpa, 0) ^ s_tables_leaf(&v->s, v->pc);
    return !(differs & SATP_PPN_MASK << PTE_PPN_SHIFT);
}

void s_place_note(struct engine_vcpu *v)
{
    struct s_vcpu *s = &v->s;
    const struct s_fetch_line *line = s_fetch_line(s, v->pc);
    unsigned index = index_of(v->pc ^ s->place_mark);
    struct s_place *place = &s->place[index];
    uint32_t insn;
    if (place->tag == (v->pc ^ s->place_mark))
        return;
    s_fetch_note(v);
    if (!s_fetch_next(v, &insn) || !line->copy)
        return;
    enum does what = s_scan_privileged(insn) ? does(insn) : NOTHING;
    if (what == NOTHING || (s->noting && !is_of_entry(v, line)))
        return;
    uint32_t next = following(line, v->pc & 0xfff);
    if (what == WRITE_SATP && next == SFENCE_VMA_ALL)
        what = WRITE_SATP_AND_FENCE;
    uint64_t page = v->pc & ~(HOST_PAGE_SIZE - 1);
    struct s_copy_use *use = &s->copy_use[line->copy];
    use->places = !use->places || use->places == page ? page : UINT64_MAX;
    s->places_local |= s->fetch_local >> (line - s->fetch) & 1;
    bool sie = what == STATUS_SET || what == STATUS_CLEAR ? insn >> 14 & 1 : false;
    /* The place's entry is followed, two on, by that of the next instruction. */
    bool then = index_of((v->pc + 4) ^ s->place_mark) == index + 2 && s_scan_privileged(next);
    *place = (struct s_place){
        .tag = v->pc ^ s->place_mark,
        .does = (uint64_t)s_place_here + (uint64_t)(int64_t)s_place_does[what],
        .get = stub(s_place_get, sie ? GET_SIE : insn >> 15 & 31),
        .put = stub(then ? s_place_put_then : s_place_put, insn >> 7 & 31),
    };
}
