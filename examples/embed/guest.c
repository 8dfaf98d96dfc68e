/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest's life: made, run, ended, and nothing of it left. And the machine, told to the library.
 */
#include "guest.h"

struct cald_machine *machine;
unsigned guest_levels;
static unsigned engines;

static void hart_begins(void *with)
{
    struct hart *hart = with;
    uint64_t irq = irq_save();
    int result = cald_hart_begin(machine, hart->index);
    irq_restore(irq);
    if (result != CALD_OK)
        panic("cald_hart_begin: %d", result);
}

/* What all harts have is what the boot hart has: a host with unlike harts tells what they share. */
void machine_begin(void)
{
    struct cald_machine_params params = {
        .harts = hart_count, .timebase = board.timebase, .isa = board_isa()};
    uint64_t irq = irq_save();
    int result = cald_machine_probe(&params);
    irq_restore(irq);
    if (result == CALD_OK)
        result = cald_machine_create(&params, NULL, &machine);
    if (result != CALD_OK)
        panic("the library does not take this machine: %d", result);
    engines = params.flags & (CALD_MACHINE_H | CALD_MACHINE_SHADOW);
    if (option_is("engine", "shadow"))
        engines &= CALD_MACHINE_SHADOW;
    unsigned shadow =
        params.satp_levels < 4 ? params.satp_levels : 4; /* a guest has no more there */
    guest_levels = engines & CALD_MACHINE_H ? params.vs_levels : shadow;
    for (unsigned n = 0; n < hart_count; n++)
        task_join(task_start(&harts[n], "hart", hart_begins, &harts[n]));
    print("library: engine %s", engines & CALD_MACHINE_H ? "h" : "shadow");
}

static void hart_ends(void *with)
{
    uint64_t irq = irq_save();
    cald_hart_end(machine, ((struct hart *)with)->index);
    irq_restore(irq);
}

void machine_end(void)
{
    for (unsigned n = 0; n < hart_count; n++)
        task_join(task_start(&harts[n], "hart", hart_ends, &harts[n]));
    cald_machine_destroy(machine);
}

static bool make(struct guest *guest)
{
    /* Ssaia is for guests with interrupt files. On engine shadow a write to stimecmp traps by way
     * of the firmware, and costs more than the SBI's timer does. */
    static const char *const hidden[] = {
        [CALD_ENGINE_H] = "ssaia", [CALD_ENGINE_SHADOW] = "ssaia sstc"};
    guest->engine = engines & CALD_MACHINE_H ? CALD_ENGINE_H : CALD_ENGINE_SHADOW;
    struct cald_vm_params params = {.name = guest->name,
                                    .owner = guest,
                                    .vcpus = guest->vcpus,
                                    .flags = CALD_VM_CONSOLE,
                                    .engine = guest->engine,
                                    .irqchip = CALD_IRQCHIP_PLIC,
                                    .plic_base = GUEST_PLIC,
                                    .aplic_base = CALD_NOWHERE,
                                    .imsic_base = CALD_NOWHERE,
                                    .uart_base = GUEST_UART,
                                    .uart_irq = GUEST_UART_IRQ,
                                    .irq_sources = GUEST_SOURCES,
                                    .isa_hidden = hidden[guest->engine],
                                    .gpa_end = guest->base + guest->bytes};
    if (cald_vm_create(machine, &params, &guest->vm) != CALD_OK)
        return false;
    return guest_memory_begin(guest) &&
           cald_vm_slot(guest->vm, 0, guest->base, guest->bytes, guest->slot, 0) == CALD_OK &&
           guest_load(guest);
}

static void unmake(struct guest *guest)
{
    if (guest->vm)
        cald_vm_destroy(guest->vm);
    guest->vm = NULL;
    guest_memory_end(guest);
}

/* Each vCPU is a task on a hart; there may be more of them than harts. The tasks are made before
 * the guest can start, for from then on the library wakes them. */
static void start_vcpus(struct guest *guest)
{
    for (unsigned n = 0; n < guest->vcpus; n++) {
        struct guest_vcpu *v = &guest->vcpu[n];
        *v = (struct guest_vcpu){.guest = guest, .vcpu = cald_vm_vcpu(guest->vm, n)};
        v->task = task_make(&harts[n % hart_count], "vCPU", guest_vcpu_run, v);
        if (!v->task)
            panic("no memory for the task of a vCPU");
        cald_vcpu_set_owner(v->vcpu, v);
    }
    if (cald_vm_start(guest->vm, guest->entry, guest->tree) != CALD_OK)
        guest_ends(guest, GUEST_FAULT);
    for (unsigned n = 0; n < guest->vcpus; n++)
        task_go(guest->vcpu[n].task);
}

static void join_vcpus(struct guest *guest)
{
    for (unsigned n = 0; n < guest->vcpus; n++)
        cald_vcpu_request(guest->vcpu[n].vcpu); /* guest->end is written: see guest_vcpu_run() */
    for (unsigned n = 0; n < guest->vcpus; n++)
        task_join(guest->vcpu[n].task);
}

/* The library's locks are taken with interrupts off: on a hart whose vCPU waits for one, whoever
 * holds it would not have a turn. */
static bool receive(struct guest *guest, int key)
{
    uint64_t irq = irq_save();
    bool taken = cald_vm_uart_receive(guest->vm, (uint32_t)key);
    irq_restore(irq);
    return taken;
}

/* A key for the guest, or the one that kills it. */
static void serve_keys(struct guest *guest)
{
    static int kept = -1; /* the guest's serial port had no room for it */
    for (;;) {
        int key = kept >= 0 ? kept : console_read();
        kept = -1;
        if (key < 0)
            return;
        if (key == KILL_KEY)
            guest_ends(guest, GUEST_KILLED);
        else if (!receive(guest, key)) {
            kept = key;
            return;
        }
    }
}

static void live(struct guest *guest)
{
    uint64_t kill = option("kill-after", 0), limit = UINT64_MAX;
    if (kill)
        limit = now() + kill * board.timebase / 1000;
    start_vcpus(guest);
    bool thief = guest->page && option("thieve", 0);
    struct task *thieves = thief ? task_start(this_hart(), "thief", guest_thief, guest) : NULL;
    while (atomic_load(&guest->end) == GUEST_RUNS) {
        serve_keys(guest);
        task_wait(now() + board.timebase / 200);
        if (now() > limit)
            guest_ends(guest, GUEST_KILLED);
    }
    join_vcpus(guest);
    if (thieves)
        task_join(thieves);
}

static void account(const struct guest *guest)
{
    static const char *const how[] = {[GUEST_OFF] = "powered off",
                                      [GUEST_RESET] = "was reset",
                                      [GUEST_FAULT] = "had a fault",
                                      [GUEST_KILLED] = "was killed"};
    uint64_t absent = 0;
    for (unsigned n = 0; n < guest->vcpus; n++)
        absent += guest->vcpu[n].pages;
    if (guest->page)
        print("vm %s: %lu pages given as it touched them (%lu by exits), %lu moved", guest->name,
              guest->taken, absent, guest->moved);
    print("vm %s: %s", guest->name, how[atomic_load(&guest->end)]);
}

void guests_run(struct guest *guest)
{
    uint64_t lives = option("lives", 1), before = pages_free();
    for (uint64_t life = 1; life <= lives; life++) {
        atomic_store(&guest->end, GUEST_RUNS);
        guest->keeper = this_hart()->current;
        bool good = make(guest);
        if (good) {
            print("vm %s: life %lu: %u vCPUs, %lu MiB of RAM %s", guest->name, life, guest->vcpus,
                  guest->bytes / MIB, guest->slot ? "in one piece" : "page by page");
            live(guest);
            account(guest);
        }
        unmake(guest);
        uint64_t after = pages_free();
        print("vm %s: gone; %lu KiB of memory are free, %s", guest->name, after * 4,
              after == before ? "as before" : "NOT as before");
        if (atomic_load(&guest->end) == GUEST_RESET)
            lives++; /* a reset is a start anew */
        if (!good)
            return;
    }
}
