/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM as the bundle describes it and the operator knows it: its configuration, its life, what of
 * the board it has. What its guest runs on is the library's struct cald_vm.
 *
 * States and who changes them: a VM is DEFINED by the bundle, RUNNING after vm_create() and until
 * it ends. Any hart may ask for a change with vm_request(); each vCPU's hart then takes its vCPU
 * out of the guest, and the VM's leader, vCPU 0, carries the request out when all are out. So
 * nothing here is changed under the feet of a running guest, and no lock is held while one runs.
 */
#ifndef APPLIANCE_VM_H
#define APPLIANCE_VM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "appliance/config.h"
#include "appliance/device/passthrough.h"
#include "appliance/device/shared_memory.h"
#include "appliance/map.h"
#include "appliance/saved/saved.h"
#include "appliance/virtio/console.h"
#include "appliance/virtio/driver_vm.h"
#include "appliance/virtio/virtio.h"
#include "caldarium/caldarium.h"
#include "riscv/lock.h"

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
    VM_REQUEST_SAVE, /* its state and memory are kept; then it goes on as before */
    VM_REQUEST_PAUSE,
    VM_REQUEST_RESTORE, /* it goes on from what was kept */
    VM_REQUEST_RESET,
    VM_REQUEST_STOP
};

/* A run of guest RAM that is contiguous in the machine's too. */
struct ram_chunk {
    uint64_t gpa, size; /* bytes, multiples of a page */
    uint8_t *host;      /* from host_pages_alloc(size) */
};
#define VM_RAM_CHUNKS 64

/* Numbers of its slots, cald_vm_slot(). */
#define SLOT_OF_RAM(n) (n)
#define SLOT_OF_SHARED(n) (VM_RAM_CHUNKS + (n))
#define SLOT_OF_DEVICE(n, reg) (VM_RAM_CHUNKS + VM_MAX_SHARED + (n)*PASSTHROUGH_REGS + (reg))
#define SLOT_OF_WINDOW(n) SLOT_OF_DEVICE(PASSTHROUGH_DEVICES + (n), 0)

struct vm {
    struct cald_vm *cald;           /* its owner is this; kept from definition on. NULL: refused */
    const struct vm_config *config; /* lives as long as the VM */
    unsigned index;                 /* position among the VMs: 0, 1, ... */
    char refused[120];              /* why, for `list` */

    struct lock life; /* held while state or request change */
    _Atomic enum vm_state state;
    _Atomic enum vm_request request;
    _Atomic uint64_t asked;           /* host time of the request */
    _Atomic enum vm_request building; /* what is being done that takes long */
    _Atomic bool hurried;             /* and that waits for no turn: vm_hurry() */
    _Atomic uint64_t out;             /* bit n: vCPU n has left the guest for the request */
    _Atomic unsigned vcpus_out;       /* these, counted when they are off their harts */
    _Atomic uint64_t reports;         /* bit n: somebody wants to see vCPU n's state */
    bool start_at_boot;
    bool ended_by_fault;
    _Atomic uint32_t faulted; /* said so, and on-fault follows; until it starts or goes on */
    unsigned restarts;
    unsigned lives; /* counts how often it was made: what is left of an earlier one is void */
    _Atomic uint64_t watchdog; /* host time by which it has to be kicked */
    uint64_t stopped_at;       /* host time when its time was stopped; 0: it runs. The leader's */

    struct saved saved;
    struct vm *_Atomic restore_from; /* for RESTORE: whose saved state; NULL: its own */
    bool rolls_back;                 /* and that is because of a fault */
    enum saved_result outcome;       /* of the last SAVE or RESTORE; the leader's */

    uint64_t taken;       /* bytes of host memory this VM holds, all told */
    uint64_t table_bytes; /* of these, for its page tables */
    struct ram_chunk
        ram[VM_RAM_CHUNKS]; /* its RAM; where it has direct-map or is served, for good */
    unsigned ram_chunks;

    struct passthrough devices[PASSTHROUGH_DEVICES];
    unsigned device_count;
    bool quarantined; /* a device may still write to its memory: see vm_destroy() */
    bool msi_devices; /* the host is told of moved interrupt files: host_msi_retarget() */
    struct pci_bus pci;
    struct shared_window shared[VM_MAX_SHARED];
    unsigned shared_count;
    struct virtio_device *virtio[VM_MAX_VIRTIO + 2]; /* for good; and its console and doorbell */
    unsigned virtio_count;
    struct virtio_console *console; /* one of these; NULL: it has none */
    struct driver_vm *driver;       /* if it serves devices to others; for good */
    bool waits; /* to begin a life, for a VM that serves it a device; the leader's */
};

/* All VMs of the bundle, in its order. */
extern struct vm *vms;
extern unsigned vm_count;

static inline struct vm *vm_of(const struct cald_vm *cald)
{
    return cald_vm_owner(cald);
}

/* None if the VM is refused. */
static inline unsigned vm_vcpu_count(const struct vm *vm)
{
    return vm->cald ? cald_vm_vcpus(vm->cald) : 0;
}

static inline struct vm *vm_of_vcpu(const struct cald_vcpu *vcpu)
{
    return vm_of(cald_vcpu_vm(vcpu));
}

/* Has the library make the VM that the configuration describes, closed. Once, when all of that is
 * decided. One of CALD_*, after a line. */
int vm_define(struct vm *vm);

/*
 * Takes memory, loads the images, generates the tree and leaves vCPU 0 startable. 0, or -1 after
 * one line that names VM and property; everything taken is given back then. Runs on one hart.
 */
int vm_create(struct vm *vm);

/* All its guest-physical addresses are below: RAM, devices of its own, the virtual ones. Its
 * devices and shared memory are resolved. */
uint64_t vm_gpa_end(const struct vm *vm);

/* The highest source that its guest's interrupt controller has: the board's highest, its own
 * doorbells', and always the GUEST_MIN_SOURCES that guests may count on. */
unsigned vm_irq_sources(const struct vm_config *config);

/* Gives everything back; but memory and tables stay where they are (vm->quarantined), and the VM
 * never starts again, if one of its devices may still reach them. No vCPU is loaded on any hart. */
void vm_destroy(struct vm *vm);

/*
 * Asks for a change and kicks all vCPUs. Callable on any hart, also while the VM runs there.
 * VM_REQUEST_NONE, or what the VM does already that is as strong: then nothing was asked.
 */
enum vm_request vm_request(struct vm *vm, enum vm_request request);

/* The guest of a run that ended with CALD_OFF, CALD_RESET or CALD_FAULT: follows on-reset and
 * on-fault, and ends in vm_request(). */
void vm_guest_off(struct vm *vm);
void vm_guest_reset(struct vm *vm);
void vm_guest_fault(struct cald_vcpu *vcpu, const char *text);

/* VM_REQUEST_RESTORE, from what was kept of `from`. */
enum vm_request vm_request_restore(struct vm *vm, struct vm *from);

/* A restart, unless the VM has used up its restart-limit: then it is stopped, with a line. */
void vm_restart(struct vm *vm);

/* The operator wants the VM stopped: what that takes doesn't wait for the VM's turns, which may
 * never come beside a busy VM of higher priority. A guest's own end does. Until it has ended. */
void vm_hurry(struct vm *vm);

/*
 * The guest's time stands still, and goes on from where it stood. False: it runs on, although
 * pause-time is not "run". Every vCPU is out of the guest and put.
 */
bool vm_time_stop(struct vm *vm);
void vm_time_go(struct vm *vm);

const char *vm_state_name(enum vm_state state);

/* Asks for the report of all vCPUs of a VM that runs or is paused: each one's hart prints it. */
void vm_report(struct vm *vm);

/* Somebody has asked for it: vm->reports. `out`: the vCPU has left the guest for its VM's request.
 */
void vm_report_answer(struct cald_vcpu *vcpu, bool out);

#endif
