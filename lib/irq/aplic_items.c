/* SPDX-License-Identifier: BSD-2-Clause */
/* The APLIC's state by number: CALD_APLIC_* of include/caldarium/caldarium.h. Nobody is told of a
 * change: each vCPU looks at its line before it runs. */
#include "caldarium/caldarium.h"
#include "lib/irq/aplic.h"

static uint32_t *bitmap(struct aplic *aplic, uint32_t index, unsigned *word)
{
    *word = index % APLIC_WORDS;
    switch (index - *word) {
    case CALD_APLIC_PENDING:
        return &aplic->pending[*word];
    case CALD_APLIC_ENABLE:
        return &aplic->enable[*word];
    case CALD_APLIC_WIRE:
        return &aplic->wire[*word];
    case CALD_APLIC_SERVED:
        return &aplic->served[*word];
    case CALD_APLIC_STALE:
        return &aplic->stale[*word];
    }
    return NULL;
}

static uint32_t existing(const struct aplic *aplic, unsigned word)
{
    unsigned last = aplic->sources / 32;
    uint32_t bits = word < last    ? UINT32_MAX
                    : word == last ? (uint32_t)((2ULL << aplic->sources % 32) - 1)
                                   : 0;
    return word ? bits : bits & ~1u;
}

static bool exists(const struct aplic *aplic, uint32_t source)
{
    return source && source <= aplic->sources;
}

static bool is_idc(const struct aplic *aplic, uint32_t index)
{
    return index >= CALD_APLIC_IDC && (index - CALD_APLIC_IDC) / 4 < aplic->harts && index % 4 < 3;
}

static uint64_t get_idc(const struct aplic *aplic, uint32_t index)
{
    unsigned hart = (index - CALD_APLIC_IDC) / 4;
    return index % 4 == 0   ? aplic->idc[hart].delivery
           : index % 4 == 1 ? aplic->idc[hart].force
                            : aplic->idc[hart].threshold;
}

static int get(struct aplic *aplic, uint32_t index, uint64_t *value)
{
    unsigned word;
    const uint32_t *bits = bitmap(aplic, index, &word);
    if (bits && existing(aplic, word))
        *value = *bits;
    else if (index == CALD_APLIC_DOMAIN)
        *value = aplic->enabled;
    else if (!bits && index < CALD_APLIC_MODE && is_idc(aplic, index))
        *value = get_idc(aplic, index);
    else if (index >= CALD_APLIC_TARGET && exists(aplic, index - CALD_APLIC_TARGET))
        *value = aplic->target[index - CALD_APLIC_TARGET];
    else if (index >= CALD_APLIC_MODE && index < CALD_APLIC_TARGET &&
             exists(aplic, index - CALD_APLIC_MODE))
        *value = aplic->mode[index - CALD_APLIC_MODE];
    else
        return CALD_ENOENT;
    return CALD_OK;
}

static int set_bitmap(struct aplic *aplic, uint32_t *bits, unsigned word, uint64_t value)
{
    if (value & ~(uint64_t)existing(aplic, word))
        return CALD_EINVAL;
    if (value) /* `words` says where pending bits may be */
        aplic->words |= 1u << word;
    *bits = (uint32_t)value;
    return CALD_OK;
}

static int set_idc(struct aplic *aplic, uint32_t index, uint64_t value)
{
    unsigned hart = (index - CALD_APLIC_IDC) / 4, reg = index % 4;
    if (value > (reg == 2 ? 0xff : 1))
        return CALD_EINVAL;
    if (reg == 0)
        aplic->idc[hart].delivery = value;
    else if (reg == 1)
        aplic->idc[hart].force = value;
    else
        aplic->idc[hart].threshold = (uint8_t)value;
    return CALD_OK;
}

/* sourcecfg.SM; 2 and 3 are reserved. */
static int set_mode(struct aplic *aplic, uint32_t source, uint64_t value)
{
    if (value > 7 || value == 2 || value == 3)
        return CALD_EINVAL;
    aplic->mode[source] = (uint8_t)value;
    return CALD_OK;
}

/* A hart that exists, guest 0, and an identity or a priority, which isn't 0 but where the source is
 * inactive. */
static int set_target(struct aplic *aplic, uint32_t source, uint64_t value)
{
    uint64_t low = aplic->msi ? 0x7ff : 0xff;
    if (value > UINT32_MAX || value >> 18 >= aplic->harts || value & 0x3ffff & ~low)
        return CALD_EINVAL;
    aplic->target[source] = (uint32_t)value;
    return CALD_OK;
}

static int set(struct aplic *aplic, uint32_t index, uint64_t value)
{
    unsigned word;
    uint32_t *bits = bitmap(aplic, index, &word);
    if (bits && existing(aplic, word))
        return set_bitmap(aplic, bits, word, value);
    if (index == CALD_APLIC_DOMAIN) {
        if (value > 1)
            return CALD_EINVAL;
        aplic->enabled = value;
        return CALD_OK;
    }
    if (!bits && index < CALD_APLIC_MODE && is_idc(aplic, index))
        return set_idc(aplic, index, value);
    if (index >= CALD_APLIC_TARGET && exists(aplic, index - CALD_APLIC_TARGET))
        return set_target(aplic, index - CALD_APLIC_TARGET, value);
    if (index >= CALD_APLIC_MODE && index < CALD_APLIC_TARGET &&
        exists(aplic, index - CALD_APLIC_MODE))
        return set_mode(aplic, index - CALD_APLIC_MODE, value);
    return CALD_ENOENT;
}

int aplic_get(struct aplic *aplic, uint32_t index, uint64_t *value)
{
    lock_take(&aplic->lock);
    int error = get(aplic, index, value);
    lock_release(&aplic->lock);
    return error;
}

int aplic_set(struct aplic *aplic, uint32_t index, uint64_t value)
{
    lock_take(&aplic->lock);
    int error = set(aplic, index, value);
    lock_release(&aplic->lock);
    return error;
}
