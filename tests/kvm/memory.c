/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Slots of memory and dirty logs: what can be changed of a slot and what can't, stores to one that
 * is read-only, what a log has and how it is cleared. The guest stores where a0 says, loads it
 * again into a1, and ends with a store where nothing is.
 */
#include "vmm.h"

#define PAGE 4096UL
#define PAGES 130 /* of the slot that is looked at: two words of a log, and a part of a third */
#define SLOT 1
#define AT 0x90000000UL
#define ELSEWHERE 0xa0000000UL
#define DONE 0x10001000UL
#define VALUE 7
/* Linux 6.8's headers have them, Debian 12's don't. */
#define CAP_USER_MEMORY2 231
struct region2 {
    struct kvm_userspace_memory_region head;
    uint64_t guest_memfd_offset;
    uint32_t guest_memfd, pad;
    uint64_t pad2[14];
};
#define SET_USER_MEMORY_REGION2 _IOW(KVMIO, 0x49, struct region2)
#define GUEST_MEMFD (1U << 2)

static const uint32_t code[] = {
    0x00700313, /* li t1, 7 */
    0x00653023, /* sd t1, 0(a0) */
    0x00053583, /* ld a1, 0(a0) */
    0x100012b7, /* lui t0, 0x10001 */
    0x0062a023, /* sw t1, 0(t0) */
    0x0000006f, /* j . */
};

static uint8_t *memory;
static uint64_t bits[3];

static struct region2 region(void)
{
    return (struct region2){.head = {.slot = SLOT,
                                     .guest_phys_addr = AT,
                                     .memory_size = PAGES * PAGE,
                                     .userspace_addr = (uintptr_t)memory}};
}

static void set_slot(const char *what, struct region2 args, int error)
{
    call(what, vm, SET_USER_MEMORY_REGION2, &args, error);
}

static void store_at(uint64_t gpa)
{
    reg_set(CORE(0), RAM);
    reg_set(CORE(A0), gpa);
    run_to(KVM_EXIT_MMIO);
}

static void store(uint64_t gpa)
{
    store_at(gpa);
    expect("where the guest ends", (long)run->mmio.phys_addr, DONE);
    expect("what it reads", (long)reg_get(CORE(A1)), VALUE);
}

/* ---- Slots ---- */

static void refused(void)
{
    struct region2 args = region();
    args.head.flags = 1U << 5;
    set_slot("a flag that isn't there", args, EINVAL);
    args.head.flags = GUEST_MEMFD;
    set_slot("guest_memfd", args, EINVAL);
    args = region(), args.head.memory_size -= 1;
    set_slot("a size that is not of pages", args, EINVAL);
    args = region(), args.head.guest_phys_addr = RAM;
    set_slot("memory over memory", args, EEXIST);
    args = region(), args.head.guest_phys_addr = 1UL << 60;
    set_slot("memory that no guest reaches", args, EINVAL);
    args = region(), args.head.userspace_addr = 1UL << 63;
    set_slot("memory of the kernel's", args, EINVAL);
    args = region(), args.head.slot = 65535;
    set_slot("too high a number", args, EINVAL);
    args = region(), args.head.memory_size = 0;
    set_slot("removal of none", args, EINVAL);
}

static void changes(void)
{
    struct region2 args = region();
    set_slot("a slot", args, 0);
    args.head.memory_size = PAGE;
    set_slot("another size", args, EINVAL);
    args = region(), args.head.userspace_addr += PAGE;
    set_slot("other memory", args, EINVAL);
    args = region(), args.head.flags = KVM_MEM_READONLY;
    set_slot("read-only later", args, EINVAL);
    store(AT);
    args = region(), args.head.guest_phys_addr = RAM;
    set_slot("a move over memory", args, EEXIST);
    args.head.guest_phys_addr = ELSEWHERE;
    set_slot("a move", args, 0);
    store(ELSEWHERE + PAGE);
    expect("what it stores", memory[PAGE], VALUE);
    store_at(AT);
    expect("a store to where it was", (long)run->mmio.phys_addr, AT);
    args.head.memory_size = 0;
    set_slot("removal", args, 0);
}

static void read_only(void)
{
    struct region2 args = region();
    args.head.flags = KVM_MEM_READONLY;
    memory[2 * PAGE] = VALUE + 1;
    set_slot("a read-only slot", args, 0);
    store_at(AT + 2 * PAGE);
    expect("a store to it", (long)run->mmio.phys_addr, AT + 2 * PAGE);
    expect("is a store", run->mmio.is_write, 1);
    run_to(KVM_EXIT_MMIO);
    expect("a load of it", (long)reg_get(CORE(A1)), VALUE + 1);
    args.head.memory_size = 0;
    set_slot("removal", args, 0);
}

/* ---- Logs ---- */

static void log_is(const char *what, uint64_t a, uint64_t b, uint64_t c)
{
    struct kvm_dirty_log log = {.slot = SLOT, .dirty_bitmap = bits};
    memset(bits, 0xff, sizeof(bits));
    call("KVM_GET_DIRTY_LOG", vm, KVM_GET_DIRTY_LOG, &log, 0);
    expect(what, (long)bits[0], (long)a);
    expect(what, (long)bits[1], (long)b);
    expect(what, (long)bits[2], (long)c);
}

static void clear(const char *what, uint32_t slot, uint64_t first, uint32_t count, int error)
{
    struct kvm_clear_dirty_log log = {
        .slot = slot, .first_page = first, .num_pages = count, .dirty_bitmap = bits};
    call(what, vm, KVM_CLEAR_DIRTY_LOG, &log, error);
}

static void enable(const char *what, uint64_t mode, int error)
{
    struct kvm_enable_cap cap = {.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args = {mode}};
    call(what, vm, KVM_ENABLE_CAP, &cap, error);
}

static void set_log(bool on)
{
    struct region2 args = region();
    args.head.flags = on ? KVM_MEM_LOG_DIRTY_PAGES : 0;
    set_slot(on ? "with a log" : "without a log", args, 0);
}

static void stores(void)
{
    store(AT);
    store(AT + 70 * PAGE);
    store(AT + 129 * PAGE);
}

static void plain_log(void)
{
    struct kvm_dirty_log log = {.slot = SLOT, .dirty_bitmap = bits};
    call("the log of no slot", vm, KVM_GET_DIRTY_LOG, &log, ENOENT);
    set_log(false);
    call("no log", vm, KVM_GET_DIRTY_LOG, &log, ENOENT);
    store(AT + PAGE);
    set_log(true);
    log_is("a log that begins", 0, 0, 0);
    stores();
    log.dirty_bitmap = NULL;
    call("a log for nobody", vm, KVM_GET_DIRTY_LOG, &log, EFAULT);
    log_is("three stores", 1, 1UL << 6, 2);
    log_is("no store", 0, 0, 0);
    store(AT);
    log_is("the same store", 1, 0, 0);
}

static void manual_log(void)
{
    enable("an unknown mode", 4, EINVAL);
    enable("INITIALLY_SET alone", KVM_DIRTY_LOG_INITIALLY_SET, EINVAL);
    enable("a log that is cleared by hand", KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE, 0);
    stores();
    log_is("three stores", 1, 1UL << 6, 2);
    log_is("three stores, not cleared", 1, 1UL << 6, 2);
    clear("a range that begins anywhere", SLOT, 1, 64, EINVAL);
    clear("a range that ends anywhere", SLOT, 0, 60, EINVAL);
    clear("a range beyond the slot", SLOT, 64, 128, EINVAL);
    clear("the log of no slot", SLOT + 1, 0, 64, ENOENT);
    bits[0] = 1UL << 6, bits[1] = 0;
    clear("a part", SLOT, 64, 66, 0);
    log_is("one of the part was named", 1, 0, 2);
    store(AT + 70 * PAGE);
    log_is("one more store", 1, 1UL << 6, 2);
    clear("all", SLOT, 0, PAGES, 0);
    log_is("all cleared", 0, 0, 0);
    stores();
    log_is("the three stores again", 1, 1UL << 6, 2);
    set_log(false);
    enable("all pages at first", KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET,
           0);
    set_log(true);
    log_is("all pages", ~0UL, ~0UL, 3);
    clear("all of them", SLOT, 0, PAGES, 0);
    store(AT + 70 * PAGE);
    log_is("one store", 0, 1UL << 6, 0);
}

int main(void)
{
    begin("memory");
    memory = pages((PAGES + 1) * PAGE);
    load(code, sizeof(code), PAGE);
    expect("CAP_USER_MEMORY2", ioctl(vm, KVM_CHECK_EXTENSION, CAP_USER_MEMORY2), 1);
    expect("CAP_MANUAL_DIRTY_LOG_PROTECT2",
           ioctl(vm, KVM_CHECK_EXTENSION, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2),
           KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET);
    refused();
    changes();
    read_only();
    plain_log();
    manual_log();
    printf("memory: all good\n");
    return 0;
}
