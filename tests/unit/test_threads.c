/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vCPU in a thread of its own, which sleeps when it waits, and another thread that sends it
 * interrupts and fences: no wake is lost, and no fence waits for ever. The guest is a model that
 * runs for a few steps, or until it is kicked, and then waits for an interrupt.
 */
#include "tests/unit/guests.h"

#include <errno.h>
#include <pthread.h>
#include <threads.h>
#include <time.h>

#include "caldarium/caldarium.h"

#define ROUNDS 20000
#define LOST_AFTER 60 /* seconds without a wake: it has been lost */

#define sleeper (&guest_vcpus[0])
#define sender (&guest_vcpus[1])

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t woken = PTHREAD_COND_INITIALIZER;
static bool asleep;
static _Atomic uint32_t kicked, served, ends, lost;
static uint64_t seed_guest, seed_sender;

void host_wake(struct cald_vcpu *vcpu)
{
    if (vcpu != sleeper)
        return;
    pthread_mutex_lock(&lock);
    asleep = false;
    pthread_cond_signal(&woken);
    pthread_mutex_unlock(&lock);
}

void host_kick(struct cald_vcpu *vcpu)
{
    if (vcpu == sleeper)
        atomic_store(&kicked, 1);
}

static void delay(uint64_t *seed)
{
    for (volatile unsigned steps = unit_random(seed) % 1024; steps; steps = steps - 1)
        continue;
}

static void some_steps(struct cald_vcpu *vcpu)
{
    (void)vcpu;
    for (unsigned steps = unit_random(&seed_guest) % 64; steps; steps--) {
        if (atomic_exchange(&kicked, 0))
            return;
    }
}

/* The order that caldarium.h asks for: the lock of host_wake(), then cald_vcpu_pending(). */
static void sleep_until_woken(void)
{
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += LOST_AFTER;
    delay(&seed_guest);
    pthread_mutex_lock(&lock);
    asleep = !cald_vcpu_pending(sleeper);
    while (asleep && !atomic_load(&lost)) {
        if (pthread_cond_timedwait(&woken, &lock, &limit) == ETIMEDOUT)
            atomic_store(&lost, 1);
    }
    pthread_mutex_unlock(&lock);
}

static void *sleep_and_serve(void *arg)
{
    struct cald_exit exit;
    (void)arg;
    while (!atomic_load(&ends) && !atomic_load(&lost)) {
        enum cald_why why = cald_vcpu_run(sleeper, 0, &exit);
        if (guest_sip >> GUEST_IRQ_SOFT & 1) { /* its handler, which ends the interrupt */
            guest_sip = 0;
            atomic_fetch_add(&served, 1);
        }
        if (why == CALD_WAIT)
            sleep_until_woken();
    }
    cald_vcpu_put(sleeper);
    return NULL;
}

/* One interrupt a round, and in between a fence, both at any point of the other's way. */
static void send(void)
{
    for (unsigned n = 0; n < ROUNDS && !atomic_load(&lost); n++) {
        uint32_t before = atomic_load(&served);
        delay(&seed_sender);
        if (unit_random(&seed_sender) % 4 == 0)
            vcpu_fence_others(sender, 1, &(struct fence){.kind = FENCE_ALL});
        if (unit_random(&seed_sender) % 2)
            vcpu_mail(sleeper, MAIL_SOFT);
        else
            cald_vcpu_irq(sleeper, GUEST_IRQ_SOFT, true);
        while (atomic_load(&served) == before && !atomic_load(&lost))
            thrd_yield();
    }
}

static void run_both(void)
{
    pthread_t thread;
    guest_exit = (struct exit){.reason = EXIT_WFI, .insn = INSN_WFI};
    guest_in = some_steps;
    seed_guest = 1;
    seed_sender = 2;
    asleep = false;
    atomic_store(&kicked, 0);
    atomic_store(&served, 0);
    atomic_store(&ends, 0);
    atomic_store(&lost, 0);
    assert_int_equal(pthread_create(&thread, NULL, sleep_and_serve, NULL), 0);
    send();
    atomic_store(&ends, 1);
    cald_vcpu_request(sleeper);
    pthread_join(thread, NULL);
    assert_int_equal(atomic_load(&lost), 0);
    assert_true(atomic_load(&served) >= ROUNDS);
    assert_true(guest_fences > 0);
}

static int set_up(void **state)
{
    (void)state;
    guest_describe(16);
    assert_int_equal(memory_take(&guest_vm), 0);
    assert_int_equal(cald_vm_start(guest, 0x80001000, 0), CALD_OK);
    return 0;
}

static void test_host_that_only_runs_vcpus(void **state)
{
    (void)state;
    run_both();
}

static void test_host_with_other_work(void **state)
{
    (void)state;
    guest_machine.told.flags &= ~CALD_MACHINE_KICKS_ARE_OURS;
    assert_int_equal(cald_vm_start(guest, 0x80001000, 0), CALD_OK);
    sleeper->leaves = true;
    run_both();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_host_that_only_runs_vcpus, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_host_with_other_work, set_up, guest_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
