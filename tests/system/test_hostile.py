# SPDX-License-Identifier: BSD-2-Clause
"""A guest that does all that a guest should not (guests/hostile), beside one that behaves.

CALDARIUM_LONG=1: until it has made ten million exits, in each of the ways it may share the machine."""

import os
import re

import pytest
from caldarium import Machine, bundle, vm

LONG = bool(os.environ.get("CALDARIUM_LONG"))
EXITS = 10_000_000 if LONG else 60_000
SEED = os.environ.get("CALDARIUM_SEED", "0") # 0: another each time; it is printed

# What must never be seen, whatever a guest does.
BROKEN = r"panic|trap inside|trap in the hypervisor|trap that no guest should cause|BUG"


def hostile(*, vcpus=2, **properties):
    # It may well bring itself down; then it begins anew, as often as it likes.
    return vm("hostile", kernel="hostile", vcpus=vcpus, mib=16, bootargs=f"mib=16 seed={SEED}",
              on_fault='"restart"', watchdog_ms="<20000>", **properties)


def minikernel(**properties):
    return vm("mini", kernel="minikernel", mib=16, **properties)


WAYS = {
    "shared hart": (1, "", {}, {}),
    "two harts": (2, "", {}, {}),
    "pinned beside": (3, "", {"harts": "<1 2>", "schedule": '"pinned"'},
                      {"harts": "<0>", "schedule": '"pinned"'}),
    "within a budget": (2, "", {"budget_us": "<3000>", "period_us": "<10000>"}, {}),
}


ICOUNT = ("-icount", "shift=4,sleep=off")
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}


def look(machine):
    """The hostile VM's exits, the seconds that it used, and the time."""
    for _ in range(10): # its own last words may come into the middle of the row
        text = machine.monitor("stats")
        row = re.search(r"^hostile +([\d.]+) (\w+) +([\d.]+) (\w+) +.* (\d+)$", text, re.MULTILINE)
        if row:
            break
    assert row, text
    guest, a, host, b, count = row.groups()
    now = float(re.search(r"([\d.]+) s since boot", text).group(1))
    return int(count), float(guest) * UNITS[a] + float(host) * UNITS[b], now


def check(machine):
    """The neighbour's own tests, from its prompt."""
    machine.send("\x01m") # or it may be in front already
    machine.expect(r"caldarium> ")
    machine.front(1)
    machine.send("\r")
    machine.check_minikernel()


@pytest.mark.parametrize("way", WAYS)
def test_a_hostile_guest_hurts_nobody(tmp_path, way):
    smp, append, mine, others = WAYS[way]
    path = bundle(tmp_path, minikernel(**others), hostile(**mine))
    # What a guest has used is compared with the time: both have to be the machine's, not this one's.
    extra = ICOUNT if mine.get("budget_us") else ()
    with Machine(path, smp=smp, append=append, extra=extra) as machine:
        machine.expect("mini> ")
        done = last = used = began = 0
        while done + last < EXITS:
            check(machine)
            count, seconds, now = look(machine)
            if count < last: # it began anew
                done, used, began = done + last, 0, now
            elif mine.get("budget_us") and began:
                assert seconds - used < 2 * 0.31 * (now - began) + 0.1, (seconds, used, now, began)
            else:
                used, began = seconds, now
            last = count
            assert not re.search(BROKEN, machine.output), machine.output[-5000:]
        check(machine)
        machine.request("stop hostile", "vm hostile: stopped")
        check(machine)
    assert "hostile: " in machine.output
    assert not re.search(BROKEN, machine.output), machine.output[-5000:]
    print(f"{way}: {done + last} exits")
