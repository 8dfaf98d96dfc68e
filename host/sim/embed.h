/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shortest host of the library: a process in which each vCPU is a thread. It calls nothing but
 * include/caldarium/, and is told in a struct sim_guest what it runs.
 */
#ifndef HOST_SIM_EMBED_H
#define HOST_SIM_EMBED_H

#include <pthread.h>
#include <stdatomic.h>

#include "caldarium/caldarium.h"

struct sim_guest;

/* A vCPU's thread, and where it sleeps. */
struct sim_thread {
    struct sim_guest *guest;
    struct cald_vcpu *vcpu;
    uint32_t hart;
    pthread_t thread;
    pthread_mutex_t lock; /* of `asleep` */
    pthread_cond_t wake;
    bool asleep;
    _Atomic uint64_t deadline; /* as host_timer_arm() said */
};

struct sim_guest {
    struct cald_vm *vm;
    uint32_t vcpus;
    _Atomic bool over;
    _Atomic uint32_t why; /* enum cald_why with which it was over */
    char text[200];       /* of a fault */
    struct sim_thread thread[CALD_MAX_VCPUS];
};

/* Runs all vCPUs of the VM until its guest is off, resets or faults. vCPU n is on hart
 * `first_hart` + n, of which the caller has begun none. */
void sim_guest_start(struct sim_guest *guest, struct cald_vm *vm, uint32_t vcpus,
                     uint32_t first_hart);

/* Waits until it is over, and all its vCPUs are put. */
enum cald_why sim_guest_join(struct sim_guest *guest);

/* What time is it, for who counts in ticks: host_time() of this host is the clock's. */
uint64_t sim_clock(void);

/* For who polls what another thread does. */
void sim_others_first(void);

#endif
