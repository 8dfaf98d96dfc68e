/* SPDX-License-Identifier: BSD-2-Clause */
/* The boot hart's way from firmware to the first guest. */
#include <string.h>

#include "appliance/bundle/bundle.h"
#include "appliance/monitor/monitor.h"
#include "appliance/tree/tree.h"
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
#include "host/bare/random.h"
#include "host/bare/vms.h"
#include "host/bare/version.h"
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
    const struct uart_driver *driver = t->uart_driver;
    if (!driver)
        return;
    struct uart port = {.driver = driver, .reg_shift = t->uart_shift, .reg_width = t->uart_width};
    port.base = paging_map_device(t->uart_base, t->uart_bytes);
    if (!port.base || !driver->init(&port)) {
        host_error("the console at %#lx can't be used; firmware's is", t->uart_base);
        return;
    }
    uart = port;
    console_init(&uart);
}

/* Where the image was loaded: below it may be firmware. */
static uint64_t loaded_at;

/* EFI's map of memory leaves out what is the firmware's. */
static struct ram_range firmware_below(void)
{
    const struct board_tree *t = &board_tree;
    if (t->memory_from_efi)
        return (struct ram_range){0};
    return ram_firmware(t->ram, t->ram_count, t->reserved, t->reserved_count, loaded_at);
}

/* What is not ours to give, or loaded, but for the image. At most USED_RANGES. */
#define USED_RANGES (BOARD_RESERVED + 4)

static unsigned find_used(struct ram_range *used)
{
    const struct board_tree *t = &board_tree;
    unsigned count = 0;
    for (unsigned n = 0; n < t->reserved_count; n++)
        used[count++] = t->reserved[n];
    used[count++] = (struct ram_range){t->fdt_pa, t->fdt_bytes};
    used[count++] = (struct ram_range){t->initrd_start, t->initrd_end - t->initrd_start};
    used[count++] = firmware_below();
    return count;
}

/* The pages from the run's first one on that are memory: a tree may tell of more than is there, or
 * of what M-mode keeps to itself. */
static uint64_t answering_pages(const struct ram_range *run)
{
    uint8_t *first = host_va(run->base);
    uint64_t good = 0, bad = run->size / HOST_PAGE_SIZE; /* of the numbers of pages from `first` */
    if (!memory_answers(first))
        return 0;
    if (memory_answers(first + (bad - 1) * HOST_PAGE_SIZE))
        return bad;
    while (bad - good > 1) {
        uint64_t middle = good + (bad - good) / 2;
        if (memory_answers(first + middle * HOST_PAGE_SIZE))
            good = middle;
        else
            bad = middle;
    }
    return bad;
}

static void add_run(const struct ram_range *run)
{
    uint64_t bytes = answering_pages(run) * HOST_PAGE_SIZE;
    if (bytes < run->size)
        host_error("board tree: memory from %#lx to %#lx does not answer; it is left out",
                   run->base + bytes, run->base + run->size - 1);
    if (bytes)
        pages_add(run->base, bytes);
}

/* Gives what of [base, base + size) is RAM and not in use. */
static void add_free(struct ram_range range, const struct ram_range *used, unsigned count)
{
    for (unsigned n = 0; n < board_tree.ram_count; n++) {
        const struct ram_range *ram = &board_tree.ram[n];
        uint64_t at = ram->base, end = ram->base + ram->size;
        struct ram_range run;
        at = range.base > at ? range.base : at;
        end = range.base + range.size < end ? range.base + range.size : end;
        while (ram_next_free(used, count, &at, end, &run))
            add_run(&run);
    }
}

/* All RAM that we reach, less what is reserved, loaded, or firmware's. */
static void find_memory(void)
{
    struct board_tree *t = &board_tree;
    struct ram_range used[USED_RANGES];
    loaded_at = image_pa();
    t->ram_count = ram_tidy(t->ram, t->ram_count);
    struct ram_range firmware = firmware_below();
    paging_reach(t->ram, &t->ram_count);
    unsigned count = find_used(used);
    used[count++] = (struct ram_range){loaded_at, image_size()};
    add_free((struct ram_range){0, RAM_LIMIT}, used, count);
    if (firmware.size)
        host_print("memory   %#lx to %#lx is taken to be firmware's: the board's tree reserves "
                   "nothing where it begins",
                   firmware.base, firmware.base + firmware.size - 1);
}

/* The real tables, and Caldarium at the top of RAM; where it was loaded is free then. */
static void settle(void)
{
    const struct board_tree *t = &board_tree;
    struct ram_range used[USED_RANGES];
    unsigned count = find_used(used);
    struct paging_map map = {t->ram,
                             used,
                             t->ram_count,
                             count,
                             {t->fdt_pa, t->fdt_bytes},
                             {t->initrd_start, t->initrd_end - t->initrd_start}};
    paging_init(&map);
    firmware_console();
    if (image_pa() != loaded_at)
        add_free((struct ram_range){loaded_at, image_size()}, used, count);
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
    random_begin();
    find_memory();
    settle();
    board_console();
    device_irq_init(&uart);
    char colour[8];
    if (board_option("colour", colour, sizeof(colour)))
        console_colour(!strcmp(colour, "on"));
    host_print("Caldarium " CALDARIUM_VERSION ", a hypervisor for RISC-V");
    check_options();
    if (!board.timebase)
        panic("board tree: no timebase-frequency");
    bool engine = machine_find_engines();
    pci_init();
    iommu_init();
    harts_start(hart_id);
    if (!hart_count)
        panic("board tree: no usable hart; boot hart %lu is not among its cpus", hart_id);
    if (engine) {
        print_machine();
        const void *bundle = paging_bundle();
        vms_define(bundle, bundle ? board_tree.initrd_end - board_tree.initrd_start : 0);
    }
    print_vms();
    machine_warn_of_firmware();
    pages_seal();
    hart_join();
}
