/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libcaldarium: virtual machines for 64-bit RISC-V, run by whoever embeds the library.
 *
 * For C, C++ and bindings of other languages: handles are opaque, nothing here is a macro with
 * arguments, an inline function or a type of C's own. Functions that can fail answer CALD_OK or one
 * of the negative errors. Times are ticks of the host's clock, host_time(); addresses and sizes are
 * in bytes.
 */
#ifndef CALDARIUM_CALDARIUM_H
#define CALDARIUM_CALDARIUM_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default) /* of the archive these names alone are for others */

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
    CALD_EFAULT = -6,  /* the guest gets an access fault */
};

/* The interrupt controller that a VM's guest sees. */
enum cald_irqchip {
    CALD_IRQCHIP_NONE, /* none of the library's */
    CALD_IRQCHIP_PLIC,
    CALD_IRQCHIP_APLIC, /* wires straight to the vCPUs */
    CALD_IRQCHIP_IMSIC, /* an interrupt file for each vCPU, and an APLIC that sends messages */
};

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

/* ---- A vCPU's run ---------------------------------------------------------------------------- */

/* Why cald_vcpu_run() returned. */
enum cald_why {
    CALD_AGAIN,  /* an interrupt of the host's, or nothing special: take interrupts, call again */
    CALD_WAIT,   /* the guest waits for an interrupt, or its hart is stopped or suspended */
    CALD_YIELD,  /* the guest polls for something: others may go first */
    CALD_REQUEST /* cald_vcpu_request() was called */
};

/* More about it; each member is valid for the reasons that it names. */
struct cald_exit {
    uint64_t until; /* CALD_WAIT: host time of the vCPU's own timer; UINT64_MAX: none is set */
    bool off_hart;  /* CALD_WAIT: as after cald_vcpu_put(); else it is still loaded */
};

/*
 * Runs guest code, or does what else is next with the vCPU, until the host has something to do.
 * `hart` is the host's number of the hart that this runs on, from here on the vCPU's, until
 * cald_vcpu_put() or cald_vcpu_unload(); no other vCPU may run there before that. One caller at a
 * time, with interrupts off and no preemption.
 *
 * After CALD_WAIT the host may sleep until exit->until, or until host_wake(). What wakes the vCPU
 * may have come before the host can be woken, so the order is: the host takes the lock that its
 * host_wake() takes, asks cald_vcpu_pending(), and marks the vCPU as asleep only if that is false.
 */
enum cald_why cald_vcpu_run(struct cald_vcpu *vcpu, uint32_t hart, struct cald_exit *exit);

/* After CALD_WAIT: something came meanwhile, do not sleep. Has acquire semantics. Any thread. */
bool cald_vcpu_pending(const struct cald_vcpu *vcpu);

/* Takes the vCPU off its hart, where it has one. It can't run, so nobody waits for it, and mail for
 * it wakes nobody, until it runs again. On its hart. */
void cald_vcpu_put(struct cald_vcpu *vcpu);

/* The same for one that sleeps after CALD_WAIT and goes on sleeping: another vCPU needs the hart.
 * What it waits for still wakes it. On its hart. */
void cald_vcpu_unload(struct cald_vcpu *vcpu);

/* Has cald_vcpu_run() return CALD_REQUEST soon, also out of a CALD_WAIT, by host_wake(). The caller
 * has written what it wants before; the host that sees CALD_REQUEST reads it. Any thread. */
void cald_vcpu_request(struct cald_vcpu *vcpu);

/* The time that was given to host_timer_arm() for this vCPU has come. Any thread. */
void cald_vcpu_timer(struct cald_vcpu *vcpu);

/* Whether the guest's wait for an interrupt (WFI) is CALD_WAIT, or may take place on the hart. On
 * the vCPU's hart, between two runs; true at first. */
void cald_vcpu_wfi_exits(struct cald_vcpu *vcpu, bool exits);

/* For hosts whose harts kick each other for the library alone: while *flag is not zero, a kick ends
 * the run. The host may write the flag at any time. On the vCPU's hart, between two runs. */
void cald_vcpu_attention(struct cald_vcpu *vcpu, const uint8_t *flag);

/* How long the vCPU was ready to run and kept from a hart, in all: its guest may ask for it (SBI
 * STA). Ticks. While the vCPU is on no hart. */
void cald_vcpu_steal(struct cald_vcpu *vcpu, uint64_t ticks);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
