/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtual machine: its memory, vCPUs and devices. What becomes of it (started, paused, reset,
 * ended, and why) is its host's: nothing here is changed while one of its vCPUs runs.
 */
#ifndef LIB_VM_VM_H
#define LIB_VM_VM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "caldarium/caldarium.h"
#include "lib/dev/bus.h"
#include "lib/dev/ns16550a.h"
#include "lib/irq/aplic.h"
#include "lib/irq/plic.h"
#include "lib/irq/vm_irq.h"
#include "lib/common/lock.h"
#include "lib/vcpu/vcpu.h"
#include "lib/engine/engine.h"
#include "riscv/isa.h"

struct sbi_extension;

/* A run of guest RAM that is contiguous in host memory too. */
struct ram_chunk {
    uint64_t gpa, size; /* bytes, multiples of a page */
    uint8_t *host;      /* its host's, for as long as it is the VM's */
};
#define VM_RAM_CHUNKS 64

struct cald_vm {
    const char *name; /* for messages */
    void *owner;      /* the host's own */

    enum cald_irqchip irqchip;
    bool has_plic;        /* it is a PLIC: for the hot path */
    bool has_console;     /* a UART, and the SBI's console calls */
    bool getchar_zero;    /* the legacy getchar answers 0 when no byte is there, not -1 */
    bool forwards;        /* some sources are the board's: the host is told of their completion */
    unsigned irq_sources; /* the controller has 1..irq_sources */
    unsigned imsic_ids;   /* identities 1..imsic_ids of a vCPU's interrupt file */
    bool csrs_go_out;     /* CSRs that it doesn't have are CALD_CSR_ACCESS; else they are illegal */
    const struct sbi_extension *sbi_own; /* an extension of the host's own, or NULL */

    uint8_t hidden[ISA_EXT_COUNT]; /* 1: not shown to the guest */
    unsigned ram_chunks;
    struct cald_vcpu *vcpus;
    unsigned vcpu_count;

    union { /* which one, irqchip says: lib/irq/vm_irq.h */
        struct plic plic;
        struct aplic aplic;
    };
    struct ns16550a uart;
    struct bus bus;

    /* Last: these are large, and what the hot handlers use of a VM is better near. */
    struct ram_chunk ram[VM_RAM_CHUNKS];
    struct engine_vm eng;
};

/*
 * Takes what the engine and the interrupt controller need; the VM has no memory yet, no regions but
 * the library's own. False after one line, and nothing is taken. eng.ops, eng.gpa_end, hidden[] and
 * all that tells of the interrupt controller are set.
 */
bool vm_begin(struct cald_vm *vm);

/* Once it has its memory: what the engine needs for each vCPU, all of them as after a reset of the
 * machine, vCPU 0 to start at `pc` with a1 = opaque. False after one line; vm_end() cleans up. */
bool vm_ready(struct cald_vm *vm, uint64_t pc, uint64_t opaque);

/* Gives all that back; RAM is the host's to give back, before. No vCPU is loaded on any hart. */
void vm_end(struct cald_vm *vm);

/* Bytes of the host's memory that are in its page tables. */
uint64_t vm_table_bytes(const struct cald_vm *vm);

/* Adds [gpa, gpa + size) of RAM, which is `host` for the library. False: no memory for its page
 * tables, or too many pieces. */
bool vm_add_ram(struct cald_vm *vm, uint64_t gpa, uint64_t size, uint8_t *host);

/* Whether the guest's time can stand still while none of its vCPUs runs; and that it did, for so
 * many ticks of the host's. Every vCPU is put. */
bool vm_time_can_stand(const struct cald_vm *vm);
void vm_time_stood(struct cald_vm *vm, uint64_t ticks);

/* The guest can't go on: its run ends with CALD_FAULT and this text. On the vCPU's own hart. */
void vcpu_fault(struct cald_vcpu *vcpu, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

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

/* Guest-physical places of the virtual devices (QEMU virt's familiar map). */
#define GUEST_PLIC_BASE 0x0c000000UL
#define GUEST_PLIC_SIZE 0x00600000UL
#define GUEST_APLIC_BASE 0x0d000000UL
#define GUEST_APLIC_SIZE 0x8000UL
#define GUEST_IMSIC_BASE 0x28000000UL /* vCPU n's interrupt file: the n-th page */
#define GUEST_IMSIC_PAGE 0x1000UL
#define GUEST_IMSIC_SIZE (GUEST_IMSIC_PAGE * CALD_MAX_VCPUS)
#define GUEST_UART_BASE 0x10000000UL
#define GUEST_UART_SIZE 0x100UL
#define GUEST_UART_IRQ 10
#define GUEST_MIN_SOURCES 95   /* of a guest's PLIC or APLIC */
#define GUEST_MAX_SOURCES 1023 /* what either can number */

#endif
