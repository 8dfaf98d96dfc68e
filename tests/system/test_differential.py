# SPDX-License-Identifier: BSD-2-Clause
"""Random sequences of what an operating system does to a hart (guests/diff) come to the same results
on a bare machine and in a VM, for both engines. A difference is narrowed down to the first step that
came out differently. CALDARIUM_LONG=1 runs 100,000 sequences of each."""

import functools
import os
import re

import pytest
from caldarium import BUILD, PATIENCE_S, Machine, bundle, vm

LONG = bool(os.environ.get("CALDARIUM_LONG"))
SEED = int(os.environ.get("CALDARIUM_SEED", "1"))
BLOCK = 50    # sequences in a line of output
PART = 5000   # sequences in a run
PAGING = "sv48=off,sv57=off"

# What a guest sees of the hart, as a machine of its own. Everything runs on two harts: for one alone
# QEMU takes an atomic operation for a load and a store, and a page that it may not write to has its
# accessed bit set by the first.
BARE = {"svadu": f"rv64,h=off,sstc=off,{PAGING}",
        "svade": f"rv64,h=off,sstc=off,{PAGING},svadu=off,svade=on"}
HIDDEN = {"svadu": '"sstc"', "svade": '"sstc", "svadu"'}


def results(machine):
    output = machine.wait_end(more_s=10 * PATIENCE_S)
    lines = re.findall(r"^(?:\[\w+\] )?(diff: .*)", output, re.MULTILINE)
    assert lines and lines[-1] == "diff: done", output[-2000:]
    return lines


def arguments(first, count, block=BLOCK, trace=0):
    return f"seed={SEED} first={first} count={count} block={block} trace={trace}"


def bare(bits, words):
    with Machine(smp=2, memory="256M", machine="virt", cpu=BARE[bits], append=words,
                 kernel=os.path.join(BUILD, "guests", "diff.bin")) as machine:
        return results(machine)


# The same for every engine.
remembered = functools.lru_cache(maxsize=None)(bare)


def in_vm(folder, cpu, option, bits, words):
    path = bundle(folder, vm("diff", kernel="diff", mib=32, bootargs=words,
                             isa_disable=HIDDEN[bits]))
    with Machine(path, smp=2, memory="512M", cpu=cpu,
                 append=f"when-done=poweroff {option}") as machine:
        return results(machine)


def first_difference(ours, theirs):
    return next((n for n, pair in enumerate(zip(ours, theirs)) if pair[0] != pair[1]),
                min(len(ours), len(theirs)))


def explain(folder, how, bits, first, count):
    """Which sequence it is, and which of its steps."""
    one_by_one = arguments(first, count, 1)
    number = first + first_difference(bare(bits, one_by_one), in_vm(folder, *how, bits, one_by_one))
    steps = arguments(number, 1, 1, 1)
    ours, theirs = bare(bits, steps), in_vm(folder, *how, bits, steps)
    at = first_difference(ours, theirs)
    return "\n".join([f"sequence {number} of seed {SEED}, line {at} of its trace:",
                      *ours[max(0, at - 4):at], "bare:", *ours[at:at + 2], "in a VM:",
                      *theirs[at:at + 2]])


@pytest.mark.parametrize("bits", ["svadu", "svade"])
@pytest.mark.parametrize("cpu, option, count", [
    pytest.param(f"rv64,h=off,{PAGING}", "", 5000, id="shadow"),
    pytest.param(f"rv64,{PAGING}", "engine=shadow", 500, id="shadow-beside-h"),
    pytest.param(f"rv64,{PAGING}", "", 2000, id="h"),
])
def test_same_as_bare(tmp_path, cpu, option, count, bits):
    if LONG:
        count = 100000
    elif bits == "svade":
        count //= 4
    for first in range(0, count, PART):
        words = arguments(first, min(PART, count - first))
        expected, seen = remembered(bits, words), in_vm(tmp_path, cpu, option, bits, words)
        at = first_difference(expected, seen)
        assert expected == seen, explain(tmp_path, (cpu, option), bits, first + at * BLOCK, BLOCK)


def test_results_depend_on_the_seed(tmp_path):
    """Were the guest to print what doesn't depend on what it did, nothing above could fail."""
    lines = bare("svadu", arguments(0, 20, 1))
    assert len(set(lines)) == 21
    assert lines != bare("svade", arguments(0, 20, 1))
    assert lines == bare("svadu", arguments(0, 20, 1))
