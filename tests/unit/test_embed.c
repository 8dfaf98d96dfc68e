/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The library in a process, as any host embeds it: a guest's whole boot protocol, interrupts from
 * other threads while its vCPUs run in theirs, and two machines beside each other. The engine is a
 * model whose guests are scripts (tests/unit/scripted.h).
 */
#include "tests/unit/unit.h"

#include <unistd.h>

#include "host/sim/embed.h"
#include "tests/unit/scripted.h"

#define VCPUS 4
#define PATIENCE_S 120
#define PLIC 0x0c000000UL
#define CLAIM (PLIC + 0x201004) /* of vCPU 0 in S-mode: context 1 */
#define UART 0x10000000UL
#define SOURCE 33
#define SOFT (1UL << GUEST_IRQ_SOFT)
#define TIMER (1UL << GUEST_IRQ_TIMER)
#define EXTERNAL (1UL << GUEST_IRQ_EXTERNAL)

#define AT(n) (SCRIPT_RAM + 4 * (n))
#define CALL(extension, function, a0, a1, a2, answer, second)                                      \
    {                                                                                              \
        .what = SCRIPT_SBI, .a = extension, .b = function, .c = a0, .d = a1, .e = a2,              \
        .error = answer, .value = second                                                           \
    }
#define LOAD(gpa, bytes, expected)                                                                 \
    {                                                                                              \
        .what = SCRIPT_LOAD, .a = gpa, .b = bytes, .c = expected                                   \
    }
#define STORE(gpa, bytes, what_)                                                                   \
    {                                                                                              \
        .what = SCRIPT_STORE, .a = gpa, .b = bytes, .c = what_                                     \
    }
#define DO(what_)                                                                                  \
    {                                                                                              \
        .what = what_                                                                              \
    }
#define DO1(what_, first)                                                                          \
    {                                                                                              \
        .what = what_, .a = first                                                                  \
    }
#define DO2(what_, first, second)                                                                  \
    {                                                                                              \
        .what = what_, .a = first, .b = second                                                     \
    }

/* Words of the guest's memory. */
enum { STARTED, HANDLED, GO };

static const struct script_op boot[] = {
    /* SBI: what is there? */
    CALL(SBI_EXT_BASE, 0, 0, 0, 0, 0, SCRIPT_ANY),
    CALL(SBI_EXT_BASE, 3, SBI_EXT_HSM, 0, 0, 0, 1),
    CALL(SBI_EXT_BASE, 3, 0x0badbad, 0, 0, 0, 0),
    CALL(SBI_EXT_BASE, 4, 0, 0, 0, 0, 0x5e1),
    CALL(0x0badbad, 0, 0, 0, 0, (uint64_t)SBI_ERR_NOT_SUPPORTED, SCRIPT_ANY),
    /* The console, by the port's registers: its line status, then bytes. */
    LOAD(UART + 5, 1, 0x60),
    STORE(UART, 1, 'h'),
    STORE(UART, 1, 'i'),
    /* A page of nothing is an access that nobody answers: see the fault's own test. */
    /* The interrupt controller: source 33 goes to this vCPU. */
    STORE(PLIC + 4 * SOURCE, 4, 1),
    STORE(PLIC + 0x2080 + 4 * (SOURCE / 32), 4, 1U << SOURCE % 32),
    STORE(PLIC + 0x201000, 4, 0),
    /* The others. */
    CALL(SBI_EXT_HSM, 2, 1, 0, 0, 0, SBI_HSM_STOPPED),
    CALL(SBI_EXT_HSM, 0, 1, AT(1), 11, 0, SCRIPT_ANY),
    CALL(SBI_EXT_HSM, 0, 2, AT(1), 22, 0, SCRIPT_ANY),
    CALL(SBI_EXT_HSM, 0, 3, AT(1), 33, 0, SCRIPT_ANY),
    CALL(SBI_EXT_HSM, 0, 4, AT(1), 44, (uint64_t)SBI_ERR_INVALID_PARAM, SCRIPT_ANY),
    DO2(SCRIPT_UNTIL, STARTED, 3),
    CALL(SBI_EXT_HSM, 0, 1, AT(1), 11, (uint64_t)SBI_ERR_ALREADY_AVAILABLE, SCRIPT_ANY),
    /* A timer ends WFI. */
    DO1(SCRIPT_ENABLE, SOFT | TIMER | EXTERNAL),
    DO1(SCRIPT_TIMER, 20000),
    DO(SCRIPT_WFI),
    DO1(SCRIPT_SEE, TIMER),
    DO1(SCRIPT_TIMER, 0),
    /* IPIs and fences for all of them, and one for itself. */
    CALL(SBI_EXT_IPI, 0, 0xf, 0, 0, 0, SCRIPT_ANY),
    DO(SCRIPT_WFI),
    DO1(SCRIPT_SEE, SOFT),
    DO(SCRIPT_CLEAR_SOFT),
    CALL(SBI_EXT_RFENCE, 1, 0xf, 0, 0, 0, SCRIPT_ANY),
    DO1(SCRIPT_FENCES, 1),
    DO2(SCRIPT_UNTIL, HANDLED, 3),
    /* A device's interrupt, a hundred times: its handler claims and completes. */
    DO1(SCRIPT_ADD, GO),
    DO(SCRIPT_WFI),
    DO1(SCRIPT_SEE, EXTERNAL),
    LOAD(CLAIM, 4, SOURCE),
    LOAD(CLAIM, 4, 0),
    DO1(SCRIPT_ADD, GO), /* the device sees it, and lowers its line */
    DO2(SCRIPT_UNTIL, HANDLED, 4),
    STORE(CLAIM, 4, SOURCE),
    /* A suspend that loses the registers ends with the same interrupt, elsewhere. */
    DO1(SCRIPT_ADD, GO),
    CALL(SBI_EXT_HSM, 3, 0x80000000, AT(2), 7, SCRIPT_ANY, SCRIPT_ANY),
    DO(SCRIPT_END),
};

static const struct script_op secondary[] = {
    DO1(SCRIPT_ENABLE, SOFT), DO1(SCRIPT_ADD, STARTED), DO(SCRIPT_WFI), DO1(SCRIPT_SEE, SOFT),
    DO(SCRIPT_CLEAR_SOFT),    DO1(SCRIPT_ADD, HANDLED), DO(SCRIPT_WFI), DO(SCRIPT_END),
};

static const struct script_op resumed[] = {
    DO1(SCRIPT_SEE, EXTERNAL),
    LOAD(CLAIM, 4, SOURCE),
    CALL(SBI_EXT_SRST, 0, 0, 0, 0, SCRIPT_ANY, SCRIPT_ANY),
    DO(SCRIPT_END),
};

static const struct script_op *const boot_scripts[] = {boot, secondary, resumed};

/* Counts a hundred thousand interrupts of a device, in whatever order they come. */
static const struct script_op busy[] = {
    STORE(PLIC + 4 * SOURCE, 4, 1),
    STORE(PLIC + 0x2080 + 4 * (SOURCE / 32), 4, 1U << SOURCE % 32),
    DO1(SCRIPT_ENABLE, EXTERNAL),
    DO1(SCRIPT_ADD, STARTED),
    DO(SCRIPT_WFI),
    LOAD(CLAIM, 4, SOURCE),
    STORE(CLAIM, 4, SOURCE),
    DO1(SCRIPT_ADD, HANDLED), /* from here on the next one counts */
    DO2(SCRIPT_TIMES, 2000, 4),
    CALL(SBI_EXT_SRST, 0, 1, 0, 0, SCRIPT_ANY, SCRIPT_ANY),
    DO(SCRIPT_END),
};
static const struct script_op *const busy_scripts[] = {busy};

struct box {
    struct cald_machine *machine;
    struct cald_vm *vm;
    uint8_t *ram;
    struct sim_guest guest;
};

static void box_begin(struct box *box, const char *name, uint32_t vcpus)
{
    const struct cald_machine_params machine = {.harts = VCPUS,
                                                .flags = CALD_MACHINE_H,
                                                .timebase = 10000000,
                                                .isa = "rv64imac",
                                                .gstage_modes = 1 << 3,
                                                .vs_levels = 3};
    const struct cald_vm_params params = {.name = name,
                                          .owner = box,
                                          .vcpus = vcpus,
                                          .flags = CALD_VM_CONSOLE,
                                          .engine = CALD_ENGINE_H,
                                          .irqchip = CALD_IRQCHIP_PLIC,
                                          .plic_base = PLIC,
                                          .aplic_base = CALD_NOWHERE,
                                          .imsic_base = CALD_NOWHERE,
                                          .uart_base = UART,
                                          .irq_sources = 95,
                                          .uart_irq = 10,
                                          .gpa_end = 1UL << 40,
                                          .mvendorid = 0x5e1};
    assert_int_equal(cald_machine_create(&machine, box, &box->machine), CALD_OK);
    assert_int_equal(cald_vm_create(box->machine, &params, &box->vm), CALD_OK);
    assert_ptr_equal(cald_vm_owner(box->vm), box);
    box->ram = host_pages_alloc(SCRIPT_RAM_BYTES, HOST_PAGE_SIZE);
    assert_int_equal(cald_vm_slot(box->vm, 0, SCRIPT_RAM, SCRIPT_RAM_BYTES, box->ram, 0), CALD_OK);
    assert_int_equal(cald_vm_start(box->vm, SCRIPT_RAM, 0), CALD_OK);
}

static void box_end(struct box *box)
{
    cald_vm_destroy(box->vm);
    host_pages_free(box->ram, SCRIPT_RAM_BYTES);
    cald_machine_destroy(box->machine);
}

static _Atomic uint64_t *word(struct box *box, unsigned n)
{
    return (_Atomic uint64_t *)(void *)(box->ram + 0x1000) + n;
}

/* What the guest does next; a guest that is over does it no more. */
static void until(struct box *box, unsigned n, uint64_t value)
{
    while (atomic_load(word(box, n)) < value && !atomic_load(&box->guest.over))
        sim_others_first();
}

static void over(struct box *box, enum cald_why expected)
{
    enum cald_why why = sim_guest_join(&box->guest);
    if (why == CALD_FAULT)
        fail_msg("the guest's fault: %s", box->guest.text);
    assert_int_equal(why, expected);
}

static void test_boot_protocol(void **state)
{
    static struct box box;
    (void)state;
    sim_reset();
    scripts = boot_scripts;
    box_begin(&box, "boot", VCPUS);
    sim_guest_start(&box.guest, box.vm, VCPUS, 0);
    until(&box, GO, 1); /* the device's turn */
    assert_int_equal(cald_vm_irq(box.vm, SOURCE, true), CALD_OK);
    until(&box, GO, 2);
    assert_int_equal(cald_vm_irq(box.vm, SOURCE, false), CALD_OK);
    atomic_fetch_add(word(&box, HANDLED), 1);
    until(&box, GO, 3);
    assert_int_equal(cald_vm_irq(box.vm, SOURCE, true), CALD_OK);
    over(&box, CALD_OFF);
    assert_string_equal(sim_console, "hi");
    box_end(&box);
    assert_int_equal(sim_pages_taken, 0);
}

/* The device of one guest: a pulse whenever the last one has been handled. */
static void *device(void *argument)
{
    struct box *box = argument;
    for (uint64_t n = 0; n < 2000 && !atomic_load(&box->guest.over); n++) {
        cald_vm_irq(box->vm, SOURCE, true);
        cald_vm_irq(box->vm, SOURCE, false);
        until(box, HANDLED, n + 1);
    }
    return NULL;
}

/* Two hosts' worth of machines in one process, at the same time: neither is in the other's way. */
static void test_two_machines(void **state)
{
    static struct box box[2];
    pthread_t devices[2];
    (void)state;
    sim_reset();
    scripts = busy_scripts;
    for (unsigned n = 0; n < 2; n++)
        box_begin(&box[n], n ? "right" : "left", 1);
    for (unsigned n = 0; n < 2; n++)
        sim_guest_start(&box[n].guest, box[n].vm, 1, 0);
    for (unsigned n = 0; n < 2; n++) {
        until(&box[n], STARTED, 1);
        pthread_create(&devices[n], NULL, device, &box[n]);
    }
    for (unsigned n = 0; n < 2; n++) {
        pthread_join(devices[n], NULL);
        over(&box[n], CALD_RESET);
        assert_int_equal(atomic_load(word(&box[n], HANDLED)), 2000);
        box_end(&box[n]);
    }
    assert_int_equal(sim_pages_taken, 0);
}

/* A guest whose answer is another one than its script has is a fault, so the tests above can fail.
 */
static void test_a_wrong_answer_is_a_fault(void **state)
{
    static const struct script_op wrong[] = {
        CALL(SBI_EXT_BASE, 4, 0, 0, 0, 0, 0x5e2),
        DO(SCRIPT_END),
    };
    static const struct script_op *const wrong_scripts[] = {wrong};
    static struct box box;
    (void)state;
    sim_reset();
    scripts = wrong_scripts;
    box_begin(&box, "wrong", 1);
    sim_guest_start(&box.guest, box.vm, 1, 0);
    assert_int_equal(sim_guest_join(&box.guest), CALD_FAULT);
    box_end(&box);
    assert_int_equal(sim_pages_taken, 0);
}

/* Each allocation fails in turn, of the machine's and of the VM's; all is given back. */
static void test_each_allocation_fails(void **state)
{
    (void)state;
    scripts = busy_scripts;
    sim_reset();
    unsigned failed = 0;
    for (uint64_t pages = 0;; pages++) {
        const struct cald_machine_params told = {.harts = VCPUS,
                                                 .flags = CALD_MACHINE_H,
                                                 .timebase = 10000000,
                                                 .isa = "rv64imac",
                                                 .gstage_modes = 1 << 3,
                                                 .vs_levels = 3};
        struct cald_machine *machine;
        sim_pages_total = pages * HOST_PAGE_SIZE;
        int error = cald_machine_create(&told, NULL, &machine);
        if (!error) {
            cald_machine_destroy(machine);
            assert_int_equal(sim_pages_taken, 0);
            break;
        }
        assert_int_equal(error, CALD_ENOMEM);
        assert_int_equal(sim_pages_taken, 0);
        failed++;
    }
    assert_true(failed > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_boot_protocol),
        cmocka_unit_test(test_two_machines),
        cmocka_unit_test(test_a_wrong_answer_is_a_fault),
        cmocka_unit_test(test_each_allocation_fails),
    };
    alarm(PATIENCE_S); /* a wake-up that is lost would last for ever */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
