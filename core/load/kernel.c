/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux Image (Linux, Documentation/arch/riscv/boot-image-header.rst), ELF (System V ABI, 64-bit)
 * or flat binary. All three come from outside: lengths and addresses are checked before use.
 */
#include "core/load/kernel.h"

#include <string.h>

#include "core/print.h"
#include "host/host.h"

#define MIB2 0x200000UL

static uint64_t read_le(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;
    while (bytes--)
        value = value << 8 | at[bytes];
    return value;
}

static bool refuse(const struct vm *vm, const char *what, uint64_t number)
{
    vm_error(vm->config->name, "property kernel: image %s: %s (%#lx)", vm->config->kernel.name,
             what, number);
    return false;
}

/*
 * A Linux Image is a PE file too, and there the table of sections tells how long the file has to
 * be: the only way to see that one was cut short.
 */
static bool whole_pe(const struct vm *vm, const struct config_image *image)
{
    uint64_t pe = read_le(image->data + 60, 4);
    if (memcmp(image->data, "MZ", 2) || !pe)
        return true;
    if (pe + 24 > image->size || memcmp(image->data + pe, "PE\0\0", 4))
        return refuse(vm, "it is cut short: no PE header where its own header says", pe);
    uint64_t sections = read_le(image->data + pe + 6, 2);
    uint64_t table = pe + 24 + read_le(image->data + pe + 20, 2);
    if (table + 40 * sections > image->size)
        return refuse(vm, "it is cut short inside its section table, at byte", image->size);
    for (uint64_t n = 0; n < sections; n++) {
        const uint8_t *section = image->data + table + 40 * n;
        uint64_t end = read_le(section + 16, 4) + read_le(section + 20, 4);
        if (end > image->size)
            return refuse(vm, "it is cut short: a section ends beyond the file, at byte", end);
    }
    return true;
}

static bool load_linux(struct vm *vm, struct loaded *out)
{
    const struct vm_config *config = vm->config;
    const struct config_image *image = &config->kernel;
    uint64_t offset = read_le(image->data + 8, 8), memory = read_le(image->data + 16, 8);
    if (read_le(image->data + 24, 8) & 1)
        return refuse(vm, "it is big-endian, by its header's flags", 1);
    if (!whole_pe(vm, image))
        return false;
    if (memory < image->size)
        memory = image->size;
    uint64_t base = (config->memory[0].base + MIB2 - 1) & ~(MIB2 - 1);
    out->kernel_start = config->has_load_address ? config->load_address : base + offset;
    out->kernel_end = out->kernel_start + memory;
    if (out->kernel_end < out->kernel_start || memory > UINT32_MAX ||
        !vm_is_ram(vm, out->kernel_start, memory))
        return refuse(vm, "with its bss it needs more RAM than there is behind its start; bytes",
                      memory);
    out->entry = out->kernel_start;
    return load_bytes(vm, out->kernel_start, image->data, image->size);
}

#define ELF_HEADER 64
#define ELF_SEGMENT 56
#define PT_LOAD 1
#define EM_RISCV 243

static bool load_segment(struct vm *vm, struct loaded *out, const uint8_t *segment,
                         uint64_t elf_entry)
{
    const struct config_image *image = &vm->config->kernel;
    uint64_t offset = read_le(segment + 8, 8), va = read_le(segment + 16, 8);
    uint64_t pa = read_le(segment + 24, 8), in_file = read_le(segment + 32, 8);
    uint64_t in_memory = read_le(segment + 40, 8);
    if (!in_memory)
        return true;
    if (in_file > in_memory || offset > image->size || in_file > image->size - offset)
        return refuse(vm, "an ELF segment lies beyond the end of the file, at offset", offset);
    if (pa + in_memory < pa || !vm_is_ram(vm, pa, in_memory))
        return refuse(vm, "an ELF segment lies outside the VM's memory, at", pa);
    if (pa < out->kernel_start)
        out->kernel_start = pa;
    if (pa + in_memory > out->kernel_end)
        out->kernel_end = pa + in_memory;
    /* The entry is a virtual address; the segment it lies in tells where that is in memory. */
    if (elf_entry - va < in_memory)
        out->entry = elf_entry - va + pa;
    return load_bytes(vm, pa, image->data + offset, in_file);
}

static bool load_elf(struct vm *vm, struct loaded *out)
{
    const struct config_image *image = &vm->config->kernel;
    const uint8_t *h = image->data;
    if (image->size < ELF_HEADER)
        return refuse(vm, "it is cut short inside its ELF header, at byte", image->size);
    if (h[4] != 2 || h[5] != 1 || read_le(h + 18, 2) != EM_RISCV)
        return refuse(vm, "it is no 64-bit little-endian RISC-V ELF; machine", read_le(h + 18, 2));
    uint64_t entry = read_le(h + 24, 8), table = read_le(h + 32, 8);
    uint64_t size = read_le(h + 54, 2), count = read_le(h + 56, 2);
    if (size < ELF_SEGMENT || table > image->size || count * size > image->size - table)
        return refuse(vm, "its ELF program headers lie beyond the end of the file, at", table);
    out->kernel_start = UINT64_MAX;
    out->kernel_end = 0;
    out->entry = entry;
    for (uint64_t n = 0; n < count; n++) {
        const uint8_t *segment = h + table + n * size;
        if (read_le(segment, 4) == PT_LOAD && !load_segment(vm, out, segment, entry))
            return false;
    }
    if (!out->kernel_end)
        return refuse(vm, "it has no ELF segment to load; segments", count);
    return true;
}

static bool load_flat(struct vm *vm, struct loaded *out)
{
    const struct vm_config *config = vm->config;
    uint64_t start =
        config->has_load_address ? config->load_address : config->memory[0].base + MIB2;
    out->kernel_start = start;
    out->kernel_end = start + config->kernel.size;
    out->entry = start;
    if (!vm_is_ram(vm, start, config->kernel.size))
        return refuse(vm, "it does not fit into the VM's memory at its load address", start);
    return load_bytes(vm, start, config->kernel.data, config->kernel.size);
}

bool load_kernel(struct vm *vm, struct loaded *out)
{
    const struct vm_config *config = vm->config;
    const struct config_image *image = &config->kernel;
    bool ok;
    if (image->size >= 4 && !memcmp(image->data, "\177ELF", 4))
        ok = load_elf(vm, out);
    else if (image->size >= 64 && !memcmp(image->data + 56, "RSC\x05", 4))
        ok = load_linux(vm, out);
    else
        ok = load_flat(vm, out);
    if (ok && config->has_entry)
        out->entry = config->entry;
    if (ok && (out->entry & 1 || !vm_is_ram(vm, out->entry, 2))) {
        vm_error(config->name, "property %s: the entry %#lx is not in the VM's memory",
                 config->has_entry ? "entry" : "kernel", out->entry);
        return false;
    }
    return ok;
}
