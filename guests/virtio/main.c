/* SPDX-License-Identifier: BSD-2-Clause */
/* Drives virtio devices, as `virtio=` on its command line says. */
#include "guests/virtio/driver.h"

void guest_main(uint64_t hart, uint64_t tree);

void guest_main(uint64_t hart, uint64_t tree)
{
    (void)hart;
    if (guest_is(tree, "virtio", "echo"))
        echo(tree);
    if (guest_is(tree, "virtio", "hostile"))
        hostile(tree);
    if (guest_is(tree, "virtio", "watch"))
        watch(tree);
    bench(tree);
    guest_poweroff();
}
