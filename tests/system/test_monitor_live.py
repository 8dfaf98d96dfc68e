# SPDX-License-Identifier: BSD-2-Clause
"""The monitor's views of what goes on: top, trace, and shares that change."""

import pytest
from caldarium import Machine, bundle, vm

# All of them ask one machine, so one worker runs them.
pytestmark = pytest.mark.xdist_group("monitor_live")


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    path = bundle(tmp_path_factory.mktemp("live"), vm("web"), vm("spin", kernel="loop", mib=4),
                  vm("held", kernel="loop", mib=4, harts="<1>", schedule='"pinned"'))
    with Machine(path, smp=2, append="") as m:
        m.expect(r"web:~#")
        yield m


def test_top_runs_until_a_key(machine):
    machine.send("\x01m")
    machine.expect(r"caldarium> ")
    machine.send("top\r")
    machine.expect(r"hart 0 +\d+\.\d %")
    machine.expect(r"spin +\d+\.\d %")
    machine.expect("Any key ends this")
    machine.expect("Any key ends this") # a second later
    machine.send(" ")
    machine.expect(r"caldarium> ")
    assert "RESTARTS" in machine.monitor("list")


def test_trace_shows_what_the_guest_did(machine):
    machine.monitor("trace on web")
    machine.front(1)
    # 40 exits are shown, and an idle guest soon has as many that tell of nothing: this one writes on,
    # until it is paused with its last exits in view.
    machine.send("while :; do echo writes; done &\r")
    machine.expect(r"writes\r*\n")
    machine.request("pause web", "vm web: paused")
    shown = machine.monitor("trace web")
    machine.monitor("resume web")
    machine.front(1)
    machine.guest("kill $!")
    assert "device register" in shown # its serial port
    assert "store, 1 bytes, at 0x10000000" in shown
    machine.monitor("trace off web")
    assert "nothing is noted" in machine.monitor("trace spin")


def test_set_changes_a_share(machine):
    assert "spin: priority 16, 2000 us of each 10000 us" in machine.monitor("set spin budget-us=2000")
    assert "spin: priority 3, no budget" in machine.monitor("set spin budget-us=0 priority=3")
    assert "held is pinned" in machine.monitor("set held priority=3")
    assert "too much already" in machine.monitor("set web budget-us=6000") + machine.monitor(
        "set spin budget-us=6000")
    machine.front(1)
    machine.guest("true")
