/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the oracle is asked: VMs that begin and end, memory that is entered, and once a second. */
#include <string.h>

#include "host/bare/board.h"
#include "host/bare/vms.h"
#include "host/host.h"
#include "host/oracle/oracle.h"

void walk_tell(void);

void __real_vms_define(const void *blob, size_t bytes);
void __wrap_vms_define(const void *blob, size_t bytes);
void __real_vms_autostart(void);
void __wrap_vms_autostart(void);
int __real_vm_create(struct vm *vm);
int __wrap_vm_create(struct vm *vm);
void __real_vm_destroy(struct vm *vm);
void __wrap_vm_destroy(struct vm *vm);
int __real_cald_vm_slot(struct cald_vm *vm, uint32_t number, uint64_t gpa, uint64_t size,
                        void *pages, uint32_t flags);
int __wrap_cald_vm_slot(struct cald_vm *vm, uint32_t number, uint64_t gpa, uint64_t size,
                        void *pages, uint32_t flags);
uint64_t __real_watchdog_check(uint64_t now);
uint64_t __wrap_watchdog_check(uint64_t now);
_Noreturn void __real_machine_poweroff(void);
_Noreturn void __wrap_machine_poweroff(void);

void __wrap_vms_define(const void *blob, size_t bytes)
{
    owner_begin();
    __real_vms_define(blob, bytes);
}

void __wrap_vms_autostart(void)
{
    __real_vms_autostart();
    host_watch(); /* and again each second */
}

int __wrap_vm_create(struct vm *vm)
{
    walk_changes(vm, true);
    int result = __real_vm_create(vm);
    walk_changes(vm, false);
    if (result == 0)
        walk_one(vm);
    return result;
}

void __wrap_vm_destroy(struct vm *vm)
{
    walk_one(vm);
    walk_changes(vm, true);
    __real_vm_destroy(vm);
    walk_changes(vm, false);
}

int __wrap_cald_vm_slot(struct cald_vm *vm, uint32_t number, uint64_t gpa, uint64_t size,
                        void *pages, uint32_t flags)
{
    if (size)
        owner_enters(vm_of(vm), flags & CALD_SLOT_DEVICE ? (uint64_t)pages : host_pa(pages), size,
                     flags);
    return __real_cald_vm_slot(vm, number, gpa, size, pages, flags);
}

/* The hart with the console asks, by time; it does what is due and says when it is to be called
 * again. */
uint64_t __wrap_watchdog_check(uint64_t now)
{
    static uint64_t due;
    uint64_t next = __real_watchdog_check(now);
    if (now >= due) {
        plant();
        walk_all();
        due = now + host_timebase();
    }
    return next < due ? next : due;
}

_Noreturn void __wrap_machine_poweroff(void)
{
    walk_tell();
    __real_machine_poweroff();
}

bool plant_is(const char *what)
{
    char option[16];
    return board_option("oracle-plant", option, sizeof(option)) && !strcmp(option, what);
}
