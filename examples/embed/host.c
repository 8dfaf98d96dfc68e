/* SPDX-License-Identifier: BSD-2-Clause */
/* What the library asks of its host (caldarium/host.h), as far as it is a call to what we have
 * anyway. What concerns a vCPU's task is in vcpu.c, what concerns a guest's pages in memory.c. */
#include "guest.h"

#include "caldarium/devices.h"

void *host_pages_alloc(uint64_t bytes, uint64_t align)
{
    return pages_take(bytes, align);
}

void host_pages_free(void *pages, uint64_t bytes)
{
    pages_give(pages, bytes); /* zero when somebody takes them */
}

uint64_t host_pa(const void *va)
{
    return pa_of(va);
}

void *host_va(uint64_t pa)
{
    return va_of(pa);
}

uint64_t host_page_attributes(bool device)
{
    (void)device;
    return 0;
}

uint64_t host_image_pa(const void *object)
{
    return pa_of(object);
}

bool host_table_share(uint64_t va, const uint64_t *table)
{
    return paging_share(va, table);
}

uint64_t host_time(void)
{
    return now();
}

uint64_t host_timebase(void)
{
    return board.timebase;
}

/* Our code has no use for these registers: whatever the guest has in them may stay. */
void host_fp_begin(struct cald_vcpu *vcpu)
{
    (void)vcpu;
}

void host_fp_end(struct cald_vcpu *vcpu)
{
    (void)vcpu;
}

/* Each kick is sent at once. */
void host_kicks_begin(void)
{
}

void host_kicks_end(void)
{
}

void host_may_yield(void)
{
}

void host_line(enum host_severity severity, const char *text, size_t length)
{
    (void)severity;
    print_line(text, length);
}

void host_panic(const char *text, size_t length)
{
    panic("%.*s", (int)length, text);
}

/* The port is polled, so there is always room, and nothing to send later. */
size_t host_console_write(struct cald_vm *vm, const char *bytes, size_t count)
{
    (void)vm;
    console_guest(bytes, count);
    return count;
}

size_t host_console_room(struct cald_vm *vm)
{
    (void)vm;
    return 4096;
}

void host_console_flush(struct cald_vm *vm)
{
    (void)vm;
}

void host_console_sent(struct cald_vm *vm)
{
    (void)vm;
}

bool host_console_hurry(struct cald_vm *vm, uint8_t byte)
{
    (void)vm;
    console_guest((const char *)&byte, 1);
    return true;
}

void host_console_taken(struct cald_vm *vm)
{
    (void)vm; /* the keys' task asks again by itself */
}

/* No guest of ours has a device of the board's, or an interrupt file of a hart's. */
void host_irq_complete(struct cald_vm *vm, unsigned source)
{
    (void)vm, (void)source;
}

void host_file_load(struct cald_vcpu *vcpu)
{
    (void)vcpu;
}

void host_file_put(struct cald_vcpu *vcpu)
{
    (void)vcpu;
}

void host_file_collect(struct cald_vcpu *vcpu)
{
    (void)vcpu;
}
