/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/bare/builder.h"

#include "appliance/bundle/bundle.h"
#include "host/bare/hart.h"
#include "host/bare/layout.h"
#include "host/bare/paging.h"
#include "host/bare/sched.h"
#include "host/host.h"
#include "riscv/asm.h"

/* What builder_switch() leaves on a stack, lowest first. */
struct frame {
    uint64_t ra, s[12], unused;
};

/* Its vCPU 0's hart alone looks at it, and the locks of the run queues order one after the other.
 */
struct builder {
    uint64_t sp, harts_sp; /* of whom does not run now: the work, or the hart's loop */
    uint64_t stack;        /* its top */
    struct vm *vm;
    void (*work)(struct vm *vm);
    const struct hart *hart; /* where the work runs */
    bool busy;
};
static struct builder builders[VM_MAX];

/* builder_switch.S */
void builder_switch(uint64_t *save, uint64_t sp);
void builder_begin(void);
_Noreturn void builder_main(struct builder *builder);

/* Behind the harts' stacks. */
bool builder_define(struct vm *vm)
{
    struct builder *builder = &builders[vm->index];
    builder->vm = vm;
    builder->stack = (uint64_t)paging_map_stack(BOARD_HARTS + vm->index);
    return builder->stack;
}

void builder_main(struct builder *builder)
{
    uint64_t none;
    builder->work(builder->vm);
    builder->busy = false;
    builder_switch(&none, builder->harts_sp);
    __builtin_unreachable();
}

bool builder_run(struct vm *vm, void (*work)(struct vm *vm))
{
    struct builder *builder = &builders[vm->index];
    /* The stack was mapped when this hart was up: it may still know that nothing is there. */
    for (unsigned n = 1; n <= STACK_BYTES / HOST_PAGE_SIZE; n++)
        sfence_vma_address(builder->stack - n * HOST_PAGE_SIZE);
    if (!builder->busy) {
        struct frame *frame = (struct frame *)builder->stack - 1;
        *frame = (struct frame){.ra = (uint64_t)builder_begin, .s = {(uint64_t)builder}};
        builder->sp = (uint64_t)frame;
        builder->work = work;
        builder->busy = true;
    }
    builder->hart = &harts[atomic_load(&sched_entity(cald_vm_vcpu(vm->cald, 0))->home)];
    builder_switch(&builder->harts_sp, builder->sp);
    return !builder->busy;
}

void host_may_yield(void)
{
    uint64_t n = paging_stack_index(__builtin_frame_address(0)) - BOARD_HARTS;
    if (n >= VM_MAX)
        return; /* not on a builder's stack: at boot, say */
    struct builder *builder = &builders[n];
    if (atomic_load_explicit(&builder->hart->resched, memory_order_relaxed) ||
        csr_read(CSR_SIP) & csr_read(CSR_SIE))
        builder_switch(&builder->sp, builder->harts_sp);
}
