# SPDX-License-Identifier: BSD-2-Clause
"""configs/five.dts: five systems on four harts. Each reaches its prompt, and is reset beside the others."""

import os
import subprocess

import pytest
from caldarium import BUILD, MIB, ROOT, Machine, guest_image

IMAGES = ("rtthread.elf", "rcore-ch5.bin", "u-boot.bin")
# Number of the VM, a command, what it answers, what tells of a new start. None of the commands
# changes anything but `touch` and `export`, which show that it is still the same life.
VMS = {"linux": (1, "cat /proc/uptime /tmp/mine", "life-1", "init: linux"),
       "rtthread": (2, "ping 10.0.2.2", "60 bytes from 10.0.2.2 icmp_seq", "msh />"),
       "core": (3, "hello_world", "Hello world from user mode program!", "Rust user shell"),
       "mini": (4, "status", r"status: \d+ ticks, user program at \d+", "minikernel: 1 hart"),
       "u-boot": (5, "printenv life", "life=1", "Hit any key to stop autoboot")}


@pytest.fixture
def five(tmp_path):
    for name in IMAGES:
        guest_image(name)
    path = os.path.join(tmp_path, "five.dtb")
    subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-i", f"{BUILD}/guests/linux", "-i",
                    f"{BUILD}/guests", "-i", os.path.dirname(guest_image(IMAGES[0])), "-o", path,
                    f"{ROOT}/configs/five.dts"], check=True)
    disk = os.path.join(tmp_path, "disk")
    with open(disk, "wb") as file:
        file.truncate(64 * MIB)
    extra = ["-drive", f"if=none,id=d,file={disk},format=raw", "-device",
             "virtio-blk-device,drive=d,bus=virtio-mmio-bus.0", "-netdev", "user,id=n",
             "-device", "virtio-net-device,netdev=n,bus=virtio-mmio-bus.1"]
    with Machine(path, smp=4, memory="2G", append="", extra=extra) as machine:
        yield machine


def stop_autoboot(machine):
    machine.send("\r\r")
    machine.expect("=> ")


def ask(machine, name):
    number, command, answer, _ = VMS[name]
    machine.send("\x01m") # who is in front already is not told so
    machine.expect("caldarium> ")
    machine.front(number)
    machine.send(f"{command}\r")
    machine.expect(answer)


def test_all_reach_their_prompts_and_are_reset_alone(five):
    five.expect("vm u-boot: started")
    five.expect("init: linux")
    five.front(5)
    stop_autoboot(five)
    five.send("setenv life 1\r")
    five.expect("=> ")
    five.front(1)
    assert "cpus: 4" in five.guest("echo life-1 >/tmp/mine; echo cpus: $(nproc)")
    for name in VMS:
        ask(five, name)
    for name, (number, _, _, begun) in VMS.items():
        five.request(f"reset {name}", f"vm {name}: starts again")
        five.front(number)
        five.expect(begun)
        if name == "u-boot":
            stop_autoboot(five)
            five.send("setenv life 1\r")
            five.expect("=> ")
        if name == "linux":
            five.expect("linux:~# ")
            five.guest("echo life-1 >/tmp/mine")
        for other in VMS:
            ask(five, other)
    five.front(1)
    text = five.guest("dmesg | grep -ciE 'stall|lockup|hung' || true")
    assert "\n0\n" in text, text
    five.monitor("list")
