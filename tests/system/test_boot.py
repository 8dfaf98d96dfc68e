# SPDX-License-Identifier: BSD-2-Clause
"""One image, many machines: Linux boots, works and powers off on each."""

import os
import re

import pytest
from caldarium import ENGINE, IMAGE, Machine, board_tree, bundle, guest_image, vm

# harts, memory, -cpu, vCPUs, what the boot table has to say
MACHINES = [
    (1, "512M", "rv64", 1, "Sv57x4.*Sstc"),
    (2, "6G", "max", 2, "Sv57x4.*Sstc"),
    (4, "2G", "rva23s64", 4, "Sv39x4"),
    (2, "1G", "rva22s64,h=on", 2, "through firmware"),
    (2, "1G", "rv64,sstc=off", 2, "through firmware"),
    (1, "1G", "rv64,svadu=off", 1, "Sstc"),
    (1, "1G", "rv64,sv57=off", 1, "Sv48x4"),
    (1, "1G", "rv64,sv57=off,sv48=off", 1, "Sv39x4"),
    (2, "1G", "rv64,v=on", 2, "Sstc"),
]


@pytest.mark.parametrize("harts, memory, cpu, vcpus, says", MACHINES)
def test_linux_boots(tmp_path, harts, memory, cpu, vcpus, says):
    command = "echo cpus $(nproc); usleep 100000; ls /proc | wc -l; uname -m"
    path = bundle(tmp_path, vm("linux", vcpus=vcpus, run=command))
    if ENGINE == "shadow":  # the guest's mode: one less than the hart's
        says = re.sub(r"Sv(\d+)x4", lambda mode: {"57": "Sv48"}.get(mode[1], "Sv39"), says)
    with Machine(path, smp=harts, memory=memory, cpu=cpu) as machine:
        machine.expect(says)
        machine.expect(f"cpus {vcpus}")
        machine.expect("riscv64")
        machine.expect("status 0")
        text = machine.wait_end()
    assert "vm linux: powered off" in text


def test_eight_vcpus_go_off_and_on(tmp_path):
    cpu = "/sys/devices/system/cpu"
    command = f"""cat {cpu}/online
        for n in 1 3 7; do echo 0 > {cpu}/cpu$n/online; done; cat {cpu}/online
        for n in 1 3 7; do echo 1 > {cpu}/cpu$n/online; done; cat {cpu}/online"""
    with Machine(bundle(tmp_path, vm("linux", vcpus=8, mib=512, run=command)), smp=8) as machine:
        machine.expect("0-7")
        machine.expect("0,2,4-6")
        machine.expect("0-7")
        machine.wait_end()


CPU = r"(\t\tcpu@%s \{.*?\n\t\t\};\n)"


def disable_hart_0(source):
    return re.sub(r"(cpu@0 \{.*?status = )\"okay\"", r'\1"disabled"', source, flags=re.DOTALL)


def disable_hart_2(source):
    return re.sub(r"(cpu@2 \{.*?status = )\"okay\"", r'\1"disabled"', source, flags=re.DOTALL)


def reverse_harts(source):
    cpus = re.findall(CPU % r"\w+", source, flags=re.DOTALL)
    for cpu in cpus:
        source = source.replace(cpu, "" if cpu != cpus[0] else "@cpus@")
    return source.replace("@cpus@", "".join(reversed(cpus)))


def test_hart_ids_do_not_start_at_0(tmp_path):
    tree = board_tree(tmp_path, disable_hart_0, smp=4, append="when-done=poweroff")
    path = bundle(tmp_path, vm("linux", vcpus=3, run="echo cpus $(nproc)"))
    with Machine(path, smp=4, extra=["-dtb", tree]) as machine:
        machine.expect(r"harts    3, boot hart id [123]")
        machine.expect("cpus 3")
        machine.wait_end()


def test_hart_ids_have_a_gap(tmp_path):
    tree = board_tree(tmp_path, disable_hart_2, smp=4)
    path = bundle(tmp_path, vm("linux", vcpus=2, schedule='"pinned"', harts="<1 3>",
                               bootargs="console=ttyS0 quiet vm=linux"))
    with Machine(path, smp=4, append="", extra=["-dtb", tree]) as machine:
        machine.expect(r"harts    3, boot hart id [013]")
        machine.expect(r"linux:~#")
        assert "2" in machine.guest("nproc")
        text = machine.monitor("harts")
        assert re.search(r"\n1 .*linux, vCPU 0", text) and re.search(r"\n3 .*linux, vCPU 1", text), text
        assert not re.search(r"\n2 ", text), text


def test_48_harts(tmp_path):
    """More than some firmware has room for (OpenSBI 1.5): who doesn't come is named and left out."""
    path = bundle(tmp_path, vm("loop", kernel="loop", mib=16, vcpus=48))
    with Machine(path, smp=48, append="") as machine:
        machine.expect("vm loop: started")
        online = int(re.search(r"harts +(\d+), boot", machine.output).group(1))
        lost = re.findall(r"hart (\d+): .* it is left out", machine.output)
        assert online + len(lost) == 48 and online >= 32
        ids = re.findall(r"\n(\d+)  ", machine.monitor("harts"))
        assert len(ids) == online and not set(ids) & set(lost)


@pytest.mark.parametrize("address", [0x80400000, 0x8de00000, 0xbc000000])
def test_any_load_address(tmp_path, address):
    """The firmware enters a stub, which goes on where a loader has put the image."""
    stub = os.path.join(tmp_path, "stub")
    with open(stub, "wb") as file:
        file.write((address - 0x80200000 | 0x297).to_bytes(4, "little"))  # auipc t0, address - here
        file.write((0x00028067).to_bytes(4, "little"))                    # jr t0
    path = bundle(tmp_path, vm("linux", vcpus=2, run="echo cpus $(nproc)"))
    loader = f"loader,file={IMAGE},addr={address:#x},force-raw=on"
    with Machine(path, smp=2, kernel=stub, extra=["-device", loader]) as machine:
        machine.expect("cpus 2")
        assert "vm linux: powered off" in machine.wait_end()


@pytest.mark.parametrize("harts, cpu", [(1, "rv64"), (2, "rv64,v=on"), (4, "rv64,sstc=off"), (2, "rv64,h=off")])
def test_rustsbi(tmp_path, harts, cpu):
    """SBI 1.0: no debug console, and menvcfg stays closed, so no Sstc although the tree has it."""
    path = bundle(tmp_path, vm("linux", vcpus=harts, run="echo cpus $(nproc); usleep 100000; uname -m"))
    with Machine(path, smp=harts, cpu=cpu,
                 firmware=guest_image("rustsbi-qemu.bin")) as machine:
        machine.expect("timer through firmware")
        machine.expect(f"cpus {harts}")
        machine.expect("riscv64")
        assert "vm linux: powered off" in machine.wait_end()


def test_boot_hart_is_last_in_the_tree(tmp_path):
    """Keys that come before the boot hart looks at its console are not taken by another hart."""
    tree = board_tree(tmp_path, reverse_harts, smp=8)
    with Machine(bundle(tmp_path, vm("loop", kernel="loop", mib=16)), smp=8, append="",
                 extra=["-dtb", tree]) as machine:
        machine.expect("a hypervisor for RISC-V")
        text = machine.monitor("harts")
        boot = re.search(r"boot hart id (\d+)", machine.output).group(1)
        assert re.search(rf"\n{boot} .*console", text), text


def test_vector_and_extension_can_be_hidden(tmp_path):
    path = bundle(tmp_path, vm("linux", run="grep -m1 ^isa /proc/cpuinfo; echo isa-end",
                               isa_disable='"v", "sstc"'))
    with Machine(path, smp=1, cpu="rv64,v=on") as machine:
        text = machine.expect("isa-end")
        machine.wait_end()
    isa = text[text.index("isa\t"):].split()[2]
    assert isa.startswith("rv64imafdc_") and "sstc" not in isa and "zve" not in isa


@pytest.mark.parametrize("cpu, append", [("rv64,h=off", ""), ("rv64", " engine=shadow")])
def test_engine_shadow(tmp_path, cpu, append):
    path = bundle(tmp_path, vm("linux", vcpus=2, run="echo cpus $(nproc); ls /proc | wc -l"))
    with Machine(path, smp=2, cpu=cpu, append="when-done=poweroff" + append) as machine:
        machine.expect("engine .*shadow")
        machine.expect("cpus 2")
        machine.expect("status 0")
        assert "vm linux: powered off" in machine.wait_end()


def test_sifive_u(tmp_path):
    """Four U54 harts, Sv39 alone; hart 0 has no S-mode. Another UART."""
    path = bundle(tmp_path, vm("web", vcpus=2), vm("db", vcpus=2))
    with Machine(path, machine="sifive_u", smp=5, memory="2G", cpu=None) as machine:
        machine.expect(r"harts    4, boot hart id [1-4]")
        machine.expect(r"engine   shadow, Sv39; timer through firmware")
        machine.expect(r"web:~#")
        machine.front(2)
        machine.expect(r"db:~#")
        for number, name in enumerate(["web", "db"], 1):
            machine.front(number)
            text = machine.guest("hostname; nproc")
            assert re.search(rf"\n{name}\n2\n", text), text
        assert not re.search(r"\n0 ", machine.monitor("harts"))


def test_engine_h_is_refused_where_harts_have_none(tmp_path):
    path = bundle(tmp_path, vm("linux", engine='"h"'))
    with Machine(path, smp=1, cpu="rv64,h=off", append="") as machine:
        machine.expect("vm linux: property engine: the harts have no H extension")
        assert "refused" in machine.monitor("list")
