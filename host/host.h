/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the library (core/ and engine/) asks of whoever hosts it: memory, time, harts and a console.
 *
 * host/bare implements this on the bare machine, host/sim inside a process for the unit tests.
 * Every function may be called on any hart unless it says otherwise. None of them sleeps.
 */
#ifndef HOST_HOST_H
#define HOST_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vm;
struct cald_vm;
struct cald_vcpu;
struct vm_config;
struct passthrough;
struct pci_function;

#define HOST_PAGE_SIZE 4096UL

/*
 * Takes `bytes` (rounded up to pages) of physically contiguous memory, aligned to `align` (a power
 * of two, at least HOST_PAGE_SIZE). The memory is zero. Returns NULL when there is none left.
 */
void *host_pages_alloc(uint64_t bytes, uint64_t align);

/* The same for a certain place, [pa, pa+bytes). NULL: not all of it is free RAM. */
void *host_pages_claim(uint64_t pa, uint64_t bytes);

/* Gives back what host_pages_alloc() returned, whole; `bytes` as then. It is zeroed here. */
void host_pages_free(void *pages, uint64_t bytes);

/* Bytes free, and bytes that host_pages_alloc() can give at all. */
uint64_t host_pages_available(void);
uint64_t host_pages_total(void);

/* Physical address of host memory from host_pages_alloc(), and back. */
uint64_t host_pa(const void *va);
void *host_va(uint64_t pa);

/* What leaves of page tables on this machine's harts need in their upper bits besides, for memory
 * or for a device's registers; 0 on most (riscv/thead.h). */
uint64_t host_page_attributes(bool device);

/* Physical address of a part of Caldarium's image. */
uint64_t host_image_pa(const void *object);

/* Enters a last-level page table (512 pages, 2 MiB) in Caldarium's own address space at `va`, which
 * is free there and aligned; engine shadow's way in and out. False: no memory. Boot hart, before
 * the others start. */
bool host_table_share(uint64_t va, const uint64_t *table);

/* The `time` CSR, in ticks of host_timebase() Hz. */
uint64_t host_time(void);
uint64_t host_timebase(void);

/*
 * Makes the hart that `vcpu` is placed on leave the guest or its idle loop soon, so that it looks
 * at its mailboxes. Nothing is lost if the hart is already on its way out.
 */
void host_kick(struct cald_vcpu *vcpu);

/*
 * Between these two the calling hart's kicks, host_wake()'s too, are collected; the second one
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

/* The vCPU's one-shot timer where the guest's can't be armed in hardware: UINT64_MAX disarms. */
void host_timer_arm(struct cald_vcpu *vcpu, uint64_t deadline);

/*
 * Around the time that a vCPU is loaded, on its hart: in between the FP and vector registers hold
 * the guest's, also outside of a run. begin() comes before the first of them is written: a host
 * that has values of its own there keeps them, and has them back after end(). sstatus.FS and VS are
 * the library's to switch on and to leave as they were.
 */
void host_fp_begin(struct cald_vcpu *vcpu);
void host_fp_end(struct cald_vcpu *vcpu);

/*
 * What becomes of a VM is its host's: its guest powers off or resets, or can't go on, and `text`
 * says why. On the vCPU's own hart, whose run ends; it may not run the guest any further.
 */
void host_vm_off(struct cald_vm *vm);
void host_vm_reset(struct cald_vm *vm);
void host_vcpu_fault(struct cald_vcpu *vcpu, const char *text);

/* There is something for appliance/watchdog.h to look at: watchdog_check() is called soon, on some
 * hart.
 */
void host_watch(void);

/* Interrupts of devices that a VM has. A forwarded source pulses at the VM's interrupt controller
 * and stays shut at the board's until the guest has completed it. `type`: how its wire tells, as
 * the device tree has it (rising 1, falling 2, high 4, low 8); 0: the board's tree doesn't say. */
void host_irq_attach(struct cald_vm *vm, unsigned source, unsigned type);
void host_irq_detach(struct cald_vm *vm, unsigned source);
void host_irq_complete(struct cald_vm *vm, unsigned source);

/* Interrupt files of harts for vCPUs: gives the vCPU that has just been loaded one, if its hart has
 * one free; takes it back before it is put; moves what has come into its file in memory into it.
 * All on the vCPU's hart. vcpu->imsic.file tells. */
void host_file_load(struct cald_vcpu *vcpu);
void host_file_put(struct cald_vcpu *vcpu);
void host_file_collect(struct cald_vcpu *vcpu);

/* Messages of the vCPU's devices go to the interrupt file in this page from now on; 0: to where
 * they are handed on by software. On the vCPU's hart; it may come with the run queue's lock held.
 */
void host_msi_retarget(struct cald_vcpu *vcpu, uint64_t file_pa);

/* A VM has this device from now on, once: the host does what host_device_stop() will need. */
void host_device_adopt(struct passthrough *device);

/* The VM starts with this device, or ends. Behind an IOMMU it reaches the VM's memory, all of which
 * is mapped, in between, and only in between. Start: false after one line. Stop ends its DMA;
 * false: nobody knows how to, or it does not answer. host_devices_stopped() comes after all of
 * them. */
bool host_device_start(struct vm *vm, const struct passthrough *device);
bool host_device_stop(struct vm *vm, const struct passthrough *device);
void host_devices_stopped(struct vm *vm);

/* A PCI function that device->path names: fills device->pci and its registers in. 0: the path names
 * none; -1: it can't be given, and the VM has been refused; 1: here it is. Boot hart. */
int host_pci_find(struct passthrough *device, struct vm_config *config);

/* The guest's command register, as far as the real function may know of it; and whether that holds
 * its INTx up. */
void host_pci_command(struct pci_function *function, uint16_t command);
/* The word at `offset`, in one of its MSI capabilities, as the guest wrote it. */
void host_pci_messages(struct pci_function *function, unsigned offset, uint32_t value);
bool host_pci_interrupt(const struct pci_function *function);

/* Whether the host itself drives the device whose registers begin there. */
bool host_uses_device(uint64_t base);

/*
 * Guest console output, any bytes: the host decides how it reaches a person. It takes as many as it
 * has room for and returns how many; the others are to be tried again. host_console_flush() comes
 * after one or several of them, and may have it sent. host_console_room(): how many it would take;
 * ns16550a_ready() is called when there is room again, if the VM's port is marked full.
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

/* ns16550a_receive() had to refuse a byte for the VM, and there is room again. Its port's lock is
 * held. */
void host_console_taken(struct cald_vm *vm);

/* A line of Caldarium's own. printf's format; a newline is added. Whole lines, never mixed. */
void host_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same for something that went wrong; colour on a terminal. */
void host_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Fills `out` with seed material for guests' random generators. Not a key source. */
void host_random(void *out, size_t bytes);

/* A bug of Caldarium's own: prints, stops every hart, never returns. No guest input leads here. */
_Noreturn void host_panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * In a long piece of work that makes or ends a VM, with no lock held: others may have the hart in
 * between, and the work may go on on another one. Nothing happens elsewhere.
 */
void host_may_yield(void);
#define HOST_YIELD_BYTES 65536UL /* written or read between two calls, at most */

#endif
