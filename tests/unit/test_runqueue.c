/* SPDX-License-Identifier: BSD-2-Clause */
/* Who runs next: priorities, turns, reservations, sleeps; and the heap below them. */
#include "tests/unit/unit.h"

#include "host/bare/runqueue.h"

#define SEATS 64
static struct runqueue rq;
static struct seat seats[SEATS];

static int set_up(void **state)
{
    (void)state;
    memset(&rq, 0, sizeof(rq));
    memset(seats, 0, sizeof(seats));
    rq.slice_end = UINT64_MAX;
    for (unsigned n = 0; n < SEATS; n++)
        seats[n].priority = PRIORITY_DEFAULT;
    return 0;
}

static struct seat *take(void)
{
    struct seat *seat = runqueue_best(&rq);
    if (seat) {
        runqueue_remove(&rq, seat);
        seat->state = SEAT_RUNNING;
    }
    return seat;
}

static void test_heap(void **state)
{
    (void)state;
    static struct heap_node nodes[1000];
    static bool in[1000];
    struct heap heap = {NULL};
    uint64_t seed = 1;
    memset(in, 0, sizeof(in));
    for (unsigned step = 0; step < 100000; step++) {
        unsigned n = (unsigned)(unit_random(&seed) % 1000);
        if (in[n])
            heap_remove(&heap, &nodes[n]);
        else
            heap_add(&heap, &nodes[n], unit_random(&seed) % 500);
        in[n] = !in[n];
        if (step % 1000)
            continue;
        uint64_t least = UINT64_MAX;
        for (unsigned i = 0; i < 1000; i++)
            least = in[i] && nodes[i].key < least ? nodes[i].key : least;
        assert_int_equal(heap.root ? heap.root->key : UINT64_MAX, least);
    }
    for (uint64_t last = 0; heap.root;) {
        assert_true(heap.root->key >= last);
        last = heap.root->key;
        heap_remove(&heap, heap.root);
    }
}

static void test_turns(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 4; n++)
        runqueue_add(&rq, &seats[n], 0, false);
    for (unsigned n = 0; n < 12; n++) {
        struct seat *seat = take();
        assert_ptr_equal(seat, &seats[n % 4]);
        runqueue_add(&rq, seat, n, false);
    }
    runqueue_remove(&rq, &seats[1]);
    assert_int_equal(rq.ready, 3);
    assert_ptr_equal(take(), &seats[0]);
    assert_ptr_equal(take(), &seats[2]);
    assert_ptr_equal(take(), &seats[3]);
    assert_null(take());
    assert_int_equal(rq.levels, 0);
}

/* One that comes from another hart keeps its place by how long it has waited. */
static void test_place_by_wait(void **state)
{
    (void)state;
    static const uint64_t since[] = {25, 5, 10, 40, 20};
    runqueue_add(&rq, &seats[0], 10, false);
    runqueue_add(&rq, &seats[1], 20, false);
    runqueue_add(&rq, &seats[2], 30, false);
    assert_int_equal(runqueue_load(&rq, &seats[9]), 3);
    for (unsigned n = 0; n < 5; n++)
        runqueue_add_since(&rq, &seats[3 + n], since[n]);
    static const unsigned order[] = {4, 0, 5, 1, 7, 3, 2, 6};
    assert_int_equal(runqueue_load(&rq, &seats[9]), 8);
    for (unsigned n = 0; n < 8; n++)
        assert_ptr_equal(take(), &seats[order[n]]);
    assert_null(take());
    assert_int_equal(runqueue_load(&rq, &seats[9]), 0);
}

static void test_priorities(void **state)
{
    (void)state;
    seats[1].priority = 31;
    seats[2].priority = 0;
    for (unsigned n = 0; n < 3; n++)
        runqueue_add(&rq, &seats[n], 0, false);
    seats[3].urgent = true;
    runqueue_add(&rq, &seats[3], 0, false);
    assert_ptr_equal(take(), &seats[3]);
    assert_ptr_equal(take(), &seats[1]);
    assert_ptr_equal(take(), &seats[0]);
    assert_ptr_equal(take(), &seats[2]);
    assert_true(runqueue_before(&seats[1], &seats[0]));
    assert_false(runqueue_before(&seats[0], &seats[0]));
}

static void reserve(struct seat *seat, uint64_t budget, uint64_t period)
{
    seat->budget = seat->budget_left = budget;
    seat->period = period;
}

static void test_reservation_is_kept_and_enforced(void **state)
{
    (void)state;
    reserve(&seats[0], 20, 100);
    runqueue_sleep(&rq, &seats[0], SEAT_BLOCKED, UINT64_MAX);
    runqueue_wake(&rq, &seats[0], 1000);
    for (unsigned n = 1; n < 10; n++)
        runqueue_add(&rq, &seats[n], 1000, false);
    uint64_t got = 0, now = 1000;
    while (now < 101000) { /* in steps of one tick, as nobody else would look */
        runqueue_expire(&rq, now);
        struct seat *seat = take();
        seat->charged = now++;
        got += seat == &seats[0];
        if (runqueue_charge(&rq, seat, now))
            runqueue_sleep(&rq, seat, SEAT_THROTTLED, seat->deadline);
        else
            runqueue_add(&rq, seat, now, false);
    }
    assert_int_equal(got, 20000);
}

/* One that sleeps through a period does not save its budget for later. */
static void test_reservation_is_not_saved(void **state)
{
    (void)state;
    reserve(&seats[0], 20, 100);
    runqueue_sleep(&rq, &seats[0], SEAT_BLOCKED, UINT64_MAX);
    runqueue_wake(&rq, &seats[0], 0);
    assert_ptr_equal(take(), &seats[0]);
    seats[0].charged = 0;
    assert_false(runqueue_charge(&rq, &seats[0], 10));
    runqueue_sleep(&rq, &seats[0], SEAT_BLOCKED, UINT64_MAX);
    runqueue_wake(&rq, &seats[0], 99); /* 10 of 20 left for one tick: more than its rate */
    assert_int_equal(seats[0].budget_left, 20);
    assert_int_equal(seats[0].deadline, 199);
}

static void test_earliest_deadline_first(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 8; n++) {
        reserve(&seats[n], 10, 1000);
        seats[n].deadline = 1000 - 10 * ((n * 5) % 8);
        runqueue_add(&rq, &seats[n], 0, false);
    }
    runqueue_add(&rq, &seats[8], 0, false);
    for (uint64_t last = 0; rq.ready > 1;) {
        struct seat *seat = take();
        assert_true(seat->deadline >= last);
        last = seat->deadline;
    }
    assert_ptr_equal(take(), &seats[8]);
}

static void test_sleepers_wake_in_time(void **state)
{
    (void)state;
    for (unsigned n = 0; n < SEATS; n++)
        runqueue_sleep(&rq, &seats[n], SEAT_BLOCKED, 1000 + (n * 37) % SEATS);
    assert_int_equal(runqueue_deadline(&rq), 1000);
    runqueue_expire(&rq, 999);
    assert_int_equal(rq.ready, 0);
    runqueue_expire(&rq, 1000 + SEATS / 2 - 1);
    assert_int_equal(rq.ready, SEATS / 2);
    assert_int_equal(runqueue_deadline(&rq), 1000 + SEATS / 2);
}

/* A hart that is held up at the end of turns: everybody gets the same all the same. */
static void test_late_looks_are_made_up_for(void **state)
{
    (void)state;
    rq.slice = 100;
    uint64_t seed = 3, now = 0, got[5] = {0};
    for (unsigned n = 0; n < 5; n++)
        runqueue_add(&rq, &seats[n], 0, false);
    while (now < 1000000) {
        struct seat *seat = rq.current = take();
        seat->charged = now;
        runqueue_turn(&rq, now);
        uint64_t from = now;
        now = rq.slice_end + (seat == &seats[0] ? unit_random(&seed) % 150 : 0);
        got[seat - seats] += now - from;
        runqueue_charge(&rq, seat, now);
        seat->in_turn = false;
        rq.slice_end = UINT64_MAX;
        runqueue_add(&rq, seat, now, false);
    }
    for (unsigned n = 1; n < 5; n++)
        assert_true(got[0] < got[n] + 400 && got[n] < got[0] + 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_heap, set_up),
        cmocka_unit_test_setup(test_turns, set_up),
        cmocka_unit_test_setup(test_priorities, set_up),
        cmocka_unit_test_setup(test_place_by_wait, set_up),
        cmocka_unit_test_setup(test_reservation_is_kept_and_enforced, set_up),
        cmocka_unit_test_setup(test_reservation_is_not_saved, set_up),
        cmocka_unit_test_setup(test_earliest_deadline_first, set_up),
        cmocka_unit_test_setup(test_sleepers_wake_in_time, set_up),
        cmocka_unit_test_setup(test_late_looks_are_made_up_for, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
