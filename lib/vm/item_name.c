/* SPDX-License-Identifier: BSD-2-Clause */
/* What items are called: the other half of include/caldarium/caldarium.h. */
#include "caldarium/caldarium.h"
#include "lib/vcpu/items.h"
#include "riscv/isa.h"

struct text {
    char *at, *end; /* end: where its zero goes at the latest */
};

static void add(struct text *text, const char *word)
{
    for (; *word && text->at < text->end; word++)
        *text->at++ = *word;
}

static void add_number(struct text *text, uint32_t number, uint32_t base)
{
    char digits[12];
    unsigned n = sizeof(digits);
    digits[--n] = 0;
    do
        digits[--n] = "0123456789abcdef"[number % base];
    while (number /= base);
    add(text, base == 16 ? "0x" : "");
    add(text, digits + n);
}

static void add_pair(struct text *text, const char *word, uint32_t number)
{
    add(text, word);
    add_number(text, number, 10);
}

/* A name by number; `other` with the number, in hex, where it has none. */
struct named {
    uint32_t index;
    const char *name;
};

static void add_named(struct text *text, const struct named *names, unsigned count, uint32_t index,
                      const char *other)
{
    for (unsigned n = 0; n < count; n++) {
        if (names[n].index == index) {
            add(text, names[n].name);
            return;
        }
    }
    add(text, other);
    add_number(text, index, 16);
}
#define ADD_NAMED(text, names, index, other)                                                       \
    add_named(text, names, sizeof(names) / sizeof(*(names)), index, other)

static const struct named csrs[] = {
    {0x003, "fcsr"},     {0x008, "vstart"},   {0x00f, "vcsr"},       {0xc00, "cycle"},
    {0xc02, "instret"},  {0xc20, "vl"},       {0xc21, "vtype"},      {0x100, "sstatus"},
    {0x104, "sie"},      {0x105, "stvec"},    {0x106, "scounteren"}, {0x10a, "senvcfg"},
    {0x140, "sscratch"}, {0x141, "sepc"},     {0x142, "scause"},     {0x143, "stval"},
    {0x144, "sip"},      {0x150, "siselect"}, {0x180, "satp"}};
static const struct named hsm[] = {{CALD_HSM_STATE, "HSM state"},
                                   {CALD_HSM_PC, "HSM start address"},
                                   {CALD_HSM_OPAQUE, "HSM start argument"},
                                   {CALD_HSM_RETENTIVE, "HSM suspend type"}};
static const struct named sta[] = {{0, "STA record"}, {1, "STA steal time"}};
static const struct named vm[] = {{CALD_VM_TIME, "time"},
                                  {CALD_VM_VCPUS, "number of vCPUs"},
                                  {CALD_VM_IRQCHIP, "interrupt controller"},
                                  {CALD_VM_TIMEBASE, "timebase"},
                                  {CALD_VM_VLENB, "vlenb"},
                                  {CALD_VM_SOURCES, "number of interrupt sources"},
                                  {CALD_VM_IMSIC_IDS, "number of interrupt identities"}};
static const struct named uart[] = {{CALD_UART_IER, "serial port IER"},
                                    {CALD_UART_FCR, "serial port FCR"},
                                    {CALD_UART_LCR, "serial port LCR"},
                                    {CALD_UART_MCR, "serial port MCR"},
                                    {CALD_UART_SCR, "serial port SCR"},
                                    {CALD_UART_DLL, "serial port DLL"},
                                    {CALD_UART_DLM, "serial port DLM"},
                                    {CALD_UART_ERRORS, "serial port LSR errors"},
                                    {CALD_UART_THRE, "serial port THRE interrupt"},
                                    {CALD_UART_LINE_DATA, "serial port data line"},
                                    {CALD_UART_LINE_EMPTY, "serial port empty line"},
                                    {CALD_UART_FIFO_COUNT, "serial port FIFO count"},
                                    {CALD_UART_TYPED_COUNT, "serial port typed count"},
                                    {CALD_UART_FULL, "serial port full"}};

static void add_core(struct text *text, uint32_t index)
{
    if (!index)
        add(text, "pc");
    else if (index < 32)
        add_pair(text, "x", index);
    else if (index == CALD_CORE_MODE)
        add(text, "privilege mode");
    else
        add_pair(text, "core register ", index);
}

static void add_pmu(struct text *text, uint32_t index)
{
    static const char *const fields[] = {" flags", " event", " value"};
    if (index == CALD_PMU_SNAPSHOT) {
        add(text, "PMU snapshot area");
        return;
    }
    add_pair(text, "PMU counter ", index >> 4);
    if ((index & 15) < 3)
        add(text, fields[index & 15]);
    else
        add_pair(text, " field ", index & 15);
}

static void add_imsic(struct text *text, uint32_t select)
{
    if (select == 0x70)
        add(text, "eidelivery");
    else if (select == 0x72)
        add(text, "eithreshold");
    else if (select >= 0x80 && select < 0xc0)
        add_pair(text, "eip", select - 0x80);
    else if (select >= 0xc0 && select < 0x100)
        add_pair(text, "eie", select - 0xc0);
    else
        add_pair(text, "interrupt file register ", select);
}

static void add_isa(struct text *text, uint32_t index)
{
    add(text, "extension ");
    for (unsigned ext = 0; ext < ISA_EXT_COUNT; ext++) {
        if (cald_isa_index(isa_name(ext)) == index) {
            add(text, isa_name(ext));
            return;
        }
    }
    add_number(text, index, 16);
}

static void add_plic(struct text *text, uint32_t index)
{
    static const char *const words[] = {" pending", " claimed", " level", " edge"};
    add(text, "PLIC");
    if (index < CALD_PLIC_PENDING) {
        add_pair(text, " priority ", index);
    } else if (index < CALD_PLIC_THRESHOLD) {
        add(text, words[(index - CALD_PLIC_PENDING) / 32]);
        add_pair(text, " word ", index % 32);
    } else if (index < CALD_PLIC_ENABLE) {
        add_pair(text, " threshold of vCPU ", index - CALD_PLIC_THRESHOLD);
    } else {
        add_pair(text, " enables of vCPU ", (index - CALD_PLIC_ENABLE) / 32);
        add_pair(text, " word ", index % 32);
    }
}

static void add_aplic(struct text *text, uint32_t index)
{
    static const char *const words[] = {" domain", " pending", " enable", " wire",
                                        " served", " stale",   " item",   " item"};
    static const char *const regs[] = {" idelivery", " iforce", " ithreshold", " item"};
    add(text, "APLIC");
    if (index < CALD_APLIC_IDC) {
        add(text, words[index / 32]);
        add_pair(text, " word ", index % 32);
    } else if (index < CALD_APLIC_MODE) {
        add(text, regs[index % 4]);
        add_pair(text, " of vCPU ", (index - CALD_APLIC_IDC) / 4);
    } else if (index < CALD_APLIC_TARGET) {
        add_pair(text, " mode of source ", index - CALD_APLIC_MODE);
    } else {
        add_pair(text, " target of source ", index - CALD_APLIC_TARGET);
    }
}

static void add_uart(struct text *text, uint32_t index)
{
    if (index >= CALD_UART_TYPED && index < CALD_UART_FULL)
        add_pair(text, "serial port typed ", index - CALD_UART_TYPED);
    else if (index >= CALD_UART_FIFO && index < CALD_UART_TYPED)
        add_pair(text, "serial port FIFO ", index - CALD_UART_FIFO);
    else
        ADD_NAMED(text, uart, index, "serial port item ");
}

void cald_item_name(uint32_t item, char *name, uint32_t bytes)
{
    uint32_t index = item_index(item);
    if (!bytes)
        return;
    struct text text = {name, name + bytes - 1};
    switch (item_class(item)) {
    case CALD_CORE:
        add_core(&text, index);
        break;
    case CALD_CSR:
        ADD_NAMED(&text, csrs, index, "CSR ");
        break;
    case CALD_FP:
        add_pair(&text, "f", index);
        break;
    case CALD_VECTOR:
        add_pair(&text, "v", index >> 10);
        add_pair(&text, " word ", index & 0x3ff);
        break;
    case CALD_TIMER:
        add(&text, "timer");
        break;
    case CALD_IMSIC:
        add_imsic(&text, index);
        break;
    case CALD_HSM:
        ADD_NAMED(&text, hsm, index, "HSM item ");
        break;
    case CALD_PMU:
        add_pmu(&text, index);
        break;
    case CALD_STA:
        ADD_NAMED(&text, sta, index, "STA item ");
        break;
    case CALD_VM:
        ADD_NAMED(&text, vm, index, "VM item ");
        break;
    case CALD_ISA:
        add_isa(&text, index);
        break;
    case CALD_PLIC:
        add_plic(&text, index);
        break;
    case CALD_APLIC:
        add_aplic(&text, index);
        break;
    case CALD_UART:
        add_uart(&text, index);
        break;
    default:
        add(&text, "item ");
        add_number(&text, item, 16);
    }
    *text.at = 0;
}
