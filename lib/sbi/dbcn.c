/* SPDX-License-Identifier: BSD-2-Clause */
/* SBI DBCN (2.0, chapter 12): the debug console. Buffers are guest-physical and checked. */
#include "caldarium/caldarium.h"
#include "lib/sbi/sbi.h"
#include "lib/vm/vm.h"
#include "host/host.h"

enum { CONSOLE_WRITE, CONSOLE_READ, CONSOLE_WRITE_BYTE };

/* A call may do less than was asked, so that no guest holds its hart here for long. */
#define BYTES_A_CALL 4096

/* Every byte of the buffer is the guest's RAM, wherever its runs lie in the host's memory. */
static bool is_ram(const struct cald_vm *vm, uint64_t gpa, uint64_t bytes)
{
    return !bytes || (gpa + bytes > gpa && cald_vm_is_ram(vm, gpa, bytes));
}

/* What was done before a page that is absent is an answer; else the call is made again. */
static struct sbi_ret done_so_far(struct cald_vcpu *vcpu, uint64_t done)
{
    if (done)
        vcpu->eng.absent = false;
    return (struct sbi_ret){vcpu->eng.absent ? SBI_NO_ANSWER : SBI_SUCCESS, done};
}

static struct sbi_ret write(struct cald_vcpu *vcpu, uint64_t gpa, uint64_t bytes)
{
    struct cald_vm *vm = vcpu->vm;
    char part[256];
    uint64_t done = 0;
    while (done < bytes) {
        uint64_t count = bytes - done < sizeof(part) ? bytes - done : sizeof(part);
        uint64_t in_page = HOST_PAGE_SIZE - (gpa + done) % HOST_PAGE_SIZE;
        count = count < in_page ? count : in_page;
        if (vcpu_lacks(vcpu, gpa + done, false) || !vm_read(vm, gpa + done, part, count))
            break;
        uint64_t taken = host_console_write(vm, part, count);
        host_console_flush(vm);
        done += taken;
        if (taken < count)
            break; /* the line is slow: the guest writes the rest when it likes */
    }
    return done_so_far(vcpu, done);
}

static struct sbi_ret read(struct cald_vcpu *vcpu, uint64_t gpa, uint64_t bytes)
{
    struct cald_vm *vm = vcpu->vm;
    uint64_t done = 0;
    uint8_t byte;
    while (done < bytes && !vcpu_lacks(vcpu, gpa + done, true) && ns16550a_take(&vm->uart, &byte)) {
        if (!vm_write(vm, gpa + done, &byte, 1))
            break;
        done++;
    }
    return done_so_far(vcpu, done);
}

int64_t sbi_put_byte(struct cald_vcpu *vcpu, char byte)
{
    size_t taken = host_console_write(vcpu->vm, &byte, 1);
    host_console_flush(vcpu->vm);
    if (taken)
        return SBI_SUCCESS;
    vcpu->why = CALD_YIELD; /* the call is made again: interrupts, and others, come in between */
    return SBI_NO_ANSWER;
}

static struct sbi_ret handle(struct cald_vcpu *vcpu, uint64_t extension, uint64_t function,
                             const uint64_t args[6])
{
    (void)extension;
    struct cald_vm *vm = vcpu->vm;
    if (function == CONSOLE_WRITE_BYTE)
        return (struct sbi_ret){sbi_put_byte(vcpu, (char)args[0]), 0};
    if (function > CONSOLE_WRITE_BYTE)
        return (struct sbi_ret){SBI_ERR_NOT_SUPPORTED, 0};
    if (args[2] || !is_ram(vm, args[1], args[0])) /* args[2]: the address's bits above 64 */
        return (struct sbi_ret){SBI_ERR_INVALID_PARAM, 0};
    uint64_t bytes = args[0] < BYTES_A_CALL ? args[0] : BYTES_A_CALL;
    return function == CONSOLE_WRITE ? write(vcpu, args[1], bytes) : read(vcpu, args[1], bytes);
}

const struct sbi_extension sbi_dbcn = {CALD_SBI_DBCN, SBI_EXT_DBCN, SBI_EXT_DBCN, 3, handle};
