/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a VM's guest-physical addresses lead. */
#include "lib/engine/shadow/shadow.h"
#include "host/host.h"
#include "lib/common/line.h"

int s_map(struct engine_vm *vm, uint64_t gpa, uint64_t pa, uint64_t size, enum engine_map what)
{
    struct s_vm *s = &vm->s;
    if (s->regions == S_REGIONS) {
        line_error("vm %s: its memory is in more than %u pieces, which engine shadow can't hold",
                   vm->name, S_REGIONS);
        return -1;
    }
    s->region[s->regions++] = (struct s_region){gpa,
                                                size,
                                                pa,
                                                what == ENGINE_MAP_RAM ? host_va(pa) : NULL,
                                                what == ENGINE_MAP_READ_ONLY,
                                                host_page_attributes(what == ENGINE_MAP_DEVICE)};
    return 0;
}

const struct s_region *s_region(const struct engine_vm *vm, uint64_t gpa)
{
    for (unsigned n = 0; n < vm->s.regions; n++) {
        if (gpa - vm->s.region[n].gpa < vm->s.region[n].size)
            return &vm->s.region[n];
    }
    return NULL;
}

_Atomic uint64_t *s_word(const struct engine_vm *vm, uint64_t gpa)
{
    const struct s_region *region = s_region(vm, gpa);
    if (!region || !region->va)
        return NULL;
    return (_Atomic uint64_t *)(region->va + (gpa - region->gpa));
}
