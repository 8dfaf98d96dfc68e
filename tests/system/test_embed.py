# SPDX-License-Identifier: BSD-2-Clause
"""examples/embed: a unikernel with tasks of its own that embeds the library."""

import os
import re

import pytest
from caldarium import BUILD, Machine

IMAGE = os.path.join(BUILD, "embed.bin")


def embed(bundle=None, *, smp=2, append="", **more):
    return Machine(bundle, kernel=IMAGE, smp=smp, append=append, **more)


def free_kib(output):
    return [int(kib) for kib in re.findall(r"(\d+) KiB of memory are free", output)]


@pytest.mark.parametrize("levels", [3, 4, 5])
def test_its_own_tasks_tick(levels):
    """Also beside tasks that never give their harts away."""
    with embed(smp=4, append=f"ticks=10 busy=1 levels={levels}") as machine:
        output = machine.wait_end()
    assert f"4 harts, Sv{12 + 9 * levels}" in output, output
    for n in range(4):
        assert f"task {n}: 10 ticks" in output and f"busy task {n}: went round" in output, output
    before, after = free_kib(output)
    assert before == after, output


def test_console_of_the_firmware():
    with embed(append="ticks=1 console=sbi") as machine:
        machine.wait_end()
    assert "embed: the end" in machine.output, machine.output
