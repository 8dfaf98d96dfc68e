/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two registers of the serial port that polled output is made of, answered without leaving the
 * engine: the line status, and a byte to send. Whatever is not the plain case goes the long way.
 * Any vCPU of the VM may be at the port: the status is read from words that are written whole; to
 * send a byte the port's lock is tried, never waited for.
 */
#include "lib/dev/uart_hot.h"

#include "lib/vm/vm.h"
#include "lib/engine/hot.h"
#include "host/host.h"

bool uart_hot(struct cald_vcpu *vcpu, uint64_t gpa, const struct riscv_access *access)
{
    struct cald_vm *vm = vcpu->vm;
    uint64_t *gpr = vcpu->eng.gpr, offset = gpa - vm->uart_base;
    if (offset > NS16550A_LSR || access->width != 1)
        return false;
    if (access->store) {
        uint8_t byte = (uint8_t)gpr[access->reg];
        if (offset != NS16550A_DATA || byte == '\n' || !ns16550a_send_now(&vm->uart, byte))
            return false;
    } else {
        int status = offset == NS16550A_LSR ? ns16550a_status_now(&vm->uart) : -1;
        if (status < 0)
            return false;
        if (access->reg)
            gpr[access->reg] = (uint64_t)status; /* below 0x80: the same signed or not */
    }
    vcpu->eng.exits[EXIT_HOT_UART]++;
    return true;
}
