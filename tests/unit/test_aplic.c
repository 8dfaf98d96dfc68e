/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/irq/aplic.c: registers, wires of both kinds, both ways of delivery, forwarded sources. */
#include "tests/unit/unit.h"

#include "lib/irq/aplic.h"

#define SOURCECFG(source) (4u * (source))
#define SETIP(word) (0x1c00u + 4u * (word))
#define SETIPNUM 0x1cdcu
#define IN_CLRIP(word) (0x1d00u + 4u * (word))
#define CLRIPNUM 0x1ddcu
#define SETIE(word) (0x1e00u + 4u * (word))
#define SETIENUM 0x1edcu
#define CLRIENUM 0x1fdcu
#define TARGET(source) (0x3000u + 4u * (source))
#define IDC(n, reg) (0x4000u + 32u * (n) + (reg))
#define DELIVERY 0x00u
#define FORCE 0x04u
#define THRESHOLD 0x08u
#define TOPI 0x18u
#define CLAIMI 0x1cu
enum { INACTIVE = 0, DETACHED = 1, RISING = 4, FALLING = 5, HIGH = 6, LOW = 7 };

static struct aplic aplic;
static unsigned messages, last_hart, last_id;
static unsigned completions;
static unsigned told;   /* harts, to look at their lines */
static bool board_line; /* of the forwarded source 7: fires again on completion while high */

static void changed(struct aplic *which, unsigned hart)
{
    assert_ptr_equal(which, &aplic);
    assert_true(hart < aplic.harts);
    told++;
}

static void message(struct aplic *which, unsigned hart, uint32_t id)
{
    assert_ptr_equal(which, &aplic);
    assert_true(hart < aplic.harts);
    messages++;
    last_hart = hart;
    last_id = id;
}

static bool open_at_board;

static void completed(struct aplic *which, unsigned source)
{
    assert_ptr_equal(which, &aplic);
    if (source == 7)
        completions++, open_at_board = true;
}

/* The host: what the board's controller does once nobody is in the guest's registers. */
static void board(void)
{
    if (open_at_board && board_line) {
        open_at_board = false;
        aplic_fired(&aplic, 7);
    }
}

static void *room; /* of that size to the byte: ASan sees a step outside */
static unsigned sources = 95;

static int make(bool msi)
{
    memset(&aplic, 0, sizeof(aplic));
    free(room);
    room = calloc(1, aplic_room_bytes(sources));
    assert_non_null(room);
    aplic_size(&aplic, sources, room);
    aplic.changed = changed;
    aplic.message = message;
    aplic.completed = completed;
    messages = completions = 0;
    board_line = false;
    open_at_board = true;
    aplic_init(&aplic, 3, msi);
    return 0;
}

static int direct(void **state)
{
    (void)state;
    return make(false);
}

static int msi(void **state)
{
    (void)state;
    return make(true);
}

static int direct_most(void **state)
{
    sources = 5000; /* of which 1,023 exist */
    direct(state);
    sources = 95;
    return 0;
}

static int msi_512(void **state)
{
    sources = 512;
    msi(state);
    sources = 95;
    return 0;
}

static uint32_t rd(uint32_t offset)
{
    uint64_t value = UINT64_MAX;
    assert_true(aplic_read(&aplic, offset, 4, &value));
    assert_true(value <= UINT32_MAX);
    return (uint32_t)value;
}

static void wr(uint32_t offset, uint32_t value)
{
    assert_true(aplic_write(&aplic, offset, 4, value));
}

static void open_source(unsigned source, unsigned mode, uint32_t target)
{
    wr(SOURCECFG(source), mode);
    wr(TARGET(source), target);
    wr(SETIENUM, source);
}

static void open_idc(unsigned hart)
{
    wr(0, 0x100);
    wr(IDC(hart, DELIVERY), 1);
}

static unsigned claim(unsigned hart)
{
    uint32_t value = rd(IDC(hart, CLAIMI));
    return value >> 16;
}

static bool pends(unsigned source)
{
    return rd(SETIP(source / 32)) >> source % 32 & 1;
}

static void registers(void **state)
{
    (void)state;
    bool msi_mode = aplic.msi;
    assert_int_equal(rd(0), 0x80000000 | (msi_mode ? 4 : 0));
    wr(0, UINT32_MAX);
    assert_int_equal(rd(0), 0x80000100 | (msi_mode ? 4 : 0));
    for (unsigned source = 1; source < 1024; source++) {
        bool is = source <= aplic.sources;
        wr(TARGET(source), 0x00040005);
        assert_int_equal(rd(TARGET(source)), 0); /* inactive: read-only zero */
        wr(SETIENUM, source);
        assert_int_equal(rd(SETIE(source / 32)) >> source % 32 & 1, 0);
        for (unsigned mode = 0; mode < 8; mode++) {
            wr(SOURCECFG(source), mode);
            assert_int_equal(rd(SOURCECFG(source)), is && mode != 2 && mode != 3 ? mode : 0);
        }
        wr(SOURCECFG(source), 0x400 | HIGH); /* there is nobody to delegate to */
        assert_int_equal(rd(SOURCECFG(source)), 0);
        wr(SOURCECFG(source), DETACHED);
        wr(TARGET(source), 2u << 18 | 63u << 12 | 0xffe);
        assert_int_equal(rd(TARGET(source)), !is ? 0 : 2u << 18 | (msi_mode ? 0x7fe : 0xfe));
        wr(TARGET(source), 3u << 18); /* no such hart; priority zero is no priority */
        assert_int_equal(rd(TARGET(source)), !is || msi_mode ? 0 : 1);
    }
}

/* Every offset and width, with hostile values: an answer or none, never a step outside. */
static void every_offset(void **state)
{
    (void)state;
    static const unsigned widths[] = {0, 1, 2, 3, 4, 4, 4, 8, 16, 0xffffffff};
    uint64_t value, seed = 11;
    for (unsigned round = 0; round < 20; round++) {
        for (uint32_t offset = 0; offset < 0x8000; offset += 1 + unit_random(&seed) % 4) {
            unsigned width = widths[unit_random(&seed) % 10];
            bool is = aplic_write(&aplic, offset, width, unit_random(&seed));
            assert_int_equal(is, aplic_read(&aplic, offset, width, &value));
            assert_int_equal(is, width == 4 && offset % 4 == 0);
            aplic_set_wire(&aplic, (unsigned)unit_random(&seed) % 128, offset & 1);
            aplic_fired(&aplic, (unsigned)unit_random(&seed) % 128);
            aplic_line(&aplic, offset % 3);
        }
    }
    assert_false(aplic_read(&aplic, 0xfffffffe, 4, &value));
    assert_true(aplic_read(&aplic, 0xfffffffc, 4, &value));
}

static void level_direct(void **state)
{
    (void)state;
    open_source(10, HIGH, 1u << 18 | 1);
    aplic_set_wire(&aplic, 10, true);
    assert_false(aplic_line(&aplic, 1));
    open_idc(1);
    assert_true(aplic_line(&aplic, 1));
    assert_false(aplic_line(&aplic, 0));
    assert_int_equal(rd(IDC(1, TOPI)), 10u << 16 | 1);
    assert_int_equal(rd(IN_CLRIP(0)), 1u << 10);
    assert_int_equal(claim(1), 10);
    assert_true(pends(10)); /* 4.7: a claim does not clear a level */
    wr(CLRIPNUM, 10);
    wr(SETIPNUM, 10);
    assert_true(pends(10));
    aplic_set_wire(&aplic, 10, false);
    assert_false(pends(10));
    assert_false(aplic_line(&aplic, 1));
    wr(SETIPNUM, 10);
    assert_false(pends(10));
    assert_int_equal(claim(1), 0);
    wr(SOURCECFG(10), LOW); /* the wire is low */
    assert_true(aplic_line(&aplic, 1));
    wr(SOURCECFG(10), INACTIVE);
    assert_false(aplic_line(&aplic, 1));
    assert_int_equal(rd(SETIE(0)), 0);
}

/* Each time that a hart is told may interrupt it: a peer that rings for ever can't do so more than
 * once before the guest has claimed. */
static void a_storm_is_told_once(void **state)
{
    (void)state;
    open_idc(1);
    open_source(10, RISING, 1u << 18 | 1);
    told = 0;
    for (unsigned n = 0; n < 100; n++) {
        aplic_set_wire(&aplic, 10, true);
        aplic_set_wire(&aplic, 10, false);
    }
    assert_int_equal(told, 1);
    assert_true(aplic_line(&aplic, 1));
    assert_int_equal(claim(1), 10);
    told = 0;
    aplic_set_wire(&aplic, 10, true);
    assert_int_equal(told, 1);
    wr(SOURCECFG(10), INACTIVE); /* its line falls, and the hart that had it looks */
    assert_int_equal(told, 2);
    assert_false(aplic_line(&aplic, 1));
}

static void edge_direct(void **state)
{
    (void)state;
    open_idc(0);
    open_source(33, RISING, 7);
    aplic_set_wire(&aplic, 33, true);
    assert_int_equal(claim(0), 33);
    assert_int_equal(claim(0), 0);
    aplic_set_wire(&aplic, 33, false);
    assert_int_equal(claim(0), 0);
    aplic_set_wire(&aplic, 33, true);
    aplic_set_wire(&aplic, 33, false);
    assert_true(aplic_line(&aplic, 0)); /* an edge stays when the wire falls */
    wr(CLRIPNUM, 33);
    assert_false(aplic_line(&aplic, 0));
    wr(SETIPNUM, 33);
    assert_int_equal(claim(0), 33);
    wr(0x2000, 33);
    assert_int_equal(claim(0), 33);
    wr(0x2004, 33u << 24);
    assert_int_equal(claim(0), 33);
    wr(SOURCECFG(33), FALLING);
    wr(CLRIPNUM, 33);
    aplic_set_wire(&aplic, 33, true);
    assert_int_equal(claim(0), 0);
    aplic_set_wire(&aplic, 33, false);
    assert_int_equal(claim(0), 33);
}

static void order_and_threshold(void **state)
{
    (void)state;
    static const struct {
        unsigned source, priority;
    } sources[] = {{1, 9}, {3, 2}, {40, 1}, {64, 2}, {95, 3}};
    static const unsigned expected[] = {40, 3, 64, 95, 1, 0};
    open_idc(2);
    for (size_t i = 0; i < 5; i++) {
        open_source(sources[i].source, RISING, 2u << 18 | sources[i].priority);
        aplic_set_wire(&aplic, sources[i].source, true);
    }
    wr(IDC(2, THRESHOLD), 1);
    assert_false(aplic_line(&aplic, 2));
    assert_int_equal(claim(2), 0);
    wr(IDC(2, THRESHOLD), 2);
    assert_int_equal(rd(IDC(2, TOPI)), 40u << 16 | 1);
    wr(IDC(2, THRESHOLD), 0);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(claim(2), expected[i]);
    wr(IDC(2, FORCE), 1);
    assert_true(aplic_line(&aplic, 2));
    assert_int_equal(claim(2), 0);
    assert_false(aplic_line(&aplic, 2));
    wr(CLRIENUM, 40);
    wr(SETIPNUM, 40);
    assert_false(aplic_line(&aplic, 2));
    wr(SETIENUM, 40);
    wr(0, 0);
    assert_false(aplic_line(&aplic, 2));
    wr(0, 0x100);
    assert_true(aplic_line(&aplic, 2));
}

static void level_messages(void **state)
{
    (void)state;
    wr(0, 0x100);
    open_source(10, HIGH, 2u << 18 | 77);
    aplic_set_wire(&aplic, 10, true);
    assert_int_equal(messages, 1);
    assert_int_equal(last_hart, 2);
    assert_int_equal(last_id, 77);
    assert_false(pends(10)); /* 4.7: once it is forwarded */
    aplic_set_wire(&aplic, 10, true);
    assert_int_equal(messages, 1);
    wr(SETIPNUM, 10); /* 4.9.2: it still holds, so it is told of again */
    assert_int_equal(messages, 2);
    aplic_set_wire(&aplic, 10, false);
    wr(SETIPNUM, 10);
    assert_int_equal(messages, 2);
    wr(CLRIENUM, 10);
    aplic_set_wire(&aplic, 10, true);
    assert_int_equal(messages, 2);
    assert_true(pends(10));
    wr(SETIENUM, 10);
    assert_int_equal(messages, 3);
    assert_false(aplic_line(&aplic, 2));
    wr(0x3000, 1u << 18 | 5); /* genmsi */
    assert_int_equal(messages, 4);
    assert_int_equal(last_hart, 1);
    assert_int_equal(last_id, 5);
    wr(0x3000, 3u << 18 | 5);
    assert_int_equal(messages, 4);
    wr(0, 0);
    wr(SETIPNUM, 10);
    assert_int_equal(messages, 4);
    wr(0, 0x100);
    assert_int_equal(messages, 5);
}

static void edge_messages(void **state)
{
    (void)state;
    wr(0, 0x100);
    open_source(4, RISING, 9);
    for (unsigned n = 1; n <= 3; n++) {
        aplic_set_wire(&aplic, 4, true);
        aplic_set_wire(&aplic, 4, false);
        assert_int_equal(messages, n);
    }
}

/* A device of the board's holds its line until the handler has seen to it. Nobody tells the APLIC
 * when that was; it must come neither once too often nor be lost. */
static void forwarded_level_direct(void **state)
{
    (void)state;
    aplic_forward(&aplic, 7, false);
    open_idc(0);
    open_source(7, HIGH, 1);
    for (unsigned n = 0; n < 10; n++) {
        board_line = true;
        board();
        assert_true(aplic_line(&aplic, 0));
        assert_int_equal(claim(0), 7);
        board(); /* the wire still holds */
        board_line = false;
        assert_int_equal(claim(0), 0);
        assert_false(aplic_line(&aplic, 0));
        board();
        assert_false(aplic_line(&aplic, 0));
    }
    /* It holds on through the handler: it interrupts again. */
    board_line = true;
    board();
    assert_int_equal(claim(0), 7);
    board();
    assert_int_equal(claim(0), 0);
    board();
    assert_true(aplic_line(&aplic, 0));
    assert_int_equal(claim(0), 7);
    board_line = false;
    assert_int_equal(claim(0), 0);
    /* Masked while a thread sees to it, as for a slow handler. */
    board_line = true;
    board();
    assert_int_equal(claim(0), 7);
    wr(CLRIENUM, 7);
    board();
    assert_int_equal(claim(0), 0);
    board_line = false;
    wr(SETIENUM, 7);
    board();
    assert_false(aplic_line(&aplic, 0));
    board_line = true;
    board();
    assert_int_equal(claim(0), 7);
}

static void forwarded_level_messages(void **state)
{
    (void)state;
    aplic_forward(&aplic, 7, false);
    wr(0, 0x100);
    board_line = true;
    board(); /* before the guest has set it up */
    assert_int_equal(messages, 0);
    open_source(7, HIGH, 1u << 18 | 20);
    assert_int_equal(messages, 1);
    board();
    assert_int_equal(messages, 1);
    wr(0x2000, 7); /* the handler's end, the wire still holds */
    board();
    assert_int_equal(messages, 2);
    board_line = false;
    wr(0x2000, 7);
    board();
    assert_int_equal(messages, 2);
    board_line = true;
    board();
    assert_int_equal(messages, 3);
}

static void forwarded_edge(void **state)
{
    (void)state;
    aplic_forward(&aplic, 7, true);
    wr(0, 0x100);
    open_source(7, RISING, 20);
    for (unsigned n = 1; n <= 3; n++) {
        aplic_fired(&aplic, 7);
        assert_int_equal(messages, n);
        assert_int_equal(completions, n);
    }
}

/* Each source there is goes round once, whatever else has been used before. */
static void every_source_direct(void **state)
{
    (void)state;
    open_idc(1);
    for (unsigned source = 1; source <= aplic.sources; source++) {
        open_source(source, HIGH, 1u << 18 | 1);
        assert_false(aplic_line(&aplic, 1));
        aplic_set_wire(&aplic, source, true);
        assert_true(aplic_line(&aplic, 1));
        assert_int_equal(claim(1), source);
        aplic_set_wire(&aplic, source, false);
        assert_int_equal(claim(1), 0);
    }
}

static void every_source_messages(void **state)
{
    (void)state;
    wr(0, 0x100);
    for (unsigned source = 1; source <= aplic.sources; source++) {
        open_source(source, RISING, 2u << 18 | (source + 1000));
        aplic_set_wire(&aplic, source, true);
        assert_int_equal(messages, source);
        assert_int_equal(last_hart, 2);
        assert_int_equal(last_id, source + 1000);
    }
    aplic_set_wire(&aplic, aplic.sources + 1, true);
    assert_int_equal(messages, aplic.sources);
}

/* What became pending while nothing was let through is told of when the domain is enabled. */
static void enabled_late(void **state)
{
    (void)state;
    for (unsigned source = 1; source <= aplic.sources; source++) {
        open_source(source, RISING, aplic.msi ? source : 1);
        aplic_set_wire(&aplic, source, true);
    }
    wr(IDC(0, DELIVERY), 1);
    assert_int_equal(messages, 0);
    assert_false(aplic_line(&aplic, 0));
    wr(0, 0x100);
    assert_int_equal(messages, aplic.msi ? aplic.sources : 0);
    for (unsigned source = 1; !aplic.msi && source <= aplic.sources; source++)
        assert_int_equal(claim(0), source);
    assert_false(aplic_line(&aplic, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(registers, direct),
        {"registers, MSI", registers, msi, NULL, NULL},
        cmocka_unit_test_setup(every_offset, direct),
        {"every_offset, MSI", every_offset, msi, NULL, NULL},
        cmocka_unit_test_setup(level_direct, direct),
        cmocka_unit_test_setup(a_storm_is_told_once, direct),
        cmocka_unit_test_setup(edge_direct, direct),
        cmocka_unit_test_setup(order_and_threshold, direct),
        cmocka_unit_test_setup(level_messages, msi),
        cmocka_unit_test_setup(edge_messages, msi),
        cmocka_unit_test_setup(forwarded_level_direct, direct),
        cmocka_unit_test_setup(forwarded_level_messages, msi),
        cmocka_unit_test_setup(forwarded_edge, msi),
        {"registers, 1023", registers, direct_most, NULL, NULL},
        {"registers, MSI, 512", registers, msi_512, NULL, NULL},
        {"every_offset, 1023", every_offset, direct_most, NULL, NULL},
        cmocka_unit_test_setup(every_source_direct, direct_most),
        cmocka_unit_test_setup(every_source_messages, msi_512),
        cmocka_unit_test_setup(enabled_late, direct_most),
        {"enabled_late, MSI", enabled_late, msi_512, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
