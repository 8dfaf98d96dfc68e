/* SPDX-License-Identifier: BSD-2-Clause */
/* Flattened device trees that come from outside. Source: the Devicetree Specification, 5. */
#ifndef APPLIANCE_TREE_BLOB_H
#define APPLIANCE_TREE_BLOB_H

#include <stddef.h>

/* Checks that libfdt can walk all of a blob of at most `bytes` bytes, wherever its header points.
 * Returns 0 or one of libfdt's errors. */
int tree_blob_check(const void *blob, size_t bytes);

#endif
