# SPDX-License-Identifier: BSD-2-Clause
"""Boards with the Advanced Interrupt Architecture: APLIC alone, and APLIC with IMSICs."""

import hashlib
import re

import pytest
from caldarium import MIB, Machine, bundle, needs_h, vm
from test_passthrough import devices
from test_pci import MODULES as PCI_MODULES, disk, nvme

BOARDS = ["virt,aia=aplic", "virt,aia=aplic-imsic", "virt,aia=aplic-imsic,aia-guests=5"]
SLOT = "/soc/virtio_mmio@10001000"
DIRECT = {"memory": "<0 0x90000000 0 0x10000000>", "direct_map": True, "allow_unprotected_dma": True}


@pytest.mark.parametrize("board", BOARDS)
def test_two_linux_and_a_typist(tmp_path, board):
    """Interrupts that start at the board: the console's; and kicks between harts."""
    path = bundle(tmp_path, vm("web", vcpus=2), vm("db", vcpus=2))
    with Machine(path, smp=4, machine=board) as machine:
        machine.expect("irqchip  " + ("imsic" if "imsic" in board else "aplic"))
        machine.expect(r"web:~#")
        assert "web" in machine.guest("hostname")
        machine.front(2)
        machine.expect(r"db:~#")
        assert "db" in machine.guest("hostname; usleep 100000; nproc")
        machine.request("stop web", "stopped; its memory and harts are free")
        machine.request("stop db", "stopped; its memory and harts are free")
        machine.wait_end()


@pytest.mark.parametrize("board, irqchip", [
    ("virt", "aplic"), *((board, irqchip) for board in BOARDS for irqchip in ("plic", "aplic", "imsic")
                         if irqchip != "imsic" or "imsic" in board)])
def test_a_disk_of_the_board(tmp_path, board, irqchip):
    """A wired interrupt of the board's that a guest serves: a disk's, written and read back."""
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(16 * MIB))
    command = """for m in virtio_mmio virtio_blk; do insmod /lib/modules/$m.ko; done
        pattern 16 >/dev/vda; sync; echo 3 >/proc/sys/vm/drop_caches
        echo sums $(pattern 16 | md5sum) $(dd if=/dev/vda bs=64k 2>/dev/null | md5sum)
        grep virtio /proc/interrupts"""
    node = vm("linux", vcpus=2, ramdisk="programs", run=command, passthrough=f'"{SLOT}"',
              irqchip=f'"{irqchip}"', **DIRECT)
    extra = ("-drive", f"if=none,id=d,file={disk},format=raw", "-device",
             "virtio-blk-device,drive=d,bus=virtio-mmio-bus.0")
    with Machine(bundle(tmp_path, node), smp=2, machine=board, extra=extra) as machine:
        text = machine.wait_end(more_s=600)
    names = {"plic": "PLIC", "aplic": "APLIC-DIRECT", "imsic": "APLIC-MSI"}
    assert f"{names[irqchip]}" in text, text
    sums = text[text.index("sums "):].split()[1:4:2]
    assert sums[0] == sums[1] == hashlib.md5(disk.read_bytes()).hexdigest(), text


@pytest.mark.parametrize("irqchip", ["aplic", "imsic"])
def test_engine_shadow_on_a_board_without_aia(tmp_path, irqchip):
    """Both controllers are all in software there, the CSRs that Ssaia adds to S-mode too."""
    node = vm("linux", vcpus=2, engine='"shadow"', irqchip=f'"{irqchip}"',
              run="grep -E 'APLIC|IPI1' /proc/interrupts; usleep 100000; nproc")
    with Machine(bundle(tmp_path, node), smp=2, machine="virt") as machine:
        machine.expect("APLIC-" + ("MSI" if irqchip == "imsic" else "DIRECT"))
        machine.expect("status 0")
        machine.wait_end()


@needs_h
def test_imsic_wants_ssaia(tmp_path):
    path = bundle(tmp_path, vm("bad", kernel="loop", mib=16, irqchip='"imsic"'),
                  vm("good", kernel="loop", mib=16))
    with Machine(path, smp=1, append="", machine="virt") as machine:
        machine.expect('vm bad: property irqchip: "imsic" expects extension ssaia')
        machine.expect("vm good: started")


@pytest.mark.parametrize("guests", [0, 1, 5])
def test_no_message_is_lost(tmp_path, guests):
    """Two VMs of four vCPUs on three harts: vCPUs move and sleep, and their interrupt files come and
    go, or are memory all the time. 100,000 messages, each taken once."""
    nodes = [vm(name, kernel="ipi", mib=16, vcpus=4, irqchip='"imsic"', bootargs="messages=50000",
                on_reset='"stop"') for name in ("one", "two")]
    with Machine(bundle(tmp_path, *nodes), smp=3, append="",
                 machine=f"virt,aia=aplic-imsic,aia-guests={guests}") as machine:
        machine.expect("started")
        for _ in range(2):
            machine.expect("ipi: 4 harts, 50000 sent, 50000 taken, 0 twice, 0 strange, ")


def interrupts(name, text):
    """How many there were on four harts, by those lines of /proc/interrupts that have the name."""
    lines = re.findall(r"^ *(\w+):((?: +\d+){4})(.*)", text, re.MULTILINE)
    found = [counts for label, counts, more in lines if re.search(name, label + more)]
    assert found, (name, text)
    return sum(int(n) for counts in found for n in counts.split())


@needs_h
def test_no_exit_for_timer_ipi_and_device(tmp_path):
    """Linux on harts with a file for each vCPU, with a disk behind the IOMMU: ten busy seconds without an
    exit for its timers, its IPIs and the disk's interrupts, of all of which there are many."""
    show = "grep -E 'IPI1|riscv-timer|nvme0q[1-4]' /proc/interrupts"
    read = "while dd if=/dev/nvme0n1 of=/dev/null bs=4k iflag=direct 2>/dev/null; do :; done"
    node = vm("linux", vcpus=4, ramdisk="programs", irqchip='"imsic"', schedule='"pinned"',
              harts="<0 1 2 3>", passthrough=devices("0000:00:02.0"),
              run=f"{PCI_MODULES} {show}; ({read} &); echo it begins; stress 10 >/dev/null; echo it is over; "
                  f"read key; {show}; cat")
    with Machine(bundle(tmp_path, node), smp=4, append="", extra=nvme(disk(tmp_path)),
                 machine="virt,aia=aplic-imsic,aia-guests=1,iommu-sys=on") as machine:
        first = machine.expect("it begins")
        before = machine.exits("linux")
        machine.expect("it is over")
        after = machine.exits("linux")
        text = machine.monitor("stats linux")
        machine.front(1)
        machine.send("\r")
        last = machine.expect(r"(?s)nvme0q4.*IPI1:(\s+\d+){4}")
    assert "4 of 4 vCPUs have one now" in text
    for name in ("timer (hot)", "SBI timer (hot)", "SBI IPI (hot)", "interrupt file (hot)",
                 "CSR access", "wait for interrupt"):
        assert after.get(name, 0) == before.get(name, 0), (name, before, after)
    # The virtual UART prints what this test waits for, and its interrupts are no device's.
    for name in ("kick (hot)", "interrupt controller (hot)", "interrupt or kick"):
        assert after.get(name, 0) < before.get(name, 0) + 100, (name, before, after)

    assert interrupts("IPI1", last) > interrupts("IPI1", first) + 100
    assert interrupts("riscv-timer", last) > interrupts("riscv-timer", first) + 1000
    assert interrupts("nvme0q[1-4]", last) > interrupts("nvme0q[1-4]", first) + 1000
