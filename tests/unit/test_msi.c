/* SPDX-License-Identifier: BSD-2-Clause */
/* Notices of devices' messages, which the console's hart is sent: however fast they come, it has
 * most of its time left for others, and none is lost. */
#include "tests/unit/unit.h"

#include "caldarium/devices.h"
#include "appliance/vm.h"
#include "host/bare/hart.h"
#include "host/bare/iommu.h"
#include "host/bare/irqchip.h"
#include "host/bare/msi.h"
#include "host/host.h"

struct hart harts[BOARD_HARTS];
unsigned console_hart;
static void (*serve)(void *owner);
static bool held;
static uint64_t now, cost, again;

bool irqchip_msi(unsigned context, void (*server)(void *owner), void *owner,
                 struct irqchip_msi *msi)
{
    (void)context, (void)owner;
    serve = server;
    *msi = (struct irqchip_msi){.address = 0x28000000, .data = 7};
    return true;
}

void irqchip_msi_hold(const struct irqchip_msi *msi, bool hold)
{
    assert_int_equal(msi->data, 7);
    held = hold;
}

void hart_notice_deadline(uint64_t when)
{
    again = when;
}

void iommu_flush(struct vm *vm)
{
    (void)vm;
}

/* Each look at the clock finds it later: what is between two took that long. */
uint64_t host_time(void)
{
    uint64_t then = now;
    now += cost;
    return then;
}

uint64_t host_timebase(void)
{
    return 10000000;
}

/* A storm: there is a notice as soon as one comes through. */
static uint64_t part_for_notices(uint64_t each, unsigned count)
{
    uint64_t since = now = 1000, spent = 0;
    cost = each;
    for (unsigned n = 0; n < count; n++) {
        assert_false(held);
        serve(NULL);
        spent += each;
        assert_true(held);
        assert_true(again >= now);
        now = again;
        msi_notice_again();
    }
    return now > since ? spent * 100 / (now - since) : 100;
}

static void a_storm_has_a_tenth(void **state)
{
    (void)state;
    harts[0].irq_context = 0;
    msi_begin();
    assert_true(part_for_notices(1, 1000) <= 10);
    assert_true(part_for_notices(50, 1000) <= 10);
    assert_true(part_for_notices(100000, 10) <= 10);
    /* The first one behind a pause waits for nothing, and a cheap one no more than 20 us. */
    cost = 1;
    serve(NULL);
    assert_true(again - now <= 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_storm_has_a_tenth)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
