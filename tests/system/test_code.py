# SPDX-License-Identifier: BSD-2-Clause
"""A guest that changes, reads and moves its own code sees what the bare machine shows (guests/code)."""

import os
import re

import pytest
from caldarium import BUILD, Machine, bundle, vm


def lines(text):
    return [line.strip() for line in re.findall(r"(?m)^code: .*", text)]


@pytest.fixture(scope="module")
def bare():
    with Machine(kernel=os.path.join(BUILD, "guests", "code.bin"), smp=2, machine="virt", append="") as machine:
        found = lines(machine.wait_end())
    assert found[-1] == "code: done", found
    assert "wrong 0" in found[-2], found
    return found


@pytest.mark.parametrize("cpu, option", [("rv64,h=off", ""), ("rv64", "engine=shadow"), ("rv64", "")],
                         ids=["shadow", "shadow-beside-h", "h"])
def test_same_as_bare(tmp_path, bare, cpu, option):
    with Machine(bundle(tmp_path, vm("code", kernel="code", mib=16, vcpus=2)), smp=2, cpu=cpu, machine="virt",
                 append=f"when-done=poweroff {option}") as machine:
        found = lines(machine.wait_end())
    assert found == bare


@pytest.mark.parametrize("mib, vcpus", [(16, 1), (128, 2), (256, 1)])
def test_memory_is_told_and_bounded(tmp_path, mib, vcpus):
    """Tables, sources, places and copies of a vCPU take 2 % of its VM's RAM at most, or 2 MiB."""
    unit = {"KiB": 1 << 10, "MiB": 1 << 20}
    with Machine(bundle(tmp_path, vm("loop", kernel="loop", mib=mib, vcpus=vcpus)), smp=2, cpu="rv64,h=off",
                 append="") as machine:
        machine.expect("vm loop: started")
        line = re.search(rf"(?m)loop +{mib} MiB +([\d.]+) (.iB) +([\d.]+) (.iB) +([\d.]+) %", machine.monitor("memory"))
    tables, share = (float(line[n]) * unit[line[n + 1]] for n in (1, 3))
    assert 0 < share <= max(mib * (1 << 20) / 50, 2 << 20)
    assert abs(tables - vcpus * share) < vcpus * (1 << 17)  # as they are rounded
    ram = mib * (1 << 20)
    assert abs(float(line[5]) / 100 * ram - share) < unit[line[4]] / 10 + ram / 1000  # both are rounded
