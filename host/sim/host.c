/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host/host.h inside a process, for the unit tests. Host-physical addresses are the process's own
 * virtual ones. panic() aborts, so that a test that reaches it fails with a message.
 */
#include "host/host.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/sim/sim.h"

/* Weak: a test, or a part of host/bare that it links, may have such a function of its own. */
#define SIM __attribute__((weak))

uint64_t sim_time, sim_timebase = 10000000, sim_pages_total = 256UL << 20, sim_pages_taken;
char sim_messages[SIM_CAPTURE], sim_console[SIM_CAPTURE];
unsigned sim_alloc_fails;
size_t sim_message_bytes, sim_console_bytes;
size_t sim_console_room = SIM_CAPTURE;
unsigned sim_errors, sim_kicks, sim_timer_arms, sim_pci_command;
bool sim_pci_interrupt;
uint32_t sim_pci_word[64];
struct cald_vcpu *sim_kicked, *sim_timer_vcpu;
uint64_t sim_timer_deadline;

static uint64_t random_state = 1;

void sim_reset(void)
{
    sim_time = 0;
    sim_timebase = 10000000;
    sim_pages_total = 256UL << 20;
    sim_pages_taken = 0;
    sim_alloc_fails = 0;
    memset(sim_messages, 0, sizeof(sim_messages));
    memset(sim_console, 0, sizeof(sim_console));
    sim_message_bytes = sim_console_bytes = 0;
    sim_console_room = SIM_CAPTURE;
    sim_errors = sim_kicks = sim_timer_arms = 0;
    sim_kicked = sim_timer_vcpu = NULL;
    sim_timer_deadline = UINT64_MAX;
    random_state = 1;
}

static uint64_t whole_pages(uint64_t bytes)
{
    return (bytes + HOST_PAGE_SIZE - 1) & ~(HOST_PAGE_SIZE - 1);
}

SIM void *host_pages_alloc(uint64_t bytes, uint64_t align)
{
    uint64_t size = whole_pages(bytes);
    if (align < HOST_PAGE_SIZE || (align & (align - 1)) != 0) {
        panic("host_pages_alloc: alignment %#lx", (unsigned long)align);
    }
    if (sim_alloc_fails && !--sim_alloc_fails)
        return NULL;
    if (size == 0 || size < bytes || size > host_pages_available()) {
        return NULL;
    }
    void *pages = NULL;
    if (posix_memalign(&pages, align, size) != 0) {
        return NULL;
    }
    memset(pages, 0, size);
    sim_pages_taken += size;
    return pages;
}

SIM void host_pages_free(void *pages, uint64_t bytes)
{
    if (pages == NULL) {
        return;
    }
    if (whole_pages(bytes) > sim_pages_taken) {
        panic("host_pages_free: more than was taken");
    }
    /* A wrong length is an overrun that ASan sees here. */
    memset(pages, 0, whole_pages(bytes));
    sim_pages_taken -= whole_pages(bytes);
    free(pages);
}

SIM void *host_pages_claim(uint64_t pa, uint64_t bytes)
{
    (void)pa, (void)bytes;
    return NULL;
}

SIM uint64_t host_image_pa(const void *object)
{
    return (uint64_t)object;
}

SIM bool host_table_share(uint64_t va, const uint64_t *table)
{
    (void)va, (void)table;
    return true;
}

SIM void host_fp_begin(struct cald_vcpu *vcpu)
{
    (void)vcpu;
}

SIM void host_fp_end(struct cald_vcpu *vcpu)
{
    (void)vcpu;
}

SIM enum cald_page_is host_guest_page(void *owner, uint64_t gpa, bool write, struct cald_page *page)
{
    (void)owner, (void)gpa, (void)write, (void)page;
    return CALD_PAGE_NOTHING;
}

SIM void host_watch(void)
{
}

SIM void host_irq_attach(struct cald_vm *vm, unsigned source, unsigned type)
{
    (void)vm, (void)source, (void)type;
}

SIM void host_irq_detach(struct cald_vm *vm, unsigned source)
{
    (void)vm, (void)source;
}

SIM void host_irq_complete(struct cald_vm *vm, unsigned source)
{
    (void)vm, (void)source;
}

SIM void host_file_load(struct cald_vcpu *vcpu)
{
    (void)vcpu;
}

SIM void host_file_put(struct cald_vcpu *vcpu)
{
    (void)vcpu;
}

SIM void host_file_collect(struct cald_vcpu *vcpu)
{
    (void)vcpu;
}

SIM void host_device_adopt(struct passthrough *device)
{
    (void)device;
}

SIM bool host_device_start(struct vm *vm, const struct passthrough *device)
{
    (void)vm, (void)device;
    return true;
}

SIM bool host_device_stop(struct vm *vm, const struct passthrough *device)
{
    (void)vm, (void)device;
    return true;
}

SIM void host_devices_stopped(struct vm *vm)
{
    (void)vm;
}

SIM int host_pci_find(struct passthrough *device, struct vm_config *config)
{
    (void)device, (void)config;
    return 0;
}

SIM void host_pci_command(struct pci_function *function, uint16_t command)
{
    (void)function;
    sim_pci_command = command;
}

SIM void host_pci_messages(struct pci_function *function, unsigned offset, uint32_t value)
{
    (void)function;
    sim_pci_word[offset / 4 % 64] = value;
}

SIM bool host_pci_interrupt(const struct pci_function *function)
{
    (void)function;
    return sim_pci_interrupt;
}

SIM bool host_uses_device(uint64_t base)
{
    (void)base;
    return false;
}

SIM uint64_t host_pages_available(void)
{
    return sim_pages_total > sim_pages_taken ? sim_pages_total - sim_pages_taken : 0;
}

SIM uint64_t host_pages_total(void)
{
    return sim_pages_total;
}

SIM uint64_t host_pa(const void *va)
{
    return (uint64_t)(uintptr_t)va;
}

SIM void *host_va(uint64_t pa)
{
    return (void *)(uintptr_t)pa;
}

uint64_t sim_page_attributes[2];

SIM uint64_t host_page_attributes(bool device)
{
    return sim_page_attributes[device];
}

SIM uint64_t host_time(void)
{
    return sim_time;
}

SIM uint64_t host_timebase(void)
{
    return sim_timebase;
}

SIM void host_kick(struct cald_vcpu *vcpu)
{
    sim_kicked = vcpu;
    sim_kicks++;
}

SIM void host_kicks_begin(void)
{
}

SIM void host_kicks_end(void)
{
}

SIM void host_wake(struct cald_vcpu *vcpu)
{
    host_kick(vcpu);
}

SIM void host_timer_arm(struct cald_vcpu *vcpu, uint64_t deadline)
{
    sim_timer_vcpu = vcpu;
    sim_timer_deadline = deadline;
    sim_timer_arms++;
}

/* Appends what fits and keeps the zero at the end. */
static void capture(char *to, size_t *used, const char *bytes, size_t count)
{
    size_t room = SIM_CAPTURE - 1 - *used;
    size_t taken = count < room ? count : room;
    memcpy(to + *used, bytes, taken);
    *used += taken;
}

SIM size_t host_console_write(struct cald_vm *vm, const char *bytes, size_t count)
{
    (void)vm;
    if (count > sim_console_room)
        count = sim_console_room;
    capture(sim_console, &sim_console_bytes, bytes, count);
    return count;
}

SIM size_t host_console_room(struct cald_vm *vm)
{
    (void)vm;
    return sim_console_room;
}

SIM void host_console_flush(struct cald_vm *vm)
{
    (void)vm;
}

SIM void host_console_sent(struct cald_vm *vm)
{
    (void)vm;
}

SIM bool host_console_hurry(struct cald_vm *vm, uint8_t byte)
{
    (void)vm;
    (void)byte;
    return false;
}

SIM void hart_flush_soon(void);
SIM void hart_flush_soon(void)
{
}

SIM void host_console_taken(struct cald_vm *vm)
{
    (void)vm;
}

SIM void hart_serve_console_soon(void);
SIM void hart_serve_console_soon(void)
{
}

SIM uint64_t hart_this(void);
SIM uint64_t hart_this(void)
{
    return 0;
}

SIM void console_look(bool more);
SIM void console_look(bool more)
{
    (void)more;
}

static void __attribute__((format(printf, 1, 0))) message(const char *format, va_list args)
{
    char line[1024];
    int length = vsnprintf(line, sizeof(line), format, args);
    if (length >= (int)sizeof(line)) {
        length = sizeof(line) - 1;
    }
    capture(sim_messages, &sim_message_bytes, line, (size_t)(length < 0 ? 0 : length));
    capture(sim_messages, &sim_message_bytes, "\n", 1);
}

SIM void host_print(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    message(format, args);
    va_end(args);
}

SIM void host_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    message(format, args);
    va_end(args);
    sim_errors++;
}

SIM void host_random(void *out, size_t bytes)
{
    /* The same in each run, so that a failure can be seen again (xorshift64). */
    for (size_t i = 0; i < bytes; i++) {
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        ((uint8_t *)out)[i] = (uint8_t)random_state;
    }
}

SIM bool host_random_is_seeded(void)
{
    return true;
}

SIM void panic(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("panic: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    abort();
}

SIM void host_panic(const char *text, size_t length)
{
    panic("%.*s", (int)length, text);
}

SIM void host_line(enum host_severity severity, const char *text, size_t length)
{
    if (severity == HOST_ERROR)
        host_error("%.*s", (int)length, text);
    else
        host_print("%.*s", (int)length, text);
}

SIM void host_may_yield(void)
{
}
