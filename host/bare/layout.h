/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Caldarium's own address space, in the largest mode that the boot hart has. With Sv39, which every
 * hart with an MMU has, all of it lies in the upper half:
 *
 *   0xffffffc0_00000000  RAM that is Caldarium's to give, in windows (ram.h), DIRECT_BYTES in all
 *   0xfffffffc_00000000  the board's tree, r--
 *   0xfffffffc_80000000  the bundle, r--
 *   0xffffffff_00000000  device registers
 *   0xffffffff_40000000  stacks, each with an unmapped page below
 *   0xffffffff_80000000  the image: text r-x, constants r--, data rw-
 *
 * and, only where engine shadow is used, its trampolines (lib/engine/shadow/trampoline.c): three in
 * the last GiB, one in the lower half.
 *
 * With Sv48 and Sv57 all of it lies lower by what one entry of the root is for (512 GiB, 256 TiB),
 * behind the root's last but one entry: out of reach for guests of engine shadow, whose addresses
 * have one level less (lib/engine/shadow/apart.c). paging.c does that; these are Sv39's.
 */
#ifndef HOST_BARE_LAYOUT_H
#define HOST_BARE_LAYOUT_H

#define DIRECT_VA 0xffffffc000000000
#define DIRECT_BYTES 0x3c00000000 /* 240 GiB */
#define TREE_VA 0xfffffffc00000000
#define BUNDLE_VA 0xfffffffc80000000
#define DEVICE_VA 0xffffffff00000000
#define STACK_VA 0xffffffff40000000
#define IMAGE_VA 0xffffffff80000000

#define STACK_BYTES 0x4000
#define STACK_STRIDE 0x8000 /* the rest is the guard */

#endif
