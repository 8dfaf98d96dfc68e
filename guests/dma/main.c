/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that lets a device write where it should not, and one that watches its memory.
 *
 * `role=attack`: drives QEMU's edu device (its own page in QEMU's documentation: a buffer of 4 KiB
 * and a DMA engine between that and any address). First its own memory, which must work, then
 * `first=` and `second=`, `times=` each: reads there, and writes.
 * `role=messages`: has the device send `times=` MSIs, one after the other, and counts at its own
 * interrupt file those that came, that never came and that came twice.
 * `role=watch`: fills 64 KiB from `first=` on, looks whether they stay so, and tells when a key is
 * pressed.
 */
#include "guests/common/guest.h"
#include "guests/common/tree.h"

enum { COMMAND = 0x04, BAR0 = 0x10 };
enum { EDU_SOURCE = 0x80, EDU_TARGET = 0x88, EDU_COUNT = 0x90, EDU_GO = 0x98 };
#define EDU_ID 0x11e81234U
#define EDU_BUFFER 0x40000UL
#define EDU_TO_MEMORY 2U
#define BYTES 64UL
#define WATCHED 0x10000UL
#define MINE 0x1122334455667788UL
#define EVIL 0xeeeeeeeeeeeeeeeeUL

static volatile uint8_t *edu;
static volatile uint64_t buffer[BYTES / 8] __attribute__((aligned(64)));

static uint64_t now(void)
{
    return csr_read(0xc01);
}

static volatile uint8_t *edu_config;

static int find_edu(uint64_t tree)
{
    struct guest_node bridge;
    if (!guest_tree_find(tree, "pci-host-ecam-generic", 0, &bridge))
        return 0;
    for (uint64_t slot = 0; slot < 32; slot++) {
        volatile uint8_t *config = (volatile uint8_t *)(bridge.base + (slot << 15));
        if (*(volatile uint32_t *)config != EDU_ID)
            continue;
        *(volatile uint16_t *)(config + COMMAND) = 6; /* memory, bus master */
        edu_config = config;
        edu = (volatile uint8_t *)(uint64_t)(*(volatile uint32_t *)(config + BAR0) & ~15U);
        return 1;
    }
    return 0;
}

static void transfer(uint64_t from, uint64_t to, uint32_t direction)
{
    *(volatile uint64_t *)(edu + EDU_SOURCE) = from;
    *(volatile uint64_t *)(edu + EDU_TARGET) = to;
    *(volatile uint64_t *)(edu + EDU_COUNT) = BYTES;
    __asm__ volatile("fence iorw, iorw" ::: "memory");
    *(volatile uint32_t *)(edu + EDU_GO) = 1 | direction;
    uint64_t since = now();
    while (*(volatile uint32_t *)(edu + EDU_GO) & 1) {
        if (now() - since > 600000000) { /* a minute */
            guest_print("dma: the device does not end\n");
            guest_poweroff();
        }
    }
    __asm__ volatile("fence iorw, iorw" ::: "memory");
}

static void fill(uint64_t value)
{
    for (unsigned n = 0; n < BYTES / 8; n++)
        buffer[n] = value;
}

/* What the device reads there: it holds EVIL before, which stays if it is given nothing. */
static uint64_t read_by_device(uint64_t from)
{
    fill(EVIL);
    transfer((uint64_t)buffer, EDU_BUFFER, 0);
    transfer(from, EDU_BUFFER, 0);
    fill(0);
    transfer(EDU_BUFFER, (uint64_t)buffer, EDU_TO_MEMORY);
    return buffer[BYTES / 8 - 1];
}

static void write_by_device(uint64_t to)
{
    fill(EVIL);
    transfer((uint64_t)buffer, EDU_BUFFER, 0);
    transfer(EDU_BUFFER, to, EDU_TO_MEMORY);
}

static volatile uint64_t own[BYTES / 8] __attribute__((aligned(64)));

static void attack(uint64_t tree)
{
    const uint64_t targets[] = {guest_number(tree, "first", 0), guest_number(tree, "second", 0)};
    uint64_t times = guest_number(tree, "times", 1);
    if (!find_edu(tree)) {
        guest_print("dma: no edu device\n");
        return;
    }
    for (unsigned n = 0; n < BYTES / 8; n++)
        own[n] = MINE + n;
    uint64_t word = read_by_device((uint64_t)own);
    write_by_device((uint64_t)own);
    guest_print("dma: own memory: read %x, wrote %x\n", word, own[0]);
    for (unsigned n = 0; n < 2; n++) {
        for (uint64_t time = 0; targets[n] && time < times; time++) {
            word = read_by_device(targets[n]);
            write_by_device(targets[n]);
            guest_print("dma: %x: read %x\n", targets[n], word);
        }
    }
    guest_print("dma: done\n");
}

/* AIA 1.0, 3.8: the file's registers, reached through siselect and sireg. */
enum { EIDELIVERY = 0x70, EITHRESHOLD = 0x72, EIE0 = 0xc0 };
enum { CAPABILITIES = 0x34, CAP_MSI = 5, EDU_RAISE = 0x60, EDU_LOWER = 0x64 };
#define IDENTITY 5UL

static void file_set(uint64_t which, uint64_t value)
{
    csr_write(0x150, which);
    csr_write(0x151, value);
}

static uint64_t claim(void)
{
    uint64_t top;
    __asm__ volatile("csrrw %0, 0x15c, zero" : "=r"(top)::"memory");
    return top >> 16;
}

static void messages(uint64_t tree)
{
    struct guest_node files;
    uint64_t times = guest_number(tree, "times", 1000), came = 0, lost = 0, twice = 0;
    if (!find_edu(tree) || !guest_tree_find(tree, "riscv,imsics", 0, &files)) {
        guest_print("messages: no edu device, or no interrupt file\n");
        return;
    }
    unsigned at = edu_config[CAPABILITIES];
    while (at && edu_config[at] != CAP_MSI)
        at = edu_config[at + 1];
    if (!at) {
        guest_print("messages: no MSI capability\n");
        return;
    }
    file_set(EIE0, 1UL << IDENTITY);
    file_set(EITHRESHOLD, 0);
    file_set(EIDELIVERY, 1);
    csr_set(CSR_SIE, 1UL << 9); /* wakes from WFI; sstatus.SIE stays 0 */
    *(volatile uint32_t *)(edu_config + at + 4) = (uint32_t)files.base;
    *(volatile uint32_t *)(edu_config + at + 8) = 0;
    *(volatile uint16_t *)(edu_config + at + 12) = IDENTITY;
    *(volatile uint16_t *)(edu_config + at + 2) = 1;
    for (uint64_t n = 0; n < times; n++) {
        *(volatile uint32_t *)(edu + EDU_RAISE) = 1;
        uint64_t since = now(), id;
        while (!(id = claim()) && now() - since < 300000000) /* half a minute */
            if (now() - since > 1000)
                wait_for_interrupt();
        came += id == IDENTITY;
        lost += id != IDENTITY;
        *(volatile uint32_t *)(edu + EDU_LOWER) = 1;
        twice += claim() != 0;
    }
    guest_print("messages: %u came, %u lost, %u twice\n", came, lost, twice);
}

static void watch(uint64_t tree)
{
    volatile uint64_t *memory = (volatile uint64_t *)guest_number(tree, "first", 0);
    static uint8_t key;
    uint64_t rounds = 0, changed = 0;
    for (uint64_t n = 0; n < WATCHED / 8; n++)
        memory[n] = MINE;
    guest_print("watch: begins\n");
    for (;;) {
        for (uint64_t n = 0; n < WATCHED / 8; n++) {
            if (memory[n] != MINE && !changed)
                changed = (uint64_t)&memory[n];
        }
        rounds++;
        struct sbi_ret got = guest_sbi(SBI_EXT_DBCN, 1, 1, (uint64_t)&key, 0, 0);
        if (got.error || !got.value)
            continue;
        if (changed)
            guest_print("watch: changed at %x\n", changed);
        else
            guest_print("watch: unchanged in %u rounds\n", rounds);
        if (key == 'q')
            return;
    }
}

void guest_main(uint64_t hart, uint64_t tree);

void guest_main(uint64_t hart, uint64_t tree)
{
    (void)hart;
    if (guest_is(tree, "role", "watch"))
        watch(tree);
    else if (guest_is(tree, "role", "messages"))
        messages(tree);
    else
        attack(tree);
    if (guest_is(tree, "after", "wait")) {
        for (;;)
            wait_for_interrupt();
    }
    guest_poweroff();
}
