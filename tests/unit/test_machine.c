/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A machine's harts are left as they were found: on harts whose CSRs are an array
 * (host/sim/riscv/asm.h), with a guest that writes all that a guest and its traps can write. Two
 * machines at once share nothing. What a host tells that can't be is refused by name.
 */
#include "tests/unit/unit.h"

#include "caldarium/caldarium.h"
#include "caldarium/host.h"
#include "lib/engine/h/h.h"
#include "lib/engine/hot.h"
#include "lib/engine/shadow/shadow.h"
#include "lib/sbi/sbi.h"
#include "riscv/asm.h"
#include "riscv/walk.h"

#define VLENB 16U
#define HARTS 3

static uint64_t csrs[2 * HARTS][SIM_CSRS], before[SIM_CSRS], seed = 1;
static unsigned fp_begun, fp_ended;

/* What assembly has on a real hart. A run is a guest that leaves random values everywhere. */
char s_trampoline_code[HOST_PAGE_SIZE] __attribute__((aligned(HOST_PAGE_SIZE)));
char s_in_asid[1], s_in_flush[1], s_out_asid[1], s_out_flush[1];

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

void h_trap(void)
{
}

static const uint16_t guest_writes[] = {
    CSR_SSCRATCH, CSR_SEPC,    CSR_SCAUSE,    CSR_STVAL,     CSR_HTVAL,      CSR_HTINST,
    CSR_VSSTATUS, CSR_VSTVEC,  CSR_VSSCRATCH, CSR_VSEPC,     CSR_VSCAUSE,    CSR_VSTVAL,
    CSR_VSATP,    CSR_VSIE,    CSR_VSISELECT, CSR_VSTIMECMP, CSR_SCOUNTEREN, CSR_SENVCFG,
    CSR_HSTATUS,  CSR_SSTATUS, CSR_HVIP,      CSR_HIE,       CSR_FCSR,       CSR_VL,
    CSR_VTYPE,    CSR_VSTART,  CSR_VCSR};

/* Those that any trap writes, so that nobody keeps a value there, and the FP and vector units', of
 * which the host is told by host_fp_begin(). */
static const uint16_t anybodys[] = {CSR_SEPC, CSR_SCAUSE, CSR_STVAL, CSR_HTVAL,  CSR_HTINST,
                                    CSR_FCSR, CSR_VL,     CSR_VTYPE, CSR_VSTART, CSR_VCSR};

static uint32_t without; /* flags that the machine does not have */

/* Nor have its harts the register then. */
static bool is_absent(unsigned csr)
{
    return (without & CALD_MACHINE_AIA && csr == CSR_VSISELECT) ||
           (without & CALD_MACHINE_SSTC && csr == CSR_VSTIMECMP) ||
           (without & CALD_MACHINE_SENVCFG && csr == CSR_SENVCFG);
}

static void guest(void)
{
    for (unsigned n = 0; n < sizeof(guest_writes) / sizeof(*guest_writes); n++) {
        if (!is_absent(guest_writes[n]))
            sim_csr[guest_writes[n]] = unit_random(&seed);
    }
    sim_csr[CSR_SCAUSE] = CAUSE_INTERRUPT | IRQ_S_TIMER;
    sim_csr[CSR_SSTATUS] |= SSTATUS_FS | SSTATUS_VS; /* dirty */
}

void h_enter(struct engine_vcpu *v)
{
    assert_int_equal(sim_csr[CSR_STVEC], (uint64_t)h_trap);
    (void)v;
    guest();
}

static void (*look)(struct engine_vcpu *v); /* during a run of engine shadow */

void s_enter(struct engine_vcpu *v)
{
    assert_ptr_equal(v->s.page->vcpu, v);
    assert_int_equal(v->s.page->host_satp, sim_csr[CSR_SATP]);
    if (look)
        look(v);
    guest();
}

void fp_save(uint64_t fp[32])
{
    memset(fp, 1, 32 * sizeof(*fp));
}

void fp_restore(const uint64_t fp[32])
{
    (void)fp;
    assert_int_equal(fp_begun, fp_ended + 1);
}

void vector_save(void *room)
{
    memset(room, 1, 32UL * VLENB);
}

void vector_restore(const void *room)
{
    (void)room;
    assert_int_equal(fp_begun, fp_ended + 1);
}

void vector_config(uint64_t vl, uint64_t vtype)
{
    sim_csr[CSR_VL] = vl;
    sim_csr[CSR_VTYPE] = vtype;
}

void host_fp_begin(struct cald_vcpu *vcpu)
{
    (void)vcpu;
    fp_begun++;
}

void host_fp_end(struct cald_vcpu *vcpu)
{
    (void)vcpu;
    fp_ended++;
}

bool h_fetch_insn(uint64_t gva, uint32_t *insn)
{
    (void)gva, (void)insn;
    return false;
}

bool h_peek(struct engine_vcpu *v, uint64_t gva, uint8_t *byte)
{
    (void)v, (void)gva, (void)byte;
    return false;
}

static struct cald_machine_params told(uint32_t harts)
{
    return (struct cald_machine_params){
        .harts = harts,
        .flags = CALD_MACHINE_H | CALD_MACHINE_SHADOW | CALD_MACHINE_FP | CALD_MACHINE_COUNTERS |
                 CALD_MACHINE_SSTC | CALD_MACHINE_HSTATEEN | CALD_MACHINE_AIA |
                 CALD_MACHINE_SENVCFG | CALD_MACHINE_HSTATUS,
        .timebase = 10000000,
        .isa = "rv64imafdcvh_zicsr_zifencei_sstc_svadu_zicbom_zicboz",
        .vector_bytes = VLENB,
        .henvcfg = ENVCFG_STCE | ENVCFG_ADUE | ENVCFG_CBZE | ENVCFG_CBCFE | ENVCFG_CBIE_INVAL,
        .gstage_modes = 1U << 3 | 1U << 4,
        .vmid_bits = 2,
        .vs_levels = 4,
        .satp_levels = 4,
        .first_asid = 1,
        .asids = 100,
        .scounteren = 7,
        .counters = 7,
        .senvcfg = ENVCFG_FIOM | ENVCFG_CBZE | ENVCFG_CBCFE | ENVCFG_CBIE_INVAL,
        .user_senvcfg = ENVCFG_FIOM | ENVCFG_CBZE | ENVCFG_CBCFE | ENVCFG_CBIE_INVAL};
}

static int set_up(void **state)
{
    (void)state;
    sim_reset();
    for (unsigned hart = 0; hart < 2 * HARTS; hart++) {
        for (unsigned n = 0; n < SIM_CSRS; n++)
            csrs[hart][n] = unit_random(&seed);
    }
    sim_csr = csrs[0];
    fp_begun = fp_ended = 0;
    without = 0;
    return 0;
}

static struct cald_machine *create(uint32_t harts)
{
    struct cald_machine_params params = told(harts);
    struct cald_machine *machine = NULL;
    params.flags &= ~without;
    assert_int_equal(cald_machine_create(&params, NULL, &machine), CALD_OK);
    return machine;
}

/* A VM with one vCPU; memory is of no interest here. */
struct one {
    struct engine_vm vm;
    struct cald_vcpu vcpu;
    uint8_t vector[32 * VLENB], hidden[ISA_EXT_COUNT];
};

static struct one *define(struct cald_machine *machine, const struct engine_ops *ops)
{
    struct one *one = aligned_alloc(_Alignof(struct one), sizeof(*one));
    memset(one, 0, sizeof(*one));
    one->vm.ops = one->vcpu.eng.ops = ops;
    one->vm.machine = machine;
    one->vm.name = "one";
    one->vm.isa_disable = one->hidden;
    one->vm.gpa_end = 0x90000000;
    one->vcpu.eng.vm = &one->vm;
    assert_int_equal(ops->vm_init(&one->vm), 0);
    if (ops->vcpu_init)
        assert_int_equal(ops->vcpu_init(&one->vcpu.eng), 0);
    ops->vector_room(&one->vcpu.eng, one->vector);
    ops->vcpu_reset(&one->vcpu.eng, 0x80000000, 0, 0);
    return one;
}

static void end(struct one *one)
{
    if (one->vm.ops->vcpu_fini)
        one->vm.ops->vcpu_fini(&one->vcpu.eng);
    one->vm.ops->vm_fini(&one->vm);
    free(one);
}

static void load(struct one *one, unsigned hart)
{
    one->vcpu.eng.hart = hart;
    one->vm.ops->load(&one->vcpu.eng);
}

/* Every CSR of the present hart, but `but`, is as in `before`. */
static void same(const uint16_t *but, unsigned count, bool supervisor_only)
{
    for (unsigned n = 0; n < SIM_CSRS; n++) {
        bool skip = supervisor_only && (n >> 8 & 3) == 2; /* the H extension's: bits 9:8 are 2 */
        for (unsigned i = 0; i < count; i++)
            skip |= but[i] == n;
        if (!skip && sim_csr[n] != before[n])
            fail_msg("CSR %#x was %#lx, is %#lx", n, before[n], sim_csr[n]);
    }
}

static void keep(void)
{
    memcpy(before, sim_csr, sizeof(before));
}

#define ANYBODYS anybodys, sizeof(anybodys) / sizeof(*anybodys)

/* One life on a hart, with several runs. `ops`: the engine. */
static void live(struct cald_machine *machine, const struct engine_ops *ops)
{
    struct one *one = define(machine, ops);
    sim_csr = csrs[1];
    sim_csr[CSR_SATP] = SATP_MODE_SV48 << SATP_MODE_SHIFT | 0x12345;
    uint64_t found[SIM_CSRS];
    memcpy(found, sim_csr, sizeof(found));
    assert_int_equal(cald_hart_begin(machine, 1), CALD_OK);
    assert_int_equal(cald_hart_begin(machine, 1), CALD_EBUSY);
    for (unsigned n = 0; n < 3; n++) {
        keep();
        load(one, 1);
        assert_int_equal(fp_begun, fp_ended + 1);
        assert_int_equal(sim_csr[CSR_SSTATUS], before[CSR_SSTATUS]);
        for (unsigned run = 0; run < 3; run++) {
            uint64_t status = sim_csr[CSR_SSTATUS] = unit_random(&seed);
            uint64_t vector = sim_csr[CSR_STVEC], scratch = sim_csr[CSR_SSCRATCH];
            struct exit exit;
            ops->run(&one->vcpu.eng, &exit);
            assert_int_equal(exit.reason, EXIT_INTERRUPT);
            assert_int_equal(sim_csr[CSR_SSTATUS], status);
            assert_int_equal(sim_csr[CSR_STVEC], vector);
            assert_int_equal(sim_csr[CSR_SSCRATCH], scratch);
        }
        sim_csr[CSR_SSTATUS] = before[CSR_SSTATUS];
        ops->put(&one->vcpu.eng);
        assert_int_equal(fp_begun, fp_ended);
        same(ANYBODYS, true);
    }
    cald_hart_end(machine, 1);
    memcpy(before, found, sizeof(before));
    same(ANYBODYS, false);
    end(one);
}

static void test_a_hart_is_left_as_it_was_found(void **state)
{
    (void)state;
    static const uint32_t all[] = {0, CALD_MACHINE_AIA, CALD_MACHINE_SSTC, CALD_MACHINE_HSTATEEN,
                                   CALD_MACHINE_SENVCFG};
    for (unsigned n = 0; n < sizeof(all) / sizeof(*all); n++) {
        without = all[n];
        struct cald_machine *machine = create(HARTS);
        live(machine, &engine_h);
        live(machine, &engine_shadow);
        cald_machine_destroy(machine);
        assert_int_equal(sim_pages_taken, 0);
    }
}

static void test_two_machines_share_nothing(void **state)
{
    (void)state;
    struct cald_machine *machine[2] = {create(1), create(HARTS)};
    struct one *vms[2][4];
    uint64_t generation;
    for (unsigned m = 0; m < 2; m++) {
        for (unsigned n = 0; n < 4; n++)
            vms[m][n] = define(machine[m], n % 2 ? &engine_shadow : &engine_h);
    }
    /* Two bits are four VMIDs, 1 to 3 a generation, of each machine. */
    for (unsigned n = 0; n < 9; n++) {
        vms[0][0]->vm.h.vmid = 0;
        h_hgatp(&vms[0][0]->vm, &generation);
    }
    assert_int_equal(generation, 3);
    h_hgatp(&vms[1][0]->vm, &generation);
    assert_int_equal(generation, 1);

    /* On hart 0 of either machine, in turns: a vCPU that comes back finds what it left. */
    for (unsigned m = 0; m < 2; m++) {
        sim_csr = csrs[m];
        assert_int_equal(cald_hart_begin(machine[m], 0), CALD_OK);
        load(vms[m][0], 0);
        vms[m][0]->vm.ops->put(&vms[m][0]->vcpu.eng);
        load(vms[m][1], 0);
        vms[m][1]->vm.ops->put(&vms[m][1]->vcpu.eng);
    }
    for (unsigned m = 0; m < 2; m++) {
        sim_csr = csrs[m];
        sim_fences_vvma = sim_fences_gvma = sim_fences = 0;
        load(vms[m][0], 0);
        vms[m][0]->vm.ops->put(&vms[m][0]->vcpu.eng);
        load(vms[m][1], 0);
        vms[m][1]->vm.ops->put(&vms[m][1]->vcpu.eng);
        assert_int_equal(sim_fences_vvma, 0);
        assert_int_equal(sim_fences, 0);
        assert_ptr_equal(vms[m][1]->vcpu.eng.s.page, machine[m]->hart[0].s.page);
        cald_hart_end(machine[m], 0);
        assert_int_equal(sim_fences_vvma, 1); /* whoever has the hart next has the numbers too */
        assert_int_equal(sim_fences_gvma, 1);
        assert_int_equal(sim_fences, 1);
        assert_int_equal(cald_hart_begin(machine[m], 0), CALD_OK);
        sim_fences = 0;
        load(vms[m][1], 0);
        vms[m][1]->vm.ops->put(&vms[m][1]->vcpu.eng);
        assert_int_equal(sim_fences, 1);
        cald_hart_end(machine[m], 0);
    }
    assert_ptr_not_equal(machine[0]->hart[0].s.page, machine[1]->hart[0].s.page);
    for (unsigned n = 0; n < 4; n++)
        end(vms[0][n]);
    cald_machine_destroy(machine[0]);

    /* The other one goes on. */
    sim_csr = csrs[1];
    assert_int_equal(cald_hart_begin(machine[1], HARTS - 1), CALD_OK);
    assert_int_equal(cald_hart_begin(machine[1], HARTS), CALD_EINVAL);
    for (unsigned n = 0; n < 4; n++) {
        struct exit exit;
        load(vms[1][n], HARTS - 1);
        vms[1][n]->vm.ops->run(&vms[1][n]->vcpu.eng, &exit);
        vms[1][n]->vm.ops->put(&vms[1][n]->vcpu.eng);
        end(vms[1][n]);
    }
    cald_hart_end(machine[1], HARTS - 1);
    cald_machine_destroy(machine[1]);
    assert_int_equal(sim_pages_taken, 0);
}

static void refuse(struct cald_machine_params params, const char *member);

/*
 * A host whose address space has 3, 4 or 5 levels, and in which nothing can be entered. Its tables
 * are pages of this process; addresses are as the library sees them.
 */
#define LAST_GIB 0xffffffffc0000000
#define KERNEL 0xffffffff80000000
#define LEAF (PTE_V | PTE_R | PTE_W | PTE_A | PTE_D)

static uint64_t host_tables[16][512] __attribute__((aligned(4096)));
static unsigned host_table_count;

static uint64_t *host_table(void)
{
    uint64_t *table = host_tables[host_table_count++];
    assert_true(host_table_count <= 16);
    memset(table, 0, sizeof(host_tables[0]));
    return table;
}

static uint64_t entry_of(const void *page)
{
    return (uint64_t)page >> 12 << PTE_PPN_SHIFT;
}

/* The entry for va at `level` of the host's own tables, which are made as needed. */
static uint64_t *host_entry(uint64_t *root, unsigned levels, uint64_t va, unsigned level)
{
    uint64_t *table = root;
    for (unsigned at = levels - 1;; at--) {
        uint64_t *entry = &table[va >> (12 + 9 * at) & 511];
        if (at == level)
            return entry;
        if (!*entry)
            *entry = entry_of(host_table()) | PTE_V;
        table = (uint64_t *)(*entry >> PTE_PPN_SHIFT << 12);
    }
}

static bool read_here(void *owner, uint64_t pa, uint64_t *pte)
{
    (void)owner;
    *pte = *(const uint64_t *)pa;
    return true;
}

/* Where va leads by that satp; 0: nowhere. */
static uint64_t leads(uint64_t satp, uint64_t va)
{
    struct riscv_leaf leaf;
    return riscv_walk(satp, va, read_here, NULL, &leaf) ? leaf.pa : 0;
}

static uint64_t hosts_satp, own_satp;
static unsigned looked;

/* A guest's root and Caldarium's have the same trampoline, and Caldarium's the host's kernel. */
static void look_at_roots(struct engine_vcpu *v)
{
    uint64_t guests = v->s.page->shadow_satp, code = s_trampoline_va[v->s.trampoline];
    uint64_t data = code + (1 + v->hart) * HOST_PAGE_SIZE;
    own_satp = sim_csr[CSR_SATP];
    assert_int_not_equal(own_satp, hosts_satp);
    assert_int_equal(own_satp >> 60, hosts_satp >> 60);
    assert_int_equal(leads(own_satp, code), (uint64_t)s_trampoline_code);
    assert_int_equal(leads(guests, code), (uint64_t)s_trampoline_code);
    assert_int_equal(leads(own_satp, data), (uint64_t)v->s.page);
    assert_int_equal(leads(guests, data), (uint64_t)v->s.page);
    assert_int_equal(leads(own_satp, KERNEL + 0x5123), 0x80205123);
    assert_int_equal(leads(own_satp, 0xffffffd000000123), 0x123);
    assert_int_equal(leads(own_satp, 0x10000), 0); /* the host's user */
    assert_int_equal(leads(guests, KERNEL), 0);
    assert_int_equal(sim_csr[CSR_SSCRATCH], data);
    looked++;
}

static void run_on(struct one *one, unsigned hart)
{
    struct exit exit;
    sim_csr = csrs[hart];
    sim_csr[CSR_SATP] = hosts_satp;
    load(one, hart);
    one->vm.ops->run(&one->vcpu.eng, &exit);
    assert_int_equal(sim_csr[CSR_SATP], hosts_satp);
    one->vm.ops->put(&one->vcpu.eng);
}

static void private_roots(unsigned levels, uint32_t flags, uint32_t asids)
{
    host_table_count = 0;
    uint64_t *root = host_table();
    hosts_satp = (SATP_MODE_SV39 + levels - 3) << SATP_MODE_SHIFT | 7UL << SATP_ASID_SHIFT |
                 (uint64_t)root >> 12;
    *host_entry(root, levels, KERNEL, 1) = entry_of((void *)0x80200000) | LEAF;
    *host_entry(root, levels, 0xffffffd000000000, 2) = LEAF;
    *host_entry(root, levels, 0x10000, 0) = entry_of((void *)0x77000) | LEAF | PTE_U;
    struct cald_machine_params params = told(HARTS);
    struct cald_machine *machine;
    params.flags |= CALD_MACHINE_PRIVATE_ROOT | flags;
    params.satp_levels = 5;
    params.asids = asids;
    sim_csr = csrs[0];
    sim_csr[CSR_SATP] = hosts_satp;
    assert_int_equal(cald_machine_create(&params, NULL, &machine), CALD_OK);
    struct one *one = define(machine, &engine_shadow);
    look = look_at_roots;
    looked = sim_fences = 0;
    run_on(one, 1);
    assert_int_equal(one->vcpu.eng.s.trampoline, 0);
    assert_int_equal(own_satp >> 44 & 0xffff, s_asids(machine) ? 1 + S_ASIDS : 0);
    sim_fences = 0;
    run_on(one, 1); /* nothing else ran here */
    assert_int_equal(sim_fences, s_asids(machine) ? 0 : 2);

    /* The host comes to use two of the places; what it maps elsewhere is seen too. */
    *host_entry(root, levels, s_trampoline_va[0], 1) = entry_of((void *)0x200000) | LEAF;
    *host_entry(root, levels, s_trampoline_va[1], 0) = entry_of((void *)0x300000) | LEAF;
    *host_entry(root, levels, 0xffffffd040000000, 2) = entry_of((void *)0x40000000) | LEAF;
    run_on(one, 2);
    assert_int_equal(one->vcpu.eng.s.trampoline, 2);
    assert_int_equal(leads(own_satp, s_trampoline_va[0]), 0x200000);
    assert_int_equal(leads(own_satp, s_trampoline_va[1]), 0x300000);
    assert_int_equal(leads(own_satp, 0xffffffd040000456), 0x40000456);

    /* It has a large page for all of the last GiB: there is still the lower half. */
    *host_entry(root, levels, LAST_GIB, 2) = entry_of((void *)0x40000000) | LEAF;
    run_on(one, 1);
    assert_int_equal(one->vcpu.eng.s.trampoline, 3);
    assert_int_equal(leads(own_satp, LAST_GIB + 8), 0x40000008);
    assert_int_equal(looked, 4);
    look = NULL;
    end(one);
    cald_machine_destroy(machine);
    assert_int_equal(sim_pages_taken, 0);
}

static void test_roots_of_our_own(void **state)
{
    (void)state;
    for (unsigned levels = 3; levels <= 5; levels++) {
        private_roots(levels, 0, S_ASIDS + 1);
        private_roots(levels, 0, S_ASIDS);
        private_roots(levels, CALD_MACHINE_GLOBAL, 1000);
    }
    struct cald_machine_params params = told(1);
    params.flags |= CALD_MACHINE_PRIVATE_ROOT;
    params.satp_levels = 4;
    sim_csr[CSR_SATP] = 0;
    refuse(params, "satp");
    sim_csr[CSR_SATP] = (SATP_MODE_SV39 + 2) << SATP_MODE_SHIFT;
    refuse(params, "satp");
}

/* This process is no host that lies apart: its code, data and stack are far from each other, or all
 * behind the first entry. A host that does is the Type-1 itself. */
static void test_a_host_that_does_not_lie_apart(void **state)
{
    (void)state;
    struct cald_machine_params params = told(1);
    params.flags |= CALD_MACHINE_APART;
    host_table_count = 0;
    uint64_t *root = host_table();
    for (unsigned n = 0; n < 512; n++)
        root[n] = entry_of(host_tables[1]) | PTE_V;
    for (unsigned levels = 3; levels <= 5; levels++) {
        uint64_t mode = (SATP_MODE_SV39 + levels - 3) << SATP_MODE_SHIFT;
        params.satp_levels = levels;
        sim_csr[CSR_SATP] = mode | (uint64_t)root >> 12;
        refuse(params, levels == 3 ? "satp" : "the library");
        assert_non_null(strstr(sim_messages, levels == 3 ? "a root with 4 levels or more"
                                                         : "behind one entry of the root"));
        params.satp_levels = levels == 5 ? 4 : levels + 1;
        refuse(params, "satp");
    }
    sim_csr[CSR_SATP] = 0;
    params.satp_levels = 4;
    refuse(params, "satp");
}

static void test_more_harts_than_a_board_has(void **state)
{
    (void)state;
    struct cald_machine *machine = create(511);
    struct one *one = define(machine, &engine_h);
    assert_int_equal(cald_hart_begin(machine, 510), CALD_OK);
    load(one, 510);
    one->vm.ops->put(&one->vcpu.eng);
    cald_hart_end(machine, 510);
    end(one);
    cald_machine_destroy(machine);
    assert_int_equal(sim_pages_taken, 0);
}

static void test_no_memory_is_an_answer(void **state)
{
    (void)state;
    struct cald_machine_params params = told(HARTS);
    struct cald_machine *machine;
    unsigned refused = 0;
    for (sim_pages_total = 0;; sim_pages_total += 4096) {
        int error = cald_machine_create(&params, NULL, &machine);
        if (!error)
            break;
        assert_int_equal(error, CALD_ENOMEM);
        assert_int_equal(sim_pages_taken, 0);
        refused++;
    }
    assert_true(refused > HARTS);
    cald_machine_destroy(machine);
    assert_int_equal(sim_pages_taken, 0);
}

static void refuse(struct cald_machine_params params, const char *member)
{
    struct cald_machine *machine;
    unsigned errors = sim_errors;
    assert_int_equal(cald_machine_create(&params, NULL, &machine), CALD_EINVAL);
    assert_int_equal(sim_errors, errors + 1);
    char text[64];
    snprintf(text, sizeof(text), "machine: %s is ", member);
    assert_non_null(strstr(sim_messages, text));
    assert_int_equal(sim_pages_taken, 0);
}

#define REFUSE(member, value)                                                                      \
    do {                                                                                           \
        struct cald_machine_params params_ = told(HARTS);                                          \
        params_.member = value;                                                                    \
        refuse(params_, #member);                                                                  \
    } while (0)

static void test_what_can_not_be_is_named(void **state)
{
    (void)state;
    REFUSE(harts, 0);
    REFUSE(harts, 512);
    REFUSE(flags, CALD_MACHINE_FP);
    REFUSE(timebase, 0);
    REFUSE(isa, NULL);
    REFUSE(vector_bytes, 24);
    REFUSE(vector_bytes, 16384);
    REFUSE(gstage_modes, 0);
    REFUSE(gstage_modes, 1U << 6);
    REFUSE(vmid_bits, 15);
    REFUSE(vs_levels, 2);
    REFUSE(satp_levels, 6);
    REFUSE(first_asid, 0);
    REFUSE(asids, 65536);
}

static void test_what_guests_are_shown(void **state)
{
    (void)state;
    struct cald_machine_params params = told(1);
    struct cald_machine *machine;
    char text[512];
    params.henvcfg &= ~(ENVCFG_CBZE | ENVCFG_ADUE);
    params.flags &= ~(uint32_t)(CALD_MACHINE_SSTC | CALD_MACHINE_FP);
    assert_int_equal(cald_machine_create(&params, NULL, &machine), CALD_OK);
    uint32_t length = cald_machine_isa(machine, CALD_MACHINE_H, text, sizeof(text));
    assert_int_equal(length, strlen(text));
    assert_non_null(strstr(text, "zicbom"));
    assert_null(strstr(text, "zicboz"));
    assert_null(strstr(text, "svadu"));
    assert_null(strstr(text, "sstc"));
    assert_null(strstr(text, "rv64imaf"));
    cald_machine_isa(machine, CALD_MACHINE_SHADOW, text, sizeof(text));
    assert_non_null(strstr(text, "zicboz"));
    assert_non_null(strstr(text, "sstc")); /* the engine's own */
    assert_int_equal(cald_machine_isa(machine, CALD_MACHINE_H, text, 4), length);
    assert_string_equal(text, "rv6");
    cald_machine_destroy(machine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_hart_is_left_as_it_was_found, set_up),
        cmocka_unit_test_setup(test_two_machines_share_nothing, set_up),
        cmocka_unit_test_setup(test_roots_of_our_own, set_up),
        cmocka_unit_test_setup(test_a_host_that_does_not_lie_apart, set_up),
        cmocka_unit_test_setup(test_more_harts_than_a_board_has, set_up),
        cmocka_unit_test_setup(test_no_memory_is_an_answer, set_up),
        cmocka_unit_test_setup(test_what_can_not_be_is_named, set_up),
        cmocka_unit_test_setup(test_what_guests_are_shown, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
