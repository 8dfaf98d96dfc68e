// SPDX-License-Identifier: BSD-2-Clause
// What Linux does by changing its own code while it runs: kprobes, ftrace's function graph, BPF's
// compiler, and events of perf. Each line is the same on every machine that runs this kernel.
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/perf_event.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TRACING "/sys/kernel/tracing/"
#define FUNCTION "__riscv_sys_getppid"
#define CALLS 40

static void die(const char *what)
{
    printf("probes: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int try_write(const char *name, const char *format, ...)
{
    char text[256], path[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    snprintf(path, sizeof(path), "%s%s", name[0] == '/' ? "" : TRACING, name);
    int fd = open(path, O_WRONLY | O_APPEND), failed = 1;
    if (fd >= 0) {
        failed = write(fd, text, strlen(text)) < 0;
        close(fd);
    }
    return failed;
}

#define must_write(name, ...)                                                                      \
    do {                                                                                           \
        if (try_write(name, __VA_ARGS__))                                                          \
            die(name);                                                                             \
    } while (0)

static void call(unsigned times)
{
    for (unsigned n = 0; n < times; n++)
        syscall(SYS_getppid);
}

// How many lines of the file have the word; of the last one, the number behind it.
static unsigned lines_with(const char *name, const char *word, unsigned long *number)
{
    char path[256], line[512];
    unsigned count = 0;
    snprintf(path, sizeof(path), TRACING "%s", name);
    FILE *file = fopen(path, "r");
    if (!file)
        die(name);
    while (fgets(line, sizeof(line), file)) {
        const char *at = strstr(line, word);
        if (!at || line[0] == '#')
            continue;
        count++;
        if (number)
            *number = strtoul(at + strlen(word), NULL, 0);
    }
    fclose(file);
    return count;
}

// At the function's beginning, at each place in it where an instruction begins, and at its return.
static void kprobes(void)
{
    unsigned long hits, value = 0;
    unsigned placed = 0, right = 0;
    for (unsigned offset = 0; offset < 48; offset += 2) {
        if (try_write("kprobe_events", "p:probes/at%u " FUNCTION "+%u", offset, offset))
            continue; // the kernel knows where instructions begin
        must_write("events/probes/enable", "1");
        call(CALLS);
        must_write("events/probes/enable", "0");
        char name[32];
        snprintf(name, sizeof(name), " at%u ", offset);
        lines_with("kprobe_profile", name, &hits);
        placed++;
        right += hits == CALLS || hits == 0; // behind its end, or where this call doesn't come
        printf("probes: kprobe at %u: %lu\n", offset, hits);
        must_write("kprobe_events", "-:probes/at%u", offset);
    }
    must_write("kprobe_events", "r:probes/back " FUNCTION " value=$retval");
    must_write("trace", "0");
    must_write("events/probes/enable", "1");
    call(CALLS);
    must_write("events/probes/enable", "0");
    unsigned count = lines_with("trace", "value=", &value);
    printf("probes: kprobes: %u of %u, %u returns, value %s\n", right, placed, count,
           value == (unsigned long)getppid() ? "right" : "wrong");
    must_write("kprobe_events", "-:probes/back");
}

// The kernel's whole text is patched, and patched back: no filter but of what is written down.
static void function_graph(const char *filter)
{
    must_write("set_ftrace_filter", "%s", filter);
    must_write("set_ftrace_pid", "%d", getpid());
    must_write("current_tracer", "function_graph");
    must_write("trace", "0");
    call(CALLS);
    must_write("tracing_on", "0");
    unsigned count = lines_with("trace", FUNCTION "()", NULL);
    must_write("current_tracer", "nop");
    must_write("tracing_on", "1");
    call(CALLS);
    printf("probes: function graph of %s: %u, then %u\n", filter, count,
           lines_with("trace", FUNCTION "()", NULL));
}

static int perf(uint32_t type, uint64_t config, uint64_t period)
{
    struct perf_event_attr attr = {.type = type, .size = sizeof(attr), .config = config};
    attr.sample_period = period;
    attr.sample_type = PERF_SAMPLE_IP;
    int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
    if (fd < 0)
        die("perf_event_open");
    return fd;
}

static uint64_t count(int fd)
{
    uint64_t value = 0;
    if (read(fd, &value, sizeof(value)) != sizeof(value))
        die("perf read");
    return value;
}

static unsigned event_id(const char *name)
{
    char path[256];
    unsigned id = 0;
    snprintf(path, sizeof(path), TRACING "events/%s/id", name);
    FILE *file = fopen(path, "r");
    if (!file || fscanf(file, "%u", &id) != 1)
        die(path);
    fclose(file);
    return id;
}

static void spin(unsigned long loops)
{
    __asm__ volatile("1: addi %0, %0, -1\n bnez %0, 1b" : "+r"(loops));
}

// A tracepoint, page faults, and samples by a clock while this process spins.
static void perf_events(void)
{
    int calls = perf(PERF_TYPE_TRACEPOINT, event_id("syscalls/sys_enter_getppid"), 0);
    call(CALLS);
    printf("probes: perf tracepoint: %lu\n", count(calls));
    close(calls);
    int faults = perf(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS, 0);
    char *memory =
        mmap(NULL, 100 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(memory, 100 * 4096, MADV_NOHUGEPAGE);
    uint64_t before = count(faults);
    for (unsigned n = 0; n < 100; n++)
        ((volatile char *)memory)[n * 4096] = 1;
    printf("probes: perf faults: %lu\n", count(faults) - before);
    close(faults);
    int clock = perf(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK, 1000000);
    struct perf_event_mmap_page *page =
        mmap(NULL, 9 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, clock, 0);
    if (page == MAP_FAILED)
        die("perf mmap");
    volatile __u64 *head = &page->data_head; // the kernel moves it
    for (unsigned n = 0; n < 1000 && *head < 10 * 16; n++)
        spin(1000000);
    printf("probes: perf samples: %s\n", *head >= 10 * 16 ? "there" : "none");
    close(clock);
}

// A filter of a socket, which the kernel compiles: only datagrams that begin with an even number.
static void socket_filter(void)
{
    struct sock_filter code[] = {
        {BPF_LD | BPF_B | BPF_ABS, 0, 0, 0},  {BPF_ALU | BPF_AND | BPF_K, 0, 0, 1},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0}, {BPF_RET | BPF_K, 0, 0, 0xffff},
        {BPF_RET | BPF_K, 0, 0, 0},
    };
    struct sock_fprog program = {sizeof(code) / sizeof(*code), code};
    int ends[2], got = 0;
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends) ||
        setsockopt(ends[1], SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)))
        die("socket filter");
    for (unsigned char n = 0; n < 10; n++) {
        unsigned char byte;
        if (write(ends[0], &n, 1) == 1 && read(ends[1], &byte, 1) == 1)
            got += byte == n && !(n & 1) ? 1 : 100;
    }
    printf("probes: bpf filter: %d\n", got);
}

static int bpf(int command, union bpf_attr *attr)
{
    int result = (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
    if (result < 0)
        die("bpf");
    return result;
}

// A BPF program at a kprobe: it adds 3 to a number of ours at each call.
static void probe_program(void)
{
    union bpf_attr attr = {
        .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1};
    int map = bpf(BPF_MAP_CREATE, &attr);
    struct bpf_insn code[] = {
        {BPF_ST | BPF_MEM | BPF_W, 10, 0, -4, 0},
        {BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0},
        {BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -4},
        {BPF_LD | BPF_IMM | BPF_DW, 1, BPF_PSEUDO_MAP_FD, 0, map},
        {0, 0, 0, 0, 0},
        {BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2, 0},
        {BPF_ALU64 | BPF_MOV | BPF_K, 1, 0, 0, 3},
        {BPF_STX | BPF_ATOMIC | BPF_DW, 0, 1, 0, BPF_ADD},
        {BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0},
        {BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
    };
    memset(&attr, 0, sizeof(attr));
    attr.prog_type = BPF_PROG_TYPE_KPROBE;
    attr.insns = (uint64_t)code;
    attr.insn_cnt = sizeof(code) / sizeof(*code);
    attr.license = (uint64_t) "GPL";
    int program = bpf(BPF_PROG_LOAD, &attr);
    must_write("kprobe_events", "p:probes/bpf " FUNCTION);
    int event = perf(PERF_TYPE_TRACEPOINT, event_id("probes/bpf"), 1);
    if (ioctl(event, PERF_EVENT_IOC_SET_BPF, program) || ioctl(event, PERF_EVENT_IOC_ENABLE, 0))
        die("bpf program");
    call(CALLS);
    close(event);
    uint32_t key = 0;
    uint64_t value = 0;
    memset(&attr, 0, sizeof(attr));
    attr.map_fd = (uint32_t)map;
    attr.key = (uint64_t)&key;
    attr.value = (uint64_t)&value;
    bpf(BPF_MAP_LOOKUP_ELEM, &attr);
    printf("probes: bpf at a kprobe: %lu\n", value);
    must_write("kprobe_events", "-:probes/bpf");
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (mount("tracefs", TRACING, "tracefs", 0, NULL) && errno != EBUSY)
        die("tracefs");
    try_write("/proc/sys/net/core/bpf_jit_enable", "1");
    kprobes();
    function_graph(FUNCTION);
    function_graph("*sys_get*");
    perf_events();
    socket_filter();
    probe_program();
    printf("probes: done\n");
    return 0;
}
