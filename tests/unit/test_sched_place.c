/* SPDX-License-Identifier: BSD-2-Clause */
/* The operator gives a VM another share (`set`): for all of its vCPUs, or for none. */
#include "tests/unit/unit.h"

#include "host/bare/sched.h"
#include "lib/vm/vm.h"

#define HARTS 3
#define VCPUS 2

struct hart harts[BOARD_HARTS];
unsigned hart_count = HARTS;

static struct vm_config config = {.name = "web", .vcpus = VCPUS};
static struct cald_vcpu vcpus[VCPUS];
static struct cald_vm cald = {.vcpus = vcpus, .vcpu_count = VCPUS};
static struct vm vm = {.config = &config, .cald = &cald};
struct vm *vms = &vm;
unsigned vm_count = 1;
static struct sched_entity entities[VCPUS];
static unsigned nudged;

void sched_nudge(struct hart *hart)
{
    nudged |= 1u << hart->index;
}

struct hart *sched_lock_home(struct sched_entity *entity)
{
    return &harts[entity->home];
}

static int set_up(void **state)
{
    (void)state;
    memset(harts, 0, sizeof(harts));
    memset(entities, 0, sizeof(entities));
    for (unsigned n = 0; n < HARTS; n++)
        harts[n].index = n;
    for (unsigned n = 0; n < VCPUS; n++) {
        vcpus[n].host = &entities[n];
        entities[n] = (struct sched_entity){
            .vcpu = &vcpus[n], .state = ENTITY_BLOCKED, .home = n, .priority = PRIORITY_DEFAULT};
    }
    nudged = 0;
    return 0;
}

static const struct sched_share fifth = {.priority = 1, .budget = 20, .period = 100};

static void test_all_or_none(void **state)
{
    (void)state;
    harts[1].rq.reserved_ppm = 900000; /* another VM's */
    assert_false(sched_change(&vm, &fifth));
    for (unsigned n = 0; n < VCPUS; n++) {
        assert_int_equal(entities[n].priority, PRIORITY_DEFAULT);
        assert_int_equal(entities[n].budget, 0);
        assert_int_equal(entities[n].reserved_ppm, 0);
        assert_true(lock_try(&harts[n].rq.lock)); /* nobody holds it */
        lock_release(&harts[n].rq.lock);
    }
    assert_int_equal(harts[0].rq.reserved_ppm, 0);
    assert_int_equal(harts[1].rq.reserved_ppm, 900000);
    assert_int_equal(nudged, 0);

    harts[1].rq.reserved_ppm = 800000;
    assert_true(sched_change(&vm, &fifth));
    for (unsigned n = 0; n < VCPUS; n++) {
        assert_int_equal(entities[n].priority, 1);
        assert_int_equal(entities[n].budget, 20);
        assert_int_equal(entities[n].period, 100);
    }
    assert_int_equal(harts[0].rq.reserved_ppm, 200000);
    assert_int_equal(harts[1].rq.reserved_ppm, 1000000);
    assert_int_equal(nudged, 3);

    /* What it had is given back first. */
    assert_true(sched_change(&vm, &(struct sched_share){1, 15, 100}));
    assert_int_equal(harts[1].rq.reserved_ppm, 950000);
    assert_true(sched_change(&vm, &(struct sched_share){1, 0, 0}));
    assert_int_equal(harts[0].rq.reserved_ppm, 0);
    assert_int_equal(harts[1].rq.reserved_ppm, 800000);
}

/* Two at home on one hart need twice as much there. */
static void test_two_at_one_home(void **state)
{
    (void)state;
    entities[1].home = 0;
    assert_false(sched_change(&vm, &(struct sched_share){1, 60, 100}));
    assert_int_equal(harts[0].rq.reserved_ppm, 0);
    assert_int_equal(entities[0].budget, 0);
    assert_true(sched_change(&vm, &(struct sched_share){1, 50, 100}));
    assert_int_equal(harts[0].rq.reserved_ppm, 1000000);
    entities[1].state = ENTITY_OFF; /* not placed: it has no share */
    entities[1].reserved_ppm = 0;
    harts[0].rq.reserved_ppm = 500000;
    assert_true(sched_change(&vm, &(struct sched_share){1, 60, 100}));
    assert_int_equal(harts[0].rq.reserved_ppm, 600000);
}

static void test_a_throttled_one_is_ready(void **state)
{
    (void)state;
    assert_true(sched_change(&vm, &fifth));
    entities[0].state = ENTITY_THROTTLED;
    entities[0].in_timers = true;
    heap_add(&harts[0].rq.timers, &entities[0].node, 1000);
    assert_true(sched_change(&vm, &fifth));
    assert_false(entities[0].in_timers);
    assert_int_equal(entities[0].state, ENTITY_READY);
    assert_ptr_equal(runqueue_best(&harts[0].rq), &entities[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_all_or_none, set_up),
        cmocka_unit_test_setup(test_two_at_one_home, set_up),
        cmocka_unit_test_setup(test_a_throttled_one_is_ready, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
