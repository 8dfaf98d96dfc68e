/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the Type-1 asks of its host besides the library's own needs (include/caldarium/host.h,
 * devices.h): certain places of memory, devices that are passed through, lines of text and seed
 * material.
 *
 * host/bare implements this on the bare machine, host/sim inside a process for the unit tests.
 * Every function may be called on any hart unless it says otherwise. None of them sleeps.
 */
#ifndef HOST_HOST_H
#define HOST_HOST_H

#include "caldarium/devices.h"
#include "caldarium/host.h"

struct vm;
struct vm_config;
struct passthrough;
struct pci_function;

/* As host_pages_alloc(), for a certain place, [pa, pa+bytes). NULL: not all of it is free RAM. */
void *host_pages_claim(uint64_t pa, uint64_t bytes);

/* Bytes free, and bytes that host_pages_alloc() can give at all. */
uint64_t host_pages_available(void);
uint64_t host_pages_total(void);

/* There is something for appliance/watchdog.h to look at: watchdog_check() is called soon, on some
 * hart.
 */
void host_watch(void);

/* Interrupts of devices that a VM has. A forwarded source pulses at the VM's interrupt controller
 * and stays shut at the board's until the guest has completed it. `type`: how its wire tells, as
 * the device tree has it (rising 1, falling 2, high 4, low 8); 0: the board's tree doesn't say. */
void host_irq_attach(struct cald_vm *vm, unsigned source, unsigned type);
void host_irq_detach(struct cald_vm *vm, unsigned source);

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

/* The guest's command register, as far as the real function may know of it. */
void host_pci_command(struct pci_function *function, uint16_t command);

/* The word at `offset`, in one of its MSI capabilities, as the guest wrote it. */
void host_pci_messages(struct pci_function *function, unsigned offset, uint32_t value);

/* The function holds its INTx up. */
bool host_pci_interrupt(const struct pci_function *function);

/* Whether the host itself drives the device whose registers begin there. */
bool host_uses_device(uint64_t base);

/* A line of Caldarium's own. printf's format; a newline is added. Whole lines, never mixed. */
void host_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same for something that went wrong; colour on a terminal. */
void host_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Fills `out` with random bytes. Any hart; some 20 instructions a byte. */
void host_random(void *out, size_t bytes);

/* Whether they come from a seed that nobody else can know; else they only differ each time. */
bool host_random_is_seeded(void);

/* A bug of Caldarium's own: prints, stops every hart, never returns. No guest input leads here. */
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
