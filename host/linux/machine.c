/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The harts, as Linux and a look at one of them tell, and the module's own life. */
#include <linux/kvm.h>

#include <asm/cpufeature.h>
#include <asm/timex.h>
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/cpuhotplug.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

#include "module.h"

#define MINOR_OF_KVM 232 /* KVM_MINOR, which Linux's public headers don't have */

struct cald_machine *machine;
struct cald_machine_params told;
static char isa[512], guest_isa[512];
static int hotplug_state;
static bool has_h;

#define EXT(NAME, name)                                                                            \
    {                                                                                              \
        KVM_RISCV_ISA_EXT_##NAME, RISCV_ISA_EXT_##NAME, name                                       \
    }

/* What KVM's ABI numbers, as Linux and as device trees call it. What is not here no guest has. */
static const struct {
    u32 kvm, linux_bit;
    const char *name;
} extensions[] = {
    {KVM_RISCV_ISA_EXT_I, RISCV_ISA_EXT_i, "i"},
    {KVM_RISCV_ISA_EXT_M, RISCV_ISA_EXT_m, "m"},
    {KVM_RISCV_ISA_EXT_A, RISCV_ISA_EXT_a, "a"},
    {KVM_RISCV_ISA_EXT_F, RISCV_ISA_EXT_f, "f"},
    {KVM_RISCV_ISA_EXT_D, RISCV_ISA_EXT_d, "d"},
    {KVM_RISCV_ISA_EXT_C, RISCV_ISA_EXT_c, "c"},
    {KVM_RISCV_ISA_EXT_V, RISCV_ISA_EXT_v, "v"},
    EXT(SSAIA, "ssaia"),
    EXT(ZICSR, "zicsr"),
    EXT(ZIFENCEI, "zifencei"),
    EXT(ZICNTR, "zicntr"),
    EXT(ZICOND, "zicond"),
    EXT(ZIHINTPAUSE, "zihintpause"),
    EXT(ZIHINTNTL, "zihintntl"),
    EXT(ZICBOM, "zicbom"),
    EXT(ZICBOZ, "zicboz"),
    EXT(ZBA, "zba"),
    EXT(ZBB, "zbb"),
    EXT(ZBC, "zbc"),
    EXT(ZBS, "zbs"),
    EXT(ZBKB, "zbkb"),
    EXT(ZBKC, "zbkc"),
    EXT(ZBKX, "zbkx"),
    EXT(ZFA, "zfa"),
    EXT(ZFH, "zfh"),
    EXT(ZFHMIN, "zfhmin"),
    EXT(ZACAS, "zacas"),
    EXT(ZAWRS, "zawrs"),
    EXT(ZCA, "zca"),
    EXT(ZCB, "zcb"),
    EXT(ZCD, "zcd"),
};

static bool guest_isa_has(const char *name)
{
    char word[20], *at = guest_isa + 4; /* behind "rv64" */
    if (!name[1]) {
        char *end = strchrnul(at, '_');
        return memchr(at, name[0], end - at);
    }
    snprintf(word, sizeof(word), "_%s", name);
    at = strstr(at, word);
    return at && (!at[strlen(word)] || at[strlen(word)] == '_');
}

const char *machine_extension_name(u32 extension)
{
    for (size_t n = 0; n < ARRAY_SIZE(extensions); n++)
        if (extensions[n].kvm == extension)
            return extensions[n].name;
    return NULL;
}

bool machine_has(u32 extension)
{
    const char *name = machine_extension_name(extension);
    return name && guest_isa_has(name);
}

unsigned int machine_satp_mode(void)
{
    return min(told.satp_levels, 4U) + 5; /* 8 is Sv39, 9 Sv48 */
}

static void describe(void)
{
    size_t used = scnprintf(isa, sizeof(isa), "rv64");
    for (size_t n = 0; n < ARRAY_SIZE(extensions); n++)
        if (__riscv_isa_extension_available(NULL, extensions[n].linux_bit))
            used += scnprintf(isa + used, sizeof(isa) - used, "%s%s",
                              extensions[n].name[1] ? "_" : "", extensions[n].name);
}

/* The registers that it tries are the hart's own for that time. ASIDs are all Linux's, and its
 * kernel's entries are global. */
static int machine_begin(void)
{
    int error;
    describe();
    told = (struct cald_machine_params){
        .harts = nr_cpu_ids, .timebase = riscv_timebase, .isa = isa, .kick_identity = 0};
    preempt_disable();
    error = LIBRARY(cald_machine_probe(&told));
    preempt_enable();
    if (error)
        return host_errno(error);
    has_h = told.flags & CALD_MACHINE_H;
    told.flags &= ~CALD_MACHINE_H;
    told.flags |= CALD_MACHINE_PRIVATE_ROOT | CALD_MACHINE_GLOBAL;
    if (timer_traps())
        told.flags |= CALD_MACHINE_TIME_TRAPS;
    told.first_asid = told.asids = 0;
    error = LIBRARY_ALLOCATES(cald_machine_create(&told, NULL, &machine));
    if (error)
        return host_errno(error);
    cald_machine_isa(machine, CALD_MACHINE_SHADOW, guest_isa, sizeof(guest_isa));
    return 0;
}

static int hart_online(unsigned int cpu)
{
    return host_errno(LIBRARY(cald_hart_begin(machine, cpu)));
}

static int hart_offline(unsigned int cpu)
{
    LIBRARY_DO(cald_hart_end(machine, cpu));
    return 0;
}

static struct miscdevice device = {.minor = MINOR_OF_KVM, .name = "kvm", .fops = &kvm_fops};

/* /dev/kvm where Linux's own KVM can't serve; beside it where it could. */
static int device_begin(void)
{
    if (has_h) {
        device.minor = MISC_DYNAMIC_MINOR;
        device.name = "caldarium";
    }
    return misc_register(&device);
}

static int __init caldarium_init(void)
{
    int error = machine_begin();
    if (error) {
        pr_err("caldarium: this machine can't be used: error %d\n", error);
        return error;
    }
    hotplug_state =
        cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "virt/caldarium:online", hart_online, hart_offline);
    error = hotplug_state < 0 ? hotplug_state : device_begin();
    if (error) {
        if (hotplug_state >= 0)
            cpuhp_remove_state(hotplug_state);
        cald_machine_destroy(machine);
        return error;
    }
    pr_info("caldarium: /dev/%s serves guests by engine shadow, Sv%u, isa %s\n", device.name,
            machine_satp_mode() == 9 ? 48 : 39, guest_isa);
    return 0;
}

static void __exit caldarium_exit(void)
{
    misc_deregister(&device);
    cpuhp_remove_state(hotplug_state);
    cald_machine_destroy(machine);
}

module_init(caldarium_init);
module_exit(caldarium_exit);
MODULE_LICENSE("Dual BSD/GPL");
MODULE_DESCRIPTION("KVM's interface on RISC-V harts without the H extension");
MODULE_ALIAS("devname:kvm");
