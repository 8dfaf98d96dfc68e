/* SPDX-License-Identifier: BSD-2-Clause */
/* The generated tree: QEMU virt's map, with what this VM has. Source: Devicetree specification 0.4;
 * Linux' bindings riscv/cpus.yaml, riscv/extensions.yaml, 8250.yaml. */
#include "appliance/tree/tree.h"

#include <libfdt.h>
#include <stdio.h>
#include <string.h>

#include "appliance/print.h"
#include "appliance/tree/edit.h"
#include "host/host.h"

#define SEED_BYTES 64

void tree_prop_reg(struct tree *t, int node, uint64_t base, uint64_t size)
{
    fdt64_t cells[2] = {cpu_to_fdt64(base), cpu_to_fdt64(size)};
    tree_prop(t, node, "reg", cells, sizeof(cells));
}

int tree_node(struct tree *t, int parent, const char *name)
{
    if (t->error)
        return -1;
    int node = fdt_add_subnode(t->fdt, parent, name);
    if (node < 0)
        t->error = node;
    host_may_yield();
    return node;
}

void tree_prop(struct tree *t, int node, const char *name, const void *value, int bytes)
{
    if (!t->error)
        t->error = fdt_setprop(t->fdt, node, name, value, bytes);
    host_may_yield();
}

void tree_string(struct tree *t, int node, const char *name, const char *value)
{
    tree_prop(t, node, name, value, (int)strlen(value) + 1);
}

void tree_u32(struct tree *t, int node, const char *name, uint32_t value)
{
    fdt32_t cell = cpu_to_fdt32(value);
    tree_prop(t, node, name, &cell, sizeof(cell));
}

/* libfdt puts a new subnode before its elder siblings, so lists are made from the last to the
 * first. */

static void add_uart(struct tree *t, int soc)
{
    int node = tree_node(t, soc, "serial@10000000");
    tree_interrupts(t, node, &(struct tree_irq){GUEST_UART_IRQ, TREE_HIGH}, 1);
    tree_u32(t, node, "clock-frequency", 3686400);
    tree_prop_reg(t, node, GUEST_UART_BASE, GUEST_UART_SIZE);
    tree_string(t, node, "compatible", "ns16550a");
}

static void add_soc(struct tree *t)
{
    int soc = tree_node(t, 0, "soc");
    tree_u32(t, soc, "#address-cells", 2);
    tree_u32(t, soc, "#size-cells", 2);
    tree_string(t, soc, "compatible", "simple-bus");
    tree_prop(t, soc, "ranges", NULL, 0);
    tree_add_irqchip(t, soc);
    if (t->vm->config->console == CONSOLE_UART)
        add_uart(t, soc);
    tree_add_devices(t, soc);
    tree_add_shared(t, soc);
    tree_add_virtio(t, soc);
    tree_add_driver(t, soc);
}

static void add_cpu_map(struct tree *t, int cpus)
{
    char name[16];
    int cluster = tree_node(t, tree_node(t, cpus, "cpu-map"), "cluster0");
    for (unsigned n = t->vm->config->vcpus; n-- > 0;) {
        snprintf(name, sizeof(name), "core%u", n);
        tree_u32(t, tree_node(t, cluster, name), "cpu", t->cpu + n);
    }
}

/* "riscv,isa-extensions": the same as the string, as a list. */
static void prop_isa_list(struct tree *t, int node, const struct riscv_isa *isa)
{
    char list[2048];
    size_t used = 0;
    for (unsigned ext = 0; ext < ISA_EXT_COUNT; ext++) {
        size_t length = strlen(isa_name(ext)) + 1;
        if (!isa_has(isa, ext) || used + length > sizeof(list))
            continue;
        memcpy(list + used, isa_name(ext), length);
        used += length;
    }
    tree_prop(t, node, "riscv,isa-extensions", list, (int)used);
}

static void add_cpu(struct tree *t, int cpus, unsigned n, const struct riscv_isa *isa)
{
    char text[1024];
    snprintf(text, sizeof(text), "cpu@%x", n);
    int cpu = tree_node(t, cpus, text);
    tree_u32(t, cpu, "phandle", t->cpu + n);
    unsigned levels =
        t->vm->config->engine == ENGINE_SHADOW ? board.satp_levels_shadow : board.satp_levels;
    snprintf(text, sizeof(text), "riscv,sv%u", 9 * levels + 12);
    tree_string(t, cpu, "mmu-type", text);
    isa_format_string(isa, text, sizeof(text));
    tree_string(t, cpu, "riscv,isa", text);
    prop_isa_list(t, cpu, isa);
    tree_string(t, cpu, "riscv,isa-base", "rv64i");
    if (isa_has(isa, ISA_ZICBOM) && board.cbom_block)
        tree_u32(t, cpu, "riscv,cbom-block-size", board.cbom_block);
    if (isa_has(isa, ISA_ZICBOZ) && board.cboz_block)
        tree_u32(t, cpu, "riscv,cboz-block-size", board.cboz_block);
    if (isa_has(isa, ISA_ZICBOP) && board.cbop_block)
        tree_u32(t, cpu, "riscv,cbop-block-size", board.cbop_block);
    tree_string(t, cpu, "compatible", "riscv");
    tree_string(t, cpu, "status", "okay");
    tree_u32(t, cpu, "reg", n);
    tree_string(t, cpu, "device_type", "cpu");
    int intc = tree_node(t, cpu, "interrupt-controller");
    tree_u32(t, intc, "phandle", t->intc[n]);
    tree_string(t, intc, "compatible", "riscv,cpu-intc");
    tree_prop(t, intc, "interrupt-controller", NULL, 0);
    tree_u32(t, intc, "#interrupt-cells", 1);
}

void tree_add_cpus(struct tree *t)
{
    struct riscv_isa isa;
    tree_guest_isa(t->vm->config, &isa);
    /* A write to stimecmp traps there, by way of the firmware, and costs several times what SBI's
     * set_timer does. The register is for kernels that don't ask; who asks is better off without.
     */
    if (t->vm->config->engine == ENGINE_SHADOW)
        isa_clear(&isa, ISA_SSTC);
    int cpus = tree_node(t, 0, "cpus");
    tree_u32(t, cpus, "timebase-frequency", (uint32_t)board.timebase);
    tree_u32(t, cpus, "#size-cells", 0);
    tree_u32(t, cpus, "#address-cells", 1);
    add_cpu_map(t, cpus);
    for (unsigned n = t->vm->config->vcpus; n-- > 0;)
        add_cpu(t, cpus, n, &isa);
}

void tree_add_memory(struct tree *t)
{
    const struct vm_config *config = t->vm->config;
    char name[32];
    for (unsigned n = config->memory_ranges; n-- > 0;) {
        snprintf(name, sizeof(name), "memory@%lx", config->memory[n].base);
        int node = tree_node(t, 0, name);
        tree_prop_reg(t, node, config->memory[n].base, config->memory[n].size);
        tree_string(t, node, "device_type", "memory");
    }
}

void tree_fill_chosen(struct tree *t, int chosen)
{
    const struct loaded *loaded = t->loaded;
    uint8_t seed[SEED_BYTES];
    host_random(seed, sizeof(seed));
    tree_prop(t, chosen, "rng-seed", seed, sizeof(seed));
    if (loaded->ramdisk_end > loaded->ramdisk_start) {
        fdt64_t start = cpu_to_fdt64(loaded->ramdisk_start),
                end = cpu_to_fdt64(loaded->ramdisk_end);
        tree_prop(t, chosen, "linux,initrd-end", &end, sizeof(end));
        tree_prop(t, chosen, "linux,initrd-start", &start, sizeof(start));
    }
    if (passthrough_has_pci(t->vm))
        tree_u32(t, chosen, "linux,pci-probe-only", 1); /* BARs stay where they are */
    if (*t->vm->config->bootargs || !t->vm->config->fdt.size)
        tree_string(t, chosen, "bootargs", t->vm->config->bootargs);
}

static void generate(struct tree *t, size_t size)
{
    t->error = fdt_create_empty_tree(t->fdt, (int)size);
    t->cpu = TREE_PHANDLE_CPU;
    for (unsigned n = 0; n < t->vm->config->vcpus; n++)
        t->intc[n] = TREE_PHANDLE_INTC + n;
    tree_u32(t, 0, "#address-cells", 2);
    tree_u32(t, 0, "#size-cells", 2);
    tree_string(t, 0, "compatible", "riscv-virtio");
    tree_string(t, 0, "model", "caldarium,vm");
    add_soc(t);
    tree_add_cpus(t);
    tree_add_windows(t, 0);
    tree_add_memory(t);
    tree_add_reserved(t);
    int chosen = tree_node(t, 0, "chosen");
    if (t->vm->config->console == CONSOLE_UART) {
        tree_string(t, chosen, "stdout-path", "/soc/serial@10000000");
        int aliases = tree_node(t, 0, "aliases");
        tree_string(t, aliases, "serial0", "/soc/serial@10000000");
        chosen = fdt_path_offset(t->fdt, "/chosen"); /* a new sibling moved it */
    }
    tree_fill_chosen(t, chosen);
}

/* What a tree has besides its vCPUs; and a vCPU's nodes without the names of its extensions, which
 * are there twice. */
#define OTHERS_BYTES 32768UL
#define LEAST_BYTES 65536UL
#define CPU_BYTES 1024UL

size_t tree_room(const struct vm_config *config)
{
    struct riscv_isa isa;
    size_t cpu = CPU_BYTES;
    tree_guest_isa(config, &isa);
    for (unsigned ext = 0; ext < ISA_EXT_COUNT; ext++) {
        if (isa_has(&isa, ext))
            cpu += 2 * (strlen(isa_name(ext)) + 1);
    }
    size_t room = OTHERS_BYTES + config->fdt.size + config->vcpus * cpu;
    room = (room + HOST_PAGE_SIZE - 1) & ~(HOST_PAGE_SIZE - 1);
    return room > LEAST_BYTES ? room : LEAST_BYTES;
}

size_t tree_build(const struct vm *vm, const struct loaded *loaded, void *out, size_t size)
{
    struct tree t = {.vm = vm, .loaded = loaded, .fdt = out};
    if (vm->config->fdt.size)
        tree_edit(&t, size);
    else
        generate(&t, size);
    if (!t.error)
        t.error = fdt_pack(out);
    if (t.error) {
        vm_error(vm->config->name, "property %s: %s (the tree has room for %zu KiB)",
                 vm->config->fdt.size ? "fdt" : "vcpus", fdt_strerror(t.error), size >> 10);
        return 0;
    }
    return fdt_totalsize(out);
}
