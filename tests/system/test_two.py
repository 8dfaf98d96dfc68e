# SPDX-License-Identifier: BSD-2-Clause
"""Two Linux VMs of two vCPUs on one machine, and a person who switches and commands them."""

import pytest
from caldarium import Machine, bundle, vm

# All of them ask one machine, so one worker runs them.
pytestmark = pytest.mark.xdist_group("two")


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    path = bundle(tmp_path_factory.mktemp("two"), vm("web", vcpus=2), vm("db", vcpus=2))
    with Machine(path, smp=4) as m:
        m.expect(r"web:~#")
        m.front(2)
        m.expect(r"db:~#")
        yield m


def test_consoles_switch(machine):
    machine.front(1)
    assert "web" in machine.guest("hostname")
    machine.front(2)
    assert "db" in machine.guest("hostname")


def test_background_lines_are_whole_and_named(machine):
    machine.front(1)
    machine.guest("{ (usleep 2000000; echo from-the-background) & }")
    machine.front(2)
    machine.expect(r"\[web\] .*from-the-background")


def test_monitor_shows(machine):
    assert "running" in machine.monitor("list")
    assert "1 assigned, 0 runnable; console" in machine.monitor("harts")
    assert "SBI" in machine.monitor("stats web")
    assert "80000000" in machine.monitor("map db")
    assert "there is no command 'frobnicate'" in machine.monitor("frobnicate")
    for command in ("start", "stop", "pause", "resume", "reset", "console", "poweroff"):
        assert command in machine.monitor("help")


def test_pause_and_resume(machine):
    machine.front(2)
    machine.guest("echo kept > /tmp/kept")
    machine.request("pause db", "vm db: paused")
    assert "paused" in machine.monitor("list")
    machine.front(1)
    machine.guest("true")
    machine.request("resume db", "vm db: goes on")
    machine.front(2)
    assert "kept" in machine.guest("cat /tmp/kept")


def test_stop_gives_memory_back_and_start_works(machine):
    before = machine.free_kib()
    machine.request("stop db", "vm db: stopped")
    assert "ended" in machine.monitor("list")
    assert machine.free_kib() >= before + 256 * 1024
    machine.front(1)
    machine.guest("true")
    machine.monitor("start db")
    machine.front(2)
    machine.expect("init: db: Linux")
    machine.expect(r"db:~#")
    assert machine.free_kib() == before


def test_reset(machine):
    before = machine.free_kib()
    machine.front(2)
    machine.guest("echo gone > /tmp/gone")
    machine.request("reset db", "vm db: starts again")
    machine.front(2)
    machine.expect("init: db: Linux")
    machine.expect(r"db:~#")
    machine.guest("test ! -e /tmp/gone")
    assert machine.free_kib() == before


def test_ends_when_both_have_ended(machine):
    machine.front(1)
    machine.send("poweroff -f\r")
    machine.expect("vm web: powered off")
    machine.front(2)
    machine.send("poweroff -f\r")
    machine.expect("the machine is powered off")
    machine.wait_end()
