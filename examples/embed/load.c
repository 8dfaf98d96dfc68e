/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's kernel, ramdisk and tree into its memory. A kernel is a Linux Image (whose header
 * says where it goes), an ELF64, or a flat binary, which goes 2 MiB above the start of RAM. */
#include "guest.h"

#include <string.h>

#define TREE_ROOM 65536UL

struct image_header { /* Linux, Documentation/arch/riscv/boot-image-header.rst */
    uint32_t code[2];
    uint64_t text_offset, image_size, flags;
    uint32_t version, reserved1;
    uint64_t reserved2, magic;
    uint32_t magic2, reserved3;
};
#define IMAGE_MAGIC2 0x05435352 /* "RSC\5" */

struct elf_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum;
};
struct elf_program {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
#define ELF_LOAD 1

static bool load_elf(struct guest *guest, const struct elf_header *elf)
{
    const uint8_t *file = guest->kernel.data;
    uint64_t bytes = guest->kernel.bytes, size = sizeof(struct elf_program);
    for (unsigned n = 0; n < elf->phnum; n++) {
        struct elf_program part;
        if (elf->phoff > bytes || bytes - elf->phoff < (n + 1) * size)
            return false;
        memcpy(&part, file + elf->phoff + n * size, size);
        if (part.type != ELF_LOAD)
            continue;
        if (part.offset > bytes || part.filesz > bytes - part.offset ||
            !guest_write(guest, part.paddr, file + part.offset, part.filesz))
            return false;
    }
    guest->entry = elf->entry;
    return true;
}

static bool load_kernel(struct guest *guest)
{
    const uint8_t *file = guest->kernel.data;
    struct image_header image;
    struct elf_header elf;
    memcpy(&image, file, sizeof(image));
    memcpy(&elf, file, sizeof(elf));
    if (!memcmp(elf.ident, "\177ELF\2\1", 6))
        return load_elf(guest, &elf);
    guest->entry = guest->base + (image.magic2 == IMAGE_MAGIC2 ? image.text_offset : 2 * MIB);
    return guest_write(guest, guest->entry, file, guest->kernel.bytes);
}

bool guest_load(struct guest *guest)
{
    uint64_t end = guest->base + guest->bytes - TREE_ROOM;
    uint64_t ramdisk = (end - guest->ramdisk.bytes) & ~(PAGE - 1);
    void *tree = pages_take(TREE_ROOM, PAGE);
    uint64_t bytes = tree ? guest_tree(guest, ramdisk, tree, TREE_ROOM) : 0;
    bool good = bytes && guest->ramdisk.bytes < guest->bytes / 2 && load_kernel(guest) &&
                guest_write(guest, ramdisk, guest->ramdisk.data, guest->ramdisk.bytes) &&
                guest_write(guest, end, tree, bytes);
    guest->tree = end;
    pages_give(tree, TREE_ROOM);
    if (!good)
        print("vm %s: its images don't fit its memory, or are damaged, or no memory is free",
              guest->name);
    return good;
}
