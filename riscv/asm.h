/* SPDX-License-Identifier: BSD-2-Clause */
/* CSR access, fences and probing on a real hart in S- or HS-mode. */
#ifndef RISCV_ASM_H
#define RISCV_ASM_H

#include <stdbool.h>
#include <stdint.h>

#include "riscv/csr.h"

#define csr_read(csr)                                                                              \
    ({                                                                                             \
        uint64_t value_;                                                                           \
        __asm__ volatile("csrr %0, %1" : "=r"(value_) : "i"(csr) : "memory");                      \
        value_;                                                                                    \
    })
#define csr_read_clear(csr, bits)                                                                  \
    ({                                                                                             \
        uint64_t value_;                                                                           \
        __asm__ volatile("csrrc %0, %1, %2"                                                        \
                         : "=r"(value_)                                                            \
                         : "i"(csr), "rK"((uint64_t)(bits))                                        \
                         : "memory");                                                              \
        value_;                                                                                    \
    })
#define csr_write(csr, value)                                                                      \
    __asm__ volatile("csrw %0, %1" : : "i"(csr), "rK"((uint64_t)(value)) : "memory")
#define csr_set(csr, bits)                                                                         \
    __asm__ volatile("csrs %0, %1" : : "i"(csr), "rK"((uint64_t)(bits)) : "memory")
#define csr_clear(csr, bits)                                                                       \
    __asm__ volatile("csrc %0, %1" : : "i"(csr), "rK"((uint64_t)(bits)) : "memory")

/*
 * Reads a CSR that may not exist: for the time of one instruction the trap vector points just
 * behind it, and `ok` tells whether the instruction got there without a trap. Interrupts are off
 * (as they always are in Caldarium), so nothing else can use that vector.
 */
#define csr_try_read(csr, ok)                                                                      \
    ({                                                                                             \
        uint64_t value_ = 0, vector_, ok_ = 0;                                                     \
        __asm__ volatile("lla %1, 1f\n csrrw %1, 0x105, %1\n csrr %0, %3\n li %2, 1\n"             \
                         ".balign 4\n1: csrw 0x105, %1"                                            \
                         : "+r"(value_), "=&r"(vector_), "+r"(ok_)                                 \
                         : "i"(csr)                                                                \
                         : "memory");                                                              \
        (ok) = ok_ != 0;                                                                           \
        value_;                                                                                    \
    })

/* The same for memory that may not be there, or may be M-mode's (PMP): a load of 8 bytes, and a
 * store of what was loaded. */
#define memory_answers(address)                                                                    \
    ({                                                                                             \
        uint64_t value_, vector_, ok_ = 0;                                                         \
        __asm__ volatile("lla %1, 1f\n csrrw %1, 0x105, %1\n ld %0, (%3)\n sd %0, (%3)\n"          \
                         "li %2, 1\n .balign 4\n1: csrw 0x105, %1"                                 \
                         : "=&r"(value_), "=&r"(vector_), "+r"(ok_)                                \
                         : "r"(address)                                                            \
                         : "memory");                                                              \
        ok_ != 0;                                                                                  \
    })

static inline void fence_i(void)
{
    __asm__ volatile("fence.i" ::: "memory");
}

/* Accesses of memory and of devices before it come before those after it. */
static inline void fence_device(void)
{
    __asm__ volatile("fence iorw, iorw" ::: "memory");
}

static inline void sfence_vma_all(void)
{
    __asm__ volatile("sfence.vma" ::: "memory");
}

static inline void sfence_vma_address(uint64_t address)
{
    __asm__ volatile("sfence.vma %0" : : "r"(address) : "memory");
}

static inline void sfence_vma_asid(uint64_t asid)
{
    __asm__ volatile("sfence.vma zero, %0" : : "r"(asid) : "memory");
}

/* hfence.vvma rs1 = address, rs2 = ASID (either x0: all). Privileged manual, "Hypervisor
 * Memory-Management Instructions"; encoded by hand because gcc 12's -march has no h. */
static inline void hfence_vvma_all(void)
{
    __asm__ volatile(".insn r 0x73, 0, 0x11, x0, x0, x0" ::: "memory");
}

static inline void hfence_vvma_address(uint64_t address)
{
    __asm__ volatile(".insn r 0x73, 0, 0x11, x0, %0, x0" : : "r"(address) : "memory");
}

static inline void hfence_vvma_asid(uint64_t asid)
{
    __asm__ volatile(".insn r 0x73, 0, 0x11, x0, x0, %0" : : "r"(asid) : "memory");
}

static inline void hfence_vvma_address_asid(uint64_t address, uint64_t asid)
{
    __asm__ volatile(".insn r 0x73, 0, 0x11, x0, %0, %1" : : "r"(address), "r"(asid) : "memory");
}

static inline void hfence_gvma_all(void)
{
    __asm__ volatile(".insn r 0x73, 0, 0x31, x0, x0, x0" ::: "memory");
}

/* rs1 is the guest-physical address, shifted right by two. */
static inline void hfence_gvma_address(uint64_t gpa)
{
    __asm__ volatile(".insn r 0x73, 0, 0x31, x0, %0, x0" : : "r"(gpa >> 2) : "memory");
}

static inline void wait_for_interrupt(void)
{
    __asm__ volatile("wfi" ::: "memory");
}

#endif
