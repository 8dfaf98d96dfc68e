# SPDX-License-Identifier: BSD-2-Clause
"""Our own small kernel: paging, a user program, timer, IPIs, PLIC, a serial prompt, a virtio disk."""

import os

import pytest
from caldarium import MIB, Machine, ask_until, bundle, vm

DISK = "/soc/virtio_mmio@10001000"


def mini(name="mini", *, vcpus=1, mib=16, words="", **properties):
    return vm(name, kernel="minikernel", vcpus=vcpus, mib=mib, bootargs=words or None, **properties)


def ask(machine, command, answer):
    machine.send(f"{command}\r")
    return machine.expect(answer)


def sees_its_program_count(machine):
    """The prompt may come before the user program's first turn."""
    ask_until("at [1-9]", lambda: ask(machine, "status", r"user program at \d+"))


@pytest.mark.parametrize("vcpus", [1, 4])
def test_its_own_tests(tmp_path, vcpus):
    with Machine(bundle(tmp_path, mini(vcpus=vcpus)), smp=4) as machine:
        machine.expect("mini> ")
        output = ask(machine, "test", "test: (all ok|something FAILED)")
        assert "all ok" in output, output
        machine.send("off\r")
        machine.wait_end()


@pytest.mark.parametrize("legacy", ["true", "false"])
def test_disk(tmp_path, legacy):
    disk = os.path.join(tmp_path, "disk.img")
    with open(disk, "wb") as file:
        file.truncate(8 * MIB)
    path = bundle(tmp_path, mini(passthrough=f'"{DISK}"', memory="<0x0 0x88000000 0x0 0x1000000>",
                                 direct_map=True, allow_unprotected_dma=True))
    with Machine(path, smp=2, extra=["-global", f"virtio-mmio.force-legacy={legacy}",
                                     "-drive", f"if=none,id=d,file={disk},format=raw",
                                     "-device", "virtio-blk-device,drive=d,bus=virtio-mmio-bus.0"]) as machine:
        machine.expect("minikernel: disk of 16384 sectors")
        machine.expect("mini> ")
        output = ask(machine, "test", "test: (all ok|something FAILED)")
        assert "test: disk ok" in output, output
        machine.send("off\r")
        machine.wait_end()
    with open(disk, "rb") as file:
        file.seek(-512, os.SEEK_END)
        assert file.read(4) == bytes([255, 8, 15, 22]) # sector 16383, then the pattern


def test_reset_and_work_go_on(tmp_path):
    with Machine(bundle(tmp_path, mini("a"), mini("b")), smp=1) as machine:
        machine.expect("mini> ")
        sees_its_program_count(machine)
        machine.front(2)
        ask(machine, "reset", "vm b: starts again")
        machine.expect("minikernel: 1 hart")
        machine.expect("mini> ")
        machine.front(1)
        sees_its_program_count(machine)
