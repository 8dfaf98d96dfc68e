/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A saved VM from elsewhere: an image of this one, of which numbers are changed where the input
 * says, or its length, with a checksum that is right or not. What is not refused is then used as a
 * guest and its host would. What is refused has changed nothing.
 */
#include "tests/fuzz/guests.h"

#include "tests/unit/state_guest.h"

#include "appliance/saved/format.h"
#include "appliance/saved/saved.h"

static uint8_t *image;
static uint64_t image_bytes;
static const uint64_t mark = 0x6b72616d;

static void set_word(uint64_t at, uint64_t value)
{
    REQUIRE(vm_write(guest, GUEST_RAM + at, &value, sizeof(value)));
}

/* Once: something everywhere, and saved. */
static void make(void)
{
    describe(IRQCHIP_PLIC, 1);
    uart_connect();
    set_word(0, 1);
    set_word(0x5008, 2);
    set_word(GUEST_MIB - 8, 3);
    guest_vcpus[1].eng.gpr[7] = 77;
    guest_vcpus[1].eng.s.satp = 9UL << 60 | 5;
    vectors[3][17] = 9;
    atomic_store(&guest_vcpus[2].hsm, SBI_HSM_SUSPENDED);
    atomic_store(&guest_vcpus[0].mailbox, MAIL_SOFT);
    guest_vcpus[0].pmu.snapshot = GUEST_RAM + 0x1000;
    plic_write(&guest->plic, 4 * 10, 4, 5);
    ns16550a_write(&guest->uart, 7, 1, 0x5a);
    ns16550a_receive(&guest->uart, 'a');
    REQUIRE(saved_take(&guest_vm) == SAVED_DONE);
    image_bytes = saved_bytes(&guest_vm);
    image = malloc(image_bytes);
    memcpy(image, guest_vm.saved.image, image_bytes);
}

static uint64_t value_of(struct input *in)
{
    unsigned what = (unsigned)input_number(in, 1);
    switch (what & 3) {
    case 0:
        return what >> 2;
    case 1:
        return UINT64_MAX - (what >> 2);
    case 2:
        return GUEST_RAM + (input_number(in, 3) & ~7UL);
    default:
        return input_number(in, 8);
    }
}

/* One change: of the header, of an item, of a page's place, or anywhere. */
static void change(struct input *in, uint8_t *copy, const struct saved_parts *parts, uint32_t items)
{
    unsigned what = (unsigned)input_number(in, 1);
    uint64_t at, n = input_number(in, 2), value = value_of(in), bytes = what & 4 ? 8 : 4;
    switch (what & 3) {
    case 0:
        at = n % (sizeof(struct saved_header) / 4) * 4;
        break;
    case 1: /* vCPU and item in one, or the value */
        at = parts->items + n % items * sizeof(struct saved_item) + (what & 8);
        bytes = what & 8 ? 8 : 4;
        if (what & 0x10 && !(what & 8)) { /* another item near it */
            at += 4;
            value = (copy[at] | (uint32_t)copy[at + 1] << 8 | (uint32_t)copy[at + 2] << 16 |
                     (uint32_t)copy[at + 3] << 24) ^
                    (1U << (value & 31));
        }
        break;
    case 2:
        at = parts->places + n % 8 * 8;
        break;
    default:
        at = n * 4 % (image_bytes - 8);
        break;
    }
    memcpy(copy + at, &value, bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input in = {data, bytes};
    struct saved_header header;
    struct saved_parts parts;
    if (!image)
        make();
    random_state = 0x9e3779b97f4a7c15;
    memcpy(&header, image, sizeof(header));
    REQUIRE(saved_parts(&header, &parts));
    unsigned what = (unsigned)input_number(&in, 1);
    uint64_t length = what & 1 ? image_bytes : input_number(&in, 3) % (image_bytes + 1);
    uint8_t *room = malloc(image_bytes + 4), *copy = room + 4; /* as in a bundle: four bytes off */
    memcpy(copy, image, image_bytes);
    for (unsigned n = what >> 1 & 15; n; n--)
        change(&in, copy, &parts, header.items);
    if (what & 0x20 && length > SAVED_SUMMED_FROM) {
        uint64_t sum = saved_sum(0, copy + SAVED_SUMMED_FROM, (length - SAVED_SUMMED_FROM) & ~7UL);
        memcpy(copy + 24, &sum, sizeof(sum));
    }
    uint8_t *end = malloc(length + 4); /* to the byte */
    memcpy(end + 4, copy, length);
    free(room);
    guest_config.state = (struct config_image){"saved", end + 4, length};
    set_word(0x8008, mark);
    guest_vcpus[1].eng.gpr[9] = mark;
    enum saved_result result = saved_load(&guest_vm);
    if (result == SAVED_REFUSED) {
        uint64_t word;
        REQUIRE(vm_read(guest, GUEST_RAM + 0x8008, &word, 8) && word == mark);
        REQUIRE(guest_vcpus[1].eng.gpr[9] == mark);
    }
    REQUIRE(memchr(guest_vm.saved.said, 0, sizeof(guest_vm.saved.said)));
    use_everything();
    free(end);
    return 0;
}
