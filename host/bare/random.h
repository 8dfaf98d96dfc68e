/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef HOST_BARE_RANDOM_H
#define HOST_BARE_RANDOM_H

/* Takes the seed out of the board's tree; once, on the boot hart, before host_random() is called.
 */
void random_begin(void);

#endif
