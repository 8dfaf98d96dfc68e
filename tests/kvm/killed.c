/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * killed COUNT: so many VMMs, one after the other, each killed at a random moment between its first
 * ioctl and a while of running. Each has two vCPUs in the guest, asleep in it or on their way out
 * of it, and a thread that gives the VM memory and takes it away, asks for dirty pages and sets
 * registers. They come in groups. Linux keeps what it frees in lists of its own now and then, so
 * what the least greedy group took of the memory that is free is told, in KiB: a leak is in each.
 */
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "vmm.h"

#define VCPUS 2
#define RAM_BYTES (1UL << 20)
#define MORE 0x90000000UL
#define MORE_BYTES (64UL << 10)
#define LONGEST_US 30000
#define GROUPS 4

enum { LOOP, SLEEP, EXIT, TOUCH, KINDS };

/* a0: which of them; a1: where there is memory; a2: its end. */
static const uint32_t code[] = {
    0x00251293, /* slli t0, a0, 2 */
    0x00000317, /* auipc t1, 0 */
    0x00628333, /* add t1, t0, t1 */
    0x00c30067, /* jr 12(t1) */
    0x0000006f, /* j .            LOOP */
    0x00c0006f, /* j sleep        SLEEP */
    0x0100006f, /* j exit         EXIT */
    0x0180006f, /* j touch        TOUCH */
    0x10500073, /* sleep: wfi */
    0xffdff06f, /* j sleep */
    0x100012b7, /* exit: lui t0, 0x10001 */
    0x0062a023, /* sw t1, 0(t0) */
    0xffdff06f, /* j 1b */
    0x00058293, /* touch: mv t0, a1 */
    0x0062b023, /* 1: sd t1, 0(t0) */
    0x000013b7, /* lui t2, 1 */
    0x007282b3, /* add t0, t0, t2 */
    0xfec2cae3, /* blt t0, a2, 1b */
    0xfedff06f, /* j touch */
};

static struct {
    int fd;
    struct kvm_run *run;
} cpu[VCPUS];

/* ---- A VMM ---- */

static void *run_vcpu(void *argument)
{
    uintptr_t n = (uintptr_t)argument;
    for (;;)
        call("KVM_RUN", cpu[n].fd, KVM_RUN, 0, 0);
    return NULL;
}

static void set_reg(int fd, uint64_t id, uint64_t value)
{
    struct kvm_one_reg one = {.id = id, .addr = (uintptr_t)&value};
    call("a register", fd, KVM_SET_ONE_REG, &one, 0);
}

static void make_vcpu(unsigned n)
{
    struct kvm_mp_state state = {.mp_state = KVM_MP_STATE_RUNNABLE};
    cpu[n].fd = ioctl(vm, KVM_CREATE_VCPU, (unsigned long)n);
    cpu[n].run = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, cpu[n].fd, 0);
    if (cpu[n].run == MAP_FAILED)
        die("a vCPU", cpu[n].fd, 0);
    call("its state", cpu[n].fd, KVM_SET_MP_STATE, &state, 0);
    set_reg(cpu[n].fd, CORE(0), RAM);
    set_reg(cpu[n].fd, CORE(A0), (unsigned)rand() % KINDS);
    set_reg(cpu[n].fd, CORE(A1), RAM + 4096);
    set_reg(cpu[n].fd, CORE(12), RAM + RAM_BYTES);
}

/* Ends with the process. */
static void change_it(void *more)
{
    static uint64_t bits[RAM_BYTES / 4096 / 64];
    struct kvm_userspace_memory_region region = {.slot = 1,
                                                 .guest_phys_addr = MORE,
                                                 .memory_size = MORE_BYTES,
                                                 .userspace_addr = (uintptr_t)more};
    struct kvm_dirty_log log = {.slot = 0, .dirty_bitmap = bits};
    struct kvm_userspace_memory_region none = {.slot = 1, .guest_phys_addr = MORE};
    none.userspace_addr = region.userspace_addr;
    for (;;) {
        call("more memory", vm, KVM_SET_USER_MEMORY_REGION, &region, 0);
        call("the dirty log", vm, KVM_GET_DIRTY_LOG, &log, 0);
        memset(more, 1, MORE_BYTES);
        madvise(more, MORE_BYTES, MADV_DONTNEED);
        call("less memory", vm, KVM_SET_USER_MEMORY_REGION, &none, 0);
    }
}

static void be_vmm(unsigned seed)
{
    pthread_t thread;
    srand(seed);
    vm = ioctl(kvm, KVM_CREATE_VM, 0);
    struct kvm_userspace_memory_region region = {
        .guest_phys_addr = RAM, .flags = KVM_MEM_LOG_DIRTY_PAGES, .memory_size = RAM_BYTES};
    void *ram = pages(RAM_BYTES);
    memcpy(ram, code, sizeof(code));
    region.userspace_addr = (uintptr_t)ram;
    call("memory", vm, KVM_SET_USER_MEMORY_REGION, &region, 0);
    for (unsigned n = 0; n < VCPUS; n++)
        make_vcpu(n);
    for (uintptr_t n = 0; n < VCPUS; n++)
        pthread_create(&thread, NULL, run_vcpu, (void *)n);
    change_it(pages(MORE_BYTES));
}

/* ---- Killing them ---- */

static void one(unsigned seed)
{
    struct timespec moment = {.tv_nsec = (long)(1000 * ((unsigned)rand() % LONGEST_US))};
    int status;
    pid_t child = fork();
    if (!child)
        be_vmm(seed);
    nanosleep(&moment, NULL);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    expect("the signal that it ended by", WIFSIGNALED(status) ? WTERMSIG(status) : 0, SIGKILL);
}

static long free_kib(void)
{
    FILE *file = fopen("/proc/sys/vm/drop_caches", "w");
    char line[100];
    long kib = 0;
    if (!file || fputs("3\n", file) < 0 || fclose(file))
        die("drop_caches", -1, 0);
    file = fopen("/proc/meminfo", "r");
    while (fgets(line, sizeof(line), file) && !sscanf(line, "MemFree: %ld", &kib))
        ;
    fclose(file);
    return kib;
}

int main(int argc, char **argv)
{
    const char *path = getenv("KVM_DEVICE");
    unsigned count = argc == 2 ? (unsigned)atoi(argv[1]) : 0;
    program = "killed";
    kvm = open(path ? path : "/dev/kvm", O_RDWR);
    if (kvm < 0 || !count)
        die("the device's file", kvm, 0);
    srand(count);
    long least = LONG_MAX, before = 0;
    for (unsigned group = 0; group < GROUPS; group++) {
        for (unsigned n = 0; n < count / GROUPS; n++)
            one(group * count + n);
        long after = free_kib();
        if (group && before - after < least)
            least = before - after;
        before = after;
    }
    printf("killed: each %u took %ld KiB or more\n", count / GROUPS, least);
    return 0;
}
