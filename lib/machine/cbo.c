/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/machine/cbo.h"

#include <stdbool.h>

#include "caldarium/host.h"
#include "riscv/csr.h"

/*
 * Whether firmware lets us, and so our guests, execute a cache-block instruction. The bits for them
 * in henvcfg and senvcfg stick even where menvcfg's are clear (RustSBI leaves them so), so the
 * instruction is tried on a page of our own. `operation` is the immediate: 0 inval, 1 clean, 2
 * flush, 4 zero.
 */
#define works(operation, page)                                                                     \
    ({                                                                                             \
        uint64_t vector_, ok_ = 0;                                                                 \
        __asm__ volatile("lla %0, 1f\n csrrw %0, 0x105, %0\n"                                      \
                         ".insn i 0x0f, 2, x0, %2, " operation "\n li %1, 1\n"                     \
                         ".balign 4\n1: csrw 0x105, %0"                                            \
                         : "=&r"(vector_), "+r"(ok_)                                               \
                         : "r"(page)                                                               \
                         : "memory");                                                              \
        ok_ != 0;                                                                                  \
    })

uint64_t cbo_working(uint64_t envcfg)
{
    void *page = host_pages_alloc(HOST_PAGE_SIZE, HOST_PAGE_SIZE);
    if (!page || (envcfg & ENVCFG_CBZE && !works("4", page)))
        envcfg &= ~ENVCFG_CBZE;
    if (!page || (envcfg & ENVCFG_CBCFE && !works("2", page)))
        envcfg &= ~(ENVCFG_CBCFE | ENVCFG_CBIE_INVAL);
    if (page)
        host_pages_free(page, HOST_PAGE_SIZE);
    return envcfg;
}
