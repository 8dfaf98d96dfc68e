# SPDX-License-Identifier: BSD-2-Clause
"""Boards that are not QEMU's virt: where memory lies, what firmware tells of it, what harts have."""

import os
import re
import socket
import struct
import subprocess

import pytest
from caldarium import BUILD, FIRMWARE, IMAGE, Machine, ask_until, board_tree, bundle, guest_image, needs_h, vm

GIB = 1 << 30
LOOP = vm("loop", kernel="loop", mib=16)


def replace(old, new):
    def edit(source):
        assert len(re.findall(old, source)) == 1, source
        return re.sub(old, new, source)
    return edit


def enter_with(folder, tree, image=0x80400000, at=0x88000000):
    """Firmware enters a stub, which hands on a tree of our own: firmware can't put its nodes into that.
    Returns what Machine() is to be called with."""
    stub = os.path.join(folder, "stub")
    with open(stub, "wb") as file:
        # auipc t0, 0; ld a1, 24(t0); ld t1, 32(t0); jr t1; two words nobody reads; tree, image
        file.write(struct.pack("<IIIIQQQ", 0x297, 0x0182b583, 0x0202b303, 0x30067, 0, at, image))
    load = [("-device", f"loader,file={file},addr={where:#x},force-raw=on")
            for file, where in ((IMAGE, image), (tree, at))]
    return {"kernel": stub, "extra": [word for pair in load for word in pair]}


def with_bundle(path, at=0x90000000):
    """The bundle is told in the tree too, since that isn't QEMU's."""
    end = at + os.path.getsize(path)
    return replace(r"\tchosen \{\n", "\tchosen {\n"
                   f"\t\tlinux,initrd-start = <{at >> 32:#x} {at & 0xffffffff:#x}>;\n"
                   f"\t\tlinux,initrd-end = <{end >> 32:#x} {end & 0xffffffff:#x}>;\n")


MEMORY = r"\tmemory@80000000 \{[^}]*\};\n"


@pytest.mark.parametrize("node, line", [
    ("memory@80000000 { device_type = \"memory\"; reg = <0 0x80000000 0 0x3ffffe00>; };",
     r"memory@80000000: 0x80000000 \+ 0x3ffffe00 is not in whole pages .*; 0x80000000 \+ 0x3ffff000 is used"),
    # One that overlaps, one that is empty, one that wraps around, one with half a page at each end.
    ("""memory@80000000 { device_type = "memory"; reg = <0 0x80000000 0 0x30000000 0 0xa0000000 0 0x1000000>; };
        memory@0 { device_type = "memory"; reg = <0 0 0 0>; };
        memory@1 { device_type = "memory"; reg = <0xffffffff 0xfffff800 0xffffffff 0xfffff000>; };
        memory@b0000800 { device_type = "memory"; reg = <0 0xb0000800 0 0xffff000>; };""",
     r"memory@b0000800: .* 0xb0001000 \+ 0xfffe000 is used"),
])
def test_memory_that_is_not_in_whole_pages(tmp_path, node, line):
    tree = board_tree(tmp_path, replace(MEMORY, node), smp=1)
    path = bundle(tmp_path, LOOP)
    with Machine(path, smp=1, append="", extra=["-dtb", tree]) as machine:
        machine.expect(line)
        machine.expect("vm loop: started")
        assert machine.free_kib() < 1 << 20


def test_memory_is_what_the_machine_has(tmp_path):
    """An overlap is not given out twice."""
    def halves(source):
        return replace(MEMORY, 'memory@80000000 { device_type = "memory";'
                       "reg = <0 0x80000000 0 0x20000000 0 0x90000000 0 0x30000000>; };")(source)
    free = []
    for extra in ([], ["-dtb", board_tree(tmp_path, halves, smp=1)]):
        with Machine(bundle(tmp_path, LOOP), smp=1, append="", extra=extra) as machine:
            machine.expect("vm loop: started")
            free.append(machine.free_kib())
    assert abs(free[0] - free[1]) < 64


RESERVED = ("\treserved-memory { #address-cells = <2>; #size-cells = <2>; ranges;"
            " screen@a0000000 { reg = <0 0xa0000000 0 0x100000>; no-map; }; };\n")


def test_reserved_memory_that_is_not_the_firmwares(tmp_path):
    """Firmware that reserves nothing lies below the image all the same."""
    path = bundle(tmp_path, LOOP)

    def edit(source):
        source = with_bundle(path)(source)
        return replace(f"({MEMORY})", RESERVED + r"\1")(source)
    start = enter_with(tmp_path, board_tree(tmp_path, edit, smp=1), image=0x80200000 + (8 << 20))
    start["extra"] += ["-device", f"loader,file={path},addr=0x90000000,force-raw=on"]
    with Machine(smp=1, append="", **start) as machine:
        machine.expect("memory   0x80000000 to 0x809fffff is taken to be firmware's")
        machine.expect("vm loop: started")


def test_rustsbi_with_reserved_memory(tmp_path):
    tree = board_tree(tmp_path, replace(f"({MEMORY})", RESERVED + r"\1"), smp=1)
    with Machine(bundle(tmp_path, LOOP), smp=1, append="",
                 firmware=guest_image("rustsbi-qemu.bin"), extra=["-dtb", tree]) as machine:
        machine.expect("memory   0x80000000 to 0x801fffff is taken to be firmware's")
        machine.expect("vm loop: started")


def test_256_gib(tmp_path):
    """The tree and the bundle lie at the end of it, where Caldarium uses no memory."""
    memory = ["-object", f"memory-backend-ram,id=ram,size={256 * GIB},reserve=off"]
    with Machine(bundle(tmp_path, LOOP), machine="virt,memory-backend=ram", memory="256G", smp=1, append="",
                 extra=memory) as machine:
        machine.expect("16384 MiB of memory above 0x3c80000000 are not used")
        machine.expect("vm loop: started")


def test_tree_and_bundle_outside_of_memory(tmp_path):
    """In RAM that the tree has no memory node for, as in a flash or beyond what is reached."""
    path = bundle(tmp_path, vm("loop", kernel="loop", mib=16))

    def edit(source):
        source = with_bundle(path, 0xb0000000)(source)
        return replace(MEMORY, 'memory@80000000 { device_type = "memory"; reg = <0 0x80000000 0 0x20000000>; };')(source)
    start = enter_with(tmp_path, board_tree(tmp_path, edit, smp=1), at=0xbfe00000)
    start["extra"] += ["-device", f"loader,file={path},addr=0xb0000000,force-raw=on"]
    with Machine(smp=1, append="", **start) as machine:
        machine.expect("vm loop: started")
        assert machine.free_kib() < 512 << 10


def test_no_tree_where_firmware_points(tmp_path):
    tree = os.path.join(tmp_path, "empty")
    with open(tree, "wb") as file:
        file.write(b"\0" * 64)
    for at in (0x88000000, 1 << 60, (1 << 64) - 8):
        start = enter_with(tmp_path, tree, at=at)
        if at > 1 << 56:
            start["extra"] = start["extra"][:2]
        with Machine(smp=1, append="", **start) as machine:
            machine.expect(f"panic: no usable device tree at {at:#x}, where firmware's a1 points")


def test_bundle_that_is_no_range(tmp_path):
    def edit(source):
        return replace(r"\tchosen \{\n", "\tchosen {\n\t\tlinux,initrd-start = <0xffffffff 0xffff0000>;\n"
                       "\t\tlinux,initrd-end = <0xffffffff 0xffffffff>;\n")(source)
    start = enter_with(tmp_path, board_tree(tmp_path, edit, smp=1))
    with Machine(smp=1, append="", **start) as machine:
        machine.expect("linux,initrd-start 0xffffffffffff0000 .* are no range of memory")
        machine.expect("no bundle")


# Where RAM begins, and what the smallest second stage for it takes: a root of 16 KiB, and a page for
# each level below as far as it is large pages.
@needs_h
@pytest.mark.parametrize("base, kib", [(0x80000000, 20), (1 << 41, 24), (1 << 50, 28)])
def test_second_stage_is_as_small_as_the_addresses_let_it(tmp_path, base, kib):
    cells = f"<{base >> 32:#x} {base & 0xffffffff:#x} 0 0x1000000>"
    path = bundle(tmp_path, vm("loop", kernel="loop", memory=cells, irqchip='"aplic"'))
    with Machine(path, smp=1, append="") as machine:
        machine.expect(f"vm loop: started: 16 MiB of RAM, {kib} KiB of page tables")
        machine.monitor_shows("harts", "vm loop|loop, vCPU 0")


@needs_h
def test_addresses_that_no_second_stage_reaches(tmp_path):
    path = bundle(tmp_path, LOOP, vm("far", kernel="loop", memory="<0x200 0 0 0x1000000>"),
                  vm("nowhere", kernel="loop", memory="<0x1000000 0 0 0x1000000>"))
    with Machine(path, smp=1, cpu="rv64,sv57=off,sv48=off", append="") as machine:
        machine.expect("vm nowhere: property memory: .* it ends at or below 0x100000000000000")
        machine.expect("vm far: its memory and devices reach up to 0x20000ffffff; "
                       "the harts' second stage ends at 0x1ffffffffff; it is refused")
        machine.expect("vm loop: started")


# Whatever sstatus.FS and VS do: a tree that doesn't name the unit, a hart without it.
NO_UNITS = {
    "no F": ("rv64,zfa=off,f=off,d=off", None),
    "no F but Zve64x": ("rv64,zfa=off,f=off,d=off,zve64x=on", None),
    "Zve64d alone": ("rv64,zve64d=on", None),
    "V that the tree doesn't have": ("rv64,v=on", "rv64imafdc_zicsr_zifencei"),
    "F and D that the tree doesn't have": ("rv64", "rv64imac_zicsr_zifencei"),
}


@pytest.mark.parametrize("case", NO_UNITS)
def test_units_that_are_not_there_are_left_alone(tmp_path, case):
    cpu, said = NO_UNITS[case]
    extra = []
    if said:
        def edit(source):
            source = re.sub(r"\s+riscv,isa-extensions = [^;]*;", "", source)
            return replace('riscv,isa = "[^"]*"', f'riscv,isa = "{said}"')(source)
        extra = ["-dtb", board_tree(tmp_path, edit, smp=1, cpu=cpu)]
    path = bundle(tmp_path, vm("mini", kernel="minikernel", mib=16))
    with Machine(path, smp=1, cpu=cpu, append="", extra=extra) as machine:
        isa = re.search(r"isa +(\S+)", machine.expect(r"isa .*\n")).group(1)
        units = "fd" if "Zve64d" in case or "V " in case else ""
        assert re.match(f"rv64ima{units}ch?_", isa), isa
        machine.expect("mini> ")
        machine.check_minikernel()


class Debugger:
    """As much of the remote protocol of gdb as a test needs."""

    def __init__(self, port):
        self.socket = socket.create_connection(("localhost", port))

    def ask(self, packet):
        self.socket.sendall(f"${packet}#{sum(packet.encode()) & 255:02x}".encode())
        answer = b""
        while not re.search(rb"\$([^#]*)#..", answer):
            more = self.socket.recv(4096)
            assert more, "QEMU is gone"
            answer += more
        self.socket.sendall(b"+")
        return re.search(rb"\$([^#]*)#..", answer).group(1).decode()


def test_satp_that_takes_an_unknown_mode_for_bare(tmp_path):
    """The debugger writes Bare in place of the mode that is tried, as some emulators do themselves."""
    symbols = subprocess.run(["nm", os.path.join(BUILD, "caldarium.elf")], check=True, capture_output=True)
    address = re.search(r"^f{8}([0-9a-f]{8}) [Tt] satp_try$", symbols.stdout.decode(), re.MULTILINE).group(1)
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    with Machine(bundle(tmp_path, LOOP), smp=1, append="engine=shadow", cpu="rv64,sv57=off,sv48=off",
                 extra=["-gdb", f"tcp:localhost:{port}", "-S"]) as machine:
        ask_until("ok", lambda: "ok" if socket.socket().connect_ex(("localhost", port)) == 0 else "")
        debugger = Debugger(port)
        assert debugger.ask(f"Z1,ffffffff{address},4") == "OK"
        assert debugger.ask("c").startswith("T05")
        assert debugger.ask("Pa=0000000000000000") == "OK"  # a0
        assert debugger.ask(f"z1,ffffffff{address},4") == "OK"
        debugger.socket.sendall(b"$c#63")
        machine.expect("shadow, Sv39")
        machine.expect("vm loop: started")
        debugger.socket.close()


@pytest.mark.parametrize("cpu, says", [
    ("thead-c906", "shadow, Sv39; timer through"),      # has th.sxstatus, without page attributes
    ("rv64,h=off,mvendorid=0x5b7", "shadow, Sv48"),     # says that it does, and has not
    ("sifive-u54", "shadow, Sv39; timer through"),
    ("tt-ascalon", "h, Sv39x4 to Sv57x4"),
    ("veyron-v1", "h, Sv39x4 to Sv48x4"),
])
def test_named_harts(tmp_path, cpu, says):
    with Machine(bundle(tmp_path, vm("mini", kernel="minikernel", mib=16)), smp=1, cpu=None, append="",
                 extra=["-cpu", cpu]) as machine:
        machine.expect(says)
        machine.expect("mini> ")
        machine.check_minikernel()


@pytest.mark.parametrize("memory, line", [
    ("0 0x80000000 0 0x60000000", "memory from 0xc0000000 to 0xdfffffff does not answer"),
    ("0 0x80000000 0 0x40000000 1 0 0 0x40000000", "memory from 0x100000000 to 0x13fffffff does not answer"),
])
def test_memory_that_is_not_there(tmp_path, memory, line):
    tree = board_tree(tmp_path, replace(MEMORY, f'memory@80000000 {{ device_type = "memory"; reg = <{memory}>; }};'),
                      smp=1)
    with Machine(bundle(tmp_path, LOOP), smp=1, append="", extra=["-dtb", tree]) as machine:
        machine.expect(f"board tree: {line}; it is left out")
        machine.expect("vm loop: started")
        assert machine.free_kib() < 1 << 20


def test_polarfire(tmp_path):
    """Four U54 harts and an E51 without S-mode; RAM at 2 GiB and at 64 GiB. Linux' tree, but for the
    second half of its memory, which QEMU has elsewhere."""
    boards = os.environ.get("CALDARIUM_BOARDS", os.path.expanduser("~/.cache/caldarium/boards"))
    tree = os.path.join(boards, "microchip", "mpfs-icicle-kit.dtb")
    firmware = FIRMWARE or "/usr/share/qemu/opensbi-riscv64-generic-fw_dynamic.bin"
    for file in (tree, firmware):
        if not os.path.exists(file):
            pytest.skip(f"{file} is not there")
    mine = os.path.join(tmp_path, "icicle.dtb")
    source = subprocess.run(["dtc", "-q", "-I", "dtb", "-O", "dts", tree], check=True, capture_output=True)
    source = replace("reg = <0x10 0x40000000 0x00 0x40000000>", "reg = <0x10 0 0 0x40000000>")(source.stdout.decode())
    subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", mine], input=source.encode(), check=True)
    path = bundle(tmp_path, vm("mini", kernel="minikernel", mib=16))
    with Machine(path, machine="microchip-icicle-kit", smp=5, memory="2G", cpu=None, append="",
                 firmware=firmware, port=1, extra=["-dtb", mine]) as machine:
        machine.expect("harts    4")
        machine.expect("Caldarium .* at 0x103f")
        machine.expect("mini> ")
        machine.check_minikernel()


# What the tree lacks, the lines that say so, and how it goes on: with a VM, or with a last line.
LACKS = {
    "memory": ({MEMORY: ""}, ["/: no node with device_type \"memory\" has a size in reg"], "panic: "),
    "harts": ({r'mmu-type = "[^"]*"': 'mmu-type = "riscv,none"'},
              ["/cpus/cpu@0: mmu-type is riscv,none; the hart is left out", "/: /cpus has no enabled hart"],
              "panic: board tree: no usable hart"),
    "time": ({r"timebase-frequency = <\w+>;": ""}, ["/: /cpus has no timebase-frequency"],
             "panic: board tree: no timebase-frequency"),
    "console": ({r"stdout-path = [^;]*;": ""}, ["/: /chosen has no stdout-path; the console is firmware's"],
                "console  sbi"),
    "driver": ({r'compatible = "ns16550a"': 'compatible = "caldarium,morse-key"'},
               ['/soc/serial@10000000: compatible "caldarium,morse-key" is no serial port that has a driver'],
               "console  sbi"),
    "sources": ({r"riscv,ndev = <\w+>": "riscv,ndev = <0x400>"},
                [r"/soc/\S+@c000000: riscv,ndev is 1024, expected is 1 to 1023", "/: no node is compatible with a PLIC"],
                "irqchip  none"),
    "lines": ({r"interrupts-extended = <0x02 0x0b 0x02 0x09>;": "interrupts-extended = <0x02 0x0b>;"},
              [r"/soc/\S+@c000000: interrupts-extended has no S-mode line of 1 of 1 harts, hart 0 first"], "vm loop: started"),
    "interrupt": ({r"interrupts = <0x0a>;": ""},
                  ["/soc/serial@10000000: interrupts leads to no source .*; the console is polled"], "vm loop: started"),
}


@pytest.mark.parametrize("lack", LACKS)
def test_what_a_board_lacks_is_a_line(tmp_path, lack):
    changes, lines, last = LACKS[lack]

    path = bundle(tmp_path, LOOP)

    def edit(source):
        for old, new in changes.items():
            source = replace(old, new)(source)
        return with_bundle(path)(source)
    start = enter_with(tmp_path, board_tree(tmp_path, edit, smp=1))  # firmware has QEMU's own
    start["extra"] += ["-device", f"loader,file={path},addr=0x90000000,force-raw=on"]
    with Machine(smp=1, append="", **start) as machine:
        for line in lines:
            machine.expect(f"board tree: {line}")
        machine.expect(last)
        if not last.startswith("panic"):
            machine.monitor_shows("list", "loop +running")
