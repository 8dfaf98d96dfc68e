/* SPDX-License-Identifier: BSD-2-Clause */
/* Walks the flattened tree's structure block (Devicetree specification, chapter 5). */
#include "guests/common/tree.h"

enum { TOKEN_BEGIN = 1, TOKEN_END, TOKEN_PROPERTY, TOKEN_NOP, TOKEN_STOP = 9 };

static uint32_t cell(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static bool begins(const char *text, const char *with)
{
    while (*with && *text == *with)
        text++, with++;
    return !*with;
}

static bool same(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

/* Calls `see` for each property; what belongs to one node comes between two calls with a NULL name.
 */
static void walk(uint64_t tree, bool (*see)(void *owner, const char *name, const uint8_t *value),
                 void *owner)
{
    const uint8_t *blob = (const uint8_t *)tree, *at = blob + cell(blob + 8);
    const char *strings = (const char *)blob + cell(blob + 12);
    for (;;) {
        uint32_t token = cell(at);
        at += 4;
        if (token == TOKEN_BEGIN) {
            if (!see(owner, 0, 0))
                return;
            while (*at)
                at++;
            at = blob + (((uint64_t)(at - blob) + 4) & ~3UL);
        } else if (token == TOKEN_PROPERTY) {
            uint32_t bytes = cell(at);
            if (!see(owner, strings + cell(at + 4), at + 8))
                return;
            at += 8 + ((bytes + 3) & ~3U);
        } else if (token == TOKEN_STOP) {
            see(owner, 0, 0);
            return;
        }
    }
}

struct search {
    const char *name;
    unsigned left;
    bool here, found;
    struct guest_node node;
};

static bool see_node(void *owner, const char *name, const uint8_t *value)
{
    struct search *s = owner;
    if (!name) { /* the properties of a node are all there */
        s->found = s->here && !s->left;
        if (s->here && s->left)
            s->left--;
        s->here = false;
        if (!s->found)
            s->node = (struct guest_node){0};
        return !s->found;
    }
    if (same(name, "compatible"))
        s->here = begins((const char *)value, s->name);
    else if (same(name, "interrupts"))
        s->node.interrupt = cell(value);
    else if (same(name, "reg"))
        s->node.base = (uint64_t)cell(value) << 32 | cell(value + 4),
        s->node.size = (uint64_t)cell(value + 8) << 32 | cell(value + 12);
    return true;
}

bool guest_tree_find(uint64_t tree, const char *name, unsigned n, struct guest_node *out)
{
    struct search s = {.name = name, .left = n};
    walk(tree, see_node, &s);
    *out = s.node;
    return s.found;
}

struct count {
    const char *type;
    unsigned count;
};

static bool see_type(void *owner, const char *name, const uint8_t *value)
{
    struct count *c = owner;
    if (name && same(name, "device_type") && same((const char *)value, c->type))
        c->count++;
    return true;
}

unsigned guest_tree_count(uint64_t tree, const char *device_type)
{
    struct count c = {.type = device_type};
    walk(tree, see_type, &c);
    return c.count;
}

struct word {
    const char *name;
    uint64_t value;
};

static bool see_word(void *owner, const char *name, const uint8_t *value)
{
    struct word *w = owner;
    if (!name || !same(name, w->name))
        return true;
    w->value = (uint64_t)cell(value) << 32 | cell(value + 4);
    return false;
}

uint64_t guest_tree_word(uint64_t tree, const char *property)
{
    struct word w = {.name = property};
    walk(tree, see_word, &w);
    return w.value;
}
