/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * With an IMSIC a hart takes messages, numbered by identities. Identity 1 is the kick of one hart
 * by another: the lowest number goes first. The rest are given out one by one, the same for every
 * hart: to the APLIC's sources as they are enabled, and to messages of Caldarium's own.
 */
#include "host/bare/irqchip.h"

#include "drivers/aplic/aplic.h"
#include "drivers/imsic/file.h"
#include "drivers/imsic/imsic.h"
#include "drivers/plic/plic.h"
#include "host/bare/board.h"
#include "host/bare/paging.h"
#include "host/host.h"

#define KICK 1u
#define OWN_MESSAGES 8u
#define MAX_SOURCE 1023u
#define IDENTITIES (KICK + 1 + MAX_SOURCE + OWN_MESSAGES)

static struct plic_hw plic;
static struct aplic_hw aplic;
static enum board_irqchip kind;

/* What an identity means: 0 nothing, a source, or OWN + the number of a message of our own. */
#define OWN 0x8000u
static _Atomic uint16_t meaning[IDENTITIES];
static unsigned next_identity = KICK + 1;
static struct {
    void (*serve)(void *owner);
    void *owner;
} own[OWN_MESSAGES];
static unsigned own_count;

/* Sources whose wire is a level. An MSI tells of it once. At a PLIC the others, edges, are
 * completed as they are claimed: some PLICs (Andes', T-Head's) lose an edge that comes between. */
static uint32_t levels[MAX_SOURCE / 32 + 1];

static bool is_level(unsigned source)
{
    return source <= MAX_SOURCE && levels[source / 32] >> source % 32 & 1;
}

static bool fail(void)
{
    host_error("board's %s at %#lx can't be used; the console is polled", board_tree.irqchip,
               board_tree.irqchip_base);
    kind = BOARD_NONE;
    return false;
}

bool irqchip_init(void)
{
    const struct board_tree *t = &board_tree;
    kind = t->irqchip_kind;
    if (kind == BOARD_NONE)
        return false;
    bool files = true;
    if (kind == BOARD_IMSIC)
        csr_try_read(CSR_STOPEI, files); /* firmware may keep it closed */
    if (!files || (kind == BOARD_IMSIC && !imsic_layout_check(&t->imsic)))
        return fail();
    volatile void *base = paging_map_device(t->irqchip_base, t->irqchip_bytes);
    bool ok = base &&
              (kind == BOARD_PLIC ? plic_hw_init(&plic, base, t->irqchip_bytes, t->irqchip_sources)
                                  : aplic_hw_init(&aplic, base, t->irqchip_bytes,
                                                  t->irqchip_sources, kind == BOARD_IMSIC));
    if (!ok)
        return fail();
    return true;
}

uint32_t irqchip_kick_identity(void)
{
    return kind == BOARD_IMSIC ? KICK : 0;
}

static bool file_init(struct hart *hart, unsigned context)
{
    const struct imsic_layout *layout = &board_tree.imsic;
    uint64_t address = imsic_file_address(layout, context);
    volatile void *page = address ? paging_map_device(address, IMSIC_PAGE) : NULL;
    if (!page) {
        host_error("hart %lu: its interrupt file is not where the board's tree says",
                   hart->board->id);
        return false;
    }
    imsic_file_begin(layout->ids);
    hart->doorbell = page;
    return true;
}

int irqchip_hart_init(struct hart *hart)
{
    int context = board_irq_context(hart->board);
    bool ok = context >= 0;
    if (ok && kind == BOARD_PLIC)
        ok = plic_hw_context_init(&plic, (unsigned)context);
    else if (ok && kind == BOARD_APLIC)
        ok = aplic_hw_idc_init(&aplic, (unsigned)context);
    else if (ok && kind == BOARD_IMSIC)
        ok = file_init(hart, (unsigned)context);
    return ok && kind != BOARD_NONE ? context : -1;
}

/* 0: all are given out. */
static unsigned identity(unsigned what)
{
    unsigned ids = board_tree.imsic.ids < IDENTITIES - 1 ? board_tree.imsic.ids : IDENTITIES - 1;
    for (unsigned id = KICK + 1; id < next_identity; id++) {
        if (atomic_load(&meaning[id]) == what)
            return id;
    }
    if (next_identity > ids)
        return 0;
    atomic_store(&meaning[next_identity], (uint16_t)what);
    return next_identity++;
}

bool irqchip_enable(unsigned source, unsigned type, unsigned context)
{
    if (source > MAX_SOURCE)
        return false;
    uint32_t bit = 1u << source % 32, *word = &levels[source / 32];
    bool edge = type == APLIC_RISING || type == APLIC_FALLING;
    *word = edge ? *word & ~bit : *word | bit;
    if (kind == BOARD_PLIC)
        return plic_hw_enable(&plic, context, source, 1);
    uint32_t target = aplic_hw_target(context, 0, 1); /* the highest priority: there is one only */
    if (kind == BOARD_IMSIC) {
        unsigned id = identity(source);
        uint64_t file = imsic_file_address(&board_tree.imsic, context);
        if (!id)
            return false;
        target = aplic_hw_target(imsic_hart_index(&board_tree.imsic, file), 0, id);
    }
    return aplic_hw_enable(&aplic, source, type, target);
}

void irqchip_disable(unsigned source, unsigned context)
{
    if (kind == BOARD_PLIC)
        plic_hw_enable(&plic, context, source, 0);
    else if (kind != BOARD_NONE)
        aplic_hw_mask(&aplic, source);
}

/* At most one behind a kick, so that no storm keeps the hart here. */
static unsigned claim_message(void)
{
    unsigned id = imsic_file_claim();
    if (id == KICK)
        id = imsic_file_claim();
    unsigned what = id < IDENTITIES ? atomic_load(&meaning[id]) : 0;
    if (!(what & OWN))
        return what;
    own[what & ~OWN].serve(own[what & ~OWN].owner);
    return 0;
}

unsigned irqchip_claim(unsigned context)
{
    unsigned source;
    if (kind == BOARD_PLIC) {
        source = plic_hw_claim(&plic, context);
        if (source && !is_level(source))
            plic_hw_complete(&plic, context, source);
        return source;
    }
    if (kind == BOARD_IMSIC)
        return claim_message();
    source = aplic_hw_claim(&aplic, context);
    if (source)
        aplic_hw_mask(&aplic, source); /* a level stays pending whoever claims it (4.7) */
    return source;
}

void irqchip_complete(unsigned source, unsigned context)
{
    if (kind == BOARD_APLIC)
        aplic_hw_unmask(&aplic, source);
    else if (!is_level(source))
        return;
    else if (kind == BOARD_PLIC)
        plic_hw_complete(&plic, context, source);
    else
        aplic_hw_retrigger(&aplic, source);
}

void irqchip_msi_hold(const struct irqchip_msi *msi, bool hold)
{
    imsic_file_let(msi->data, !hold);
}

bool irqchip_msi(unsigned context, void (*serve)(void *owner), void *owner, struct irqchip_msi *msi)
{
    if (kind != BOARD_IMSIC || own_count == OWN_MESSAGES)
        return false;
    own[own_count].serve = serve;
    own[own_count].owner = owner;
    msi->data = identity(OWN | own_count);
    msi->address = imsic_file_address(&board_tree.imsic, context);
    own_count += msi->data != 0;
    return msi->data != 0;
}
