/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * save IMAGE TREE MIB VCPUS SAVES: a guest that is stopped at a random moment, kept as a migration
 * does it (pages as the dirty log tells them, while it runs and once more when it stands; every
 * register of KVM_GET_REG_LIST), and goes on in another VM; SAVES times, or until it ends. The
 * SBI's console prints here. What the log leaves out, or a register that isn't kept, the guest
 * (guests/diff) shows in what it prints.
 */
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "vmm.h"

#define MIB (1UL << 20)
#define PAGE 4096UL
#define START (2 * MIB)
#define MAX_VCPUS 8
#define MAX_REGS 600
#define SBI_PUTCHAR 1
#define SBI_DBCN 0x4442434eUL
#define DBCN_BYTE 2
#define SBI_NOT_SUPPORTED (-2UL)
/* KVM_REG_RISCV_SBI_EXT's DBCN: Linux 6.3's headers have it, Debian 12's don't. */
#define REG_DBCN REG(8UL << KVM_REG_RISCV_TYPE_SHIFT, 9)

static struct {
    pthread_t thread;
    int fd;
    struct kvm_run *run;
    struct kvm_mp_state state;
    uint64_t regs, id[MAX_REGS], value[MAX_REGS];
} cpu[MAX_VCPUS];
static unsigned cpus;
static uint8_t *ram, *kept;
static uint64_t ram_bytes, *log_bits;
static unsigned long logged;
static volatile bool stopping, ended;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t end = PTHREAD_COND_INITIALIZER;

static void one_reg(unsigned n, unsigned long number, uint64_t id, uint64_t *value)
{
    struct kvm_one_reg one = {.id = id, .addr = (uintptr_t)value};
    if (ioctl(cpu[n].fd, number, &one))
        die(number == KVM_SET_ONE_REG ? "setting a register" : "getting a register", errno,
            (long)id);
}

/* ---- A VM with its memory ---- */

static void make(void)
{
    vm = ioctl(kvm, KVM_CREATE_VM, 0);
    struct kvm_userspace_memory_region region = {
        .guest_phys_addr = RAM, .flags = KVM_MEM_LOG_DIRTY_PAGES, .memory_size = ram_bytes};
    ram = pages(ram_bytes);
    memcpy(ram, kept, ram_bytes);
    region.userspace_addr = (uintptr_t)ram;
    call("memory", vm, KVM_SET_USER_MEMORY_REGION, &region, 0);
    for (unsigned long n = 0; n < cpus; n++) {
        cpu[n].fd = ioctl(vm, KVM_CREATE_VCPU, n);
        cpu[n].run = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, cpu[n].fd, 0);
        if (cpu[n].run == MAP_FAILED)
            die("a vCPU", cpu[n].fd, 0);
    }
}

static void destroy(void)
{
    for (unsigned n = 0; n < cpus; n++) {
        munmap(cpu[n].run, PAGE);
        close(cpu[n].fd);
    }
    close(vm);
    munmap(ram, ram_bytes);
}

/* ---- Running ---- */

static void sbi(struct kvm_run *run)
{
    uint64_t id = run->riscv_sbi.extension_id;
    bool write = id == SBI_PUTCHAR || (id == SBI_DBCN && run->riscv_sbi.function_id == DBCN_BYTE);
    if (write)
        putchar((int)run->riscv_sbi.args[0]);
    run->riscv_sbi.ret[0] = write ? 0 : SBI_NOT_SUPPORTED;
    run->riscv_sbi.ret[1] = 0;
}

static void guest_ends(uint32_t type)
{
    expect("the guest's system event", type, KVM_SYSTEM_EVENT_SHUTDOWN);
    pthread_mutex_lock(&lock);
    ended = true;
    pthread_cond_signal(&end);
    pthread_mutex_unlock(&lock);
}

/* The last exit is answered when it stops: the next KVM_RUN, which runs nothing, takes it in. */
static void *run_vcpu(void *argument)
{
    uintptr_t n = (uintptr_t)argument;
    for (;;) {
        if (ioctl(cpu[n].fd, KVM_RUN, 0) < 0) {
            expect("KVM_RUN", errno, EINTR);
            if (stopping)
                return NULL;
            continue;
        }
        if (cpu[n].run->exit_reason == KVM_EXIT_SYSTEM_EVENT) {
            guest_ends(cpu[n].run->system_event.type);
            return NULL;
        }
        if (cpu[n].run->exit_reason == KVM_EXIT_MMIO) { /* where nothing is */
            memset(cpu[n].run->mmio.data, 0, sizeof(cpu[n].run->mmio.data));
            continue;
        }
        expect("the exit", cpu[n].run->exit_reason, KVM_EXIT_RISCV_SBI);
        sbi(cpu[n].run);
    }
}

static void on_signal(int number)
{
    (void)number;
}

static void go(void)
{
    stopping = false;
    for (uintptr_t n = 0; n < cpus; n++)
        pthread_create(&cpu[n].thread, NULL, run_vcpu, (void *)n);
}

/* For so long, or until the guest ends. */
static void let_run(unsigned us)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += us * 1000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&lock);
    while (!ended && !pthread_cond_timedwait(&end, &lock, &until))
        ;
    pthread_mutex_unlock(&lock);
}

static void stop(void)
{
    stopping = true;
    for (unsigned n = 0; n < cpus; n++) {
        cpu[n].run->immediate_exit = 1;
        pthread_kill(cpu[n].thread, SIGUSR1);
    }
    for (unsigned n = 0; n < cpus; n++)
        pthread_join(cpu[n].thread, NULL);
    fflush(stdout);
}

/* ---- What is kept ---- */

static void keep_pages(void)
{
    struct kvm_dirty_log log = {.dirty_bitmap = log_bits};
    call("the dirty log", vm, KVM_GET_DIRTY_LOG, &log, 0);
    for (uint64_t n = 0; n < ram_bytes / PAGE; n++) {
        if (log_bits[n / 64] >> n % 64 & 1) {
            memcpy(kept + n * PAGE, ram + n * PAGE, PAGE);
            logged++;
        }
    }
}

static void keep_regs(void)
{
    struct {
        struct kvm_reg_list head;
        uint64_t id[MAX_REGS];
    } list = {.head.n = MAX_REGS};
    for (unsigned n = 0; n < cpus; n++) {
        list.head.n = MAX_REGS;
        call("the list of registers", cpu[n].fd, KVM_GET_REG_LIST, &list, 0);
        cpu[n].regs = list.head.n;
        memcpy(cpu[n].id, list.id, sizeof(list.id));
        for (unsigned i = 0; i < cpu[n].regs; i++)
            one_reg(n, KVM_GET_ONE_REG, cpu[n].id[i], &cpu[n].value[i]);
        call("its state", cpu[n].fd, KVM_GET_MP_STATE, &cpu[n].state, 0);
    }
}

static void restore_regs(void)
{
    for (unsigned n = 0; n < cpus; n++) {
        for (unsigned i = 0; i < cpu[n].regs; i++)
            one_reg(n, KVM_SET_ONE_REG, cpu[n].id[i], &cpu[n].value[i]);
        call("its state", cpu[n].fd, KVM_SET_MP_STATE, &cpu[n].state, 0);
    }
}

static void save_and_restore(void)
{
    keep_pages();
    for (uint64_t n = 0; n < ram_bytes; n += PAGE)
        if (memcmp(kept + n, ram + n, PAGE))
            die("a page was written that is not in the log", (long)(RAM + n), 0);
    keep_regs();
    destroy();
    make();
    restore_regs();
}

/* ---- The program ---- */

static void load_file(const char *path, uint64_t offset)
{
    FILE *file = fopen(path, "r");
    if (!file || !fread(kept + offset, 1, ram_bytes - offset, file))
        die(path, -1, 0);
    fclose(file);
}

static void prepare(char **arguments)
{
    const char *path = getenv("KVM_DEVICE");
    ram_bytes = strtoul(arguments[2], NULL, 10) * MIB;
    cpus = (unsigned)atoi(arguments[3]);
    kvm = open(path ? path : "/dev/kvm", O_RDWR);
    if (kvm < 0 || !cpus || cpus > MAX_VCPUS)
        die("the device's file", kvm, 0);
    kept = pages(ram_bytes);
    log_bits = calloc(ram_bytes / PAGE / 64 + 1, sizeof(*log_bits));
    load_file(arguments[0], START);
    load_file(arguments[1], ram_bytes - MIB);
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = on_signal}, NULL);
    make();
    uint64_t pc = RAM + START, tree = RAM + ram_bytes - MIB, on = 1;
    one_reg(0, KVM_SET_ONE_REG, CORE(0), &pc);
    one_reg(0, KVM_SET_ONE_REG, CORE(A1), &tree);
    one_reg(0, KVM_SET_ONE_REG, REG_DBCN, &on);
}

int main(int count, char **arguments)
{
    program = "save";
    expect("the number of arguments", count, 6);
    prepare(arguments + 1);
    unsigned saves = (unsigned)atoi(arguments[5]), done = 0;
    srand(saves);
    for (; go(), done < saves; done++) {
        let_run((unsigned)rand() % 20000);
        if (!ended)
            keep_pages();
        let_run((unsigned)rand() % 2000);
        stop();
        if (ended)
            break;
        save_and_restore();
    }
    while (!ended)
        let_run(100000);
    stop();
    printf("save: restored %u times, %lu pages from the log\n", done, logged);
    return 0;
}
