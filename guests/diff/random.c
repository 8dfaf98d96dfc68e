/* SPDX-License-Identifier: BSD-2-Clause */
#include "guests/diff/diff.h"

static uint64_t state;

/* One round of splitmix64's output function: any two words that differ give words unlike. */
static uint64_t mix(uint64_t word)
{
    word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9;
    word = (word ^ word >> 27) * 0x94d049bb133111eb;
    return word ^ word >> 31;
}

void random_start(uint64_t seed, uint64_t sequence)
{
    state = mix(mix(seed + 1) + sequence);
}

uint64_t random_word(void)
{
    state += 0x9e3779b97f4a7c15;
    return mix(state);
}

unsigned below(unsigned limit)
{
    return (unsigned)(random_word() >> 32) % limit;
}

bool chance(unsigned percent)
{
    return below(100) < percent;
}

void fold(uint64_t word)
{
    diff_hash = mix(diff_hash ^ word) + 0x9e3779b97f4a7c15;
}
