/* SPDX-License-Identifier: BSD-2-Clause */
/* The ports of the networks, and what they have carried. */
#include <stdio.h>

#include "appliance/monitor/monitor.h"
#include "appliance/monitor/show.h"
#include "appliance/virtio/net.h"
#include "appliance/vm.h"

static void line(const struct net_switch *net, const struct switch_port *port, int width)
{
    const struct virtio_net *owner = port->device;
    const struct switch_counts *c = &port->counts;
    const uint8_t *mac = owner->config.address;
    monitor_print("%-10.10s  %-*s  %-8.8s  %02x:%02x:%02x:%02x:%02x:%02x  %9lu  %9lu  %9lu  %9lu  "
                  "%7lu  %7lu  %7lu  %7lu",
                  net->name, width, owner->device.vm_name, owner->device.name, mac[0], mac[1],
                  mac[2], mac[3], mac[4], mac[5], show_counter(&c->sent),
                  show_counter(&c->sent_bytes) >> 10, show_counter(&c->got),
                  show_counter(&c->got_bytes) >> 10, show_counter(&c->lost),
                  show_counter(&c->wrong), show_counter(&c->spoofed), show_counter(&c->nowhere));
}

void show_networks(struct vm *vm)
{
    int width = show_name_width();
    (void)vm;
    if (!switch_count) {
        monitor_print("no VM has a port of a network");
        return;
    }
    monitor_print("%-10s  %-*s  %-8s  %-17s  %9s  %9s  %9s  %9s  %7s  %7s  %7s  %7s", "NETWORK",
                  width, "VM", "NODE", "ADDRESS", "SENT", "KIB", "GOT", "KIB", "LOST", "WRONG",
                  "SPOOFED", "NOWHERE");
    for (unsigned n = 0; n < switch_count; n++) {
        for (unsigned port = 0; port < switches[n]->port_count; port++)
            line(switches[n], &switches[n]->port[port], width);
    }
}
