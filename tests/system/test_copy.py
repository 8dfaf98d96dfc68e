# SPDX-License-Identifier: BSD-2-Clause
"""Caldarium's own memcpy(), in assembly, on the bare machine (guests/copy)."""

import os

from caldarium import BUILD, Machine


def test_each_alignment_and_length():
    with Machine(kernel=os.path.join(BUILD, "guests", "copy.bin"), smp=1, machine="virt", append="") as machine:
        assert "copy: 51456 copies, 0 bytes wrong" in machine.wait_end()
