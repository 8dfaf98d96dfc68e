/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads of a guest's memory by its own virtual addresses, with its own privilege (hstatus.SPVP):
 * the HLV instructions. Privileged manual, "Hypervisor Virtual-Machine Load and Store
 * Instructions". A fault is answered as csr_try_read() does: the trap vector points behind the
 * instruction.
 */
#include "lib/engine/h/h.h"
#include "riscv/asm.h"

/* rs2 field 1: hlv.bu; 3 with funct7 0x32: hlvx.hu, which wants execute permission. */
#define guest_load(funct7, rs2, address, ok)                                                       \
    ({                                                                                             \
        uint64_t value_ = 0, vector_, ok_ = 0;                                                     \
        __asm__ volatile("lla %1, 1f\n csrrw %1, 0x105, %1\n"                                      \
                         ".insn r 0x73, 4, " funct7 ", %0, %3, " rs2 "\n li %2, 1\n"               \
                         ".balign 4\n1: csrw 0x105, %1"                                            \
                         : "+r"(value_), "=&r"(vector_), "+r"(ok_)                                 \
                         : "r"(address)                                                            \
                         : "memory");                                                              \
        (ok) = ok_ != 0;                                                                           \
        value_;                                                                                    \
    })

/* The load lacked a page of the guest's RAM. True: it is there now. */
static bool entered(struct engine_vcpu *v)
{
    if (csr_read(CSR_SCAUSE) != CAUSE_LOAD_GUEST_PAGE)
        return false;
    uint64_t gpa = csr_read(CSR_HTVAL) << 2 | (csr_read(CSR_STVAL) & 3);
    enum memory_is is = h_fault(v, gpa, PTE_R);
    if (is == MEMORY_ABSENT)
        engine_absent(v, gpa, false);
    return is == MEMORY_HERE;
}

bool h_peek(struct engine_vcpu *v, uint64_t gva, uint8_t *byte)
{
    bool ok = false;
    uint64_t status = csr_read(CSR_SSTATUS);
    do {
        /* SPVP: the guest's privilege at its exit; not SPV, which the host's sret would obey. */
        csr_write(CSR_HSTATUS, v->h.hstatus & ~HSTATUS_SPV);
        *byte = (uint8_t)guest_load("0x30", "x1", gva, ok);
    } while (!ok && entered(v));
    csr_write(CSR_SSTATUS, status); /* which a fault changes */
    return ok;
}

/* An instruction in two halves: the second may lie on another page, and may not be there. */
bool h_fetch_insn(uint64_t gva, uint32_t *insn)
{
    bool ok = false;
    uint32_t low = (uint16_t)guest_load("0x32", "x3", gva, ok);
    if (!ok)
        return false;
    *insn = low;
    if (riscv_insn_bytes(low) == 2)
        return true;
    uint32_t high = (uint16_t)guest_load("0x32", "x3", gva + 2, ok);
    *insn = high << 16 | low;
    return ok;
}
