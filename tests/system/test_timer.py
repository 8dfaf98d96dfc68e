# SPDX-License-Identifier: BSD-2-Clause
"""Timers where harts lack Sstc, or the guest is not shown it, and where the console can't interrupt."""

import pytest
from caldarium import Machine, board_tree, bundle, needs_h, vm
from test_boards import enter_with, with_bundle


def mini(folder, **properties):
    return bundle(folder, vm("mini", kernel="minikernel", mib=16, **properties))


def ticks(machine):
    """The guest's timer interrupts arrive."""
    machine.expect("mini> ")
    machine.send("test\r")
    output = machine.expect("test: (all ok|something FAILED)")
    assert "test: timer ok" in output and "all ok" in output, output


def test_polled_console_without_sstc(tmp_path):
    with Machine(mini(tmp_path), smp=1, cpu="rv64,sstc=off", append="console=sbi") as machine:
        machine.expect("timer through firmware")
        ticks(machine)
        assert "mini" in machine.monitor("list")


def test_port_without_a_driver_without_sstc(tmp_path):
    """Firmware has a tree of its own, and so a console."""
    path = mini(tmp_path)
    tree = board_tree(tmp_path, lambda source: with_bundle(path)(source.replace('"ns16550a"', '"acme,uart"')),
                      smp=1, cpu="rv64,sstc=off")
    start = enter_with(tmp_path, tree)
    start["extra"] += ["-device", f"loader,file={path},addr=0x90000000,force-raw=on"]
    with Machine(smp=1, cpu="rv64,sstc=off", append="", **start) as machine:
        machine.expect("timer through firmware")
        machine.expect("console  sbi")
        ticks(machine)


def test_spike_without_sstc(tmp_path):
    """Its port is one for simulators whose QEMU model holds one key and loses those before it: the guest needs none."""
    path = bundle(tmp_path, vm("bench", kernel="bench", mib=64))
    with Machine(path, machine="spike", smp=1, cpu="rv64,sstc=off") as machine:
        machine.expect("timer through firmware")
        machine.expect("bench: timer-latency")
        machine.expect("vm bench: powered off")


def without_sstc(source):
    return source.replace('_sstc', '').replace('\\0sstc', '').replace('"sstc", ', '')


@needs_h
@pytest.mark.parametrize("hidden_by", ["bundle", "board"])
def test_guest_that_is_not_shown_sstc(tmp_path, hidden_by):
    """Where henvcfg.STCE is off, vstimecmp is cut off from the guest's timer interrupt: it comes from the host."""
    path, extra = mini(tmp_path, isa_disable='"sstc"'), []
    if hidden_by == "board":
        path = mini(tmp_path)
        extra = ["-dtb", board_tree(tmp_path, without_sstc, smp=1)]
    with Machine(path, smp=1, append="", extra=extra) as machine:
        machine.expect("timer Sstc")
        ticks(machine)
        machine.monitor_shows("stats mini", r"\ntimer \(hot\) +[1-9]")
