/* SPDX-License-Identifier: BSD-2-Clause */
/* Saved VMs: what is restored is what was saved, and a hostile image does no more than be refused.
 */
#include "tests/unit/state_guest.h"

#include "appliance/saved/format.h"
#include "appliance/saved/saved.h"
#include "lib/vm/vm.h"

static int set_up(void **state)
{
    (void)state;
    describe(IRQCHIP_PLIC, 1);
    uart_connect();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_true(saved_drop(&guest_vm));
    give_back();
    return 0;
}

static uint64_t word(uint64_t at)
{
    uint64_t value;
    assert_true(vm_read(guest, GUEST_RAM + at, &value, sizeof(value)));
    return value;
}

static void set_word(uint64_t at, uint64_t value)
{
    assert_true(vm_write(guest, GUEST_RAM + at, &value, sizeof(value)));
}

/* Something everywhere; returns nothing that a test need know. */
static void fill(void)
{
    sim_time = 5000;
    set_word(0, 1);
    set_word(0x5008, 2);
    set_word(GUEST_MIB - 8, 3);
    guest_vcpus[1].eng.gpr[7] = 77;
    guest_vcpus[1].eng.s.satp = 9UL << 60 | 5;
    guest_vcpus[2].eng.s.units.fp[3] = 33;
    vectors[3][17] = 9;
    atomic_store(&guest_vcpus[2].hsm, SBI_HSM_SUSPENDED);
    atomic_store(&guest_vcpus[0].mailbox, MAIL_SOFT);
    guest_vcpus[0].pmu.snapshot = GUEST_RAM + 0x1000;
    plic_write(&guest->plic, 4 * 10, 4, 5);
    ns16550a_write(&guest->uart, 7, 1, 0x5a);
    assert_true(ns16550a_receive(&guest->uart, 'a'));
    for (unsigned n = 0; n < 20; n++)
        assert_true(ns16550a_receive(&guest->uart, 'b'));
}

static void spoil(void)
{
    sim_time = 9000;
    set_word(0, 0);
    set_word(0x5008, 7);
    set_word(0x9000, 8);
    guest_vcpus[1].eng.gpr[7] = 1;
    guest_vcpus[1].eng.s.satp = 0;
    guest_vcpus[2].eng.s.units.fp[3] = 1;
    vectors[3][17] = 1;
    atomic_store(&guest_vcpus[2].hsm, SBI_HSM_STARTED);
    plic_write(&guest->plic, 4 * 10, 4, 1);
    plic_write(&guest->plic, 4 * 11, 4, 1);
    ns16550a_write(&guest->uart, 7, 1, 0);
    uint8_t byte;
    while (ns16550a_take(&guest->uart, &byte)) {
    }
}

static void is_filled(void)
{
    uint64_t value;
    uint8_t byte;
    assert_int_equal(word(0), 1);
    assert_int_equal(word(0x5008), 2);
    assert_int_equal(word(0x9000), 0);
    assert_int_equal(word(GUEST_MIB - 8), 3);
    assert_int_equal(guest_vcpus[1].eng.gpr[7], 77);
    assert_int_equal(guest_vcpus[1].eng.s.satp, 9UL << 60 | 5);
    assert_int_equal(guest_vcpus[2].eng.s.units.fp[3], 33);
    assert_int_equal(vectors[3][17], 9);
    assert_int_equal(atomic_load(&guest_vcpus[2].hsm), SBI_HSM_SUSPENDED);
    assert_int_equal(guest_vcpus[0].eng.s.sip, 2);
    assert_int_equal(guest_vcpus[0].pmu.snapshot, GUEST_RAM + 0x1000);
    assert_true(plic_read(&guest->plic, 4 * 10, 4, &value));
    assert_int_equal(value, 5);
    assert_true(plic_read(&guest->plic, 4 * 11, 4, &value));
    assert_int_equal(value, 0);
    assert_true(ns16550a_read(&guest->uart, 7, 1, &value));
    assert_int_equal(value, 0x5a);
    for (unsigned n = 0; n < 21; n++) {
        assert_true(ns16550a_take(&guest->uart, &byte));
        assert_int_equal(byte, n ? 'b' : 'a');
    }
    assert_false(ns16550a_take(&guest->uart, &byte));
    assert_int_equal(sim_time + guest->eng.time_delta, 5000);
}

static void test_all_of_it_comes_back(void **state)
{
    (void)state;
    fill();
    assert_int_equal(saved_take(&guest_vm), SAVED_DONE);
    assert_true(saved_bytes(&guest_vm) < GUEST_MIB / 2); /* zeros take no room */
    spoil();
    assert_int_equal(saved_restore(&guest_vm, &guest_vm), SAVED_DONE);
    is_filled();
    assert_int_equal(saved_restore(&guest_vm, &guest_vm), SAVED_DONE);
    is_filled();
}

/* A save only reads: the dirty log has nothing of it. */
static void test_a_save_writes_nothing(void **state)
{
    (void)state;
    struct ram_chunk *chunk = &guest_vm.ram[0];
    uint64_t dirty[GUEST_MIB / 4096 / 64] = {0};
    assert_true(chunk->size <= GUEST_MIB);
    assert_int_equal(cald_vm_slot(guest, SLOT_OF_RAM(0), chunk->gpa, chunk->size, chunk->host,
                                  CALD_SLOT_PRIVATE | CALD_SLOT_LOG_DIRTY),
                     CALD_OK);
    fill();
    assert_int_equal(cald_vm_dirty(guest, SLOT_OF_RAM(0), dirty, GUEST_MIB / 4096 / 64), CALD_OK);
    assert_int_equal(dirty[0] & 0x3f, 0x21); /* what fill() has written */
    assert_int_equal(saved_take(&guest_vm), SAVED_DONE);
    assert_int_equal(cald_vm_dirty(guest, SLOT_OF_RAM(0), dirty, GUEST_MIB / 4096 / 64), CALD_OK);
    for (unsigned n = 0; n < GUEST_MIB / 4096 / 64; n++)
        assert_int_equal(dirty[n], 0);
}

/* What was typed meanwhile comes after what had been typed before. */
static void test_keys_wait(void **state)
{
    (void)state;
    ns16550a_freeze(&guest->uart, true);
    assert_false(ns16550a_receive(&guest->uart, 'x'));
    atomic_store(&guest->uart.full, true);
    ns16550a_ready(&guest->uart);
    assert_true(atomic_load(&guest->uart.full));
    ns16550a_freeze(&guest->uart, false);
    assert_false(atomic_load(&guest->uart.full));
    assert_true(ns16550a_receive(&guest->uart, 'x'));
}

static void test_no_memory(void **state)
{
    (void)state;
    fill();
    sim_pages_total = sim_pages_taken + 4096;
    assert_int_equal(saved_take(&guest_vm), SAVED_REFUSED);
    assert_non_null(strstr(guest_vm.saved.said, "KiB in one piece are wanted"));
    sim_pages_total = 256UL << 20;
    assert_int_equal(saved_take(&guest_vm), SAVED_DONE);
    uint64_t bytes = saved_bytes(&guest_vm);
    for (unsigned n = 0; n < 64; n++)
        set_word(n * 4096, 1);
    sim_pages_total = sim_pages_taken;
    assert_int_equal(saved_take(&guest_vm), SAVED_REFUSED);
    assert_int_equal(saved_bytes(&guest_vm), bytes); /* what there was stays */
    sim_pages_total = 256UL << 20;
}

static void test_one_at_a_time(void **state)
{
    (void)state;
    fill();
    assert_int_equal(saved_restore(&guest_vm, &guest_vm), SAVED_REFUSED);
    assert_non_null(strstr(guest_vm.saved.said, "nothing is saved"));
    assert_int_equal(saved_take(&guest_vm), SAVED_DONE);
    atomic_store(&guest_vm.saved.users, 1);
    assert_false(saved_drop(&guest_vm));
    assert_int_equal(saved_take(&guest_vm), SAVED_REFUSED);
    atomic_store(&guest_vm.saved.users, SAVED_WRITES);
    assert_int_equal(saved_restore(&guest_vm, &guest_vm), SAVED_REFUSED);
    atomic_store(&guest_vm.saved.users, 0);
}

/* ---- Images from elsewhere ---------------------------------------------------------------------
 */

static uint8_t *copy; /* as in a bundle: four bytes off */

static void take_copy(void)
{
    uint64_t bytes = saved_bytes(&guest_vm);
    copy = (uint8_t *)malloc(bytes + 4) + 4;
    memcpy(copy, guest_vm.saved.image, bytes);
    guest_config.state = (struct config_image){"saved", copy, bytes};
}

static void free_copy(void)
{
    free(copy - 4);
}

static void write_sum(void)
{
    struct saved_header h;
    memcpy(&h, copy, sizeof(h));
    h.sum = saved_sum(0, copy + SAVED_SUMMED_FROM, guest_config.state.size - SAVED_SUMMED_FROM);
    memcpy(copy, &h, sizeof(h));
}

static void is_refused(const char *why)
{
    assert_int_equal(saved_load(&guest_vm), SAVED_REFUSED);
    if (!strstr(guest_vm.saved.said, why))
        fail_msg("no \"%s\" in \"%s\"", why, guest_vm.saved.said);
}

static void test_an_image_from_elsewhere(void **state)
{
    (void)state;
    fill();
    assert_int_equal(saved_take(&guest_vm), SAVED_DONE);
    take_copy();
    spoil();
    assert_int_equal(saved_load(&guest_vm), SAVED_DONE);
    is_filled();
    copy[guest_config.state.size - 100] ^= 1;
    is_refused("its checksum is wrong");
    copy[guest_config.state.size - 100] ^= 1;
    guest_config.state.size -= 4096;
    is_refused("it is cut short");
    guest_config.state.size = 87;
    is_refused("it is too short");
    guest_config.state.size = saved_bytes(&guest_vm);
    guest_config.memory[0].size += 4096;
    is_refused("memory: other ranges");
    guest_config.memory[0].size -= 4096;
    time_closes = false;
    sim_time = 4000;
    guest->eng.time_delta = 0;
    is_refused("time: it would go back");
    time_closes = true;
    hidden[ISA_V] = 1;
    guest->eng.s.has_vector = false;
    is_refused("vlenb: this VM's can't be 0x10");
    hidden[ISA_V] = 0;
    guest->eng.s.has_vector = true;
    guest_vm.device_count = 1;
    is_refused("this VM has devices of the board");
    guest_vm.device_count = 0;
    assert_int_equal(saved_load(&guest_vm), SAVED_DONE);
    free_copy();
}

/* Each number of it may be anything, with a checksum that is right. */
static void test_hostile_images(void **state)
{
    (void)state;
    unsigned results[3] = {0};
    fill();
    assert_int_equal(saved_take(&guest_vm), SAVED_DONE);
    take_copy();
    for (unsigned n = 0; n < 3000; n++) {
        memcpy(copy, guest_vm.saved.image, guest_config.state.size);
        uint64_t changes = 1 + random_value() % 4;
        for (; changes; changes--) {
            uint64_t all = guest_config.state.size - 3 * SAVED_PAGE;
            uint64_t limit = n % 3 == 0 ? sizeof(struct saved_header) : all;
            uint64_t at = random_value() % (limit / 4) * 4, value = random_value();
            memcpy(copy + at, &value, n % 2 ? 4 : 8);
        }
        write_sum();
        results[saved_load(&guest_vm)]++;
        use_everything();
    }
    assert_true(results[SAVED_DONE] && results[SAVED_REFUSED] && results[SAVED_BROKEN]);
    free_copy();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_of_it_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_save_writes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_keys_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_image_from_elsewhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hostile_images, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
