/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libcaldarium: virtual machines for 64-bit RISC-V, run by whoever embeds the library.
 *
 * For C, C++ and bindings of other languages: handles are opaque, nothing here is a macro with
 * arguments, an inline function or a type of C's own. Functions that can fail answer CALD_OK or one
 * of the negative errors.
 *
 * Locks and interrupts: the library's locks spin, each for a short and bounded time. A host that
 * calls it from interrupt handlers, or whose threads can be preempted, calls every function that is
 * for any thread with interrupts off, so that who holds a lock always goes on. It does the same
 * for the functions of a vCPU's own hart. The library switches no interrupts on.
 *
 * Units: times are ticks of the host's clock, host_time(); addresses and sizes are in bytes.
 */
#ifndef CALDARIUM_CALDARIUM_H
#define CALDARIUM_CALDARIUM_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default) /* of the archive these names alone are for others */

struct cald_machine;
struct cald_vm;
struct cald_vcpu;

#define CALD_MAX_VCPUS 64 /* of a VM */

enum {
    CALD_OK = 0,
    CALD_ENOMEM = -1,  /* the host has no memory left */
    CALD_EINVAL = -2,  /* an argument that can't be, whatever the state */
    CALD_ENOENT = -3,  /* there is no such thing */
    CALD_EBUSY = -4,   /* not now, or not beside what is there already */
    CALD_ENOTSUP = -5, /* this machine, engine or VM has no such thing */
    CALD_EFAULT = -6,  /* the guest gets an access fault; or the VM has no memory there */
    CALD_EAGAIN = -7,  /* the host has first to get a page of the guest's */
};

/* ---- The machine ----------------------------------------------------------------------------- */

/* Harts that run vCPUs, and what all of them have. Several may exist in one process. */
struct cald_machine;

/*
 * Flags of struct cald_machine_params. What the harts have:
 * - H: engine h may be used, the H extension is the library's; SHADOW: engine shadow may be used;
 * - FP: F and D, there are registers of 64 bits to switch;
 * - COUNTERS: S-mode may read cycle and instret;
 * - SENVCFG: senvcfg exists;
 * - for engine h: SSTC, vstimecmp works; HSTATEEN, hstateen0 exists; AIA, Ssaia's VS-level CSRs do;
 * - for engine shadow: HSTATUS, hstatus exists, whoever uses it; TIME_TRAPS, a read of `time` that
 *   scounteren closes comes to S-mode as an illegal instruction.
 * What the host does:
 * - KICKS_ARE_OURS: a pending software interrupt, or kick_identity, is host_kick()'s and may be
 *   taken during a run;
 * - PRIVATE_ROOT: engine shadow runs on roots of its own, copies of the upper half of the host's,
 *   and host_table_share() is never called. host_va() reaches the host's tables then. The host's
 *   root may change what it has in its upper half while no vCPU is loaded on the hart; below the
 *   root at any time, but for the tables that lead to the last GiB;
 * - APART: its root has 4 levels or more, and all that a run needs of it lies behind one entry of
 *   the root, neither the first nor the last, for S-mode alone: the library, its data, stacks, what
 *   host_*() use and return. That entry is the same in all its roots and stays. Then guests of
 *   engine shadow have one level less, and host_table_share() is never called. From load to put the
 *   root in force may be one of the library's, with that entry and a guest's;
 * - GLOBAL: its own address space has global entries (PTE.G): then each change of root flushes all.
 */
#define CALD_MACHINE_H 0x001U
#define CALD_MACHINE_SHADOW 0x002U
#define CALD_MACHINE_FP 0x004U
#define CALD_MACHINE_COUNTERS 0x008U
#define CALD_MACHINE_SSTC 0x010U
#define CALD_MACHINE_HSTATEEN 0x020U
#define CALD_MACHINE_AIA 0x040U
#define CALD_MACHINE_SENVCFG 0x080U
#define CALD_MACHINE_HSTATUS 0x100U
#define CALD_MACHINE_TIME_TRAPS 0x200U
#define CALD_MACHINE_KICKS_ARE_OURS 0x400U
#define CALD_MACHINE_PRIVATE_ROOT 0x800U
#define CALD_MACHINE_GLOBAL 0x1000U
#define CALD_MACHINE_APART 0x2000U

#define CALD_ASIDS 31 /* so many tell all roots apart between which engine shadow changes */

/*
 * What the harts have, told by the host: the library probes nothing. What differs from hart to hart
 * is told as what all of them have. All zero but what is said is a hart with the base ISA alone.
 */
struct cald_machine_params {
    uint32_t harts;    /* numbered 0 .. harts-1 by the host */
    uint32_t flags;    /* CALD_MACHINE_* */
    uint64_t timebase; /* Hz of the `time` CSR */
    const char *isa;   /* "rv64imafdc_zicsr_...", as device trees spell it; read during the call */

    uint32_t vector_bytes;  /* VLENB; 0: no vector registers to switch */
    uint32_t kick_identity; /* at the harts' interrupt files; 0: kicks are software interrupts */

    /* Engine h. Bits of henvcfg that can be set and whose instructions work; how many levels the
     * second stage may have (bits 3, 4, 5: Sv39x4, Sv48x4, Sv57x4), and a guest's satp at most. */
    uint64_t henvcfg;
    uint32_t gstage_modes, vmid_bits, vs_levels;

    /* Engine shadow. How many levels satp takes at most (3, 4, 5; a guest has 4 at most); ASIDs
     * that are the library's on each hart, a run of them, 0: none (with fewer than CALD_ASIDS each
     * change of root flushes); bits of scounteren that can be set; counters that S-mode may read,
     * by their place in scounteren. */
    uint32_t satp_levels;
    uint32_t first_asid, asids;
    uint32_t scounteren, counters;

    /* Bits of senvcfg that can be set; those whose instructions U-mode can execute then. */
    uint64_t senvcfg, user_senvcfg;
};

/*
 * For a host that owns its harts: fills `flags` (H to HSTATUS) and everything from vector_bytes on
 * but kick_identity in, by trying on the calling hart; `isa` is what all harts have. Interrupts are
 * off, the present address space has three levels or more. Takes the traps of what is tried itself:
 * for that time stvec is the library's. Every CSR is as before afterwards. TIME_TRAPS and the flags
 * of what the host does stay as they are set.
 */
int cald_machine_probe(struct cald_machine_params *params);

/*
 * CALD_OK, and the machine in *machine; CALD_EINVAL after a line that names the member and what was
 * expected; CALD_ENOMEM. No vCPU needs memory for its harts later. `owner` is the host's own.
 */
int cald_machine_create(const struct cald_machine_params *params, void *owner,
                        struct cald_machine **made);

/* What guests can be shown of the machine's extensions, as in `isa`; `engine` is CALD_MACHINE_H or
 * CALD_MACHINE_SHADOW. Returns the text's length, `bytes` or more if it did not fit. */
uint32_t cald_machine_isa(const struct cald_machine *machine, uint32_t engine, char *text,
                          uint32_t bytes);

/* Gives everything back. Its VMs are destroyed, and all harts have ended. */
void cald_machine_destroy(struct cald_machine *machine);

/*
 * On that hart, interrupts off: from begin to end the CSRs of the H extension (where the machine
 * has CALD_MACHINE_H) are the library's, and it may run vCPUs there. end() leaves each register as
 * begin() found it, and no address translation of a guest's remembered; no vCPU is loaded there.
 * The supervisor's own registers are never the library's for longer than a run, but for what
 * host_fp_begin() says, scounteren and senvcfg, which are a loaded vCPU's until it is put.
 * CALD_EINVAL: there is no such hart; CALD_EBUSY: it has begun already.
 */
int cald_hart_begin(struct cald_machine *machine, uint32_t hart);
void cald_hart_end(struct cald_machine *machine, uint32_t hart);

/* ---- VMs ------------------------------------------------------------------------------------- */

#define CALD_NOWHERE UINT64_MAX /* in place of an address: the VM has no such thing */

/* How a VM's guest runs: with the H extension, or by trapping and emulating, with shadow tables. */
enum cald_engine {
    CALD_ENGINE_H,
    CALD_ENGINE_SHADOW,
};

/* The interrupt controller that a VM's guest sees. */
enum cald_irqchip {
    CALD_IRQCHIP_NONE, /* none of the library's */
    CALD_IRQCHIP_PLIC,
    CALD_IRQCHIP_APLIC, /* wires straight to the vCPUs */
    CALD_IRQCHIP_IMSIC, /* an interrupt file for each vCPU, and an APLIC that sends messages */
};

/* Flags of struct cald_vm_params. FORWARDS: some sources are the host's, and
 * host_irq_complete() tells it when the guest has done with one. GETCHAR_ZERO: the SBI's legacy
 * getchar answers 0 when no byte is there, not -1. */
#define CALD_VM_CLOSED (1U << 0)   /* made, but not opened: cald_vm_open() */
#define CALD_VM_CONSOLE (1U << 1)  /* the SBI's console calls reach the host's console */
#define CALD_VM_SBI_OUT (1U << 2)  /* SBI calls that nobody inside answers are CALD_SBI, all */
#define CALD_VM_CSRS_OUT (1U << 3) /* CSRs that it lacks are CALD_CSR_ACCESS, else illegal */
#define CALD_VM_FORWARDS (1U << 4)
#define CALD_VM_GETCHAR_ZERO (1U << 5)

/* SBI extensions that the library serves, for struct cald_vm_params. BASE is always among them. */
#define CALD_SBI_LEGACY (1U << 0) /* all of the legacy calls */
#define CALD_SBI_TIME (1U << 1)
#define CALD_SBI_IPI (1U << 2)
#define CALD_SBI_RFENCE (1U << 3)
#define CALD_SBI_HSM (1U << 4)
#define CALD_SBI_SRST (1U << 5)
#define CALD_SBI_PMU (1U << 6)
#define CALD_SBI_DBCN (1U << 7)
#define CALD_SBI_SUSP (1U << 8)
#define CALD_SBI_STA (1U << 9)
#define CALD_SBI_ALL 0x3ffU

/* What the library's devices take of a VM's addresses, and how many sources there can be. */
#define CALD_PLIC_SIZE 0x600000UL
#define CALD_APLIC_SIZE 0x8000UL
#define CALD_IMSIC_PAGE 0x1000UL /* vCPU n's interrupt file: the n-th page */
#define CALD_UART_SIZE 0x100UL
#define CALD_UART_BREAK 0x100U /* received instead of a byte: a break on the line */
#define CALD_MAX_SOURCES 1023  /* what a PLIC or an APLIC can number */
#define CALD_MAX_IMSIC_IDS 255 /* identities of an interrupt file, at most */

#define CALD_SBI_IDS 8 /* extensions of a host's own, at most */

/*
 * What a VM is. All zero is no VM: a name, vCPUs, the end of its addresses, and CALD_NOWHERE or a
 * place for each device are expected.
 */
struct cald_vm_params {
    const char *name; /* for messages; copied, 31 bytes of it at most */
    void *owner;      /* the host's own: cald_vm_owner() */
    uint32_t vcpus;   /* 1 to CALD_MAX_VCPUS */
    uint32_t flags;   /* CALD_VM_* */
    enum cald_engine engine;
    enum cald_irqchip irqchip;
    /* Where they begin, on a page's boundary; CALD_NOWHERE where the VM has none. They take
     * CALD_PLIC_SIZE and so on; interrupt files all lie in the same 2 MiB. */
    uint64_t plic_base, aplic_base, imsic_base, uart_base;
    uint32_t irq_sources;   /* the controller's sources are 1 to this, CALD_MAX_SOURCES at most */
    uint32_t imsic_ids;     /* identities 1 to this of an interrupt file: 63, 127, 191 or 255 */
    uint32_t uart_irq;      /* the UART's source */
    uint64_t gpa_end;       /* all of the VM's guest-physical addresses lie below */
    const char *isa_hidden; /* names of extensions that the guest does not have, separated by
                               spaces, beside those that the machine lacks; read during the call */
    uint32_t sbi_hidden;    /* CALD_SBI_*: those that are not there, or the host's to answer */
    uint32_t sbi_id_count;
    const uint64_t *sbi_ids; /* extensions that the host answers, among them legacy calls of its
                                choice: they are CALD_SBI, and the guest is told that they are
                                there; read during the call. All others are not there */
    uint64_t mvendorid, marchid, mimpid; /* as the SBI tells them */
};

/*
 * Makes a VM, and takes all memory that its structures need; its vCPUs are stopped. CALD_EINVAL
 * after one line that names VM and member and says what was expected; CALD_ENOMEM after one line;
 * nothing is taken then. What comes next: its memory, regions of the host's, cald_vm_start().
 */
int cald_vm_create(struct cald_machine *machine, const struct cald_vm_params *params,
                   struct cald_vm **made);

/* Gives everything back. All its vCPUs are put. */
void cald_vm_destroy(struct cald_vm *vm);

/*
 * A VM that is closed keeps its vCPUs' structures and its regions and holds no other memory, nor
 * any of the guest's; open, it is as cald_vm_create() leaves one. All vCPUs are put. open():
 * CALD_ENOMEM after one line, and the VM is closed; CALD_EBUSY: it is open.
 */
int cald_vm_open(struct cald_vm *vm);
void cald_vm_close(struct cald_vm *vm);

/* All vCPUs and devices of the library as after creation; memory, and regions of the host's, stay.
 * All vCPUs are put. */
void cald_vm_reset(struct cald_vm *vm);

/* vCPU 0 begins at `pc` in S-mode with a0 = 0 and a1 = opaque when it runs next. CALD_ENOMEM after
 * one line. */
int cald_vm_start(struct cald_vm *vm, uint64_t pc, uint64_t opaque);

void *cald_vm_owner(const struct cald_vm *vm);

/* How many vCPUs it has. */
uint32_t cald_vm_vcpus(const struct cald_vm *vm);

/* vCPU `id`, for as long as the VM exists; NULL: there is none of that number. Back: its VM, and
 * its number. */
struct cald_vcpu *cald_vm_vcpu(struct cald_vm *vm, uint32_t id);
struct cald_vm *cald_vcpu_vm(const struct cald_vcpu *vcpu);
uint32_t cald_vcpu_id(const struct cald_vcpu *vcpu);

/* Where its guest goes on. On its hart between two runs, or on any while it is loaded on none. */
uint64_t cald_vcpu_pc(const struct cald_vcpu *vcpu);

/* A pointer of the host's own for each vCPU. */
void cald_vcpu_set_owner(struct cald_vcpu *vcpu, void *owner);
void *cald_vcpu_owner(const struct cald_vcpu *vcpu);

/*
 * The wire of a source of the VM's interrupt controller is high or low. Any thread; one at a time
 * for one source. CALD_ENOTSUP: it has no controller; CALD_EINVAL: there is no such source.
 */
int cald_vm_irq(struct cald_vm *vm, uint32_t source, bool level);

/* A message-signalled interrupt: `data` written at `gpa`, which is a vCPU's interrupt file. Any
 * thread. CALD_ENOTSUP: the VM has none; CALD_EINVAL: none is there. */
int cald_vm_msi(struct cald_vm *vm, uint64_t gpa, uint32_t data);

/* What the guest has of extensions, as in a device tree's "riscv,isa": what the machine has for its
 * engine, less isa_hidden. Returns the text's length, `bytes` or more if it did not fit. */
uint32_t cald_vm_isa(const struct cald_vm *vm, char *text, uint32_t bytes);

/* Bytes of the host's memory that a vCPU takes, beside its vector registers. */
uint64_t cald_vcpu_bytes(void);

/* Bytes of the host's memory that the VM's page tables take. */
uint64_t cald_vm_table_bytes(const struct cald_vm *vm);

/* An edge of a source's wire: up, and down again. As cald_vm_irq(). */
void cald_vm_irq_pulse(struct cald_vm *vm, uint32_t source);

/*
 * A key for the VM's serial port: a byte, or CALD_UART_BREAK. False: it has no room, and
 * host_console_taken() tells when there is some. Any thread, but not from within the port's own
 * calls.
 */
bool cald_vm_uart_receive(struct cald_vm *vm, uint32_t key);

/* host_console_room() has some again, after the port had been told that there is none. Any thread.
 */
void cald_vm_uart_ready(struct cald_vm *vm);

/* Whether the guest's time can stand still while none of its vCPUs runs; and that it did, for so
 * many ticks of the host's. Every vCPU is put. */
bool cald_vm_time_can_stand(const struct cald_vm *vm);
void cald_vm_time_stood(struct cald_vm *vm, uint64_t ticks);

/* What the guest's `time` is when the host's clock shows `host`. */
uint64_t cald_vm_time(const struct cald_vm *vm, uint64_t host);

/*
 * A device's registers. Called on the hart of the vCPU that makes the access, with the `device`
 * that was registered, an offset from the region's begin, and a width of 1, 2, 4 or 8 bytes; the
 * access lies in the region as a whole. CALD_OK, or CALD_EFAULT: there is no such register, or not
 * of that width. A write may answer CALD_EBUSY too: nothing has happened yet, the guest makes the
 * same access again after others had the hart.
 */
struct cald_region_ops {
    int (*read)(void *device, struct cald_vcpu *vcpu, uint64_t offset, uint32_t width,
                uint64_t *value);
    int (*write)(void *device, struct cald_vcpu *vcpu, uint64_t offset, uint32_t width,
                 uint64_t value);
};

/*
 * Registers `ops` for [gpa, gpa + size) of the VM; `name` is for messages and stays the caller's.
 * No vCPU of the VM runs. CALD_EBUSY: another region lies there, which was said in a line;
 * CALD_EINVAL: no size, or beyond the end of the address space; CALD_ENOMEM: too many regions.
 */
int cald_vm_region(struct cald_vm *vm, const char *name, uint64_t gpa, uint64_t size,
                   const struct cald_region_ops *ops, void *device);

/* Whether a region lies in [gpa, gpa + size), or a part of one. */
bool cald_vm_has_region(const struct cald_vm *vm, uint64_t gpa, uint64_t size);

/* ---- A vCPU's run ---------------------------------------------------------------------------- */

/* Why cald_vcpu_run() returned. */
enum cald_why {
    CALD_AGAIN,   /* an interrupt of the host's, or nothing special: take interrupts, call again */
    CALD_WAIT,    /* the guest waits for an interrupt, or its hart is stopped or suspended */
    CALD_YIELD,   /* the guest polls for something: others may go first */
    CALD_REQUEST, /* cald_vcpu_request() was called */
    /* What nobody inside answers: cald_vcpu_complete() before the next run. */
    CALD_MMIO,       /* a load or store where there is neither memory nor a region */
    CALD_SBI,        /* a call of an extension that the library doesn't have */
    CALD_CSR_ACCESS, /* a CSR that the library doesn't have */
    CALD_PAGE,       /* the host's page isn't there: it brings it, and calls again */
    /* What becomes of a VM is its host's. Called again, the vCPU asks again, but for a suspend. */
    CALD_RESET,     /* the guest wants its machine to start anew */
    CALD_OFF,       /* the guest wants its machine to be switched off */
    CALD_SUSPEND,   /* the guest sleeps to RAM; its next runs are CALD_WAIT until an interrupt comes
                     */
    CALD_FAULT,     /* the guest can't go on */
    CALD_BREAKPOINT /* the guest is before an ebreak: cald_vcpu_breakpoints() */
};

/* enum cald_exit's type for CALD_RESET: as the SBI's SRST numbers them. */
enum { CALD_RESET_COLD = 1, CALD_RESET_WARM = 2 };

/* More about it; each member is valid for the reasons that it names. */
struct cald_exit {
    uint64_t until; /* CALD_WAIT: host time of the vCPU's timer; UINT64_MAX: none is set */
    uint64_t gpa;   /* CALD_MMIO, CALD_PAGE: the guest-physical address */
    uint64_t
        value; /* CALD_MMIO: what is stored; CALD_CSR_ACCESS: what is written, where `mask` is 1 */
    uint64_t mask;      /* CALD_CSR_ACCESS: the bits that are written; 0: a read */
    uint64_t extension; /* CALD_SBI: a7 */
    uint64_t function;  /* CALD_SBI: a6 */
    uint64_t args[6];   /* CALD_SBI: a0..a5 */
    const char *text;   /* CALD_FAULT: why, one line; until the next run */
    uint32_t csr;       /* CALD_CSR_ACCESS: its number */
    uint32_t type;      /* CALD_RESET */
    uint8_t width;      /* CALD_MMIO: bytes: 1, 2, 4 or 8 */
    bool write;         /* CALD_MMIO, CALD_PAGE: a store */
    bool off_hart;      /* CALD_WAIT: as after cald_vcpu_put(); else it is still loaded */
};

/*
 * Runs guest code, or does what else is next with the vCPU, until the host has something to do.
 * `hart` is the host's number of the hart that this runs on, from here on the vCPU's, until
 * cald_vcpu_put(); no other vCPU may run there before that, nor this one elsewhere. One caller at a
 * time, with interrupts off and no preemption.
 *
 * Interrupts are the host's: what is enabled in sie ends the run while guest code runs, with
 * CALD_AGAIN, and is still pending then, for the host to take. A machine with
 * CALD_MACHINE_KICKS_ARE_OURS is one whose harts kick each other for the library alone: kicks are
 * taken inside, and answered without leaving the run where that can be.
 *
 * After CALD_WAIT the host may sleep until exit->until, or until host_wake(). What wakes the vCPU
 * may have come before the host can be woken, so the order is: the host takes the lock that its
 * host_wake() takes, asks cald_vcpu_pending(), and marks the vCPU as asleep only if that is false.
 */
enum cald_why cald_vcpu_run(struct cald_vcpu *vcpu, uint32_t hart, struct cald_exit *exit);

/*
 * Completes what a run ended with. CALD_MMIO: `value` is what a load reads; an error is an access
 * fault. CALD_SBI: they go to a0 and a1 (of a legacy call `error` alone, to a0). CALD_CSR_ACCESS:
 * `value` is what the register held; an error is an illegal instruction. Between two runs, by the
 * caller of both. Until it is called the vCPU is before the instruction, and a run returns the same
 * again.
 */
void cald_vcpu_complete(struct cald_vcpu *vcpu, int64_t error, uint64_t value);

/* After CALD_WAIT: something came meanwhile, do not sleep. Has acquire semantics. Any thread. */
bool cald_vcpu_pending(const struct cald_vcpu *vcpu);

/* Takes the vCPU off its hart, where it has one: another vCPU needs the hart, or this one goes
 * elsewhere. It can't run, so nobody waits for it until it runs again. If its last run was
 * CALD_WAIT, it goes on sleeping, and what it waits for still wakes it. On its hart. */
void cald_vcpu_put(struct cald_vcpu *vcpu);

/* Has cald_vcpu_run() return CALD_REQUEST soon, also out of a CALD_WAIT, by host_wake(). The caller
 * has written what it wants before; the host that sees CALD_REQUEST reads it. Any thread. */
void cald_vcpu_request(struct cald_vcpu *vcpu);

/* Shows the guest an interrupt, or takes it away: 1 software, 5 timer, 9 external, the latter where
 * the VM has no interrupt controller of the library's. It stays as it is until the next call, also
 * when the guest's hart starts anew. CALD_EINVAL: there is no such line; CALD_ENOTSUP: it is the
 * controller's. Any thread. */
int cald_vcpu_irq(struct cald_vcpu *vcpu, uint32_t irq, bool level);

/* The time that was given to host_timer_arm() for this vCPU has come. Any thread. */
void cald_vcpu_timer(struct cald_vcpu *vcpu);

/* Whether the guest's wait for an interrupt (WFI) is CALD_WAIT, or may take place on the hart. On
 * the vCPU's hart, between two runs; true at first. */
void cald_vcpu_wfi_exits(struct cald_vcpu *vcpu, bool exits);

/* For a debugger: whether an ebreak of the guest's, in any of its modes, is CALD_BREAKPOINT. The pc
 * is at it then, and stays there until the host changes it or says false. Else, and at first, the
 * guest gets its exception. While the vCPU doesn't run. */
void cald_vcpu_breakpoints(struct cald_vcpu *vcpu, bool exit);

/* For hosts whose harts kick each other for the library alone: while *flag is not zero, a kick ends
 * the run. The host may write the flag at any time. On the vCPU's hart, between two runs. */
void cald_vcpu_attention(struct cald_vcpu *vcpu, const uint8_t *flag);

/* Prints what the vCPU was doing, for a person, in lines through host_line(): its registers and
 * CSRs, and who called whom. On its hart between two runs, or on any while it is loaded on none. */
void cald_vcpu_report(struct cald_vcpu *vcpu);

#define CALD_EXITS 32 /* numbers of exits, at most */

/* What a vCPU has done since its VM was started or reset. */
struct cald_stats {
    /* Ticks: in its guest, with the exits that an engine answers itself; in the others; and
     * what cald_vcpu_steal() said last. */
    uint64_t guest, host, steal;
    /* Interrupt files of harts (caldarium/devices.h): how often it got one, messages that came into
     * one as it was leaving and were moved on, and whether it has one now. */
    uint64_t files, moved;
    bool has_file;
    uint64_t exits[CALD_EXITS]; /* by number: cald_exit_name() */
};

/* Any thread; while the vCPU runs, each number is one of these moments, not all of the same. */
void cald_vcpu_stats(const struct cald_vcpu *vcpu, struct cald_stats *stats);

/* What `what` and `more` of an exit of that number are in a trace. */
enum cald_trace_what {
    CALD_TRACE_CAUSE,       /* scause */
    CALD_TRACE_CALL,        /* an SBI call's extension, and its function */
    CALD_TRACE_ACCESS,      /* a guest-physical address, and the access's bytes */
    CALD_TRACE_ADDRESS,     /* an address */
    CALD_TRACE_INSTRUCTION, /* an instruction */
};
enum cald_trace_what cald_trace_what(uint32_t reason);

/* What an exit of that number is called; "?": there is none. */
const char *cald_exit_name(uint32_t reason);

/* An exit as a trace notes it. */
struct cald_trace_entry {
    uint64_t time; /* host time when the guest was left */
    uint64_t pc;   /* the guest's, then */
    uint64_t what; /* cald_trace_what() */
    uint32_t more;
    uint16_t cost;  /* host ticks in the handler, at most 65535 */
    uint8_t reason; /* cald_exit_name() */
    bool store;
};
#define CALD_TRACE_ENTRIES 256 /* of a vCPU: as many are kept */

/* From now on each vCPU's last exits are noted, or no more. Exits that an engine answers itself are
 * counted alone. CALD_ENOMEM: the notes have no room. One caller at a time. */
int cald_vm_trace(struct cald_vm *vm, bool on);

/* How many exits of the vCPU were noted so far, and the n-th of them. The oldest ones that are kept
 * may be written over meanwhile. Any thread. */
uint32_t cald_vcpu_traced(const struct cald_vcpu *vcpu);
void cald_vcpu_trace(const struct cald_vcpu *vcpu, uint32_t n, struct cald_trace_entry *entry);

/* How long the vCPU was ready to run and kept from a hart, in all: its guest may ask for it (SBI
 * STA). Ticks. While the vCPU is on no hart. */
void cald_vcpu_steal(struct cald_vcpu *vcpu, uint64_t ticks);

/* ---- Memory ---------------------------------------------------------------------------------- */

/* What a slot of memory is, or'ed. */
enum {
    CALD_SLOT_READ_ONLY =
        1 << 0, /* guests' stores are accesses of a device's registers (CALD_MMIO) */
    CALD_SLOT_LOG_DIRTY = 1 << 1, /* pages that are written are noted: cald_vm_dirty() */
    CALD_SLOT_DEVICE = 1 << 2,    /* `pages` is the physical address of a device's registers */
    CALD_SLOT_PRIVATE = 1 << 5,   /* nobody writes to it but the VM's vCPUs, its devices and the
                                     library: engine shadow executes from copies of its pages, which
                                     is faster. It counts for what is there at cald_vm_start() */
};

/*
 * Sets the VM's slot of that number, any but UINT32_MAX: guest-physical [gpa, gpa+size) is the
 * host's memory at `pages`, in one run, which stays until the slot is taken away. With `pages` NULL
 * the host is asked page by page: host_guest_page(). Addresses and sizes are multiples of 4096. A
 * slot that is there changes its flags; one of size 0 is taken away, and when this returns no vCPU
 * reaches its memory. All memory that the slot needs is taken here: by page 8 bytes a page, logged
 * one bit, and with engine h a page of tables for each 2 MiB of a slot that is one of these.
 *
 * VMs may run. One caller at a time for a VM, on any thread, but not from within a call of the
 * library's.
 *
 * CALD_EINVAL: misaligned, wraps around, beyond the VM's gpa_end, or flags that don't go together;
 * CALD_EBUSY: overlaps another slot, or the slot is there and elsewhere, or is or is not PRIVATE
 * (take it away first), or an IOMMU uses the VM's table, and it can't come and go page by page, be
 * logged or be taken away; CALD_ENOENT: nothing to take away; CALD_ENOMEM: no memory, or too many
 * slots.
 */
int cald_vm_slot(struct cald_vm *vm, uint32_t number, uint64_t gpa, uint64_t size, void *pages,
                 uint32_t flags);

/*
 * The host takes pages away, or will have others in their place. Before the call host_guest_page()
 * says so already; when it returns no vCPU, table or pointer of the library's reaches [gpa,
 * gpa+size) as it was, and what was written there is whole. vCPUs in the guest are interrupted for
 * it (host_kick()); it waits for them, and so not from a place where such a vCPU could wait for the
 * caller. Any thread, several at a time, but not from within a call of the library's. The slots of
 * its pages stay.
 */
void cald_vm_forget(struct cald_vm *vm, uint64_t gpa, uint64_t size);

/*
 * The dirty log of a slot: bit n of `bitmap`, 64 in a word, is set if page n was written, by the
 * guest, by the library or by cald_vm_write(), since it was asked last or since the log began; it
 * is cleared for the next time. What was written before the call returns is in it, or will be.
 * Writes of devices behind an IOMMU are not. `words`: of the bitmap, (pages + 63) / 64 at least.
 * CALD_ENOENT: no such slot; CALD_EINVAL: it has no log, or too few words. As cald_vm_slot(): one
 * caller at a time, VMs may run.
 */
int cald_vm_dirty(struct cald_vm *vm, uint32_t number, uint64_t *bitmap, uint64_t words);

/*
 * Copies from and to the guest's memory, by way of all of its slots. CALD_EFAULT: the VM has none
 * in a part of it, or it is read-only; CALD_EAGAIN: host_guest_page() says that a page is absent: a
 * part may have been copied. Any thread; the caller sees to it that what it reaches isn't taken
 * away meanwhile.
 */
int cald_vm_read(struct cald_vm *vm, uint64_t gpa, void *to, uint64_t bytes);
int cald_vm_write(struct cald_vm *vm, uint64_t gpa, const void *from, uint64_t bytes);

/*
 * One load or store of 2, 4 or 8 bytes, aligned, of what the guest's vCPUs write and read
 * meanwhile: the indices of a ring. The load has acquire semantics, the store release semantics.
 * Errors and threads as above; CALD_EINVAL: of another width, or misaligned.
 */
int cald_vm_load(struct cald_vm *vm, uint64_t gpa, uint32_t width, uint64_t *value);
int cald_vm_store(struct cald_vm *vm, uint64_t gpa, uint32_t width, uint64_t value);

/*
 * For a host that fills much of it, without a copy: a pointer to [gpa, gpa+bytes), to be written at
 * once, where that is one run of the host's memory that guests may write to; else NULL.
 * What is written there counts as written by this call: the dirty log has it from now on, and
 * engine shadow forgets what it made of it, so no vCPU of the VM runs until the caller has done.
 * Threads as above.
 */
void *cald_vm_ram(struct cald_vm *vm, uint64_t gpa, uint64_t bytes);

/* The same to be read alone: nothing is noted, and vCPUs may run. */
const void *cald_vm_ram_to_read(struct cald_vm *vm, uint64_t gpa, uint64_t bytes);

/* Every byte of [gpa, gpa+bytes) is memory, in one run of the host's or in several, absent or not.
 * Threads as above. */
bool cald_vm_is_ram(const struct cald_vm *vm, uint64_t gpa, uint64_t bytes);

/* ---- State ----------------------------------------------------------------------------------- */

/*
 * The state of a VM and of its vCPUs, readable and writable item by item: enough to save a VM and
 * to go on with it in another process, under the other engine where the ISA allows, or on another
 * machine. Guest memory is not part of it.
 *
 * An item is a number, that of its class plus an index, that never changes its meaning; new items
 * get new numbers. A value is 64 bits. What a guest can't tell apart has one form here: pending
 * mail shows as the interrupt that it is, host time as guest time, and fences that are owed become
 * a full flush after the first item that is set.
 *
 * All functions: no vCPU of the VM is loaded on a hart, and none runs; any thread, one at a time.
 * Values that are set may come from anywhere: each is checked against what a hart of this VM could
 * hold. A bit that the manual calls WARL is made legal as a write would; what has no legal form is
 * refused, and nothing is changed then. No value that is accepted does more to the host than a
 * guest could. They are set in the order in which cald_vcpu_items() and cald_vm_items() list them.
 *
 * Answers: CALD_OK; CALD_ENOENT: this VM has no such item; CALD_EINVAL: the item can't have this
 * value here; CALD_ENOTSUP: it could, but neither this machine nor its firmware can bring it about;
 * CALD_EBUSY: a hart has the vCPU, or an access of its guest's waits for cald_vcpu_complete(); then
 * it lists no items either.
 */

/* Classes of a vCPU's items, and what the index is. */
enum {
    CALD_CORE = 0x01000000, /* 0: pc; 1..31: x1..x31; 32: privilege, 0 U-mode, 1 S-mode */
    /* The CSR's number. sip: bits 1 and 9; bit 5 follows CALD_TIMER. cycle and instret: as the
     * guest reads them. */
    CALD_CSR = 0x02000000,
    CALD_FP = 0x03000000,     /* 0..31: f0..f31 */
    CALD_VECTOR = 0x04000000, /* register << 10 | which 64 bits of it */
    CALD_TIMER = 0x05000000,  /* 0: what stimecmp is with Sstc, or what SBI TIME set; guest time */
    CALD_IMSIC = 0x06000000,  /* siselect's value: 0x70, 0x72, even ones from 0x80 on */
    CALD_HSM = 0x07000000,    /* CALD_HSM_* */
    CALD_PMU = 0x08000000,    /* counter << 4 | CALD_PMU_*; CALD_PMU_SNAPSHOT */
    CALD_STA = 0x09000000     /* 0: address of the record, all ones: none; 1: steal time, ticks */
};
#define CALD_CORE_MODE 32
enum { CALD_HSM_STATE, CALD_HSM_PC, CALD_HSM_OPAQUE, CALD_HSM_RETENTIVE };
enum { CALD_PMU_FLAGS, CALD_PMU_EVENT, CALD_PMU_VALUE }; /* flags: 1 configured, 2 running */
#define CALD_PMU_SNAPSHOT 0x100 /* address of the snapshot area, all ones: none */

/* Classes of a VM's items. */
enum {
    CALD_VM = 0x40000000,    /* CALD_VM_* */
    CALD_ISA = 0x41000000,   /* cald_isa_index(); 1: the guest is shown the extension */
    CALD_PLIC = 0x42000000,  /* CALD_PLIC_* */
    CALD_APLIC = 0x43000000, /* CALD_APLIC_* */
    CALD_UART = 0x44000000   /* CALD_UART_* */
};
/* All but the time can only be what they are: a VM that is not like this one is refused by them. */
enum {
    CALD_VM_TIME,      /* the guest's `time` */
    CALD_VM_VCPUS,     /* how many it has */
    CALD_VM_IRQCHIP,   /* 0 none, 1 PLIC, 2 APLIC, 3 APLIC with IMSICs */
    CALD_VM_TIMEBASE,  /* Hz */
    CALD_VM_VLENB,     /* bytes of a vector register; 0: it is shown none */
    CALD_VM_SOURCES,   /* of its interrupt controller: no more than here */
    CALD_VM_IMSIC_IDS, /* likewise, interrupt identities */
    CALD_VM_COUNT
};
/* The extension's name in lower case, FNV-1a, 32 bits folded to 24: cald_isa_index(). */
uint32_t cald_isa_index(const char *name);

/* Words hold 32 sources each. */
#define CALD_PLIC_PRIORITY 0x000 /* + source */
#define CALD_PLIC_PENDING                                                                          \
    0x400 /* + word; CLAIMED: until completed; LEVEL: the wire; EDGE: kept                         \
           */
#define CALD_PLIC_CLAIMED 0x420
#define CALD_PLIC_LEVEL 0x440
#define CALD_PLIC_EDGE 0x460
#define CALD_PLIC_THRESHOLD 0x480 /* + vCPU */
#define CALD_PLIC_ENABLE 0x800    /* + 32 * vCPU + word */

#define CALD_APLIC_DOMAIN 0x000  /* domaincfg.IE */
#define CALD_APLIC_PENDING 0x020 /* + word */
#define CALD_APLIC_ENABLE 0x040
#define CALD_APLIC_WIRE 0x060
#define CALD_APLIC_SERVED 0x080 /* of forwarded sources */
#define CALD_APLIC_STALE 0x0a0
#define CALD_APLIC_IDC 0x100    /* + 4 * vCPU + 0 idelivery, 1 iforce, 2 ithreshold */
#define CALD_APLIC_MODE 0x400   /* + source: sourcecfg */
#define CALD_APLIC_TARGET 0x800 /* + source */

enum {
    CALD_UART_IER,
    CALD_UART_FCR,
    CALD_UART_LCR,
    CALD_UART_MCR,
    CALD_UART_SCR,
    CALD_UART_DLL,
    CALD_UART_DLM,
    CALD_UART_ERRORS,    /* of LSR: overrun, parity, framing, break */
    CALD_UART_THRE,      /* the transmitter-empty interrupt has not been read away */
    CALD_UART_LINE_DATA, /* the two reasons to interrupt, as the controller was told */
    CALD_UART_LINE_EMPTY,
    CALD_UART_FIFO_COUNT, /* bytes received */
    CALD_UART_TYPED_COUNT /* and those that wait before the FIFO */
};
#define CALD_UART_FIFO 0x20    /* + n: the n-th to be read */
#define CALD_UART_TYPED 0x1000 /* + n: a byte, or 0x100, a break */
#define CALD_UART_FULL 0xf000  /* 1: the transmitter was not empty; it becomes so */

int cald_vcpu_get(struct cald_vcpu *vcpu, uint32_t item, uint64_t *value);
int cald_vcpu_set(struct cald_vcpu *vcpu, uint32_t item, uint64_t value);
int cald_vm_get(struct cald_vm *vm, uint32_t item, uint64_t *value);
int cald_vm_set(struct cald_vm *vm, uint32_t item, uint64_t value);

/* While it is frozen, its serial port takes nothing from the host: what is read or written item by
 * item then is of one moment. What the host wanted to give it meanwhile is asked for again after.
 */
void cald_vm_freeze(struct cald_vm *vm, bool frozen);

/* Lists the items that there are, `room` of them at most; returns how many there are. */
uint32_t cald_vcpu_items(struct cald_vcpu *vcpu, uint32_t *items, uint32_t room);
uint32_t cald_vm_items(struct cald_vm *vm, uint32_t *items, uint32_t room);

/* What a person calls the item, with a zero at the end; cut where `bytes` are too few (48 are
 * enough). Any number has a name. Any thread, at any time. */
void cald_item_name(uint32_t item, char *name, uint32_t bytes);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
