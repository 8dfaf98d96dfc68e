/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM of engine shadow whose state needs no hart, for tests of state. */
#ifndef TESTS_UNIT_STATE_GUEST_H
#define TESTS_UNIT_STATE_GUEST_H

#include "tests/unit/guests.h"

#include "caldarium/caldarium.h"
#include "lib/engine/shadow/shadow.h"
#include "riscv/csr.h"

#define VLENB 16U

static uint8_t hidden[ISA_EXT_COUNT], vectors[GUEST_VCPUS][32 * VLENB];
static struct engine_ops engine;
static bool time_closes, guest_without_uart;

/* Of engine shadow, what touches a real hart. */
static unsigned forgotten;
void s_tables_reset(struct engine_vcpu *v)
{
    (void)v;
    forgotten++;
}

static bool time_can_stand(const struct engine_vm *vm)
{
    (void)vm;
    return time_closes;
}

static void time_stood(struct engine_vcpu *v, uint64_t ticks)
{
    v->s.timer = v->s.timer < UINT64_MAX - ticks ? v->s.timer + ticks : UINT64_MAX;
}

/* All that a reset changes and a test looks at. */
static void forget_state(struct engine_vcpu *v, uint64_t pc, uint64_t a0, uint64_t a1)
{
    void *vector = v->s.units.vector;
    (void)a0, (void)a1;
    memset(v->gpr, 0, sizeof(v->gpr));
    memset(&v->s, 0, sizeof(v->s));
    v->s.units.vector = vector;
    v->s.timer = UINT64_MAX;
    v->pc = pc;
}

/* A VM of engine shadow with so many MiB. */
static void describe(enum config_irqchip irqchip, unsigned mib)
{
    guest_configure(mib);
    memset(hidden, 0, sizeof(hidden));
    hidden[ISA_H] = 1;
    engine = fake_engine;
    engine.regs = s_regs;
    engine.special = s_special;
    engine.set_special = s_set_special;
    engine.time_can_stand = time_can_stand;
    engine.time_stood = time_stood;
    engine.vcpu_reset = forget_state;
    time_closes = true;
    guest_machine.told.vector_bytes = VLENB;
    guest_config.irqchip = irqchip;
    guest_config.console = guest_without_uart ? CONSOLE_NONE : CONSOLE_UART;
    board.imsic_ids = 255;
    guest_engine = &engine;
    guest_make();
    guest->eng.isa_disable = hidden;
    guest->eng.s.has_fp = guest->eng.s.has_vector = true;
    guest->eng.s.has_senvcfg = true;
    guest->eng.s.scounteren = 7;
    guest->eng.s.levels = 4;
    guest->eng.s.envcfg = ENVCFG_FIOM | ENVCFG_CBCFE | ENVCFG_CBIE_INVAL;
    assert_int_equal(memory_take(&guest_vm), 0);
    for (unsigned n = 0; n < GUEST_VCPUS; n++) {
        guest_vcpus[n].eng.s.units.vector = vectors[n];
        guest_vcpus[n].eng.s.timer = UINT64_MAX;
    }
}

static bool uart_send(void *owner, uint8_t byte)
{
    (void)owner, (void)byte;
    return true;
}

static void uart_nothing(void *owner)
{
    (void)owner;
}

static void uart_irq(void *owner, bool data, enum ns16550a_empty empty)
{
    (void)owner, (void)data, (void)empty;
}

static inline void give_back(void)
{
    guest_end();
    assert_int_equal(sim_pages_taken, 0);
}

static uint64_t random_state = 0x9e3779b97f4a7c15;
static uint64_t random_value(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    switch (random_state >> 60) {
    case 0:
        return UINT64_MAX;
    case 1 ... 6:
        return random_state >> 8 & 0xff;
    case 7:
        return GUEST_RAM + (random_state & 0xffffc0);
    default:
        return random_state;
    }
}

static size_t uart_room(void *owner)
{
    (void)owner;
    return random_value() & 0xfff;
}

static void uart_connect(void)
{
    guest->uart.send = uart_send;
    guest->uart.room = uart_room;
    guest->uart.sent = guest->uart.taken = uart_nothing;
    guest->uart.irq = uart_irq;
}

/* As a guest and its host would: whatever its state is. */
static void use_everything(void)
{
    uint64_t value;
    for (unsigned n = 0; n < GUEST_VCPUS; n++) {
        struct cald_vcpu *vcpu = &guest_vcpus[n];
        sbi_sta_update(vcpu);
        vm_irq_show(vcpu);
        if (guest_config.irqchip == IRQCHIP_PLIC) {
            plic_read(&guest->plic, 0x201004 + 0x2000 * n, 4, &value);
            plic_write(&guest->plic, 0x201004 + 0x2000 * n, 4, value);
        } else {
            aplic_read(&guest->aplic, 0x401c + 32 * n, 4, &value);
        }
        for (unsigned counter = 0; counter < PMU_COUNTERS; counter++) {
            const uint64_t args[6] = {counter, 1, 2, 0};
            sbi_pmu.handle(vcpu, SBI_EXT_PMU, 4, args); /* stop, to the snapshot */
            sbi_pmu.handle(vcpu, SBI_EXT_PMU, 5, args);
        }
    }
    for (unsigned reg = 0; reg < 8; reg++) {
        ns16550a_read(&guest->uart, reg, 1, &value);
        ns16550a_write(&guest->uart, reg, 1, value);
    }
    ns16550a_receive(&guest->uart, 'x');
}

#endif
