/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Extension names as device trees spell them ("riscv,isa-extensions", and the older "riscv,isa"
 * string), and what of them a guest may be shown.
 */
#ifndef RISCV_ISA_H
#define RISCV_ISA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The extensions Caldarium knows by name; riscv/isa_table.h lists them with their rules. */
enum riscv_ext {
#define RISCV_EXT(symbol, text, rule) ISA_##symbol,
#include "riscv/isa_table.h"
#undef RISCV_EXT
    ISA_EXT_COUNT
};

/* How a guest gets an extension that the hart has. */
enum riscv_ext_rule {
    EXT_PLAIN,  /* shown as it is: unprivileged, nothing to switch or enable */
    EXT_FP,     /* F, D, Zfh...: needs FS and the FP registers switched */
    EXT_VECTOR, /* V and what builds on it: needs VS and the vector registers switched */
    EXT_SSTC,   /* henvcfg.STCE */
    EXT_SSAIA,  /* for guests with an IMSIC: hstateen0, hstatus.VGEIN */
    EXT_SVADU,  /* henvcfg.ADUE */
    EXT_SVPBMT, /* henvcfg.PBMTE */
    EXT_ZICBOM, /* henvcfg.CBIE, CBCFE */
    EXT_ZICBOZ, /* henvcfg.CBZE */
    EXT_HIDDEN  /* machine- or hypervisor-level, or state that is not switched: never shown */
};

struct riscv_isa {
    uint64_t bits[(ISA_EXT_COUNT + 63) / 64];
};

static inline bool isa_has(const struct riscv_isa *isa, enum riscv_ext ext)
{
    return isa->bits[ext / 64] >> (ext % 64) & 1;
}

static inline void isa_set(struct riscv_isa *isa, enum riscv_ext ext)
{
    isa->bits[ext / 64] |= 1ULL << (ext % 64);
}

static inline void isa_clear(struct riscv_isa *isa, enum riscv_ext ext)
{
    isa->bits[ext / 64] &= ~(1ULL << (ext % 64));
}

/* The name as in a device tree, lower case, and its rule. */
const char *isa_name(enum riscv_ext ext);
enum riscv_ext_rule isa_rule(enum riscv_ext ext);

/* Finds a name of `length` characters; ISA_EXT_COUNT if it is unknown. Case is ignored. */
enum riscv_ext isa_find(const char *name, size_t length);

/* Adds what a "riscv,isa-extensions" property (a string list of `bytes`) names. */
void isa_parse_list(struct riscv_isa *isa, const char *list, size_t bytes);

/* Adds what a "riscv,isa" string (rv64imafdc_zicsr_...) names; 'g' means imafd_zicsr_zifencei. */
void isa_parse_string(struct riscv_isa *isa, const char *text);

/* Only what both have: what a vCPU may rely on wherever it runs. */
void isa_intersect(struct riscv_isa *isa, const struct riscv_isa *other);

/* There are registers that an engine can switch: FP ones of 64 bits (F and D), vector ones (V). */
bool isa_can_switch_fp(const struct riscv_isa *isa);
bool isa_can_switch_vector(const struct riscv_isa *isa);

/* Takes away what guests can't be shown where FP or vector registers aren't switched. */
void isa_hide_units(struct riscv_isa *isa, bool fp, bool vector);

/* Writes the "riscv,isa" string for `isa`; returns the length, or a larger one if it did not fit.
 */
size_t isa_format_string(const struct riscv_isa *isa, char *out, size_t size);

#endif
