/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * caldarium.ko: KVM's interface on top of libcaldarium (docs/kvm.md). Which file does what:
 * machine.c the harts and the module's life, host.c what the library asks for, memory.c slots and
 * pages, dirty.c dirty logs, guest.c /dev/kvm and a VM's ioctls, ioevent.c stores that signal,
 * coalesced.c stores that wait, vcpu.c a vCPU's ioctls, run.c KVM_RUN, regs.c its registers,
 * timer.c its time, vector.c its vector registers, aia.c the interrupt controller, irqfd.c
 * interrupts by number.
 */
#ifndef CALDARIUM_LINUX_MODULE_H
#define CALDARIUM_LINUX_MODULE_H

#include <linux/hrtimer.h>
#include <linux/irq_work.h>
#include <linux/kvm.h>
#include <linux/list.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/rcuwait.h>
#include <linux/refcount.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>

#include "caldarium/caldarium.h"

#define GPA_BITS 41   /* guest-physical addresses have so many */
#define MAX_SLOTS 128 /* of a VM's memory: the library has 160 */

/* A slot of memory: [gpa, gpa+size) is the process's memory from `hva` on. In guest->slots; changed
 * with guest->lock and guest->pages_lock held, so either is enough to read. */
struct slot {
    struct list_head list;
    u32 id;
    u32 flags; /* KVM_MEM_* */
    u64 gpa, size;
    unsigned long hva;
    unsigned long *page; /* for each one PFN << 2 | PAGE_*, 0: not there. guest->pages_lock */
    u64 *dirty;          /* a log's: pages of which the VMM has to hear. guest->lock; or NULL */
};
#define PAGE_HERE 1UL
#define PAGE_WRITABLE 2UL

/* What a VMM sets of a vCPU before its VM is made. */
struct early {
    u32 item;
    u64 value;
};

struct guest_vcpu {
    struct guest *guest;
    unsigned int id;
    struct cald_vcpu *vcpu; /* NULL until guest->vm is there; written with guest->lock held */
    struct kvm_run *run;    /* one page, which the VMM maps */

    struct mutex lock; /* one of its ioctls at a time: all below up to `sigset` */
    bool stopped;      /* until `vcpu` is there: it begins stopped */
    u32 pending;       /* KVM_EXIT_* that KVM_RUN completes first */
    bool external;     /* KVM_INTERRUPT before `vcpu` is there; guest->lock */
    struct early *early;
    unsigned int early_count;
    bool debug, debug_changed; /* ebreaks are the VMM's; the library has to hear of it */
    bool has_sigset;
    sigset_t sigset;

    int cpu;             /* where it runs; -1: nowhere. Its own thread's to write */
    bool woken;          /* host_wake() since its last run */
    struct rcuwait wait; /* its thread sleeps here */
    u64 deadline;        /* host_timer_arm()'s, which `arm` gives to `timer` */
    struct irq_work arm, wake;
    struct hrtimer timer, sleep;
};

/* A VM of /dev/kvm's. It lives until its own file and those of its vCPUs are closed. */
struct guest {
    refcount_t users;
    struct mm_struct *mm; /* the process whose memory it has */
    struct mmu_notifier notifier;
    char name[24];

    struct mutex lock;      /* its own ioctls, the making of `vm`, `slots`, `vcpus` */
    struct cald_vm *vm;     /* NULL until the first KVM_RUN; never changes then */
    bool vectors;           /* its vCPUs have vector registers; set with `vm` */
    int failed;             /* why that VM could not be made whole: none of its vCPUs runs */
    struct list_head slots; /* pages_lock too */
    struct guest_vcpu *vcpu[CALD_MAX_VCPUS];
    unsigned int vcpus; /* created so far, 0 to vcpus-1 */
    u64 dirty_manual;   /* KVM_DIRTY_LOG_MODES */
    DECLARE_BITMAP(isa_off, KVM_RISCV_ISA_EXT_MAX);
    DECLARE_BITMAP(sbi_on, KVM_RISCV_SBI_EXT_MAX);
    u64 mvendorid, marchid, mimpid;
    struct aia *aia; /* aia.c's; NULL: it has none */
    struct list_head irqfds;

    raw_spinlock_t routes_lock; /* below it: what comes by a number */
    struct routes *routes;

    /* For reading around runs: for writing no vCPU of it is on a hart. Who waits for that counts
     * in `stops`, and vCPUs leave the guest for it. */
    struct rw_semaphore runs;
    atomic_t stops;

    raw_spinlock_t pages_lock; /* innermost, interrupts off; nothing of the library's inside */
    unsigned int taking;       /* invalidations that go on */
    unsigned long taken;       /* how many there were */
    bool gone;                 /* the process has no memory any more */

    spinlock_t ioevents_lock;
    struct list_head ioevents;

    spinlock_t zones_lock; /* what is below */
    struct list_head zones;
    unsigned int zone_count;
    struct kvm_coalesced_mmio_ring *ring; /* one page, which the VMM maps */
};

/* What a vCPU's file maps, in pages: struct kvm_run, and the ring. */
#define RING_PAGE 1
#define MAPPED_PAGES 2

/* machine.c */
extern struct cald_machine *machine;
extern struct cald_machine_params told;
bool machine_has(u32 extension); /* KVM_RISCV_ISA_EXT_*: guests have it, unless it is hidden */
const char *machine_extension_name(u32 extension);
unsigned int machine_satp_mode(void); /* the largest that a guest may set */

/* host.c */
/* Calls of the library's for any thread, with interrupts off. Those that allocate are made again
 * after CALD_ENOMEM, when there is room. */
#define LIBRARY(call)                                                                              \
    ({                                                                                             \
        unsigned long irq_;                                                                        \
        local_irq_save(irq_);                                                                      \
        __auto_type result_ = (call);                                                              \
        local_irq_restore(irq_);                                                                   \
        result_;                                                                                   \
    })
#define LIBRARY_DO(call) ((void)LIBRARY(((call), 0))) /* of one that answers nothing */
#define LIBRARY_ALLOCATES(call)                                                                    \
    ({                                                                                             \
        int result__;                                                                              \
        unsigned int tries_ = 0;                                                                   \
        do                                                                                         \
            result__ = LIBRARY(call);                                                              \
        while (result__ == CALD_ENOMEM && host_make_room(tries_++));                               \
        result__;                                                                                  \
    })
bool host_make_room(unsigned int tries);
int host_errno(int error); /* of the library's */
u64 host_ns(u64 ticks);

/* memory.c */
int memory_begin(struct guest *guest);
void memory_end(struct guest *guest);
int memory_set(struct guest *guest, const struct kvm_userspace_memory_region2 *region);
int memory_enter(struct guest *guest);   /* all slots, into the VM that has just been made */
void memory_forget(struct guest *guest); /* the library looks at all pages anew */
int memory_get_page(struct guest *guest, u64 gpa, bool write);
struct slot *memory_slot(struct guest *guest, u32 id); /* NULL: there is none */

/* dirty.c: guest->lock is held. */
#define KVM_DIRTY_LOG_MODES (KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET)
int dirty_begin(struct guest *guest, struct slot *slot);
void dirty_end(struct slot *slot);
int dirty_get(struct guest *guest, const struct kvm_dirty_log *log);
int dirty_clear(struct guest *guest, const struct kvm_clear_dirty_log *log);
int dirty_mode(struct guest *guest, u64 mode);

/* guest.c */
extern const struct file_operations kvm_fops;
void guest_put(struct guest *guest);
int guest_make(struct guest *guest);  /* guest->vm is there afterwards */
void guest_stop(struct guest *guest); /* until guest_go() none of its vCPUs runs */
void guest_go(struct guest *guest);

/* ioevent.c */
void ioevent_begin(struct guest *guest);
void ioevent_end(struct guest *guest);
int ioevent_set(struct guest *guest, const struct kvm_ioeventfd *args);
bool ioevent_store(struct guest *guest, const struct cald_exit *exit); /* it was one of these */

/* coalesced.c */
int coalesced_begin(struct guest *guest);
void coalesced_end(struct guest *guest);
int coalesced_set(struct guest *guest, const struct kvm_coalesced_mmio_zone *zone, bool there);
bool coalesced_store(struct guest *guest, const struct cald_exit *exit); /* it waits in the ring */

/* aia.c */
int aia_wire(struct guest *guest, u32 source, bool level);
int aia_vm_ioctl(struct guest *guest, unsigned int number, void __user *user);
void aia_params(const struct guest *guest, struct cald_vm_params *params);
void aia_made(struct guest *guest);
bool aia_ready(const struct guest *guest); /* the VM has it, or will have it; guest->lock */
void aia_destroy(struct guest *guest);

/* irqfd.c */
#define MAX_ROUTES 4096
void irqfd_begin(struct guest *guest);
void irqfd_end(struct guest *guest);
int irqfd_vm_ioctl(struct guest *guest, unsigned int number, void __user *user);
int irq_line(struct guest *guest, u32 gsi, bool level);

/* vcpu.c */
int vcpu_create(struct guest *guest, unsigned int id);
int vcpu_external(struct guest_vcpu *v, bool level);
void vcpu_destroy(struct guest_vcpu *v);

/* run.c */
int vcpu_run(struct guest_vcpu *v);
void run_complete_store(struct guest_vcpu *v); /* a store that the VMM has seen */
void run_begin(struct guest_vcpu *v);
void run_end(struct guest_vcpu *v);

/* timer.c */
bool timer_traps(void); /* guests' reads of a `time` that is closed come to us */
int timer_reg(struct guest_vcpu *v, u64 n, u64 *value, bool set);

/* vector.c */
bool vector_there(const struct guest *guest); /* its vCPUs have vector registers */
void vector_begin(void); /* the thread's own are away until it returns to user mode */
int vector_access(struct guest_vcpu *v, u64 id, void __user *user, bool set);

/* regs.c */
int regs_access(struct guest_vcpu *v, u64 id, void __user *user, bool set);
int regs_list(struct guest_vcpu *v, struct kvm_reg_list __user *user);
int regs_apply(struct guest_vcpu *v); /* what was set early; no vCPU of the VM runs */
void regs_begin(struct guest *guest); /* what a VM has if nothing is said */
void regs_hidden(const struct guest *guest, char *text, size_t bytes);
u32 regs_sbi_hidden(const struct guest *guest);
int regs_item(struct guest_vcpu *v, u32 item, u64 *value, bool set); /* one of the library's */
bool regs_guest_has(const struct guest *guest, u32 extension);       /* KVM_RISCV_ISA_EXT_* */
int regs_vcpu_begin(struct guest_vcpu *v);
void regs_vcpu_end(struct guest_vcpu *v);
int mp_state_get(struct guest_vcpu *v, struct kvm_mp_state *state);
int mp_state_set(struct guest_vcpu *v, const struct kvm_mp_state *state);

#endif
