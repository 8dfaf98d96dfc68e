/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What libcaldarium asks of its host: memory, time, other harts and a place for text. The host
 * defines these functions; the linker finds them.
 *
 * Besides these the library needs memcpy, memmove, memset, memcmp, strlen and strcmp as the C
 * standard has them, and nothing else: no allocator, no formatted output, no libgcc (what it needs
 * of that is inside).
 *
 * Threads: each function may be called on any hart, on several at once, and with interrupts off,
 * unless it says otherwise. None may sleep. None may call the library back, unless it says so. The
 * library calls with its own locks held, so a host's lock that is taken here must not be held
 * around a call into the library. Units: bytes, and ticks of the `time` CSR.
 */
#ifndef CALDARIUM_HOST_H
#define CALDARIUM_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cald_vm;
struct cald_vcpu;

/* ---- memory ---- */

#define HOST_PAGE_SIZE 4096UL

/*
 * Takes `bytes` (rounded up to pages) of physically contiguous memory, aligned to `align` (a power
 * of two, at least HOST_PAGE_SIZE). The memory is zero and the library's until it gives it back.
 * NULL: there is none left. Never called on an exit.
 */
void *host_pages_alloc(uint64_t bytes, uint64_t align);

/* Gives back what host_pages_alloc() returned, whole; `bytes` as then. The host makes sure that
 * nobody reads what was in it. */
void host_pages_free(void *pages, uint64_t bytes);

/* Physical address of memory from host_pages_alloc(), and back. */
uint64_t host_pa(const void *va);
void *host_va(uint64_t pa);

/*
 * Of a VM's memory that the host gives page by page: where the page at guest-physical `gpa` is.
 * HERE: in `page`, until the host has had the library forget it. NOTHING: there is none, and the
 * guest's access is one of a device's register. ABSENT: the host has first to get it: the vCPU's
 * run ends and says so, and the access is made again later. `write`: it has to be writable, by a
 * copy where need be; NOTHING where it never will be. On a vCPU's hart, or where the host itself
 * accesses the guest's memory. `owner`: the VM's.
 */
enum cald_page_is { CALD_PAGE_HERE, CALD_PAGE_NOTHING, CALD_PAGE_ABSENT };
struct cald_page {
    uint64_t pa; /* host_va() reaches it */
    bool writable;
};
enum cald_page_is host_guest_page(void *owner, uint64_t gpa, bool write, struct cald_page *page);

/* What leaves of page tables on this machine's harts need in their upper bits besides, for memory
 * or for a device's registers; 0 on most. */
uint64_t host_page_attributes(bool device);

/* Physical address of a part of the library's own code or data. */
uint64_t host_image_pa(const void *object);

/* Enters a last-level page table (512 pages, 2 MiB) in the host's own address space at `va`, which
 * is free there and aligned; engine shadow's way in and out. NULL takes it away, if it is there.
 * False: no memory. From cald_machine_create() and cald_machine_destroy() alone. */
bool host_table_share(uint64_t va, const uint64_t *table);

/*
 * In a long piece of work that makes or ends a VM, with no lock held: others may have the hart in
 * between, and the work may go on on another one. Nothing happens where a host has no use for it.
 */
void host_may_yield(void);
#define HOST_YIELD_BYTES 65536UL /* written or read between two calls, at most */

/* ---- time ---- */

/* The `time` CSR, in ticks of host_timebase() Hz. */
uint64_t host_time(void);
uint64_t host_timebase(void);

/*
 * The vCPU's one-shot timer where the guest's can't be armed in hardware, in host time: UINT64_MAX
 * disarms. When its time has come the host calls cald_vcpu_timer(); an interrupt of its timer alone
 * does as well, while the vCPU runs. On the vCPU's hart, also from inside a run, while stvec is the
 * library's: a host that can't arm a timer there notes the deadline, makes an interrupt of its own
 * pending on this hart, so that the run ends, and arms the timer after it. So does one whose timer
 * code switches the timer's interrupt on in sie: the run's end sets sie back as it was.
 */
void host_timer_arm(struct cald_vcpu *vcpu, uint64_t deadline);

/* ---- registers ---- */

/*
 * Around the time that a vCPU is loaded, on its hart: in between the FP and vector registers hold
 * the guest's, also outside of a run. begin() comes before the first of them is written: a host
 * that has values of its own there keeps them, and has them back after end(). sstatus.FS and VS are
 * the library's to switch on and to leave as they were.
 */
void host_fp_begin(struct cald_vcpu *vcpu);
void host_fp_end(struct cald_vcpu *vcpu);

/* ---- other harts ---- */

/*
 * Makes the hart that `vcpu` is placed on leave the guest or its idle loop soon, so that it looks
 * at its mailboxes. Nothing is lost if the hart is already on its way out.
 */
void host_kick(struct cald_vcpu *vcpu);

/*
 * Between these two the calling hart's kicks, host_wake()'s too, may be collected; the second one
 * sends them, with one call to the firmware where that serves many harts. They don't nest, and
 * nothing between them waits for a hart that was kicked.
 */
void host_kicks_begin(void);
void host_kicks_end(void);

/*
 * Ends a vCPU's sleep: there is mail for it, or its VM has a request. Has its hart leave the guest
 * if it runs. Does nothing for a vCPU that is ready to run anyway.
 */
void host_wake(struct cald_vcpu *vcpu);

/* ---- text ---- */

enum host_severity {
    HOST_INFO, /* somebody asked for it, or a guest's life went on as it should */
    HOST_ERROR /* something went wrong with a VM; the line names it */
};

/* A line of the library's own: `length` bytes without a newline or a zero, all printable. Lines
 * never mix. */
void host_line(enum host_severity severity, const char *text, size_t length);

/* A bug of the library's own, told in one such line. Never returns: the state of this hart, and of
 * what it held, is lost. No guest input and no argument leads here. */
void host_panic(const char *text, size_t length) __attribute__((noreturn));

/* ---- console of a VM whose serial port or SBI console is inside the library ---- */

/*
 * Output, any bytes: the host decides how it reaches a person. It takes as many as it
 * has room for and returns how many; the others are to be tried again. host_console_flush() comes
 * after one or several of them, and may have it sent. host_console_room(): how many it would take.
 */
size_t host_console_write(struct cald_vm *vm, const char *bytes, size_t count);
size_t host_console_room(struct cald_vm *vm);
void host_console_flush(struct cald_vm *vm);

/*
 * For what comes byte by byte. host_console_sent() in the place of host_console_flush(), on the
 * vCPU's hart: a line has it sent now, less than that within a millisecond. Until then
 * host_console_hurry() takes bytes from inside a run, and nothing need be called after it; false:
 * it did not, try host_console_write().
 */
void host_console_sent(struct cald_vm *vm);
bool host_console_hurry(struct cald_vm *vm, uint8_t byte);

/* The serial port had to refuse a byte for the VM, and there is room again. Its port's lock is
 * held. */
void host_console_taken(struct cald_vm *vm);

#ifdef __cplusplus
}
#endif

#endif
