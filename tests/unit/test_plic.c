/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/irq/plic.c: registers, gateway, claim and completion, and the reports to the owner. */
#include "tests/unit/unit.h"

#include <pthread.h>

#include "lib/irq/plic.h"

#define PRIORITY(source) (4u * (source))
#define PENDING(word) (0x1000u + 4u * (word))
#define ENABLE(context, word) (0x2080u + 0x100u * (context) + 4u * (word))
#define THRESHOLD(context) (0x201000u + 0x2000u * (context))
#define CLAIM(context) (0x201004u + 0x2000u * (context))

static struct plic plic;
static bool line[PLIC_CONTEXTS]; /* as an owner that looks at each report would see it */
static unsigned completions, last_completed;
static bool source_still_high;
static unsigned told[PLIC_CONTEXTS];

static void changed(struct plic *which, unsigned context)
{
    assert_ptr_equal(which, &plic);
    line[context] = plic_line(which, context);
    told[context]++;
}

static void completed(struct plic *which, unsigned source)
{
    completions++;
    last_completed = source;
    if (!source_still_high) {
        plic_set_level(which, source, false);
    }
}

static void *room; /* of that size to the byte: ASan sees a step outside */

static int make(unsigned sources)
{
    memset(&plic, 0, sizeof(plic));
    memset(line, 0, sizeof(line));
    free(room);
    room = calloc(1, plic_room_bytes(4, sources));
    assert_non_null(room);
    plic.changed = changed;
    plic_size(&plic, 4, sources, room);
    plic_init(&plic);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return make(95);
}

static int setup_most(void **state)
{
    (void)state;
    return make(5000); /* of which 1,023 exist */
}

static int setup_512(void **state)
{
    (void)state;
    return make(512);
}

static uint32_t rd(uint32_t offset)
{
    uint64_t value = UINT64_MAX;
    assert_true(plic_read(&plic, offset, 4, &value));
    assert_true(value <= UINT32_MAX);
    return (uint32_t)value;
}

static void wr(uint32_t offset, uint32_t value)
{
    assert_true(plic_write(&plic, offset, 4, value));
}

/* Priority 1 and enabled for that context. */
static void open_source(unsigned source, unsigned context)
{
    wr(PRIORITY(source), 1);
    wr(ENABLE(context, source / 32), rd(ENABLE(context, source / 32)) | 1u << source % 32);
}

static void registers(void **state)
{
    (void)state;
    for (unsigned source = 0; source < 1024; source++) {
        wr(PRIORITY(source), 0xffffffff);
        assert_int_equal(rd(PRIORITY(source)), source > 0 && source <= plic.sources ? 7 : 0);
    }
    for (unsigned context = 0; context < 4; context++) {
        for (unsigned word = 0; word < 32; word++) {
            wr(ENABLE(context, word), 0xffffffff);
            for (unsigned bit = 0; bit < 32; bit++) {
                unsigned source = word * 32 + bit;
                assert_int_equal(rd(ENABLE(context, word)) >> bit & 1,
                                 source > 0 && source <= plic.sources);
            }
        }
        wr(THRESHOLD(context), 0xfd);
        assert_int_equal(rd(THRESHOLD(context)), 5);
        assert_int_equal(rd(CLAIM(context)), 0);
    }
    for (unsigned word = 0; word < 32; word++) {
        wr(PENDING(word), 0xffffffff);
        assert_int_equal(rd(PENDING(word)), 0);
    }
    uint64_t value;
    static const uint32_t nothing[] = {0x1080,           ENABLE(64, 0), 0x1ffffc, THRESHOLD(64),
                                       THRESHOLD(0) + 8, CLAIM(64),     0x5ffffc, 0xfffffffc};
    for (size_t i = 0; i < sizeof(nothing) / sizeof(nothing[0]); i++) {
        assert_false(plic_read(&plic, nothing[i], 4, &value));
        assert_false(plic_write(&plic, nothing[i], 4, 0));
    }
}

/* Kernels that are built for more harts than there are write to the contexts of all of them. */
static void contexts_of_harts_that_are_not_there(void **state)
{
    (void)state;
    for (unsigned context = 4; context < PLIC_CONTEXTS; context++) {
        const uint32_t registers[] = {ENABLE(context, 0), ENABLE(context, 31), THRESHOLD(context),
                                      CLAIM(context)};
        for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
            wr(registers[i], 0xffffffff);
            assert_int_equal(rd(registers[i]), 0);
        }
    }
}

/* Every offset and width, with hostile values: an answer or none, never a step outside. */
/* What a guest that reads the pages itself finds there. */
static void enables_lie_as_the_map_has_them(void **state)
{
    (void)state;
    const uint32_t *page = (const uint32_t *)plic.enable;
    wr(0x2000 + 3 * 0x80 + 4, 0x12345678);
    for (unsigned word = 0; word < plic_enable_bytes(4) / 4; word++)
        assert_int_equal(page[word], word == 3 * 0x20 + 1 ? 0x12345678 : 0);
    wr(0x2000 + 3 * 0x80 + 4, 0);
    assert_int_equal(page[3 * 0x20 + 1], 0);
    wr(0x2000 + 2 * 0x80, 0xffffffff); /* machine mode's */
    assert_int_equal(page[2 * 0x20], 0);
    assert_int_equal(plic_enable_bytes(1), 4096);
    assert_int_equal(plic_enable_bytes(PLIC_CONTEXTS), 4 * 4096);
}

static void every_offset(void **state)
{
    (void)state;
    static const unsigned widths[] = {0, 1, 2, 3, 4, 5, 8, 16, 0xffffffff};
    uint64_t value, seed = 5;
    for (uint32_t offset = 0; offset < 0x600010; offset++) {
        if (offset > 0x4100 && offset < 0x200000 - 16 && offset % 0x1000 > 16) {
            continue;
        }
        unsigned width = widths[unit_random(&seed) % 9];
        bool is = plic_read(&plic, offset, width, &value);
        assert_int_equal(is, plic_write(&plic, offset, width, unit_random(&seed)));
        assert_false(is && (width == 0 || width > 8 || offset % width));
    }
}

static void widths(void **state)
{
    (void)state;
    uint64_t value;
    assert_true(plic_write(&plic, PRIORITY(2), 8, 0x0000000500000003));
    assert_int_equal(rd(PRIORITY(2)), 3);
    assert_int_equal(rd(PRIORITY(3)), 5);
    assert_true(plic_read(&plic, PRIORITY(2), 8, &value));
    assert_int_equal(value, 0x0000000500000003);
    wr(ENABLE(1, 1), 0x11223344);
    assert_true(plic_read(&plic, ENABLE(1, 1) + 1, 1, &value));
    assert_int_equal(value, 0x33);
    assert_true(plic_read(&plic, ENABLE(1, 1) + 2, 2, &value));
    assert_int_equal(value, 0x1122);
    assert_true(plic_write(&plic, ENABLE(1, 1) + 2, 1, 0xffffffaa));
    assert_int_equal(rd(ENABLE(1, 1)), 0x11aa3344);
    assert_false(plic_read(&plic, PRIORITY(1), 8, &value));
    assert_false(plic_read(&plic, PRIORITY(1) + 1, 2, &value));
    assert_false(plic_read(&plic, PRIORITY(1) + 2, 4, &value));
    /* A byte of the claim register claims, and a byte written there completes. */
    open_source(9, 0);
    plic_pulse(&plic, 9);
    assert_true(plic_read(&plic, CLAIM(0), 1, &value));
    assert_int_equal(value, 9);
    assert_true(plic_write(&plic, CLAIM(0), 1, 9));
    plic_pulse(&plic, 9);
    assert_true(plic_read(&plic, THRESHOLD(0), 8, &value));
    assert_int_equal(value, 9ULL << 32);
}

static void level_source(void **state)
{
    (void)state;
    open_source(10, 1);
    plic_set_level(&plic, 10, true);
    assert_true(line[1]);
    assert_false(line[0]);
    assert_int_equal(rd(PENDING(0)), 1u << 10);
    assert_int_equal(rd(CLAIM(0)), 0); /* not enabled there */
    assert_int_equal(rd(CLAIM(1)), 10);
    assert_false(line[1]);
    assert_int_equal(rd(PENDING(0)), 0);
    assert_int_equal(rd(CLAIM(1)), 0);
    plic_set_level(&plic, 10, true); /* in service: the gateway is shut */
    assert_false(line[1]);
    wr(CLAIM(1), 10); /* still high: pends again */
    assert_true(line[1]);
    assert_int_equal(rd(CLAIM(1)), 10);
    plic_set_level(&plic, 10, false);
    wr(CLAIM(1), 10);
    assert_false(line[1]);
    assert_int_equal(rd(CLAIM(1)), 0);
}

/* What the gateway let through stays, as the specification has it. */
static void level_falls_before_claim(void **state)
{
    (void)state;
    open_source(10, 0);
    plic_set_level(&plic, 10, true);
    plic_set_level(&plic, 10, false);
    assert_true(line[0]);
    assert_int_equal(rd(CLAIM(0)), 10);
    wr(CLAIM(0), 10);
    assert_false(line[0]);
    assert_int_equal(rd(CLAIM(0)), 0);
}

static void edge_source(void **state)
{
    (void)state;
    open_source(33, 0);
    plic_pulse(&plic, 33);
    plic_pulse(&plic, 33); /* one with the first */
    assert_int_equal(rd(CLAIM(0)), 33);
    assert_int_equal(rd(CLAIM(0)), 0);
    plic_pulse(&plic, 33); /* in service: kept */
    plic_pulse(&plic, 33);
    assert_int_equal(rd(CLAIM(0)), 0);
    assert_false(line[0]);
    wr(CLAIM(0), 33);
    assert_true(line[0]);
    assert_int_equal(rd(CLAIM(0)), 33);
    wr(CLAIM(0), 33);
    assert_int_equal(rd(CLAIM(0)), 0);
}

/* Each time that a context is told may interrupt its hart: a peer that rings for ever, or a device,
 * can't do so more than once before the guest has claimed. */
static void a_storm_is_told_once(void **state)
{
    (void)state;
    open_source(33, 0);
    memset(told, 0, sizeof(told));
    for (unsigned n = 0; n < 100; n++)
        plic_pulse(&plic, 33);
    assert_int_equal(told[0], 1);
    for (unsigned n = 0; n < 100; n++)
        plic_set_level(&plic, 33, true);
    assert_int_equal(told[0], 1);
    assert_int_equal(rd(CLAIM(0)), 33);
    memset(told, 0, sizeof(told));
    for (unsigned n = 0; n < 100; n++)
        plic_pulse(&plic, 33);
    assert_int_equal(told[0], 0); /* in service */
    wr(CLAIM(0), 33);
    assert_int_equal(told[0], 1);
    assert_true(line[0]);
}

/* What is over before the gateway lets it through interrupts nobody; what pends stays. */
static void edge_taken_back(void **state)
{
    (void)state;
    open_source(33, 0);
    plic_pulse(&plic, 33);
    plic_take_back(&plic, 33);
    assert_int_equal(rd(CLAIM(0)), 33);
    plic_pulse(&plic, 33);
    plic_take_back(&plic, 33);
    plic_take_back(&plic, 0);
    plic_take_back(&plic, UINT32_MAX);
    wr(CLAIM(0), 33);
    assert_int_equal(rd(CLAIM(0)), 0);
}

static void order(void **state)
{
    (void)state;
    static const unsigned expected[] = {40, 95, 3, 64, 1};
    static const struct {
        unsigned source, priority;
    } sources[] = {{1, 1}, {3, 2}, {40, 7}, {64, 2}, {95, 3}, {2, 0}};
    for (size_t i = 0; i < 6; i++) {
        open_source(sources[i].source, 0);
        wr(PRIORITY(sources[i].source), sources[i].priority);
        plic_set_level(&plic, sources[i].source, true);
    }
    for (size_t i = 0; i < 5; i++) {
        assert_true(line[0]);
        assert_int_equal(rd(CLAIM(0)), expected[i]);
    }
    assert_int_equal(rd(CLAIM(0)), 0); /* priority 0 never interrupts */
    assert_false(line[0]);
    wr(PRIORITY(2), 1);
    assert_true(line[0]);
    assert_int_equal(rd(CLAIM(0)), 2);
}

static void threshold(void **state)
{
    (void)state;
    open_source(5, 0);
    wr(PRIORITY(5), 3);
    wr(THRESHOLD(0), 3);
    plic_set_level(&plic, 5, true);
    assert_false(line[0]);
    wr(THRESHOLD(0), 2);
    assert_true(line[0]);
    wr(THRESHOLD(0), 7);
    assert_false(line[0]);
    assert_int_equal(rd(CLAIM(0)), 5); /* a claim does not look at the threshold */
}

static void changes_that_move_the_line(void **state)
{
    (void)state;
    plic_set_level(&plic, 5, true);
    wr(ENABLE(2, 0), 1u << 5);
    assert_false(line[2]);
    wr(PRIORITY(5), 1);
    assert_true(line[2]);
    wr(PRIORITY(5), 0);
    assert_false(line[2]);
    wr(PRIORITY(5), 1);
    wr(ENABLE(2, 0), 0);
    assert_false(line[2]);
    wr(ENABLE(2, 0), 1u << 5);
    assert_true(line[2]);
    wr(ENABLE(3, 0), 1u << 5);
    assert_true(line[3]);
    assert_int_equal(rd(CLAIM(3)), 5); /* one claims, the other's line falls */
    assert_false(line[2]);
    assert_false(line[3]);
    assert_int_equal(rd(CLAIM(2)), 0);
}

static void completion_rules(void **state)
{
    (void)state;
    open_source(7, 0);
    plic_set_level(&plic, 7, true);
    wr(CLAIM(0), 7); /* not claimed: nothing happens */
    assert_int_equal(rd(PENDING(0)), 1u << 7);
    assert_int_equal(rd(CLAIM(0)), 7);
    wr(CLAIM(1), 7); /* not enabled there: ignored */
    wr(CLAIM(0), 0);
    wr(CLAIM(0), 96);
    wr(CLAIM(0), 1023);
    wr(CLAIM(0), 0xffffffff);
    assert_int_equal(rd(CLAIM(0)), 0);
    wr(ENABLE(0, 0), 0);
    wr(CLAIM(0), 7); /* not enabled any more: ignored, Linux enables it to complete */
    wr(ENABLE(0, 0), 1u << 7);
    assert_false(line[0]);
    wr(CLAIM(0), 7);
    assert_true(line[0]);
}

static void forwarded(void **state)
{
    (void)state;
    completions = 0;
    source_still_high = false;
    plic.completed = completed;
    open_source(20, 0);
    plic_set_level(&plic, 20, true);
    assert_int_equal(rd(CLAIM(0)), 20);
    assert_int_equal(completions, 0);
    wr(CLAIM(0), 20);
    assert_int_equal(completions, 1);
    assert_int_equal(last_completed, 20);
    assert_false(line[0]); /* the owner lowered it before the gateway looked */
    wr(CLAIM(0), 20);      /* a second completion is none */
    assert_int_equal(completions, 1);
    source_still_high = true;
    plic_set_level(&plic, 20, true);
    assert_int_equal(rd(CLAIM(0)), 20);
    wr(CLAIM(0), 20);
    assert_true(line[0]);
}

static void sources_that_do_not_exist(void **state)
{
    (void)state;
    const unsigned none[] = {0, plic.sources + 1, 1024, 0xffffffff};
    for (size_t i = 0; i < 4; i++) {
        plic_set_level(&plic, none[i], true);
        plic_set_level(&plic, none[i], false);
        plic_pulse(&plic, none[i]);
    }
    for (unsigned word = 0; word < PLIC_WORDS; word++) {
        assert_int_equal(rd(PENDING(word)), 0);
    }
    assert_int_equal(plic_room_bytes(1000, 5000), plic_room_bytes(PLIC_CONTEXTS, 1023));
}

/* Each source there is goes round once, in each context, whatever else has been used before. */
static void every_source(void **state)
{
    (void)state;
    plic.completed = completed;
    completions = 0;
    source_still_high = false;
    for (unsigned source = 1; source <= plic.sources; source++) {
        unsigned context = source % 4;
        open_source(source, context);
        plic_set_level(&plic, source, true);
        assert_true(line[context]);
        assert_int_equal(rd(PENDING(source / 32)), 1u << source % 32);
        assert_int_equal(rd(CLAIM(context)), source);
        assert_false(line[context]);
        wr(CLAIM(context), source);
        assert_int_equal(last_completed, source);
        assert_int_equal(rd(CLAIM(context)), 0);
    }
    assert_int_equal(completions, plic.sources);
}

/* All of them at once: by priority, then by number. */
static void all_sources_at_once(void **state)
{
    (void)state;
    for (unsigned source = 1; source <= plic.sources; source++) {
        open_source(source, 0);
        wr(PRIORITY(source), source % 7 + 1);
        plic_pulse(&plic, source);
    }
    unsigned taken = 0, before = 0, priority = 8;
    for (unsigned source; (source = rd(CLAIM(0))); taken++, before = source) {
        unsigned its = source % 7 + 1;
        assert_true(its < priority || (its == priority && source > before));
        priority = its;
    }
    assert_int_equal(taken, plic.sources);
    plic_init(&plic);
    assert_int_equal(plic.words, 0);
    assert_false(plic_line(&plic, 0));
}

/* A look costs by the words that hold devices, not by the sources there are. */
static void only_used_words_are_looked_at(void **state)
{
    (void)state;
    assert_int_equal(plic.words, 0);
    open_source(500, 2);
    plic_pulse(&plic, 500);
    plic_pulse(&plic, 501);
    assert_int_equal(plic.words, 1u << 500 / 32);
    assert_true(line[2]);
    assert_int_equal(rd(CLAIM(2)), 500);
}

/*
 * Four harts claim the same sources while a fifth fires them. No source may be in service twice,
 * and every edge must lead to a claim after it: at the end nothing is left over.
 */
static _Atomic unsigned in_service[PLIC_MAX_SOURCE + 1], claims, twice;
static _Atomic bool stop;

static void no_report(struct plic *which, unsigned context)
{
    (void)which;
    (void)context;
}

static void serve(unsigned context)
{
    uint64_t source;
    plic_read(&plic, CLAIM(context), 4, &source);
    if (source) {
        twice += atomic_fetch_add(&in_service[source], 1) != 0;
        claims++;
        atomic_fetch_sub(&in_service[source], 1);
        plic_write(&plic, CLAIM(context), 4, source);
    }
}

static void *hart(void *context)
{
    while (!stop) {
        serve((unsigned)(uintptr_t)context);
    }
    return NULL;
}

static void many_harts(void **state)
{
    (void)state;
    plic.changed = no_report;
    for (unsigned context = 0; context < 4; context++) {
        for (unsigned source = 1; source <= 3; source++) {
            open_source(source, context);
        }
    }
    pthread_t threads[4];
    stop = false;
    claims = twice = 0;
    for (uintptr_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, hart, (void *)i), 0);
    }
    for (unsigned i = 0; i < 60000; i++) {
        unsigned before = claims;
        plic_pulse(&plic, 1 + i % 2);
        plic_set_level(&plic, 3, i % 3 == 0);
        if (i % 64 == 0) {
            /* This edge must be seen without another one to push it. */
            for (unsigned spin = 0; claims == before && spin < 100000000; spin++) {
            }
            assert_int_not_equal(claims, before);
        }
    }
    stop = true;
    for (unsigned i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    plic_set_level(&plic, 3, false);
    for (unsigned i = 0; i < 8; i++) {
        serve(i % 4);
    }
    assert_int_equal(twice, 0);
    for (unsigned word = 0; word < PLIC_WORDS; word++) {
        assert_int_equal(plic.claimed[word] | plic.edge[word] | plic.pending[word], 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(registers, setup),
        {"registers, 512", registers, setup_512, NULL, NULL},
        {"registers, 1023", registers, setup_most, NULL, NULL},
        cmocka_unit_test_setup(enables_lie_as_the_map_has_them, setup),
        cmocka_unit_test_setup(contexts_of_harts_that_are_not_there, setup),
        cmocka_unit_test_setup(every_offset, setup),
        {"every_offset, 1023", every_offset, setup_most, NULL, NULL},
        cmocka_unit_test_setup(widths, setup),
        cmocka_unit_test_setup(level_source, setup),
        cmocka_unit_test_setup(level_falls_before_claim, setup),
        cmocka_unit_test_setup(edge_taken_back, setup),
        cmocka_unit_test_setup(a_storm_is_told_once, setup),
        cmocka_unit_test_setup(edge_source, setup),
        cmocka_unit_test_setup(order, setup),
        cmocka_unit_test_setup(threshold, setup),
        cmocka_unit_test_setup(changes_that_move_the_line, setup),
        cmocka_unit_test_setup(completion_rules, setup),
        cmocka_unit_test_setup(forwarded, setup),
        cmocka_unit_test_setup(sources_that_do_not_exist, setup),
        {"sources_that_do_not_exist, 512", sources_that_do_not_exist, setup_512, NULL, NULL},
        cmocka_unit_test_setup(every_source, setup_512),
        {"every_source, 1023", every_source, setup_most, NULL, NULL},
        cmocka_unit_test_setup(all_sources_at_once, setup_512),
        {"all_sources_at_once, 1023", all_sources_at_once, setup_most, NULL, NULL},
        cmocka_unit_test_setup(only_used_words_are_looked_at, setup_most),
        cmocka_unit_test_setup(many_harts, setup),
    };
    return cmocka_run_group_tests_name("plic", tests, NULL, NULL);
}
