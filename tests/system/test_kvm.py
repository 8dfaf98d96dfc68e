# SPDX-License-Identifier: BSD-2-Clause
"""build/caldarium.ko in Debian's Linux on a bare machine: KVM's interface without the H extension. tests/kvm has
the VMMs."""

import os
import re
import subprocess

import pytest
from caldarium import BUILD, COMPLAINTS, ENGINE, IMAGES, PRINT_COMPLAINTS, Machine, make_initramfs, run64

pytestmark = pytest.mark.skipif(ENGINE == "shadow", reason="it runs on harts without H anyway")
MIB = 64
SINGLE = ["ioctls", "memory", "mmio", "debug", "vector", "aia"]  # of tests/kvm: single ioctls, and what they answer


def tree(folder, vcpus, bootargs, mib=MIB):
    """What boot.c's machine is like, for its guest."""
    isa = ", ".join(f'"{name}"' for name in "i m a f d c zicsr zifencei zicntr sstc".split())
    cpus = "".join(f"""cpu@{n} {{ device_type = "cpu"; reg = <{n}>; status = "okay"; compatible = "riscv";
        riscv,isa-base = "rv64i"; riscv,isa-extensions = {isa}; mmu-type = "riscv,sv39";
        interrupt-controller {{ #interrupt-cells = <1>; interrupt-controller; compatible = "riscv,cpu-intc"; }}; }};"""
                   for n in range(vcpus))
    source = f"""/dts-v1/; / {{ #address-cells = <2>; #size-cells = <2>; compatible = "caldarium,test";
        chosen {{ bootargs = "{bootargs}"; }};
        cpus {{ #address-cells = <1>; #size-cells = <0>; timebase-frequency = <10000000>; {cpus} }};
        memory@80000000 {{ device_type = "memory"; reg = <0 0x80000000 0 {mib << 20:#x}>; }}; }};"""
    path = os.path.join(folder, f"guest-{bootargs}.dtb")
    subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", path], input=source.encode(), check=True)
    return path


@pytest.fixture(scope="module")
def initramfs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kvm")
    path, loop = (os.path.join(folder, name) for name in ("initramfs.cpio.gz", "loop"))
    with open(loop, "wb") as file:
        file.write(bytes.fromhex("6f000000"))
    files = [f"{BUILD}/caldarium.ko=/lib/caldarium.ko", f"{BUILD}/kvm/boot=/bin/boot", f"{loop}=/lib/loop",
             *(f"{BUILD}/kvm/{name}=/bin/{name}" for name in [*SINGLE, "killed"]), f"{BUILD}/guests/life.bin=/lib/life", f"{tree(folder, 2, 'life=entry')}=/lib/life.dtb"]
    make_initramfs(path, files)
    return path


KILLS = 32          # VMMs, in groups of 8
MAY_TAKE_KIB = 1000 # each group

# Thrice in and out of the kernel, with a guest that ends by itself and two that are killed while they run.
RUN = f"""cd /lib
insmod caldarium.ko || exit
dmesg | sed -n 's/.*caldarium: .dev/says: dev/p'
export KVM_DEVICE=$(ls /dev/kvm /dev/caldarium 2>/dev/null | tail -n 1)
{"; ".join(SINGLE)}
boot life - life.dtb {MIB} 2
boot loop - life.dtb {MIB} 2 & boot loop - life.dtb {MIB} 1 &
usleep 300000; kill -9 $(pidof boot); wait
killed {KILLS}
until rmmod caldarium; do usleep 100000; done
insmod caldarium.ko && rmmod caldarium && echo kvm: gone
{PRINT_COMPLAINTS}
echo kvm: all done"""


@pytest.mark.parametrize("cpu", ["rv64,h=off,v=true", "rv64,h=off,sv48=off,sv57=off", "rv64"])
def test_a_guest_of_two_vcpus(initramfs, cpu):
    """On Sv57, with vectors, and Sv39 alone; with H it is a device beside Linux's own."""
    with Machine(initramfs, smp=2, memory="512M", cpu=cpu, kernel=IMAGES["linux"],
                 append=f"console=ttyS0 quiet {run64(RUN)}") as machine:
        text = machine.expect("kvm: all done")
    levels, device = (39, "kvm") if "sv48=off" in cpu else (48, "kvm" if "h=off" in cpu else "caldarium")
    assert f"says: dev/{device} serves guests by engine shadow, Sv{levels}" in text, text
    vectors = "v=true" in cpu
    assert vectors == ("vector: 16 bytes" in text), text
    lines = re.findall(rf"(?m)^life: (\w+): FS 3 VS {3 * vectors} scounteren 7, user mode: cause 8", text)
    assert lines == ["boot", "started", "resumed"], text
    assert [name for name in SINGLE if f"{name}: all good" not in text] == [], text
    assert "boot: the guest's system event is 1" in text and "kvm: gone" in text, text
    assert int(re.search(r"killed: each 8 took (-?\d+) KiB", text).group(1)) < MAY_TAKE_KIB, text
    assert not re.search(COMPLAINTS, text), text
