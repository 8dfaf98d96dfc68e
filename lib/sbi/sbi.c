/* SPDX-License-Identifier: BSD-2-Clause */
/* From an ecall to the extension that answers it. */
#include "lib/sbi/sbi.h"

#include <stddef.h>

#include "lib/vm/vm.h"

/* A hot extension reaches this table only if an engine has no short cut for it. */
#define HOT(name)                                                                                  \
    static struct sbi_ret name##_handle(struct cald_vcpu *vcpu, uint64_t extension,                \
                                        uint64_t function, const uint64_t a[6])                    \
    {                                                                                              \
        (void)extension;                                                                           \
        return sbi_hot_##name(a[0], a[1], a[2], a[3], a[4], a[5], function, vcpu);                 \
    }
HOT(base)
HOT(time)
HOT(ipi)
HOT(rfence)

static const struct sbi_extension base = {0, SBI_EXT_BASE, SBI_EXT_BASE, 7, base_handle};
static const struct sbi_extension time = {CALD_SBI_TIME, SBI_EXT_TIME, SBI_EXT_TIME, 1,
                                          time_handle};
static const struct sbi_extension ipi = {CALD_SBI_IPI, SBI_EXT_IPI, SBI_EXT_IPI, 1, ipi_handle};
static const struct sbi_extension rfence = {CALD_SBI_RFENCE, SBI_EXT_RFENCE, SBI_EXT_RFENCE, 3,
                                            rfence_handle};

/* Those that are called often come first. */
static const struct sbi_extension *const extensions[] = {
    &sbi_dbcn, &sbi_pmu, &sbi_hsm, &sbi_sta, &sbi_legacy, &sbi_srst,
    &sbi_susp, &base,    &time,    &ipi,     &rfence,
};

static bool is_hosts(const struct cald_vm *vm, uint64_t id)
{
    for (unsigned n = 0; n < vm->sbi_id_count; n++) {
        if (vm->sbi_id[n] == id)
            return true;
    }
    return false;
}

/* It is the host's to answer. */
static struct sbi_ret go_out(struct cald_vcpu *vcpu, uint64_t extension, uint64_t function,
                             const uint64_t args[6])
{
    (void)extension, (void)function, (void)args;
    pending_out(vcpu, CALD_SBI, &(struct exit){.reason = EXIT_SBI});
    return (struct sbi_ret){SBI_NO_ANSWER, 0};
}

static const struct sbi_extension hosts = {0, 0, UINT64_MAX, UINT64_MAX, go_out};

/* One of the library's that the VM has, or the host; NULL: nobody. */
static const struct sbi_extension *extension_find(const struct cald_vcpu *vcpu, uint64_t id)
{
    const struct cald_vm *vm = vcpu->vm;
    for (size_t n = 0; n < sizeof(extensions) / sizeof(*extensions); n++) {
        const struct sbi_extension *extension = extensions[n];
        if (id >= extension->first && id <= extension->last &&
            (!extension->bit || vm->sbi_served & extension->bit))
            return extension == &sbi_legacy && is_hosts(vm, id) ? &hosts : extension;
    }
    return vm->sbi_goes_out || is_hosts(vm, id) ? &hosts : NULL;
}

/* The legacy calls can be made without asking. Without a console these two do nothing. */
static bool does_nothing(const struct cald_vcpu *vcpu, uint64_t id)
{
    return (id == SBI_EXT_LEGACY_PUTCHAR || id == SBI_EXT_LEGACY_GETCHAR) && !vcpu->vm->has_console;
}

bool sbi_has(const struct cald_vcpu *vcpu, uint64_t id)
{
    const struct sbi_extension *extension = extension_find(vcpu, id);
    if (extension == &hosts)
        return is_hosts(vcpu->vm, id);
    return extension && !does_nothing(vcpu, id);
}

bool sbi_hot_missing(uint64_t id, uint64_t function, struct cald_vcpu *vcpu)
{
    const struct sbi_extension *extension = extension_find(vcpu, id);
    if (extension && function < extension->functions)
        return false;
    vcpu->eng.exits[EXIT_HOT_SBI_MISSING]++;
    return true;
}

void sbi_handle(struct cald_vcpu *vcpu)
{
    struct engine_vcpu *v = &vcpu->eng;
    uint64_t id = v->gpr[17];
    const struct sbi_extension *extension = extension_find(vcpu, id);
    struct sbi_ret ret = {SBI_ERR_NOT_SUPPORTED, 0};
    if (extension)
        ret = extension->handle(vcpu, id, v->gpr[16], &v->gpr[10]);
    if (ret.error != SBI_NO_ANSWER)
        sbi_answer(vcpu, ret);
}

void sbi_answer(struct cald_vcpu *vcpu, struct sbi_ret ret)
{
    struct engine_vcpu *v = &vcpu->eng;
    v->gpr[10] = (uint64_t)ret.error;
    if (v->gpr[17] > SBI_EXT_LEGACY_SHUTDOWN)
        v->gpr[11] = ret.value; /* legacy calls answer in a0 alone and keep a1 */
    v->pc += 4;
}
