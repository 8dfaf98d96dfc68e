/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A kernel image: the bytes themselves, or an ELF file, a Linux Image or a self-extracting one
 * whose fields the input gives, with a ramdisk and a load address or without. What lies where
 * afterwards is looked at.
 */
#include "tests/fuzz/guests.h"

#include "appliance/load/load.h"
#include "appliance/tree/tree.h"
#include "tests/unit/guests.h"

#define MIB 8
#define FILE_BYTES 6000

static uint8_t room[FILE_BYTES];

static void put(size_t at, uint64_t value, unsigned bytes)
{
    memcpy(room + at, &value, bytes);
}

/* A number near one that matters: an address in RAM, the file's end. */
static uint64_t near(struct input *in, uint64_t base)
{
    unsigned what = (unsigned)input_number(in, 1);
    if (what & 1)
        return base + (what & 2 ? input_number(in, 3) : what >> 2);
    if (what & 2)
        return input_number(in, 8);
    return base - (what >> 2);
}

static size_t make_elf(struct input *in)
{
    unsigned count = (unsigned)input_number(in, 1) % 6;
    size_t bytes = 64 + 56 * 6 + input_number(in, 2) % 4096;
    memcpy(room, "\177ELF\2\1\1", 7);
    put(18, 243, 2);
    put(24, near(in, 0xffffffff80000000), 8);
    put(32, input_number(in, 1) & 15 ? 64 : near(in, bytes), 8);
    put(54, input_number(in, 1) & 15 ? 56 : input_number(in, 2), 2);
    put(56, count, 2);
    for (unsigned n = 0; n < count; n++) {
        size_t at = 64 + 56 * n;
        put(at, input_number(in, 1) & 15 ? 1 : 2, 4);
        put(at + 8, input_number(in, 1) & 3 ? input_number(in, 1) : near(in, bytes), 8);
        put(at + 16, near(in, 0xffffffff80000000), 8);
        put(at + 24, near(in, GUEST_RAM), 8);
        put(at + 32, input_number(in, 1) & 3 ? input_number(in, 1) : near(in, bytes), 8);
        put(at + 40, near(in, 0x1000), 8);
    }
    return bytes;
}

static size_t make_linux(struct input *in)
{
    size_t bytes = 64 + input_number(in, 2) % 4096;
    put(0, input_number(in, 1) & 1 ? 0x5a4d : 0x6f, 4);
    put(8, near(in, 0x200000), 8);
    put(16, near(in, 0x10000), 8);
    put(24, input_number(in, 1) & 15 ? 0 : 1, 8);
    memcpy(room + 56, "RSC\x05", 4);
    put(60, near(in, 64), 4);
    memcpy(room + 64, "PE\0\0", 4);
    put(64 + 6, input_number(in, 1), 2);
    put(64 + 20, near(in, 0), 2);
    return bytes;
}

static size_t make_zboot(struct input *in)
{
    size_t bytes = 64 + input_number(in, 2) % 4096;
    memcpy(room, "MZ\0\0zimg", 8);
    put(8, near(in, 64), 4);
    put(12, near(in, bytes - 64), 4);
    memcpy(room + 24, input_number(in, 1) & 15 ? "gzip" : "zstd", 5);
    memcpy(room + 64, "\x1f\x8b\x08", 3);
    return bytes;
}

static size_t make_file(struct input *in)
{
    static size_t (*const makers[])(struct input * in) = {make_elf, make_linux, make_zboot};
    unsigned kind = (unsigned)input_number(in, 1) & 3;
    memset(room, 0, sizeof(room));
    size_t bytes = kind < 3 ? makers[kind](in) : 0;
    if (kind == 3)
        bytes = in->left;
    for (size_t n = kind == 3 ? 0 : 400; n < bytes && in->left; n++)
        room[n] ^= (uint8_t)input_number(in, 1);
    if (!bytes) /* a bundle has none that is empty */
        return 1;
    return bytes < sizeof(room) ? bytes : sizeof(room);
}

static bool apart(uint64_t start, uint64_t end, uint64_t other, uint64_t other_end)
{
    return start >= other_end || other >= end;
}

static void holds(const struct loaded *at)
{
    uint64_t tree_end = at->fdt + tree_room(&guest_config);
    REQUIRE(!(at->entry & 1) && cald_vm_is_ram(guest, at->entry, 2));
    REQUIRE(at->kernel_end > at->kernel_start && at->kernel_start >= GUEST_RAM &&
            at->kernel_end <= GUEST_RAM + MIB * GUEST_MIB);
    REQUIRE(at->fdt % 8 == 0 && cald_vm_is_ram(guest, at->fdt, tree_room(&guest_config)));
    REQUIRE(apart(at->kernel_start, at->kernel_end, at->fdt, tree_end));
    if (at->ramdisk_start == at->ramdisk_end)
        return;
    REQUIRE(cald_vm_is_ram(guest, at->ramdisk_start, at->ramdisk_end - at->ramdisk_start));
    REQUIRE(apart(at->ramdisk_start, at->ramdisk_end, at->kernel_start, at->kernel_end));
    REQUIRE(apart(at->ramdisk_start, at->ramdisk_end, at->fdt, tree_end));
    REQUIRE(!memcmp(cald_vm_ram(guest, at->ramdisk_start, 1), guest_config.ramdisk.data, 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static uint8_t ramdisk[0x3000] = {0xd1};
    static bool made;
    struct input in = {data, bytes};
    struct loaded loaded;
    if (!made) { /* once: what stays in its RAM changes nothing */
        guest_describe(MIB);
        REQUIRE(!memory_take(&guest_vm));
        made = true;
    }
    uint64_t taken = sim_pages_taken;
    unsigned what = (unsigned)input_number(&in, 1);
    guest_config.ramdisk = (struct config_image){"disk", ramdisk, what & 1 ? sizeof(ramdisk) : 0};
    guest_config.has_load_address = what & 2;
    guest_config.load_address = what & 2 ? near(&in, GUEST_RAM) : 0;
    guest_config.has_entry = what & 4;
    guest_config.entry = what & 4 ? near(&in, GUEST_RAM) : 0;
    bytes = make_file(&in);
    uint8_t *file = malloc(bytes ? bytes : 1); /* to the byte */
    memcpy(file, room, bytes);
    guest_config.kernel = (struct config_image){"linux", file, bytes};
    sim_errors = 0;
    sim_message_bytes = 0;
    if (load_images(&guest_vm, &loaded))
        holds(&loaded);
    else
        REQUIRE(sim_errors == 1);
    REQUIRE(sim_pages_taken == taken);
    free(file);
    return 0;
}
