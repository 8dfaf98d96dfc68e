// SPDX-License-Identifier: BSD-2-Clause
// A Linux program that keeps a kernel's SMP parts busy: `stress SECONDS`. One process a CPU and a
// half maps, touches, protects and unmaps memory, forks and waits, and has threads hand a token
// round through a futex-backed condition. Each checks what it reads. Prints `stress: N rounds`.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS 4
#define HANDOVERS 200
#define MAP_BYTES (1 << 20)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_changed = PTHREAD_COND_INITIALIZER;
static int turn, handed;

static void fail(const char *what)
{
    printf("stress: FAILED: %s\n", what);
    _exit(1);
}

// Takes its turn, passes it on: every hand-over is a futex wake on some other CPU.
static void *ring(void *argument)
{
    int me = (int)(long)argument;
    for (int n = 0; n < HANDOVERS; n++) {
        pthread_mutex_lock(&lock);
        while (turn != me)
            pthread_cond_wait(&turn_changed, &lock);
        handed++;
        turn = (me + 1) % THREADS;
        pthread_cond_broadcast(&turn_changed);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static void threads(void)
{
    pthread_t id[THREADS];
    turn = handed = 0;
    for (long n = 0; n < THREADS; n++) {
        if (pthread_create(&id[n], NULL, ring, (void *)n))
            fail("pthread_create");
    }
    for (int n = 0; n < THREADS; n++)
        pthread_join(id[n], NULL);
    if (handed != THREADS * HANDOVERS)
        fail("a hand-over between threads was lost");
}

// Page-table changes that every CPU has to see: a write after mprotect() back must not be stale.
static void mapping(unsigned seed)
{
    unsigned char *at =
        mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        fail("mmap");
    for (int n = 0; n < MAP_BYTES; n += 4096) {
        if (at[n])
            fail("fresh memory is not zero");
        at[n] = (unsigned char)(seed + n / 4096);
    }
    mprotect(at, MAP_BYTES, PROT_READ);
    for (int n = 0; n < MAP_BYTES; n += 4096) {
        if (at[n] != (unsigned char)(seed + n / 4096))
            fail("memory changed");
    }
    munmap(at, MAP_BYTES);
}

// Copy on write: the child's change must not reach the parent.
static void forking(void)
{
    volatile int mine = 1;
    pid_t child = fork();
    if (child < 0)
        fail("fork");
    if (!child) {
        mine = 2;
        _exit(mine);
    }
    int status;
    waitpid(child, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 2 || mine != 1)
        fail("fork and wait");
}

static void work(time_t end)
{
    unsigned rounds = 0;
    for (; time(NULL) < end; rounds++) {
        mapping(rounds);
        forking();
        threads();
    }
    printf("stress: %u rounds\n", rounds);
    fflush(stdout);
    _exit(rounds ? 0 : 1);
}

int main(int count, char **arguments)
{
    time_t end = time(NULL) + (count > 1 ? atoi(arguments[1]) : 10);
    long workers = sysconf(_SC_NPROCESSORS_ONLN) * 3 / 2 + 1, bad = 0;
    for (long n = 0; n < workers; n++) {
        if (!fork())
            work(end);
    }
    for (long n = 0; n < workers; n++) {
        int status;
        wait(&status);
        bad += !WIFEXITED(status) || WEXITSTATUS(status);
    }
    printf("stress: %ld workers, %ld failed\n", workers, bad);
    return bad != 0;
}
