/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: of three harts that want a lock no two have it at once, one that only tries gets it only
 *   when it is free, and it is free afterwards
 * Bounds: each takes it once; the count of tickets may be at any value, its wrap among them
 * Assumes: sequential consistency
 * Threads: 3
 * Spins: who waits for the lock
 * Sources: riscv/decode.c
 * Loops: 4
 */
#include "riscv/lock.h"
#include "tests/proofs/proof.h"

static struct lock lock;
static unsigned inside;
static bool done[2];

static void work(void)
{
    __CPROVER_atomic_begin();
    inside++;
    __CPROVER_atomic_end();
    __CPROVER_atomic_begin();
    holds(inside == 1);
    inside--;
    __CPROVER_atomic_end();
    lock_release(&lock);
}

static void taker(unsigned n)
{
    lock_take(&lock);
    work();
    __CPROVER_atomic_begin();
    done[n] = true;
    __CPROVER_atomic_end();
}

void proof(void)
{
    uint32_t ticket = nondet_u32();
    lock.next = lock.serving = ticket;
__CPROVER_ASYNC_1:
    taker(0);
__CPROVER_ASYNC_2:
    taker(1);
    if (lock_try(&lock))
        work();
    assume(done[0] && done[1]);
    holds(lock.next == lock.serving);
}
