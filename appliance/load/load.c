/* SPDX-License-Identifier: BSD-2-Clause */
/* Ramdisk and tree, and the order in which everything is placed. */
#include "appliance/load/load.h"

#include <stddef.h>
#include <string.h>

#include "appliance/load/kernel.h"
#include "appliance/print.h"
#include "appliance/tree/tree.h"
#include "host/host.h"

#define ALIGN_UP(value, align) (((value) + (align)-1) & ~((align)-1))
#define TREE_ALIGN 0x200000UL

bool load_bytes(struct vm *vm, uint64_t gpa, const uint8_t *from, uint64_t bytes)
{
    while (bytes) {
        /* A chunk boundary inside an image is rare; halve until a run is found. */
        uint64_t part = bytes < HOST_YIELD_BYTES ? bytes : HOST_YIELD_BYTES;
        uint8_t *to;
        while (!(to = cald_vm_ram(vm->cald, gpa, part))) {
            part /= 2;
            if (!part)
                return false;
        }
        memcpy(to, from, part);
        host_may_yield();
        gpa += part;
        from += part;
        bytes -= part;
    }
    return true;
}

/*
 * The tree goes to the end of the first RAM range, out of the kernel's way. The ramdisk goes half
 * of the RAM behind the kernel's start, at most 512 MiB, as QEMU and boot loaders do it: in a small
 * RAM a Linux whose CMA area is as large as half of it finds no unbroken room for it then, and does
 * without; with the ramdisk at the end it would find it and have too little left. Where that place
 * is too small, or the kernel lies elsewhere, the ramdisk goes to the end too, below the tree.
 */
#define RAMDISK_FARTHEST 0x20000000UL

static uint64_t ramdisk_start(const struct vm *vm, const struct loaded *out, uint64_t end)
{
    const struct config_range *ram = &vm->config->memory[0];
    uint64_t half = ram->size / 2 < RAMDISK_FARTHEST ? ram->size / 2 : RAMDISK_FARTHEST;
    uint64_t start = ALIGN_UP(out->kernel_start + half, HOST_PAGE_SIZE);
    uint64_t size = vm->config->ramdisk.size;
    if (out->kernel_start >= ram->base && start >= out->kernel_end && start < end &&
        size <= end - start)
        return start;
    start = (end - size) & ~(HOST_PAGE_SIZE - 1);
    return start < out->kernel_end ? ALIGN_UP(out->kernel_end, HOST_PAGE_SIZE) : start;
}

static bool place_ramdisk(struct vm *vm, struct loaded *out, uint64_t end)
{
    const struct config_image *image = &vm->config->ramdisk;
    out->ramdisk_start = out->ramdisk_end = 0;
    if (!image->size)
        return true;
    uint64_t room = end - ALIGN_UP(out->kernel_end, HOST_PAGE_SIZE);
    if (out->kernel_end >= end || image->size > room) {
        vm_error(vm->config->name,
                 "property ramdisk: image %s is %zu bytes; %lu bytes of RAM are left beside the "
                 "kernel",
                 image->name, image->size, out->kernel_end >= end ? 0 : room);
        return false;
    }
    out->ramdisk_start = ramdisk_start(vm, out, end);
    out->ramdisk_end = out->ramdisk_start + image->size;
    return load_bytes(vm, out->ramdisk_start, image->data, image->size);
}

bool load_images(struct vm *vm, struct loaded *out)
{
    const struct config_range *ram = &vm->config->memory[0];
    if (!load_kernel(vm, out))
        return false;
    uint64_t end = ram->base + ram->size, bytes = tree_room(vm->config);
    if (bytes > TREE_MAX_BYTES) {
        vm_error(vm->config->name, "property fdt: a tree of %lu KiB; it may have %lu KiB",
                 bytes >> 10, TREE_MAX_BYTES >> 10);
        return false;
    }
    uint64_t fdt = ram->size > bytes ? (end - bytes) & ~(TREE_ALIGN - 1) : 0;
    /* A small RAM may have no 2 MiB boundary to spare; 8-byte alignment is all that is required. */
    if (fdt < ram->base || fdt < out->kernel_end)
        fdt = (end - bytes) & ~(HOST_PAGE_SIZE - 1);
    if (ram->size <= bytes || fdt < out->kernel_end) {
        /* The kernel may lie in another range than the first. */
        bool elsewhere = out->kernel_start >= end || out->kernel_end <= ram->base;
        if (!elsewhere || ram->size <= bytes) {
            vm_error(vm->config->name,
                     "property memory: the kernel leaves no room for a device tree of %lu KiB",
                     bytes >> 10);
            return false;
        }
    }
    out->fdt = fdt;
    if (!place_ramdisk(vm, out, fdt))
        return false;
    void *room = cald_vm_ram(vm->cald, fdt, bytes);
    if (!room) {
        vm_error(vm->config->name, "property memory: no unbroken RAM for the device tree at %#lx",
                 fdt);
        return false;
    }
    return tree_build(vm, out, room, bytes) != 0;
}
