# SPDX-License-Identifier: BSD-2-Clause
"""Debian's own QEMU for riscv64 on build/caldarium.ko, in a host without H: what `make kvm-demo` starts."""

import os
import re

import pytest
from caldarium import BUILD, COMPLAINTS, ENGINE, IMAGES, PRINT_COMPLAINTS, Machine, run64

pytestmark = pytest.mark.skipif(ENGINE == "shadow", reason="it runs on harts without H anyway")


def host(command):
    run = run64(f"{command}; {PRINT_COMPLAINTS}; echo host: end")
    return Machine(f"{BUILD}/kvm/demo-initramfs.cpio", smp=2, cpu="rv64,h=off", kernel=IMAGES["linux"],
                   append=f"console=ttyS0 quiet {run}")


def is_clean(text):
    assert not re.search(COMPLAINTS, text), text


# Its PLIC, and the module's APLIC and interrupt files.
CHIPS = pytest.mark.parametrize("aia", ["none", "aplic-imsic"])


@CHIPS
def test_a_small_guest(aia):
    """Two vCPUs that start, suspend and end (`guests/life`): slots, registers, SBI's calls, the serial port that is QEMU's."""
    with host(f"kvm-guest -machine aia={aia} -kernel /lib/guest/life -append life=entry && echo host: QEMU ended") as machine:
        text = machine.expect("host: end")
    # The first vCPU begins with what QEMU sets: all of sstatus and scounteren 0. The second is the module's to begin.
    lines = re.findall(r"(?m)^life: (.*)$", text)
    assert lines == ["boot: FS 0 VS 0 scounteren 0, user mode: cause 2", "started: FS 3 VS 0 scounteren 7, user mode: cause 8",
                     "resumed: FS 3 VS 0 scounteren 7, user mode: cause 8"], text
    assert "\nhost: QEMU ended" in text, text
    is_clean(text)


@pytest.mark.skipif(not os.environ.get("CALDARIUM_LONG"), reason="a minute: CALDARIUM_LONG=1")
@CHIPS
def test_linux(aia):
    run = run64("nproc; grep -c APLIC-MSI /proc/interrupts; sha256sum /bin/busybox")
    with host(f"kvm-guest -machine aia={aia} -append 'console=ttyS0 quiet {run}'; sha256sum /bin/busybox") as machine:
        text = machine.expect("host: end")
    assert "\n2\n" in text and len(set(re.findall(r"([0-9a-f]{64})  /bin/busybox", text))) == 1, text
    assert len(re.findall("/bin/busybox", text)) >= 2, text
    is_clean(text)
