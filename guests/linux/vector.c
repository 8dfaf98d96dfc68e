// SPDX-License-Identifier: BSD-2-Clause
// A Linux program: two processes on one CPU, each of which fills all vector and FP registers with a
// pattern of its own, gives the CPU away, and looks whether they are still as they were.
#define _GNU_SOURCE
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 2000
#define MOST_VLENB 2048

// Fills v0..v31 from `in`, yields by a system call made here (so that the compiler has no say in
// between), and stores them to `out`. The kernel may clobber vector registers in a system call by
// the Linux ABI, so the wait is a loop long enough for the timer to preempt it.
static void hold(const uint8_t *in, uint8_t *out, uint64_t vlenb, uint64_t spins)
{
    __asm__ volatile(".option push\n .option arch, +v\n"
                     "slli t0, %2, 3\n mv t1, %0\n"
                     "vl8re8.v v0, (t1)\n add t1, t1, t0\n vl8re8.v v8, (t1)\n add t1, t1, t0\n"
                     "vl8re8.v v16, (t1)\n add t1, t1, t0\n vl8re8.v v24, (t1)\n"
                     "fcvt.d.l fs0, %3\n"
                     "mv t2, %3\n1: addi t2, t2, -1\n bnez t2, 1b\n"
                     "fcvt.l.d t2, fs0\n sub t2, t2, %3\n"
                     "mv t1, %1\n"
                     "vs8r.v v0, (t1)\n add t1, t1, t0\n vs8r.v v8, (t1)\n add t1, t1, t0\n"
                     "vs8r.v v16, (t1)\n add t1, t1, t0\n vs8r.v v24, (t1)\n"
                     "beqz t2, 2f\n sb zero, 0(%1)\n sb zero, 1(%1)\n2:\n"
                     ".option pop"
                     :
                     : "r"(in), "r"(out), "r"(vlenb), "r"(spins)
                     : "t0", "t1", "t2", "fs0", "memory");
}

static int child(int who)
{
    static uint8_t in[32 * MOST_VLENB], out[32 * MOST_VLENB];
    uint64_t vlenb;
    __asm__ volatile("csrr %0, 0xc22" : "=r"(vlenb));
    for (uint64_t n = 0; n < 32 * vlenb; n++)
        in[n] = (uint8_t)(n * 7 + 1 + (uint64_t)who * 101);
    for (int round = 0; round < ROUNDS; round++) {
        memset(out, 0, sizeof(out));
        hold(in, out, vlenb, 100000);
        if (memcmp(in, out, 32 * vlenb)) {
            printf("vector: FAILED: process %d, round %d\n", who, round);
            return 1;
        }
        sched_yield();
    }
    return 0;
}

int main(void)
{
    cpu_set_t one;
    int bad = 0, status;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    sched_setaffinity(0, sizeof(one), &one);
    for (int who = 0; who < 2; who++) {
        if (!fork())
            _exit(child(who));
    }
    while (wait(&status) > 0)
        bad += !WIFEXITED(status) || WEXITSTATUS(status);
    printf("vector: 2 processes, %d failed\n", bad);
    return bad != 0;
}
