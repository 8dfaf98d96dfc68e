/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtual machine: its memory, vCPUs, devices and life.
 *
 * States and who changes them: a VM is DEFINED by the bundle, RUNNING after vm_create() and until
 * it ends. Any hart may ask for a change with vm_request(); each vCPU's hart then takes its vCPU
 * out of the guest, and the last one out carries the request out (vm_service() on the VM's leader
 * hart). So nothing here is changed under the feet of a running guest, and no lock is held while
 * one runs.
 */
#ifndef LIB_VM_VM_H
#define LIB_VM_VM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "appliance/config.h"
#include "lib/dev/ns16550a.h"
#include "appliance/device/passthrough.h"
#include "appliance/device/shared_memory.h"
#include "lib/irq/aplic.h"
#include "lib/irq/plic.h"
#include "lib/irq/vm_irq.h"
#include "lib/common/lock.h"
#include "lib/vcpu/vcpu.h"
#include "lib/engine/engine.h"

enum vm_state {
    VM_DEFINED, /* described by the bundle, holds no memory */
    VM_REFUSED, /* its description is wrong; the reason was printed and is kept in `refused` */
    VM_RUNNING, /* created; its vCPUs run or wait */
    VM_PAUSED,  /* as it was, but no vCPU runs */
    VM_ENDED,   /* powered off, stopped or faulted; holds no memory; can start again */
};

/* What somebody wants of a VM. The strongest one wins when several are asked at once. */
enum vm_request {
    VM_REQUEST_NONE,
    VM_REQUEST_RESUME,
    VM_REQUEST_PAUSE,
    VM_REQUEST_RESET,
    VM_REQUEST_STOP
};

/* A run of guest RAM that is contiguous in host memory too. */
struct ram_chunk {
    uint64_t gpa, size; /* bytes, multiples of a page */
    uint8_t *host;      /* from host_pages_alloc(size) */
};
#define VM_RAM_CHUNKS 64

struct cald_vm {
    const struct vm_config *config; /* lives as long as the VM */
    unsigned index;                 /* position among the VMs: 0, 1, ... */
    char refused[120];              /* why, for `list` */

    struct lock life; /* held while state or request change */
    _Atomic enum vm_state state;
    _Atomic enum vm_request request;
    _Atomic enum vm_request building; /* RESET or STOP: its memory is being made or given back */
    _Atomic bool hurried;             /* and that waits for no turn: vm_hurry() */
    _Atomic unsigned vcpus_out;       /* vCPUs that noticed the request and left the guest */
    bool has_plic;                    /* the interrupt controller that its guest sees */
    bool start_at_boot;
    bool ended_by_fault;
    _Atomic uint32_t faulted; /* said so, and on-fault follows; until it starts or goes on */
    unsigned restarts;
    unsigned lives; /* counts how often it was made: what is left of an earlier one is void */
    _Atomic uint64_t watchdog; /* host time by which it has to be kicked */
    uint64_t stopped_at;       /* host time when its time was stopped; 0: it runs. The leader's */

    uint8_t hidden[ISA_EXT_COUNT]; /* 1: not shown to the guest */
    unsigned ram_chunks;
    struct cald_vcpu *vcpus; /* config->vcpus of them; taken once, at definition, and kept */
    unsigned vcpu_count;
    uint64_t taken;       /* bytes of host memory this VM holds, all told */
    uint64_t table_bytes; /* of these, for its page tables */

    union { /* which one, config->irqchip says: lib/irq/vm_irq.h */
        struct plic plic;
        struct aplic aplic;
    };
    struct ns16550a uart;
    struct passthrough devices[PASSTHROUGH_DEVICES];
    unsigned device_count;
    bool msi_devices;     /* the host is told of moved interrupt files: host_msi_retarget() */
    struct lock pci_lock; /* of its functions' configuration spaces */
    struct shared_window shared[VM_MAX_SHARED];
    unsigned shared_count;

    void *host; /* the host's own notes on this VM */

    /* Last: these are large, and what the hot handlers use of a VM is better near. */
    struct ram_chunk ram[VM_RAM_CHUNKS];
    struct engine_vm eng;
};

/* All VMs of the bundle, in its order. */
extern struct cald_vm *vms;
extern unsigned vm_count;

/* The VM of that name, or NULL. */
struct cald_vm *vm_find(const char *name);

/*
 * Takes memory, loads the images, generates the tree and leaves vCPU 0 startable. 0, or -1 after
 * one line that names VM and property; everything taken is given back then. Runs on one hart.
 */
int vm_create(struct cald_vm *vm);

/* All its guest-physical addresses are below: RAM, devices of its own, the virtual ones. Its
 * devices and shared memory are resolved. */
uint64_t vm_gpa_end(const struct cald_vm *vm);

/* Gives everything back. No vCPU is loaded on any hart. */
void vm_destroy(struct cald_vm *vm);

/*
 * Asks for a change and kicks all vCPUs. Callable on any hart, also while the VM runs there.
 * VM_REQUEST_NONE, or what the VM does already that is as strong: then nothing was asked.
 */
enum vm_request vm_request(struct cald_vm *vm, enum vm_request request);

/*
 * A guest asked for its own end, or went wrong. `fault` is NULL or the reason to print.
 * Follows on-reset and on-fault; ends in vm_request().
 */
void vm_guest_off(struct cald_vm *vm);
void vm_guest_reset(struct cald_vm *vm);
void vm_guest_fault(struct cald_vcpu *vcpu, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A restart, unless the VM has used up its restart-limit: then it is stopped, with a line. */
void vm_restart(struct cald_vm *vm);

/* The operator wants the VM stopped: what that takes doesn't wait for the VM's turns, which may
 * never come beside a busy VM of higher priority. A guest's own end does. Until it has ended. */
void vm_hurry(struct cald_vm *vm);

/*
 * The guest's time stands still, and goes on from where it stood. False: it runs on, although
 * pause-time is not "run". Every vCPU is out of the guest and put.
 */
bool vm_time_stop(struct cald_vm *vm);
void vm_time_go(struct cald_vm *vm);

const char *vm_state_name(enum vm_state state);

/*
 * The one way to guest memory. Copies `bytes` from or to guest-physical `gpa`; false, with nothing
 * or a part copied, if any byte of the range is not the VM's RAM. Safe against wrap-around.
 */
bool vm_read(const struct cald_vm *vm, uint64_t gpa, void *to, uint64_t bytes);
bool vm_write(struct cald_vm *vm, uint64_t gpa, const void *from, uint64_t bytes);

/* Every byte of [gpa, gpa+bytes) is RAM, in one run of host memory or in several. */
bool vm_is_ram(const struct cald_vm *vm, uint64_t gpa, uint64_t bytes);

/* A pointer to [gpa, gpa+bytes) where that is one run of host memory, else NULL. */
void *vm_ram(const struct cald_vm *vm, uint64_t gpa, uint64_t bytes);

/*
 * Device registers by guest-physical address. `width` is 1, 2, 4 or 8; false: nothing is there, or
 * the device has no such access, and the guest gets an access fault. vcpu->again after a write:
 * nothing has happened yet. Called by exit.c, on the
 * vCPU's hart. The irqchip_* pair is the hot subset: the interrupt controller alone.
 */
bool vm_mmio_read(struct cald_vcpu *vcpu, uint64_t gpa, unsigned width, uint64_t *value);
bool vm_mmio_write(struct cald_vcpu *vcpu, uint64_t gpa, unsigned width, uint64_t value);

/* Guest-physical places of the virtual devices (QEMU virt's familiar map). */
#define GUEST_PLIC_BASE 0x0c000000UL
#define GUEST_PLIC_SIZE 0x00600000UL
#define GUEST_APLIC_BASE 0x0d000000UL
#define GUEST_APLIC_SIZE 0x8000UL
#define GUEST_IMSIC_BASE 0x28000000UL /* vCPU n's interrupt file: the n-th page */
#define GUEST_IMSIC_PAGE 0x1000UL
#define GUEST_IMSIC_SIZE (GUEST_IMSIC_PAGE * VM_MAX_VCPUS)
#define GUEST_UART_BASE 0x10000000UL
#define GUEST_UART_SIZE 0x100UL
#define GUEST_UART_IRQ 10
#define GUEST_MIN_SOURCES 95   /* of a guest's PLIC or APLIC: vm_irq_sources() */
#define GUEST_MAX_SOURCES 1023 /* what either can number */

#endif
