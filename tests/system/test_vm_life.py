# SPDX-License-Identifier: BSD-2-Clause
"""How a VM begins: what its harts find, what its memory map has."""

import gzip
import os
import re
import struct

import pytest
from caldarium import BUILD, FIRMWARE, Machine, bundle, guest_image, needs_h, vm

BOARD = "rv64,v=true"
HZ = 10_000_000 # of `time`, on virt


def life(name, what, *, mib=16, vcpus=1, words="", **properties):
    return vm(name, kernel="life", mib=mib, vcpus=vcpus, bootargs=f"life={what} {words}", **properties)


def test_harts_begin_as_firmware_leaves_them(tmp_path):
    """FP and vector unit on, user mode may read the counters: at boot, at a start, after a suspend."""
    lines = []
    with Machine(kernel=os.path.join(BUILD, "guests", "life.bin"), smp=2, memory="256M", cpu=BOARD,
                 append="life=entry") as bare:
        on_bare = re.findall("life: .*", bare.wait_end())
    with Machine(bundle(tmp_path, life("a", "entry", vcpus=2)), smp=2, cpu=BOARD) as machine:
        lines = re.findall("life: .*", machine.wait_end())
    assert [line.split(":")[1] for line in lines] == [" boot", " started", " resumed"]
    assert all("FS 3 VS 3 scounteren 7, user mode: cause 8" in line for line in lines), lines
    assert lines == on_bare or FIRMWARE # OpenSBI 1.9 leaves scounteren 2


def test_units_that_are_hidden_stay_off(tmp_path):
    path = bundle(tmp_path, life("a", "entry", vcpus=2, isa_disable='"v", "f"'))
    with Machine(path, smp=2, cpu=BOARD) as machine:
        lines = re.findall("life: .*", machine.wait_end())
    assert len(lines) == 3
    assert all("FS 0 VS 0 scounteren 7, user mode: cause 2" in line for line in lines), lines


def test_virtio_slots_without_a_device_are_empty(tmp_path):
    with Machine(kernel=os.path.join(BUILD, "guests", "life.bin"), smp=1, memory="256M", append="life=slots") as bare:
        on_bare = re.findall("life: .*", bare.wait_end())
    with Machine(bundle(tmp_path, life("a", "slots"))) as machine:
        lines = re.findall("life: .*", machine.wait_end())
    assert len(lines) == 8
    assert all("magic 74726976 version 1 device 0 status 0" in line.replace("0x", "") for line in lines), lines
    assert lines == on_bare


def test_64_vcpus_that_can_do_all(tmp_path):
    """Their tree is larger than 64 KiB."""
    path = bundle(tmp_path, vm("many", kernel="minikernel", vcpus=64, mib=16))
    with Machine(path, smp=2, cpu="max") as machine:
        machine.expect("mini> ")
        assert "virtio-mmio slots" in machine.monitor("map many")


@needs_h # where images lie is the same on engine shadow
def test_linux_boots_in_each_size(tmp_path):
    """Its CMA area is 128 MiB: in some sizes there was room for that, and for nothing else."""
    sizes = range(128, 257, 16) if os.environ.get("CALDARIUM_LONG") else (176, 192, 208)
    path = bundle(tmp_path, *[vm(f"m{mib}", mib=mib, run="true") for mib in sizes])
    with Machine(path, smp=2, memory="3G") as machine:
        output = machine.wait_end()
    for mib in sizes:
        assert f"vm m{mib}: powered off" in output, output


@needs_h
def test_a_pause_stops_time(tmp_path, cpu="rv64", firmware=FIRMWARE):
    """Two seconds pass in another VM. No step of `time` is as long, in either mode or on another hart,
    and no timer is early, or late by as much."""
    path = bundle(tmp_path, life("a", "time", vcpus=2), life("run", "time", vcpus=2, pause_time='"run"'),
                  life("b", "wait", words=f"ticks={2 * HZ}", autostart='"false"'))
    with Machine(path, smp=3, cpu=cpu, firmware=firmware) as machine:
        machine.expect("life: time goes.*life: time goes")
        machine.request("pause a", "vm a: paused")
        machine.request("pause run", "vm run: paused")
        machine.request("start b", "life: waited")
        machine.request("resume a", "vm a: goes on")
        machine.request("resume run", "vm run: goes on")
        for key, runs, other in ((1, False, "run"), (2, True, "a")):
            machine.front(key)
            machine.send("x")
            # The whole line, and its own: one that another line came into is shown once more, and from
            # behind with its VM's name.
            told = (rf"(?<!\[{other}\] )life: largest step (\d+), timer late by (\d+), early (\d+) times, "
                    r"clocks apart (\d+) times")
            text = machine.expect(told)
            step, late, early, apart = map(int, re.findall(told, text)[-1])
            assert (step >= 2 * HZ) == runs, text
            assert late < 2 * HZ or runs, f"{late} {text}"
            assert early == apart == 0, text


@needs_h
def test_a_pause_stops_time_without_sstc(tmp_path):
    test_a_pause_stops_time(tmp_path, "rv64,sstc=off")


def test_a_pause_stops_time_on_engine_shadow(tmp_path):
    """Where firmware hands a closed `time` on, as OpenSBI does from 1.6 on."""
    test_a_pause_stops_time(tmp_path, "rv64,h=off", guest_image("opensbi.bin"))


@pytest.mark.skipif(FIRMWARE is not None, reason="it is about OpenSBI 1.5")
def test_a_pause_says_so_where_time_runs_on(tmp_path):
    path = bundle(tmp_path, vm("a", kernel="minikernel", mib=16, engine='"shadow"'),
                  vm("b", kernel="minikernel", mib=16, engine='"shadow"', pause_time='"run"'))
    with Machine(path, smp=2) as machine:
        machine.expect("mini> ")
        machine.request("pause a", "vm a: paused; its time runs on")
        machine.request("pause b", "vm b: paused\r")


def test_compressed_kernels_are_unpacked(tmp_path):
    """With gzip, or in EFI's zboot image; others are refused by name, and so is what is damaged."""
    with open(os.path.join(BUILD, "guests", "minikernel.bin"), "rb") as file:
        packed = gzip.compress(file.read())
    zboot = struct.pack("<2s2x4sII8x32s4s4x", b"MZ", b"zimg", 64, len(packed), b"gzip", b"")
    images = {"gz": packed, "zboot": zboot + packed,
              "cut": packed[:-1000] + packed[-8:], "zstd": b"\x28\xb5\x2f\xfd" + bytes(100)}
    assert len(zboot) == 64
    nodes, vms = "", []
    for name, data in images.items():
        with open(os.path.join(tmp_path, name), "wb") as file:
            file.write(data)
        nodes += f'{name}: {name} {{ data = /incbin/("{tmp_path}/{name}"); }};'
        vms.append(vm(f"vm-{name}", kernel=name, mib=16, irqchip='"plic"', autostart='"false"'))
    with Machine(bundle(tmp_path, *vms, images=nodes), smp=2, append="") as machine:
        machine.expect("caldarium> ")
        machine.request("start vm-zstd", "vm vm-zstd: property kernel: image zstd: it is compressed with zstd; gzip alone")
        machine.request("start vm-cut", "vm vm-cut: property kernel: image cut: gzip: it is ")
        machine.request("start vm-gz", "minikernel: 1 hart")
        machine.request("start vm-zboot", "minikernel: 1 hart")


def test_making_a_vm_takes_no_time_from_others(tmp_path):
    """One VM of 256 MiB with 1 ms in 10 and the lowest priority resets itself as its first act, for ever,
    on the hart of one that has 8 ms in 10: that one is never away for longer than beside a busy VM."""
    evil = life("evil", "reset", mib=256, harts="<0>", priority="<0>", budget_us="<1000>", period_us="<10000>",
                on_reset='"restart"')
    good = life("good", "away", harts="<0>", priority="<31>", budget_us="<8000>", period_us="<10000>",
                words=f"ticks={HZ // 4}", autostart='"false"')
    with Machine(bundle(tmp_path, evil, good), smp=1, memory="2G", append="",
                 extra=["-icount", "shift=0,sleep=off"]) as machine:
        machine.expect("vm evil: starts again")
        for _ in range(6): # it begins elsewhere in evil's work each time
            machine.request("start good", "vm good: started")
            away, largest = map(int, re.search(r"away (\d+) of 1000, largest (\d+)",
                                               machine.expect(r"life: away [^\n]*\n")).groups())
            assert away < 230, away # of 1000; 200 is what it hasn't reserved
            assert largest < 25_000, largest # 2.5 ms; 2 ms is where one budget ends and the next begins
            machine.expect("vm good: stopped")
