/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest, as this host keeps it, and what its files know of each other. */
#ifndef EMBED_GUEST_H
#define EMBED_GUEST_H

#include "embed.h"

#include "caldarium/caldarium.h"
#include "caldarium/host.h"

#define GUEST_VCPUS 8

/* Where the guest finds its devices. */
#define GUEST_PLIC 0x0c000000UL
#define GUEST_UART 0x10000000UL
#define GUEST_UART_IRQ 10
#define GUEST_SOURCES 95
#define KILL_KEY 0x1d              /* Ctrl-] */
#define GUEST_COUNTER 0x10010000UL /* our own device: vcpu.c */

struct blob {
    const void *data;
    uint64_t bytes;
};

/* A page of the guest's: what is in `page` may change under `lock` alone. */
struct guest_page {
    void *page; /* NULL: never touched */
    bool away;  /* being moved: nobody may reach it */
};

struct guest_vcpu {
    struct guest *guest;
    struct cald_vcpu *vcpu;
    struct task *task;
    uint64_t pages; /* runs that ended because a page was not there */
};

enum guest_end { GUEST_RUNS, GUEST_OFF, GUEST_RESET, GUEST_FAULT, GUEST_KILLED };

struct guest {
    /* Of the bundle. */
    const char *name, *bootargs;
    uint64_t base, bytes; /* its RAM */
    unsigned vcpus;
    struct blob kernel, ramdisk;
    enum cald_engine engine;

    /* One life. */
    struct cald_vm *vm;
    struct guest_vcpu vcpu[GUEST_VCPUS];
    uint64_t entry, tree; /* where it starts, and what it gets in a1 */
    _Atomic enum guest_end end;
    struct task *keeper; /* is woken when `end` changes */

    /* Its memory: page by page, or (memory=slot) in one piece. */
    uint8_t *slot;
    struct guest_page *page;
    struct spinlock lock;
    uint64_t taken, moved; /* pages */
};

/* bundle.c. False after a line. */
bool bundle_read(const void *bundle, uint64_t bytes, struct guest *);

/* memory.c */
bool guest_memory_begin(struct guest *); /* false: there is not enough */
void guest_memory_end(struct guest *);
bool guest_write(struct guest *, uint64_t gpa, const void *from, uint64_t bytes);
bool guest_page_get(struct guest *,
                    uint64_t gpa); /* so that host_guest_page() has it; false: no memory */
void guest_thief(void *guest);     /* a task */

/* load.c */
bool guest_load(struct guest *); /* kernel, ramdisk, tree; false after a line */

/* guesttree.c: fills `out`; the bytes, 0 after a line. */
uint64_t guest_tree(const struct guest *, uint64_t ramdisk, void *out, uint64_t room);

/* vcpu.c */
void guest_vcpu_run(void *guest_vcpu); /* a task */
void guest_ends(struct guest *, enum guest_end);

/* guest.c */
extern struct cald_machine *machine;
extern unsigned guest_levels; /* of its page tables, at most */
void machine_begin(void);
void machine_end(void);
void guests_run(struct guest *); /* all its lives */

#endif
