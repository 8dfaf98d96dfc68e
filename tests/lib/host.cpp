// SPDX-License-Identifier: BSD-2-Clause
// A host in C++ that has nothing: it compiles against the public headers alone and links with the archive, without a
// C library and without libgcc. It gives every function that the library asks for and calls what it offers.
#include <caldarium/caldarium.h>
#include <caldarium/devices.h>
#include <caldarium/host.h>

namespace {

alignas(4096) unsigned char memory[1 << 20];
unsigned long taken;

struct Clint { // a device of the host's own, behind cald_vm_region()
    uint64_t word;
    static int read(void *device, cald_vcpu *, uint64_t, uint32_t, uint64_t *value)
    {
        *value = static_cast<Clint *>(device)->word;
        return CALD_OK;
    }
    static int write(void *device, cald_vcpu *, uint64_t, uint32_t, uint64_t value)
    {
        static_cast<Clint *>(device)->word = value;
        return CALD_OK;
    }
};

Clint clint;
const cald_region_ops clint_ops = {Clint::read, Clint::write};

class Guest {
    cald_machine *machine = nullptr;
    cald_vm *vm = nullptr;

  public:
    int begin()
    {
        cald_machine_params told{};
        told.harts = 1;
        told.timebase = host_timebase();
        told.isa = "rv64imac";
        int error = cald_machine_probe(&told);
        if (!error)
            error = cald_machine_create(&told, this, &machine);
        if (!error)
            error = cald_hart_begin(machine, 0);
        cald_vm_params params{};
        params.name = "guest";
        params.owner = this;
        params.vcpus = 1;
        params.engine = told.flags & CALD_MACHINE_H ? CALD_ENGINE_H : CALD_ENGINE_SHADOW;
        params.irqchip = CALD_IRQCHIP_NONE;
        params.plic_base = params.aplic_base = params.imsic_base = params.uart_base = CALD_NOWHERE;
        params.gpa_end = 1UL << 32;
        if (!error)
            error = cald_vm_create(machine, &params, &vm);
        if (!error)
            error = cald_vm_region(vm, "clint", 0x2000000, 0x10000, &clint_ops, &clint);
        return error ? error : cald_vm_start(vm, 0x80000000, 0);
    }

    int run()
    {
        cald_vcpu *vcpu = cald_vm_vcpu(vm, 0);
        cald_exit exit{};
        for (;;) {
            switch (cald_vcpu_run(vcpu, 0, &exit)) {
            case CALD_OFF:
                cald_vcpu_put(vcpu);
                return CALD_OK;
            case CALD_MMIO:
            case CALD_SBI:
            case CALD_CSR_ACCESS:
                cald_vcpu_complete(vcpu, -2, 0);
                break;
            case CALD_FAULT:
                host_line(HOST_ERROR, exit.text, 1);
                return CALD_EFAULT;
            default:
                if (cald_vcpu_pending(vcpu))
                    cald_vcpu_timer(vcpu);
            }
        }
    }

    void end()
    {
        uint64_t pc = 0;
        cald_vcpu_get(cald_vm_vcpu(vm, 0), CALD_CORE, &pc);
        cald_vm_destroy(vm);
        cald_hart_end(machine, 0);
        cald_machine_destroy(machine);
    }
};

} // namespace

extern "C" {

void *host_pages_alloc(uint64_t bytes, uint64_t align)
{
    taken = (taken + align - 1) & ~(align - 1);
    void *pages = memory + taken;
    taken += bytes;
    return taken > sizeof(memory) ? nullptr : pages;
}
void host_pages_free(void *, uint64_t) {}
uint64_t host_pa(const void *va) { return reinterpret_cast<uint64_t>(va); }
void *host_va(uint64_t pa) { return reinterpret_cast<void *>(pa); }
uint64_t host_page_attributes(bool) { return 0; }
uint64_t host_image_pa(const void *object) { return reinterpret_cast<uint64_t>(object); }
bool host_table_share(uint64_t, const uint64_t *) { return false; }
void host_may_yield(void) {}
uint64_t host_time(void) { return 0; }
uint64_t host_timebase(void) { return 10000000; }
void host_timer_arm(cald_vcpu *, uint64_t) {}
void host_fp_begin(cald_vcpu *) {}
void host_fp_end(cald_vcpu *) {}
void host_kick(cald_vcpu *) {}
void host_kicks_begin(void) {}
void host_kicks_end(void) {}
void host_wake(cald_vcpu *) {}
void host_line(enum host_severity, const char *, size_t) {}
void host_panic(const char *, size_t)
{
    for (;;)
        ;
}
size_t host_console_write(cald_vm *, const char *, size_t count) { return count; }
size_t host_console_room(cald_vm *) { return 1; }
void host_console_flush(cald_vm *) {}
void host_console_sent(cald_vm *) {}
bool host_console_hurry(cald_vm *, uint8_t) { return false; }
void host_console_taken(cald_vm *) {}
void host_irq_complete(cald_vm *, unsigned) {}
void host_file_load(cald_vcpu *) {}
void host_file_put(cald_vcpu *) {}
void host_file_collect(cald_vcpu *) {}
cald_page_is host_guest_page(void *, uint64_t, bool, cald_page *) { return CALD_PAGE_NOTHING; }

// What the library needs of a C library.
void *memcpy(void *to, const void *from, size_t bytes)
{
    for (size_t n = 0; n < bytes; n++)
        static_cast<unsigned char *>(to)[n] = static_cast<const unsigned char *>(from)[n];
    return to;
}
void *memmove(void *to, const void *from, size_t bytes)
{
    if (to <= from)
        return memcpy(to, from, bytes);
    while (bytes--)
        static_cast<unsigned char *>(to)[bytes] = static_cast<const unsigned char *>(from)[bytes];
    return to;
}
void *memset(void *to, int value, size_t bytes)
{
    for (size_t n = 0; n < bytes; n++)
        static_cast<unsigned char *>(to)[n] = static_cast<unsigned char>(value);
    return to;
}
int memcmp(const void *a, const void *b, size_t bytes)
{
    for (size_t n = 0; n < bytes; n++) {
        int more = static_cast<const unsigned char *>(a)[n] - static_cast<const unsigned char *>(b)[n];
        if (more)
            return more;
    }
    return 0;
}
size_t strlen(const char *text)
{
    size_t length = 0;
    while (text[length])
        length++;
    return length;
}
int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return static_cast<unsigned char>(*a) - static_cast<unsigned char>(*b);
}

void _start(void)
{
    Guest guest;
    if (!guest.begin())
        guest.run();
    guest.end();
    for (;;)
        ;
}
}
