/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the small VMMs of these tests share: a VM of one vCPU and one piece of memory, single
 * ioctls with what they answer. The first thing that is not as expected ends the program.
 */
#ifndef CALDARIUM_TESTS_VMM_H
#define CALDARIUM_TESTS_VMM_H

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define RAM 0x80000000UL
#define REG(type, n) (KVM_REG_RISCV | KVM_REG_SIZE_U64 | (type) | (n))
#define CORE(n) REG(KVM_REG_RISCV_CORE, n) /* x1 .. x31; 0: pc */
#define A0 10
#define A1 11
#define MAYBE __attribute__((unused))

static const char *program;
static int kvm, vm, vcpu;
static struct kvm_run *run;

static void __attribute__((noreturn)) die(const char *what, long got, long expected)
{
    printf("%s: %s: %ld (%#lx), expected is %ld (%s)\n", program, what, got, (unsigned long)got,
           expected, strerror(errno));
    exit(1);
}

static MAYBE void expect(const char *what, long got, long expected)
{
    if (got != expected)
        die(what, got, expected);
}

/* `error`: the errno, or 0. */
static MAYBE void call(const char *what, int fd, unsigned long number, void *argument, int error)
{
    errno = 0;
    expect(what, ioctl(fd, number, argument) < 0 ? errno : 0, error);
}

static MAYBE void reg(unsigned long number, uint64_t id, uint64_t *value)
{
    struct kvm_one_reg one = {.id = id, .addr = (uintptr_t)value};
    call("a register", vcpu, number, &one, 0);
}

static MAYBE void reg_set(uint64_t id, uint64_t value)
{
    reg(KVM_SET_ONE_REG, id, &value);
}

static MAYBE uint64_t reg_get(uint64_t id)
{
    uint64_t value = 0;
    reg(KVM_GET_ONE_REG, id, &value);
    return value;
}

static MAYBE void *pages(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        die("memory", -1, 0);
    return memory;
}

static MAYBE void begin(const char *name)
{
    const char *path = getenv("KVM_DEVICE");
    program = name;
    kvm = open(path ? path : "/dev/kvm", O_RDWR);
    vm = ioctl(kvm, KVM_CREATE_VM, 0);
    vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
    if (kvm < 0 || vm < 0 || vcpu < 0)
        die("the vCPU's file", vcpu, 0);
    run = mmap(NULL, (size_t)ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE,
               MAP_SHARED, vcpu, 0);
    if (run == MAP_FAILED)
        die("struct kvm_run", -1, 0);
}

/* The guest's code lies at RAM, in slot 0. */
static MAYBE uint8_t *load(const void *code, size_t bytes, size_t ram_bytes)
{
    uint8_t *ram = pages(ram_bytes);
    struct kvm_userspace_memory_region region = {
        .guest_phys_addr = RAM, .memory_size = ram_bytes, .userspace_addr = (uintptr_t)ram};
    memcpy(ram, code, bytes);
    call("memory for the code", vm, KVM_SET_USER_MEMORY_REGION, &region, 0);
    return ram;
}

static MAYBE void run_to(uint32_t reason)
{
    call("KVM_RUN", vcpu, KVM_RUN, 0, 0);
    expect("the exit", run->exit_reason, reason);
}

#endif
