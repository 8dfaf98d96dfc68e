/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a vCPU runs on a real hart: the contract between the rest of lib/ and an engine.
 *
 * An engine runs guest instructions until one of them needs the world outside the vCPU, then
 * returns an exit record. It knows registers, traps and address translation; it knows nothing of
 * devices, SBI or policy. Two engines implement this: h/ (the H extension) and shadow/ (without).
 *
 * Unless said otherwise a function is called on the hart that has the vCPU loaded, or on any hart
 * while no hart has.
 */
#ifndef LIB_ENGINE_ENGINE_H
#define LIB_ENGINE_ENGINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "caldarium/caldarium.h"
#include "lib/engine/common/memory.h"
#include "lib/engine/h/state.h"
#include "lib/engine/shadow/state.h"
#include "riscv/csr.h"
#include "riscv/decode.h"
#include "riscv/sbi.h"

struct engine_ops;
struct cald_machine;

/* The engine of that name. */
const struct engine_ops *engine_by(enum cald_engine engine);

/* Why engine_run() returned. The numbers index lib/vcpu/exit.c's table and the statistics. */
enum exit_reason {
    EXIT_INTERRUPT,   /* a host interrupt or a kick: look at the mailboxes */
    EXIT_SBI,         /* ecall from the guest's S-mode that no hot handler answered */
    EXIT_MMIO,        /* load or store where no RAM is mapped: gpa, access */
    EXIT_FETCH_FAULT, /* fetch or table walk where no RAM is: cause = access fault to raise, gva */
    EXIT_CSR,         /* a CSR instruction on a register that the engine doesn't emulate itself */
    EXIT_WFI,         /* the guest waits: insn is WFI, or one of Zawrs (where trap_wfi is set) */
    EXIT_ILLEGAL,     /* an instruction this guest must see as illegal: insn */
    EXIT_BREAKPOINT,  /* ebreak: gva is its address */
    EXIT_UNDECODED,   /* load or store to MMIO by an instruction that has no MMIO decoding: insn */
    EXIT_ERROR,       /* the engine can't go on with this vCPU: cause, tval */
    /* Answered inside the engine; here only so that they are counted. */
    EXIT_HOT_SBI_BASE,
    EXIT_HOT_SBI_TIME,
    EXIT_HOT_SBI_IPI,
    EXIT_HOT_SBI_RFENCE,
    EXIT_HOT_SBI_MISSING, /* a call that no extension has */
    EXIT_HOT_KICK,
    EXIT_HOT_TIMER,
    EXIT_HOT_IRQCHIP,
    EXIT_HOT_FILE,       /* a CSR of an interrupt file that is in memory */
    EXIT_HOT_PRIVILEGED, /* a privileged instruction; under engine h one on senvcfg, or on a
                            counter */
    EXIT_HOT_UART,       /* the serial port's status, or a byte to send */
    /* Engine shadow's own. */
    EXIT_HOT_FILL, /* a shadow entry was missing */
    EXIT_HOT_TRAP, /* an exception that is the guest's own */
    EXIT_PAGE,     /* RAM whose page the host has first to get: gpa, write. Nothing has been done */
    EXIT_REASONS
};
#define EXIT_SLOTS 32 /* room for them, so that offsets behind stay */

struct exit {
    enum exit_reason reason;
    uint64_t cause;             /* scause as the manual numbers it */
    uint64_t gva;               /* guest virtual address, where there is one */
    uint64_t gpa;               /* guest physical address, where there is one */
    uint32_t insn;              /* the instruction, 16 or 32 bits; 0 if it is not known */
    struct riscv_access access; /* EXIT_MMIO: what the instruction does */
    bool write;                 /* EXIT_PAGE: it has to be writable */
};

#define ENGINE_NO_IRQ 0xff

/* Interrupts that a guest hart can be shown, by their number in sip. */
enum guest_irq { GUEST_IRQ_SOFT = 1, GUEST_IRQ_TIMER = 5, GUEST_IRQ_EXTERNAL = 9 };

/* A fence that another vCPU asked for (SBI RFENCE) or that the host owes. The last three
 * are an engine's own: the copy numbered `start` goes; the page of code that `start` tells is not
 * writable any more; all that was made from the guest's tables goes. */
enum fence_kind {
    FENCE_I,
    FENCE_VMA,
    FENCE_VMA_ASID,
    FENCE_ALL,
    FENCE_COPY,
    FENCE_POKED,
    FENCE_TABLES
};
struct fence {
    enum fence_kind kind;
    uint64_t start, size, asid; /* guest virtual range; size UINT64_MAX or 0 with start 0: all */
};

/* A guest's supervisor CSRs, for reports. */
struct engine_state {
    uint64_t sstatus, stvec, sscratch, sepc, scause, stval, satp, sie, sip;
};

/*
 * Where an engine keeps the registers of a vCPU that is put, and what they can hold: common/items.c
 * reads and writes them by number, the same way for each engine.
 */
struct engine_regs {
    uint64_t *sstatus, *sie, *stvec, *scounteren, *senvcfg, *sscratch, *sepc, *scause, *stval;
    uint64_t *satp, *siselect;
    uint64_t *fp, *fcsr; /* fp: 32 of them */
    uint64_t *vstart, *vcsr, *vl, *vtype;
    uint8_t *vector; /* 32 of vlenb bytes each */
    uint64_t vlenb, senvcfg_bits, scounteren_bits;
    bool has_fp, has_vector;
};

/* State that each engine keeps in its own way; of a vCPU that is put. */
enum engine_special {
    ENGINE_MODE,    /* 0: U-mode, 1: S-mode */
    ENGINE_PENDING, /* the software and the external interrupt, as bits of sip */
    ENGINE_TIMER,   /* the compare value of its timer, guest time; UINT64_MAX: never */
    ENGINE_SATP     /* setting alone: false where no hart could hold the value */
};

/* What an engine keeps for a VM. */
struct engine_vm {
    uint64_t sbi_base[SBI_BASE_LAST + 1]; /* first: what SBI BASE answers, by function */
    const struct engine_ops *ops;
    struct cald_machine *machine; /* whose harts it runs on; set before vm_init() */
    const char *name;             /* the VM's name, for messages; owned by the VM */
    const uint8_t *isa_disable; /* riscv_ext numbers the guest must not have, ISA_EXT_COUNT flags */
    /* Guest time minus host time: what the guest's `time` shows is host_time() + this. Set by
     * vm_init(), and by lib/vm while no vCPU of the VM is loaded on any hart. */
    uint64_t time_delta;
    uint64_t gpa_end; /* its guest-physical addresses lie below; set before vm_init() */
    union {
        struct h_vm h;
        struct s_vm s;
    };
    struct memory memory; /* where its guest-physical addresses lead; emptied by who makes the VM */
};

/* `cycle` or `instret` of a vCPU: the hart's, masked by `mask` (all ones, or 0 while the counter
 * stands), plus `offset`. Written by lib/sbi/pmu.c, on the vCPU's own hart. */
struct engine_counter {
    uint64_t mask, offset;
};

/*
 * What an engine keeps for a vCPU. The first members are known to assembly by offset
 * (lib/engine/common/offsets.h).
 */
struct engine_vcpu {
    uint64_t gpr[32]; /* x0..x31; gpr[0] stays 0 */
    uint64_t pc;
    uint64_t host_sp; /* the hart's stack while the guest runs */
    uint64_t exits[EXIT_SLOTS];
    const struct engine_ops *ops;
    struct engine_vm *vm;
    struct engine_counter counter[2]; /* cycle, instret */
    /* Set while the host wants the hart: a kick is not for the guest. */
    const _Atomic bool *attention;
    uint64_t host_scounteren, host_senvcfg; /* from load() to put(): the host's own */
    unsigned hart;                          /* index of the host's hart; set before load() */
    uint32_t
        sbi_ids[3]; /* of SBI TIME, IPI, RFENCE; where the VM lacks one, BASE's: it comes first */
    bool loaded;
    /* WFI is EXIT_WFI; else it may wait on the hart itself. Its hart sets it before run(). */
    bool trap_wfi;
    /* The interrupt, by its number, that is a kick and is taken from inside a run, without more
     * than a look at the mailbox; ENGINE_NO_IRQ: all of the hart's interrupts are its host's. */
    uint8_t kick_irq;
    union {
        struct h_vcpu h;
        struct s_vcpu s;
    };
    /* A page of the guest's memory that something needed which is no access of the guest's own: a
     * walk of its tables, a call's arguments. The run ends for it. */
    uint64_t absent_gpa;
    bool absent, absent_write;
};

struct engine_ops {
    const char *name; /* "h" or "shadow" */

    /* Takes and gives back what a machine needs. Other than CALD_OK, nothing was taken. NULL:
     * nothing. */
    int (*machine_init)(struct cald_machine *machine);
    void (*machine_fini)(struct cald_machine *machine);

    /* The hart's part of cald_hart_begin() and cald_hart_end(), on it. NULL: nothing. */
    void (*hart_begin)(struct cald_machine *machine, unsigned hart);
    void (*hart_end)(struct cald_machine *machine, unsigned hart);

    /* Takes and gives back what a VM needs. 0, or -1 when memory ran out. */
    int (*vm_init)(struct engine_vm *vm);
    void (*vm_fini)(struct engine_vm *vm);

    /*
     * Tables of the VM's own, where the engine has such (NULL otherwise). enter(): takes what they
     * need for a slot, so that nothing has to be taken later, and enters it where it is one run of
     * memory. 0, or -1: out of memory. memory.lock is held for the other two: unmap() takes
     * [gpa, gpa+size) away, protect() has stores there fault; both may do so with what lies beside
     * it, which comes back when it is used. Harts remember it until forget().
     */
    int (*enter)(struct engine_vm *vm, const struct slot *slot, uint64_t size);
    void (*unmap)(struct engine_vm *vm, uint64_t gpa, uint64_t size);
    void (*protect)(struct engine_vm *vm, uint64_t gpa, uint64_t size);

    /* The vCPU, loaded on this hart, and the hart forget what has gone of the VM's memory. */
    void (*forget)(struct engine_vcpu *v);

    /* Somebody else than a vCPU wrote to [gpa, gpa+bytes), which is RAM. True: FENCE_TABLES is owed
     * to all vCPUs. NULL: that is never so. */
    bool (*wrote)(struct engine_vm *vm, uint64_t gpa, uint64_t bytes);

    /* The table that says where the VM's memory is, for an IOMMU to use as well; from now on what
     * is mapped stays. NULL: this engine has none of that kind, or the VM has pages that come and
     * go. */
    const struct gstage *(*second_stage)(struct engine_vm *vm);

    /* Takes and gives back what a vCPU needs besides, between vm_init and vm_fini. NULL: nothing.
     */
    int (*vcpu_init)(struct engine_vcpu *v);
    void (*vcpu_fini)(struct engine_vcpu *v);

    /* Room for the guest's vector registers, 32 of VLENB bytes, for as long as the vCPU exists. */
    void (*vector_room)(struct engine_vcpu *v, void *room);

    /* Bytes of memory taken for this VM's tables. */
    uint64_t (*table_bytes)(const struct engine_vm *vm);

    /* State after SBI HSM hart_start: S-mode, MMU off, interrupts off, a0, a1 as given. */
    void (*vcpu_reset)(struct engine_vcpu *v, uint64_t pc, uint64_t a0, uint64_t a1);

    /* Goes on after a non-retentive suspend: the same, but timer and pending interrupts stay. */
    void (*vcpu_resume)(struct engine_vcpu *v, uint64_t pc, uint64_t a0, uint64_t a1);

    /* Puts the vCPU's state on this hart, or takes it off. In between FP and vector registers,
     * scounteren and senvcfg are the guest's; put() leaves them, all of sstatus too, as load()
     * found them (FP and vector registers with the host's help: host_fp_begin()). */
    void (*load)(struct engine_vcpu *v);
    void (*put)(struct engine_vcpu *v);

    /* Runs a loaded vCPU until it exits. Interrupts are off. sstatus, stvec, sscratch, gp and tp
     * are as before then; of the S-level CSRs only those that any trap overwrites are not. */
    void (*run)(struct engine_vcpu *v, struct exit *exit);

    /* Traps the guest into its own S-mode handler, as hardware would. sepc is the current pc, the
     * handler's address is the pc then. */
    void (*inject)(struct engine_vcpu *v, uint64_t cause, uint64_t tval);

    /* Shows or takes away an interrupt. The vCPU is loaded on this hart. */
    void (*irq)(struct engine_vcpu *v, enum guest_irq irq, bool level);

    /* The guest's timer compare value (guest time). Clears the timer interrupt if it is ahead.
     * Answers success as SBI does, so that the hot handler can end in this call. */
    struct sbi_ret (*set_timer)(struct engine_vcpu *v, uint64_t when);

    /* The host's timer went off: shows the guest its timer interrupt if that is due. */
    void (*timer_check)(struct engine_vcpu *v);

    /* Carries out a fence on this hart for the loaded vCPU. */
    void (*fence)(struct engine_vcpu *v, const struct fence *fence);

    /* An enabled interrupt is pending for the guest: WFI or a retentive suspend would end. */
    bool (*irq_waiting)(const struct engine_vcpu *v);

    /* Host time at which the guest's timer will wake it from WFI; UINT64_MAX: not at all. The vCPU
     * is loaded on this hart. */
    uint64_t (*timer_deadline)(const struct engine_vcpu *v);

    /* The VM's time stood still for so many ticks, and its time_delta says so already: what this
     * vCPU waits for in host time comes so much later. No hart has it loaded. */
    void (*time_stood)(struct engine_vcpu *v, uint64_t ticks);

    /* Whether a VM's time can stand still: whether reads of `time` can be made to reach us. NULL:
     * they always can. */
    bool (*time_can_stand)(const struct engine_vm *vm);

    /* The guest's CSRs as it would read them. */
    void (*state)(const struct engine_vcpu *v, struct engine_state *state);

    /* The state of a vCPU that no hart has loaded: see above. After set_special(ENGINE_SATP)
     * nothing that was translated before counts any more. */
    void (*regs)(struct engine_vcpu *v, struct engine_regs *regs);
    uint64_t (*special)(const struct engine_vcpu *v, enum engine_special which);
    bool (*set_special)(struct engine_vcpu *v, enum engine_special which, uint64_t value);

    bool (*in_user)(const struct engine_vcpu *v);
    bool (*counter_open)(const struct engine_vcpu *v, unsigned which);

    /*
     * Guest interrupt files, where the engine can give a guest one of a hart's (the H extension and
     * AIA); all NULL otherwise. Their pages lie in one window of guest-physical memory, 2 MiB at
     * `gpa` at most. window_init(): before the VM runs; 0, or -1: out of memory.
     */
    int (*window_init)(struct engine_vm *vm, uint64_t gpa);

    /* Maps a page of the window, or (pa 0) takes it away, on this hart at once. Others may reach it
     * until they have done window_flush(), which answers at least what this one does. */
    uint64_t (*window_map)(struct engine_vcpu *v, uint64_t gpa, uint64_t pa);
    uint64_t (*window_flush)(struct engine_vcpu *v);

    /* This hart's guest interrupt file of that number is the loaded vCPU's; 0: none is. */
    void (*file)(struct engine_vcpu *v, unsigned number);

    /* Reads a loaded guest's memory by its own virtual address. False on a fault. */
    bool (*peek)(struct engine_vcpu *v, uint64_t gva, uint8_t *byte);
};

/* The guest's privilege when it exited. */
static inline bool engine_in_user(const struct engine_vcpu *v)
{
    return v->ops->in_user(v);
}

/* The counter CSR of the hart that the vCPU is on: 0 cycle, 2 instret. 0 where firmware keeps it
 * closed. */
uint64_t engine_counter(const struct engine_vcpu *v, unsigned which);

/* The vCPU's; on its hart. */
static inline uint64_t engine_counter_value(const struct engine_vcpu *v, unsigned which)
{
    const struct engine_counter *counter = &v->counter[which / 2];
    return (engine_counter(v, which) & counter->mask) + counter->offset;
}

/* From now on the counter follows this hart's, or stands at its value. */
static inline void engine_counter_follow(struct engine_vcpu *v, unsigned which, bool follows)
{
    struct engine_counter *counter = &v->counter[which / 2];
    uint64_t now = engine_counter(v, which);
    counter->offset += now & counter->mask;
    counter->mask = follows ? UINT64_MAX : 0;
    counter->offset -= now & counter->mask;
}

/* The instruction reads `cycle` or `instret`, and writes neither: the plain form (csrrs from x0),
 * which is what compilers make of rdcycle and rdinstret. */
static inline bool engine_reads_counter(uint32_t insn)
{
    return (insn & ~(2U << 20 | 31U << 7)) == ((uint32_t)CSR_CYCLE << 20 | 2U << 12 | 0x73);
}

/* Carries that instruction out; the pc is the engine's to move. */
static inline void engine_read_counter(struct engine_vcpu *v, uint32_t insn)
{
    unsigned rd = insn >> 7 & 31;
    if (rd)
        v->gpr[rd] = engine_counter_value(v, insn >> 20 & 2);
}

/* The guest's current mode may read that counter (its scounteren, when in user mode). */
static inline bool engine_counter_open(const struct engine_vcpu *v, unsigned which)
{
    return v->ops->counter_open(v, which);
}

/* When guest time is `when`, in host time. What is never, or beyond the end, is never; what was
 * before the host's time began has passed. */
static inline uint64_t engine_host_time(const struct engine_vm *vm, uint64_t when)
{
    uint64_t host = when - vm->time_delta;
    bool ahead = (int64_t)vm->time_delta > 0; /* the guest's time: of one from another boot */
    if (when == UINT64_MAX)
        return UINT64_MAX;
    return (host < when) == ahead ? host : ahead ? 0 : UINT64_MAX;
}

/* A trap of the hypervisor's own, while it answers a hot exit: says where, and ends the machine. */
_Noreturn void engine_trap_inside(void);

static inline void engine_absent(struct engine_vcpu *v, uint64_t gpa, bool write)
{
    v->absent = true;
    v->absent_gpa = gpa;
    v->absent_write = write;
}

/* Fills in a0/a1 for an SBI answer. */
static inline void engine_sbi_answer(struct engine_vcpu *v, int64_t error, uint64_t value)
{
    v->gpr[10] = (uint64_t)error;
    v->gpr[11] = value;
}

#endif
