/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A network of the bundle: a switch whose ports are VMs' network devices. Which ports a frame goes
 * to is decided here, by its header alone; who carries it there is net.c.
 *
 * A port has one address. What it sends has that as its source, and others' frames reach it by that
 * or as a group's; so a VM can't take another's place, nor hear what is not for it. A port with
 * `bridge` has a network of its own behind it: it may send with any source that no port has, which
 * is learned, and gets what is for addresses that nobody knows.
 *
 * Ports are added while VMs are defined, on one hart, and stay, but for those of a VM that is
 * refused by then; `lock` is held for `seen` alone. A decision costs at most one look at each port
 * and at one row of the table.
 */
#ifndef APPLIANCE_VIRTIO_SWITCH_H
#define APPLIANCE_VIRTIO_SWITCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "riscv/lock.h"

#define SWITCHES 16      /* networks of a machine */
#define SWITCH_PORTS 32U /* of one: a bit each in a word */
#define SWITCH_ROWS 64U
#define SWITCH_WAYS 4U       /* addresses in a row; */
#define SWITCH_WAYS_OF_ONE 2 /* of these, learned from one port */
#define SWITCH_HEADER 14U    /* of a frame: destination, source, type */
#define SWITCH_VLAN_TAG 4U
#define SWITCH_MTU_MIN 68U /* VIRTIO 1.2, 5.1.4 */
#define SWITCH_MTU_DEFAULT 1500U
#define SWITCH_MTU_MAX 9000U

/* Counters of a port; whoever holds the lock of the queue that it is about writes them. */
struct switch_counts {
    uint64_t sent, sent_bytes; /* by the VM, and taken by the switch */
    uint64_t got, got_bytes;   /* by the VM */
    uint64_t lost;             /* on the way to the VM: it doesn't run, or has no buffers there */
    uint64_t wrong;            /* sent: too short or too long, or malformed */
    uint64_t spoofed;          /* sent: the source is not the port's */
    uint64_t nowhere;          /* sent: to an address that no other port has */
};

struct switch_port {
    uint64_t address; /* six bytes, the first one lowest */
    bool bridge;
    void *device;
    struct switch_counts counts;
};

struct switch_seen {
    uint64_t address; /* 0: free */
    uint32_t port;
};

struct net_switch {
    const char *name;
    uint32_t mtu, port_count;
    struct switch_port port[SWITCH_PORTS];
    struct lock lock;
    struct switch_seen seen[SWITCH_ROWS][SWITCH_WAYS];
};

extern struct net_switch *switches[SWITCHES];
extern unsigned switch_count;

/* The one of that name, or a new one; NULL: there are SWITCHES already, or no memory is left. */
struct net_switch *switch_find(const char *name, uint32_t mtu);

/* An address as the switch has it. */
uint64_t switch_address(const uint8_t bytes[6]);

/* One that a port may have: no group's, and not zero. */
bool switch_address_fits(uint64_t address);

/* The port that has the address; `port_count`: none. */
unsigned switch_port_of(const struct net_switch *net, uint64_t address);

/* A new port; not with an address that another has. SWITCH_PORTS: there are as many already. */
unsigned switch_port_add(struct net_switch *net, uint64_t address, bool bridge, void *device);

/* Its VM never comes to be: the port goes. It is the last one that was added. */
void switch_port_drop(struct net_switch *net, unsigned port);

/* The last network goes, if it has no port. */
void switch_tidy(void);

/* The longest frame that may be sent, with a VLAN tag. */
static inline uint32_t switch_frame_max(const struct net_switch *net)
{
    return net->mtu + SWITCH_HEADER + SWITCH_VLAN_TAG;
}

/*
 * Where a frame goes that port `from` sent: a bit for each port. 0: nowhere; it was counted why.
 * The caller has checked that it has a header, and holds the lock of the queue it came from.
 */
uint32_t switch_ports(struct net_switch *net, unsigned from, const uint8_t header[SWITCH_HEADER],
                      uint32_t bytes);

#endif
