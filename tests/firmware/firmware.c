/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SBI firmware for QEMU's virt that goes wrong on demand: tests/system/test_firmware.py. It serves
 * what Caldarium asks for, and no more. What is to fail lies at FAULTS, where the test has QEMU put
 * it before the machine starts: a list of calls that answer an error, and of harts that don't start
 * or stop answering.
 */
#include <stdbool.h>
#include <stdint.h>

#include "riscv/sbi.h"

#define FAULTS 0x80070000UL
#define KERNEL 0x80200000UL /* where QEMU loads it */
#define CLINT 0x02000000UL
#define MSIP(hart) ((volatile uint32_t *)(CLINT + 4 * (hart)))
#define MTIMECMP(hart) ((volatile uint64_t *)(CLINT + 0x4000 + 8 * (hart)))
#define FINISHER ((volatile uint32_t *)0x00100000UL)
#define UART ((volatile uint8_t *)0x10000000UL)
#define HARTS 8

#define csr_set(name, bits) __asm__ volatile("csrs " name ", %0" : : "r"(bits))
#define csr_clear(name, bits) __asm__ volatile("csrc " name ", %0" : : "r"(bits))
#define csr_write(name, value) __asm__ volatile("csrw " name ", %0" : : "r"(value))
#define csr_read(name)                                                                             \
    ({                                                                                             \
        uint64_t value_;                                                                           \
        __asm__ volatile("csrr %0, " name : "=r"(value_));                                         \
        value_;                                                                                    \
    })

#define SSIP (1UL << 1)
#define MSIE (1UL << 3)
#define STIP (1UL << 5)
#define MTIE (1UL << 7)
#define CAUSE_INTERRUPT (1UL << 63)
#define CAUSE_CALL_S 9

enum { FAIL_CALL = 1, NEVER_START, HANG_AT_IPI };
struct fault {
    uint32_t kind; /* 0: the list's end */
    uint32_t hart; /* for calls: of the caller; UINT32_MAX: of any */
    uint64_t extension, function;
    uint64_t after, times; /* calls that succeed before it fails, and so often */
};

struct hart {
    volatile uint32_t started; /* and not yet gone on its way */
    volatile bool runs, posted;
    uint64_t pc, opaque;
};
static struct hart harts[HARTS];
static uint64_t tree;

void firmware_main(uint64_t id, uint64_t a1);
void firmware_trap(uint64_t a[8]);
_Noreturn void firmware_enter(uint64_t id, uint64_t a1, uint64_t pc);

/* Traps that S-mode handles itself are all but its calls; all memory and counters are its. */
static void open_all(void)
{
    csr_write("pmpaddr0", -1UL);
    csr_write("pmpcfg0", 0x1fUL);
    csr_write("medeleg", ~(1UL << CAUSE_CALL_S));
    csr_write("mideleg", 0x222UL | 0x1444UL);
    csr_write("mcounteren", -1UL);
    csr_write("0x30a", -1UL); /* menvcfg: Sstc and its like, as far as they are there */
    csr_write("mstatus", 1UL << 11 | 3UL << 13 | 3UL << 9);
    csr_write("mie", MSIE);
}

static _Noreturn void hang(void)
{
    csr_write("mie", 0UL);
    for (;;)
        __asm__ volatile("wfi");
}

/* The emulator ends some time after the store. */
static _Noreturn void power_off(void)
{
    *FINISHER = 0x5555;
    hang();
}

static struct fault *fault(uint32_t kind, uint32_t hart)
{
    struct fault *f = (struct fault *)FAULTS;
    while (f->kind && !(f->kind == kind && (f->hart == UINT32_MAX || f->hart == hart)))
        f++;
    return f->kind ? f : 0;
}

static bool fails(uint64_t extension, uint64_t function)
{
    uint32_t self = (uint32_t)csr_read("mhartid");
    for (struct fault *f = (struct fault *)FAULTS; f->kind; f++) {
        if (f->kind != FAIL_CALL || f->extension != extension || f->function != function ||
            (f->hart != UINT32_MAX && f->hart != self))
            continue;
        if (f->after) {
            f->after--;
        } else if (f->times) {
            f->times--;
            return true;
        }
    }
    return false;
}

static _Noreturn void wait_for_start(uint64_t id)
{
    struct hart *hart = &harts[id];
    while (!hart->started || fault(NEVER_START, (uint32_t)id)) {
        __asm__ volatile("wfi");
        *MSIP(id) = 0;
    }
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    hart->runs = true;
    firmware_enter(id, hart->opaque, hart->pc);
}

void firmware_main(uint64_t id, uint64_t a1)
{
    open_all();
    if (id) /* faults name harts: so it is always the same one that boots */
        wait_for_start(id);
    tree = a1;
    harts[id].runs = true;
    harts[id].started = 1;
    firmware_enter(id, tree, KERNEL);
}

static int64_t send_ipi(uint64_t mask, uint64_t base)
{
    for (uint64_t n = 0; n < 64; n++) {
        uint64_t id = base == UINT64_MAX ? n : base + n;
        if (id < HARTS && harts[id].runs && (base == UINT64_MAX || mask >> n & 1)) {
            harts[id].posted = true;
            __atomic_thread_fence(__ATOMIC_SEQ_CST);
            *MSIP(id) = 1;
        }
    }
    return SBI_SUCCESS;
}

static int64_t start(uint64_t id, uint64_t pc, uint64_t opaque)
{
    if (id >= HARTS)
        return SBI_ERR_INVALID_PARAM;
    if (harts[id].started)
        return SBI_ERR_ALREADY_AVAILABLE;
    harts[id].pc = pc;
    harts[id].opaque = opaque;
    __atomic_store_n(&harts[id].started, 1, __ATOMIC_RELEASE);
    *MSIP(id) = 1;
    return SBI_SUCCESS;
}

static void put(char byte)
{
    while (!(UART[5] & 0x20)) {
    }
    UART[0] = (uint8_t)byte;
}

static int64_t set_timer(uint64_t id, uint64_t when)
{
    csr_clear("mip", STIP);
    *MTIMECMP(id) = when;
    csr_set("mie", MTIE);
    return SBI_SUCCESS;
}

static int64_t call(uint64_t a[8])
{
    uint64_t id = csr_read("mhartid"), extension = a[7], function = a[6], a0 = a[0], a1 = a[1];
    a[1] = 0;
    if (fails(extension, function))
        return SBI_ERR_FAILED;
    switch (extension) {
    case SBI_EXT_BASE:
        a[1] = function == 0 ? 2UL << 24 : function == 1 ? 0x7e57 : function == 3 ? 1 : 0;
        return SBI_SUCCESS;
    case SBI_EXT_TIME:
        return set_timer(id, a0);
    case SBI_EXT_IPI:
        return send_ipi(a0, a1);
    case SBI_EXT_HSM:
        return function ? SBI_ERR_NOT_SUPPORTED : start(a0, a1, a[2]);
    case SBI_EXT_DBCN:
        if (function != 2)
            return SBI_ERR_NOT_SUPPORTED;
        put((char)a0);
        return SBI_SUCCESS;
    case SBI_EXT_SRST:
        power_off();
    default:
        return SBI_ERR_NOT_SUPPORTED;
    }
}

static void interrupt(uint64_t cause)
{
    uint64_t id = csr_read("mhartid");
    if (cause == 7) { /* the timer's: S-mode's now */
        csr_clear("mie", MTIE);
        csr_set("mip", STIP);
        return;
    }
    *MSIP(id) = 0;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!harts[id].posted)
        return;
    struct fault *f = fault(HANG_AT_IPI, (uint32_t)id);
    if (f && !f->after--)
        hang();
    harts[id].posted = false;
    csr_set("mip", SSIP);
}

void firmware_trap(uint64_t a[8])
{
    uint64_t cause = csr_read("mcause");
    if (cause & CAUSE_INTERRUPT) {
        interrupt(cause & ~CAUSE_INTERRUPT);
    } else if (cause == CAUSE_CALL_S) {
        csr_write("mepc", csr_read("mepc") + 4);
        uint64_t legacy = a[7] <= SBI_EXT_LEGACY_SHUTDOWN, second = a[1];
        if (a[7] == SBI_EXT_LEGACY_PUTCHAR && !fails(a[7], 0)) {
            put((char)a[0]);
            a[0] = 0;
        } else if (a[7] == SBI_EXT_LEGACY_SHUTDOWN && !fails(a[7], 0)) {
            power_off();
        } else {
            a[0] = (uint64_t)call(a);
        }
        if (legacy)
            a[1] = second;
    } else {
        for (const char *text = "firmware: an unexpected trap\n"; *text; text++)
            put(*text);
        hang();
    }
}
