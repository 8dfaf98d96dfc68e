/* SPDX-License-Identifier: BSD-2-Clause */
/* Links: appliance/monitor/{line,monitor,show}.c. Everything they ask of host and library is here.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "appliance/monitor/monitor.h"
#include "appliance/monitor/show.h"
#include "appliance/monitor/top.h"
#include "lib/vcpu/trace.h"
#include "appliance/vm.h"
#include "lib/vm/vm.h"
#include "host/host.h"
#include "host/sim/sim.h"

static char out[16384];
static size_t out_used;

static struct vm_config configs[4];
static struct vm vm_table[4];
static struct cald_vm cald_table[4];
static struct cald_vcpu web_vcpus[2];
struct vm *vms = vm_table;
unsigned vm_count;

static int started, powered_off;
static struct vm *in_front, *asked;
static enum vm_request request, doing;
static bool ticking;
static struct monitor_share share;

void monitor_host_write(const char *bytes, size_t count)
{
    assert_true(out_used + count < sizeof(out));
    memcpy(out + out_used, bytes, count);
    out_used += count;
    out[out_used] = 0;
}

static void message(const char *lead, const char *format, va_list args)
{
    char line[512];
    int n = snprintf(line, sizeof(line), "%s", lead);

    vsnprintf(line + n, sizeof(line) - (size_t)n, format, args);
    monitor_host_write(line, strlen(line));
    monitor_host_write("\r\n", 2);
}

void host_error(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    message("error: ", format, args);
    va_end(args);
}

uint64_t host_timebase(void)
{
    return 10000000;
}

uint64_t host_pa(const void *va)
{
    return (uint64_t)(uintptr_t)va;
}

const char *vm_state_name(enum vm_state state)
{
    static const char *const names[] = {"defined", "refused", "running", "paused", "ended"};
    return names[state];
}

enum vm_request vm_request(struct vm *vm, enum vm_request what)
{
    if (what <= doing)
        return doing;
    asked = vm;
    request = what;
    return VM_REQUEST_NONE;
}

static struct vm *restored_from;
static uint64_t saved;

enum vm_request vm_request_restore(struct vm *vm, struct vm *from)
{
    restored_from = from;
    return vm_request(vm, VM_REQUEST_RESTORE);
}

uint64_t saved_bytes(const struct vm *vm)
{
    (void)vm;
    return saved;
}

const char *saved_hindrance(const struct vm *vm)
{
    return vm->device_count ? "it has devices" : NULL;
}

bool saved_drop(struct vm *vm)
{
    (void)vm;
    saved = 0;
    return true;
}

int monitor_host_start_from(struct vm *vm, struct vm *from)
{
    asked = vm;
    restored_from = from;
    started++;
    return 0;
}

void vm_hurry(struct vm *vm)
{
    atomic_store(&vm->hurried, true);
}

void monitor_host_harts(void)
{
    monitor_print("the harts");
}

void monitor_host_memory(void)
{
    monitor_print("the memory");
}

void monitor_host_poweroff(void)
{
    powered_off++;
}

void monitor_host_console(struct vm *vm)
{
    in_front = vm;
}

int monitor_host_start(struct vm *vm)
{
    asked = vm;
    started++;
    return 0;
}

unsigned monitor_host_home(const struct cald_vcpu *vcpu)
{
    return atomic_load(&vcpu->hart);
}

uint64_t monitor_host_idle(const struct cald_vcpu *vcpu)
{
    return vcpu == &web_vcpus[1] ? 123000 : 0;
}

uint64_t monitor_host_hart_id(unsigned index)
{
    return index + 10;
}

uint64_t monitor_host_hart_idle(unsigned index)
{
    return index * 1000;
}

void monitor_host_tick(bool on)
{
    ticking = on;
}

bool monitor_host_share(const struct vm *vm, struct monitor_share *now)
{
    if (vm->config->schedule == SCHEDULE_PINNED)
        return false;
    *now = share;
    return true;
}

bool monitor_host_change(struct vm *vm, const struct monitor_share *next)
{
    asked = vm;
    if (next->budget_us > 9000)
        return false;
    share = *next;
    return true;
}

void vm_report(struct vm *vm)
{
    asked = vm;
}

static void add_vm(const char *name, enum vm_state state)
{
    struct vm_config *config = &configs[vm_count];
    struct vm *vm = &vm_table[vm_count];

    memset(config, 0, sizeof(*config));
    memset(vm, 0, sizeof(*vm));
    snprintf(config->name, sizeof(config->name), "%s", name);
    config->vcpus = 2;
    config->memory[0] = (struct config_range){0x80000000, 256 << 20};
    config->memory_ranges = 1;
    vm->cald = &cald_table[vm_count];
    memset(vm->cald, 0, sizeof(*vm->cald));
    vm->config = config;
    vm->index = vm_count++;
    vm->state = state;
}

static int setup(void **state)
{
    (void)state;
    vm_count = 0;
    add_vm("web", VM_RUNNING);
    add_vm("webmail", VM_PAUSED);
    add_vm("db", VM_ENDED);
    add_vm("bad", VM_REFUSED);
    snprintf(vms[3].refused, sizeof(vms[3].refused), "memory: too much");
    memset(web_vcpus, 0, sizeof(web_vcpus));
    web_vcpus[1].hart = 3;
    web_vcpus[0].eng.exits[EXIT_MMIO] = 30;
    web_vcpus[1].eng.exits[EXIT_SBI] = 10;
    web_vcpus[0].ticks_guest = 25000000;
    vms[0].cald->vcpus = web_vcpus;
    vms[0].cald->vcpu_count = 2;
    out_used = 0;
    out[0] = 0;
    started = powered_off = 0;
    in_front = asked = NULL;
    request = doing = VM_REQUEST_NONE;
    return 0;
}

static void run(const char *text)
{
    out_used = 0;
    out[0] = 0;
    monitor_run(text);
}

static void assert_says(const char *text)
{
    if (!strstr(out, text))
        fail_msg("no \"%s\" in:\n%s", text, out);
}

static void keys(const char *text)
{
    for (; *text; text++)
        monitor_key((uint8_t)*text);
}

static void wrong_words(void **state)
{
    (void)state;
    run("frobnicate web");
    assert_says("error: there is no command 'frobnicate'; 'help'");
    run("stop");
    assert_says("stop: the name of a VM is missing");
    run("stop nobody");
    assert_says("there is no VM 'nobody'");
    run("stop we");
    assert_says("'we' begins the names of 2 VMs");
    run("stop web now");
    assert_says("stop: 'now' is one word too many");
    run("list web");
    assert_says("list: 'web' is one word too many");
    run("stop 9");
    assert_says("there is no VM '9'");
    assert_null(asked);
    run("   ");
    assert_int_equal(out_used, 0);
}

static void requests(void **state)
{
    (void)state;
    run("stop web"); /* whole, although webmail begins with it */
    assert_ptr_equal(asked, &vms[0]);
    assert_int_equal(request, VM_REQUEST_STOP);
    run("pause 1");
    assert_int_equal(request, VM_REQUEST_PAUSE);
    run("resume webm");
    assert_ptr_equal(asked, &vms[1]);
    assert_int_equal(request, VM_REQUEST_RESUME);
    run("  reset\tweb ");
    assert_int_equal(request, VM_REQUEST_RESET);
    run("start d");
    assert_int_equal(started, 1);
    assert_ptr_equal(asked, &vms[2]);
    run("console db");
    assert_ptr_equal(in_front, &vms[2]);
    run("poweroff");
    assert_int_equal(powered_off, 1);
}

static void saving(void **state)
{
    (void)state;
    saved = 0;
    run("save web");
    assert_ptr_equal(asked, &vms[0]);
    assert_int_equal(request, VM_REQUEST_SAVE);
    run("save db");
    assert_says("save: db is ended: it has no state");
    run("restore web");
    assert_says("restore: nothing is saved of web");
    run("drop web");
    assert_says("drop: nothing is saved of web");
    saved = 3 << 20;
    run("list");
    assert_says("saved: web, 3 MiB");
    run("restore web");
    assert_int_equal(request, VM_REQUEST_RESTORE);
    assert_ptr_equal(restored_from, &vms[0]);
    run("restore webmail from web");
    assert_ptr_equal(asked, &vms[1]);
    assert_ptr_equal(restored_from, &vms[0]);
    run("restore db from web"); /* doesn't run: starts so */
    assert_int_equal(started, 1);
    assert_ptr_equal(asked, &vms[2]);
    run("restore bad");
    assert_says("restore: bad is refused: memory: too much");
    static const char *const wrong[] = {"restore web of db", "restore web from",
                                        "restore web from db now", "restore web db"};
    for (unsigned n = 0; n < 4; n++) {
        run(wrong[n]);
        assert_says("restore: VM, or VM from OTHER is expected");
    }
    doing = VM_REQUEST_PAUSE;
    run("save web");
    assert_says("save: web is about to pause already");
    vms[0].device_count = 1;
    run("save web");
    assert_says("save: web: it has devices");
    vms[0].device_count = 0;
    run("drop web");
    assert_says("web: what was saved is gone, 3 MiB are free");
}

static void requests_behind_others(void **state)
{
    (void)state;
    doing = VM_REQUEST_RESET;
    run("reset web");
    assert_says("reset: web is about to start already");
    run("pause web");
    assert_says("pause: web is about to start already");
    assert_null(asked);
    run("stop web");
    assert_int_equal(request, VM_REQUEST_STOP);
    doing = VM_REQUEST_STOP;
    run("resume webm");
    assert_says("resume: webmail is about to stop already");
}

static void requests_that_make_no_sense(void **state)
{
    (void)state;
    run("start web");
    assert_says("start: web is running already");
    run("start webm");
    assert_says("webmail is paused: 'resume'");
    run("start bad");
    assert_says("start: bad is refused: memory: too much");
    run("console bad");
    assert_says("refused: memory: too much");
    run("resume web");
    assert_says("web is running, not paused");
    run("stop db");
    assert_says("stop: db is ended: it doesn't run");
    run("pause webm");
    assert_says("pause: webmail is paused");
    run("reset db");
    assert_says("'start' starts it");
    assert_null(asked);
    assert_null(in_front);
    assert_int_equal(started, 0);
}

static void tables(void **state)
{
    (void)state;
    run("list");
    assert_says(" #  NAME     STATE     VCPUS  HARTS             MEMORY  RESTARTS\r\n");
    assert_says(" 1  web      running       2  10,13            256 MiB         0\r\n");
    assert_says(
        " 4  bad      refused       2  -                256 MiB         0  memory: too much");
    run("stats web");
    assert_says("all        2.50 s          0 us     12.3 ms            40\r\n");
    assert_says("device register                       30   75.0%");
    assert_says("SBI call                              10   25.0%");
    run("stats");
    assert_says("web          2.50 s          0 us     12.3 ms            40");
    run("stats db");
    assert_says("db is ended: there is nothing to count");
    run("map db");
    assert_says("0x0080000000  0x008fffffff     256 MiB  RAM, not taken yet");
    assert_says("0x0010000000  0x00100000ff       256 B  serial port");
    run("memory");
    assert_says("the memory");
    assert_says("webmail     256 MiB");
    run("harts");
    assert_says("the harts");
    run("help");
    assert_says("poweroff");
    vm_count = 0;
    run("list");
    assert_says("There is no VM");
    run("stats");
    run("memory");
}

static void numbers(void **state)
{
    char size[MONITOR_SIZE_TEXT], time[SHOW_TIME_TEXT];

    (void)state;
    assert_string_equal(monitor_size(size, 0), "0 B");
    assert_string_equal(monitor_size(size, 1023), "1023 B");
    assert_string_equal(monitor_size(size, 1536), "1.5 KiB");
    assert_string_equal(monitor_size(size, UINT64_MAX), "16777215.9 TiB");
    assert_string_equal(show_time(time, 9), "0 us");
    assert_string_equal(show_time(time, 9999999), "999.9 ms");
    assert_string_equal(show_time(time, 1000000000), "100 s");
    show_time(time, UINT64_MAX);
}

static void editing(void **state)
{
    (void)state;
    monitor_enter();
    assert_says("caldarium> ");
    keys("stop webx\177\r"); /* backspace */
    assert_ptr_equal(asked, &vms[0]);
    asked = NULL;
    keys("op web\001st\r\n"); /* home; the newline after the return adds nothing */
    assert_ptr_equal(asked, &vms[0]);
    asked = NULL;
    keys("\033[A\r"); /* the last line again */
    assert_ptr_equal(asked, &vms[0]);
    assert_int_equal(request, VM_REQUEST_STOP);
    keys("nonsense\025pause xyz\027web\r"); /* ^U, ^W */
    assert_int_equal(request, VM_REQUEST_PAUSE);
    keys("\033[A\033[A\033[B\003");                /* up, up, down, then not at all */
    keys("reset wQeb\033[D\033[D\033[D\033[3~\r"); /* left three times, delete */
    assert_int_equal(request, VM_REQUEST_RESET);
    keys("stop webRUBBISH\033[H\006\006\006\006\006\006\006\006\013\r"); /* home, ^F, ^K */
    assert_int_equal(request, VM_REQUEST_STOP);
}

static void completion(void **state)
{
    (void)state;
    keys("sto\td\t\003");
    assert_says("stop");
    keys("conso\td\t\r");
    assert_ptr_equal(in_front, &vms[2]);
    keys("sta\t\003");
    out_used = 0;
    keys("stop we\t\t");
    assert_says("web  webmail  \r\n");
    keys("m\t\003");
    assert_says("webmail");
    keys("nothing \t\t \t\003\t");
    assert_says("help  list  start");
    keys("\003");
}

static void any_keys(void **state)
{
    (void)state;
    srand(1);
    for (int i = 0; i < 300000; i++) {
        out_used = 0;
        int r = rand();
        monitor_key((uint8_t)(r % 3 ? r >> 8 : (r >> 8) % 32));
    }
    keys("\033[Z\003");
}

static void shares(void **state)
{
    (void)state;
    share = (struct monitor_share){16, 0, 10000};
    monitor_run("set web budget-us=2000 priority=20");
    assert_ptr_equal(asked, &vms[0]);
    assert_int_equal(share.budget_us, 2000);
    assert_int_equal(share.priority, 20);
    assert_int_equal(share.period_us, 10000);
    assert_says("web: priority 20, 2000 us of each 10000 us");
    static const char *const wrong[][2] = {
        {"set", "name of a VM is missing"},
        {"set nobody priority=1", "there is no VM 'nobody'"},
        {"set db priority=1", "db is ended"},
        {"set web priority=32", "a number up to 31"},
        {"set web priority=", "a number up to 31"},
        {"set web priority", "priority=, budget-us= or period-us= is expected"},
        {"set web priority=1x", "a number up to 31"},
        {"set web budget-us=99999999999999999999", "a number up to 1000000"},
        {"set web colour=3", "'colour=3'"},
        {"set web budget-us=20000", "budget-us from 100 to period-us"},
        {"set web budget-us=9999", "given away too much already"},
    };
    for (unsigned n = 0; n < sizeof(wrong) / sizeof(*wrong); n++) {
        out_used = 0;
        monitor_run(wrong[n][0]);
        assert_says(wrong[n][1]);
        assert_int_equal(share.budget_us, 2000);
    }
    configs[0].schedule = SCHEDULE_PINNED;
    monitor_run("set web priority=1");
    assert_says("web is pinned");
}

static void top(void **state)
{
    (void)state;
    keys("top\r");
    assert_true(ticking);
    out_used = 0;
    web_vcpus[1].eng.exits[EXIT_SBI] += 50;
    sim_time += sim_timebase;
    top_tick();
    assert_says("MOST OF THEM");
    assert_says("SBI call 50");
    keys("x");
    assert_false(ticking);
    out_used = 0;
    top_tick();
    assert_int_equal(out_used, 0);
    keys("list\r"); /* the x was for ending it */
    assert_says("RESTARTS");
}

static void traces(void **state)
{
    (void)state;
    monitor_run("trace web");
    assert_says("'trace on web' begins it");
    monitor_run("trace on web");
    struct cald_vcpu *vcpu = &web_vcpus[1];
    assert_true(trace_on(vcpu));
    vcpu->eng.gpr[17] = 0x48534d;
    vcpu->eng.gpr[16] = 2;
    for (unsigned n = 0; n < 1000; n++) {
        struct exit exit = {.reason = n == 999 ? EXIT_MMIO : EXIT_SBI, .gpa = 0x10000000};
        exit.access.width = 4;
        struct cald_trace_entry entry = trace_describe(vcpu, &exit, n);
        trace_note(vcpu, &entry, n + 5);
    }
    out_used = 0;
    monitor_run("trace web");
    assert_says("extension 0x48534d function 2");
    assert_says("load, 4 bytes, at 0x10000000");
    unsigned lines = 0;
    for (size_t n = 0; n < out_used; n++)
        lines += out[n] == '\n';
    assert_int_equal(lines, 41);
    monitor_run("trace off web");
    assert_false(trace_on(vcpu));
    monitor_run("trace on");
    assert_says("name of a VM is missing");
    monitor_run("trace on web web");
    assert_says("on VM, off VM or VM is expected");
    for (unsigned n = 0; n < 2; n++)
        host_pages_free(atomic_load(&web_vcpus[n].trace), sizeof(struct trace));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(wrong_words, setup),
        cmocka_unit_test_setup(requests, setup),
        cmocka_unit_test_setup(saving, setup),
        cmocka_unit_test_setup(requests_behind_others, setup),
        cmocka_unit_test_setup(requests_that_make_no_sense, setup),
        cmocka_unit_test_setup(tables, setup),
        cmocka_unit_test_setup(numbers, setup),
        cmocka_unit_test_setup(editing, setup),
        cmocka_unit_test_setup(completion, setup),
        cmocka_unit_test_setup(shares, setup),
        cmocka_unit_test_setup(top, setup),
        cmocka_unit_test_setup(traces, setup),
        cmocka_unit_test_setup(any_keys, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
