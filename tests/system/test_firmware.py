# SPDX-License-Identifier: BSD-2-Clause
"""Firmware that goes wrong (tests/firmware): each call that Caldarium makes fails, once and always; harts that
don't start, or stop answering. What is wrong has a line, and what needn't suffer doesn't."""

import os
import struct

import pytest
from caldarium import BUILD, Machine, bundle, vm

FAULTS = 0x80070000  # tests/firmware/firmware.c
FAIL_CALL, NEVER_START, HANG_AT_IPI = 1, 2, 3
ANY_HART = 0xffffffff
ALWAYS = 1 << 32
BASE, TIME, IPI, HSM, SRST, DBCN = 0x10, 0x54494d45, 0x735049, 0x48534d, 0x53525354, 0x4442434e


def fault(kind, *, hart=ANY_HART, extension=0, function=0, after=0, times=ALWAYS):
    return struct.pack("<IIQQQQ", kind, hart, extension, function, after, times)


@pytest.fixture
def start(tmp_path):
    """A machine of two harts whose firmware has these faults; a VM on each hart."""
    def begin(*faults, cpu="rv64", append="", vms=None, smp=2):
        path = os.path.join(tmp_path, "faults")
        with open(path, "wb") as file:
            file.write(b"".join(faults) + fault(0))
        return Machine(bundle(tmp_path, *(vms or [vm("web", mib=32, kernel="minikernel"),
                                                  vm("db", mib=32, kernel="minikernel")])),
                       smp=smp, memory="512M", cpu=cpu, append=append,
                       firmware=f"{BUILD}/tests/firmware.elf", firmware_prints=True,
                       extra=["-device", f"loader,file={path},addr={FAULTS:#x},force-raw=on"])
    return begin


def both_run(m):
    for _ in range(2): # a port forgets what was typed before its VM starts
        m.expect("minikernel: 1 hart")
    for number in (2, 1):
        m.front(number)
        m.check_minikernel()


def power_off(m):
    m.send("\x01m")
    m.expect("caldarium> ")
    m.send("poweroff\r")


def test_none_fails(start):
    with start() as m:
        both_run(m)
        power_off(m)
        text = m.wait_end()
    assert "firmware" not in text.split("irqchip", 1)[1] and "hart 1" not in text


@pytest.mark.parametrize("function", (0, 1, 2, 3, 4))
def test_base(start, function):
    """Who the firmware is, and what it has: without an answer it is another one, that has nothing more."""
    with start(fault(FAIL_CALL, extension=BASE, function=function)) as m:
        both_run(m)


def test_a_hart_that_is_not_started(start):
    with start(fault(FAIL_CALL, extension=HSM, times=1)) as m:
        m.expect(r"hart 1: firmware does not start it \(SBI error -1\); it is left out")
        both_run(m)


def test_a_hart_that_does_not_come(start):
    with start(fault(NEVER_START, hart=1)) as m:
        m.expect("hart 1: started, but not heard of for 2 s; it is left out")
        both_run(m)


@pytest.mark.parametrize("after", (0, 1, 5))
def test_an_interrupt_that_is_not_sent_at_first(start, after):
    with start(fault(FAIL_CALL, extension=IPI, after=after, times=2)) as m:
        both_run(m)


def test_interrupts_that_are_never_sent(start):
    with start(fault(FAIL_CALL, extension=IPI)) as m:
        m.expect(r"firmware sends no interrupts between harts \(IPI send_ipi answers -1, 3 times\); VMs may stand still")
        power_off(m)
        m.wait_end()


@pytest.mark.parametrize("after", (0, 1, 5))
def test_a_timer_that_is_not_set_at_first(start, after):
    with start(fault(FAIL_CALL, extension=TIME, after=after, times=2), cpu="rv64,sstc=off") as m:
        both_run(m)


def test_timers_that_are_never_set(start):
    with start(fault(FAIL_CALL, extension=TIME), cpu="rv64,sstc=off") as m:
        m.expect("is in front")
        m.send("\x01m") # by the port's interrupt: nothing comes by time
        m.expect(r"firmware sets no timers \(TIME set_timer answers -1, 3 times\); VMs may stand still")


def test_bytes_that_are_not_printed(start):
    """They are lost, and nothing else."""
    with start(fault(FAIL_CALL, extension=DBCN, function=2, times=1, after=30), append="console=sbi") as m:
        m.expect("is in front")
        m.expect("mini> ")


def test_a_machine_that_is_not_powered_off(start):
    with start(fault(FAIL_CALL, extension=SRST), fault(FAIL_CALL, extension=8)) as m:
        both_run(m)
        power_off(m)
        m.expect("firmware can't power the machine off; this hart is stopped")


def test_a_hart_that_stops_answering(start):
    """Sooner or later, at a stop or a start, its VM waits for ever, which is said; the VM beside it does not notice."""
    vms = [vm("web", mib=32, kernel="minikernel", harts="<0>"), vm("db", mib=32, kernel="loop", harts="<1>")]
    silent = "vm db: hart 1 has not answered for 10 s: vCPU 0 is on it, and what was requested of the VM waits"
    with start(fault(HANG_AT_IPI, hart=1, after=4), vms=vms) as m:
        for _ in vms:
            m.expect(r"vm \w+: started")
        for command, done in (("stop", "stopped"), ("start", "started")) * 10:
            m.request(f"{command} db", f"vm db: {done}|{silent}")
            if m.output.endswith(silent):
                break
        m.front(1)
        m.check_minikernel()
