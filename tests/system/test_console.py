# SPDX-License-Identifier: BSD-2-Clause
"""One serial line for everybody, on a line of 115,200 baud: what a VM that floods it can do to others.
What is counted is bytes on the line, not time."""

import fcntl
import hashlib
import os
import re
import select
import subprocess
import time

import pytest
from caldarium import ENGINE, IMAGE, MACHINE, PATIENCE_S, QEMU, Machine, bundle, vm

BYTES_A_SECOND = 11520
PIPE = 4096 # between QEMU's port and us: so many bytes may be older than a key
# The line that is on its way and a turn of everybody's are under 2,000 bytes (tests/unit/test_console.c
# counts them); the rest is for a build machine that is busy while the line goes on.
MORE = 30000


class SlowLine:
    """A machine behind a serial cable: what it prints is read as fast as the cable carries it."""

    def __init__(self, initrd, smp, *extra):
        cpu = "rv64,h=off" if ENGINE == "shadow" else "rv64"
        self.qemu = subprocess.Popen(
            [QEMU, "-M", MACHINE, "-smp", str(smp), "-m", "1G", "-cpu", cpu, "-display", "none",
             "-monitor", "none", "-serial", "stdio", "-kernel", IMAGE, "-initrd", initrd, *extra],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.out = self.qemu.stdout.fileno()
        fcntl.fcntl(self.out, fcntl.F_SETPIPE_SZ, PIPE)
        self.end = time.monotonic() + PATIENCE_S

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.qemu.kill()
        self.qemu.wait()

    def read_until(self, pattern):
        """What comes up to the end of the pattern."""
        text = b""
        while not (match := re.search(pattern, text)):
            assert time.monotonic() < self.end, f"no {pattern} in:\n{text[-900:]}"
            if select.select([self.out], [], [], 1)[0]:
                text += os.read(self.out, BYTES_A_SECOND // 100)
                time.sleep(0.01) # the cable's pace: nobody waits for an event here
        return text[:match.end()]

    def bytes_until(self, pattern):
        return len(self.read_until(pattern))

    def type(self, keys):
        self.qemu.stdin.write(keys.encode())
        self.qemu.stdin.flush()


@pytest.fixture(params=["dbcn", "uart"])
def flooded(request, tmp_path):
    """A kernel with a prompt in front, on a hart of its own, beside one that floods the line."""
    words = "uart=yes" if request.param == "uart" else None
    path = bundle(tmp_path, vm("mini", kernel="minikernel", mib=16, harts="<0>", schedule='"pinned"'),
                  vm("evil", kernel="flood", mib=16, harts="<1>", schedule='"pinned"', bootargs=words))
    with SlowLine(path, 2) as line:
        line.read_until(rb"flood: begins")
        line.read_until(rb"\[evil\] [\d,]+ lines dropped")
        yield line


def test_the_one_in_front_answers(flooded):
    for _ in range(3):
        flooded.type("status\r")
        assert flooded.bytes_until(rb"user program at \d+") < PIPE + MORE


def test_the_monitor_answers_and_stops_it(flooded):
    flooded.type("\x01m")
    assert flooded.bytes_until(rb"caldarium> ") < PIPE + MORE
    flooded.type("list\r")
    assert flooded.bytes_until(rb"MEMORY(?s:.*)evil") < PIPE + MORE
    flooded.type("stop evil\r")
    assert flooded.bytes_until(rb"vm evil: stopped") < PIPE + MORE


def test_a_paste_arrives_whole(tmp_path):
    """To a program on engine shadow, whose vCPUs share a hart: slower than whoever pastes."""
    lines = [f"{n:03} the quick brown fox jumps over a lazy dog" for n in range(95)]
    text = "\n".join(lines) + "\n"
    assert len(text) > 4050
    path = bundle(tmp_path, vm("linux", vcpus=2, engine='"shadow"'))
    with Machine(path, smp=1) as machine:
        machine.expect(r"linux:~#")
        machine.guest("stty -echo") # a shell's own editing makes a screen of each key
        machine.send("cat >paste\r" + text.replace("\n", "\r") + "\x04")
        machine.guest(f"echo '{hashlib.md5(text.encode()).hexdigest()}  paste' | md5sum -c")
        machine.send("poweroff -f\r")
        machine.wait_end()
        assert "dropped" not in machine.output


def test_a_break_is_the_kernels_sysrq(tmp_path):
    """A break on the board's line reaches the VM in front as one: Linux takes the key after it for
    SysRq, and no other. QEMU's Ctrl-T b (-echr) sends it."""
    with Machine(bundle(tmp_path, vm("linux", mib=128)), smp=1, serial="mon:stdio", extra=["-echr", "0x14"]) as machine:
        machine.expect(r"linux:~#")
        machine.send("echo be")
        machine.expect(r"echo be") # QEMU's break overtakes what its port has no room for yet
        machine.send("\x14bh")
        machine.expect(r"sysrq: HELP : loglevel")
        machine.send("fore\r")
        machine.expect(r"before\r*\n")
        machine.send("\x01m")
        machine.expect(r"caldarium> ")
        machine.send("\x14blist\r") # the monitor has no use for one
        machine.expect(r"linux +running")
