/* SPDX-License-Identifier: BSD-2-Clause */
/* The PLIC's state by number: CALD_PLIC_* of include/caldarium/caldarium.h. No hart uses it. */
#include "caldarium/caldarium.h"
#include "lib/irq/plic.h"

/* The word of a bitmap, one for each source; NULL: none of these. */
static _Atomic uint32_t *bitmap(struct plic *plic, uint32_t index, unsigned *word)
{
    *word = index % PLIC_WORDS;
    if (index >= CALD_PLIC_ENABLE) {
        unsigned context = (index - CALD_PLIC_ENABLE) / PLIC_WORDS;
        return context < plic->contexts ? &plic->enable[2 * context + 1][*word] : NULL;
    }
    switch (index - *word) {
    case CALD_PLIC_PENDING:
        return &plic->pending[*word];
    case CALD_PLIC_CLAIMED:
        return &plic->claimed[*word];
    case CALD_PLIC_LEVEL:
        return &plic->level[*word];
    case CALD_PLIC_EDGE:
        return &plic->edge[*word];
    }
    return NULL;
}

static _Atomic uint8_t *byte_at(struct plic *plic, uint32_t index)
{
    if (index < CALD_PLIC_PENDING)
        return index && index <= plic->sources ? &plic->priority[index] : NULL;
    uint32_t context = index - CALD_PLIC_THRESHOLD;
    return index >= CALD_PLIC_THRESHOLD && context < plic->contexts ? &plic->threshold[context]
                                                                    : NULL;
}

/* Bits of the sources that there are in a word. */
static uint32_t existing(const struct plic *plic, unsigned word)
{
    unsigned last = plic->sources / 32;
    uint32_t bits = word < last    ? UINT32_MAX
                    : word == last ? (uint32_t)((2ULL << plic->sources % 32) - 1)
                                   : 0;
    return word ? bits : bits & ~1u;
}

int plic_get(struct plic *plic, uint32_t index, uint64_t *value)
{
    unsigned word;
    _Atomic uint32_t *bits = bitmap(plic, index, &word);
    if (bits && existing(plic, word)) {
        *value = atomic_load(bits);
        return CALD_OK;
    }
    _Atomic uint8_t *byte = bits ? NULL : byte_at(plic, index);
    if (!byte)
        return CALD_ENOENT;
    *value = atomic_load(byte);
    return CALD_OK;
}

int plic_set(struct plic *plic, uint32_t index, uint64_t value)
{
    unsigned word;
    _Atomic uint32_t *bits = bitmap(plic, index, &word);
    if (bits && existing(plic, word)) {
        if (value & ~(uint64_t)existing(plic, word))
            return CALD_EINVAL; /* of sources that are not there */
        if (value)              /* `words` says where pending bits may be: see plic.c */
            atomic_fetch_or(&plic->words, 1u << word);
        atomic_store(bits, (uint32_t)value);
        return CALD_OK;
    }
    _Atomic uint8_t *byte = bits ? NULL : byte_at(plic, index);
    if (!byte)
        return CALD_ENOENT;
    if (value > PLIC_MAX_PRIORITY)
        return CALD_EINVAL;
    atomic_store(byte, (uint8_t)value);
    return CALD_OK;
}
