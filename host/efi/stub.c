/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The image as an EFI application: it collects what other loaders hand over in registers and in the
 * tree, ends boot services, and goes on at `boot` (start.S) in a copy of itself at a 2 MiB
 * boundary.
 */
#include <stdarg.h>
#include <string.h>

#include "host/efi/efi.h"

extern char image_start[], data_end[], image_end[], boot[];

#define ALIGN 0x200000UL /* start.S */

/* The console wants UTF-16, in short pieces. */
static void put(const struct efi *efi, const char *text)
{
    efi_char piece[64];
    while (*text) {
        unsigned n = 0;
        while (*text && n < 63)
            piece[n++] = (uint8_t)*text++;
        piece[n] = 0;
        efi->system->console_out->output_string(efi->system->console_out, piece);
    }
}

static void put_number(const struct efi *efi, uint64_t number)
{
    char digits[21];
    unsigned at = sizeof(digits) - 1;
    digits[at] = 0;
    do
        digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    put(efi, &digits[at]);
}

void efi_say(const struct efi *efi, const char *text, ...)
{
    if (!efi->system->console_out)
        return;
    va_list args;
    va_start(args, text);
    put(efi, "caldarium: EFI: ");
    for (; *text; text++) {
        if (*text != '%') {
            put(efi, (const char[]){*text, 0});
            continue;
        }
        if (*++text == 's')
            put(efi, va_arg(args, const char *));
        else
            put_number(efi, va_arg(args, uint64_t));
    }
    va_end(args);
    put(efi, "\r\n");
}

efi_status efi_take(const struct efi *efi, struct efi_block *block, uint64_t bytes,
                    const char *what)
{
    uint64_t pages = bytes / EFI_PAGE_SIZE + !!(bytes % EFI_PAGE_SIZE);
    uint64_t address = 0;
    efi_status status =
        efi->boot->allocate_pages(EFI_ALLOCATE_ANY, EFI_LOADER_DATA, pages, &address);
    if (status) {
        efi_say(efi, "no memory for %s: %u KiB are not to be had in one piece", what,
                pages * (EFI_PAGE_SIZE / 1024));
        return EFI_OUT_OF_RESOURCES;
    }
    *block = (struct efi_block){address, pages};
    return EFI_SUCCESS;
}

static void give_back(const struct efi *efi, const struct efi_block *block)
{
    if (block->pages)
        efi->boot->free_pages(block->address, block->pages);
}

/* Where the image goes; EFI put it at any page. */
static uint64_t home(const struct efi *efi)
{
    return (efi->home.address + ALIGN - 1) & ~(ALIGN - 1);
}

/* Room for the map as it will be when the last block has been taken, and some more. */
static efi_status take_map(struct efi *efi)
{
    uint64_t bytes = 0, key, entry = sizeof(struct efi_memory);
    uint32_t version;
    efi_status status = efi->boot->get_memory_map(&bytes, NULL, &key, &entry, &version);
    if (status != EFI_BUFFER_TOO_SMALL || entry < sizeof(struct efi_memory) || bytes > 1UL << 24) {
        efi_say(efi, "the firmware gives no memory map that can be used");
        return EFI_LOAD_ERROR;
    }
    return efi_take(efi, &efi->map, bytes + 32 * entry, "the memory map");
}

/* From the map on nothing may be taken, or the map is another one: then once more. */
static efi_status end_boot_services(struct efi *efi)
{
    for (unsigned tries = 0; tries < 4; tries++) {
        uint64_t bytes = efi->map.pages * EFI_PAGE_SIZE, key, entry = 0;
        uint32_t version;
        if (efi->boot->get_memory_map(&bytes, (struct efi_memory *)efi->map.address, &key, &entry,
                                      &version) ||
            entry < sizeof(struct efi_memory))
            break;
        efi_status status = efi_set_memory(efi, bytes, entry);
        if (status)
            return status;
        if (!efi->boot->exit_boot_services(efi->image, key))
            return EFI_SUCCESS;
    }
    efi_say(efi, "the firmware does not end its boot services");
    return EFI_LOAD_ERROR;
}

static efi_status prepare(struct efi *efi)
{
    static const struct efi_guid loaded_image = {
        0x5b1b31a1, 0x9562, 0x11d2, {0x8e, 0x3f, 0, 0xa0, 0xc9, 0x69, 0x72, 0x3b}};
    if (efi->boot->handle_protocol(efi->image, &loaded_image, (void **)&efi->loaded)) {
        efi_say(efi, "the loader tells nothing of the image that it loaded");
        return EFI_UNSUPPORTED;
    }
    efi_status status = efi_read_options(efi);
    if (!status)
        status = efi_load_bundle(efi);
    if (!status)
        status = efi_copy_tree(efi);
    if (!status)
        status = efi_take(efi, &efi->home, (uint64_t)(image_end - image_start) + ALIGN,
                          "Caldarium itself");
    if (!status)
        status = take_map(efi);
    if (!status)
        status = end_boot_services(efi);
    return status;
}

efi_status efi_start(efi_handle image, struct efi_system *system)
{
    struct efi efi;
    memset(&efi, 0, sizeof(efi));
    efi.image = image;
    efi.system = system;
    efi.boot = system->boot;
    efi_status status = prepare(&efi);
    if (status) {
        give_back(&efi, &efi.bundle);
        give_back(&efi, &efi.tree);
        give_back(&efi, &efi.map);
        give_back(&efi, &efi.home);
        return status;
    }
    /* The rest of the header's page need not be there (U-Boot leaves it out); nothing uses it. */
    memcpy((void *)home(&efi), image_start, (size_t)(data_end - image_start));
    efi_enter(efi.hart, efi.tree.address, home(&efi) + (uint64_t)(boot - image_start));
}
