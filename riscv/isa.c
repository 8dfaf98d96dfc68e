/* SPDX-License-Identifier: BSD-2-Clause */
#include "riscv/isa.h"

#include <string.h>

/* The name lies in the table itself, not behind a pointer: a pointer would need a relocation in an
 * image that runs where it was loaded. */
struct ext_entry {
    char name[15];
    uint8_t rule;
};

static const struct ext_entry table[ISA_EXT_COUNT] = {
#define RISCV_EXT(symbol, text, rule) [ISA_##symbol] = {text, rule},
#include "riscv/isa_table.h"
#undef RISCV_EXT
};

/* Each name fits, with its end. */
#define RISCV_EXT(symbol, text, rule)                                                              \
    _Static_assert(sizeof(text) <= sizeof(table[0].name), "extension name too long: " text);
#include "riscv/isa_table.h"
#undef RISCV_EXT

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

const char *isa_name(enum riscv_ext ext)
{
    return (unsigned)ext < ISA_EXT_COUNT ? table[ext].name : "?";
}

enum riscv_ext_rule isa_rule(enum riscv_ext ext)
{
    return (unsigned)ext < ISA_EXT_COUNT ? (enum riscv_ext_rule)table[ext].rule : EXT_HIDDEN;
}

enum riscv_ext isa_find(const char *name, size_t length)
{
    if (length == 0 || length >= sizeof(table[0].name)) {
        return ISA_EXT_COUNT;
    }
    for (unsigned ext = 0; ext < ISA_EXT_COUNT; ext++) {
        size_t i = 0;
        while (i < length && lower(name[i]) == table[ext].name[i] && table[ext].name[i]) {
            i++;
        }
        if (i == length && table[ext].name[i] == '\0') {
            return (enum riscv_ext)ext;
        }
    }
    return ISA_EXT_COUNT;
}

static void add(struct riscv_isa *isa, const char *name, size_t length)
{
    enum riscv_ext ext = isa_find(name, length);
    if (ext != ISA_EXT_COUNT) {
        isa_set(isa, ext);
    }
}

void isa_parse_list(struct riscv_isa *isa, const char *list, size_t bytes)
{
    size_t start = 0;
    for (size_t i = 0; i < bytes; i++) {
        if (list[i] == '\0') {
            add(isa, list + start, i - start);
            start = i + 1;
        }
    }
    /* A last name that the property ends without a terminator counts too. */
    add(isa, list + start, bytes - start);
}

/* Length of `name` without a version at its end ("2p0" in zicsr2p0, or "2"). */
static size_t without_version(const char *name, size_t length)
{
    size_t end = length;
    while (end > 0 && is_digit(name[end - 1])) {
        end--;
    }
    if (end < length && end > 1 && lower(name[end - 1]) == 'p' && is_digit(name[end - 2])) {
        end--;
        while (end > 0 && is_digit(name[end - 1])) {
            end--;
        }
    }
    return end;
}

/* Characters of a version that `text` starts with. */
static size_t version_length(const char *text)
{
    size_t i = 0;
    while (is_digit(text[i])) {
        i++;
    }
    if (i > 0 && lower(text[i]) == 'p' && is_digit(text[i + 1])) {
        i++;
        while (is_digit(text[i])) {
            i++;
        }
    }
    return i;
}

static void add_letter(struct riscv_isa *isa, char letter)
{
    static const enum riscv_ext general[] = {ISA_I, ISA_M,     ISA_A,       ISA_F,
                                             ISA_D, ISA_ZICSR, ISA_ZIFENCEI};
    if (lower(letter) != 'g') {
        add(isa, &letter, 1);
        return;
    }
    for (size_t i = 0; i < sizeof(general) / sizeof(general[0]); i++) {
        isa_set(isa, general[i]);
    }
}

void isa_parse_string(struct riscv_isa *isa, const char *text)
{
    if (lower(text[0]) != 'r' || lower(text[1]) != 'v' || text[2] != '6' || text[3] != '4') {
        return;
    }
    const char *at = text + 4;
    while (*at) {
        char c = lower(*at);
        if (c == '_') {
            at++;
        } else if (c == 's' && lower(at[1]) == 'u' && at[-1] != '_') {
            /* Trees of QEMU before 7.1 write the privilege modes as letters: rv64imafdcsu. */
            at += 2;
        } else if (c == 's' || c == 'z' || c == 'x') {
            /* A name of several letters goes on to the next underscore. */
            size_t length = 0;
            while (at[length] && at[length] != '_') {
                length++;
            }
            if (isa_find(at, length) != ISA_EXT_COUNT) {
                add(isa, at, length);
            } else {
                add(isa, at, without_version(at, length));
            }
            at += length;
        } else {
            add_letter(isa, c);
            at++;
            at += version_length(at);
        }
    }
}

void isa_intersect(struct riscv_isa *isa, const struct riscv_isa *other)
{
    for (size_t i = 0; i < sizeof(isa->bits) / sizeof(isa->bits[0]); i++) {
        isa->bits[i] &= other->bits[i];
    }
}

bool isa_can_switch_fp(const struct riscv_isa *isa)
{
    return isa_has(isa, ISA_F) && isa_has(isa, ISA_D);
}

bool isa_can_switch_vector(const struct riscv_isa *isa)
{
    return isa_has(isa, ISA_V);
}

void isa_hide_units(struct riscv_isa *isa, bool fp, bool vector)
{
    for (unsigned ext = 0; ext < ISA_EXT_COUNT; ext++) {
        if ((table[ext].rule == EXT_FP && !fp) || (table[ext].rule == EXT_VECTOR && !vector))
            isa_clear(isa, (enum riscv_ext)ext);
    }
}

/* Appends as far as there is room; *length counts all the same. */
static void append(char *out, size_t size, size_t *length, const char *text)
{
    for (; *text; text++, ++*length) {
        if (*length + 1 < size) {
            out[*length] = *text;
        }
    }
}

size_t isa_format_string(const struct riscv_isa *isa, char *out, size_t size)
{
    size_t length = 0;
    append(out, size, &length, "rv64");
    for (unsigned ext = 0; ext < ISA_EXT_COUNT; ext++) {
        if (!isa_has(isa, (enum riscv_ext)ext)) {
            continue;
        }
        if (table[ext].name[1]) {
            append(out, size, &length, "_");
        }
        append(out, size, &length, table[ext].name);
    }
    if (size > 0) {
        out[length < size ? length : size - 1] = '\0';
    }
    return length;
}
