/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's free memory. Giving it out is host_pages_alloc() and its like in host/host.h. */
#ifndef HOST_BARE_PAGES_H
#define HOST_BARE_PAGES_H

#include <stdint.h>

/* Adds a run of RAM that nobody uses; boot hart, before anybody takes. */
void pages_add(uint64_t pa, uint64_t bytes);

/* Takes `bytes` from the highest end there is; NULL: no run is so long. Not zeroed. */
void *pages_take_top(uint64_t bytes);

/* From now on this is the boundary for "all there is": what Caldarium took so far is its own. */
void pages_seal(void);

#endif
