/* SPDX-License-Identifier: BSD-2-Clause */
/* The boot hart's way from firmware to the first guest. */
#include <string.h>

#include "core/bundle/bundle.h"
#include "core/monitor/monitor.h"
#include "core/tree/tree.h"
#include "host/bare/board.h"
#include "host/bare/console.h"
#include "host/bare/device_irq.h"
#include "host/bare/firmware.h"
#include "host/bare/hart.h"
#include "host/bare/iommu.h"
#include "host/bare/layout.h"
#include "host/bare/machine.h"
#include "host/bare/pages.h"
#include "host/bare/paging.h"
#include "host/bare/pci.h"
#include "host/bare/vms.h"
#include "host/host.h"
#include "riscv/asm.h"

static struct uart uart;

#define MIB (1UL << 20)

/* Until the real tables exist, and where the board names no port, firmware prints for us. */
static void firmware_console(void)
{
    uart = (struct uart){.driver = &uart_sbi, .sbi = firmware_call};
    uart.sbi_byte_pa = image_object_pa((const void *)&uart.sbi_byte);
    uart.driver->init(&uart);
    console_init(&uart);
}

/* The port that stdout-path names, unless `console=sbi`. */
static void board_console(void)
{
    const struct board_tree *t = &board_tree;
    char option[8];
    if (board_option("console", option, sizeof(option)) && !strcmp(option, "sbi"))
        return;
    if (!t->uart_compatible)
        return;
    const struct uart_driver *driver =
        uart_find(t->uart_compatible, (size_t)t->uart_compatible_bytes);
    if (!driver) {
        host_error("board tree: no driver for the console's \"%s\"; firmware's is used",
                   t->uart_compatible);
        return;
    }
    struct uart port = {.driver = driver, .reg_shift = t->uart_shift, .reg_width = t->uart_width};
    port.base = paging_map_device(t->uart_base, t->uart_bytes);
    if (!port.base || !driver->init(&port)) {
        host_error("the console at %#lx can't be used; firmware's is", t->uart_base);
        return;
    }
    uart = port;
    console_init(&uart);
}

/* Adds [base, end) less everything that is in use, one reserved range after another. */
static void add_free(uint64_t base, uint64_t end, const struct ram_range *used, unsigned count)
{
    base = (base + HOST_PAGE_SIZE - 1) & ~(HOST_PAGE_SIZE - 1);
    end &= ~(HOST_PAGE_SIZE - 1);
    while (base < end) {
        uint64_t until = end, next = end;
        for (unsigned n = 0; n < count; n++) {
            uint64_t from = used[n].base & ~(HOST_PAGE_SIZE - 1);
            uint64_t to =
                (used[n].base + used[n].size + HOST_PAGE_SIZE - 1) & ~(HOST_PAGE_SIZE - 1);
            if (to <= base || from >= until)
                continue;
            until = from > base ? from : base;
            next = to;
        }
        if (until > base)
            pages_add(base, until - base);
        base = next;
    }
}

/* What is reserved or loaded, but for the image. */
static unsigned find_used(struct ram_range *used)
{
    struct board_tree *t = &board_tree;
    unsigned count = 0;
    for (unsigned n = 0; n < t->reserved_count; n++)
        used[count++] = t->reserved[n];
    used[count++] = (struct ram_range){t->fdt_pa, t->fdt_bytes};
    used[count++] = (struct ram_range){t->initrd_start, t->initrd_end - t->initrd_start};
    return count;
}

/* All RAM that the direct map reaches, less what is reserved, loaded, or firmware's. */
static void find_memory(void)
{
    struct board_tree *t = &board_tree;
    struct ram_range used[BOARD_RANGES + 4];
    unsigned count = find_used(used);
    used[count++] = (struct ram_range){image_pa(), image_size()};
    /* Firmware that reserves nothing in the tree sits below us all the same (RustSBI does). */
    for (unsigned n = 0; n < t->ram_count && !t->reserved_count; n++) {
        if (image_pa() - t->ram[n].base < t->ram[n].size)
            used[count++] = (struct ram_range){t->ram[n].base, image_pa() - t->ram[n].base};
    }
    for (unsigned n = 0; n < t->ram_count; n++) {
        struct ram_range *ram = &t->ram[n];
        uint64_t end = ram->base + ram->size;
        if (end > DIRECT_BYTES) {
            host_error("memory above %#lx is not used", DIRECT_BYTES);
            end = DIRECT_BYTES;
            ram->size = end > ram->base ? end - ram->base : 0;
        }
        add_free(ram->base, ram->base + ram->size, used, count);
    }
}

/* The real tables, and Caldarium at the top of RAM; where it was loaded is free then. */
static void settle(void)
{
    struct ram_range used[BOARD_RANGES + 4];
    uint64_t loaded = image_pa();
    paging_init(board_tree.ram, board_tree.ram_count);
    firmware_console();
    if (image_pa() != loaded)
        add_free(loaded, loaded + image_size(), used, find_used(used));
}

/* A word in bootargs that nobody reads would mislead the one who wrote it. */
static void check_options(void)
{
    static const char *const known[] = {"when-done=poweroff", "console=sbi", "colour=on",
                                        "colour=off",         "engine=h",    "engine=shadow"};
    const char *at = board_tree.bootargs;
    while (*(at += strspn(at, " "))) {
        size_t length = strcspn(at, " ");
        bool found = false;
        for (size_t n = 0; n < sizeof(known) / sizeof(*known); n++)
            found |= strlen(known[n]) == length && !strncmp(at, known[n], length);
        if (!found)
            host_error("board tree: option %.*s in /chosen/bootargs is unknown or not served yet",
                       (int)length, at);
        at += length;
    }
}

static void print_machine(void)
{
    char isa[400];
    isa_format_string(&board.isa, isa, sizeof(isa));
    host_print("harts    %u, boot hart id %lu, timebase %lu Hz", hart_count,
               harts[console_hart].board->id, board.timebase);
    host_print("isa      %s", isa);
    char engines[160];
    machine_describe_engines(engines, sizeof(engines));
    host_print("engine   %s", engines);
    host_print("memory   %lu MiB free, Caldarium %lu KiB at %#lx", host_pages_available() / MIB,
               image_size() >> 10, image_pa());
    host_print("irqchip  %s", board_tree.irqchip);
    host_print("console  %s", uart.driver->name);
    pci_print();
    iommu_print();
}

static void print_vms(void)
{
    for (unsigned n = 0; n < vm_count; n++) {
        const struct vm_config *config = vms[n].config;
        uint64_t bytes = 0;
        for (unsigned range = 0; range < config->memory_ranges; range++)
            bytes += config->memory[range].size;
        if (atomic_load(&vms[n].state) == VM_REFUSED)
            host_print("vm %u     %s: refused", n + 1, config->name);
        else
            host_print("vm %u     %s: %u vCPU%s, %lu MiB", n + 1, config->name, config->vcpus,
                       config->vcpus == 1 ? "" : "s", bytes / MIB);
    }
}

_Noreturn void boot_main(uint64_t hart_id, uint64_t fdt_pa);

void boot_main(uint64_t hart_id, uint64_t fdt_pa)
{
    firmware_console();
    board_read(fdt_pa);
    find_memory();
    settle();
    board_console();
    device_irq_init(&uart);
    char colour[8];
    if (board_option("colour", colour, sizeof(colour)))
        console_colour(!strcmp(colour, "on"));
    host_print("Caldarium, a hypervisor for RISC-V");
    check_options();
    bool engine = machine_find_engines();
    pci_init();
    iommu_init();
    harts_start(hart_id);
    if (!hart_count)
        host_panic("board tree: no usable hart; boot hart %lu is not among its cpus", hart_id);
    if (engine) {
        print_machine();
        vms_define(host_va(board_tree.initrd_start),
                   board_tree.initrd_end - board_tree.initrd_start);
    }
    print_vms();
    pages_seal();
    hart_join();
}
