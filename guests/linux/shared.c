/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shared WORD: finds the memory shared with other VMs in the device tree, writes WORD there, rings
 * the others' bells and waits until one has rung back. Reaches both through /dev/mem.
 */
#include <endian.h>
#include <fcntl.h>
#include <glob.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { REG_INDEX, REG_PEERS, REG_RING, REG_RANG }; /* words */

static volatile uint32_t *map(const char *pattern)
{
    uint64_t reg[2];
    glob_t found;
    if (glob(pattern, 0, NULL, &found) || !found.gl_pathc) {
        fprintf(stderr, "shared: the tree has no %s\n", pattern);
        exit(1);
    }
    FILE *file = fopen(found.gl_pathv[0], "rb");
    if (!file || fread(reg, sizeof(reg), 1, file) != 1) {
        perror(found.gl_pathv[0]);
        exit(1);
    }
    fclose(file);
    int memory = open("/dev/mem", O_RDWR | O_SYNC);
    void *at = mmap(NULL, be64toh(reg[1]), PROT_READ | PROT_WRITE, MAP_SHARED, memory,
                    (off_t)be64toh(reg[0]));
    if (memory < 0 || at == MAP_FAILED) {
        perror("/dev/mem");
        exit(1);
    }
    return at;
}

int main(int argc, char **argv)
{
    volatile uint32_t *words = map("/proc/device-tree/reserved-memory/shared-memory@*/reg");
    volatile uint32_t *bell = map("/proc/device-tree/soc/doorbell@*/reg");
    uint32_t word = argc == 2 ? (uint32_t)strtoul(argv[1], NULL, 0) : 0, rang;
    words[0] = word;
    __sync_synchronize();
    bell[REG_RING] = UINT32_MAX;
    while (!(rang = bell[REG_RANG]))
        usleep(1000);
    __sync_synchronize();
    printf("shared: I am %u of %u; %#x rang; words %#x %#x\n", bell[REG_INDEX], bell[REG_PEERS],
           rang, words[0], words[1]);
    return words[1] == word + 1 ? 0 : 1;
}
