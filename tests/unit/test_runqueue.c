/* SPDX-License-Identifier: BSD-2-Clause */
/* Who runs next: priorities, turns, reservations, sleeps; and the heap below them. */
#include "tests/unit/unit.h"

#include "host/bare/runqueue.h"

#define ENTITIES 64
static struct runqueue rq;
static struct sched_entity entities[ENTITIES];

static int set_up(void **state)
{
    (void)state;
    memset(&rq, 0, sizeof(rq));
    memset(entities, 0, sizeof(entities));
    rq.slice_end = UINT64_MAX;
    for (unsigned n = 0; n < ENTITIES; n++)
        entities[n].priority = PRIORITY_DEFAULT;
    return 0;
}

static struct sched_entity *take(void)
{
    struct sched_entity *entity = runqueue_best(&rq);
    if (entity) {
        runqueue_remove(&rq, entity);
        entity->state = ENTITY_RUNNING;
    }
    return entity;
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
        runqueue_add(&rq, &entities[n], 0, false);
    for (unsigned n = 0; n < 12; n++) {
        struct sched_entity *entity = take();
        assert_ptr_equal(entity, &entities[n % 4]);
        runqueue_add(&rq, entity, n, false);
    }
    runqueue_remove(&rq, &entities[1]);
    assert_int_equal(rq.ready, 3);
    assert_ptr_equal(take(), &entities[0]);
    assert_ptr_equal(take(), &entities[2]);
    assert_ptr_equal(take(), &entities[3]);
    assert_null(take());
    assert_int_equal(rq.levels, 0);
}

/* One that comes from another hart keeps its place by how long it has waited. */
static void test_place_by_wait(void **state)
{
    (void)state;
    static const uint64_t since[] = {25, 5, 10, 40, 20};
    runqueue_add(&rq, &entities[0], 10, false);
    runqueue_add(&rq, &entities[1], 20, false);
    runqueue_add(&rq, &entities[2], 30, false);
    assert_int_equal(runqueue_load(&rq, &entities[9]), 3);
    for (unsigned n = 0; n < 5; n++)
        runqueue_add_since(&rq, &entities[3 + n], since[n]);
    static const unsigned order[] = {4, 0, 5, 1, 7, 3, 2, 6};
    assert_int_equal(runqueue_load(&rq, &entities[9]), 8);
    for (unsigned n = 0; n < 8; n++)
        assert_ptr_equal(take(), &entities[order[n]]);
    assert_null(take());
    assert_int_equal(runqueue_load(&rq, &entities[9]), 0);
}

static void test_priorities(void **state)
{
    (void)state;
    entities[1].priority = 31;
    entities[2].priority = 0;
    for (unsigned n = 0; n < 3; n++)
        runqueue_add(&rq, &entities[n], 0, false);
    entities[3].urgent = true;
    runqueue_add(&rq, &entities[3], 0, false);
    assert_ptr_equal(take(), &entities[3]);
    assert_ptr_equal(take(), &entities[1]);
    assert_ptr_equal(take(), &entities[0]);
    assert_ptr_equal(take(), &entities[2]);
    assert_true(runqueue_before(&entities[1], &entities[0]));
    assert_false(runqueue_before(&entities[0], &entities[0]));
}

static void reserve(struct sched_entity *entity, uint64_t budget, uint64_t period)
{
    entity->budget = entity->budget_left = budget;
    entity->period = period;
}

static void test_reservation_is_kept_and_enforced(void **state)
{
    (void)state;
    reserve(&entities[0], 20, 100);
    runqueue_sleep(&rq, &entities[0], ENTITY_BLOCKED, UINT64_MAX);
    runqueue_wake(&rq, &entities[0], 1000);
    for (unsigned n = 1; n < 10; n++)
        runqueue_add(&rq, &entities[n], 1000, false);
    uint64_t got = 0, now = 1000;
    while (now < 101000) { /* in steps of one tick, as nobody else would look */
        runqueue_expire(&rq, now);
        struct sched_entity *entity = take();
        entity->charged = now++;
        got += entity == &entities[0];
        if (runqueue_charge(&rq, entity, now))
            runqueue_sleep(&rq, entity, ENTITY_THROTTLED, entity->deadline);
        else
            runqueue_add(&rq, entity, now, false);
    }
    assert_int_equal(got, 20000);
}

/* One that sleeps through a period does not save its budget for later. */
static void test_reservation_is_not_saved(void **state)
{
    (void)state;
    reserve(&entities[0], 20, 100);
    runqueue_sleep(&rq, &entities[0], ENTITY_BLOCKED, UINT64_MAX);
    runqueue_wake(&rq, &entities[0], 0);
    assert_ptr_equal(take(), &entities[0]);
    entities[0].charged = 0;
    assert_false(runqueue_charge(&rq, &entities[0], 10));
    runqueue_sleep(&rq, &entities[0], ENTITY_BLOCKED, UINT64_MAX);
    runqueue_wake(&rq, &entities[0], 99); /* 10 of 20 left for one tick: more than its rate */
    assert_int_equal(entities[0].budget_left, 20);
    assert_int_equal(entities[0].deadline, 199);
}

static void test_earliest_deadline_first(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 8; n++) {
        reserve(&entities[n], 10, 1000);
        entities[n].deadline = 1000 - 10 * ((n * 5) % 8);
        runqueue_add(&rq, &entities[n], 0, false);
    }
    runqueue_add(&rq, &entities[8], 0, false);
    for (uint64_t last = 0; rq.ready > 1;) {
        struct sched_entity *entity = take();
        assert_true(entity->deadline >= last);
        last = entity->deadline;
    }
    assert_ptr_equal(take(), &entities[8]);
}

static void test_sleepers_wake_in_time(void **state)
{
    (void)state;
    for (unsigned n = 0; n < ENTITIES; n++)
        runqueue_sleep(&rq, &entities[n], ENTITY_BLOCKED, 1000 + (n * 37) % ENTITIES);
    assert_int_equal(runqueue_deadline(&rq), 1000);
    runqueue_expire(&rq, 999);
    assert_int_equal(rq.ready, 0);
    runqueue_expire(&rq, 1000 + ENTITIES / 2 - 1);
    assert_int_equal(rq.ready, ENTITIES / 2);
    assert_int_equal(runqueue_deadline(&rq), 1000 + ENTITIES / 2);
}

/* A hart that is held up at the end of turns: everybody gets the same all the same. */
static void test_late_looks_are_made_up_for(void **state)
{
    (void)state;
    rq.slice = 100;
    uint64_t seed = 3, now = 0, got[5] = {0};
    for (unsigned n = 0; n < 5; n++)
        runqueue_add(&rq, &entities[n], 0, false);
    while (now < 1000000) {
        struct sched_entity *entity = rq.current = take();
        entity->charged = now;
        runqueue_turn(&rq, now);
        uint64_t from = now;
        now = rq.slice_end + (entity == &entities[0] ? unit_random(&seed) % 150 : 0);
        got[entity - entities] += now - from;
        runqueue_charge(&rq, entity, now);
        entity->in_turn = false;
        rq.slice_end = UINT64_MAX;
        runqueue_add(&rq, entity, now, false);
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
