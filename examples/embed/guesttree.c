/* SPDX-License-Identifier: BSD-2-Clause */
/* The tree that the guest gets: harts, memory, a PLIC, a serial port, our counter, its ramdisk. */
#include "guest.h"

#include <libfdt.h>
#include <stdio.h>
#include <string.h>

enum { PLIC_PHANDLE = 1, INTC_PHANDLE = 16 };
#define PLIC_SIZE 0x600000UL
#define S_EXTERNAL 9
#define M_EXTERNAL 11

/* libfdt's sequential writer; after an error all that follows does nothing. */
static void *fdt;
static int error;

static void check(int result)
{
    if (!error)
        error = result;
}

static void begin(const char *name)
{
    check(error ? error : fdt_begin_node(fdt, name));
}

static void end(void)
{
    check(error ? error : fdt_end_node(fdt));
}

static void bytes(const char *name, const void *value, int size)
{
    check(error ? error : fdt_property(fdt, name, value, size));
}

static void text(const char *name, const char *value)
{
    bytes(name, value, (int)strlen(value) + 1);
}

static void number(const char *name, uint32_t value)
{
    fdt32_t cell = cpu_to_fdt32(value);
    bytes(name, &cell, 4);
}

static void wide(const char *name, uint64_t value)
{
    fdt64_t cell = cpu_to_fdt64(value);
    bytes(name, &cell, 8);
}

static void reg(uint64_t base, uint64_t size)
{
    fdt64_t pair[2] = {cpu_to_fdt64(base), cpu_to_fdt64(size)};
    bytes("reg", pair, 16);
}

/* What is the same for our harts and the guest's: the cache blocks' sizes. */
static void copy(const char *name)
{
    int size;
    const void *value = fdt_getprop(board.tree, board.cpu, name, &size);
    if (value)
        bytes(name, value, size);
}

static void cpu(const struct guest *guest, unsigned n)
{
    static char isa[2048];
    char name[16];
    if (cald_vm_isa(guest->vm, isa, sizeof(isa)) >= sizeof(isa))
        check(-FDT_ERR_NOSPACE);
    snprintf(name, sizeof(name), "cpu@%x", n);
    begin(name);
    text("device_type", "cpu");
    text("compatible", "riscv");
    text("status", "okay");
    number("reg", n);
    text("riscv,isa", isa);
    snprintf(name, sizeof(name), "riscv,sv%u", 12 + 9 * guest_levels);
    text("mmu-type", name);
    copy("riscv,cbom-block-size");
    copy("riscv,cboz-block-size");
    copy("riscv,cbop-block-size");
    begin("interrupt-controller");
    text("compatible", "riscv,cpu-intc");
    bytes("interrupt-controller", NULL, 0);
    number("#interrupt-cells", 1);
    number("phandle", INTC_PHANDLE + n);
    end();
    end();
}

static void plic(const struct guest *guest)
{
    static const char compatible[] = "sifive,plic-1.0.0\0riscv,plic0";
    fdt32_t contexts[4 * GUEST_VCPUS]; /* two for each hart; M-mode's is never used */
    for (unsigned n = 0; n < guest->vcpus; n++) {
        contexts[4 * n] = contexts[4 * n + 2] = cpu_to_fdt32(INTC_PHANDLE + n);
        contexts[4 * n + 1] = cpu_to_fdt32(M_EXTERNAL);
        contexts[4 * n + 3] = cpu_to_fdt32(S_EXTERNAL);
    }
    begin("plic@c000000");
    bytes("compatible", compatible, sizeof(compatible));
    bytes("interrupt-controller", NULL, 0);
    number("#interrupt-cells", 1);
    number("#address-cells", 0);
    reg(GUEST_PLIC, PLIC_SIZE);
    number("riscv,ndev", GUEST_SOURCES);
    bytes("interrupts-extended", contexts, (int)(16 * guest->vcpus));
    number("phandle", PLIC_PHANDLE);
    end();
}

static void devices(const struct guest *guest)
{
    begin("soc");
    number("#address-cells", 2);
    number("#size-cells", 2);
    text("compatible", "simple-bus");
    bytes("ranges", NULL, 0);
    plic(guest);
    begin("serial@10000000");
    text("compatible", "ns16550a");
    reg(GUEST_UART, 0x100);
    number("clock-frequency", 3686400);
    number("interrupts", GUEST_UART_IRQ);
    number("interrupt-parent", PLIC_PHANDLE);
    end();
    begin("counter@10010000");
    text("compatible", "caldarium,embed-counter");
    reg(GUEST_COUNTER, PAGE);
    end();
    end();
}

static void chosen(const struct guest *guest, uint64_t ramdisk)
{
    uint64_t seed[4] = {now() * 0x9e3779b97f4a7c15, now(), pages_free(), ramdisk};
    begin("chosen");
    text("bootargs", guest->bootargs);
    text("stdout-path", "/soc/serial@10000000");
    bytes("rng-seed", seed, sizeof(seed));
    if (guest->ramdisk.bytes) {
        wide("linux,initrd-start", ramdisk);
        wide("linux,initrd-end", ramdisk + guest->ramdisk.bytes);
    }
    end();
}

uint64_t guest_tree(const struct guest *guest, uint64_t ramdisk, void *out, uint64_t room)
{
    fdt = out;
    error = fdt_create(out, (int)room);
    check(error ? error : fdt_finish_reservemap(out));
    begin("");
    number("#address-cells", 2);
    number("#size-cells", 2);
    text("compatible", "riscv-virtio");
    text("model", "caldarium,embed");
    begin("cpus");
    number("#address-cells", 1);
    number("#size-cells", 0);
    number("timebase-frequency", (uint32_t)board.timebase);
    for (unsigned n = 0; n < guest->vcpus; n++)
        cpu(guest, n);
    end();
    begin("memory");
    text("device_type", "memory");
    reg(guest->base, guest->bytes);
    end();
    devices(guest);
    chosen(guest, ramdisk);
    end();
    check(error ? error : fdt_finish(out));
    if (error)
        print("vm %s: its tree: %s", guest->name, fdt_strerror(error));
    return error ? 0 : fdt_totalsize(out);
}
