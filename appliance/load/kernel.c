/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux Image (Linux, Documentation/arch/riscv/boot-image-header.rst), ELF (System V ABI, 64-bit)
 * or flat binary. All three come from outside: lengths and addresses are checked before use.
 */
#include "appliance/load/kernel.h"

#include <string.h>

#include "appliance/load/gzip.h"
#include "appliance/print.h"
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

static bool load_linux(struct vm *vm, const struct config_image *image, struct loaded *out)
{
    const struct vm_config *config = vm->config;
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
        !cald_vm_is_ram(vm->cald, out->kernel_start, memory))
        return refuse(vm, "with its bss it needs more RAM than there is behind its start; bytes",
                      memory);
    out->entry = out->kernel_start;
    return load_bytes(vm, out->kernel_start, image->data, image->size);
}

#define ELF_HEADER 64
#define ELF_SEGMENT 56
#define PT_LOAD 1
#define EM_RISCV 243

static bool load_segment(struct vm *vm, const struct config_image *image, struct loaded *out,
                         const uint8_t *segment, uint64_t elf_entry)
{
    uint64_t offset = read_le(segment + 8, 8), va = read_le(segment + 16, 8);
    uint64_t pa = read_le(segment + 24, 8), in_file = read_le(segment + 32, 8);
    uint64_t in_memory = read_le(segment + 40, 8);
    if (!in_memory)
        return true;
    if (in_file > in_memory || offset > image->size || in_file > image->size - offset)
        return refuse(vm, "an ELF segment lies beyond the end of the file, at offset", offset);
    if (pa + in_memory < pa || !cald_vm_is_ram(vm->cald, pa, in_memory))
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

static bool load_elf(struct vm *vm, const struct config_image *image, struct loaded *out)
{
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
        if (read_le(segment, 4) == PT_LOAD && !load_segment(vm, image, out, segment, entry))
            return false;
    }
    if (!out->kernel_end)
        return refuse(vm, "it has no ELF segment to load; segments", count);
    return true;
}

static bool load_flat(struct vm *vm, const struct config_image *image, struct loaded *out)
{
    const struct vm_config *config = vm->config;
    uint64_t start =
        config->has_load_address ? config->load_address : config->memory[0].base + MIB2;
    out->kernel_start = start;
    out->kernel_end = start + image->size;
    out->entry = start;
    if (!cald_vm_is_ram(vm->cald, start, image->size))
        return refuse(vm, "it does not fit into the VM's memory at its load address", start);
    return load_bytes(vm, start, image->data, image->size);
}

/*
 * EFI's self-extracting image (Linux's zboot-header.S): "MZ", "zimg", where the payload begins and
 * its bytes, and how it is compressed, as a string before the magic at 56.
 */
#define ZBOOT_HEADER 64
#define ZBOOT_TYPE 24
#define ZBOOT_TYPE_BYTES 32

static bool refuse_packed(const struct vm *vm, const char *how)
{
    vm_error(vm->config->name,
             "property kernel: image %s: it is compressed with %.32s; gzip alone is unpacked",
             vm->config->kernel.name, how);
    return false;
}

/* What is compressed within the image, or all of it. False: not as we can unpack it. */
static bool find_packed(const struct vm *vm, struct config_image *packed)
{
    static const struct {
        const char *name, *magic;
        size_t bytes;
    } others[] = {{"zstd", "\x28\xb5\x2f\xfd", 4},
                  {"xz",
                   "\xfd"
                   "7zXZ",
                   5},
                  {"bzip2", "BZh", 3},
                  {"lz4", "\x02\x21\x4c\x18", 4},
                  {"lz4", "\x04\x22\x4d\x18", 4},
                  {"lzo", "\x89LZO", 4},
                  {"lzma", "\x5d\0\0", 3}};
    const struct config_image *image = &vm->config->kernel;
    *packed = (struct config_image){image->name, NULL, 0};
    if (gzip_is(image->data, image->size))
        *packed = *image;
    for (unsigned n = 0; n < sizeof(others) / sizeof(*others); n++) {
        if (image->size > others[n].bytes && !memcmp(image->data, others[n].magic, others[n].bytes))
            return refuse_packed(vm, others[n].name);
    }
    if (image->size < ZBOOT_HEADER || memcmp(image->data, "MZ", 2) ||
        memcmp(image->data + 4, "zimg", 4))
        return true;
    uint64_t start = read_le(image->data + 8, 4), bytes = read_le(image->data + 12, 4);
    const char *type = (const char *)image->data + ZBOOT_TYPE;
    if (strncmp(type, "gzip", ZBOOT_TYPE_BYTES))
        return refuse_packed(vm, type);
    if (start > image->size || bytes > image->size - start)
        return refuse(vm, "it is cut short: its payload ends at byte", start + bytes);
    *packed = (struct config_image){image->name, image->data + start, bytes};
    return gzip_is(packed->data, packed->size) ||
           refuse(vm, "it is damaged: no gzip where its header says, at byte", start);
}

static uint64_t all_memory(const struct vm_config *config)
{
    uint64_t sum = 0;
    for (unsigned n = 0; n < config->memory_ranges; n++)
        sum += config->memory[n].size;
    return sum;
}

/* Takes memory for what is unpacked; image->data is NULL if that fails, after one line. */
static bool unpack(const struct vm *vm, const struct config_image *packed,
                   struct config_image *image)
{
    uint64_t size = gzip_size(packed->data, packed->size);
    if (!size || size > all_memory(vm->config))
        return refuse(vm, "unpacked it is larger than the VM's memory, or nothing; bytes", size);
    uint8_t *room = host_pages_alloc(size, HOST_PAGE_SIZE);
    if (!room)
        return refuse(vm, "no memory is left to unpack it; bytes", size);
    const char *wrong = gzip_unpack(packed->data, packed->size, room, size);
    if (!wrong) {
        *image = (struct config_image){packed->name, room, size};
        return true;
    }
    host_pages_free(room, size);
    vm_error(vm->config->name, "property kernel: image %s: gzip: %s", packed->name, wrong);
    return false;
}

static bool load_image(struct vm *vm, const struct config_image *image, struct loaded *out)
{
    if (image->size >= 4 && !memcmp(image->data, "\177ELF", 4))
        return load_elf(vm, image, out);
    if (image->size >= 64 && !memcmp(image->data + 56, "RSC\x05", 4))
        return load_linux(vm, image, out);
    return load_flat(vm, image, out);
}

/* While it loads, what is unpacked takes free memory of the machine besides the VM's own. */
static bool load_packed(struct vm *vm, const struct config_image *packed, struct loaded *out)
{
    struct config_image image;
    if (!unpack(vm, packed, &image))
        return false;
    bool ok = load_image(vm, &image, out);
    host_pages_free((void *)image.data, image.size);
    return ok;
}

bool load_kernel(struct vm *vm, struct loaded *out)
{
    const struct vm_config *config = vm->config;
    struct config_image packed;
    if (!find_packed(vm, &packed))
        return false;
    bool ok = packed.data ? load_packed(vm, &packed, out) : load_image(vm, &config->kernel, out);
    if (ok && config->has_entry)
        out->entry = config->entry;
    if (ok && (out->entry & 1 || !cald_vm_is_ram(vm->cald, out->entry, 2))) {
        vm_error(config->name, "property %s: the entry %#lx is not in the VM's memory",
                 config->has_entry ? "entry" : "kernel", out->entry);
        return false;
    }
    return ok;
}
