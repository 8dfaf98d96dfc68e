/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: a region that meets another is found, whatever the addresses are, also where the two end
 *   with the address space; an access goes to the one region that it lies in as a whole, or to none
 * Bounds: 2 regions whose addresses and sizes are multiples of 2^54, the end of the address space
 * among their ends; one access of up to 8 bytes, at or up to 15 bytes below such an address
 * Assumes: regions are not empty and don't wrap, as bus_add() asks for
 * Sources: lib/dev/bus.c
 * Loops: 3
 */
#include "lib/dev/bus.h"
#include "tests/proofs/proof.h"

void line_error(const char *format, ...)
{
    (void)format;
}

/* Of 64 bits few may be anything: CBMC is slow at sums. */
static uint64_t coarse(void)
{
    return (uint64_t)nondet_u16() << 54;
}

static bool meet(uint64_t a, uint64_t a_last, uint64_t b, uint64_t b_last)
{
    return a <= b_last && b <= a_last;
}

void proof(void)
{
    static struct bus bus;
    uint64_t last[2], gpa = coarse(), size = coarse(), at = coarse() - below(16);
    bus.count = 2;
    for (unsigned n = 0; n < 2; n++) {
        bus.region[n].gpa = coarse();
        bus.region[n].size = coarse();
        last[n] = bus.region[n].gpa + bus.region[n].size - 1;
        assume(bus.region[n].size && last[n] >= bus.region[n].gpa);
    }
    assume(size && gpa + size - 1 >= gpa);
    const struct bus_region *met = bus_overlap(&bus, gpa, size);
    bool meets[2];
    for (unsigned n = 0; n < 2; n++)
        meets[n] = meet(bus.region[n].gpa, last[n], gpa, gpa + size - 1);
    holds(met == (meets[0] ? &bus.region[0] : meets[1] ? &bus.region[1] : NULL));

    unsigned width = 1U << below(4);
    const struct bus_region *found = bus_find(&bus, at, width);
    bool in[2];
    for (unsigned n = 0; n < 2; n++)
        in[n] = at >= bus.region[n].gpa && at <= last[n] && width - 1 <= last[n] - at;
    holds(found == (in[0] ? &bus.region[0] : in[1] ? &bus.region[1] : NULL));
}
