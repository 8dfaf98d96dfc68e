/* SPDX-License-Identifier: BSD-2-Clause */
/* The image's version; CHANGELOG.md has what is new in it, and tools/lint compares the two. */
#ifndef HOST_BARE_VERSION_H
#define HOST_BARE_VERSION_H

#define CALDARIUM_VERSION "0.6"

#endif
