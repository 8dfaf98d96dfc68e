/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * caldarium-vhost VM/DEVICE=SOCKET ...: in a driver VM, has vhost-user back ends that listen at
 * these sockets serve these devices of other VMs (docs/virtio.md). The main thread hears the
 * doorbell and tells the back ends' threads.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "serve.h"

#define DEVICES 32 /* of a driver VM */
#define PORT_NAME "caldarium.vhost"
#define WHAT_STATE 7

static struct service *services[DEVICES]; /* by the client's number */

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "caldarium-vhost: %s: %s\n", what, why);
    exit(1);
}

static int event(int flags)
{
    int file = eventfd(0, EFD_CLOEXEC | flags);
    if (file < 0)
        fail("eventfd", strerror(errno));
    return file;
}

static void add(char *argument, int memory)
{
    struct service *service = calloc(1, sizeof(*service));
    char *socket = strchr(argument, '=');
    if (!socket || !service)
        fail(argument, "VM/DEVICE=SOCKET is expected");
    *socket++ = 0;
    if (!client_find(&service->client, argument, memory))
        exit(1);
    if (service->client.number >= DEVICES || services[service->client.number])
        fail(argument, "it is named twice, or has no good number");
    service->back_end = (struct back_end){.path = socket, .socket = -1};
    service->memory = memory;
    service->kick = event(0);
    service->call = event(EFD_NONBLOCK);
    service->state = event(EFD_NONBLOCK);
    services[service->client.number] = service;
}

/* A port of virtio's console driver; its name says which. */
static int open_port(void)
{
    glob_t names;
    if (glob("/sys/class/virtio-ports/*/name", 0, NULL, &names))
        fail("/sys/class/virtio-ports", "there is no port: the doorbell's driver is not loaded");
    for (size_t n = 0; n < names.gl_pathc; n++) {
        char text[64] = "", path[80];
        FILE *file = fopen(names.gl_pathv[n], "r");
        char *end = file ? fgets(text, sizeof(text), file) : NULL;
        if (file)
            fclose(file);
        if (!end || strncmp(text, PORT_NAME, sizeof(PORT_NAME) - 1))
            continue;
        const char *port = names.gl_pathv[n] + sizeof("/sys/class/virtio-ports/") - 1;
        snprintf(path, sizeof(path), "/dev/%.*s", (int)strcspn(port, "/"), port);
        int opened = open(path, O_RDWR | O_CLOEXEC);
        if (opened < 0)
            fail(path, strerror(errno));
        globfree(&names);
        return opened;
    }
    fail("/sys/class/virtio-ports", "no port is named " PORT_NAME);
    return -1;
}

static void hear(int port)
{
    uint8_t bytes[256];
    ssize_t got;
    while ((got = read(port, bytes, sizeof(bytes))) > 0) {
        for (ssize_t n = 0; n < got; n++) {
            const struct service *service = services[bytes[n] >> 3];
            if (service)
                eventfd_write((bytes[n] & 7) == WHAT_STATE ? service->state : service->kick, 1);
        }
    }
    fail("the doorbell", got ? strerror(errno) : "its port was closed");
}

int main(int argc, char **argv)
{
    pthread_t thread;
    int memory = open("/dev/mem", O_RDWR | O_CLOEXEC);
    if (argc < 2)
        fail("usage", "caldarium-vhost VM/DEVICE=SOCKET ...");
    if (memory < 0)
        fail("/dev/mem", strerror(errno));
    for (int n = 1; n < argc; n++)
        add(argv[n], memory);
    int port = open_port();
    for (unsigned n = 0; n < DEVICES; n++) {
        if (services[n] && pthread_create(&thread, NULL, serve, services[n]))
            fail(services[n]->client.name, "no thread can be made for it");
    }
    hear(port);
}
