/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers of the RISC-V Supervisor Binary Interface, version 2.0 and the ratified parts of 3.0. */
#ifndef RISCV_SBI_H
#define RISCV_SBI_H

/* Extension ids. */
#define SBI_EXT_LEGACY_SET_TIMER 0x0
#define SBI_EXT_LEGACY_PUTCHAR 0x1
#define SBI_EXT_LEGACY_GETCHAR 0x2
#define SBI_EXT_LEGACY_CLEAR_IPI 0x3
#define SBI_EXT_LEGACY_SEND_IPI 0x4
#define SBI_EXT_LEGACY_FENCE_I 0x5
#define SBI_EXT_LEGACY_SFENCE_VMA 0x6
#define SBI_EXT_LEGACY_SFENCE_VMA_ASID 0x7
#define SBI_EXT_LEGACY_SHUTDOWN 0x8
#define SBI_EXT_BASE 0x10
#define SBI_BASE_GET_MVENDORID 4
#define SBI_EXT_TIME 0x54494D45
#define SBI_EXT_IPI 0x735049
#define SBI_EXT_RFENCE 0x52464E43
#define SBI_EXT_HSM 0x48534D
#define SBI_EXT_SRST 0x53525354
#define SBI_EXT_PMU 0x504D55
#define SBI_EXT_DBCN 0x4442434E
#define SBI_EXT_SUSP 0x53555350
#define SBI_EXT_STA 0x535441
#define SBI_EXT_CALDARIUM 0x0A616C64 /* firmware specific: 0x0A000000 and our id's low 24 bits */

/* BASE's functions: the last one, and the only one whose answer is no constant. */
#define SBI_BASE_PROBE 3
#define SBI_BASE_LAST 6

/* Errors. */
#define SBI_SUCCESS 0
#define SBI_ERR_FAILED (-1)
#define SBI_ERR_NOT_SUPPORTED (-2)
#define SBI_ERR_INVALID_PARAM (-3)
#define SBI_ERR_DENIED (-4)
#define SBI_ERR_INVALID_ADDRESS (-5)
#define SBI_ERR_ALREADY_AVAILABLE (-6)
#define SBI_ERR_ALREADY_STARTED (-7)
#define SBI_ERR_ALREADY_STOPPED (-8)
#define SBI_ERR_NO_SHMEM (-9)

/* HSM states, as sbi_hart_get_status returns them. */
#define SBI_HSM_STARTED 0
#define SBI_HSM_STOPPED 1
#define SBI_HSM_START_PENDING 2
#define SBI_HSM_STOP_PENDING 3
#define SBI_HSM_SUSPENDED 4
#define SBI_HSM_SUSPEND_PENDING 5
#define SBI_HSM_RESUME_PENDING 6

#define SBI_HSM_SUSPEND_RETENTIVE 0x0
#define SBI_HSM_SUSPEND_NON_RETENTIVE 0x80000000

/* SRST. */
#define SBI_SRST_SHUTDOWN 0
#define SBI_SRST_COLD_REBOOT 1
#define SBI_SRST_WARM_REBOOT 2
#define SBI_SRST_REASON_NONE 0
#define SBI_SRST_REASON_SYSTEM_FAILURE 1

/* What an SBI function answers: a0 and a1. */
#ifndef __ASSEMBLER__
#include <stdint.h>
struct sbi_ret {
    int64_t error;
    uint64_t value;
};
#endif

#endif
