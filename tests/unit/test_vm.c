/* SPDX-License-Identifier: BSD-2-Clause */
/* VMs out of parameters: what is refused, that nothing is kept then, and that two VMs with
 * addresses and ids of their own are two. */
#include "tests/unit/guests.h"

static const struct cald_vm_params good = {
    .name = "box",
    .vcpus = 2,
    .engine = CALD_ENGINE_H,
    .irqchip = CALD_IRQCHIP_IMSIC,
    .plic_base = CALD_NOWHERE,
    .aplic_base = 0x0d000000,
    .imsic_base = 0x28000000,
    .uart_base = 0x10000000,
    .irq_sources = 95,
    .imsic_ids = 255,
    .uart_irq = 10,
    .gpa_end = 1UL << 40,
};

static int set_up(void **state)
{
    (void)state;
    sim_reset();
    guest_machine.told = (struct cald_machine_params){
        .harts = 8, .flags = CALD_MACHINE_H, .gstage_modes = 1 << 3, .vector_bytes = 32};
    guest_machine.isa_h = (struct riscv_isa){{UINT64_MAX, UINT64_MAX}};
    isa_clear(&guest_machine.isa_h, ISA_ZBA);
    return 0;
}

static struct cald_vm *make(const struct cald_vm_params *params)
{
    struct cald_vm *vm;
    assert_int_equal(cald_vm_create(&guest_machine, params, &vm), CALD_OK);
    assert_non_null(vm);
    return vm;
}

/* One line that names VM and member. */
static void refused(struct cald_vm_params params, const char *member)
{
    struct cald_vm *vm = (void *)&params;
    sim_reset();
    assert_int_equal(cald_vm_create(&guest_machine, &params, &vm), CALD_EINVAL);
    assert_null(vm);
    assert_int_equal(sim_errors, 1);
    assert_non_null(strstr(sim_messages, params.name ? "vm box: " : "vm ?: "));
    assert_non_null(strstr(sim_messages, member));
    assert_int_equal(sim_pages_taken, 0);
}

#define REFUSED(member, value)                                                                     \
    do {                                                                                           \
        struct cald_vm_params bad = good;                                                          \
        bad.member = value;                                                                        \
        refused(bad, #member);                                                                     \
    } while (0)

static void bad_parameters(void **state)
{
    (void)state;
    REFUSED(name, NULL);
    REFUSED(vcpus, 0);
    REFUSED(vcpus, CALD_MAX_VCPUS + 1);
    REFUSED(engine, 7);
    REFUSED(engine, CALD_ENGINE_SHADOW); /* the machine lacks it */
    REFUSED(irqchip, 9);
    REFUSED(gpa_end, 0);
    REFUSED(gpa_end, UINT64_MAX);
    REFUSED(gpa_end, 1UL << 42); /* beyond Sv39x4 */
    REFUSED(irq_sources, 0);
    REFUSED(irq_sources, 1024);
    REFUSED(imsic_ids, 64);
    REFUSED(imsic_ids, 319);
    REFUSED(aplic_base, 0x0d000800);
    REFUSED(aplic_base, good.gpa_end - 0x1000);
    REFUSED(aplic_base, CALD_NOWHERE);
    REFUSED(imsic_base, 0x281ff000); /* the second page would be in the next 2 MiB */
    REFUSED(uart_base, UINT64_MAX - 0xfff);
    REFUSED(uart_irq, 0);
    REFUSED(uart_irq, 96);
    REFUSED(isa_hidden, "sstc svnothing");
    REFUSED(sbi_hidden, CALD_SBI_ALL + 1);
    REFUSED(sbi_id_count, CALD_SBI_IDS + 1);
    REFUSED(sbi_id_count, 1); /* of none */
    struct cald_vm_params bad = good;
    bad.uart_base = bad.aplic_base;
    refused(bad, "the serial port at 0xd000000 lies where the virtual interrupt controller is");
}

/* Whatever allocation fails, all the others are given back, after one line. */
static void no_memory(void **state)
{
    (void)state;
    struct cald_vm *vm;
    bool made = false;
    for (uint64_t pages = 0; !made; pages++) {
        sim_reset();
        sim_pages_total = pages * HOST_PAGE_SIZE;
        int error = cald_vm_create(&guest_machine, &good, &vm);
        made = !error;
        if (made)
            break;
        assert_int_equal(error, CALD_ENOMEM);
        assert_int_equal(sim_errors, 1);
        assert_int_equal(sim_pages_taken, 0);
        assert_true(pages < 1000);
    }
    cald_vm_destroy(vm);
    assert_int_equal(sim_pages_taken, 0);
}

static uint64_t base_answers(struct cald_vm *vm, uint64_t function)
{
    struct sbi_ret ret = sbi_hot_base(0, 0, 0, 0, 0, 0, function, cald_vm_vcpu(vm, 0));
    assert_int_equal(ret.error, SBI_SUCCESS);
    return ret.value;
}

static uint64_t reads(struct cald_vm *vm, uint64_t gpa)
{
    uint64_t value = 0;
    assert_int_equal(bus_read(&vm->bus, cald_vm_vcpu(vm, 0), gpa, 4, &value), CALD_OK);
    return value;
}

static void two_vms(void **state)
{
    (void)state;
    struct cald_vm_params other = good;
    int note;
    other.irqchip = CALD_IRQCHIP_PLIC;
    other.plic_base = 0x80000000;
    other.uart_base = 0x20000;
    other.uart_irq = 3;
    other.mvendorid = 0x489;
    other.marchid = 0x8000000000000007;
    other.mimpid = 0x20181004;
    other.owner = &note;
    other.isa_hidden = "sstc  svpbmt ";
    struct cald_vm *a = make(&good), *b = make(&other);
    assert_ptr_equal(cald_vm_owner(b), &note);
    assert_null(cald_vm_vcpu(a, 2));
    assert_ptr_equal(cald_vcpu_vm(cald_vm_vcpu(b, 1)), b);
    assert_int_equal(cald_vcpu_id(cald_vm_vcpu(b, 1)), 1);
    for (unsigned n = 4; n <= 6; n++)
        assert_int_equal(base_answers(a, n), 0);
    assert_int_equal(base_answers(b, 4), 0x489);
    assert_int_equal(base_answers(b, 5), 0x8000000000000007);
    assert_int_equal(base_answers(b, 6), 0x20181004);
    assert_true(b->hidden[ISA_SSTC] && b->hidden[ISA_SVPBMT] && !b->hidden[ISA_ZBB]);
    assert_true(b->hidden[ISA_ZBA]);                     /* the machine lacks it */
    assert_int_equal(reads(a, 0x10000005) & 0x60, 0x60); /* the transmitter is empty */
    assert_int_equal(reads(b, 0x20005) & 0x60, 0x60);
    uint64_t value;
    assert_int_equal(bus_read(&b->bus, cald_vm_vcpu(b, 0), 0x10000005, 1, &value), CALD_ENOENT);
    assert_int_equal(bus_read(&b->bus, cald_vm_vcpu(b, 0), 0x0c000000, 4, &value), CALD_ENOENT);
    /* The UART's interrupt is source 3: enabled, it is claimed. */
    struct cald_vcpu *vcpu = cald_vm_vcpu(b, 0);
    bus_write(&b->bus, vcpu, 0x80000000 + 4 * 3, 4, 1);
    bus_write(&b->bus, vcpu, 0x80000000 + 0x2080, 4, 1 << 3);
    bus_write(&b->bus, vcpu, 0x20000 + 1, 1, 2);
    assert_int_equal(reads(b, 0x80000000 + 0x201004), 3);
    cald_vm_destroy(a);
    assert_int_equal(base_answers(b, 4), 0x489);
    cald_vm_destroy(b);
    assert_int_equal(sim_pages_taken, 0);
}

/* Without a controller of the library's, its host shows a vCPU's external interrupt. */
static void no_controller(void **state)
{
    (void)state;
    struct cald_vm_params bare = good;
    bare.irqchip = CALD_IRQCHIP_NONE;
    bare.uart_base = CALD_NOWHERE;
    struct cald_vm *vm = make(&bare);
    struct cald_vcpu *vcpu = cald_vm_vcpu(vm, 1);
    uint64_t value;
    assert_int_equal(vm->bus.count, 0);
    assert_int_equal(bus_read(&vm->bus, vcpu, 0, 1, &value), CALD_ENOENT);
    assert_int_equal(cald_vm_irq(vm, 1, true), CALD_ENOTSUP);
    assert_int_equal(cald_vm_msi(vm, good.imsic_base, 1), CALD_ENOTSUP);
    guest_sip = 0;
    assert_int_equal(cald_vcpu_irq(vcpu, GUEST_IRQ_EXTERNAL, true), CALD_OK);
    vcpu_take_mail(vcpu);
    assert_int_equal(guest_sip, 1 << GUEST_IRQ_EXTERNAL);
    assert_int_equal(cald_vcpu_irq(vcpu, GUEST_IRQ_EXTERNAL, false), CALD_OK);
    vcpu_take_mail(vcpu);
    assert_int_equal(guest_sip, 0);
    cald_vm_destroy(vm);
    vm = make(&good);
    assert_int_equal(cald_vcpu_irq(cald_vm_vcpu(vm, 0), GUEST_IRQ_EXTERNAL, true), CALD_ENOTSUP);
    assert_int_equal(cald_vm_irq(vm, 0, true), CALD_EINVAL);
    assert_int_equal(cald_vm_irq(vm, 96, true), CALD_EINVAL);
    assert_int_equal(cald_vm_irq(vm, 95, true), CALD_OK);
    assert_int_equal(cald_vm_msi(vm, good.imsic_base + 2 * CALD_IMSIC_PAGE, 1), CALD_EINVAL);
    assert_int_equal(cald_vm_msi(vm, good.imsic_base + 4, 1), CALD_EINVAL);
    assert_int_equal(cald_vm_msi(vm, good.imsic_base - CALD_IMSIC_PAGE, 1), CALD_EINVAL);
    assert_int_equal(cald_vm_msi(vm, good.imsic_base + CALD_IMSIC_PAGE, 77), CALD_OK);
    assert_true(atomic_load(&cald_vm_vcpu(vm, 1)->imsic.word[1].pending) >> (77 - 64) & 1);
    cald_vm_destroy(vm);
}

static unsigned stored;

static int device_read(void *device, struct cald_vcpu *vcpu, uint64_t offset, uint32_t width,
                       uint64_t *value)
{
    (void)vcpu;
    *value = *(unsigned *)device + offset + width;
    return CALD_OK;
}

static int device_write(void *device, struct cald_vcpu *vcpu, uint64_t offset, uint32_t width,
                        uint64_t value)
{
    (void)vcpu, (void)offset, (void)width;
    if (value == 99)
        return CALD_EBUSY;
    *(unsigned *)device = (unsigned)value;
    return CALD_OK;
}

static const struct cald_region_ops device_ops = {device_read, device_write};

static void forget_messages(void)
{
    memset(sim_messages, 0, sizeof(sim_messages));
    sim_message_bytes = sim_errors = 0;
}

/* What an embedder puts on the bus stays there while the VM is closed, opened and reset. */
static void regions(void **state)
{
    (void)state;
    struct cald_vm_params closed = good;
    closed.flags = CALD_VM_CLOSED;
    struct cald_vm *vm = make(&closed);
    uint64_t end = UINT64_MAX;
    assert_int_equal(cald_vm_region(vm, "mine", 0x3000, 0x10, &device_ops, &stored), CALD_OK);
    assert_int_equal(cald_vm_region(vm, "last", end - 7, 8, &device_ops, &stored), CALD_OK);
    forget_messages();
    assert_int_equal(cald_vm_region(vm, "none", 0x5000, 0, &device_ops, NULL), CALD_EINVAL);
    assert_int_equal(cald_vm_region(vm, "around", end - 7, 9, &device_ops, NULL), CALD_EINVAL);
    assert_int_equal(sim_errors, 2);
    static const uint64_t places[][2] = {
        {0x3000, 0x10}, {0x2fff, 2}, {0x300f, 1}, {0x2000, 0x2000}, {0x3004, 4}};
    for (unsigned n = 0; n < sizeof(places) / sizeof(*places); n++) {
        forget_messages();
        assert_int_equal(cald_vm_region(vm, "other", places[n][0], places[n][1], &device_ops, NULL),
                         CALD_EBUSY);
        assert_non_null(strstr(sim_messages, "vm box: region other at "));
        assert_non_null(strstr(sim_messages, "lies where mine is"));
    }
    assert_int_equal(cald_vm_open(vm), CALD_OK);
    assert_int_equal(cald_vm_open(vm), CALD_EBUSY);
    cald_vm_reset(vm);
    cald_vm_close(vm);
    assert_int_equal(cald_vm_open(vm), CALD_OK);
    stored = 100;
    assert_int_equal(reads(vm, 0x3008), 100 + 8 + 4);
    assert_int_equal(reads(vm, end - 7), 104);
    struct cald_vcpu *vcpu = cald_vm_vcpu(vm, 0);
    uint64_t value;
    assert_int_equal(bus_read(&vm->bus, vcpu, 0x300c, 8, &value), CALD_ENOENT);
    assert_int_equal(bus_read(&vm->bus, vcpu, 0x2ffc, 8, &value), CALD_ENOENT);
    assert_int_equal(bus_write(&vm->bus, vcpu, 0x3000, 4, 5), CALD_OK);
    assert_int_equal(stored, 5);
    assert_int_equal(bus_write(&vm->bus, vcpu, 0x3000, 4, 99), CALD_EBUSY);
    cald_vm_destroy(vm);
    assert_int_equal(sim_pages_taken, 0);
}

static bool probes(struct cald_vm *vm, uint64_t id)
{
    struct sbi_ret ret = sbi_hot_base(id, 0, 0, 0, 0, 0, SBI_BASE_PROBE, cald_vm_vcpu(vm, 0));
    assert_int_equal(ret.error, SBI_SUCCESS);
    return ret.value;
}

/* A host takes one legacy call; the library has the others. */
static void legacy_calls_of_the_hosts(void **state)
{
    (void)state;
    static const uint64_t putchar = SBI_EXT_LEGACY_PUTCHAR;
    struct cald_vm_params params = good;
    params.sbi_ids = &putchar;
    params.sbi_id_count = 1;
    struct cald_vm *vm = make(&params);
    struct cald_vcpu *vcpu = cald_vm_vcpu(vm, 0);
    assert_true(probes(vm, putchar));
    assert_false(probes(vm, SBI_EXT_LEGACY_GETCHAR)); /* there is no console inside */
    vcpu->eng.gpr[17] = putchar;
    vcpu->why = CALD_AGAIN;
    sbi_handle(vcpu);
    assert_int_equal(vcpu->why, CALD_SBI);
    cald_vcpu_complete(vcpu, 0, 0);
    vcpu->eng.gpr[17] = SBI_EXT_LEGACY_GETCHAR;
    vcpu->why = CALD_AGAIN;
    sbi_handle(vcpu);
    assert_int_equal(vcpu->why, CALD_AGAIN);
    assert_int_equal(vcpu->eng.gpr[10], UINT64_MAX);
    cald_vm_destroy(vm);
}

/* What each VM's guest can call, and what of that goes out. */
static void sbi_extensions(void **state)
{
    (void)state;
    static const uint64_t ids[] = {0x09000001, SBI_EXT_DBCN};
    struct cald_vm_params few = good;
    few.sbi_hidden = CALD_SBI_ALL & ~(CALD_SBI_HSM | CALD_SBI_IPI);
    few.sbi_ids = ids;
    few.sbi_id_count = 2;
    struct cald_vm *a = make(&few);
    few.flags = CALD_VM_SBI_OUT;
    struct cald_vm *b = make(&few);
    few = good;
    few.flags = CALD_VM_CONSOLE;
    struct cald_vm *c = make(&few);
    const struct {
        uint64_t id;
        uint8_t a, c;
    } has[] = {{SBI_EXT_BASE, 1, 1},   {SBI_EXT_HSM, 1, 1},
               {SBI_EXT_IPI, 1, 1},    {SBI_EXT_TIME, 0, 1},
               {SBI_EXT_RFENCE, 0, 1}, {SBI_EXT_SRST, 0, 1},
               {SBI_EXT_PMU, 0, 1},    {SBI_EXT_SUSP, 0, 1},
               {SBI_EXT_STA, 0, 1},    {SBI_EXT_LEGACY_SHUTDOWN, 0, 1},
               {ids[0], 1, 0},         {ids[1], 1, 1}};
    for (unsigned n = 0; n < sizeof(has) / sizeof(*has); n++) {
        assert_int_equal(probes(a, has[n].id), has[n].a);
        assert_int_equal(probes(b, has[n].id), has[n].a);
        assert_int_equal(probes(c, has[n].id), has[n].c);
        /* At once where nobody answers; where all goes out, nobody never is. */
        assert_int_equal(sbi_hot_missing(has[n].id, 0, cald_vm_vcpu(a, 0)), !has[n].a);
        assert_int_equal(sbi_hot_missing(has[n].id, 0, cald_vm_vcpu(c, 0)), !has[n].c);
        assert_false(sbi_hot_missing(has[n].id, 0, cald_vm_vcpu(b, 0)));
    }
    /* The trap entries' short ways: closed where an extension is not there. */
    assert_int_equal(a->vcpus[1].eng.sbi_ids[0], SBI_EXT_BASE);
    assert_int_equal(a->vcpus[1].eng.sbi_ids[1], SBI_EXT_IPI);
    assert_int_equal(a->vcpus[1].eng.sbi_ids[2], SBI_EXT_BASE);
    assert_int_equal(c->vcpus[0].eng.sbi_ids[0], SBI_EXT_TIME);
    assert_int_equal(c->vcpus[0].eng.sbi_ids[2], SBI_EXT_RFENCE);
    cald_vm_destroy(a);
    cald_vm_destroy(b);
    cald_vm_destroy(c);
}

static void started(void **state)
{
    (void)state;
    struct cald_vm *vm = make(&good);
    assert_int_equal(atomic_load(&vm->vcpus[0].hsm), SBI_HSM_STOPPED);
    assert_int_equal(cald_vm_start(vm, 0x80000000, 7), CALD_OK);
    assert_int_equal(atomic_load(&vm->vcpus[0].hsm), SBI_HSM_START_PENDING);
    assert_int_equal(atomic_load(&vm->vcpus[1].hsm), SBI_HSM_STOPPED);
    assert_int_equal(vm->vcpus[0].start_opaque, 7);
    cald_vm_reset(vm);
    assert_int_equal(atomic_load(&vm->vcpus[0].hsm), SBI_HSM_STOPPED);
    assert_int_equal(cald_vm_table_bytes(vm), 4096);
    cald_vm_close(vm);
    assert_int_equal(cald_vm_table_bytes(vm), 0);
    cald_vm_destroy(vm);
}

static void what_it_has(void **state)
{
    (void)state;
    struct cald_vm_params params = good;
    char text[2048], little[8];
    params.isa_hidden = "zbb";
    struct cald_vm *vm = make(&params);
    uint32_t length = cald_vm_isa(vm, text, sizeof(text));
    assert_int_equal(length, strlen(text));
    assert_non_null(strstr(text, "_zbc"));
    assert_null(strstr(text, "_zba")); /* the machine lacks it */
    assert_null(strstr(text, "_zbb"));
    assert_true(cald_vm_isa(vm, little, sizeof(little)) >= sizeof(little));
    cald_vm_destroy(vm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(bad_parameters, set_up),
        cmocka_unit_test_setup(no_memory, set_up),
        cmocka_unit_test_setup(two_vms, set_up),
        cmocka_unit_test_setup(no_controller, set_up),
        cmocka_unit_test_setup(regions, set_up),
        cmocka_unit_test_setup(started, set_up),
        cmocka_unit_test_setup(what_it_has, set_up),
        cmocka_unit_test_setup(sbi_extensions, set_up),
        cmocka_unit_test_setup(legacy_calls_of_the_hosts, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
