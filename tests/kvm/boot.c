/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot IMAGE INITRD TREE MIB VCPUS: starts a kernel by KVM's ioctls alone, on a machine with memory
 * at 0x80000000; its serial port (ns16550a, no interrupt) at 0x10000000 and the SBI's console print
 * here. INITRD may be "-": none. Ends with the guest's shutdown. KVM_DEVICE: another device than
 * /dev/kvm.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define RAM 0x80000000UL
#define MIB (1UL << 20)
#define UART 0x10000000UL
#define UART_DATA 0
#define UART_IIR 2
#define UART_LCR 3
#define UART_LSR 5
#define LSR_EMPTY 0x60
#define IIR_NONE 1
#define MAX_VCPUS 64
#define SBI_PUTCHAR 1
#define SBI_GETCHAR 2
#define SBI_DBCN 0x4442434eUL
#define DBCN_BYTE 2
#define SBI_NOT_SUPPORTED (-2UL)
#define REG(type, n) (KVM_REG_RISCV | KVM_REG_SIZE_U64 | (type) | (n))
/* KVM_REG_RISCV_SBI_EXT's DBCN: Linux 6.3's headers have it, Debian 12's don't. */
#define REG_DBCN REG(8UL << KVM_REG_RISCV_TYPE_SHIFT, 9)

static uint8_t *ram;
static uint64_t ram_bytes;
static int vm;
static struct {
    int fd;
    struct kvm_run *run;
} vcpu[MAX_VCPUS];
static uint8_t uart[8];

static void __attribute__((noreturn)) die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("boot: ", stdout);
    vprintf(format, args);
    printf(": %s\n", strerror(errno));
    exit(1);
}

static int call(int fd, unsigned long number, unsigned long argument, const char *what)
{
    int result = ioctl(fd, number, argument);
    if (result < 0)
        die("%s", what);
    return result;
}

static uint64_t load(const char *path, uint64_t offset)
{
    struct stat status;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &status))
        die("%s", path);
    uint64_t size = (uint64_t)status.st_size, done = 0;
    if (offset + size > ram_bytes)
        die("%s: no room", path);
    while (done < size) {
        ssize_t bytes = read(fd, ram + offset + done, size - done);
        if (bytes <= 0)
            die("%s", path);
        done += (uint64_t)bytes;
    }
    close(fd);
    return size;
}

static void set(int fd, uint64_t id, uint64_t value)
{
    struct kvm_one_reg reg = {.id = id, .addr = (uint64_t)&value};
    call(fd, KVM_SET_ONE_REG, (unsigned long)&reg, "KVM_SET_ONE_REG");
}

static uint64_t get(int fd, uint64_t id)
{
    uint64_t value = 0;
    struct kvm_one_reg reg = {.id = id, .addr = (uint64_t)&value};
    call(fd, KVM_GET_ONE_REG, (unsigned long)&reg, "KVM_GET_ONE_REG");
    return value;
}

/* A register of the serial port's: what is not answered here keeps what is written. */
static void uart_access(struct kvm_run *run, uint64_t offset)
{
    uint8_t value = run->mmio.data[0];
    if (run->mmio.is_write) {
        if (offset == UART_DATA && !(uart[UART_LCR] & 0x80))
            putchar(value);
        else
            uart[offset] = value;
        if (offset == UART_DATA && value == '\n')
            fflush(stdout);
        return;
    }
    value = offset == UART_LSR ? LSR_EMPTY : offset == UART_IIR ? IIR_NONE : uart[offset];
    if (offset == UART_DATA)
        value = 0;
    memset(run->mmio.data, 0, sizeof(run->mmio.data));
    run->mmio.data[0] = value;
}

static void mmio(struct kvm_run *run)
{
    if (run->mmio.phys_addr - UART < sizeof(uart))
        uart_access(run, run->mmio.phys_addr - UART);
    else
        die("the guest accesses %#llx", (unsigned long long)run->mmio.phys_addr);
}

/* The SBI's console, where there is never a key: the legacy one, and DBCN's single bytes. */
static void sbi(struct kvm_run *run)
{
    uint64_t id = run->riscv_sbi.extension_id;
    bool write = id == SBI_PUTCHAR || (id == SBI_DBCN && run->riscv_sbi.function_id == DBCN_BYTE);
    if (write)
        putchar((int)run->riscv_sbi.args[0]);
    run->riscv_sbi.ret[0] = write ? 0 : id == SBI_GETCHAR ? -1UL : SBI_NOT_SUPPORTED;
    run->riscv_sbi.ret[1] = 0;
}

static void *run_vcpu(void *argument)
{
    uintptr_t n = (uintptr_t)argument;
    struct kvm_run *run = vcpu[n].run;
    for (;;) {
        if (ioctl(vcpu[n].fd, KVM_RUN, 0) < 0 && errno != EINTR)
            die("KVM_RUN of vCPU %lu", (unsigned long)n);
        switch (run->exit_reason) {
        case KVM_EXIT_MMIO:
            mmio(run);
            break;
        case KVM_EXIT_INTR:
            break;
        case KVM_EXIT_RISCV_SBI:
            sbi(run);
            break;
        case KVM_EXIT_SYSTEM_EVENT:
            printf("boot: the guest's system event is %u\n", run->system_event.type);
            fflush(stdout);
            _exit(run->system_event.type != KVM_SYSTEM_EVENT_SHUTDOWN);
        default:
            die("exit %u of vCPU %lu", run->exit_reason, (unsigned long)n);
        }
    }
    return NULL;
}

static void make_vcpu(unsigned n, uint64_t run_bytes)
{
    vcpu[n].fd = call(vm, KVM_CREATE_VCPU, n, "KVM_CREATE_VCPU");
    vcpu[n].run = mmap(NULL, run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu[n].fd, 0);
    if (vcpu[n].run == MAP_FAILED)
        die("mmap of struct kvm_run");
}

int main(int argc, char **argv)
{
    if (argc != 6)
        die("IMAGE INITRD TREE MIB VCPUS are expected");
    unsigned vcpus = (unsigned)atoi(argv[5]);
    ram_bytes = strtoul(argv[4], NULL, 10) * MIB;
    const char *device = getenv("KVM_DEVICE") ? getenv("KVM_DEVICE") : "/dev/kvm";
    int kvm = open(device, O_RDWR);
    if (kvm < 0)
        die("%s", device);
    if (call(kvm, KVM_GET_API_VERSION, 0, "KVM_GET_API_VERSION") != KVM_API_VERSION)
        die("KVM_API_VERSION");
    vm = call(kvm, KVM_CREATE_VM, 0, "KVM_CREATE_VM");
    ram = mmap(NULL, ram_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (ram == MAP_FAILED)
        die("mmap of %lu bytes", ram_bytes);
    struct kvm_userspace_memory_region region = {
        .guest_phys_addr = RAM, .memory_size = ram_bytes, .userspace_addr = (uint64_t)ram};
    call(vm, KVM_SET_USER_MEMORY_REGION, (unsigned long)&region, "KVM_SET_USER_MEMORY_REGION");
    load(argv[1], 2 * MIB);
    if (strcmp(argv[2], "-"))
        load(argv[2], 96 * MIB);
    uint64_t tree = ram_bytes - 2 * MIB;
    load(argv[3], tree);
    uint64_t run_bytes = (uint64_t)call(kvm, KVM_GET_VCPU_MMAP_SIZE, 0, "KVM_GET_VCPU_MMAP_SIZE");
    for (unsigned n = 0; n < vcpus; n++)
        make_vcpu(n, run_bytes);
    set(vcpu[0].fd, REG(KVM_REG_RISCV_CORE, KVM_REG_RISCV_CORE_REG(regs.pc)), RAM + 2 * MIB);
    set(vcpu[0].fd, REG(KVM_REG_RISCV_CORE, KVM_REG_RISCV_CORE_REG(regs.a0)), 0);
    set(vcpu[0].fd, REG(KVM_REG_RISCV_CORE, KVM_REG_RISCV_CORE_REG(regs.a1)), RAM + tree);
    set(vcpu[0].fd, REG_DBCN, 1);
    printf("boot: isa %#lx, %lu Hz\n", get(vcpu[0].fd, REG(KVM_REG_RISCV_CONFIG, 0)),
           get(vcpu[0].fd, REG(KVM_REG_RISCV_TIMER, 0)));
    fflush(stdout);
    pthread_t thread[MAX_VCPUS];
    for (uintptr_t n = 0; n < vcpus; n++)
        pthread_create(&thread[n], NULL, run_vcpu, (void *)n);
    pthread_join(thread[0], NULL);
    return 1;
}
