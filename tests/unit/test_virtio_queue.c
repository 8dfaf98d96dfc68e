/* SPDX-License-Identifier: BSD-2-Clause */
/* The split virtqueue: what it takes and gives, when it tells, and every way to lie to it. */
#include "tests/unit/virtio_driver.h"

#define MIB 4
#define END (GUEST_RAM + MIB * GUEST_MIB)

static struct virtio_queue queue;
static struct virtio_chain chain;

static void begin(bool indirect, bool events)
{
    struct virtio_ring ring = driver_ring();
    assert_null(virtio_ring_check(guest, &ring));
    virtio_queue_begin(&queue, &ring, indirect, events);
}

static int set_up(void **state)
{
    (void)state;
    guest_describe(MIB);
    assert_int_equal(memory_take(&guest_vm), 0);
    memset(&queue, 0, sizeof(queue));
    queue.vm = guest;
    begin(true, true);
    return 0;
}

static void single_words(void **state)
{
    (void)state;
    uint64_t value;
    static const struct {
        uint32_t width;
        uint64_t value;
    } good[] = {{2, 0x8001}, {4, 0x80000001}, {8, 0x8000000000000001}};
    for (unsigned n = 0; n < 3; n++) {
        driver_poke(DRIVER_DATA, UINT64_MAX, 8);
        assert_int_equal(cald_vm_store(guest, DRIVER_DATA, good[n].width, good[n].value), CALD_OK);
        assert_int_equal(cald_vm_load(guest, DRIVER_DATA, good[n].width, &value), CALD_OK);
        assert_int_equal(value, good[n].value);
        uint64_t beyond = good[n].width == 8 ? 0 : UINT64_MAX << 8 * good[n].width;
        assert_int_equal(driver_peek(DRIVER_DATA, 8), good[n].value | beyond);
        assert_int_equal(cald_vm_load(guest, DRIVER_DATA + 1, good[n].width, &value), CALD_EINVAL);
        assert_int_equal(cald_vm_store(guest, END, good[n].width, 0), CALD_EFAULT);
    }
    assert_int_equal(cald_vm_load(guest, DRIVER_DATA, 1, &value), CALD_EINVAL);
    assert_int_equal(cald_vm_load(guest, DRIVER_DATA, 16, &value), CALD_EINVAL);
    assert_int_equal(cald_vm_slot(guest, 0, GUEST_RAM, MIB * GUEST_MIB, guest_vm.ram[0].host,
                                  CALD_SLOT_READ_ONLY | CALD_SLOT_PRIVATE),
                     CALD_OK);
    assert_int_equal(cald_vm_store(guest, DRIVER_DATA, 8, 0), CALD_EFAULT);
    assert_int_equal(cald_vm_load(guest, DRIVER_DATA, 8, &value), CALD_OK);
}

static void a_chain(void **state)
{
    (void)state;
    char text[16];
    driver_desc(3, DRIVER_DATA, 5, D_NEXT, 1);
    driver_desc(1, DRIVER_DATA + 0x1000, 0, D_NEXT, 7); /* nothing, which is no harm */
    driver_desc(7, DRIVER_DATA + 0x2000, 3, D_NEXT, 0);
    driver_desc(0, DRIVER_DATA + 0x3000, 4, D_NEXT | D_WRITE, 2);
    driver_desc(2, DRIVER_DATA + 0x4000, 4, D_WRITE, 0);
    assert_int_equal(cald_vm_write(guest, DRIVER_DATA, "hello", 5), CALD_OK);
    assert_int_equal(cald_vm_write(guest, DRIVER_DATA + 0x2000, "you", 3), CALD_OK);
    assert_int_equal(virtio_take(&queue, &chain), VIRTIO_NONE);
    driver_add(3);
    assert_int_equal(virtio_take(&queue, &chain), VIRTIO_TAKEN);
    assert_int_equal(chain.parts, 5);
    assert_int_equal(chain.readable, 3);
    assert_int_equal(chain.in_left, 8);
    assert_int_equal(chain.out_left, 8);
    assert_true(virtio_get(&chain, text, 6));
    assert_memory_equal(text, "helloy", 6);
    assert_true(virtio_get(&chain, text, 2));
    assert_memory_equal(text, "ou", 2);
    assert_false(virtio_get(&chain, text, 1));
    assert_true(virtio_put(&chain, "sixsix", 6));
    assert_false(virtio_put(&chain, "three", 3));
    assert_memory_equal(cald_vm_ram(guest, DRIVER_DATA + 0x3000, 4), "sixs", 4);
    assert_memory_equal(cald_vm_ram(guest, DRIVER_DATA + 0x4000, 3), "ix\0", 3);
    virtio_give(&chain);
    assert_int_equal(driver_used_index(), 0);
    virtio_publish(&queue);
    assert_int_equal(driver_used_index(), 1);
    assert_int_equal(driver_peek(DRIVER_USED + 4, 8), 3 | 6UL << 32);
    assert_int_equal(virtio_take(&queue, &chain), VIRTIO_NONE);
    assert_true(queue.live);
}

static void indirect_tables(void **state)
{
    (void)state;
    driver_desc_at(DRIVER_TABLE, 0, DRIVER_DATA, 7, D_NEXT, 2);
    driver_desc_at(DRIVER_TABLE, 2, DRIVER_DATA + 7, 9, D_WRITE, 0);
    driver_desc(5, DRIVER_TABLE, 48, D_INDIRECT | D_WRITE, 0); /* WRITE means nothing here */
    driver_desc(4, DRIVER_DATA, 1, D_NEXT, 5);
    driver_add(5);
    driver_add(4);
    assert_int_equal(virtio_take(&queue, &chain), VIRTIO_TAKEN);
    assert_int_equal(chain.parts, 2);
    assert_int_equal(chain.in_left, 7);
    assert_int_equal(chain.out_left, 9);
    assert_int_equal(virtio_take(&queue, &chain), VIRTIO_TAKEN);
    assert_int_equal(chain.head, 4);
    assert_int_equal(chain.in_left, 8);
}

/* Sixteen rounds of all indices, in batches, with what was taken put back once in a while. */
static void indices_wrap(void **state)
{
    (void)state;
    uint64_t seed = 7;
    unsigned used = 0;
    for (unsigned n = 0; n < DRIVER_SIZE; n++)
        driver_desc(n, DRIVER_DATA + n, 1, 0, 0);
    while (used < 16 * 65536) {
        unsigned batch = 1 + (unsigned)(unit_random(&seed) % DRIVER_SIZE);
        for (unsigned n = 0; n < batch; n++)
            driver_add((used + n) % DRIVER_SIZE);
        for (unsigned n = 0; n < batch; n++) {
            assert_int_equal(virtio_take(&queue, &chain), VIRTIO_TAKEN);
            if (unit_random(&seed) % 4 == 0) {
                virtio_untake(&queue, 1);
                assert_int_equal(virtio_take(&queue, &chain), VIRTIO_TAKEN);
            }
            assert_int_equal(chain.head, (used + n) % DRIVER_SIZE);
            virtio_give(&chain);
        }
        virtio_publish(&queue);
        used += batch;
        assert_int_equal(driver_used_index(), used & 0xffff);
    }
}

static bool give_one(void)
{
    driver_desc(0, DRIVER_DATA, 1, 0, 0);
    driver_add(0);
    assert_int_equal(virtio_take(&queue, &chain), VIRTIO_TAKEN);
    virtio_give(&chain);
    return virtio_publish(&queue);
}

#define USED_EVENT (DRIVER_AVAIL + 4 + 2 * DRIVER_SIZE)
#define AVAIL_EVENT (DRIVER_USED + 4 + 8 * DRIVER_SIZE)

static void when_it_interrupts(void **state)
{
    (void)state;
    assert_false(virtio_publish(&queue)); /* there is nothing */
    assert_true(give_one());              /* event 0: the first */
    assert_false(give_one());
    driver_poke(USED_EVENT, 3, 2);
    assert_false(give_one());
    assert_true(give_one());
    assert_false(give_one());
    begin(false, false);
    driver_poke(DRIVER_AVAIL + 2, 0, 2);
    assert_true(give_one());
    driver_poke(DRIVER_AVAIL, 1, 2);
    assert_false(give_one());
}

static void when_it_wants_kicks(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 3; n++)
        give_one();
    assert_int_equal(virtio_take(&queue, &chain), VIRTIO_NONE);
    assert_int_equal(driver_peek(AVAIL_EVENT, 2), 3);
    virtio_want_kicks(&queue, false);
    give_one();
    assert_int_equal(virtio_take(&queue, &chain), VIRTIO_NONE);
    assert_int_equal(driver_peek(AVAIL_EVENT, 2), 3);
    virtio_want_kicks(&queue, true);
    assert_int_equal(driver_peek(AVAIL_EVENT, 2), 4);
    begin(false, false);
    virtio_want_kicks(&queue, false);
    assert_int_equal(driver_peek(DRIVER_USED, 2), 1);
    virtio_want_kicks(&queue, true);
    assert_int_equal(driver_peek(DRIVER_USED, 2), 0);
}

/* The chain at 0 is refused for that reason, and the queue is dead from then on. */
static void refused(const char *reason)
{
    driver_poke(DRIVER_AVAIL + 2, 0, 2);
    driver_add(0);
    assert_int_equal(virtio_take(&queue, &chain), VIRTIO_WRONG);
    assert_non_null(queue.wrong);
    assert_non_null(strstr(queue.wrong, reason));
    assert_false(queue.live);
    assert_int_equal(virtio_take(&queue, &chain), VIRTIO_NONE);
    begin(true, true);
}

static void bad_descriptors(void **state)
{
    (void)state;
    driver_desc(0, DRIVER_DATA, 1, D_NEXT, DRIVER_SIZE);
    refused("beyond the table's end");
    driver_desc(0, DRIVER_DATA, 1, D_NEXT, 0);
    refused("longer than the queue's size");
    driver_desc(0, DRIVER_DATA, 1, D_NEXT | D_WRITE, 1);
    driver_desc(1, DRIVER_DATA, 1, 0, 0);
    refused("to be read comes behind one to be written");
    driver_desc(0, UINT64_MAX - 6, 8, 0, 0);
    refused("wraps around");
    driver_desc(0, DRIVER_DATA, UINT32_MAX, D_NEXT, 1);
    driver_desc(1, DRIVER_DATA, 2, 0, 0);
    refused("more than 4 GiB");
    driver_desc(0, DRIVER_TABLE, 16, D_INDIRECT | D_NEXT, 1);
    refused("has a next one");
    driver_desc(0, DRIVER_TABLE, 17, D_INDIRECT, 1);
    refused("no number of descriptors");
    driver_desc(0, DRIVER_TABLE, 0, D_INDIRECT, 1);
    refused("no number of descriptors");
    driver_desc(0, END - 8, 16, D_INDIRECT, 0);
    refused("indirect table is not in the VM's memory");
    driver_desc(0, DRIVER_TABLE, 32, D_INDIRECT, 0);
    driver_desc_at(DRIVER_TABLE, 0, DRIVER_TABLE, 16, D_INDIRECT, 0);
    refused("in an indirect table");
    driver_desc_at(DRIVER_TABLE, 0, DRIVER_DATA, 16, D_NEXT, 2);
    refused("beyond the table's end");
    driver_desc_at(DRIVER_TABLE, 0, DRIVER_DATA, 16, D_NEXT, 0);
    refused("longer than the queue's size");
    begin(false, false);
    refused("which was not negotiated");
}

static void bad_indices(void **state)
{
    (void)state;
    driver_poke(DRIVER_AVAIL + 2, DRIVER_SIZE + 1, 2);
    assert_int_equal(virtio_take(&queue, &chain), VIRTIO_WRONG);
    assert_non_null(strstr(queue.wrong, "further ahead"));
    begin(true, true);
    driver_poke(DRIVER_AVAIL + 2, 0xffff, 2); /* back */
    assert_int_equal(virtio_take(&queue, &chain), VIRTIO_WRONG);
    begin(true, true);
    driver_poke(DRIVER_AVAIL + 2, 1, 2);
    driver_poke(DRIVER_AVAIL + 4, DRIVER_SIZE, 2);
    assert_int_equal(virtio_take(&queue, &chain), VIRTIO_WRONG);
    assert_non_null(strstr(queue.wrong, "beyond the table's end"));
}

static void buffers_that_are_no_memory(void **state)
{
    (void)state;
    char byte = 0;
    static struct virtio_chain other;
    driver_desc(0, END - 4, 8, D_NEXT, 1);
    driver_desc(1, 0x10000000, 8, D_WRITE, 0); /* the serial port */
    driver_add(0);
    assert_int_equal(virtio_take(&queue, &chain), VIRTIO_TAKEN);
    assert_false(virtio_put(&chain, &byte, 1));
    assert_non_null(strstr(queue.wrong, "not in the VM's memory"));
    virtio_give(&chain); /* nobody is told */
    assert_false(virtio_publish(&queue));
    assert_int_equal(driver_used_index(), 0);

    begin(true, true);
    assert_int_equal(virtio_take(&queue, &chain), VIRTIO_TAKEN);
    assert_true(virtio_get(&chain, &byte, 1));
    char rest[7];
    assert_false(virtio_get(&chain, rest, 7));
    assert_false(queue.live);

    begin(true, true);
    driver_desc(1, DRIVER_DATA, 8, D_WRITE, 0);
    assert_int_equal(virtio_take(&queue, &chain), VIRTIO_TAKEN);
    virtio_untake(&queue, 1);
    assert_int_equal(virtio_take(&queue, &other), VIRTIO_TAKEN);
    assert_true(virtio_copy(&chain, &other, 4));
    assert_false(virtio_copy(&chain, &other, 4));
    assert_false(queue.live);
}

static void bad_rings(void **state)
{
    (void)state;
    struct virtio_ring ring = driver_ring();
    uint32_t sizes[] = {0, 3, 512, 0x80000000};
    for (unsigned n = 0; n < 4; n++) {
        ring.size = sizes[n];
        assert_non_null(strstr(virtio_ring_check(guest, &ring), "power of two"));
    }
    ring = driver_ring();
    uint64_t *parts[] = {&ring.descriptors, &ring.available, &ring.used};
    uint64_t bytes[] = {16 * DRIVER_SIZE, 6 + 2 * DRIVER_SIZE, 8 + 8 * DRIVER_SIZE};
    for (unsigned n = 0; n < 3; n++) {
        ring = driver_ring();
        ++*parts[n];
        assert_non_null(strstr(virtio_ring_check(guest, &ring), "aligned"));
        *parts[n] = (END - bytes[n]) & ~15UL;
        assert_null(virtio_ring_check(guest, &ring));
        *parts[n] += 16;
        assert_non_null(strstr(virtio_ring_check(guest, &ring), "memory"));
        *parts[n] = -16UL;
        assert_non_null(strstr(virtio_ring_check(guest, &ring), "memory"));
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, guest_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(single_words),
        TEST(a_chain),
        TEST(indirect_tables),
        TEST(indices_wrap),
        TEST(when_it_interrupts),
        TEST(when_it_wants_kicks),
        TEST(bad_descriptors),
        TEST(bad_indices),
        TEST(buffers_that_are_no_memory),
        TEST(bad_rings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
