// SPDX-License-Identifier: BSD-2-Clause
// A Linux program that starts itself ROUNDS times, fork and exec, and waits for each to end. Prints
// `forkexec: N ns each`: under QEMU's -icount shift=0 a nanosecond is an instruction.
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 200

static long now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000L + time.tv_nsec;
}

int main(int count, char **arguments)
{
    (void)arguments;
    if (count > 1)
        return 0; // the child
    long begun = 0;
    for (int n = -1; n < ROUNDS; n++) { // the first round brings everything into memory
        if (n == 0)
            begun = now_ns();
        pid_t child = fork();
        if (!child) {
            execl("/proc/self/exe", "forkexec", "child", (char *)NULL);
            _exit(1);
        }
        int status;
        if (waitpid(child, &status, 0) != child || status) {
            printf("forkexec: FAILED\n");
            return 1;
        }
    }
    printf("forkexec: %ld ns each\n", (now_ns() - begun) / ROUNDS);
    return 0;
}
