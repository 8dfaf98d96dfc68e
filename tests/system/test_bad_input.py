# SPDX-License-Identifier: BSD-2-Clause
"""What is wrong with a bundle is one clear line, and the VM beside it runs."""

import os
import re
import struct

import pytest
from caldarium import BUILD, LINUX, LOOP, Machine, bundle, vm

GOOD = vm("good", kernel="loop", mib=16)
CUT = 20 << 20

CASES = {
    "unknown property": (vm("bad", colour='"red"'), "vm bad: property colour is unknown"),
    "unknown node": (vm("bad").replace("};", "extra { }; };"), "vm bad: node extra: its compatible is no device's"),
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
    "no such console": (vm("bad", console='"vga"'), 'vm bad: property console: "uart" or "none" .or another. is expected'),
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
        machine.monitor_shows("list", r"good\s+running")
        machine.monitor_shows("harts", "vm good")
        assert len(re.findall(r"caldarium: vm bad: (?!1 vCPU|refused|\d+ vCPU)", machine.output)) == 1


def image(size, offset):
    """A Linux Image of one instruction, whose header claims this image_size and text_offset."""
    return struct.pack("<IIQQQIIQ8sII", 0x6f, 0, offset, size, 0, 2, 0, 0, b"RISCV\0\0\0", 0x05435352, 0)


def elf(*, headers=64, header_bytes=56, count=1, offset=0, file_bytes=4, memory_bytes=4, entry=0x80200000,
        word=2, machine=243, kind=1):
    return (b"\x7fELF" + bytes([word, 1, 1]) + bytes(9) +
            struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, entry, headers, 0, 0, 64, header_bytes, count, 0, 0, 0) +
            struct.pack("<IIQQQQQQ", kind, 7, offset, 0x80200000, 0x80200000, file_bytes, memory_bytes, 4096))


HUGE = 2**64 - 4096
BAD_KERNELS = {
    "bss-half": (image(2**63, 0x200000), "it needs more RAM"),
    "bss-all": (image(2**64 - 1, 0x200000), "it needs more RAM"),
    "offset-wraps": (image(4096, HUGE), "it needs more RAM"),
    "offset-odd": (image(4096, 0x200001), "the entry 0x80200001 is not in the VM's memory"),
    "headers-wrap": (elf(headers=2**64 - 8), "program headers lie beyond the end"),
    "headers-tiny": (elf(header_bytes=1), "program headers lie beyond the end"),
    "headers-many": (elf(count=65535), "program headers lie beyond the end"),
    "file-wraps": (elf(offset=8, file_bytes=2**64 - 8, memory_bytes=2**64 - 8), "beyond the end of the file"),
    "memory-wraps": (elf(memory_bytes=HUGE), "outside the VM's memory"),
    "entry-outside": (elf(entry=2), "the entry 0x2 is not in the VM's memory"),
    "entry-odd": (elf(entry=0x80200001), "the entry 0x80200001 is not in the VM's memory"),
    "32-bits": (elf(word=1), "no 64-bit little-endian RISC-V ELF"),
    "x86": (elf(machine=62), "no 64-bit little-endian RISC-V ELF"),
    "nothing-to-load": (elf(kind=4), "no ELF segment to load"),
    "elf-cut": (elf()[:20], "cut short inside its ELF header"),
    "empty": (b"", "has no property data"),
}


def test_a_bundle_full_of_bad_kernels(tmp_path):
    images, nodes = "", [GOOD]
    for name, (content, _) in BAD_KERNELS.items():
        path = os.path.join(tmp_path, name)
        with open(path, "wb") as file:
            file.write(content)
        label = "k_" + name.replace("-", "_")
        images += f'{label}: {name} {{ data = /incbin/("{path}"); }};'
        nodes.append(vm(f"bad-{name}", kernel=label, mib=16))
    with Machine(bundle(tmp_path, *nodes, images=images), smp=2, memory="512M", append="") as machine:
        machine.expect("is in front")
        missing = {f"vm bad-{name}: property kernel: .*{line}" for name, (_, line) in BAD_KERNELS.items()}
        while missing:
            missing = {line for line in missing if not re.search(line, machine.output)}
            if missing:
                machine.expect("|".join(missing))
        states = r"good\s+running" + r"[^\n]*\n *\d+ +bad-\S+ +(ended|refused)" * len(BAD_KERNELS)
        machine.monitor_shows("list", states)


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
