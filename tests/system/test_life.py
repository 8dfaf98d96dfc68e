# SPDX-License-Identifier: BSD-2-Clause
"""VMs that end and begin again, and how a guest's kernel likes its machine."""

import os
import re

from caldarium import LINUX, Machine, bundle, clean, vm

REBOOTS = 200 if os.environ.get("CALDARIUM_LONG") else 5


def test_reboots_leave_memory_as_it_was(tmp_path):
    path = bundle(tmp_path, vm("linux", vcpus=2))
    with Machine(path, smp=2) as machine:
        machine.expect(r"linux:~#")
        before = machine.free_kib()
        machine.front(1)
        for _ in range(REBOOTS):
            machine.send("reboot -f\r")
            machine.expect("vm linux: starts again")
            machine.expect("init: linux: Linux")
            machine.expect(r"linux:~#")
        assert machine.free_kib() == before
        assert f" {REBOOTS}" in machine.monitor("list")


def test_restart_limit(tmp_path):
    path = bundle(tmp_path, vm("linux", run="reboot -f", restart_limit="<2>"))
    with Machine(path, smp=1) as machine:
        for _ in range(2):
            machine.expect("vm linux: starts again")
        machine.expect("vm linux: restarted 2 times, its restart-limit")
        machine.wait_end()


def kernel_messages(text):
    """Warnings and worse, as `dmesg -r` prints them, without time."""
    return {re.sub(r"\[ *[\d.]+\] ", "", line) for line in clean(text).splitlines()
            if re.match(r"<[0-4]>", line)}


def test_dmesg_has_nothing_that_bare_lacks(tmp_path):
    """One hart fewer than `quiet` shows: the buffer itself is printed, on both machines."""
    node = vm("linux", vcpus=2, run="dmesg -r")
    arguments = re.search(r'bootargs = "([^"]*)"', node).group(1)
    with Machine(os.path.join(LINUX, "initramfs.cpio.gz"), smp=2, memory="256M", append=arguments,
                 kernel=os.path.join(LINUX, "Image")) as bare:
        on_bare = kernel_messages(bare.wait_end())
    with Machine(bundle(tmp_path, node), smp=2) as machine:
        text = machine.wait_end()
    assert "Booting Linux" in text
    assert kernel_messages(text) - on_bare == set()
