/* SPDX-License-Identifier: BSD-2-Clause */
#include "client.h"

#include <endian.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* Registers, as words. */
enum { VERSION = 0, STATE = 2, RING_SIZE = 3, FEATURES = 4, THERE = 6, CALL = 7, CONFIG = 64 };

#define AVAILABLE 0x4000
#define USED 0x5000
/* Where the back end shall have the ring: no VM's memory is there. */
#define RING_GUEST (1ULL << 62)
#define USER(n) ((uint64_t)((n) + 1) << 48)

static size_t read_property(const char *node, const char *property, void *to, size_t bytes)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", node, property);
    FILE *file = fopen(path, "rb");
    size_t got = file ? fread(to, 1, bytes, file) : 0;
    if (file)
        fclose(file);
    return got;
}

static bool is_named(const char *node, const char *name)
{
    char vm[64] = "", label[64] = "", both[130];
    read_property(node, "caldarium,vm", vm, sizeof(vm) - 1);
    read_property(node, "label", label, sizeof(label) - 1);
    snprintf(both, sizeof(both), "%s/%s", vm, label);
    return !strcmp(both, name);
}

static bool failed(const char *name, const char *why)
{
    fprintf(stderr, "caldarium-vhost: %s: %s\n", name, why);
    return false;
}

static bool read_memory(struct client *client, const char *node, uint64_t ring, uint64_t ring_bytes)
{
    uint64_t cells[BACK_END_MEMORY][3];
    size_t got = read_property(node, "caldarium,memory", cells, sizeof(cells));
    unsigned count = (unsigned)(got / sizeof(cells[0]));
    if (!count || count >= BACK_END_MEMORY)
        return failed(client->name, "property caldarium,memory: 1 to 7 pieces are expected");
    for (unsigned n = 0; n < count; n++)
        client->memory[n] = (struct back_end_memory){be64toh(cells[n][0]), USER(n),
                                                     be64toh(cells[n][2]), be64toh(cells[n][1])};
    client->memory[count] = (struct back_end_memory){RING_GUEST, USER(count), ring_bytes, ring};
    client->memory_count = count + 1;
    return true;
}

static bool read_node(struct client *client, const char *node, int memory)
{
    uint32_t number;
    uint64_t reg[4];
    if (read_property(node, "caldarium,number", &number, sizeof(number)) != sizeof(number) ||
        read_property(node, "reg", reg, sizeof(reg)) != sizeof(reg))
        return failed(client->name, "its node has no number or no reg");
    client->number = be32toh(number);
    void *at = mmap(NULL, be64toh(reg[1]), PROT_READ | PROT_WRITE, MAP_SHARED, memory,
                    (off_t)be64toh(reg[0]));
    if (at == MAP_FAILED)
        return failed(client->name, strerror(errno));
    client->registers = at;
    if (client->registers[VERSION] != 1)
        return failed(client->name, "its registers have another version than 1");
    return read_memory(client, node, be64toh(reg[2]), be64toh(reg[3]));
}

bool client_find(struct client *client, const char *name, int memory)
{
    glob_t nodes;
    bool found = false, good = false;
    client->name = name;
    if (glob("/proc/device-tree/soc/vhost@*", 0, NULL, &nodes))
        return failed(name, "the device tree has no vhost node: no VM names this one as backend");
    for (size_t n = 0; n < nodes.gl_pathc && !found; n++) {
        found = is_named(nodes.gl_pathv[n], name);
        good = found && read_node(client, nodes.gl_pathv[n], memory);
    }
    globfree(&nodes);
    return found ? good : failed(name, "no vhost node of the device tree is of that VM and device");
}

/* Accesses of memory and of registers stay in their order. */
static void fence(void)
{
    __asm__ volatile("fence iorw, iorw" ::: "memory");
}

enum client_state client_state(const struct client *client)
{
    return client->registers[STATE];
}

uint64_t client_features(const struct client *client)
{
    return client->registers[FEATURES] | (uint64_t)client->registers[FEATURES + 1] << 32;
}

void client_there(const struct client *client, uint64_t features, const uint8_t *config)
{
    for (unsigned n = 0; n < BACK_END_CONFIG / 4; n++) {
        uint32_t word;
        memcpy(&word, config + 4 * n, sizeof(word));
        client->registers[CONFIG + n] = word;
    }
    client->registers[FEATURES] = (uint32_t)features;
    client->registers[FEATURES + 1] = (uint32_t)(features >> 32);
    fence();
    client->registers[THERE] = 1;
}

void client_away(const struct client *client)
{
    fence();
    client->registers[THERE] = 0;
}

void client_call(const struct client *client)
{
    fence();
    client->registers[CALL] = 0;
}

struct back_end_ring client_ring(const struct client *client)
{
    uint64_t user = client->memory[client->memory_count - 1].user;
    return (struct back_end_ring){.size = client->registers[RING_SIZE],
                                  .descriptors = user,
                                  .available = user + AVAILABLE,
                                  .used = user + USED};
}
