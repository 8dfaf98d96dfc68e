/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a bundle says, checked. appliance/bundle fills it in from the blob; nothing here is hostile
 * any more, except the bytes of the images themselves. Pointers lead into the bundle, which stays.
 */
#ifndef APPLIANCE_CONFIG_H
#define APPLIANCE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "caldarium/caldarium.h"
#include "riscv/isa.h"

#define VM_MAX 64
#define VM_MAX_VCPUS CALD_MAX_VCPUS
#define VM_MAX_RANGES 16
#define VM_NAME_MAX 32

struct config_range {
    uint64_t base, size;
};

static inline bool config_overlap(struct config_range a, struct config_range b)
{
    return a.base < b.base + b.size && b.base < a.base + a.size;
}

/* A region that other VMs see too; the doorbell lies behind it. */
struct config_shared {
    const char *name;
    struct config_range range;
    unsigned irq;
};
#define VM_MAX_SHARED 4

struct config_image {
    const char *name; /* the node's name, for messages */
    const uint8_t *data;
    size_t size;
};

/* A virtio device: a node below the VM's. */
enum config_virtio_kind { CONFIG_VIRTIO_BLOCK, CONFIG_VIRTIO_ENTROPY, CONFIG_VIRTIO_NET };
struct config_virtio {
    const char *name; /* the node's */
    enum config_virtio_kind kind;
    bool legacy;               /* its registers are version 1 */
    struct config_image image; /* what the disk has at first */
    bool read_only;
    uint64_t copy_on_write; /* in its place: bytes of what is written that are kept */
    bool has_backend;       /* another VM serves it, */
    unsigned backend;       /* the one of this number in the bundle, */
    bool has_share;
    bool window;         /* which sees no more of the RAM than what is copied to it */
    const char *network; /* the name of a node of /networks, */
    uint32_t mtu;        /* and its frames' longest payload */
    bool has_mac, bridge;
    uint8_t mac[6];
};
#define VM_MAX_VIRTIO 8
#define SERVED_RANGES                                                                              \
    7U /* of the memory of a VM that another serves: a vhost-user message's 8, less the rings */
#define DRIVER_DEVICES 32U /* that a VM serves, at most */

enum config_on { ON_STOP, ON_RESTART, ON_PAUSE, ON_ROLLBACK };
enum config_schedule { SCHEDULE_SHARED, SCHEDULE_PINNED };
#define PRIORITY_MAX 31
#define PRIORITY_DEFAULT 16
#define BUDGET_MIN_US 100U
#define PERIOD_MIN_US 1000U
#define PERIOD_MAX_US 1000000U
enum config_engine { ENGINE_ANY, ENGINE_H, ENGINE_SHADOW };
enum config_console { CONSOLE_UART, CONSOLE_NONE, CONSOLE_VIRTIO };
enum config_irqchip { IRQCHIP_ANY, IRQCHIP_PLIC, IRQCHIP_APLIC, IRQCHIP_IMSIC };

struct vm_config {
    char name[VM_NAME_MAX];
    struct config_range memory[VM_MAX_RANGES];
    unsigned memory_ranges;
    unsigned vcpus;
    struct config_image kernel, ramdisk, fdt; /* size 0: none given */
    struct config_image state;                /* in their place: a saved VM that it goes on from */
    bool has_load_address, has_entry;
    uint64_t load_address, entry;
    const char *bootargs;         /* "" if none */
    uint64_t harts[VM_MAX_VCPUS]; /* hart ids as the board's tree numbers them */
    unsigned hart_count;          /* 0: any */
    enum config_schedule schedule;
    unsigned priority;             /* 0 .. PRIORITY_MAX, higher first */
    unsigned budget_us, period_us; /* of each vCPU, if shared; budget 0: no reservation */
    enum config_console console;
    bool pause_time_runs; /* guest time goes on while the VM is paused */
    bool getchar_zero;    /* the legacy getchar answers 0 when no byte is there, not -1 */
    uint8_t isa_disable[ISA_EXT_COUNT]; /* 1: hidden from this guest */
    const char *passthrough;            /* a string list of paths and aliases of the board's tree */
    size_t passthrough_bytes;
    enum config_engine engine;   /* as requested; the host decides before any VM starts */
    enum config_irqchip irqchip; /* likewise */
    bool direct_map;             /* RAM lies at the same address in the machine */
    bool unprotected_dma;        /* devices that no IOMMU confines are accepted */
    struct config_shared shared[VM_MAX_SHARED];
    unsigned shared_count;
    struct config_virtio virtio[VM_MAX_VIRTIO];
    unsigned virtio_count;
    bool served;     /* another VM serves a device, and has its RAM mapped */
    unsigned serves; /* so many devices of other VMs */
    bool autostart;
    enum config_on on_fault, on_reset;
    unsigned watchdog_ms;   /* 0: none */
    unsigned restart_limit; /* 0: no limit */
    bool refused; /* this VM's description is wrong: said once, with its reason in `reason` */
    char reason[120];
};

/* What is needed of the board to build guest trees and check bundles. Filled by the host.
 */
struct board {
    struct cald_machine *machine; /* of the library's */
    struct riscv_isa isa;         /* what all harts have, less what firmware keeps closed */
    struct riscv_isa isa_shadow;  /* the same as far as engine shadow can show it */
    uint64_t timebase;            /* Hz */
    unsigned cbom_block, cboz_block, cbop_block; /* bytes, 0: not given */
    /* 3, 4 or 5: Sv39, Sv48, Sv57 as a guest of engine h, or of engine shadow, can use them. */
    unsigned satp_levels, satp_levels_shadow;
    unsigned harts;       /* usable harts */
    unsigned irq_sources; /* its PLIC or APLIC has the sources 1..irq_sources; 0: there is none */
    unsigned imsic_ids;   /* identities 1..imsic_ids that a guest's interrupt file has */
    const void *fdt;      /* the board's own tree, whole and checked */
};
extern struct board board;

#endif
