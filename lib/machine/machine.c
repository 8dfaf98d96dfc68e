/* SPDX-License-Identifier: BSD-2-Clause */
/* A machine from what its host tells of it, and its harts' begin and end. */
#include "lib/machine/machine.h"

#include "caldarium/host.h"
#include "lib/common/line.h"
#include "lib/engine/h/h.h"
#include "lib/engine/shadow/shadow.h"

#define VMID_BITS 14 /* of hgatp (privileged manual, "Hypervisor Guest Address Translation") */
#define ASIDS 65536  /* satp has 16 bits for them */
#define VECTOR_BYTES_MAX 8192 /* VLEN is 65,536 bits at most (vector specification, 2) */

static uint64_t hart_bytes(const struct cald_machine *machine)
{
    return machine->told.harts * sizeof(*machine->hart);
}

/* What firmware or host keep closed, or the engine can't give, is not there for guests either. */
static void h_isa(const struct cald_machine_params *told, struct riscv_isa *isa)
{
    if (!(told->flags & CALD_MACHINE_SSTC))
        isa_clear(isa, ISA_SSTC);
    isa_hide_units(isa, told->flags & CALD_MACHINE_FP, told->vector_bytes);
    if (!(told->flags & CALD_MACHINE_AIA))
        isa_clear(isa, ISA_SSAIA);
    if (!(told->henvcfg & ENVCFG_ADUE))
        isa_clear(isa, ISA_SVADU);
    if (!(told->henvcfg & ENVCFG_PBMTE))
        isa_clear(isa, ISA_SVPBMT);
    if (!(told->henvcfg & ENVCFG_CBCFE))
        isa_clear(isa, ISA_ZICBOM);
    if (!(told->henvcfg & ENVCFG_CBZE))
        isa_clear(isa, ISA_ZICBOZ);
}

/* What S-mode has beyond the base, this engine has to do itself. */
static void shadow_isa(const struct cald_machine_params *told, struct riscv_isa *isa)
{
    static const enum riscv_ext none[] = {ISA_SVPBMT, ISA_SVNAPOT, ISA_SVINVAL, ISA_SVRSW60T59B};
    for (unsigned n = 0; n < sizeof(none) / sizeof(*none); n++)
        isa_clear(isa, none[n]);
    isa_set(isa, ISA_SSAIA); /* all of it is done in vcpu/, whatever the harts have */
    isa_set(isa, ISA_SSTC);  /* by the engine */
    isa_hide_units(isa, told->flags & CALD_MACHINE_FP, told->vector_bytes);
    if (!(told->user_senvcfg & ENVCFG_CBCFE))
        isa_clear(isa, ISA_ZICBOM);
    if (!(told->user_senvcfg & ENVCFG_CBZE))
        isa_clear(isa, ISA_ZICBOZ);
}

static bool expect(bool ok, const char *member, uint64_t value, const char *expected)
{
    if (!ok)
        line_error("machine: %s is %#lx; expected is %s", member, (unsigned long)value, expected);
    return ok;
}

static bool is_power_of_two(uint64_t value)
{
    return value && !(value & (value - 1));
}

static bool check_h(const struct cald_machine_params *told)
{
    return expect(told->gstage_modes && !(told->gstage_modes & ~0x38U), "gstage_modes",
                  told->gstage_modes, "one or more of the bits 3, 4 and 5") &&
           expect(told->vmid_bits <= VMID_BITS, "vmid_bits", told->vmid_bits, "14 at most") &&
           expect(told->vs_levels >= 3 && told->vs_levels <= 5, "vs_levels", told->vs_levels,
                  "3, 4 or 5");
}

static bool check_shadow(const struct cald_machine_params *told)
{
    return expect(told->satp_levels >= 3 && told->satp_levels <= 5, "satp_levels",
                  told->satp_levels, "3, 4 or 5") &&
           expect(told->harts <= S_HARTS, "harts", told->harts, "511 at most for engine shadow") &&
           expect(!told->asids || told->first_asid, "first_asid", 0,
                  "another one: 0 is for none") &&
           expect((uint64_t)told->first_asid + told->asids <= ASIDS, "asids", told->asids,
                  "a run of them that ends below 65536");
}

static bool check(const struct cald_machine_params *told)
{
    return expect(told->flags & (CALD_MACHINE_H | CALD_MACHINE_SHADOW), "flags", told->flags,
                  "an engine: CALD_MACHINE_H, CALD_MACHINE_SHADOW") &&
           expect(told->harts, "harts", 0, "one or more") &&
           expect(!told->kick_identity || told->flags & CALD_MACHINE_KICKS_ARE_OURS,
                  "kick_identity", told->kick_identity, "0 without CALD_MACHINE_KICKS_ARE_OURS") &&
           expect(told->timebase, "timebase", 0, "a frequency in Hz") &&
           expect(told->isa, "isa", 0, "a string such as \"rv64ima_zicsr\"") &&
           expect(!told->vector_bytes || (is_power_of_two(told->vector_bytes) &&
                                          told->vector_bytes <= VECTOR_BYTES_MAX),
                  "vector_bytes", told->vector_bytes, "0, or a power of two, 8192 at most") &&
           (!(told->flags & CALD_MACHINE_H) || check_h(told)) &&
           (!(told->flags & CALD_MACHINE_SHADOW) || check_shadow(told));
}

/* The engines that the machine has, one after the other; NULL: no more. */
static const struct engine_ops *engine(const struct cald_machine *machine, unsigned n)
{
    if (!machine_has(machine, CALD_MACHINE_H))
        n++;
    if (n == 0)
        return &engine_h;
    return n == 1 && machine_has(machine, CALD_MACHINE_SHADOW) ? &engine_shadow : NULL;
}

static int init_engines(struct cald_machine *machine)
{
    const struct engine_ops *ops;
    int error = CALD_OK;
    for (unsigned n = 0; !error && (ops = engine(machine, n)); n++) {
        if (ops->machine_init)
            error = ops->machine_init(machine); /* of one of them at most */
    }
    return error;
}

int cald_machine_create(const struct cald_machine_params *params, void *owner,
                        struct cald_machine **made)
{
    if (!check(params))
        return CALD_EINVAL;
    struct cald_machine *machine = host_pages_alloc(sizeof(*machine), HOST_PAGE_SIZE);
    if (!machine)
        return CALD_ENOMEM;
    machine->told = *params;
    machine->told.isa = NULL; /* the caller's, read here */
    machine->owner = owner;
    isa_parse_string(&machine->isa_h, params->isa);
    machine->isa_shadow = machine->isa_h;
    h_isa(params, &machine->isa_h);
    shadow_isa(params, &machine->isa_shadow);
    machine->hart = host_pages_alloc(hart_bytes(machine), HOST_PAGE_SIZE);
    int error = machine->hart ? init_engines(machine) : CALD_ENOMEM;
    if (!error) {
        *made = machine;
        return CALD_OK;
    }
    if (machine->hart)
        host_pages_free(machine->hart, hart_bytes(machine));
    host_pages_free(machine, sizeof(*machine));
    return error;
}

void cald_machine_destroy(struct cald_machine *machine)
{
    const struct engine_ops *ops;
    for (unsigned n = 0; (ops = engine(machine, n)); n++) {
        if (ops->machine_fini)
            ops->machine_fini(machine);
    }
    host_pages_free(machine->hart, hart_bytes(machine));
    host_pages_free(machine, sizeof(*machine));
}

uint32_t cald_machine_isa(const struct cald_machine *machine, uint32_t engine, char *text,
                          uint32_t bytes)
{
    const struct riscv_isa *isa = engine == CALD_MACHINE_H ? &machine->isa_h : &machine->isa_shadow;
    return (uint32_t)isa_format_string(isa, text, bytes);
}

int cald_hart_begin(struct cald_machine *machine, uint32_t hart)
{
    const struct engine_ops *ops;
    if (hart >= machine->told.harts)
        return CALD_EINVAL;
    if (machine->hart[hart].begun)
        return CALD_EBUSY;
    machine->hart[hart].begun = true;
    for (unsigned n = 0; (ops = engine(machine, n)); n++) {
        if (ops->hart_begin)
            ops->hart_begin(machine, hart);
    }
    return CALD_OK;
}

void cald_hart_end(struct cald_machine *machine, uint32_t hart)
{
    const struct engine_ops *ops;
    for (unsigned n = 0; (ops = engine(machine, n)); n++) {
        if (ops->hart_end)
            ops->hart_end(machine, hart);
    }
    machine->hart[hart].begun = false;
}
