/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each allocation fails in turn: while VMs are defined out of a bundle, and while one is made, on
 * both engines and with each interrupt controller. A line says whose it was, everything is given
 * back, the VM beside it is there all the same, and the next try succeeds.
 */
#include "tests/unit/unit.h"

#include "appliance/memory.h"
#include "appliance/virtio/switch.h"
#include "host/bare/builder.h"
#include "host/bare/console.h"
#include "host/bare/machine.h"
#include "host/bare/sched.h"
#include "host/bare/vms.h"
#include "lib/engine/h/h.h"
#include "lib/engine/shadow/shadow.h"
#include "lib/machine/machine.h"
#include "host/host.h"
#include "tests/unit/bundles.h"

#define MIB (1UL << 20)
#define LIMIT 2000 /* allocations of one VM */
#define STRIDE 29

/* ---- What is assembly, or a real hart's ---------------------------------------------------- */

/* Their addresses are written down, and no guest runs. */
__asm__(".pushsection .text\n"
        ".globl fp_restore, fp_save, vector_config, vector_restore, vector_save\n"
        ".globl h_enter, h_fetch_insn, h_peek, h_trap, s_enter, s_trap, s_trap_here\n"
        ".globl s_out_here_asid, s_out_here_flush, s_in_asid, s_in_flush, s_out_asid\n"
        ".globl s_out_flush, s_place_put_then, s_place_put, s_place_does, s_place_here\n"
        ".globl s_place_get\n"
        "fp_restore: fp_save: vector_config: vector_restore: vector_save:\n"
        "h_enter: h_fetch_insn: h_peek: h_trap: s_enter: s_trap: s_trap_here:\n"
        "s_out_here_asid: s_out_here_flush: s_in_asid: s_in_flush: s_out_asid:\n"
        "s_out_flush: s_place_put_then: s_place_put: s_place_does: s_place_here:\n"
        "s_place_get: ud2\n.popsection\n");
char s_trampoline_code[4096];

/* No hart has turns here; and the real ones would bring a sched_yield() that is not the C
 * library's. */
struct hart harts[BOARD_HARTS];

void sched_nudge(struct hart *hart)
{
    (void)hart;
}

bool sched_place(struct vm *vm)
{
    return vm;
}

void sched_remove(struct vm *vm)
{
    (void)vm;
}

void sched_stay(struct cald_vcpu *vcpu, bool (*stays)(const struct cald_vcpu *vcpu))
{
    (void)vcpu, (void)stays;
}

const struct engine_ops *engine_by(enum cald_engine engine)
{
    return engine == CALD_ENGINE_H ? &engine_h : &engine_shadow;
}

static enum config_engine engine;
static enum config_irqchip irqchip;

void machine_choose_engine(struct vm_config *config)
{
    config->engine = engine;
}

void machine_choose_irqchip(struct vm_config *config)
{
    config->irqchip = irqchip;
}

void machine_check_addresses(const struct vm *vm, struct vm_config *config)
{
    (void)vm, (void)config;
}

/* Its stack is an allocation as well. */
static uint64_t stacks;
bool builder_define(struct vm *vm)
{
    (void)vm;
    void *stack = host_pages_alloc(HOST_PAGE_SIZE, HOST_PAGE_SIZE);
    bool made = stack;
    stacks += made ? HOST_PAGE_SIZE : 0;
    free(stack); /* counted as taken all the same: it stays for good */
    return made;
}

void console_define(unsigned count)
{
    (void)count;
}

void console_vm_ended(struct vm *vm)
{
    (void)vm;
}

/* ---- A bundle of two VMs that have of everything ------------------------------------------- */

static uint8_t blob[BUNDLE_BYTES];

static void disk(const char *name, uint32_t keep)
{
    fdt_begin_node(blob, name);
    fdt_property_string(blob, "compatible", "virtio,block");
    fdt_property_u32(blob, "image", KERNEL_PHANDLE);
    if (keep)
        fdt_property_u32(blob, "copy-on-write", keep);
    else
        fdt_property(blob, "read-only", "", 0);
    fdt_end_node(blob);
}

static void port(const char *name)
{
    fdt_begin_node(blob, name);
    fdt_property_string(blob, "compatible", "virtio,net");
    fdt_property_string(blob, "network", "lan");
    fdt_end_node(blob);
}

static void vm_node(const char *name)
{
    const struct {
        char name[5];
        uint8_t cells[20];
    } __attribute__((packed))
    ring = {"ring", {0, 0, 0, 0, 0xb0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 20}};
    bundle_vm(blob, name, 0x80000000, 4 * MIB);
    fdt_property_u32(blob, "vcpus", 2);
    fdt_property(blob, "shared-memory", &ring, sizeof(ring));
    disk("system", 0);
    disk("data", 0x2000);
    port("net");
    fdt_begin_node(blob, "seeds");
    fdt_property_string(blob, "compatible", "virtio,entropy");
    fdt_end_node(blob);
    fdt_end_node(blob);
}

static void make_bundle(void)
{
    static uint8_t image[4096] = {0x6f};
    bundle_begin(blob, image, sizeof(image));
    vm_node("web");
    vm_node("db");
    fdt_end_node(blob);
    fdt_begin_node(blob, "networks");
    fdt_begin_node(blob, "lan");
    fdt_end_node(blob);
    bundle_end(blob);
}

static const struct cald_machine_params told = {
    .harts = 2,
    .flags = CALD_MACHINE_H | CALD_MACHINE_SHADOW | CALD_MACHINE_FP,
    .timebase = 10000000,
    .isa = "rv64imafdcv_zicsr_zifencei_ssaia_h",
    .gstage_modes = 1 << 3,
    .vs_levels = 3,
    .satp_levels = 4,
    .vector_bytes = 16,
    .asids = CALD_ASIDS,
    .first_asid = 1,
};

static void begin(unsigned fails)
{
    static uint8_t tree[1024];
    sim_reset();
    fdt_create_empty_tree(tree, sizeof(tree));
    memset(&board, 0, sizeof(board));
    vms = NULL;
    vm_count = 0;
    stacks = 0;
    board.timebase = told.timebase;
    board.harts = told.harts;
    board.fdt = tree;
    board_tree.bootargs = "";
    board.imsic_ids = 255;
    board.satp_levels = board.satp_levels_shadow = 3;
    assert_int_equal(cald_machine_create(&told, NULL, &board.machine), CALD_OK);
    isa_parse_string(&board.isa, told.isa);
    board.isa_shadow = board.isa;
    sim_alloc_fails = fails;
}

static uint64_t pages(uint64_t bytes)
{
    return (bytes + HOST_PAGE_SIZE - 1) & ~(HOST_PAGE_SIZE - 1);
}

static bool refused(const struct vm *vm)
{
    return atomic_load(&vm->state) == VM_REFUSED;
}

/* One line at least, and none of another VM. */
static void is_named(const struct vm *vm)
{
    char name[48];
    snprintf(name, sizeof(name), "vm %s: ", vm->config->name);
    assert_true(sim_errors > 0);
    assert_non_null(strstr(sim_messages, name));
    assert_null(strstr(sim_messages, vm == vms ? "vm db: " : "vm web: "));
}

/* True: it was made at once. */
static bool make(struct vm *vm)
{
    uint64_t before = sim_pages_taken;
    unsigned errors = sim_errors;
    if (vm_create(vm) == 0) {
        assert_int_equal(sim_errors, errors);
        return true;
    }
    is_named(vm);
    assert_int_equal(sim_pages_taken, before);
    assert_int_equal(vm_create(vm), 0);
    return false;
}

/* What it takes to have the VMs at all. */
static uint64_t for_good(void)
{
    uint64_t bytes = pages(VM_MAX * sizeof(struct vm_config)) + stacks;
    bytes += pages(vm_count * sizeof(struct vm));
    for (unsigned n = 0; n < vm_count; n++)
        bytes += refused(&vms[n]) ? 0 : pages(vms[n].config->vcpus * sizeof(struct sched_entity));
    return bytes;
}

static void end(void)
{
    for (unsigned n = vm_count; n--;) {
        struct vm *vm = &vms[n];
        if (refused(vm))
            continue;
        vm_destroy(vm);
        struct sched_entity *entities = sched_entity(cald_vm_vcpu(vm->cald, 0));
        cald_vm_destroy(vm->cald);
        virtio_unmake(vm);
        shared_memory_unresolve(vm);
        host_pages_free(entities, vm->config->vcpus * sizeof(*entities));
        sim_pages_taken += pages(vm->config->vcpus * sizeof(*entities));
    }
    cald_machine_destroy(board.machine);
    assert_int_equal(switch_count, 0);
    assert_int_equal(sim_pages_taken, vm_count ? for_good() : 0);
    if (!vm_count)
        return;
    free((void *)vms[0].config);
    free(vms);
}

/* False: the VMs take fewer allocations than that. */
static bool with_failure(unsigned number)
{
    unsigned hurt = 0;
    begin(number);

    vms_define(blob, fdt_totalsize(blob));
    if (!vm_count) { /* what there is before any VM */
        assert_int_equal(sim_alloc_fails, 0);
        assert_int_equal(sim_errors, 1);
        assert_non_null(strstr(sim_messages, "no memory to"));
        end();
        return true;
    }
    assert_int_equal(vm_count, 2);
    for (unsigned n = 0; n < vm_count; n++) {
        struct vm *vm = &vms[n];
        if (refused(vm)) {
            assert_null(vm->cald);
            is_named(vm);
            hurt++;
        } else if (!make(vm)) {
            hurt++;
        }
    }
    assert_true(hurt <= 1);
    bool reached = !sim_alloc_fails;
    if (!reached)
        assert_int_equal(hurt + sim_errors, 0);
    end();
    return reached;
}

/* Engine shadow takes hundreds of pages for its pool, one like the other: of those some. */
static void each_fails(enum config_engine which, enum config_irqchip chip)
{
    unsigned number = 1;
    engine = which;
    irqchip = chip;
    make_bundle();
    for (; with_failure(number); number += number < 64 ? 1 : STRIDE)
        assert_true(number < LIMIT);
    assert_true(number > 40); /* so there was something to fail */
    for (unsigned last = number - STRIDE; which == ENGINE_SHADOW && last < number; last++)
        with_failure(last);
}

static void on_engine_h(void **state)
{
    (void)state;
    for (enum config_irqchip chip = IRQCHIP_PLIC; chip <= IRQCHIP_IMSIC; chip++)
        each_fails(ENGINE_H, chip);
}

static void on_engine_shadow(void **state)
{
    (void)state;
    each_fails(ENGINE_SHADOW, IRQCHIP_PLIC);
}

/* The machine's own, with both engines. */
static void the_machine(void **state)
{
    (void)state;
    struct cald_machine *machine = NULL;
    unsigned number = 0;
    do {
        sim_reset();
        sim_alloc_fails = ++number;
        int error = cald_machine_create(&told, NULL, &machine);
        assert_int_equal(error, sim_alloc_fails ? CALD_OK : CALD_ENOMEM);
        if (!error)
            cald_machine_destroy(machine);
        assert_int_equal(sim_pages_taken, 0);
    } while (!sim_alloc_fails);
    assert_true(number > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_engine_h),
        cmocka_unit_test(on_engine_shadow),
        cmocka_unit_test(the_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
