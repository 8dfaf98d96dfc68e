// SPDX-License-Identifier: BSD-2-Clause
// What a Linux system's everyday operations cost: waits until the kernel has nothing of its own
// left to do, then prints `ops: NAME N ns` for each. Under QEMU's -icount shift=0 a nanosecond is
// an instruction. A figure is the least of many short windows, so the timer's ticks are not in it.
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define QUIET_IN_A_ROW 5

static void fail(const char *what)
{
    printf("ops: FAILED: %s\n", what);
    exit(1);
}

static long now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000L + time.tv_nsec;
}

// The ticks that all CPUs spent at work, and at all, since boot.
static void cpu_ticks(long *busy, long *all)
{
    long t[8] = {0};
    FILE *file = fopen("/proc/stat", "r");
    if (!file || fscanf(file, "cpu %ld %ld %ld %ld %ld %ld %ld %ld", &t[0], &t[1], &t[2], &t[3],
                        &t[4], &t[5], &t[6], &t[7]) != 8)
        fail("/proc/stat");
    fclose(file);
    *all = *busy = 0;
    for (int n = 0; n < 8; n++)
        *all += t[n];
    *busy = *all - t[3] - t[4]; // less idle and iowait
}

// The kernel tests its ciphers for seconds after the first process has started.
static void wait_until_quiet(void)
{
    for (int quiet = 0; quiet < QUIET_IN_A_ROW;) {
        long busy[2], all[2];
        cpu_ticks(&busy[0], &all[0]);
        usleep(200000);
        cpu_ticks(&busy[1], &all[1]);
        quiet = (busy[1] - busy[0]) * 20 <= all[1] - all[0] ? quiet + 1 : 0;
    }
}

static int bytes;
static struct {
    int in, out;
} end[2]; // of what two processes talk through

static void getppid_once(void)
{
    syscall(SYS_getppid); // the C library could remember it
}

static void read_once(void)
{
    char byte;
    if (read(bytes, &byte, 1) != 1)
        fail("read");
}

static void on_signal(int number)
{
    (void)number;
}

static void signal_once(void)
{
    raise(SIGUSR1);
}

static void map_once(void)
{
    volatile char *page =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        fail("mmap");
    *page = 1;
    munmap((void *)page, 4096);
}

static void yield_once(void)
{
    sched_yield();
}

static void ping_pong_once(void)
{
    char byte = 0;
    if (write(end[0].out, &byte, 1) != 1 || read(end[0].in, &byte, 1) != 1)
        fail("ping-pong");
}

static void answer_once(void)
{
    char byte;
    if (read(end[1].in, &byte, 1) != 1 || write(end[1].out, &byte, 1) != 1)
        _exit(0);
}

static void wait_for(pid_t child)
{
    int status;
    if (waitpid(child, &status, 0) != child || status)
        fail("a child");
}

static void fork_once(void)
{
    pid_t child = fork();
    if (!child)
        _exit(0);
    wait_for(child);
}

static void exec_once(void)
{
    pid_t child = fork();
    if (!child) {
        execl("/proc/self/exe", "ops", "child", (char *)NULL);
        _exit(1);
    }
    wait_for(child);
}

static void measure(const char *name, void (*once)(void), int windows, int rounds)
{
    long least = 0;
    for (int window = -1; window < windows; window++) { // the first one brings all into memory
        long begun = now_ns();
        for (int n = 0; n < rounds; n++)
            once();
        long took = now_ns() - begun;
        if (window == 0 || (window > 0 && took < least))
            least = took;
    }
    printf("ops: %s %ld ns\n", name, least / rounds);
}

// The other side of a ping-pong, or of a switch: does `once` until it is killed.
static pid_t partner(void (*once)(void))
{
    pid_t child = fork();
    while (!child)
        once();
    return child;
}

static void with_partner(const char *name, void (*theirs)(void), void (*ours)(void))
{
    pid_t other = partner(theirs);
    measure(name, ours, 100, 20);
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
}

static void sockets(void)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        fail("socketpair");
    for (int n = 0; n < 2; n++)
        end[n].in = end[n].out = pair[n];
    with_partner("socket", answer_once, ping_pong_once);
}

static void pipes(void)
{
    int there[2], back[2];
    if (pipe(there) || pipe(back))
        fail("pipe");
    end[0].in = back[0], end[0].out = there[1];
    end[1].in = there[0], end[1].out = back[1];
    with_partner("pipe", answer_once, ping_pong_once);
}

int main(int count, char **arguments)
{
    if (count > 1)
        return 0; // the child of exec_once()
    (void)arguments;
    cpu_set_t first;
    CPU_ZERO(&first);
    CPU_SET(0, &first);
    sched_setaffinity(0, sizeof(first), &first); // partners take turns on one CPU
    // A neighbour for map_once()'s page: the tables above it stay.
    if (mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
        fail("mmap");
    bytes = open("/dev/zero", O_RDONLY);
    signal(SIGUSR1, on_signal);
    wait_until_quiet();
    // A real-time process that wakes its like does not give way to it: so the figures don't depend
    // on what a fair scheduler makes of the moment.
    if (sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1}))
        fail("sched_setscheduler");
    measure("getppid", getppid_once, 200, 100);
    measure("read", read_once, 200, 100);
    measure("signal", signal_once, 200, 20);
    measure("map-touch-unmap", map_once, 200, 20);
    with_partner("switch", yield_once, yield_once);
    pipes();
    sockets();
    measure("fork-exit", fork_once, 20, 5);
    measure("fork-exec", exec_once, 20, 5);
    return 0;
}
