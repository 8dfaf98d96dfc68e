/* SPDX-License-Identifier: BSD-2-Clause */
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
 * CALD_EBUSY: a hart has the vCPU.
 */
#ifndef CALDARIUM_STATE_H
#define CALDARIUM_STATE_H

#include "caldarium/caldarium.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Classes of a vCPU's items, and what the index is. */
enum {
    CALD_CORE = 0x01000000, /* 0: pc; 1..31: x1..x31; 32: privilege, 0 U-mode, 1 S-mode */
    CALD_CSR = 0x02000000,  /* the CSR's number. sip: bits 1 and 9; bit 5 follows CALD_TIMER. cycle
                         and  instret: as the guest reads them */
    CALD_FP = 0x03000000,   /* 0..31: f0..f31 */
    CALD_VECTOR = 0x04000000, /* register << 10 | which 64 bits of it */
    CALD_TIMER = 0x05000000,  /* 0: what stimecmp is with Sstc, or what SBI TIME set; guest time */
    CALD_IMSIC =
        0x06000000, /* what siselect holds for the register: 0x70, 0x72, even ones of 0x80.. */
    CALD_HSM = 0x07000000, /* CALD_HSM_* */
    CALD_PMU = 0x08000000, /* counter << 4 | CALD_PMU_*; CALD_PMU_SNAPSHOT */
    CALD_STA = 0x09000000  /* 0: address of the record, all ones: none; 1: steal time, ticks */
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
