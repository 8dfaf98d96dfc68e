/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SBI calls of a VM's four vCPUs, in any state of theirs, with arguments near those that matter.
 * A call changes what it may: a0, a1 and pc of the caller, mail for whom it names, the HSM state of
 * whom it starts.
 */
#include "tests/fuzz/guests.h"

#include "tests/unit/guests.h"

#include "caldarium/caldarium.h"

#define PC 0x80001000UL
#define MIB 1
#define RAM_END (GUEST_RAM + MIB * GUEST_MIB)

static const uint64_t extensions[] = {
    SBI_EXT_BASE, SBI_EXT_TIME, SBI_EXT_IPI,  SBI_EXT_RFENCE,    SBI_EXT_HSM,
    SBI_EXT_SRST, SBI_EXT_PMU,  SBI_EXT_DBCN, SBI_EXT_SUSP,      SBI_EXT_STA,
    SBI_EXT_HSM,  SBI_EXT_IPI,  SBI_EXT_DBCN, SBI_EXT_CALDARIUM, 0,
};

/* Its paging is off. */
static bool peek(struct engine_vcpu *v, uint64_t gva, uint8_t *byte)
{
    (void)v;
    return vm_read(guest, gva, byte, 1);
}

static uint64_t value_of(struct input *in)
{
    unsigned what = (unsigned)input_number(in, 1);
    switch (what & 7) {
    case 0:
    case 1:
        return what >> 3;
    case 2:
        return UINT64_MAX - (what >> 3);
    case 3:
        return GUEST_RAM + (input_number(in, 3) & 0x1fffff);
    case 4:
        return RAM_END - (what >> 3);
    case 5:
        return GUEST_RAM + (what >> 3) * 4096UL;
    case 6:
        return 0x80000000UL + (what >> 3);
    default:
        return input_number(in, 8);
    }
}

/* Whether hart_mask and hart_mask_base name vCPU n; `all`: they name none that isn't there. */
static bool names(uint64_t mask, uint64_t base, unsigned n)
{
    if (base == UINT64_MAX)
        return true;
    return n >= base && n - base < 64 && mask >> (n - base) & 1;
}

static bool all_there(uint64_t mask, uint64_t base)
{
    for (unsigned n = 0; base != UINT64_MAX && n < 64; n++) {
        if (mask >> n & 1 && (base >= GUEST_VCPUS || base + n >= GUEST_VCPUS))
            return false;
    }
    return true;
}

struct before {
    uint32_t mailbox[GUEST_VCPUS], hsm[GUEST_VCPUS];
    uint64_t gpr[32];
};

static void note(const struct cald_vcpu *caller, struct before *b)
{
    for (unsigned n = 0; n < GUEST_VCPUS; n++) {
        b->mailbox[n] = atomic_load(&guest_vcpus[n].mailbox);
        b->hsm[n] = atomic_load(&guest_vcpus[n].hsm);
    }
    memcpy(b->gpr, caller->eng.gpr, sizeof(b->gpr));
}

static void mail_holds(const struct cald_vcpu *caller, const struct before *b)
{
    uint64_t id = b->gpr[17], mask = b->gpr[10], base = b->gpr[11];
    uint32_t bit = id == SBI_EXT_IPI ? MAIL_SOFT : MAIL_FENCE | MAIL_FLUSH;
    bool known = id == SBI_EXT_IPI ? b->gpr[16] == 0 : b->gpr[16] < 3;
    bool there = all_there(mask, base), done = !(int64_t)caller->eng.gpr[10];
    if (!known)
        return;
    REQUIRE(there || (int64_t)caller->eng.gpr[10] == SBI_ERR_INVALID_PARAM);
    REQUIRE(id != SBI_EXT_IPI || done == there);
    for (unsigned n = 0; n < GUEST_VCPUS; n++) {
        uint32_t came = atomic_load(&guest_vcpus[n].mailbox) & ~b->mailbox[n] & bit;
        REQUIRE(!came || (done && names(mask, base, n)));
        if (done && id == SBI_EXT_IPI && &guest_vcpus[n] != caller && names(mask, base, n) &&
            b->hsm[n] == SBI_HSM_STARTED)
            REQUIRE(atomic_load(&guest_vcpus[n].mailbox) & MAIL_SOFT);
    }
}

static void states_hold(const struct cald_vcpu *caller, const struct before *b)
{
    bool hsm = b->gpr[17] == SBI_EXT_HSM, susp = b->gpr[17] == SBI_EXT_SUSP;
    for (unsigned n = 0; n < GUEST_VCPUS; n++) {
        uint32_t now = atomic_load(&guest_vcpus[n].hsm);
        if (now == b->hsm[n])
            continue;
        if (&guest_vcpus[n] == caller) {
            REQUIRE((hsm && (now == SBI_HSM_STOPPED || now == SBI_HSM_SUSPENDED)) ||
                    (susp && now == SBI_HSM_SUSPENDED));
            continue;
        }
        REQUIRE(hsm && b->gpr[16] == 0 && b->gpr[10] == n && b->hsm[n] == SBI_HSM_STOPPED);
        REQUIRE(now == SBI_HSM_START_PENDING && guest_vcpus[n].start_pc == b->gpr[11]);
        REQUIRE(b->gpr[11] >= GUEST_RAM && b->gpr[11] < RAM_END);
    }
}

static void call(struct input *in, struct cald_vcpu *vcpu)
{
    struct before before;
    uint64_t *gpr = vcpu->eng.gpr;
    unsigned what = (unsigned)input_number(in, 1);
    uint64_t extension = extensions[(what & 15) % (sizeof(extensions) / sizeof(*extensions))];
    gpr[17] = extension ? extension : what >> 4;
    gpr[16] = what >> 4 < 12 ? what >> 4 : value_of(in);
    for (unsigned n = 10; n < 16; n++)
        gpr[n] = value_of(in);
    vcpu->eng.pc = PC;
    note(vcpu, &before);
    sbi_handle(vcpu);
    for (unsigned n = 0; n < 32; n++)
        REQUIRE(n == 10 || n == 11 || gpr[n] == before.gpr[n]);
    REQUIRE(vcpu->eng.pc == PC || vcpu->eng.pc == PC + 4);
    states_hold(vcpu, &before);
    if (vcpu->eng.pc == PC)
        return; /* no answer yet */
    if (gpr[17] <= SBI_EXT_LEGACY_SHUTDOWN)
        REQUIRE(gpr[11] == before.gpr[11]);
    else
        REQUIRE((int64_t)gpr[10] <= 0 && (int64_t)gpr[10] >= SBI_ERR_NO_SHMEM);
    if (gpr[17] == SBI_EXT_IPI || gpr[17] == SBI_EXT_RFENCE)
        mail_holds(vcpu, &before);
}

/* What a vCPU's next run would do first. */
static void step(struct input *in)
{
    unsigned what = (unsigned)input_number(in, 1);
    struct cald_vcpu *vcpu = &guest_vcpus[what & 3];
    uint32_t hsm = atomic_load(&vcpu->hsm);
    sim_time += what >> 4;
    vcpu->steal_ticks += what >> 6;
    if (what & 4)
        sbi_sta_update(vcpu);
    if (what & 8)
        vcpu_take_mail(vcpu);
    if (hsm == SBI_HSM_START_PENDING)
        sbi_hsm_started(vcpu);
    else if (hsm == SBI_HSM_SUSPENDED)
        sbi_hsm_resume(vcpu);
    else if (hsm == SBI_HSM_STARTED)
        call(in, vcpu);
    pending_drop(&vcpu->pending);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static bool made;
    struct input in = {data, bytes};
    if (!made) {
        static struct engine_ops engine;
        guest_configure(MIB);
        engine = fake_engine;
        engine.peek = peek;
        guest_engine = &engine;
        guest_config.console = CONSOLE_UART;
        guest_make();
        REQUIRE(!memory_take(&guest_vm));
        made = true;
    }
    sim_message_bytes = sim_console_bytes = 0;
    cald_vm_reset(guest);
    unsigned what = (unsigned)input_number(&in, 1);
    for (unsigned n = 0; n < GUEST_VCPUS; n++) {
        struct cald_vcpu *vcpu = &guest_vcpus[n];
        atomic_store(&vcpu->mailbox, 0);
        atomic_store(&vcpu->hsm, what >> n & 1 ? SBI_HSM_STOPPED : SBI_HSM_STARTED);
        vcpu->eng.loaded = true;
        memset(vcpu->fw_count, 0, sizeof(vcpu->fw_count));
    }
    while (in.left)
        step(&in);
    for (unsigned n = 0; n < GUEST_VCPUS; n++)
        guest_vcpus[n].eng.loaded = false;
    return 0;
}
