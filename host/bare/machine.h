/* SPDX-License-Identifier: BSD-2-Clause */
/* What the machine as a whole is set to: found and chosen once at boot. */
#ifndef HOST_BARE_MACHINE_H
#define HOST_BARE_MACHINE_H

#include "appliance/vm.h"

/* The library's: all of the board's harts. NULL: they can't run guests. */
extern struct cald_machine *machine;

/* Bytes of a vector register; 0: the harts have none that can be switched. */
extern uint64_t machine_vlenb;

/* Finds out which engines this machine has and what guests can be shown under each: board.isa,
 * board.isa_shadow. False: none, said in one line. */
bool machine_find_engines(void);

/* This hart runs guests from now on. */
void machine_hart_init(unsigned hart);

/* The engine that the VM's bundle wants, or `engine=` in Caldarium's own options, or the better
 * one: into config->engine. Refuses the VM where the machine doesn't have it. */
void machine_choose_engine(struct vm_config *config);

/* Refuses a VM with addresses that its engine can't map; its devices are resolved. */
void machine_check_addresses(const struct vm *vm, struct vm_config *config);

/* The interrupt controller that the VM's bundle wants, or what the board has, into config->irqchip;
 * the engine is chosen. Refuses the VM where it can't have it. */
void machine_choose_irqchip(struct vm_config *config);

/* One line for people. */
void machine_describe_engines(char *text, size_t bytes);

/* One line where the firmware prints on the console whenever a guest does what it has to do, and
 * VMs are there for which that holds; once all are defined. */
void machine_warn_of_firmware(void);

/* Powers the machine off through the firmware; if that can't, says so and stops this hart. */
_Noreturn void machine_poweroff(void);

#endif
