/* SPDX-License-Identifier: BSD-2-Clause */
/* Bringing harts up, and the loop each of them spends its life in. */
#include "host/bare/hart.h"

#include "caldarium/caldarium.h"
#include "appliance/monitor/top.h"
#include "appliance/vm.h"
#include "lib/vm/vm.h"
#include "appliance/watchdog.h"
#include "drivers/mmio.h"
#include "host/bare/console.h"
#include "host/bare/device_irq.h"
#include "host/bare/firmware.h"
#include "host/bare/guest_file.h"
#include "host/bare/iommu.h"
#include "host/bare/irqchip.h"
#include "host/bare/machine.h"
#include "host/bare/msi.h"
#include "host/bare/paging.h"
#include "host/bare/sched.h"
#include "host/bare/vms.h"
#include "host/host.h"
#include "riscv/asm.h"

struct hart harts[BOARD_HARTS];
unsigned hart_count;
unsigned console_hart;
bool hart_has_sstc;

void hart_start(void);   /* start.S */
void hart_virtual(void); /* start.S */
void hart_lost(void);    /* start.S */
_Noreturn void hart_switch_stack(void *top, struct hart *hart, void (*go)(struct hart *));

/* How often the console and IOMMUs are looked at where they can't interrupt: 50 times a second. */
#define POLLS_PER_SECOND 50

/* What firmware is asked for again and again, and can't be done without. */
enum { FIRMWARE_IPI, FIRMWARE_TIMER, FIRMWARE_CALLS };
#define FIRMWARE_TRIES 3
static _Atomic int64_t firmware_error[FIRMWARE_CALLS];

/* Who asks may hold any lock, the console's as well: that it failed is told later. */
static void firmware_insist(unsigned which, uint64_t extension, uint64_t arg0, uint64_t arg1)
{
    int64_t error = 0;
    for (unsigned n = 0; n < FIRMWARE_TRIES; n++) {
        error = firmware_call(extension, 0, arg0, arg1, 0).error;
        if (!error)
            return;
    }
    atomic_store(&firmware_error[which], error);
}

/* Once each; on the console's hart. */
static void tell_of_firmware(void)
{
    static const char *const what[] = {"sends no interrupts between harts (IPI send_ipi",
                                       "sets no timers (TIME set_timer"};
    static bool told[FIRMWARE_CALLS];
    for (unsigned n = 0; n < FIRMWARE_CALLS; n++) {
        int64_t error = atomic_load_explicit(&firmware_error[n], memory_order_relaxed);
        if (!error || told[n])
            continue;
        told[n] = true;
        host_error("firmware %s answers %ld, %u times); VMs may stand still", what[n], (long)error,
                   FIRMWARE_TRIES);
    }
}

/* The earliest of this hart's deadlines. */
static uint64_t next_deadline(const struct hart *hart)
{
    uint64_t when = hart->guest_deadline;
    if (hart->poll_deadline < when)
        when = hart->poll_deadline;
    if (hart->sched_deadline < when)
        when = hart->sched_deadline;
    if (hart->watch_deadline < when)
        when = hart->watch_deadline;
    if (hart->tick_deadline < when)
        when = hart->tick_deadline;
    if (hart->flush_deadline < when)
        when = hart->flush_deadline;
    if (hart->notice_deadline < when)
        when = hart->notice_deadline;
    return when;
}

/* Whatever the timer holds now. Without Sstc "never" is the interrupt's enable bit: what firmware
 * has armed may go off unseen, which costs less than to have it disarmed. The bit comes after the
 * call, which takes the pending interrupt away (SBI 2.0, chapter 6.1). */
static void timer_write(struct hart *hart, uint64_t when)
{
    hart->timer = when;
    if (hart_has_sstc) {
        csr_write(CSR_STIMECMP, when);
    } else if (when == UINT64_MAX) {
        csr_clear(CSR_SIE, IRQ_BIT(IRQ_S_TIMER));
    } else {
        firmware_insist(FIRMWARE_TIMER, SBI_EXT_TIME, when, 0);
        csr_set(CSR_SIE, IRQ_BIT(IRQ_S_TIMER));
    }
}

/* A deadline has changed. */
static void timer_program(struct hart *hart)
{
    uint64_t when = next_deadline(hart);
    if (when != hart->timer)
        timer_write(hart, when);
}

void hart_sched_deadline(struct hart *hart, uint64_t when)
{
    hart->sched_deadline = when;
    timer_program(hart);
}

void hart_notice_deadline(uint64_t when)
{
    struct hart *hart = &harts[console_hart];
    hart->notice_deadline = when;
    timer_program(hart);
}

void hart_poll_soon(struct hart *hart)
{
    if (hart->poll_deadline != UINT64_MAX)
        return;
    hart->poll_deadline = host_time() + host_timebase() / POLLS_PER_SECOND;
    timer_program(hart);
}

/* A hart has its own struct in tp from hart_main() on, the boot stack nothing. */
uint64_t hart_this(void)
{
    const struct hart *hart;
    __asm__ volatile("mv %0, tp" : "=r"(hart));
    return hart ? hart->index : UINT64_MAX;
}

/* A call names harts by a mask of 64 hart ids and the id of its first bit (SBI 2.0, chapter 3.1).
 */
static void kick_by_firmware(uint64_t set)
{
    while (set) {
        uint64_t first = harts[__builtin_ctzll(set)].board->id, mask = 0;
        for (uint64_t left = set; left; left &= left - 1) {
            unsigned n = (unsigned)__builtin_ctzll(left);
            uint64_t bit = harts[n].board->id - first;
            if (bit >= 64)
                continue; /* too far away, or below it: with the next call */
            mask |= 1ULL << bit;
            set &= ~(1ULL << n);
        }
        firmware_insist(FIRMWARE_IPI, SBI_EXT_IPI, mask, first);
    }
}

void hart_kick(const struct hart *hart)
{
    uint64_t self = hart_this();
    if (self == hart->index) {
        csr_set(CSR_SIP, IRQ_BIT(IRQ_S_SOFT)); /* no way round by the firmware */
    } else if (hart->doorbell) {
        mmio_fence(); /* what it is to look at comes first */
        mmio_write32(hart->doorbell, irqchip_kick_identity());
    } else if (self < BOARD_HARTS && harts[self].collects) {
        harts[self].to_kick |= 1ULL << hart->index;
    } else {
        /* A mask of one hart, from its id. */
        firmware_insist(FIRMWARE_IPI, SBI_EXT_IPI, 1, hart->board->id);
    }
}

void host_kicks_begin(void)
{
    harts[hart_this()].collects = true;
}

void host_kicks_end(void)
{
    struct hart *hart = &harts[hart_this()];
    uint64_t set = hart->to_kick;
    hart->collects = false;
    hart->to_kick = 0;
    kick_by_firmware(set);
}

void host_kick(struct cald_vcpu *vcpu)
{
    hart_kick(&harts[atomic_load(&vcpu->hart)]);
}

void host_timer_arm(struct cald_vcpu *vcpu, uint64_t deadline)
{
    struct hart *hart = &harts[vcpu->hart];
    hart->guest_deadline = deadline;
    timer_program(hart);
}

/* The hart with the console looks after the watchdogs too. */
static atomic_bool watch_again;

void host_watch(void)
{
    atomic_store(&watch_again, true);
    atomic_store(&harts[console_hart].resched, true); /* or a kick is taken for its guest's */
    hart_kick(&harts[console_hart]);
}

static void watch(struct hart *hart, uint64_t now)
{
    atomic_store(&watch_again, false);
    uint64_t dogs = watchdog_check(now), requests = vms_watch(now);
    hart->watch_deadline = dogs < requests ? dogs : requests;
    if (!atomic_load(&hart->tick))
        hart->tick_deadline = UINT64_MAX;
    else if (hart->tick_deadline == UINT64_MAX)
        hart->tick_deadline = now + host_timebase();
}

static void tick(struct hart *hart, uint64_t now)
{
    hart->tick_deadline = atomic_load(&hart->tick) ? now + host_timebase() : UINT64_MAX;
    top_tick();
}

void hart_flush_soon(void)
{
    struct hart *hart = &harts[hart_this()];
    if (hart->flush_deadline != UINT64_MAX)
        return;
    hart->flush_deadline = host_time() + host_timebase() / 1000;
    timer_program(hart);
}

/* A port that can't interrupt: there is output to see to by time. */
static _Atomic uint32_t console_waits, console_asked; /* a byte has no exchange of its own */

void hart_serve_console_soon(void)
{
    atomic_store(&console_asked, true);
    atomic_store(&harts[console_hart].resched, true); /* or a kick is taken for its guest's */
    hart_kick(&harts[console_hart]);
}

void console_look(bool more)
{
    if (!more)
        atomic_store(&console_waits, false);
    else if (!atomic_exchange(&console_waits, true))
        hart_serve_console_soon();
}

void hart_serve_console(void)
{
    struct hart *hart = &harts[console_hart];
    atomic_store(&console_waits, true); /* nobody need ask now */
    uint64_t pause = console_serve(), now = host_time();
    if (pause < UINT64_MAX && now + pause < hart->poll_deadline) {
        hart->poll_deadline = now + pause;
        timer_program(hart);
    }
}

static void on_timer(struct hart *hart)
{
    uint64_t now = host_time();
    if (hart->watch_deadline <= now)
        watch(hart, now);
    if (hart->tick_deadline <= now)
        tick(hart, now);
    if (hart->flush_deadline <= now) {
        hart->flush_deadline = UINT64_MAX;
        console_flush();
    }
    if (hart->notice_deadline <= now) {
        hart->notice_deadline = UINT64_MAX;
        msi_notice_again();
    }
    if (hart->loaded && hart->guest_deadline <= now)
        cald_vcpu_timer(hart->loaded);
    if (hart->poll_deadline <= now) {
        hart->poll_deadline = iommu_poll() || hart->polls_console
                                  ? now + host_timebase() / POLLS_PER_SECOND
                                  : UINT64_MAX;
        if (hart->serves_console)
            hart_serve_console();
    }
    sched_timer(hart, now);
    timer_write(hart, next_deadline(hart)); /* it went off: anew, also with the same time */
}

/* What is pending for Caldarium itself. */
static void service_interrupts(struct hart *hart)
{
    uint64_t pending = csr_read(CSR_SIP) & csr_read(CSR_SIE);
    if (pending & IRQ_BIT(IRQ_S_SOFT))
        csr_clear(CSR_SIP, IRQ_BIT(IRQ_S_SOFT)); /* before the mailboxes are read */
    if (hart->serves_console && atomic_load_explicit(&watch_again, memory_order_relaxed)) {
        watch(hart, host_time());
        timer_program(hart);
    }
    if (hart->serves_console && atomic_exchange(&console_asked, false))
        hart_serve_console();
    if (hart->serves_console)
        tell_of_firmware();
    if (pending & IRQ_BIT(IRQ_S_TIMER))
        on_timer(hart);
    if (pending & IRQ_BIT(IRQ_S_EXT))
        device_irq_serve((unsigned)hart->irq_context);
    if (guest_file_pends(hart))
        guest_file_serve(hart);
}

/* What wakes the vCPU, and can't wake it through its mail only, is looked for from now on. */
static void wait(struct hart *hart, struct cald_vcpu *vcpu, const struct cald_exit *exit)
{
    if (!exit->off_hart)
        guest_file_watch(hart, vcpu);
    sched_wait(vcpu, exit);
}

/* One turn for the vCPU that has this hart. */
static void turn(struct hart *hart, struct cald_vcpu *vcpu)
{
    struct cald_exit exit;
    vms_report(vcpu);
    if (vms_leave(vcpu))
        return;
    guest_file_unwatch(hart);
    switch (cald_vcpu_run(vcpu, hart->index, &exit)) {
    case CALD_WAIT:
        wait(hart, vcpu, &exit);
        break;
    case CALD_YIELD:
        sched_yield(vcpu);
        break;
    case CALD_MMIO:
    case CALD_CSR_ACCESS: /* a device of the VM's has its region: nothing is there */
        cald_vcpu_complete(vcpu, CALD_EFAULT, 0);
        break;
    case CALD_SBI:
        watchdog_call(vm_of_vcpu(vcpu), vcpu, &exit);
        break;
    case CALD_OFF:
        vm_guest_off(vm_of_vcpu(vcpu));
        break;
    case CALD_RESET:
        vm_guest_reset(vm_of_vcpu(vcpu));
        break;
    case CALD_FAULT:
        vm_guest_fault(vcpu, exit.text);
        break;
    case CALD_AGAIN:
    case CALD_PAGE:
    case CALD_SUSPEND:
    case CALD_BREAKPOINT: /* nobody has asked for it */
    case CALD_REQUEST:    /* vms_leave() and vms_report() look at what is wanted */
        break;
    }
}

static void idle(struct hart *hart)
{
    uint64_t since = host_time();
    atomic_store_explicit(&hart->idle_since, since, memory_order_relaxed);
    wait_for_interrupt(); /* ends on a pending enabled interrupt, although none is taken */
    atomic_fetch_add_explicit(&hart->idle_ticks, host_time() - since, memory_order_relaxed);
    atomic_store_explicit(&hart->idle_since, 0, memory_order_relaxed);
}

static void hart_loop(struct hart *hart)
{
    for (;;) {
        service_interrupts(hart);
        struct cald_vcpu *vcpu = sched_next(hart);
        if (vcpu)
            turn(hart, vcpu);
        else if (!atomic_load(&hart->resched))
            idle(hart);
    }
}

static void hart_begin(struct hart *hart)
{
    machine_hart_init(hart->index);
    hart->guest_deadline = UINT64_MAX;
    hart->poll_deadline = UINT64_MAX;
    hart->sched_deadline = UINT64_MAX;
    hart->watch_deadline = UINT64_MAX;
    hart->tick_deadline = UINT64_MAX;
    hart->flush_deadline = UINT64_MAX;
    hart->notice_deadline = UINT64_MAX;
    hart->rq.slice_end = UINT64_MAX;
    hart->rq.slice = host_timebase() / RUNQUEUE_SLICE_HZ;
    hart->irq_context = -1;
    device_irq_begin(hart);
    guest_file_begin(hart);
    if (hart->serves_console) {
        hart->polls_console = !device_irq_console(hart);
        if (hart->polls_console)
            hart->poll_deadline = host_time();
        iommu_begin();
    }
    csr_write(CSR_SIE, IRQ_BIT(IRQ_S_SOFT) | IRQ_BIT(IRQ_S_TIMER) |
                           (hart->irq_context >= 0 ? IRQ_BIT(IRQ_S_EXT) : 0));
    timer_write(hart, next_deadline(hart)); /* what it holds is not ours */
    atomic_store(&hart->online, true);
}

_Noreturn void hart_main(struct hart *hart);

void hart_main(struct hart *hart)
{
    hart_begin(hart);
    hart_loop(hart);
    __builtin_unreachable();
}

static void loop_on_new_stack(struct hart *hart)
{
    hart_begin(hart);
    console_begin();
    vms_autostart();
    hart_loop(hart);
}

void hart_join(void)
{
    struct hart *hart = &harts[console_hart];
    hart_switch_stack((void *)hart->boot->stack, hart, loop_on_new_stack);
}

static bool comes_online(const struct hart *hart, uint64_t ticks)
{
    uint64_t limit = host_time() + ticks;
    while (!atomic_load(&hart->online)) {
        if (host_time() > limit)
            return false;
    }
    return true;
}

static bool start_one(struct hart *hart)
{
    struct sbi_ret ret =
        firmware_call(SBI_EXT_HSM, 0, hart->board->id, image_object_pa((const void *)hart_start),
                      image_object_pa(hart->boot));
    if (ret.error) {
        host_error("hart %lu: firmware does not start it (SBI error %ld); it is left out",
                   hart->board->id, (long)ret.error);
        return false;
    }
    if (comes_online(hart, 2 * host_timebase()))
        return true;
    /* Its slot and its stack serve the next one: should it come after all, it stops at once. The
     * second look is for one that was just then on its way. */
    hart->boot->entry = (uint64_t)hart_lost;
    atomic_thread_fence(memory_order_seq_cst);
    if (comes_online(hart, host_timebase() / 100))
        return true;
    host_error("hart %lu: started, but not heard of for 2 s; it is left out", hart->board->id);
    return false;
}

/* What each hart of the tree reads before it has a stack. */
static struct hart_boot boots[BOARD_HARTS];

void harts_start(uint64_t boot_id)
{
    for (unsigned n = 0; n < board_tree.hart_count; n++) {
        const struct board_hart *board_hart = &board_tree.harts[n];
        struct hart *hart = &harts[hart_count];
        void *stack = paging_map_stack(hart_count);
        if (!stack)
            panic("no memory for the stack of hart %lu", board_hart->id);
        hart->index = hart_count;
        hart->board = board_hart;
        hart->boot = &boots[n];
        *hart->boot = (struct hart_boot){.satp = paging_satp(),
                                         .entry = (uint64_t)hart_virtual,
                                         .stack = (uint64_t)stack,
                                         .hart = (uint64_t)hart};
        /* Told before it starts: the boot hart may come after others in the tree. */
        hart->serves_console = board_hart->id == boot_id;
        hart_count++; /* one that starts finds itself among them */
        if (hart->serves_console)
            console_hart = hart->index;
        else if (!start_one(hart))
            hart_count--; /* its slot, and its stack, serve the next one */
    }
    board.harts = hart_count;
}
