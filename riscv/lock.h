/* SPDX-License-Identifier: BSD-2-Clause */
/* A ticket lock: fair, so that no hart starves. Whoever takes one has interrupts off, which is the
 * caller's to see to (include/caldarium/caldarium.h), so a lock keeps no interrupt state and costs
 * its two accesses alone. Hold it for a bounded, short time, never while a guest runs. */
#ifndef RISCV_LOCK_H
#define RISCV_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct lock {
    _Atomic uint32_t next, serving;
};

static inline void lock_take(struct lock *lock)
{
    uint32_t ticket = atomic_fetch_add_explicit(&lock->next, 1, memory_order_relaxed);
    while (atomic_load_explicit(&lock->serving, memory_order_acquire) != ticket) {
    }
}

/* True: the lock is held; false: somebody else has it or is about to. Has acquire semantics. */
static inline bool lock_try(struct lock *lock)
{
    uint32_t serving = atomic_load_explicit(&lock->serving, memory_order_acquire);
    return atomic_compare_exchange_strong_explicit(&lock->next, &serving, serving + 1,
                                                   memory_order_acquire, memory_order_relaxed);
}

static inline void lock_release(struct lock *lock)
{
    uint32_t serving = atomic_load_explicit(&lock->serving, memory_order_relaxed);
    atomic_store_explicit(&lock->serving, serving + 1, memory_order_release);
}

#endif
