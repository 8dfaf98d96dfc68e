/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define DISK_CONFIG 60 /* bytes that a vhost-user block device shows, VIRTIO 1.2, 5.2.4 */
#define F_VERSION_1 (1ULL << 32)
#define AGAIN_US 50000 /* until the socket of a back end that isn't there is looked at again */

static void say(const struct service *service, const char *what)
{
    printf("caldarium-vhost: %s: %s %s\n", service->client.name, service->back_end.path, what);
    fflush(stdout);
}

/* Until it is there. */
static void find_back_end(struct service *service)
{
    uint8_t config[BACK_END_CONFIG] = {0};
    bool said = false;
    for (;;) {
        if (back_end_connect(&service->back_end)) {
            if (back_end_config(&service->back_end, config, DISK_CONFIG))
                break;
            back_end_close(&service->back_end);
        } else if (!said) {
            say(service, "is not there yet");
            said = true;
        }
        usleep(AGAIN_US);
    }
    client_there(&service->client, service->back_end.features, config);
    say(service, "is there");
}

static bool start(struct service *service)
{
    struct back_end_ring ring = client_ring(&service->client);
    uint64_t features = client_features(&service->client) & service->back_end.features;
    ring.kick = service->kick;
    ring.call = service->call;
    return back_end_start(&service->back_end, features | F_VERSION_1, service->memory,
                          service->client.memory, service->client.memory_count) &&
           back_end_start_ring(&service->back_end, &ring) &&
           !eventfd_write(service->kick, 1); /* what was put into the ring before */
}

static void clear(int event)
{
    eventfd_t count;
    eventfd_read(event, &count);
}

/* As long as the back end is there, and the client doesn't want it ended. True: it does, and the
 * back end is fine. */
static bool run(struct service *service)
{
    struct pollfd files[] = {{.fd = service->back_end.socket, .events = POLLIN},
                             {.fd = service->state, .events = POLLIN},
                             {.fd = service->call, .events = POLLIN}};
    bool started = false;
    for (;;) {
        enum client_state state = client_state(&service->client);
        if (state == CLIENT_END || (started && state != CLIENT_RUN))
            return true;
        if (state == CLIENT_RUN && !started) {
            if (!start(service))
                return false;
            client_call(&service->client); /* what waited comes now */
            started = true;
        }
        if (poll(files, 3, -1) < 0 && errno != EINTR)
            return false;
        if (files[1].revents)
            clear(service->state);
        while (!files[1].revents && !files[0].revents) {
            clear(service->call);
            client_call(&service->client);
            poll(files, 3, -1);
        }
        if (files[0].revents) /* it says nothing of itself */
            return false;
    }
}

void *serve(void *of)
{
    struct service *service = of;
    for (;;) {
        find_back_end(service);
        bool ended = run(service);
        back_end_close(&service->back_end);
        if (!ended) {
            client_away(&service->client);
            say(service, "is gone");
        }
    }
}
