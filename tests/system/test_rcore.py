# SPDX-License-Identifier: BSD-2-Clause
"""rCore-Tutorial-v3 as its repository has it, chapter by chapter."""

import re
import shutil

import pytest
from caldarium import PATIENCE_S, Machine, bundle, guest_image, vm

DISK = '"/soc/virtio_mmio@10001000"'


def rcore(tmp_path, chapter, **properties):
    image = guest_image(f"rcore-{chapter}.bin")
    node = vm("rcore", kernel="rcore", legacy_getchar='"zero"', **{"mib": 128, **properties})
    return bundle(tmp_path, node, images=f'rcore: rcore {{ data = /incbin/("{image}"); }};')


@pytest.mark.parametrize("chapter, lines", [
    ("ch3", ["Test power_3 OK!", "Test power_7 OK!", "Test sleep OK!"]),
    ("ch4", ["Test power_5 OK!", "Test sleep OK!", "PageFault in application"]),
])
def test_applications_in_turn(tmp_path, chapter, lines):
    with Machine(rcore(tmp_path, chapter), smp=1) as machine:
        output = machine.wait_end()
    for line in lines + ["All applications completed!", "vm rcore: powered off"]:
        assert line in output, output


def usertests(machine):
    machine.expect(">> ")
    machine.send("usertests\r")
    # It writes satp and fences at each trap, which under engine shadow are some ten exits.
    output = machine.expect(r"Usertests (passed|failed)!|panicked", more_s=10 * PATIENCE_S)
    assert "Usertests passed!" in output, output
    return output


def test_processes(tmp_path):
    with Machine(rcore(tmp_path, "ch5"), smp=1, append="") as machine:
        usertests(machine)
        machine.expect(">> ")


@pytest.mark.parametrize("chapter", ["ch6", "ch8"])
def test_file_system_on_a_disk_of_the_board(tmp_path, chapter):
    """A legacy virtio-mmio disk on the first slot; the guest's RAM is where it is linked, which is
    where the board's loader had put Caldarium."""
    disk = shutil.copy(guest_image(f"rcore-{chapter}.img"), tmp_path)
    path = rcore(tmp_path, chapter, memory="<0 0x80200000 0 0x7e00000>",
                 load_address="<0x80200000>", direct_map=True, allow_unprotected_dma=True,
                 passthrough=DISK)
    with Machine(path, smp=2, append="", extra=[
            "-drive", f"if=none,id=d,file={disk},format=raw",
            "-device", "virtio-blk-device,drive=d,bus=virtio-mmio-bus.0"]) as machine:
        output = usertests(machine)
        assert re.search(r"Test huge_write.* exited with code 0", output), output
        machine.request("reset rcore", "vm rcore: starts again")
        machine.front(1)
        machine.expect(">> ")
        machine.send("hello_world\r")
        machine.expect("Hello world from user mode program!")
