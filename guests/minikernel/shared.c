/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory shared with other VMs, and its doorbell (docs/shared-memory.md). */
#include "guests/minikernel/mini.h"

enum { OWN_INDEX = 0, PEERS = 4, RING = 8, RANG = 12 };
#define ALL 0xffffffffU

uint32_t shared_irq;
static volatile uint32_t *memory, *doorbell;
static volatile uint64_t rings;

bool shared_init(uint64_t tree)
{
    struct guest_node region, bell;
    if (!guest_tree_find(tree, "caldarium,shared-memory-v1", 0, &region) ||
        !guest_tree_find(tree, "caldarium,doorbell-v1", 0, &bell))
        return false;
    memory = (volatile uint32_t *)region.base;
    doorbell = (volatile uint32_t *)bell.base;
    shared_irq = bell.interrupt;
    plic_enable(shared_irq);
    return true;
}

/* Answers whoever rang: the first word, plus one, into the second, and rings back. */
void shared_interrupt(void)
{
    uint32_t who = doorbell[RANG / 4];
    rings++;
    console_print("shared: rung by %x, word %x\n", (uint64_t)who, (uint64_t)memory[0]);
    memory[1] = memory[0] + 1;
    __sync_synchronize();
    for (unsigned peer = 0; peer < 32; peer++) {
        if (who >> peer & 1)
            doorbell[RING / 4] = peer;
    }
}

void shared_command(const char *words)
{
    (void)words;
    if (!memory) {
        console_print("shared: no memory is shared\n");
        return;
    }
    console_print("shared: I am %u of %u, rung %u times, words %x %x\n",
                  (uint64_t)doorbell[OWN_INDEX / 4], (uint64_t)doorbell[PEERS / 4], rings,
                  (uint64_t)memory[0], (uint64_t)memory[1]);
}
