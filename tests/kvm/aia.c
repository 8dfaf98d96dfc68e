/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interrupt controller in the kernel: how it is set up and what is refused, and three ways for
 * an interrupt into the guest's file: an eventfd, a message of the VMM's, a wire of the APLIC's.
 * The guest opens its file for identities 5 and 6, says so by a store, and stores what it takes of
 * it.
 */
#include <sys/eventfd.h>

#include "vmm.h"

/* Linux 6.6's headers have them, Debian 12's don't. */
#define TYPE_AIA 11
enum { CONFIG, ADDR, CTRL, APLIC, IMSIC };
enum { CONFIG_MODE, CONFIG_IDS, CONFIG_SRCS };
#define AUTO 2

#define APLIC_AT 0xd000000UL
#define IMSIC_AT 0x28000000UL
#define SOURCES 96
#define SOURCE 3
#define GSI_MESSAGE 200
#define FIVE (5 << 16 | 5) /* stopei: identity and priority */
#define SIX (6 << 16 | 6)
#define MESSAGE_FIVE 5
#define DOMAINCFG 0
#define DOMAINCFG_IE 0x100
#define SOURCECFG(n) (4UL * (n))
#define HIGH 6
#define SETIE 0x1e00
#define TARGET(n) (0x3000 + 4UL * (n))
#define EIE0 0xc0

static const uint32_t code[] = {
    0x20000313, /* addi t1,zero,512 */
    0x10431073, /* csrrw zero,sie,t1 */
    0x07000513, /* addi a0,zero,112 */
    0x15051073, /* csrrw zero,siselect,a0 */
    0x1510d073, /* csrrwi zero,sireg,1 */
    0x0c000513, /* addi a0,zero,192 */
    0x15051073, /* csrrw zero,siselect,a0 */
    0x06000593, /* addi a1,zero,96 */
    0x15159073, /* csrrw zero,sireg,a1 */
    0x100012b7, /* lui t0,0x10001 */
    0x0002a223, /* sw zero,4(t0) # 10001004 <w+0x10000fd8> */
    0x10500073, /* wfi */
    0x15c015f3, /* csrrw a1,stopei,zero */
    0xfe058ce3, /* beq a1,zero,2c <w> */
    0x00b2a023, /* sw a1,0(t0) */
    0xff1ff06f, /* jal zero,2c <w> */
};

static int device;

static void attribute(const char *what, unsigned long number, uint32_t group, uint64_t attr,
                      uint64_t *value, int error)
{
    struct kvm_device_attr args = {.group = group, .attr = attr, .addr = (uintptr_t)value};
    call(what, device, number, &args, error);
}

static void set(const char *what, uint32_t group, uint64_t attr, uint64_t value, int error)
{
    attribute(what, KVM_SET_DEVICE_ATTR, group, attr, &value, error);
}

static uint64_t get(const char *what, uint32_t group, uint64_t attr)
{
    uint64_t value = 0;
    attribute(what, KVM_GET_DEVICE_ATTR, group, attr, &value, 0);
    return value;
}

static void make(void)
{
    struct kvm_create_device args = {.type = TYPE_AIA};
    struct kvm_irq_level line = {.irq = SOURCE, .level = 1};
    call("a wire of no controller", vm, KVM_IRQ_LINE, &line, ENXIO);
    args.type = KVM_DEV_TYPE_VFIO;
    call("a device of another sort", vm, KVM_CREATE_DEVICE, &args, ENODEV);
    args.type = TYPE_AIA;
    call("the device", vm, KVM_CREATE_DEVICE, &args, 0);
    device = (int)args.fd;
    call("another one", vm, KVM_CREATE_DEVICE, &args, EEXIST);
    call("a wire, too early", vm, KVM_IRQ_LINE, &line, EBUSY);
    set("a mode that this machine lacks", CONFIG, CONFIG_MODE, AUTO, EINVAL);
    set("identities", CONFIG, CONFIG_IDS, 64, EINVAL);
    set("identities", CONFIG, CONFIG_IDS, 255, 0);
    set("sources", CONFIG, CONFIG_SRCS, 1024, EINVAL);
    set("sources", CONFIG, CONFIG_SRCS, SOURCES, 0);
    set("something else", CONFIG, 7, 0, ENXIO);
    set("ready without addresses", CTRL, 0, 0, EINVAL);
    set("an odd address", ADDR, 0, APLIC_AT + 4, EINVAL);
    set("the APLIC's address", ADDR, 0, APLIC_AT, 0);
    set("the file's address", ADDR, 1, IMSIC_AT, 0);
    set("the address of a file too many", ADDR, 2, IMSIC_AT, EINVAL);
    set("ready", CTRL, 0, 0, 0);
    set("ready again", CTRL, 0, 0, EBUSY);
    set("sources, too late", CONFIG, CONFIG_SRCS, SOURCES, EBUSY);
    expect("sources", (long)get("sources", CONFIG, CONFIG_SRCS), SOURCES);
    errno = 0;
    expect("a vCPU, too late", ioctl(vm, KVM_CREATE_VCPU, 1UL) < 0 ? errno : 0, EBUSY);
}

static void stored(const char *what, uint32_t expected)
{
    uint32_t value;
    run_to(KVM_EXIT_MMIO);
    memcpy(&value, run->mmio.data, sizeof(value));
    expect(what, value, expected);
}

static void route(void)
{
    struct {
        struct kvm_irq_routing head;
        struct kvm_irq_routing_entry entry[2];
    } routes = {.head.nr = 2};
    routes.entry[0].gsi = SOURCE;
    routes.entry[0].type = KVM_IRQ_ROUTING_IRQCHIP;
    routes.entry[0].u.irqchip.pin = SOURCE;
    routes.entry[1].gsi = SOURCE;
    routes.entry[1].type = KVM_IRQ_ROUTING_MSI;
    routes.entry[1].u.msi.address_lo = IMSIC_AT;
    routes.entry[1].u.msi.data = MESSAGE_FIVE;
    call("two routes of one number", vm, KVM_SET_GSI_ROUTING, &routes, EINVAL);
    routes.entry[1].gsi = GSI_MESSAGE;
    call("routes", vm, KVM_SET_GSI_ROUTING, &routes, 0);
}

static void by_eventfd(void)
{
    int event = eventfd(0, EFD_NONBLOCK);
    struct kvm_irqfd args = {.fd = (uint32_t)event, .gsi = GSI_MESSAGE};
    uint64_t one = 1;
    call("an eventfd", vm, KVM_IRQFD, &args, 0);
    call("the same again", vm, KVM_IRQFD, &args, EBUSY);
    expect("a signal", write(event, &one, sizeof(one)), sizeof(one));
    stored("what the eventfd brought", FIVE);
    args.flags = KVM_IRQFD_FLAG_DEASSIGN;
    call("without it", vm, KVM_IRQFD, &args, 0);
    expect("a signal for nobody", write(event, &one, sizeof(one)), sizeof(one));
}

static void by_message(void)
{
    struct kvm_msi msi = {.address_lo = IMSIC_AT, .data = 6};
    expect("a message", ioctl(vm, KVM_SIGNAL_MSI, &msi), 1);
    stored("what it brought", SIX);
    msi.address_lo += 0x1000;
    expect("a message to nobody", ioctl(vm, KVM_SIGNAL_MSI, &msi), 0);
}

/* The VMM sets the APLIC up, as one that restores it does. */
static void by_wire(void)
{
    struct kvm_irq_level line = {.irq = SOURCE, .level = 1};
    set("the APLIC's domaincfg", APLIC, DOMAINCFG, DOMAINCFG_IE, 0);
    set("a sourcecfg", APLIC, SOURCECFG(SOURCE), HIGH, 0);
    set("a target", APLIC, TARGET(SOURCE), MESSAGE_FIVE, 0);
    set("setie", APLIC, SETIE, 1 << SOURCE, 0);
    set("no register", APLIC, 0x2800, 0, ENXIO);
    expect("a target", (long)get("a target", APLIC, TARGET(SOURCE)), MESSAGE_FIVE);
    expect("domaincfg", (long)get("domaincfg", APLIC, DOMAINCFG), 0x80000104);
    expect("the file's identities", (long)get("eie0", IMSIC, EIE0), 0x60);
    call("a wire", vm, KVM_IRQ_LINE, &line, 0);
    stored("what the wire brought", FIVE);
    line.irq = SOURCES + 1;
    call("a wire that there isn't", vm, KVM_IRQ_LINE, &line, EINVAL);
}

int main(void)
{
    begin("aia");
    load(code, sizeof(code), 65536);
    make();
    reg_set(CORE(0), RAM);
    stored("that it is ready", 0);
    route();
    by_eventfd();
    by_message();
    by_wire();
    printf("aia: all good\n");
    return 0;
}
