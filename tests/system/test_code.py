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
