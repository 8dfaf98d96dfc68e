/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tree that EFI has becomes the one that firmware would have handed over: /chosen names the
 * bundle and the options, and memory is what EFI's map leaves to us. Tables that the firmware still
 * uses and its reserved regions are no memory then (UEFI 2.10, 7.2.6, GetMemoryMap()).
 */
#include <libfdt.h>
#include <string.h>

#include "appliance/tree/blob.h"
#include "host/efi/efi.h"

#define ROOM 0x4000 /* for what is added; a range of memory takes 16 bytes */

static const void *find_tree(const struct efi *efi)
{
    /* EFI_DTB_TABLE_GUID: Devicetree, in UEFI 2.10, 4.6.1. */
    static const struct efi_guid guid = {
        0xb1b621d5, 0xf19c, 0x41a5, {0x83, 0x0b, 0xd9, 0x15, 0x2c, 0x69, 0xaa, 0xe0}};
    for (uint64_t n = 0; n < efi->system->table_count; n++) {
        if (!memcmp(&efi->system->tables[n].guid, &guid, sizeof(guid)))
            return efi->system->tables[n].table;
    }
    return NULL;
}

/* The protocol is the newer way: RISC-V UEFI Protocol Specification 1.0. */
static efi_status find_boot_hart(struct efi *efi, const void *fdt)
{
    static const struct efi_guid guid = {
        0xccd15fec, 0x6f73, 0x4eec, {0x83, 0x95, 0x3e, 0x69, 0xe4, 0xb9, 0x40, 0xbf}};
    struct efi_riscv_boot *protocol;
    if (!efi->boot->locate_protocol(&guid, NULL, (void **)&protocol) &&
        !protocol->get_boot_hart(protocol, &efi->hart))
        return EFI_SUCCESS;
    int bytes;
    const fdt32_t *id = fdt_getprop(fdt, fdt_path_offset(fdt, "/chosen"), "boot-hartid", &bytes);
    if (!id || (bytes != 4 && bytes != 8)) {
        efi_say(efi, "the firmware does not tell its boot hart: neither RISCV_EFI_BOOT_PROTOCOL "
                     "nor /chosen/boot-hartid is there");
        return EFI_UNSUPPORTED;
    }
    efi->hart = fdt32_to_cpu(id[0]);
    if (bytes == 8)
        efi->hart = efi->hart << 32 | fdt32_to_cpu(id[1]);
    return EFI_SUCCESS;
}

/* An initrd that is there already stays where EFI has none: an old GRUB hands it over so. */
static int fill_chosen(const struct efi *efi, void *fdt)
{
    int chosen = fdt_path_offset(fdt, "/chosen");
    if (chosen == -FDT_ERR_NOTFOUND)
        chosen = fdt_add_subnode(fdt, 0, "chosen");
    if (chosen < 0)
        return chosen;
    int error = fdt_setprop_empty(fdt, chosen, "caldarium,memory-from-efi"); /* for board.c */
    if (!error && *efi->options)
        error = fdt_setprop_string(fdt, chosen, "bootargs", efi->options);
    if (!error && efi->bundle_bytes)
        error = fdt_setprop_u64(fdt, chosen, "linux,initrd-start", efi->bundle.address);
    if (!error && efi->bundle_bytes)
        error = fdt_setprop_u64(fdt, chosen, "linux,initrd-end",
                                efi->bundle.address + efi->bundle_bytes);
    return error;
}

static int find_memory(const void *fdt)
{
    return fdt_node_offset_by_prop_value(fdt, -1, "device_type", "memory", sizeof("memory"));
}

/* EFI's map has all of it. */
static int drop_memory(void *fdt)
{
    int node, error = 0;
    while (!error && (node = find_memory(fdt)) >= 0)
        error = fdt_del_node(fdt, node);
    while (!error && fdt_num_mem_rsv(fdt) > 0)
        error = fdt_del_mem_rsv(fdt, 0);
    if (error)
        return error;
    node = fdt_add_subnode(fdt, 0, "memory");
    return node < 0 ? node : fdt_setprop_string(fdt, node, "device_type", "memory");
}

efi_status efi_copy_tree(struct efi *efi)
{
    const void *from = find_tree(efi);
    if (!from) {
        efi_say(efi, "the firmware gives no device tree, and ACPI alone is not enough (on QEMU's "
                     "virt: -M virt,acpi=off)");
        return EFI_UNSUPPORTED;
    }
    uint64_t bytes = fdt_check_header(from) ? 0 : fdt_totalsize(from);
    if (!bytes || tree_blob_check(from, bytes)) {
        efi_say(efi, "the firmware's device tree is damaged");
        return EFI_LOAD_ERROR;
    }
    efi_status status = find_boot_hart(efi, from);
    if (!status)
        status = efi_take(efi, &efi->tree, bytes + ROOM, "the device tree");
    if (status)
        return status;
    void *fdt = (void *)efi->tree.address;
    int error = fdt_open_into(from, fdt, (int)(bytes + ROOM));
    if (!error)
        error = drop_memory(fdt);
    if (!error)
        error = fill_chosen(efi, fdt);
    if (error) {
        efi_say(efi, "the device tree can't be filled in: error %u of libfdt", (uint64_t)-error);
        return EFI_LOAD_ERROR;
    }
    return EFI_SUCCESS;
}

static bool is_ours(const struct efi_memory *entry)
{
    if (!entry->pages || entry->pages > (UINT64_MAX - entry->start) / EFI_PAGE_SIZE)
        return false;
    switch (entry->type) {
    case EFI_LOADER_CODE:
    case EFI_LOADER_DATA:
    case EFI_BOOT_SERVICES_CODE:
    case EFI_BOOT_SERVICES_DATA:
    case EFI_CONVENTIONAL:
        return !(entry->attribute & EFI_MEMORY_SP);
    }
    return false;
}

/* The lowest entry from `start` on: the map is in no order that could be relied on. */
static const struct efi_memory *next_entry(const struct efi *efi, uint64_t map_bytes,
                                           uint64_t entry_bytes, uint64_t start)
{
    const struct efi_memory *next = NULL;
    for (uint64_t at = 0; at + entry_bytes <= map_bytes; at += entry_bytes) {
        const struct efi_memory *entry = (const void *)(efi->map.address + at);
        if (is_ours(entry) && entry->start >= start && (!next || entry->start < next->start))
            next = entry;
    }
    return next;
}

/* Neighbours are one range: the map has an entry for each thing that was ever taken. */
efi_status efi_set_memory(struct efi *efi, uint64_t map_bytes, uint64_t entry_bytes)
{
    void *fdt = (void *)efi->tree.address;
    int node = find_memory(fdt), error = 0;
    fdt_delprop(fdt, node, "reg");
    const struct efi_memory *entry = next_entry(efi, map_bytes, entry_bytes, 0);
    if (!entry) {
        efi_say(efi, "the memory map has nothing that is left to us");
        return EFI_OUT_OF_RESOURCES;
    }
    while (entry && !error) {
        uint64_t start = entry->start, end = start;
        while (entry && entry->start == end) {
            end += entry->pages * EFI_PAGE_SIZE;
            entry = next_entry(efi, map_bytes, entry_bytes, end);
        }
        error = fdt_appendprop_addrrange(fdt, 0, node, "reg", start, end - start);
    }
    if (error)
        efi_say(efi, "the memory map can't be put into the device tree: error %u of libfdt",
                (uint64_t)-error);
    return error ? EFI_LOAD_ERROR : EFI_SUCCESS;
}
