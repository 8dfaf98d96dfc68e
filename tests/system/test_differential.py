# SPDX-License-Identifier: BSD-2-Clause
"""Random sequences of what an operating system does to a hart (guests/diff) come to the same results
on a bare machine and in a VM, for both engines. A difference is narrowed down to the first step that
came out differently. CALDARIUM_LONG=1 runs 100,000 sequences of each."""

import functools
import os
import re

import pytest
from caldarium import BUILD, ENGINE, PATIENCE_S, Machine, bundle, vm

LONG = bool(os.environ.get("CALDARIUM_LONG"))
SEED = int(os.environ.get("CALDARIUM_SEED", "2"))
BLOCK = 50    # sequences in a line of output
PART = 5000   # sequences in a run

# What a guest sees of the hart, as a machine of its own. Everything runs on two harts: for one alone
# QEMU takes an atomic operation for a load and a store, and a page that it may not write to has its
# accessed bit set by the first.
BARE = "rv64,h=off,sstc=off,"
PAGING = {"sv39": "sv48=off,sv57=off", "sv48": "sv57=off", "sv57": ""}
BITS = {"svadu": "", "svade": ",svadu=off,svade=on"}
HIDDEN = {"svadu": '"sstc"', "svade": '"sstc", "svadu"'}


def results(machine):
    output = machine.wait_end(more_s=10 * PATIENCE_S)
    lines = re.findall(r"^(?:\[\w+\] )?(diff: .*)", output, re.MULTILINE)
    assert lines and lines[-1] == "diff: done", output[-2000:]
    return lines


def arguments(paging, first, count, block=BLOCK, trace=0, kinds="state", seed=SEED):
    levels = 4 if paging == "sv48" else 3
    return (f"seed={seed} first={first} count={count} block={block} levels={levels} trace={trace} "
            f"kinds={kinds}")


# All of it on QEMU's own firmware: OpenSBI from 1.6 on prints a line for each illegal instruction in
# between, whatever it runs under.
def bare(paging, bits, words):
    with Machine(smp=2, memory="256M", machine="virt", cpu=BARE + PAGING[paging] + BITS[bits], append=words,
                 kernel=os.path.join(BUILD, "guests", "diff.bin"), firmware=None) as machine:
        return results(machine)


# The same for every engine.
remembered = functools.lru_cache(maxsize=None)(bare)


def in_vm(folder, cpu, option, largest, paging, bits, words):
    """`largest`: the mode that the hart has, where engine shadow gives the guest a smaller one."""
    path = bundle(folder, vm("diff", kernel="diff", mib=32, bootargs=words, vcpus=2,
                             isa_disable=HIDDEN[bits]))
    with Machine(path, smp=2, memory="512M", cpu=f"{cpu},{PAGING[largest]}", firmware=None,
                 append=f"when-done=poweroff {option}") as machine:
        return results(machine)


def first_difference(ours, theirs):
    return next((n for n, pair in enumerate(zip(ours, theirs)) if pair[0] != pair[1]),
                min(len(ours), len(theirs)))


def explain(folder, how, what, first, count, kinds):
    """Which sequence it is, and which of its steps."""
    paging = what[0]
    words = arguments(paging, first, count, 1, kinds=kinds)
    number = first + first_difference(bare(*what, words), in_vm(folder, *how, *what, words))
    words = arguments(paging, number, 1, 1, 1, kinds)
    ours, theirs = bare(*what, words), in_vm(folder, *how, *what, words)
    at = first_difference(ours, theirs)
    return "\n".join([f"sequence {number} of seed {SEED}, line {at} of its trace:",
                      *ours[max(0, at - 4):at], "bare:", *ours[at:at + 2], "in a VM:",
                      *theirs[at:at + 2]])


def compare(folder, how, what, count, kinds):
    paging = what[0]
    for first in range(0, count, PART):
        words = arguments(paging, first, min(PART, count - first), kinds=kinds)
        expected = remembered(*what, words)
        seen = in_vm(folder, *how, *what, words)
        at = first_difference(expected, seen)
        assert expected == seen, explain(folder, how, what, first + at * BLOCK, BLOCK, kinds)


# On a hart with Sv39 alone engine shadow has its trampoline; on others no exit changes satp.
HARTS = pytest.mark.parametrize("largest, paging, bits, part", [
    ("sv48", "sv39", "svadu", 2), ("sv39", "sv39", "svadu", 2), ("sv48", "sv39", "svade", 4),
    ("sv39", "sv39", "svade", 8), ("sv57", "sv48", "svadu", 4)])


def hart_for(cpu, option, largest, paging):
    """Engine h gives its guest what the hart has: there each of the guest's kinds is done once."""
    if (cpu, option) != ("rv64", "") or largest == paging or ENGINE == "shadow":
        return largest
    if largest == "sv48":
        pytest.skip("engine h gives guests what the hart has")
    return paging


@HARTS
@pytest.mark.parametrize("cpu, option, count", [
    pytest.param("rv64,h=off", "", 4000, id="shadow"),
    pytest.param("rv64", "engine=shadow", 400, id="shadow-beside-h"),
    pytest.param("rv64", "", 2000, id="h"),
])
def test_same_as_bare(tmp_path, cpu, option, count, largest, paging, bits, part):
    largest = hart_for(cpu, option, largest, paging)
    compare(tmp_path, (cpu, option, largest), (paging, bits), 100000 if LONG else count // part, "state")


@HARTS
@pytest.mark.parametrize("cpu, option, count", [pytest.param("rv64,h=off", "", 600, id="shadow"),
                                                pytest.param("rv64", "", 400, id="h")])
def test_code_same_as_bare(tmp_path, cpu, option, count, largest, paging, bits, part):
    """What a system does to its own code (guests/diff/arena.h)."""
    largest = hart_for(cpu, option, largest, paging)
    compare(tmp_path, (cpu, option, largest), (paging, bits), 100000 if LONG else count // part, "code")


@pytest.mark.parametrize("seed, number", [(141, 7395)])
def test_sequences_that_differed_once(tmp_path, seed, number):
    """7395 of 141: a look at what follows a page set its accessed bit."""
    words = arguments("sv39", number, 1, 1, kinds="code", seed=seed)
    assert in_vm(tmp_path, "rv64,h=off", "", "sv48", "sv39", "svadu", words) == bare("sv39", "svadu", words)


def test_results_depend_on_what_was_done(tmp_path):
    """Were the same printed whatever the hart does, nothing above could fail."""
    words = arguments("sv39", 0, 20, 1)
    lines = bare("sv39", "svadu", words)
    assert len(set(lines)) == 21
    assert lines != bare("sv39", "svade", words)
    assert lines == bare("sv39", "svadu", words)
