/* SPDX-License-Identifier: BSD-2-Clause */
#include "appliance/tree/blob.h"

#include <libfdt.h>

int tree_blob_check(const void *blob, size_t bytes)
{
    if (bytes < sizeof(struct fdt_header))
        return -FDT_ERR_TRUNCATED;
    int error = fdt_check_header(blob);
    if (error)
        return error;
    /* libfdt loads words where the header says they are; a hart may trap on one that isn't aligned
     * (Devicetree Specification, 5.6, asks for these two). */
    if (fdt_off_dt_struct(blob) % 4 || fdt_off_mem_rsvmap(blob) % 8)
        return -FDT_ERR_ALIGNMENT;
    return fdt_check_full(blob, bytes);
}
