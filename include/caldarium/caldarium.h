/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libcaldarium: virtual machines for 64-bit RISC-V, run by whoever embeds the library.
 *
 * For C, C++ and bindings of other languages: handles are opaque, nothing here is a macro with
 * arguments, an inline function or a type of C's own. Functions that can fail answer CALD_OK or one
 * of the negative errors.
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

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
