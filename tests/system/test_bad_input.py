# SPDX-License-Identifier: BSD-2-Clause
"""What is wrong with a bundle is one clear line, and the VM beside it runs."""

import os
import re

import pytest
from caldarium import BUILD, LINUX, LOOP, Machine, bundle, vm

GOOD = vm("good", kernel="loop", mib=16)
CUT = 20 << 20

CASES = {
    "unknown property": (vm("bad", colour='"red"'), "vm bad: property colour is unknown"),
    "unknown node": (vm("bad").replace("};", "extra { }; };"), "vm bad: node extra is unknown"),
    "overlapping memory": (
        vm("bad", memory="<0 0x80000000 0 0x8000000>, <0 0x84000000 0 0x8000000>"),
        r"vm bad: property memory: range 2 .* overlaps range 1"),
    "memory over a device": (vm("bad", memory="<0 0x0c000000 0 0x8000000>"),
                             "vm bad: property memory: range 1 .* overlaps the PLIC"),
    "too much memory": (vm("bad", memory="<0 0x80000000 4 0>"),
                        "vm bad: property memory: 16384 MiB wanted"),
    "no kernel": (vm("bad", kernel=None), "vm bad: property kernel is missing"),
    "Image cut short": (vm("bad", kernel="cut"), "vm bad: property kernel: image cut: .*cut short"),
    "ELF outside RAM": (vm("bad", kernel="elf"),
                        "vm bad: property kernel: image elf: .*outside the VM's memory"),
    "pinned vCPUs over harts": (vm("bad", vcpus=2, schedule='"pinned"', harts="<0>"),
                                'vm bad: property schedule: "pinned" expects 2 harts in property harts'),
    "no such hart": (vm("bad", harts="<77>"), "vm bad: property harts: .*77"),
    "ramdisk over RAM": (vm("bad", mib=72, ramdisk="linux"), "vm bad: property ramdisk: image linux"),
    "passthrough": (vm("bad", passthrough='"/soc/nothing"'),
                    "vm bad: property passthrough: the board has no device \"/soc/nothing\""),
    "not served yet": (vm("bad", console='"virtio"'), "vm bad: property console: \"virtio\" is not"),
    "empty vcpus": (vm("bad", vcpus=0), "vm bad: property vcpus: one number from 1 to 64"),
}


@pytest.mark.parametrize("case", CASES)
def test_one_line_and_the_other_runs(tmp_path, case):
    node, line = CASES[case]
    cut = os.path.join(tmp_path, "cut")
    with open(os.path.join(LINUX, "Image"), "rb") as image, open(cut, "wb") as out:
        out.write(image.read(CUT))
    images = (f'cut: cut {{ data = /incbin/("{cut}"); }};'
              f'elf: elf {{ data = /incbin/("{BUILD}/caldarium.elf"); }};')
    path = bundle(tmp_path, GOOD, node, images=images)
    with Machine(path, smp=2, memory="512M", append="") as machine:
        machine.expect(line)
        text = machine.monitor("list")
        assert re.search(r"good\s+running", text), text
        assert "vm good" in machine.monitor("harts")
        assert len(re.findall(r"caldarium: vm bad: (?!1 vCPU|refused|\d+ vCPU)", machine.output)) == 1


def test_unknown_option():
    with Machine(None, smp=1, append="engine=best frob=1") as machine:
        machine.expect("option engine=best in /chosen/bootargs is unknown or not served yet")
        machine.expect("option frob=1 in")


def test_no_bundle():
    with Machine(None, smp=1, append="") as machine:
        machine.expect("no bundle: /chosen/linux,initrd-start")
        assert "There is no VM" in machine.monitor("list")


@pytest.mark.parametrize("content, line", [
    (lambda blob: blob[:len(blob) // 2], "bundle: cut short"),
    (lambda blob: b"no bundle at all" * 8, "bundle: no device tree blob"),
    (lambda blob: blob[:60] + b"\xff" * 40 + blob[100:], "bundle: the blob is damaged"),
])
def test_broken_blob(tmp_path, content, line):
    path = bundle(tmp_path, GOOD)
    with open(path, "rb") as file:
        blob = file.read()
    with open(path, "wb") as file:
        file.write(content(blob))
    with Machine(path, smp=1, append="") as machine:
        machine.expect(line)
        machine.monitor("harts")


assert LOOP  # the neighbour in every bundle
