/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/sim/embed.h"

#include <string.h>
#include <time.h>

#include "caldarium/host.h"

#define TICKS 10000000UL /* a second's */

uint64_t sim_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * TICKS + (uint64_t)now.tv_nsec / (1000000000UL / TICKS);
}

void sim_others_first(void)
{
    nanosleep(&(struct timespec){0, 0}, NULL);
}

uint64_t host_time(void)
{
    return sim_clock();
}

uint64_t host_timebase(void)
{
    return TICKS;
}

/* The thread looks at the time before each run, and sleeps no longer. */
void host_timer_arm(struct cald_vcpu *vcpu, uint64_t deadline)
{
    struct sim_thread *thread = cald_vcpu_owner(vcpu);
    atomic_store(&thread->deadline, deadline);
}

void host_wake(struct cald_vcpu *vcpu)
{
    struct sim_thread *thread = cald_vcpu_owner(vcpu);
    if (!thread)
        return; /* it has none yet, so it doesn't sleep */
    pthread_mutex_lock(&thread->lock);
    thread->asleep = false;
    pthread_cond_signal(&thread->wake);
    pthread_mutex_unlock(&thread->lock);
}

/* An engine that runs in a thread looks for itself. */
void host_kick(struct cald_vcpu *vcpu)
{
    (void)vcpu;
}

/* Until the time, or until host_wake(): what came before the lock is held shows as pending. */
static void wait_until(struct sim_thread *thread, uint64_t until)
{
    uint64_t armed = atomic_load(&thread->deadline);
    if (armed < until)
        until = armed;
    struct timespec end = {(time_t)(until / TICKS), (long)(until % TICKS * (1000000000UL / TICKS))};
    pthread_mutex_lock(&thread->lock);
    thread->asleep = !cald_vcpu_pending(thread->vcpu);
    while (thread->asleep && sim_clock() < until) {
        if (until == UINT64_MAX)
            pthread_cond_wait(&thread->wake, &thread->lock);
        else
            pthread_cond_timedwait(&thread->wake, &thread->lock, &end);
    }
    thread->asleep = false;
    pthread_mutex_unlock(&thread->lock);
}

static void look_at_time(struct sim_thread *thread)
{
    if (atomic_load(&thread->deadline) <= sim_clock()) {
        atomic_store(&thread->deadline, UINT64_MAX);
        cald_vcpu_timer(thread->vcpu);
    }
}

static void end(struct sim_guest *guest, enum cald_why why, const struct cald_exit *exit)
{
    if (atomic_exchange(&guest->over, true))
        return;
    atomic_store(&guest->why, why);
    if (why == CALD_FAULT)
        strncpy(guest->text, exit->text, sizeof(guest->text) - 1);
    for (uint32_t n = 0; n < guest->vcpus; n++)
        cald_vcpu_request(guest->thread[n].vcpu);
}

static void *run(void *argument)
{
    struct sim_thread *thread = argument;
    struct sim_guest *guest = thread->guest;
    struct cald_exit exit;
    while (!atomic_load(&guest->over)) {
        look_at_time(thread);
        enum cald_why why = cald_vcpu_run(thread->vcpu, thread->hart, &exit);
        switch (why) {
        case CALD_AGAIN:
        case CALD_REQUEST: /* `over` says what is wanted */
            break;
        case CALD_WAIT:
            wait_until(thread, exit.until);
            break;
        case CALD_YIELD:
        case CALD_PAGE:
            sim_others_first();
            break;
        case CALD_MMIO:
        case CALD_SBI:
        case CALD_CSR_ACCESS: /* there is nothing outside the library */
            cald_vcpu_complete(thread->vcpu, CALD_ENOENT, 0);
            break;
        case CALD_RESET:
        case CALD_OFF:
        case CALD_SUSPEND:
        case CALD_FAULT:
        case CALD_BREAKPOINT: /* nobody has asked for it */
            end(guest, why, &exit);
            break;
        }
    }
    cald_vcpu_put(thread->vcpu);
    return NULL;
}

void sim_guest_start(struct sim_guest *guest, struct cald_vm *vm, uint32_t vcpus,
                     uint32_t first_hart)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    memset(guest, 0, sizeof(*guest));
    guest->vm = vm;
    guest->vcpus = vcpus;
    for (uint32_t n = 0; n < vcpus; n++) {
        struct sim_thread *thread = &guest->thread[n];
        thread->guest = guest;
        thread->vcpu = cald_vm_vcpu(vm, n);
        thread->hart = first_hart + n;
        atomic_store(&thread->deadline, UINT64_MAX);
        pthread_mutex_init(&thread->lock, NULL);
        pthread_cond_init(&thread->wake, &monotonic);
        cald_vcpu_set_owner(thread->vcpu, thread);
    }
    for (uint32_t n = 0; n < vcpus; n++)
        pthread_create(&guest->thread[n].thread, NULL, run, &guest->thread[n]);
}

enum cald_why sim_guest_join(struct sim_guest *guest)
{
    for (uint32_t n = 0; n < guest->vcpus; n++)
        pthread_join(guest->thread[n].thread, NULL);
    return atomic_load(&guest->why);
}
