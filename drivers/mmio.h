/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers of real devices: one load or store each, of exactly the width that is asked for. */
#ifndef DRIVERS_MMIO_H
#define DRIVERS_MMIO_H

#include <stdint.h>

static inline uint8_t mmio_read8(const volatile void *at)
{
    return *(const volatile uint8_t *)at;
}

static inline uint16_t mmio_read16(const volatile void *at)
{
    return *(const volatile uint16_t *)at;
}

static inline uint32_t mmio_read32(const volatile void *at)
{
    return *(const volatile uint32_t *)at;
}

static inline uint64_t mmio_read64(const volatile void *at)
{
    return *(const volatile uint64_t *)at;
}

static inline void mmio_write64(volatile void *at, uint64_t value)
{
    *(volatile uint64_t *)at = value;
}

static inline void mmio_write8(volatile void *at, uint8_t value)
{
    *(volatile uint8_t *)at = value;
}

static inline void mmio_write16(volatile void *at, uint16_t value)
{
    *(volatile uint16_t *)at = value;
}

static inline void mmio_write32(volatile void *at, uint32_t value)
{
    *(volatile uint32_t *)at = value;
}

/* Orders device accesses and memory accesses before it with those after it. A C fence orders memory
 * alone, so the hart needs its own (unprivileged manual, "Memory Ordering Instructions"). The build
 * machine, where the unit tests run, has no devices. */
static inline void mmio_fence(void)
{
#ifdef __riscv
    __asm__ volatile("fence iorw, iorw" ::: "memory");
#else
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

#endif
