# SPDX-License-Identifier: BSD-2-Clause
"""A guest that works hard (guests/linux has the programs)."""

import os
import re

from caldarium import Machine, bundle, vm

LONG = bool(os.environ.get("CALDARIUM_LONG"))


def run(tmp_path, command, *, cpu="rv64", vcpus=4):
    node = vm("linux", vcpus=vcpus, ramdisk="programs", run=f"{command}; dmesg -r")
    with Machine(bundle(tmp_path, node), smp=vcpus, cpu=cpu) as machine:
        text = machine.wait_end(more_s=600 if LONG else 0)
    # What the kernel complained about since init began.
    after = text[text.index("Run /init as init process"):]
    complaints = [line for line in after.splitlines() if re.match(r"<[0-4]>", line)]
    assert complaints == []
    return text


def test_threads_mappings_forks(tmp_path):
    text = run(tmp_path, f"stress {600 if LONG else 10}")
    assert re.search(r"stress: \d+ workers, 0 failed", text), text


def test_vector_registers_survive(tmp_path):
    text = run(tmp_path, "vector", cpu="max", vcpus=1)
    assert "vector: 2 processes, 0 failed" in text
