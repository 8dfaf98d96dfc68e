/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random bytes for guests: one generator, seeded at boot with what firmware left in the board's
 * tree (/chosen/rng-seed), and stirred with the clock at each call. Its seed alone makes it good:
 * without one it is told that it isn't. The Zkr extension is the firmware's to open, and not used.
 */
#include "host/bare/random.h"

#include <libfdt.h>

#include "appliance/random.h"
#include "host/bare/board.h"
#include "host/host.h"
#include "riscv/lock.h"

#define SEED_BYTES 32 /* as many as the key has */
#define AT_ONCE 256U  /* filled with the lock held */

static struct lock lock;
static struct random generator;
static bool seeded;

void random_begin(void)
{
    int bytes, chosen = fdt_path_offset(board_tree.fdt, "/chosen");
    const void *seed = chosen < 0 ? NULL : fdt_getprop(board_tree.fdt, chosen, "rng-seed", &bytes);
    if (!seed)
        return;
    random_add(&generator, seed, (size_t)bytes);
    seeded = bytes >= SEED_BYTES;
}

bool host_random_is_seeded(void)
{
    return seeded;
}

static void fill(void *out, size_t bytes)
{
    uint64_t now = host_time();
    lock_take(&lock);
    random_add(&generator, &now, sizeof(now));
    random_fill(&generator, out, bytes);
    lock_release(&lock);
}

void host_random(void *out, size_t bytes)
{
    uint8_t *to = out;
    while (bytes) {
        size_t part = bytes < AT_ONCE ? bytes : AT_ONCE;
        fill(to, part);
        to += part;
        bytes -= part;
    }
}
