# SPDX-License-Identifier: BSD-2-Clause
"""One image, many machines: Linux boots, works and powers off on each."""

import pytest
from caldarium import Machine, bundle, vm

# harts, memory, -cpu, vCPUs, what the boot table has to say
MACHINES = [
    (1, "512M", "rv64", 1, "Sv57x4.*Sstc"),
    (2, "6G", "max", 2, "Sv57x4.*Sstc"),
    (4, "1G", "rva23s64", 4, "Sv39x4"),
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


def test_vector_and_extension_can_be_hidden(tmp_path):
    path = bundle(tmp_path, vm("linux", run="grep -m1 ^isa /proc/cpuinfo; echo isa-end",
                               isa_disable='"v", "sstc"'))
    with Machine(path, smp=1, cpu="rv64,v=on") as machine:
        text = machine.expect("isa-end")
        machine.wait_end()
    isa = text[text.index("isa\t"):].split()[2]
    assert isa.startswith("rv64imafdc_") and "sstc" not in isa and "zve" not in isa


def test_no_h_extension_stays_in_the_monitor(tmp_path):
    with Machine(bundle(tmp_path, vm("linux")), smp=2, cpu="rv64,h=off", append="") as machine:
        machine.expect("no H extension")
        assert "hart id" in machine.monitor("harts")
        machine.send("poweroff\r")
        machine.wait_end()
