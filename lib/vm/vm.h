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
#include "riscv/lock.h"
#include "lib/vcpu/vcpu.h"
#include "lib/engine/engine.h"
#include "riscv/isa.h"

#define VM_NAME_BYTES 32

/* Where no guest-physical address reaches: a device that the VM hasn't. */
#define VM_NOWHERE (1UL << 63)

struct cald_vm {
    char name[VM_NAME_BYTES]; /* for messages */
    void *owner;              /* the host's own */
    bool open;                /* it has what the engine needs of the VM */
    bool started;             /* and of its vCPUs */

    enum cald_irqchip irqchip;
    bool has_plic;        /* it is a PLIC: for the hot path */
    bool has_console;     /* a UART, and the SBI's console calls */
    bool getchar_zero;    /* the legacy getchar answers 0 when no byte is there, not -1 */
    bool forwards;        /* some sources are the board's: the host is told of their completion */
    unsigned irq_sources; /* the controller has 1..irq_sources */
    unsigned imsic_ids;   /* identities 1..imsic_ids of a vCPU's interrupt file */
    bool csrs_go_out;     /* CSRs that it doesn't have are CALD_CSR_ACCESS; else they are illegal */
    unsigned uart_irq;
    uint64_t plic_base, aplic_base, imsic_base, uart_base; /* or VM_NOWHERE */
    void *irq_room;                                        /* the controller's memory */
    uint64_t vector_bytes;                                 /* of each vCPU's vector registers */
    bool sbi_goes_out;   /* SBI calls that nobody inside answers are CALD_SBI, whatever they are */
    uint32_t sbi_served; /* CALD_SBI_* */
    unsigned sbi_id_count;
    uint64_t sbi_id[CALD_SBI_IDS]; /* extensions that the host answers */

    uint8_t hidden[ISA_EXT_COUNT]; /* 1: not shown to the guest */
    struct cald_vcpu *vcpus;
    unsigned vcpu_count;

    union { /* which one, irqchip says: lib/irq/vm_irq.h */
        struct plic plic;
        struct aplic aplic;
    };
    struct ns16550a uart;
    struct bus bus;

    /* Last: these are large, and what the hot handlers use of a VM is better near. */
    struct engine_vm eng;
};

/* A page of the library's that the guest reads as registers without an exit; its stores exit.
 * False: no memory for its tables. While the VM is made. */
bool vm_map_registers(struct cald_vm *vm, uint64_t gpa, const void *page, uint64_t size);

/* The guest can't go on: its run ends with CALD_FAULT and this text. On the vCPU's own hart. */
void vcpu_fault(struct cald_vcpu *vcpu, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * The one way to guest memory. Copies `bytes` from or to guest-physical `gpa`; false, with nothing
 * or a part copied, if any byte of the range is not the VM's RAM, or absent. Safe against
 * wrap-around. On a vCPU's hart, or while none of its memory is taken away.
 */
bool vm_read(struct cald_vm *vm, uint64_t gpa, void *to, uint64_t bytes);
bool vm_write(struct cald_vm *vm, uint64_t gpa, const void *from, uint64_t bytes);

/* The page at gpa is RAM, but absent. The handler of a guest's call looks before it does anything,
 * and answers SBI_NO_ANSWER: the run ends with CALD_PAGE, and the guest makes its call again. */
bool vcpu_lacks(struct cald_vcpu *vcpu, uint64_t gpa, bool write);

#endif
