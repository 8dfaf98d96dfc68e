/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Vector registers where the harts have them: the VMM sets and reads a guest's, and a guest that
 * counts in one and a thread that keeps values in the same ones share a hart, each undisturbed.
 * Where they have none no guest has.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "vmm.h"

#define PAGE 4096UL
#define A2 12
#define ROUNDS 2000000UL /* long enough for the thread to have its turns */
#define TURNS 3
#define VALUE (1UL << 40)
#define ISA_V REG(KVM_REG_RISCV_ISA_EXT, 15) /* KVM_RISCV_ISA_EXT_V: Linux 6.5's headers */
#define VECTOR (9UL << KVM_REG_RISCV_TYPE_SHIFT)
#define VSTART REG(VECTOR, 0)
#define VCSR REG(VECTOR, 3)
#define VLENB REG(VECTOR, 4)
#define MAX_BYTES 256

/* Adds 1 to each element of v8 until a0 is a1, then shows one where there is no memory. */
extern const uint8_t code[], code_end[];
__asm__(".option push\n"
        ".option arch, +v\n"
        ".option norvc\n"
        "code:\n"
        "li t0, 1 << 9\n" /* sstatus.VS is Initial */
        "csrs sstatus, t0\n"
        "vsetivli zero, 2, e64, m1, ta, ma\n"
        "lui t1, 0x10001\n"
        "1: vadd.vi v8, v8, 1\n"
        "addi a0, a0, 1\n"
        "blt a0, a1, 1b\n"
        "vmv.x.s a2, v8\n"
        "sd a2, 0(t1)\n"
        "j code\n"
        "code_end:\n"
        ".option pop\n");

static unsigned long bytes; /* of a register */
static _Atomic bool stop;
static _Atomic unsigned long turns;

static uint64_t whole(uint64_t n)
{
    return KVM_REG_RISCV | (uint64_t)__builtin_ctzl(bytes) << KVM_REG_SIZE_SHIFT | VECTOR | (6 + n);
}

static void access_whole(const char *what, unsigned long number, uint64_t n, uint64_t *value)
{
    struct kvm_one_reg one = {.id = whole(n), .addr = (uintptr_t)value};
    call(what, vcpu, number, &one, 0);
}

/* v8 and v31 hold `value` for a while, in which others may have the hart: true if they still do. */
static bool holds(uint64_t value)
{
    uint64_t low, high, left = 100000;
    __asm__ volatile(".option push\n"
                     ".option arch, +v\n"
                     "vsetivli zero, 2, e64, m1, ta, ma\n"
                     "vmv.v.x v8, %3\n"
                     "vmv.v.x v31, %3\n"
                     "1: addi %2, %2, -1\n"
                     "bnez %2, 1b\n"
                     "vmv.x.s %0, v8\n"
                     "vmv.x.s %1, v31\n"
                     ".option pop"
                     : "=&r"(low), "=&r"(high), "+r"(left)
                     : "r"(value));
    return low == value && high == value;
}

/* What this thread finds in v8. */
static uint64_t found(void)
{
    uint64_t value;
    __asm__ volatile(".option push\n"
                     ".option arch, +v\n"
                     "vsetivli zero, 2, e64, m1, ta, ma\n"
                     "vmv.x.s %0, v8\n"
                     ".option pop"
                     : "=r"(value));
    return value;
}

static void *keep(void *unused)
{
    (void)unused;
    for (uint64_t n = 1; !atomic_load(&stop); n++) {
        if (!holds(n << 32 | 5))
            die("the thread's registers", (long)n, -1);
        atomic_fetch_add(&turns, 1);
    }
    return NULL;
}

static void one_hart(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(0, &set);
    expect("one hart for both", sched_setaffinity(0, sizeof(set), &set), 0);
}

static void registers(void)
{
    uint64_t value[MAX_BYTES / 8] = {3, 4}, back[MAX_BYTES / 8] = {0};
    struct kvm_one_reg one = {.id = REG(VECTOR, 6), .addr = (uintptr_t)value};
    call("a register as a word", vcpu, KVM_GET_ONE_REG, &one, EINVAL);
    one.id = VLENB;
    call("another size of registers", vcpu, KVM_SET_ONE_REG, &one, EINVAL);
    reg_set(VCSR, 3);
    reg_set(VSTART, 0);
    access_whole("v8 is set", KVM_SET_ONE_REG, 8, value);
    access_whole("v8 is read", KVM_GET_ONE_REG, 8, back);
    expect("v8's words", memcmp(value, back, bytes), 0);
}

static void counts(void)
{
    pthread_t thread;
    uint64_t value[MAX_BYTES / 8], sum = 0;
    unsigned long begin;
    one_hart();
    pthread_create(&thread, NULL, keep, NULL);
    do {
        begin = atomic_load(&turns);
        reg_set(CORE(0), RAM);
        reg_set(CORE(A0), 0);
        reg_set(CORE(A1), ROUNDS);
        holds(VALUE); /* from here on this thread has such registers too */
        run_to(KVM_EXIT_MMIO);
        sum += ROUNDS;
        expect("the guest's v8 is in the thread", found() - 3 <= sum, false);
        expect("what it has counted", (long)reg_get(CORE(A2)), (long)sum + 3);
        access_whole("v8", KVM_GET_ONE_REG, 8, value);
        expect("the other element", (long)value[1], (long)sum + 4);
    } while (atomic_load(&turns) - begin < 1 || sum < TURNS * ROUNDS);
    expect("vcsr", (long)reg_get(VCSR), 3);
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
}

static void none(void)
{
    uint64_t value = 1;
    struct kvm_one_reg one = {.id = VLENB, .addr = (uintptr_t)&value};
    call("no vector registers", vcpu, KVM_GET_ONE_REG, &one, ENOENT);
}

int main(void)
{
    uint64_t there = 0;
    struct kvm_one_reg one = {.id = ISA_V, .addr = (uintptr_t)&there};
    begin("vector");
    load(code, (size_t)(code_end - code), PAGE);
    if (!ioctl(vcpu, KVM_GET_ONE_REG, &one) && there) {
        bytes = reg_get(VLENB);
        registers();
        counts();
        printf("vector: %lu bytes\n", bytes);
    } else {
        none();
    }
    printf("vector: all good\n");
    return 0;
}
