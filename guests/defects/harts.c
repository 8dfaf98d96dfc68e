/* SPDX-License-Identifier: BSD-2-Clause */
/* Remote fences by the guest's hart numbers, and state that other VMs must not touch. */
#include "guests/defects/defects.h"
#include "riscv/asm.h"

static uint64_t one[512] __attribute__((aligned(4096))), two[512] __attribute__((aligned(4096)));
static uint8_t second_stack[4096] __attribute__((aligned(16)));
static volatile uint64_t wanted, answered, seen;

extern char second_start[];
void second_main(uint64_t hart);

static void wait_answer(uint64_t n)
{
    while (answered != n) {
    }
}

void second_main(uint64_t hart)
{
    (void)hart;
    paging_on_here();
    for (uint64_t n = 1;; n++) {
        while (wanted != n) {
        }
        seen = *(volatile uint64_t *)WINDOW;
        answered = n;
    }
}

/* The other hart has the old page in its TLB; the fence names it, and it alone. */
void harts_check(void)
{
    one[0] = 1;
    two[0] = 2;
    window((uint64_t)one, PAGE_RW);
    bool ok = !guest_sbi(SBI_EXT_HSM, 0, 1, (uint64_t)second_start,
                         (uint64_t)second_stack + sizeof(second_stack), 0)
                   .error;
    if (!ok) {
        report("remote_fence", false);
        return;
    }
    wanted = 1;
    wait_answer(1);
    ok &= seen == 1;
    window((uint64_t)two, PAGE_RW);
    ok &= !guest_sbi(SBI_EXT_RFENCE, 1, 1, 1, WINDOW, 4096).error;
    wanted = 2;
    wait_answer(2);
    ok &= seen == 2;
    window((uint64_t)one, PAGE_RW);
    ok &= !guest_sbi(SBI_EXT_RFENCE, 1, 0, UINT64_MAX, 0, UINT64_MAX).error; /* all harts, all */
    wanted = 3;
    wait_answer(3);
    report("remote_fence", ok && seen == 1);
    ok = guest_sbi(SBI_EXT_RFENCE, 0, 4, 0, 0, 0).error == SBI_ERR_INVALID_PARAM &&
         guest_sbi(SBI_EXT_RFENCE, 0, 1, 2, 0, 0).error == SBI_ERR_INVALID_PARAM &&
         !guest_sbi(SBI_EXT_RFENCE, 0, 3, 0, 0, 0).error;
    report("remote_fence_by_the_guests_own_hart_numbers", ok);
}

uint64_t keep_wrong(uint64_t seed, uint64_t ticks); /* keep.S */

/* Registers that belong to this VM alone hold what it put there, while others run on its hart. */
void keep(uint64_t seed, uint64_t ticks)
{
    csr_set(CSR_SSTATUS, SSTATUS_FS_INITIAL);
    guest_print("defects: keeps %u\n", seed);
    uint64_t wrong = keep_wrong(seed, ticks);
    if (wrong)
        guest_print("defects: register %u has changed\n", wrong);
    report("state_is_kept", !wrong);
}
