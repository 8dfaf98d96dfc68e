/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: engine shadow lets a guest's access through a leaf exactly where the manual does
 * ("Virtual Address Translation Process", step 5): R, or X with MXR, to load, W to store, X to
 * fetch; U pages for U-mode, and for S-mode's data with SUM, never for S-mode's code; no leaf with
 * a reserved bit Bounds: none: any leaf, mode and sstatus Assumes: the leaf is one: V, and not W
 * without R (proof walk_guest) Sources: lib/engine/shadow/walk.c Loops: 1
 */
#include "lib/engine/shadow/walk.c"
#include "tests/proofs/proof.h"

void proof(void)
{
    static struct engine_vcpu v;
    uint64_t pte = nondet_u64();
    enum s_access access = (enum s_access)below(3);
    v.s.user = nondet_bool();
    v.s.sstatus = nondet_u64();
    assume(pte & PTE_V && pte & (PTE_R | PTE_X) && (pte & (PTE_R | PTE_W)) != PTE_W);
    bool is = allowed(&v, pte, access);
    bool sum = v.s.sstatus >> 18 & 1, mxr = v.s.sstatus >> 19 & 1;
    bool for_user = pte >> 4 & 1, read = pte >> 1 & 1, write = pte >> 2 & 1, run = pte >> 3 & 1;
    bool mode = v.s.user ? for_user : !for_user || (sum && access != S_FETCH);
    bool right = access == S_FETCH ? run : access == S_STORE ? write : read || (mxr && run);
    holds(is == (mode && right && pte >> 54 == 0));
}
