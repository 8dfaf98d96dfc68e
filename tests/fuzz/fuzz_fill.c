/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Engine shadow's tables: faults at addresses of a guest whose page tables are of any content, and
 * change meanwhile; fences, changes of mode and root. Whatever the guest has mapped, each leaf of
 * each shadow root leads to a page of the VM's own, and never further than the guest's own tables
 * did once.
 */
#include "tests/fuzz/fuzz.h"

#include "lib/engine/hot.h"
#include "lib/engine/shadow/copy.h"
#include "lib/engine/shadow/shadow.h"
#include "riscv/csr.h"

#define RAM 0x80000000UL
#define PAGES 16
#define ROM 0xc0000000UL
#define WAY 0x7f000000UL /* where the tables for the trampoline would be */

static _Alignas(4096) uint64_t memory[PAGES][512], rom[2][512];
static struct engine_vm vm;
static struct engine_vcpu v;
static struct cald_machine machine;

/* ---- What entry.S and place_entry.S have, and other files
 * ------------------------------------------------- */

char s_trampoline_code[4096], s_in_asid[1], s_in_flush[1], s_out_asid[1], s_out_flush[1];
char s_place_put_then[1], s_place_put[1], s_place_does[1], s_place_here[1], s_place_get[1];
void s_trap(void)
{
}

void s_trap_here(void)
{
}

void s_out_here_asid(void)
{
}

void s_out_here_flush(void)
{
}

static unsigned delivered;
void s_deliver(struct engine_vcpu *vcpu, uint64_t cause, uint64_t tval)
{
    (void)vcpu, (void)tval;
    REQUIRE(cause == CAUSE_INSN_PAGE || cause == CAUSE_LOAD_PAGE || cause == CAUSE_STORE_PAGE);
    delivered++;
}

bool hot_device(struct engine_vcpu *vcpu, uint64_t gpa, const struct riscv_access *access)
{
    (void)vcpu, (void)gpa, (void)access;
    return false;
}

void hot_fence(struct engine_vcpu *eng, const struct fence *fence)
{
    if (fence->kind == FENCE_TABLES)
        s_tables_flush(eng);
    else if (fence->kind == FENCE_POKED)
        s_copy_unpoke(eng, fence->start);
    else
        s_copy_drop(eng, fence->start);
}

/* ---- What has to hold ---------------------------------------------------------------------- */

static bool own(uint64_t pa, uint64_t bytes, bool write)
{
    uint64_t ram = (uint64_t)memory, fixed = (uint64_t)rom;
    if (pa >= ram && pa + bytes <= ram + sizeof(memory))
        return true;
    return !write && pa >= fixed && pa + bytes <= fixed + sizeof(rom);
}

static void table_holds(const uint64_t *table, unsigned level)
{
    for (unsigned n = 0; n < 512; n++) {
        uint64_t entry = table[n];
        if (!(entry & PTE_V) || entry == (WAY >> 2 | PTE_V))
            continue;
        if (entry & (PTE_R | PTE_W | PTE_X)) {
            REQUIRE(
                own(entry >> 10 << 12 & 0x3ffffffffff000, 1UL << (12 + 9 * level), entry & PTE_W));
            REQUIRE((entry & (PTE_R | PTE_W)) != PTE_W && !(entry >> 54));
        } else {
            REQUIRE(level);
            table_holds(host_va(entry >> 10 << 12), level - 1);
        }
    }
}

static void all_hold(void)
{
    for (struct s_space *space = v.s.space; space < v.s.space + S_SPACES; space++) {
        for (unsigned view = 0; space->stamp && view < S_VIEWS; view++) {
            uint64_t satp = space->view[view].satp;
            if (satp)
                table_holds(host_va((satp & 0xfffffffffff) << 12), (unsigned)(satp >> 60) - 6);
        }
    }
}

/* ---- The guest ----------------------------------------------------------------------------- */

static uint64_t make_pte(struct input *in)
{
    unsigned what = (unsigned)input_number(in, 1);
    uint64_t flags = input_number(in, 1), page = (RAM >> 12) + (what & 31) % (PAGES + 2);
    if (what & 0x20)
        return page << 10 | PTE_V; /* a table */
    if (what & 0x40)
        page = what & 0x80 ? (ROM >> 12) + (what & 3) : input_number(in, 4);
    return page << 10 | flags | PTE_V;
}

static uint64_t address(struct input *in)
{
    unsigned what = (unsigned)input_number(in, 1);
    uint64_t va = (uint64_t)(what & 3) << 12 | (uint64_t)(what >> 2 & 3) << 21 |
                  (uint64_t)(what >> 4 & 3) << 30;
    if (what >> 6 == 3)
        return s_trampoline_va[what & 3] + (what >> 2 & 15) * 4096UL;
    return what >> 6 == 2 ? RAM + (va & 0xffff) : va | (what >> 6 ? 0xffffffc000000000 : 0);
}

static void fault(struct input *in)
{
    static const uint64_t causes[] = {CAUSE_INSN_PAGE, CAUSE_LOAD_PAGE, CAUSE_STORE_PAGE};
    unsigned what = (unsigned)input_number(in, 1);
    struct exit exit = {.cause = causes[what % 3], .gva = address(in)};
    v.pc = exit.cause == CAUSE_INSN_PAGE ? exit.gva : RAM + (what & 0xfc0);
    s_tables_satp(&v);
    if (!s_fault(&v, &exit))
        REQUIRE(exit.reason == EXIT_FETCH_FAULT || exit.reason == EXIT_UNDECODED ||
                exit.reason == EXIT_MMIO);
}

static void step(struct input *in)
{
    unsigned what = (unsigned)input_number(in, 1), n = what >> 4;
    switch (what & 7) {
    case 0:
    case 1:
        memory[n][(unsigned)input_number(in, 1) & 3] = make_pte(in);
        break;
    case 2: /* the modes and roots */
        v.s.user = n & 1;
        v.s.sstatus = (n & 2 ? SSTATUS_SUM : 0) | (n & 4 ? SSTATUS_MXR : 0);
        n = (unsigned)input_number(in, 1);
        v.s.satp = n & 0x80 ? 0 : (8 + (n >> 6 & 1UL)) << 60 | (n >> 4 & 3UL) << 44 | RAM >> 12;
        v.s.satp += v.s.satp ? n & 3 : 0;
        break;
    case 3:
        if (n & 1)
            s_tables_fence(&v);
        else
            s_tables_flush_asid(&v, n >> 1);
        break;
    case 4:
        s_tables_flush_page(&v, address(in), n & 1, n >> 1);
        break;
    case 5: /* code, some of it privileged */
        ((uint32_t *)memory[n])[input_number(in, 1)] =
            what & 8 ? 0x10002573 : (uint32_t)input_number(in, 4);
        break;
    default:
        fault(in);
        break;
    }
}

static void begin(void)
{
    static const struct engine_ops ops;
    memset(memory, 0, sizeof(memory));
    memset(&vm, 0, sizeof(vm));
    memset(&v, 0, sizeof(v));
    memset(&machine, 0, sizeof(machine));
    machine.told.asids = CALD_ASIDS;
    machine.told.first_asid = 1;
    for (unsigned way = 0; way < S_TRAMPOLINES; way++) {
        for (unsigned level = 0; level < S_LEVELS; level++)
            machine.s.way[way][level] = WAY >> 2 | PTE_V;
    }
    vm.name = "fuzz";
    vm.ops = &ops;
    vm.machine = &machine;
    vm.s.levels = 4;
    vm.s.adue = true;
    struct slot *slot = slot_begin(&vm.memory, RAM, sizeof(memory), (uint64_t)memory, SLOT_PRIVATE);
    REQUIRE(slot);
    slot->va = (uint8_t *)memory;
    slot->size = sizeof(memory);
    slot = slot_begin(&vm.memory, ROM, sizeof(rom), (uint64_t)rom, SLOT_REGISTERS);
    REQUIRE(slot);
    slot->size = sizeof(rom);
    v.vm = &vm;
    v.ops = &ops;
    REQUIRE(!s_tables_init(&v));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input in = {data, bytes};
    sim_reset();
    begin();
    while (in.left) {
        step(&in);
        all_hold();
    }
    s_tables_fini(&v);
    s_copies_fini(&vm);
    memory_empty(&vm.memory);
    REQUIRE(!sim_pages_taken);
    return 0;
}
