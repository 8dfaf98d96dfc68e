/* SPDX-License-Identifier: BSD-2-Clause */
/* docs/bundle.md describes each property; this table is that page's other half. */
#include "appliance/bundle/property.h"

#include <libfdt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "appliance/print.h"
#include "appliance/vm.h"
#include "host/host.h"

/* Physical addresses have 56 bits. What an engine reaches is looked at when that is chosen. */
#define GPA_LIMIT (1UL << 56)

void property_refuse(struct vm_config *config, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(config->reason, sizeof(config->reason), format, args);
    va_end(args);
    config->refused = true;
    vm_error(config->name, "%s; it is refused", config->reason);
}

bool property_wrong(struct vm_config *config, const struct property *p, const char *expected)
{
    property_refuse(config, "property %s: %s is expected", p->name, expected);
    return false;
}

static uint64_t cell(const struct property *p, unsigned n)
{
    return fdt32_ld((const fdt32_t *)(p->data + 4 * n));
}

static uint64_t two_cells(const struct property *p, unsigned n)
{
    return cell(p, n) << 32 | cell(p, n + 1);
}

/* A string that ends inside the property, and with it. */
static const char *string(const struct property *p)
{
    return p->bytes > 0 && strnlen(p->data, (size_t)p->bytes) == (size_t)p->bytes - 1 ? p->data
                                                                                      : NULL;
}

static bool number(struct vm_config *config, const struct property *p, uint64_t low, uint64_t high,
                   unsigned *out)
{
    if (p->bytes == 4 && cell(p, 0) >= low && cell(p, 0) <= high) {
        *out = (unsigned)cell(p, 0);
        return true;
    }
    property_refuse(config, "property %s: one number from %lu to %lu is expected", p->name, low,
                    high);
    return false;
}

bool property_bytes(struct vm_config *config, const struct property *p, uint64_t *out)
{
    if (p->bytes != 4 && p->bytes != 8)
        return property_wrong(config, p, "a number of bytes, of one or two cells");
    *out = p->bytes == 4 ? cell(p, 0) : two_cells(p, 0);
    return true;
}

static bool address(struct vm_config *config, const struct property *p, uint64_t *out, bool *has)
{
    if (p->bytes != 4 && p->bytes != 8)
        return property_wrong(config, p, "an address of one or two cells");
    *out = p->bytes == 4 ? cell(p, 0) : two_cells(p, 0);
    *has = true;
    return true;
}

/* What is wrong with a range of guest addresses by itself; NULL: nothing. */
static const char *range_fault(struct config_range r)
{
    if (!r.size || r.base % HOST_PAGE_SIZE || r.size % HOST_PAGE_SIZE)
        return "base and size are multiples of 4096, and size is not 0";
    if (r.base + r.size < r.base || r.base + r.size > GPA_LIMIT)
        return "it ends at or below 0x100000000000000";
    return NULL;
}

static bool check_range(struct vm_config *config, const struct property *p, unsigned n)
{
    struct config_range r = config->memory[n];
    const char *fault = range_fault(r);
    if (fault) {
        property_refuse(config, "property %s: range %u (%#lx + %#lx): expected is that %s", p->name,
                        n + 1, r.base, r.size, fault);
        return false;
    }
    for (unsigned other = 0; other < n; other++) {
        if (config_overlap(r, config->memory[other])) {
            property_refuse(config, "property %s: range %u (%#lx + %#lx) overlaps range %u",
                            p->name, n + 1, r.base, r.size, other + 1);
            return false;
        }
    }
    const struct map_window *window = map_kept(r);
    if (window)
        property_refuse(config, "property %s: range %u (%#lx + %#lx) overlaps the %s at %#lx",
                        p->name, n + 1, r.base, r.size, window->name, window->range.base);
    return !window;
}

static bool memory(struct vm_config *config, const struct property *p)
{
    if (p->bytes < 16 || p->bytes % 16 || p->bytes / 16 > VM_MAX_RANGES)
        return property_wrong(config, p, "1 to 16 pairs of base and size, two cells each");
    config->memory_ranges = (unsigned)p->bytes / 16;
    for (unsigned n = 0; n < config->memory_ranges; n++) {
        config->memory[n] = (struct config_range){two_cells(p, 4 * n), two_cells(p, 4 * n + 2)};
        if (!check_range(config, p, n))
            return false;
    }
    return true;
}

static bool vcpus(struct vm_config *config, const struct property *p)
{
    return number(config, p, 1, VM_MAX_VCPUS, &config->vcpus);
}

/* A reference to a node below /images. */
bool property_image(struct vm_config *config, const struct property *p, struct config_image *out)
{
    if (p->bytes != 4)
        return property_wrong(config, p, "one reference to a node of /images");
    int node = fdt_node_offset_by_phandle(p->fdt, (uint32_t)cell(p, 0));
    int parent = node < 0 ? node : fdt_parent_offset(p->fdt, node);
    if (parent < 0 || parent != fdt_path_offset(p->fdt, "/images"))
        return property_wrong(config, p, "a reference to a node of /images");
    int bytes;
    out->name = fdt_get_name(p->fdt, node, NULL);
    out->data = fdt_getprop(p->fdt, node, "data", &bytes);
    if (!out->data || bytes <= 0) {
        property_refuse(config, "property %s: image %s has no property data, or an empty one",
                        p->name, out->name);
        return false;
    }
    out->size = (size_t)bytes;
    return true;
}

static bool kernel(struct vm_config *config, const struct property *p)
{
    return property_image(config, p, &config->kernel);
}

static bool state(struct vm_config *config, const struct property *p)
{
    return property_image(config, p, &config->state);
}

static bool ramdisk(struct vm_config *config, const struct property *p)
{
    return property_image(config, p, &config->ramdisk);
}

static bool fdt_image(struct vm_config *config, const struct property *p)
{
    return property_image(config, p, &config->fdt);
}

static bool load_address(struct vm_config *config, const struct property *p)
{
    return address(config, p, &config->load_address, &config->has_load_address);
}

static bool entry(struct vm_config *config, const struct property *p)
{
    return address(config, p, &config->entry, &config->has_entry);
}

static bool bootargs(struct vm_config *config, const struct property *p)
{
    config->bootargs = string(p);
    return config->bootargs || property_wrong(config, p, "one string");
}

static bool harts(struct vm_config *config, const struct property *p)
{
    if (p->bytes < 4 || p->bytes % 4 || p->bytes / 4 > VM_MAX_VCPUS)
        return property_wrong(config, p, "1 to 64 hart ids");
    config->hart_count = (unsigned)p->bytes / 4;
    for (unsigned n = 0; n < config->hart_count; n++) {
        config->harts[n] = cell(p, n);
        for (unsigned other = 0; other < n; other++) {
            if (config->harts[other] == config->harts[n])
                return property_wrong(config, p, "each hart id once");
        }
    }
    return true;
}

/* One of several words. */
static int choice(struct vm_config *config, const struct property *p, const char *const *served)
{
    const char *text = string(p);
    for (int n = 0; text && served[n]; n++) {
        if (!strcmp(text, served[n]))
            return n;
    }
    property_refuse(config, "property %s: \"%s\"%s%s%s%s is expected", p->name, served[0],
                    served[1] ? " or \"" : "", served[1] ? served[1] : "", served[1] ? "\"" : "",
                    served[1] && served[2] ? " (or another)" : "");
    return -1;
}

static bool schedule(struct vm_config *config, const struct property *p)
{
    static const char *const served[] = {"shared", "pinned", NULL};
    int n = choice(config, p, served);
    config->schedule = n == 1 ? SCHEDULE_PINNED : SCHEDULE_SHARED;
    return n >= 0;
}

static bool priority(struct vm_config *config, const struct property *p)
{
    return number(config, p, 0, PRIORITY_MAX, &config->priority);
}

/* A reservation shorter than this would go into switching. */
#define PERIOD_DEFAULT_US 10000

static bool budget_us(struct vm_config *config, const struct property *p)
{
    return number(config, p, BUDGET_MIN_US, PERIOD_MAX_US, &config->budget_us);
}

static bool period_us(struct vm_config *config, const struct property *p)
{
    return number(config, p, PERIOD_MIN_US, PERIOD_MAX_US, &config->period_us);
}

static bool engine(struct vm_config *config, const struct property *p)
{
    static const char *const served[] = {"h", "shadow", NULL};
    int n = choice(config, p, served);
    config->engine = n == 1 ? ENGINE_SHADOW : ENGINE_H;
    return n >= 0;
}

static bool console(struct vm_config *config, const struct property *p)
{
    static const char *const served[] = {"uart", "none", "virtio", NULL};
    int n = choice(config, p, served);
    config->console = n == 1 ? CONSOLE_NONE : n == 2 ? CONSOLE_VIRTIO : CONSOLE_UART;
    return n >= 0;
}

static bool legacy_getchar(struct vm_config *config, const struct property *p)
{
    static const char *const served[] = {"minus-one", "zero", NULL};
    int n = choice(config, p, served);
    config->getchar_zero = n == 1;
    return n >= 0;
}

static bool pause_time(struct vm_config *config, const struct property *p)
{
    static const char *const served[] = {"stop", "run", NULL};
    int n = choice(config, p, served);
    config->pause_time_runs = n == 1;
    return n >= 0;
}

static bool irqchip(struct vm_config *config, const struct property *p)
{
    static const char *const served[] = {"plic", "aplic", "imsic", NULL};
    int n = choice(config, p, served);
    config->irqchip = (enum config_irqchip)(IRQCHIP_PLIC + n);
    return n >= 0;
}

static bool on_event(struct vm_config *config, const struct property *p, enum config_on *out,
                     const char *const *served)
{
    int n = choice(config, p, served);
    if (n >= 0)
        *out = (enum config_on)n;
    return n >= 0;
}

static bool on_fault(struct vm_config *config, const struct property *p)
{
    static const char *const served[] = {"stop", "restart", "pause", "rollback", NULL};
    return on_event(config, p, &config->on_fault, served);
}

static bool on_reset(struct vm_config *config, const struct property *p)
{
    static const char *const served[] = {"stop", "restart", "pause", NULL};
    return on_event(config, p, &config->on_reset, served);
}

static bool autostart(struct vm_config *config, const struct property *p)
{
    const char *text = string(p);
    if (p->bytes == 4 && cell(p, 0) <= 1)
        config->autostart = cell(p, 0);
    else if (!p->bytes || (text && !strcmp(text, "true")))
        config->autostart = true;
    else if (text && !strcmp(text, "false"))
        config->autostart = false;
    else
        return property_wrong(config, p, "<0>, <1>, \"true\" or \"false\"");
    return true;
}

static bool watchdog_ms(struct vm_config *config, const struct property *p)
{
    return number(config, p, 1, UINT32_MAX, &config->watchdog_ms);
}

static bool restart_limit(struct vm_config *config, const struct property *p)
{
    return number(config, p, 0, UINT32_MAX, &config->restart_limit);
}

static bool isa_disable(struct vm_config *config, const struct property *p)
{
    const char *at = p->data, *end = p->data + p->bytes;
    if (p->bytes < 2 || end[-1])
        return property_wrong(config, p, "a list of extension names");
    for (; at < end; at += strlen(at) + 1) {
        enum riscv_ext ext = isa_find(at, strlen(at));
        if (ext == ISA_EXT_COUNT) {
            property_refuse(config, "property %s: extension \"%.32s\" is not known", p->name, at);
            return false;
        }
        config->isa_disable[ext] = 1;
    }
    return true;
}

static bool passthrough(struct vm_config *config, const struct property *p)
{
    if (p->bytes < 2 || p->data[p->bytes - 1] || !*p->data)
        return property_wrong(config, p, "a list of paths or aliases of the board's tree");
    config->passthrough = p->data;
    config->passthrough_bytes = (size_t)p->bytes;
    return true;
}

/* A property that says something by being there. */
bool property_flag(struct vm_config *config, const struct property *p, bool *out)
{
    *out = true;
    return !p->bytes || property_wrong(config, p, "no value");
}

static bool direct_map(struct vm_config *config, const struct property *p)
{
    return property_flag(config, p, &config->direct_map);
}

static bool unprotected_dma(struct vm_config *config, const struct property *p)
{
    return property_flag(config, p, &config->unprotected_dma);
}

/* Entries of a name, then five cells: base and size of two each, and the interrupt. */
static bool shared_memory(struct vm_config *config, const struct property *p)
{
    const char *at = p->data, *end = at + p->bytes;
    while (at < end) {
        size_t name = strnlen(at, (size_t)(end - at)) + 1;
        if (name == 1 || at + name + 20 > end)
            return property_wrong(
                config, p, "\"NAME\", <base size interrupt> with base and size of two cells");
        if (config->shared_count == VM_MAX_SHARED)
            return property_wrong(config, p, "at most 4 regions");
        struct config_shared *shared = &config->shared[config->shared_count++];
        struct property cells = {.data = at + name};
        *shared = (struct config_shared){
            at, {two_cells(&cells, 0), two_cells(&cells, 2)}, (unsigned)cell(&cells, 4)};
        struct config_range all = {shared->range.base, shared->range.size + SHARED_DOORBELL_SIZE};
        const char *fault = range_fault(all);
        if (!fault)
            fault = range_fault(shared->range);
        if (!fault && map_kept(all))
            fault = "it lies where no virtual device is";
        if (!fault &&
            (!shared->irq || shared->irq > GUEST_MAX_SOURCES || shared->irq == GUEST_UART_IRQ))
            fault = "the interrupt is from 1 to 1023, and not the UART's 10";
        if (fault) {
            property_refuse(config, "property %s: %.31s (%#lx + %#lx): expected is that %s",
                            p->name, at, shared->range.base, shared->range.size, fault);
            return false;
        }
        at += name + 20;
    }
    return config->shared_count || property_wrong(config, p, "at least one region");
}

static bool nothing(struct vm_config *config, const struct property *p)
{
    (void)config, (void)p;
    return true;
}

static const struct {
    const char *name;
    bool (*read)(struct vm_config *config, const struct property *p);
} properties[] = {
    {"compatible", nothing},
    {"phandle", nothing},
    {"linux,phandle", nothing},
    {"memory", memory},
    {"vcpus", vcpus},
    {"kernel", kernel},
    {"load-address", load_address},
    {"entry", entry},
    {"ramdisk", ramdisk},
    {"state", state},
    {"bootargs", bootargs},
    {"fdt", fdt_image},
    {"harts", harts},
    {"schedule", schedule},
    {"priority", priority},
    {"budget-us", budget_us},
    {"period-us", period_us},
    {"passthrough", passthrough},
    {"direct-map", direct_map},
    {"allow-unprotected-dma", unprotected_dma},
    {"shared-memory", shared_memory},
    {"engine", engine},
    {"console", console},
    {"legacy-getchar", legacy_getchar},
    {"irqchip", irqchip},
    {"isa-disable", isa_disable},
    {"autostart", autostart},
    {"on-fault", on_fault},
    {"on-reset", on_reset},
    {"pause-time", pause_time},
    {"restart-limit", restart_limit},
    {"watchdog-ms", watchdog_ms},
};

void property_defaults(struct vm_config *config)
{
    config->vcpus = 1;
    config->priority = PRIORITY_DEFAULT;
    config->period_us = PERIOD_DEFAULT_US;
    config->bootargs = "";
    config->autostart = true;
    config->on_fault = ON_STOP;
    config->on_reset = ON_RESTART;
}

static bool read_one(struct vm_config *config, const struct property *p)
{
    for (unsigned n = 0; n < sizeof(properties) / sizeof(*properties); n++) {
        if (!strcmp(p->name, properties[n].name))
            return properties[n].read(config, p);
    }
    property_refuse(config, "property %.40s is unknown", p->name);
    return false;
}

void property_read_all(const void *fdt, int node, struct vm_config *config)
{
    int at;
    fdt_for_each_property_offset(at, fdt, node)
    {
        struct property p = {.fdt = fdt};
        p.data = fdt_getprop_by_offset(fdt, at, &p.name, &p.bytes);
        if (!p.data || !read_one(config, &p))
            return;
    }
    int child;
    fdt_for_each_subnode(child, fdt, node)
    {
        property_read_device(fdt, child, config);
        if (config->refused)
            return;
    }
    if (!config->memory_ranges)
        property_refuse(config, "property memory is missing");
    else if (!config->kernel.size && !config->state.size)
        property_refuse(config, "property kernel is missing");
    else if (config->state.size &&
             (config->kernel.size || config->ramdisk.size || config->fdt.size))
        property_refuse(config, "property state: kernel, ramdisk and fdt are in it already");
    else if (config->state.size && config->passthrough)
        property_refuse(config, "property state: no device of the board goes with it");
    else if (config->state.size && config->virtio_count)
        property_refuse(config, "property state: no virtio device goes with it yet");
    else if (config->schedule == SCHEDULE_PINNED && config->hart_count < config->vcpus)
        property_refuse(config, "property schedule: \"pinned\" expects %u harts in property harts",
                        config->vcpus);
    else if (config->schedule == SCHEDULE_PINNED && config->budget_us)
        property_refuse(config, "property budget-us: a pinned VM has all of its harts");
    else if (config->budget_us > config->period_us)
        property_refuse(config, "property budget-us: at most period-us, %u, is expected",
                        config->period_us);
}
