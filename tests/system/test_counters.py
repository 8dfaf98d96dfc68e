# SPDX-License-Identifier: BSD-2-Clause
"""SBI PMU and STA: cycle and instret are the vCPU's, whoever else has its hart; sets of counters; stolen time."""

import os
import re

import pytest
from caldarium import BUILD, ENGINE, IMAGES, Machine, bundle, vm

ICOUNT = ["-icount", "shift=0,sleep=off"] # instructions are the clock
LOOP_INSTRUCTIONS = 40_000_000
NEIGHBOUR = vm("evil", kernel="loop", mib=16)


def run(folder, what, *others, **properties):
    node = vm("guest", kernel="counters", mib=properties.pop("mib", 32),
              bootargs=f"counters={what}", **properties)
    path = bundle(folder, node, *others)
    with Machine(path, smp=1, extra=ICOUNT) as machine:
        output = machine.expect("vm guest: powered off")
    return [line.strip() for line in re.findall(r"counters: (.*)", output)]


def on_bare(what):
    with Machine(smp=1, memory="256M", append=f"counters={what}", extra=ICOUNT,
                 kernel=os.path.join(BUILD, "guests", "counters.bin")) as machine:
        return [line.strip() for line in re.findall(r"counters: (.*)", machine.wait_end())]


def loop_count(lines):
    return int(re.fullmatch(r"loop (\d+)", lines[0]).group(1))


def test_instret_does_not_count_neighbours(tmp_path):
    """Turns that begin and end are the vCPU's own affair: some instructions for each, far from what was done in them."""
    alone = loop_count(run(tmp_path, "count"))
    beside = loop_count(run(tmp_path, "count", NEIGHBOUR))
    assert LOOP_INSTRUCTIONS <= alone < LOOP_INSTRUCTIONS + 10_000
    assert alone <= beside < LOOP_INSTRUCTIONS + 200_000


def test_cost_of_a_read(tmp_path):
    lines = run(tmp_path, "count")
    costs = [int(cost) for line in lines[1:] for cost in re.findall(r" (\d+)", line)]
    # Engine shadow's traps pass through the firmware, which looks at the instruction first.
    assert len(costs) == 4 and max(costs) <= (60 if ENGINE == "h" else 1300), lines


def test_sets_of_counters_as_on_bare(tmp_path):
    bare, ours = on_bare("pmu"), run(tmp_path, "pmu")
    assert ours == bare, "\n".join(["bare:", *bare, "here:", *ours])


@pytest.mark.parametrize("place", ["low", "above 4 GiB"])
def test_time_that_others_took(tmp_path, place):
    """The record of SBI STA, and what the debug console prints, wherever they are."""
    area, memory = 2056, "<0x0 0x80000000 0x0 0x2000000>"
    if place != "low":
        area, memory = 5 * 1024, "<0x0 0x80000000 0x0 0x2000000>, <0x1 0x40000000 0x0 0x2000000>"
    lines = run(tmp_path, f"steal area={area}", NEIGHBOUR, memory=memory)
    assert lines == ["printed from there", "console: error 0, 29 bytes", "steal: error 0",
                     "time was stolen, sequence even"]


def perf(text):
    return {what: [int(number) for number in re.findall(r" (\d+)", values)]
            for what, values in re.findall(r"counters: (\w+): (.*)", text)}


def test_perf_in_linux_as_on_bare(tmp_path):
    """guests/linux/counters.c: without Sstc, so that set_timer is a call to count."""
    node = vm("linux", mib=128, ramdisk="programs", run="counters")
    arguments = re.search(r'bootargs = "([^"]*)"', node).group(1)
    with Machine(IMAGES["programs"], smp=1, memory="128M", append=arguments, extra=ICOUNT, cpu="rv64,sstc=off",
                 kernel=IMAGES["linux"]) as machine:
        bare = perf(machine.expect("counters: done"))
    with Machine(bundle(tmp_path, node), smp=1, extra=ICOUNT, cpu="rv64,sstc=off") as machine:
        ours = perf(machine.expect("counters: done"))
    assert bare.keys() == ours.keys() == {"perf", "firmware", "page", "legacy"}
    for what in ("perf", "page", "legacy"):
        for there, here in zip(bare[what], ours[what], strict=True):
            # A timer tick, its exits and the firmware's share of it are instructions too.
            assert LOOP_INSTRUCTIONS <= here and abs(there - here) < there // (50 if ENGINE == "h" else 20), (bare, ours)
    assert bare["firmware"][0] >= 20 and ours["firmware"][0] >= 20
