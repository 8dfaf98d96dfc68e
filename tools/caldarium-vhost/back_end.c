/* SPDX-License-Identifier: BSD-2-Clause */
#include "back_end.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    GET_FEATURES = 1,
    SET_FEATURES = 2,
    SET_OWNER = 3,
    SET_MEM_TABLE = 5,
    SET_VRING_NUM = 8,
    SET_VRING_ADDR = 9,
    SET_VRING_BASE = 10,
    SET_VRING_KICK = 12,
    SET_VRING_CALL = 13,
    GET_PROTOCOL_FEATURES = 15,
    SET_PROTOCOL_FEATURES = 16,
    SET_VRING_ENABLE = 18,
    GET_CONFIG = 24
};

#define VERSION 1U
#define VERSION_MASK 3U
#define IS_REPLY 4U
#define WANTS_REPLY 8U
#define F_PROTOCOL_FEATURES (1ULL << 30)
#define PROTOCOL_REPLY_ACK (1ULL << 3)
#define PROTOCOL_CONFIG (1ULL << 9)

struct message {
    uint32_t request, flags, size;
    union {
        uint64_t value;
        struct {
            uint32_t queue, number;
        } state;
        struct {
            uint32_t queue, flags;
            uint64_t descriptors, used, available, log;
        } address;
        struct {
            uint32_t count, padding;
            struct {
                uint64_t guest, size, user, offset;
            } region[BACK_END_MEMORY];
        } memory;
        struct {
            uint32_t offset, size, flags;
            uint8_t bytes[BACK_END_CONFIG];
        } config;
    };
} __attribute__((packed));
#define HEADER 12

static bool failed(const struct back_end *back_end, const char *what, const char *why)
{
    fprintf(stderr, "caldarium-vhost: %s: %s: %s\n", back_end->path, what, why);
    return false;
}

static bool send_message(const struct back_end *back_end, struct message *message, int fd,
                         unsigned fds)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int) * BACK_END_MEMORY)];
    } control = {0};
    struct iovec bytes = {message, HEADER + message->size};
    struct msghdr out = {.msg_iov = &bytes, .msg_iovlen = 1};
    if (fds) {
        control.header = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
                                          .cmsg_type = SCM_RIGHTS,
                                          .cmsg_len = CMSG_LEN(sizeof(int) * fds)};
        for (unsigned n = 0; n < fds; n++)
            memcpy(CMSG_DATA(&control.header) + sizeof(int) * n, &fd, sizeof(fd));
        out.msg_control = &control;
        out.msg_controllen = CMSG_SPACE(sizeof(int) * fds);
    }
    return sendmsg(back_end->socket, &out, MSG_NOSIGNAL) == (ssize_t)bytes.iov_len ||
           failed(back_end, "sending to the back end", strerror(errno));
}

static bool receive_bytes(const struct back_end *back_end, void *to, size_t bytes)
{
    ssize_t got = recv(back_end->socket, to, bytes, MSG_WAITALL);
    return got == (ssize_t)bytes || failed(back_end, "receiving from the back end",
                                           got < 0 ? strerror(errno) : "it has ended");
}

static bool receive_reply(const struct back_end *back_end, uint32_t request, struct message *reply)
{
    if (!receive_bytes(back_end, reply, HEADER))
        return false;
    if (reply->request != request || !(reply->flags & IS_REPLY) ||
        reply->size > sizeof(*reply) - HEADER)
        return failed(back_end, "receiving from the back end", "that is no answer");
    return receive_bytes(back_end, (char *)reply + HEADER, reply->size);
}

/* Sends it, and waits until it is done, where the back end can say so. */
static bool set(const struct back_end *back_end, uint32_t request, struct message *message,
                uint32_t size, int fd, unsigned fds)
{
    bool acknowledged = back_end->protocol & PROTOCOL_REPLY_ACK;
    struct message reply;
    message->request = request;
    message->flags = VERSION | (acknowledged ? WANTS_REPLY : 0);
    message->size = size;
    if (!send_message(back_end, message, fd, fds))
        return false;
    if (!acknowledged)
        return true;
    if (!receive_reply(back_end, request, &reply))
        return false;
    return !reply.value || failed(back_end, "the back end", "it refused what it was told");
}

static bool set_value(const struct back_end *back_end, uint32_t request, uint64_t value)
{
    struct message message = {.value = value};
    return set(back_end, request, &message, sizeof(message.value), -1, 0);
}

static bool set_state(const struct back_end *back_end, uint32_t request, uint32_t queue,
                      uint32_t number)
{
    struct message message = {.state = {queue, number}};
    return set(back_end, request, &message, sizeof(message.state), -1, 0);
}

static bool set_file(const struct back_end *back_end, uint32_t request, uint32_t queue, int fd)
{
    struct message message = {.value = queue};
    return set(back_end, request, &message, sizeof(message.value), fd, 1);
}

static bool get_value(const struct back_end *back_end, uint32_t request, uint64_t *value)
{
    struct message message = {.request = request, .flags = VERSION};
    if (!send_message(back_end, &message, -1, 0) || !receive_reply(back_end, request, &message))
        return false;
    *value = message.value;
    return true;
}

static bool introduce(struct back_end *back_end)
{
    uint64_t protocol;
    struct message owner = {0};
    back_end->protocol = 0;
    if (!get_value(back_end, GET_FEATURES, &back_end->features))
        return false;
    if (!(back_end->features & F_PROTOCOL_FEATURES))
        return failed(back_end, "the back end", "it knows no protocol features; CONFIG is needed");
    if (!get_value(back_end, GET_PROTOCOL_FEATURES, &protocol))
        return false;
    if (!(protocol & PROTOCOL_CONFIG))
        return failed(back_end, "the back end", "it has no configuration space to show");
    protocol &= PROTOCOL_CONFIG | PROTOCOL_REPLY_ACK;
    if (!set_value(back_end, SET_PROTOCOL_FEATURES, protocol))
        return false;
    back_end->protocol = protocol;
    return set(back_end, SET_OWNER, &owner, 0, -1, 0);
}

bool back_end_connect(struct back_end *back_end)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", back_end->path);
    back_end->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (back_end->socket < 0)
        return false;
    if (!connect(back_end->socket, (struct sockaddr *)&address, sizeof(address)) &&
        introduce(back_end))
        return true;
    back_end_close(back_end);
    return false;
}

void back_end_close(struct back_end *back_end)
{
    if (back_end->socket >= 0)
        close(back_end->socket);
    back_end->socket = -1;
}

bool back_end_config(struct back_end *back_end, void *config, uint32_t bytes)
{
    struct message message = {.request = GET_CONFIG,
                              .flags = VERSION,
                              .size = sizeof(message.config) - BACK_END_CONFIG + bytes,
                              .config = {.size = bytes}};
    if (!send_message(back_end, &message, -1, 0) || !receive_reply(back_end, GET_CONFIG, &message))
        return false;
    if (message.size != sizeof(message.config) - BACK_END_CONFIG + bytes)
        return failed(back_end, "the back end", "its configuration space is of another size");
    memcpy(config, message.config.bytes, bytes);
    return true;
}

bool back_end_start(struct back_end *back_end, uint64_t features, int fd,
                    const struct back_end_memory *memory, unsigned count)
{
    struct message message = {.memory = {.count = count}};
    for (unsigned n = 0; n < count; n++) {
        message.memory.region[n].guest = memory[n].guest;
        message.memory.region[n].user = memory[n].user;
        message.memory.region[n].size = memory[n].size;
        message.memory.region[n].offset = memory[n].physical;
    }
    return set_value(back_end, SET_FEATURES, features | F_PROTOCOL_FEATURES) &&
           set(back_end, SET_MEM_TABLE, &message, 8 + 32 * count, fd, count);
}

bool back_end_start_ring(struct back_end *back_end, const struct back_end_ring *ring)
{
    struct message address = {.address = {.queue = ring->queue,
                                          .descriptors = ring->descriptors,
                                          .used = ring->used,
                                          .available = ring->available}};
    return set_state(back_end, SET_VRING_NUM, ring->queue, ring->size) &&
           set_state(back_end, SET_VRING_BASE, ring->queue, 0) &&
           set(back_end, SET_VRING_ADDR, &address, sizeof(address.address), -1, 0) &&
           set_file(back_end, SET_VRING_CALL, ring->queue, ring->call) &&
           set_file(back_end, SET_VRING_KICK, ring->queue, ring->kick) &&
           set_state(back_end, SET_VRING_ENABLE, ring->queue, 1);
}
