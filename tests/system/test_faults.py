# SPDX-License-Identifier: BSD-2-Clause
"""Guests that run wild: said with registers and reason, then `on-fault` decides, and nobody else notices."""

import re

import pytest
from caldarium import Machine, bundle, vm


def wild(how, name="wild", *, vcpus=1, **properties):
    return vm(name, kernel="wild", mib=16, vcpus=vcpus, bootargs=f"wild={how}", **properties)


def run(tmp_path, *vms, append="when-done=poweroff"):
    with Machine(bundle(tmp_path, *vms), append=append, smp=2) as machine:
        return machine.wait_end()


@pytest.mark.parametrize("how, reason", [
    ("nowhere", r"double trap: the first instruction of its trap handler traps too, "
                r"cause 1 \(instruction access fault\), address (0x)?0\b"),
    ("ebreaks", r"double trap: .* cause 3 \(breakpoint\)"),
    ("deep", r"double trap: "),
    ("stopped", "it stopped its last hart"),
    ("failure", "the guest reports a system failure"),
])
def test_a_wild_guest_is_reported_and_stopped(tmp_path, how, reason):
    output = run(tmp_path, wild(how))
    assert re.search(rf"vm wild: vCPU 0 at pc (0x)?[0-9a-f]+: {reason}", output), output
    assert re.search(r"vm wild: vCPU 0, \w+, supervisor mode, pc ", output)
    for line in (r"    ra  +[0-9a-f]{16}", "    sstatus [0-9a-f]{16}", r"    sepc "):
        assert re.search(line, output), output
    assert output.count("vm wild: vCPU 0 at pc") == 1 # once, however it goes on
    assert "vm wild: stopped" in output


def test_report_tells_who_called(tmp_path):
    output = run(tmp_path, wild("deep"))
    chain = re.search(r"called from((?: 0x[0-9a-f]+)+)", output)
    assert chain, output
    calls = [int(address, 16) for address in chain.group(1).split()]
    assert len(calls) >= 5 # deep() called itself so often
    assert all(0x80200000 <= address < 0x80300000 for address in calls[:5]), calls


def test_an_access_to_nothing_is_a_trap_and_the_guest_goes_on(tmp_path):
    output = run(tmp_path, wild("access"))
    assert "wild: load from 50000000: cause 5 at 50000000" in output
    assert "wild: store to 1000: cause 7 at 1000" in output
    assert "wild: atomic at 10000000: cause 7 at 10000000" in output
    assert "wild: load from fffffffffffffff0: cause 5 at fffffffffffffff0" in output
    assert "vm wild: powered off" in output


def test_on_fault_restarts_until_the_limit(tmp_path):
    output = run(tmp_path, wild("nowhere", on_fault='"restart"', restart_limit="<3>"))
    assert output.count("wild: begins") == 4
    assert "restarted 3 times, its restart-limit; it is stopped" in output


def test_on_reset_stops_or_restarts(tmp_path):
    assert run(tmp_path, wild("reset", on_reset='"stop"')).count("wild: begins") == 1
    output = run(tmp_path, wild("reset", restart_limit="<2>"))
    assert output.count("wild: begins") == 3


def test_on_fault_pauses_and_dump_shows_it(tmp_path):
    path = bundle(tmp_path, wild("nowhere", on_fault='"pause"', vcpus=2))
    with Machine(path, append="", smp=2) as machine:
        machine.expect("vm wild: paused")
        machine.request("dump wild", "vm wild: vCPU 1, stopped")
        assert "paused" in machine.monitor("list")
        machine.request("resume wild", "vCPU 0 at pc 0: double trap")
        machine.expect("vm wild: paused")
        machine.request("reset wild", "vCPU 0 at pc 0: double trap")


def test_dump_of_a_running_vm_disturbs_nobody(tmp_path):
    path = bundle(tmp_path, wild("hangs"), vm("web", vcpus=2))
    with Machine(path, append="", smp=2) as machine:
        machine.expect("wild: kicked 0 times")
        machine.expect("init: web")
        machine.request("dump web", r"vm web: vCPU 1, \w+")
        machine.request("dump wild", r"vm wild: vCPU 0, started")
        machine.request("dump web", r"vm web: vCPU 0, \w+")
        machine.front(2)
        machine.guest("true")


def test_watchdog_resets_a_vm_that_hangs(tmp_path):
    output = run(tmp_path, wild("hangs kicks=50 ticks=100000", watchdog_ms="<400>",
                                restart_limit="<2>"),
                 append="when-done=poweroff")
    assert output.count("wild: kicked 50 times") == 3 # each life was kicked for longer than 400 ms
    assert output.count("watchdog: not kicked for 400 ms") == 3
    assert "vm wild: vCPU 0, started, supervisor mode" in output
    assert "restarted 2 times, its restart-limit" in output


def test_watchdog_waits_while_the_vm_is_paused(tmp_path):
    path = bundle(tmp_path, wild("hangs kicks=100000 ticks=100000", watchdog_ms="<1000>"), wild(
        "hangs kicks=300 ticks=100000", name="clock"))
    with Machine(path, append="", smp=2) as machine:
        machine.expect("vm wild: started") # not the other one's line: a VM that starts can't be paused
        machine.request("pause wild", "vm wild: paused")
        machine.expect("kicked 300 times") # three seconds later
        machine.request("resume wild", "vm wild: goes on")
        assert "watchdog" not in machine.output


def test_nobody_waits_for_a_kick_without_a_watchdog(tmp_path):
    path = bundle(tmp_path, wild("hangs kicks=1 ticks=1"))
    with Machine(path, append="", smp=1) as machine:
        machine.expect("wild: nobody wants a kick")
