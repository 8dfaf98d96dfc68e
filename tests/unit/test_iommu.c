/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Links: drivers/iommu, lib/engine/h/gstage.c. The IOMMU is a page of memory and a model that runs
 * whenever the driver looks at the time, which it does in every wait. What is shown: which device
 * reaches what, walked as the specification says; what is cached is dropped before it goes; a
 * device that has no answer is not waited for without end.
 */
#include "tests/unit/unit.h"

#include "drivers/iommu/iommu.h"
#include "drivers/iommu/msi.h"
#include "lib/engine/h/gstage.h"
#include "host/host.h"

static uint8_t registers[4096] __attribute__((aligned(4096)));
static struct {
    unsigned levels;     /* of the directory that it takes at most */
    bool stuck;          /* answers nothing any more */
    bool illegal;        /* takes no command */
    uint64_t cached[16]; /* device ids whose context it holds, and one */
    uint64_t fences, gvma[8];
    unsigned gvmas;
    uint64_t ticks;
} model;

#define REG32(at) (*(uint32_t *)(registers + (at)))
#define REG64(at) (*(uint64_t *)(registers + (at)))

static void model_queue(unsigned csr, unsigned head, unsigned tail)
{
    if ((REG32(csr) & 1) && !(REG32(csr) >> 16 & 1)) {
        REG32(csr) = 1 << 16 | 1;
        REG32(head) = REG32(tail) = 0;
    } else if (!(REG32(csr) & 1)) {
        REG32(csr) = 0;
    }
}

static void model_commands(void)
{
    uint64_t *queue = host_va(REG64(0x18) >> 10 << 12);
    unsigned size = 2U << (REG64(0x18) & 31);
    while (REG32(0x48) >> 16 & 1 && REG32(0x20) != REG32(0x24)) {
        uint64_t command = queue[2 * REG32(0x20)];
        if (model.illegal) {
            REG32(0x48) |= 1 << 10;
            return;
        }
        switch (command & 0x3ff) {
        case 0x81: /* IOTINVAL.GVMA */
            if (command >> 33 & 1)
                model.gvma[model.gvmas++ % 8] = command >> 44 & 0xffff;
            break;
        case 2: /* IOFENCE.C */
            assert_int_equal(command >> 12 & 3, 3);
            model.fences++;
            break;
        case 3: /* IODIR.INVAL_DDT */
            for (unsigned n = 0; n < 16; n++) {
                if (!(command >> 33 & 1) || model.cached[n] == (command >> 40) + 1)
                    model.cached[n] = 0;
            }
            break;
        default:
            fail_msg("command %#lx", command);
        }
        REG32(0x20) = (REG32(0x20) + 1) % size;
    }
}

static uint64_t model_time(void)
{
    if (model.stuck)
        return ++model.ticks;
    model_queue(0x48, 0x20, 0x24);
    model_queue(0x4c, 0x30, 0x34);
    model_queue(0x50, 0x40, 0x44);
    if ((REG64(0x10) & 15) > model.levels + 1)
        REG64(0x10) &= ~15UL; /* a mode that it does not have */
    model_commands();
    return ++model.ticks;
}

/* What the driver takes it keeps for good: here, until the next one begins. */
static uint8_t pool[64][4096] __attribute__((aligned(4096)));
static unsigned pool_used;

static void *page(void)
{
    return pool_used < 64 ? pool[pool_used++] : NULL;
}

static const struct iommu_user user = {page, host_pa, host_va, model_time, 1000};

#define ALL_MODES (7UL << 17)

static const char *begin(struct iommu_hw *iommu, unsigned levels, uint64_t capabilities)
{
    memset(registers, 0, sizeof(registers));
    memset(&model, 0, sizeof(model));
    memset(pool, 0, sizeof(pool));
    pool_used = 0;
    model.levels = levels;
    REG64(0) = capabilities;
    return iommu_hw_init(iommu, registers, true, &user);
}

/* The device context as the specification finds it, "Process to locate the Device-context". */
static const uint64_t *locate(uint32_t device)
{
    bool extended = REG64(0) >> 22 & 1;
    unsigned mode = REG64(0x10) & 15, levels = mode - 1;
    unsigned first = extended ? 6 : 7;
    uint64_t *table = host_va(REG64(0x10) >> 10 << 12);
    assert_in_range(mode, 2, 4);
    if (device >> (first + 9 * (levels - 1)))
        return NULL;
    for (unsigned level = levels - 1; level > 0; level--) {
        uint64_t entry = table[device >> (first + 9 * (level - 1)) & 0x1ff];
        if (!(entry & 1))
            return NULL;
        assert_int_equal(entry & ~1UL & 0x3ff, 0); /* reserved */
        table = host_va(entry >> 10 << 12);
    }
    const uint64_t *dc = table + (device & ((1 << first) - 1)) * (extended ? 8 : 4);
    return dc[0] & 1 ? dc : NULL;
}

/* What a device's address leads to; 0: it is blocked. */
static uint64_t translate(uint32_t device, uint64_t address)
{
    const uint64_t *dc = locate(device);
    if (!dc)
        return 0;
    assert_int_equal(dc[0], 1); /* faults are told, no ATS, no processes */
    assert_int_equal(dc[3], 0); /* first stage: Bare */
    unsigned levels = (dc[1] >> 60) - 8 + 3;
    assert_in_range(levels, 3, 5);
    assert_int_equal(dc[1] & 3, 0); /* a root of 16 KiB */
    uint64_t *table = host_va((dc[1] & 0xfffffffffff) << 12);
    if (address >> (12 + 9 * levels + 2))
        return 0;
    for (int level = (int)levels - 1; level >= 0; level--) {
        unsigned shift = 12 + 9 * (unsigned)level;
        uint64_t pte = table[address >> shift & (level == (int)levels - 1 ? 0x7ff : 0x1ff)];
        if (!(pte & 1))
            return 0;
        if (pte & 0xe) {
            assert_int_equal(pte & 0xde, 0xde); /* R, W, X, U, A, D: no fault on the way */
            return (pte >> 10 << 12) + (address & ((1UL << shift) - 1));
        }
        table = host_va(pte >> 10 << 12);
    }
    return 0;
}

static void directories(void **state)
{
    (void)state;
    for (unsigned extended = 0; extended < 2; extended++) {
        for (unsigned levels = 1; levels <= 3; levels++) {
            struct iommu_hw iommu;
            unsigned bits = (extended ? 6 : 7) + 9 * (levels - 1);
            uint32_t most = (bits > 24 ? 1U << 24 : 1U << bits) - 1;
            const uint32_t ids[] = {0, 1, most, most / 3, most / 2};
            sim_reset();
            assert_null(begin(&iommu, levels, 0x10 | ALL_MODES | (uint64_t)extended << 22));
            assert_int_equal(iommu.levels, levels);
            for (unsigned n = 0; n < 5; n++)
                assert_null(locate(ids[n])); /* everybody is blocked */
            assert_false(iommu_hw_reserve(&iommu, most + 1));
            assert_false(iommu_hw_reserve(&iommu, UINT32_MAX));
            struct gstage stage;
            assert_int_equal(gstage_init(&stage, 3), 0);
            assert_int_equal(gstage_map(&stage, 0x80000000, 0x12345000, 0x3000), 0);
            struct iommu_context context = {.second_stage = gstage_atp(&stage), .vm = 7};
            for (unsigned n = 0; n < 5; n++) {
                if (!locate(ids[n]))
                    assert_int_equal(translate(ids[n], 0x80000000), 0);
                assert_true(iommu_hw_reserve(&iommu, ids[n]));
                uint64_t fences = model.fences;
                assert_true(iommu_hw_attach(&iommu, ids[n], &context));
                assert_int_equal(model.fences, fences + 1);
                assert_int_equal(translate(ids[n], 0x80002345), 0x12347345);
                assert_int_equal(translate(ids[n], 0x80003000), 0);
                assert_int_equal(translate(ids[n], 0x7ffff000), 0);
                assert_int_equal(translate(ids[n], 0x12345000), 0);
                assert_int_equal(translate(ids[n], 1UL << 41), 0);
            }
            for (unsigned n = 0; n < 5; n++) {
                model.cached[n] = (uint64_t)ids[n] + 1;
                model.gvmas = 0;
                uint64_t fences = model.fences;
                assert_true(iommu_hw_detach(&iommu, ids[n], 7));
                assert_int_equal(model.fences, fences + 1);
                assert_int_equal(model.cached[n], 0);
                assert_int_equal(model.gvma[0], 7);
                assert_null(locate(ids[n]));
            }
            gstage_fini(&stage);
        }
    }
}

/* Neighbours in one directory page are told apart. */
static void one_device_alone(void **state)
{
    (void)state;
    struct iommu_hw iommu;
    struct gstage stage;
    sim_reset();
    assert_null(begin(&iommu, 3, 0x10 | ALL_MODES | 1 << 22));
    assert_int_equal(gstage_init(&stage, 5), 0);
    assert_int_equal(gstage_map(&stage, 0x80000000, 0xc0000000, 1UL << 30), 0);
    struct iommu_context context = {.second_stage = gstage_atp(&stage),
                                    .vm = 1,
                                    .msi_table = 0x55000,
                                    .msi_mask = 63,
                                    .msi_pattern = 0x28000};
    assert_false(iommu_hw_attach(&iommu, 8, &context)); /* no room was made */
    assert_true(iommu_hw_reserve(&iommu, 8));
    assert_true(iommu_hw_attach(&iommu, 8, &context));
    for (uint32_t id = 0; id < 4096; id++)
        assert_int_equal(translate(id, 0x80000123), id == 8 ? 0xc0000123 : 0);
    const uint64_t *dc = locate(8);
    assert_int_equal(dc[4], 1UL << 60 | 0x55);
    assert_int_equal(dc[5], 63);
    assert_int_equal(dc[6], 0x28000);
    assert_int_equal(dc[7], 0);
    assert_int_equal(dc[1] >> 44 & 0xffff, 1);
    gstage_fini(&stage);
}

static void what_it_lacks(void **state)
{
    (void)state;
    struct iommu_hw iommu;
    assert_non_null(begin(&iommu, 3, 0x20 | ALL_MODES));
    assert_non_null(begin(&iommu, 3, 0));
    assert_non_null(begin(&iommu, 3, 0x10));
    assert_non_null(begin(&iommu, 0, 0x10 | ALL_MODES)); /* no directory */
    assert_null(begin(&iommu, 3, 0x10 | 2UL << 17));
    assert_false(iommu_hw_has_levels(&iommu, 3));
    assert_true(iommu_hw_has_levels(&iommu, 4));
    assert_false(iommu_hw_has_levels(&iommu, 5));
    assert_false(iommu_hw_has_levels(&iommu, 6));
    assert_false(iommu_hw_has_levels(&iommu, 0));
}

/* Nothing that the IOMMU does or doesn't may hang the hart; and a device that could not be attached
 * is blocked. */
static void no_answer(void **state)
{
    (void)state;
    struct iommu_hw iommu;
    struct iommu_context context = {.second_stage = 8UL << 60 | 0x80000, .vm = 1};
    sim_reset();
    assert_null(begin(&iommu, 3, 0x10 | ALL_MODES));
    assert_true(iommu_hw_reserve(&iommu, 3));
    model.stuck = true;
    assert_false(iommu_hw_attach(&iommu, 3, &context));
    assert_true(iommu.failed);
    assert_null(locate(3));
    uint64_t ticks = model.ticks;
    assert_false(iommu_hw_detach(&iommu, 3, 1));
    assert_false(iommu_hw_flush(&iommu, 1));
    assert_in_range(model.ticks - ticks, 0, 2 * user.patience); /* it is not waited for again */
    assert_null(begin(&iommu, 3, 0x10 | ALL_MODES));
    assert_true(iommu_hw_reserve(&iommu, 3));
    model.illegal = true;
    assert_false(iommu_hw_attach(&iommu, 3, &context));
    assert_null(locate(3));
    memset(registers, 0, sizeof(registers));
    model.stuck = true;
    REG64(0) = 0x10 | ALL_MODES;
    assert_non_null(iommu_hw_init(&iommu, registers, true, &user));
    pool_used = 62; /* one page too few for its queues and directory */
    model.stuck = false;
    assert_non_null(iommu_hw_init(&iommu, registers, true, &user));
}

/* More commands than the queue has entries, a few at a time. */
static void commands_go_round(void **state)
{
    (void)state;
    struct iommu_hw iommu;
    sim_reset();
    assert_null(begin(&iommu, 3, 0x10 | ALL_MODES));
    for (unsigned n = 0; n < 1000; n++)
        assert_true(iommu_hw_flush(&iommu, n));
    assert_int_equal(model.gvma[(model.gvmas - 1) % 8], 999);
}

static void faults(void **state)
{
    (void)state;
    struct iommu_hw iommu;
    struct iommu_fault fault;
    sim_reset();
    assert_null(begin(&iommu, 3, 0x10 | ALL_MODES));
    uint64_t *queue = host_va(REG64(0x28) >> 10 << 12);
    unsigned size = 2U << (REG64(0x28) & 31);
    static const enum iommu_access access[8] = {IOMMU_OTHER, IOMMU_FETCH, IOMMU_READ, IOMMU_WRITE,
                                                IOMMU_OTHER, IOMMU_FETCH, IOMMU_READ, IOMMU_WRITE};
    assert_false(iommu_hw_fault(&iommu, &fault));
    for (uint64_t n = 0; n < 3 * size; n++) {
        uint64_t *record = queue + 4 * (n % size);
        record[0] = (n % 10) << 34 | n << 40 | 258;
        record[2] = 0x80200000 + n;
        REG32(0x34) = (uint32_t)(n + 1) % size;
        assert_true(iommu_hw_fault(&iommu, &fault));
        assert_int_equal(fault.device, n);
        assert_int_equal(fault.cause, 258);
        assert_int_equal(fault.address, 0x80200000 + n);
        assert_int_equal(fault.access, n % 10 < 8 ? access[n % 10] : IOMMU_OTHER);
        assert_false(iommu_hw_fault(&iommu, &fault));
    }
    /* The cause knows it better. */
    static const struct {
        unsigned cause;
        enum iommu_access access;
    } causes[] = {{1, IOMMU_FETCH}, {20, IOMMU_FETCH}, {5, IOMMU_READ},
                  {21, IOMMU_READ}, {7, IOMMU_WRITE},  {23, IOMMU_WRITE}};
    for (unsigned n = 0; n < 6; n++) {
        uint64_t *record = queue + 4 * (REG32(0x30) % size);
        record[0] = 3UL << 34 | causes[n].cause;
        REG32(0x34) = (REG32(0x30) + 1) % size;
        assert_true(iommu_hw_fault(&iommu, &fault));
        assert_int_equal(fault.access, causes[n].access);
    }
    /* Whatever the registers say, an index stays inside the queue. */
    REG32(0x34) = 0xffffffff;
    REG32(0x30) = 0xfffffff0;
    unsigned count = 0;
    while (count <= size && iommu_hw_fault(&iommu, &fault))
        count++;
    assert_in_range(count, 0, size);
    for (unsigned cause = 0; cause < 300; cause++)
        assert_non_null(iommu_cause_name(cause));
}

/* Field by field, as the specification's figures have them. */
static void message_entries(void **state)
{
    (void)state;
    uint64_t seed = 7;
    for (unsigned n = 0; n < 1000; n++) {
        uint64_t page = unit_random(&seed) & 0x00fffffffffff000, file = page + 0xe00;
        uint32_t id = unit_random(&seed) & 2047;
        uint64_t to_file = iommu_msi_file(page), to_memory = iommu_msi_memory(file);
        uint64_t notice = iommu_msi_notice(page, id);
        assert_int_equal(to_file & 7, 7);                                  /* V, M = 3 */
        assert_int_equal((to_file >> 10 & ((1UL << 44) - 1)) << 12, page); /* PPN */
        assert_int_equal(to_file & ~((1UL << 54) - 1), 0);
        assert_int_equal(to_file & 0x3f8, 0);
        assert_int_equal(to_memory & 7, 3); /* V, M = 1 */
        assert_int_equal((to_memory >> 7 & ((1UL << 47) - 1)) << 9, file);
        assert_int_equal(to_memory & ~((1UL << 54) - 1), 0);
        assert_int_equal(to_memory & 0x78, 0);
        assert_int_equal((notice & 0x3ff) | (notice >> 60 & 1) << 10, id); /* NID */
        assert_int_equal((notice >> 10 & ((1UL << 44) - 1)) << 12, page);  /* NPPN */
    }
    struct iommu_hw iommu;
    assert_null(begin(&iommu, 3, 0x10 | ALL_MODES | 3 << 22));
    assert_true(iommu_hw_has_msi(&iommu));
    assert_null(begin(&iommu, 3, 0x10 | ALL_MODES | 1 << 22));
    assert_false(iommu_hw_has_msi(&iommu)); /* no files in memory */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(directories),       cmocka_unit_test(one_device_alone),
        cmocka_unit_test(what_it_lacks),     cmocka_unit_test(no_answer),
        cmocka_unit_test(commands_go_round), cmocka_unit_test(faults),
        cmocka_unit_test(message_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
