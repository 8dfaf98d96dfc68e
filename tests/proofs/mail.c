/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: no mail is lost: when a sender is done and the receiver has gone into the guest, or to
 *   sleep, either it has the mail, or its hart was kicked, or it was woken, in any order of their
 *   steps
 * Bounds: two senders of the same software interrupt, one receiver that looks at its mail once
 *   before it goes into the guest or to sleep
 * Assumes: a kick makes its hart leave the guest, as the host's header promises
 * Threads: 3
 * Sources: lib/vcpu/mail.c
 * Loops: 3 vm_of_two.0:3
 */
#include "tests/proofs/vcpu.h"

static bool done[2];

static void sender(unsigned n)
{
    vcpu_mail(&vcpus[1], MAIL_SOFT);
    __CPROVER_atomic_begin();
    done[n] = true;
    __CPROVER_atomic_end();
}

void proof(void)
{
    vm_of_two();
    bool sleeps = nondet_bool();
    vcpus[1].mode = VCPU_HOST;
__CPROVER_ASYNC_1:
    sender(0);
__CPROVER_ASYNC_2:
    sender(1);
    /* lib/vcpu/run.c: run() and wait() */
    vcpu_enter_mode(&vcpus[1], sleeps ? VCPU_BLOCKED : VCPU_GUEST);
    bool looks = atomic_load(&vcpus[1].mailbox) & MAIL_ANY;
    assume(done[0] && done[1]);
    holds(looks || (sleeps ? woken[1] : kicked[1]));
}
