/* SPDX-License-Identifier: BSD-2-Clause */
/* A client and the back end that serves it, and the thread that keeps them together. */
#ifndef CALDARIUM_VHOST_SERVE_H
#define CALDARIUM_VHOST_SERVE_H

#include "client.h"

struct service {
    struct client client;
    struct back_end back_end;
    int memory;            /* /dev/mem */
    int kick, call, state; /* event file descriptors: to the back end, from it, from the doorbell */
};

/* The thread's function, of a struct service. Never ends. */
void *serve(void *service);

#endif
