/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/irq/imsic.h"

#include <stddef.h>

#include "caldarium/caldarium.h"
#include "riscv/csr.h"

/* Registers of the page, 3.5. */
#define SETEIPNUM_LE 0x0u
#define SETEIPNUM_BE 0x4u

void imsic_init(struct imsic *file, unsigned ids)
{
    for (unsigned w = 0; w < IMSIC_MRIF_WORDS; w++) {
        atomic_store(&file->word[w].pending, 0);
        atomic_store(&file->word[w].enable, 0);
    }
    file->delivery = file->threshold = 0;
    file->ids = ids;
    file->file = 0;
    file->files_had = 0;
    atomic_store(&file->moved, 0);
}

bool imsic_post(struct imsic *file, uint32_t id)
{
    if (!id || id > file->ids)
        return false;
    uint64_t bit = 1ULL << id % 64;
    return !(atomic_fetch_or(&file->word[id / 64].pending, bit) & bit);
}

unsigned imsic_top(const struct imsic *file)
{
    for (unsigned w = 0; w < IMSIC_WORDS; w++) {
        uint64_t ready = atomic_load(&file->word[w].pending) &
                         atomic_load_explicit(&file->word[w].enable, memory_order_relaxed);
        if (!ready)
            continue;
        unsigned id = w * 64 + (unsigned)__builtin_ctzll(ready);
        return !file->threshold || id < file->threshold ? id : 0;
    }
    return 0;
}

/* What a CSR instruction makes of the old value. */
static uint64_t changed(const struct riscv_csr_op *op, uint64_t before, uint64_t value)
{
    switch (op->funct3 & 3) {
    case 2:
        return before | value;
    case 3:
        return before & ~value;
    default:
        return value;
    }
}

/* Identities that exist in a word: there is no identity 0. */
static uint64_t existing(const struct imsic *file, unsigned w)
{
    return w * 64 > file->ids ? 0 : w ? UINT64_MAX : ~1ULL;
}

/* Bits come in between the read and the write of an instruction: what it does not clear stays. */
static uint64_t change_pending(struct imsic *file, unsigned w, const struct riscv_csr_op *op,
                               uint64_t value)
{
    _Atomic uint64_t *pending = &file->word[w].pending;
    value &= existing(file, w);
    if (!op->writes)
        return atomic_load(pending);
    switch (op->funct3 & 3) {
    case 2:
        return atomic_fetch_or(pending, value);
    case 3:
        return atomic_fetch_and(pending, ~value);
    default:
        return atomic_exchange(pending, value);
    }
}

static uint64_t change_enable(struct imsic *file, unsigned w, const struct riscv_csr_op *op,
                              uint64_t value)
{
    uint64_t before = atomic_load(&file->word[w].enable);
    if (op->writes)
        atomic_store(&file->word[w].enable, changed(op, before, value) & existing(file, w));
    return before;
}

/* 3.8: on RV64 the arrays' odd numbers do not exist. */
static bool indirect(struct imsic *file, const struct riscv_csr_op *op, uint64_t select,
                     uint64_t value, uint64_t *before)
{
    if (select == IMSIC_EIDELIVERY) {
        *before = file->delivery;
        if (op->writes)
            file->delivery = changed(op, *before, value) & 1;
    } else if (select == IMSIC_EITHRESHOLD) {
        *before = file->threshold;
        if (op->writes)
            file->threshold = changed(op, *before, value) & file->ids;
    } else if (select >= IMSIC_IPRIO0 && select <= IMSIC_IPRIO15 && !(select & 1)) {
        *before = 0; /* major interrupts' priorities are read-only zeros (5.2.2) */
    } else if (select >= IMSIC_EIP0 && select <= IMSIC_EIE63 && !(select & 1)) {
        unsigned w = (unsigned)(select & 63) / 2;
        *before = select < IMSIC_EIE0 ? change_pending(file, w, op, value)
                                      : change_enable(file, w, op, value);
    } else {
        return false;
    }
    return true;
}

bool imsic_csr(struct imsic *file, const struct riscv_csr_op *op, uint64_t select, uint64_t value,
               uint64_t *before)
{
    if (op->csr == CSR_SIREG)
        return indirect(file, op, select, value, before);
    if (op->csr != CSR_STOPEI)
        return false;
    /* A write, of whatever, claims what the same instruction reads (3.9). */
    unsigned id = imsic_top(file);
    if (op->writes && id)
        atomic_fetch_and(&file->word[id / 64].pending, ~(1ULL << id % 64));
    *before = (uint64_t)id << 16 | id;
    return true;
}

bool imsic_store(struct imsic *file, uint32_t offset, unsigned width, uint64_t value, bool *posted)
{
    if (width != 4 || offset % 4)
        return false;
    *posted = false;
    if (offset == SETEIPNUM_LE)
        *posted = imsic_post(file, (uint32_t)value);
    else if (offset == SETEIPNUM_BE)
        *posted = imsic_post(file, __builtin_bswap32((uint32_t)value));
    return true; /* the rest of the page ignores stores */
}

/* The word that an array's register is; NULL: there is none. */
static _Atomic uint64_t *word_at(const struct imsic *file, uint32_t select, unsigned *w)
{
    if (select < IMSIC_EIP0 || select > IMSIC_EIE63 || select & 1)
        return NULL;
    *w = (select & 63) / 2;
    if (!existing(file, *w))
        return NULL;
    return (_Atomic uint64_t *)(select < IMSIC_EIE0 ? &file->word[*w].pending
                                                    : &file->word[*w].enable);
}

int imsic_get(const struct imsic *file, uint32_t select, uint64_t *value)
{
    unsigned w;
    const _Atomic uint64_t *word = word_at(file, select, &w);
    if (word)
        *value = atomic_load(word);
    else if (select == IMSIC_EIDELIVERY)
        *value = file->delivery;
    else if (select == IMSIC_EITHRESHOLD)
        *value = file->threshold;
    else
        return CALD_ENOENT;
    return CALD_OK;
}

int imsic_set(struct imsic *file, uint32_t select, uint64_t value)
{
    unsigned w;
    _Atomic uint64_t *word = word_at(file, select, &w);
    if (word) {
        if (value & ~existing(file, w))
            return CALD_EINVAL;
        atomic_store(word, value);
    } else if (select == IMSIC_EIDELIVERY) {
        if (value > 1)
            return CALD_EINVAL;
        file->delivery = (uint32_t)value;
    } else if (select == IMSIC_EITHRESHOLD) {
        if (value > file->ids)
            return CALD_EINVAL;
        file->threshold = (uint32_t)value;
    } else {
        return CALD_ENOENT;
    }
    return CALD_OK;
}
