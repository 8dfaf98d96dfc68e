/* SPDX-License-Identifier: BSD-2-Clause */
#include "appliance/virtio/switch.h"

#include <string.h>

#include "host/host.h"

#define GROUP 1UL /* IEEE 802.3, 3.2.3: the first bit on the wire */

/* IEEE 802.1Q, 8.6.3: 01-80-C2-00-00-00 to -0F are for the other end of the wire alone. */
#define RESERVED 0x0000000000c28001UL
#define RESERVED_MASK 0x0000f0ffffffffffUL

struct net_switch *switches[SWITCHES];
unsigned switch_count;

struct net_switch *switch_find(const char *name, uint32_t mtu)
{
    for (unsigned n = 0; n < switch_count; n++) {
        if (!strcmp(switches[n]->name, name))
            return switches[n];
    }
    struct net_switch *net =
        switch_count < SWITCHES ? host_pages_alloc(sizeof(*net), HOST_PAGE_SIZE) : NULL;
    if (!net)
        return NULL;
    net->name = name;
    net->mtu = mtu;
    return switches[switch_count++] = net;
}

uint64_t switch_address(const uint8_t bytes[6])
{
    uint64_t address = 0;
    memcpy(&address, bytes, 6);
    return address;
}

bool switch_address_fits(uint64_t address)
{
    return address && !(address & GROUP);
}

unsigned switch_port_of(const struct net_switch *net, uint64_t address)
{
    unsigned n = 0;
    while (n < net->port_count && net->port[n].address != address)
        n++;
    return n;
}

unsigned switch_port_add(struct net_switch *net, uint64_t address, bool bridge, void *device)
{
    if (net->port_count == SWITCH_PORTS)
        return SWITCH_PORTS;
    net->port[net->port_count] =
        (struct switch_port){.address = address, .bridge = bridge, .device = device};
    return net->port_count++;
}

void switch_tidy(void)
{
    if (switch_count && !switches[switch_count - 1]->port_count)
        host_pages_free(switches[--switch_count], sizeof(struct net_switch));
}

void switch_port_drop(struct net_switch *net, unsigned port)
{
    net->port_count = port;
    switch_tidy();
}

/* ---- What was learned ------------------------------------------------------------------------ */

/* Vendors give the first three bytes; the last ones differ. */
static struct switch_seen *row_of(struct net_switch *net, uint64_t address)
{
    uint64_t mixed = address ^ address >> 24;
    return net->seen[(mixed >> 16 ^ mixed >> 8 ^ mixed) % SWITCH_ROWS];
}

/* Where `address` is, or may be noted: its own place, a free one, or one of the port's own when it
 * has as many in the row as one may. NULL: others have all of the row. */
static struct switch_seen *place_for(struct switch_seen *row, uint64_t address, unsigned port)
{
    struct switch_seen *free = NULL, *own = NULL;
    unsigned owns = 0;
    for (unsigned n = 0; n < SWITCH_WAYS; n++) {
        if (row[n].address == address)
            return &row[n];
        if (!row[n].address)
            free = &row[n];
        else if (row[n].port == port && ++owns)
            own = &row[n];
    }
    return free && owns < SWITCH_WAYS_OF_ONE ? free : own;
}

static void learn(struct net_switch *net, uint64_t address, unsigned port)
{
    lock_take(&net->lock);
    struct switch_seen *place = place_for(row_of(net, address), address, port);
    if (place)
        *place = (struct switch_seen){address, port};
    lock_release(&net->lock);
}

static unsigned learned(struct net_switch *net, uint64_t address)
{
    unsigned port = net->port_count;
    lock_take(&net->lock);
    const struct switch_seen *row = row_of(net, address);
    for (unsigned n = 0; n < SWITCH_WAYS; n++) {
        if (row[n].address == address)
            port = row[n].port;
    }
    lock_release(&net->lock);
    return port;
}

/* ---- A frame --------------------------------------------------------------------------------- */

static bool source_fits(struct net_switch *net, unsigned from, uint64_t source)
{
    const struct switch_port *port = &net->port[from];
    if (source == port->address)
        return true;
    if (!port->bridge || !switch_address_fits(source) ||
        switch_port_of(net, source) != net->port_count)
        return false;
    learn(net, source, from);
    return true;
}

static uint32_t bridges(const struct net_switch *net)
{
    uint32_t set = 0;
    for (unsigned n = 0; n < net->port_count; n++)
        set |= (uint32_t)net->port[n].bridge << n;
    return set;
}

static uint32_t ports_of(struct net_switch *net, uint64_t destination)
{
    uint32_t all = (uint32_t)((1UL << net->port_count) - 1);
    if ((destination & RESERVED_MASK) == RESERVED)
        return 0;
    if (destination & GROUP)
        return all;
    unsigned port = switch_port_of(net, destination);
    uint32_t behind = port == net->port_count ? bridges(net) : 0;
    if (behind)
        port = learned(net, destination);
    return port < net->port_count ? 1U << port : behind;
}

uint32_t switch_ports(struct net_switch *net, unsigned from, const uint8_t header[SWITCH_HEADER],
                      uint32_t bytes)
{
    struct switch_counts *counts = &net->port[from].counts;
    if (bytes < SWITCH_HEADER || bytes > switch_frame_max(net)) {
        counts->wrong++;
        return 0;
    }
    if (!source_fits(net, from, switch_address(header + 6))) {
        counts->spoofed++;
        return 0;
    }
    uint32_t set = ports_of(net, switch_address(header)) & ~(1U << from);
    if (!set)
        counts->nowhere++;
    counts->sent += set != 0;
    counts->sent_bytes += set ? bytes : 0;
    return set;
}
