# SPDX-License-Identifier: BSD-2-Clause
"""Boards with the Advanced Interrupt Architecture: APLIC alone, and APLIC with IMSICs."""

import hashlib

import pytest
from caldarium import MIB, Machine, bundle, vm

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
        machine.wish("stop web", "stopped; its memory and harts are free")
        machine.wish("stop db", "stopped; its memory and harts are free")
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


def test_imsic_wants_ssaia(tmp_path):
    path = bundle(tmp_path, vm("bad", kernel="loop", mib=16, irqchip='"imsic"'),
                  vm("good", kernel="loop", mib=16))
    with Machine(path, smp=1, append="", machine="virt") as machine:
        machine.expect('vm bad: property irqchip: "imsic" expects extension ssaia')
        machine.expect("vm good: started")
