# SPDX-License-Identifier: BSD-2-Clause
"""VMs that share harts: equal turns, priorities, budgets, and harts of one's own.

Instructions are the clock here (-icount), so shares are the same numbers on any build machine."""

import re
import time

import pytest
from caldarium import Machine, bundle, needs_h, vm

# 16 ns an instruction: seconds of guest time pass quickly, and a turn is still 300,000 instructions.
# QEMU then runs the harts in turns of its own, so what a hart loses while the other one has such a turn
# is no time of any VM: shares on several harts need not add up.
ICOUNT = ("-icount", "shift=4,sleep=off")
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


def loop(name, **properties):
    """A VM that is busy for ever."""
    return vm(name, kernel="loop", mib=4, **properties)


def worker(name, *, start, seconds, **properties):
    """A VM that counts rounds of its own work, in so many seconds of its clock, from `start` on."""
    return vm(name, kernel="bench", mib=4, **properties,
              bootargs=f"bench=progress from={start * 10**7} ticks={seconds * 10**7}")


def progress(machine, count):
    """What each of so many workers did."""
    for _ in range(count):
        machine.expect(r"progress: \d+ rounds")
    return [int(rounds) for rounds in re.findall(r"progress: (\d+) rounds", machine.output)]


def in_guest(machine):
    """Seconds that each VM has run so far, and the time of that."""
    text = machine.monitor("stats")
    rows = re.findall(r"^(\w+) +([\d.]+) (us|ms|s) ", text, re.MULTILINE)
    since_boot = float(re.search(r"([\d.]+) s since boot", text).group(1))
    return {name: float(value) * UNITS[unit] for name, value, unit in rows}, since_boot


def shares(machine, seconds):
    """What each VM got of one hart, over at least so many seconds of the machine's time. Asking costs
    a hart some milliseconds, so it is asked seldom."""
    before, began = in_guest(machine)
    after, ended = before, began
    while ended - began < seconds:
        time.sleep(1)
        after, ended = in_guest(machine)
    return {name: (after[name] - before[name]) / (ended - began) for name in after}


def test_32_vms_on_2_harts_make_equal_progress(tmp_path):
    # It begins when those that made their VMs in their own time have made up for it, and is long
    # enough for what QEMU's own turns add and take at random.
    path = bundle(tmp_path, *[worker(f"vm{n}", start=10, seconds=200) for n in range(32)])
    with Machine(path, smp=2, append="", extra=ICOUNT) as machine:
        got = progress(machine, 32)
    mean = sum(got) / 32
    assert max(abs(rounds - mean) for rounds in got) < 0.02 * mean, got


def test_3_vms_on_2_harts_make_equal_progress(tmp_path):
    path = bundle(tmp_path, *[worker(f"vm{n}", start=3, seconds=60) for n in range(3)])
    with Machine(path, smp=2, append="", extra=ICOUNT) as machine:
        got = progress(machine, 3)
    # Who stayed where it is would have half as much again as the others, or twice as much.
    assert max(got) - min(got) < 0.15 * max(got), got


@pytest.fixture(scope="module")
def whole_hart(tmp_path_factory):
    """What a worker does in a second that is all its own."""
    path = bundle(tmp_path_factory.mktemp("whole"), worker("alone", start=1, seconds=2))
    with Machine(path, smp=1, append="", extra=ICOUNT) as machine:
        return progress(machine, 1)[0] / 2


def restless(name):
    """A VM whose eight vCPUs wake each other all the time."""
    return vm(name, kernel="bench", vcpus=8, mib=4, bootargs="bench=switch")


NEIGHBOURS = {
    "nobody": [],
    "one": [loop("busy")],
    "seven": [loop(f"busy{n}") for n in range(7)],
    "restless": [restless(f"restless{n}") for n in range(3)],
    "lower priority": [loop("low", priority="<3>")],
    "another budget": [loop("half", budget_us="<5000>", period_us="<20000>"), loop("busy")],
}


@pytest.mark.parametrize("neighbours", NEIGHBOURS)
def test_a_budget_is_given_and_enforced(tmp_path, whole_hart, neighbours):
    path = bundle(tmp_path, worker("fifth", start=2, seconds=5, budget_us="<2000>",
                                   period_us="<10000>"), *NEIGHBOURS[neighbours])
    with Machine(path, smp=1, append="", extra=ICOUNT) as machine:
        share = progress(machine, 1)[0] / 5 / whole_hart
    assert abs(share - 0.2) < 0.01, share


def test_a_budget_in_stats(tmp_path):
    path = bundle(tmp_path, loop("fifth", budget_us="<2000>", period_us="<10000>"), loop("busy"))
    with Machine(path, smp=1, append="", extra=ICOUNT) as machine:
        machine.expect("vm busy: started")
        got = shares(machine, 4)
    assert abs(got["fifth"] - 0.2) < 0.01, got
    assert sum(got.values()) > 0.95, got


def steady(tmp_path, neighbours):
    """What operations cost a VM that is pinned to hart 3, in instructions, and its exits by reason."""
    path = bundle(tmp_path, vm("steady", kernel="bench", mib=16, bootargs="bench=steady",
                               schedule='"pinned"', harts="<3>"), *neighbours)
    with Machine(path, smp=4, append="", extra=("-icount", "shift=0,sleep=off")) as machine:
        machine.expect("bench: done")
        costs = re.findall(r"bench: (\S+) ([\d.]+) instructions", machine.output)
        exits = re.findall(r"^(\S.*?) +(\d+) +[\d.]+%", machine.monitor("stats steady"), re.MULTILINE)
    assert len(costs) == 7
    return costs, dict(exits)


def test_a_pinned_vm_pays_nothing_for_its_neighbours(tmp_path):
    """Harts run in turns in QEMU, and time goes on meanwhile: the guest tells each operation's least
    cost in many short windows. That nothing came in between shows in the number of exits."""
    busy = [loop(f"busy{n}", harts="<0 1 2>") for n in range(31)]
    (tmp_path / "alone").mkdir()
    alone, exits_alone = steady(tmp_path / "alone", [])
    beside, exits_beside = steady(tmp_path, busy)
    assert alone == beside
    assert exits_alone == exits_beside and "device register" in exits_alone


def test_budgets_are_not_given_twice(tmp_path):
    half = {"budget_us": "<6000>", "period_us": "<10000>"}
    with Machine(bundle(tmp_path, loop("one", **half), loop("two", **half)), smp=1,
                 append="") as machine:
        machine.expect("vm two: property budget-us: the harts it may run on have given away too much")
        assert re.search(r"one\s+running", machine.monitor("list"))


def test_higher_priority_goes_first(tmp_path):
    path = bundle(tmp_path, loop("low", priority="<3>"), loop("high", priority="<20>"))
    with Machine(path, smp=1, append="", extra=ICOUNT) as machine:
        machine.expect("vm high: started")
        got = shares(machine, 2)
        assert got["high"] > 0.98 and got["low"] < 0.01, got
        # What is requested of a VM doesn't wait for its turn.
        machine.request("stop low", "vm low: stopped")
        machine.request("stop high", "vm high: stopped")


def test_an_idle_hart_takes_work(tmp_path):
    """Two busy VMs that began on one hart, since the other was taken then."""
    path = bundle(tmp_path, loop("owner", schedule='"pinned"', harts="<1>"), loop("a"), loop("b"))
    with Machine(path, smp=2, append="", extra=ICOUNT) as machine:
        machine.expect("vm b: started")
        got = shares(machine, 6)
        assert got["owner"] > 0.98 and abs(got["a"] - got["b"]) < 0.05, got
        machine.request("stop owner", "vm owner: stopped")
        got = shares(machine, 6)
        assert got["a"] > 0.95 and got["b"] > 0.95, got
        # And gives it up again to the one that it is pinned for.
        machine.request("start owner", "vm owner: started")
        got = shares(machine, 6)
        assert got["owner"] > 0.98 and abs(got["a"] - got["b"]) < 0.05, got


def test_harts_are_kept_to(tmp_path):
    path = bundle(tmp_path, loop("a", harts="<0>"), loop("b", harts="<0>"))
    with Machine(path, smp=2, append="", extra=ICOUNT) as machine:
        machine.expect("vm b: started")
        got = shares(machine, 2)
        assert abs(got["a"] - 0.5) < 0.02 and abs(got["b"] - 0.5) < 0.02, got


@pytest.mark.parametrize("harts, vcpus", [(1, 4), (2, 3), (3, 4)])
def test_vcpus_of_one_vm_share_harts(tmp_path, harts, vcpus):
    """Fences, IPIs, threads and page tables between vCPUs that are never on a hart together."""
    path = bundle(tmp_path, vm("linux", vcpus=vcpus, ramdisk="programs",
                               run="echo cpus $(nproc); stress 5; dmesg -r"))
    with Machine(path, smp=harts) as machine:
        text = machine.wait_end()
    assert f"cpus {vcpus}" in text
    assert re.search(r"stress: \d+ workers, 0 failed", text), text
    after = text[text.index("Run /init as init process"):]
    assert not re.findall(r"^<[0-4]>.*", after, re.MULTILINE)


def test_linux_keeps_its_vcpus_when_a_pinned_vm_takes_a_hart(tmp_path):
    path = bundle(tmp_path, vm("web", vcpus=2), loop("owner", schedule='"pinned"', harts="<1>",
                                                     autostart="<0>"))
    with Machine(path, smp=2, append="") as machine:
        machine.expect(r"web:~#")
        machine.request("start owner", "vm owner: started")
        machine.front(1)
        assert "cpus 2" in machine.guest("echo cpus $(nproc)")


def test_two_linux_share_two_harts(tmp_path):
    command = "i=0; while [ $i -lt 300 ]; do i=$((i+1)); true | true; done; echo did $i"
    path = bundle(tmp_path, vm("web", vcpus=2, run=command), vm("db", vcpus=2, run=command))
    with Machine(path, smp=2) as machine:
        text = machine.wait_end()
    assert text.count("did 300") == 2, text
    assert text.count("powered off") >= 2


def sleeper(name, **properties):
    """A VM that waits for its next tick nearly all of the time."""
    return vm(name, kernel="minikernel", mib=16, **properties)


SLEPT = r"\n0(?: +[\d.]+ (?:us|ms|s)){2} +[\d.]+ s " # idle for seconds


@needs_h
def test_nobody_else_there_a_guest_waits_on_its_hart(tmp_path):
    """WFI is no exit then; as soon as somebody else comes it is one, and both run."""
    path = bundle(tmp_path, sleeper("first"), sleeper("second", autostart="<0>"))
    with Machine(path, smp=1, append="") as machine:
        machine.expect("mini> ")
        machine.send("test\r")
        machine.expect("all ok")
        assert "wait for interrupt" not in machine.monitor("stats first")
        machine.request("start second", "vm second: started")
        machine.front(2)
        machine.expect("mini> ")
        machine.send("test\r")
        machine.expect("all ok")
        machine.monitor_shows("stats first", r"wait for interrupt +[1-9]")
        # Alone again, it makes no more exits of that kind than the one that it was in.
        machine.request("stop second", "vm second: stopped")
        count = re.search(r"wait for interrupt +(\d+)", machine.monitor("stats first")).group(1)
        machine.front(1)
        machine.send("test\r")
        machine.expect("all ok")
        after = re.search(r"wait for interrupt +(\d+)", machine.monitor("stats first")).group(1)
        assert int(after) <= int(count) + 1


def test_a_hart_whose_guest_waits_on_it_takes_work(tmp_path):
    """Two busy VMs begin on the other one; they don't take turns there while this one has nothing to do."""
    path = bundle(tmp_path, sleeper("first", harts="<1>"), loop("a", autostart="<0>"), loop("b", autostart="<0>"))
    with Machine(path, smp=2, append="", extra=ICOUNT) as machine:
        machine.expect("mini> ")
        machine.request("start a", "vm a: started")
        machine.request("start b", "vm b: started")
        got = shares(machine, 4)
    assert got["a"] > 0.9 and got["b"] > 0.9, got


@needs_h
def test_top_knows_how_idle_a_hart_is_whose_guest_waits_on_it(tmp_path):
    with Machine(bundle(tmp_path, sleeper("first")), smp=1, append="") as machine:
        machine.expect("mini> ")
        machine.send("\x01m")
        machine.expect("caldarium> ")
        machine.send("top\r")
        machine.expect(r"hart 0 +[0-4]?\d\.\d %")
        machine.send("q")
        machine.expect("caldarium> ")


def test_sleep_that_the_guests_own_timer_ends_is_idle_time(tmp_path):
    with Machine(bundle(tmp_path, sleeper("first"), sleeper("second")), smp=1, append="") as machine:
        machine.expect("mini> ")
        machine.monitor_shows("stats first", SLEPT)
        machine.monitor_shows("stats second", SLEPT)


@needs_h
def test_a_vm_with_a_budget_does_not_use_it_up_asleep(tmp_path):
    path = bundle(tmp_path, sleeper("first", budget_us="<1000>", period_us="<100000>"))
    with Machine(path, smp=1, append="") as machine:
        machine.expect("mini> ")
        machine.monitor_shows("stats first", SLEPT)
        machine.monitor_shows("stats first", r"wait for interrupt +[1-9]")
