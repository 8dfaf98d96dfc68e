# SPDX-License-Identifier: BSD-2-Clause
"""PCI functions in a guest's hands, behind an IOMMU: no direct-map, no allow-unprotected-dma."""

import hashlib
import os
import re

import pytest
from caldarium import MIB, Machine, bundle, vm
from test_passthrough import DIRECT, devices, served  # noqa: F401 (a fixture)

LONG = bool(os.environ.get("CALDARIUM_LONG"))
MIB_EACH = 256 if LONG else 8
BEHIND = "iommu_platform=on,disable-legacy=on"
MODULES = ("for m in failover net_failover virtio_net virtio_blk nvme-keyring nvme-auth nvme-core nvme; do "
           "insmod /lib/modules/$m.ko; done; ")
IOMMUS = {"platform": ("virt,iommu-sys=on", ()),
          "pci": ("virt", ("-device", "riscv-iommu-pci,addr=9")),
          "aplic": ("virt,aia=aplic,iommu-sys=on", ()),
          "imsic": ("virt,aia=aplic-imsic,aia-guests=5,iommu-sys=on", ()),
          "imsic0": ("virt,aia=aplic-imsic,aia-guests=0,iommu-sys=on", ())}
# Each IOMMU with engine h, one of them with shadow too, which takes its time.
BOARDS = [(iommu, "h") for iommu in IOMMUS] + [("platform", "shadow"), ("imsic", "shadow")]


def disk(folder, name="disk", mib=MIB_EACH):
    path = os.path.join(folder, name)
    with open(path, "wb") as file:
        file.truncate(mib * MIB)
    return path


def blk(path, slot=1):
    return ("-drive", f"if=none,id=d{slot},file={path},format=raw",
            "-device", f"virtio-blk-pci,drive=d{slot},addr={slot},{BEHIND}")


def nvme(path, slot=2):
    return ("-drive", f"if=none,id=d{slot},file={path},format=raw",
            "-device", f"nvme,drive=d{slot},serial=caldarium,addr={slot}")


def net(slot=3):
    return ("-netdev", f"user,id=n{slot}",
            "-device", f"virtio-net-pci,netdev=n{slot},addr={slot},romfile=,{BEHIND}")


def check_disk(name):
    return (f"pattern {MIB_EACH} >/dev/{name}; sync; echo 3 >/proc/sys/vm/drop_caches; "
            f"echo sums-{name} $(pattern {MIB_EACH} | md5sum) $(dd if=/dev/{name} bs=1M 2>/dev/null | md5sum)\n")


def sums(text, name, path):
    """What the guest wrote, what it read back and what the file holds are the same."""
    found = re.search(rf"sums-{name} (\w+)\s+- (\w+)", text)
    assert found and found[1] == found[2], text
    with open(path, "rb") as file:
        assert hashlib.md5(file.read()).hexdigest() == found[1]


@pytest.mark.parametrize("iommu, engine", BOARDS)
def test_linux_disk_nvme_and_network(tmp_path, served, iommu, engine):  # noqa: F811
    """Show 4. Three functions in three ways of naming them."""
    port, md5 = served
    machine_type, more = IOMMUS[iommu]
    paths = disk(tmp_path), disk(tmp_path, "nvme")
    command = f"""{MODULES} ifconfig eth0 10.0.2.15 up
        {check_disk("vda")}{check_disk("nvme0n1")}
        wget -q -O - http://10.0.2.2:{port}/file | md5sum
        ping -c 20 -i 0.1 10.0.2.2 | grep loss
        cat /proc/interrupts"""
    node = vm("linux", vcpus=2, ramdisk="programs", run=command, engine=f'"{engine}"',
              passthrough=devices("0000:00:01.0", "pci:0000:00:02.0", "/soc/pci@30000000/3,0"))
    with Machine(bundle(tmp_path, node), smp=2, machine=machine_type,
                 extra=(*blk(paths[0]), *nvme(paths[1]), *net(), *more)) as machine:
        text = machine.wait_end(more_s=3600 if LONG else 900)
    assert "can write to all of the machine's memory" not in text
    assert "is blocked" not in text and "keeps its state" not in text, text
    messages = "PCI-MSIX-0000:00:01.0" in text and "PCI-MSIX-0000:00:02.0" in text
    assert messages == iommu.startswith("imsic"), text
    sums(text, "vda", paths[0])
    sums(text, "nvme0n1", paths[1])
    assert f"{md5}  -" in text, text
    assert " 0% packet loss" in text, text


@pytest.mark.parametrize("board, disks", [("virt,iommu-sys=on", ["vda"]),
                                          (IOMMUS["imsic"][0], ["vda", "nvme0n1"])])
def test_reset_while_busy(tmp_path, board, disks):
    """A VM that is reset while its disks are busy finds them working, and its memory its own.

    nvme only with MSI-X: QEMU's PLIC does not see a level that stays, so that it loses nvme's interrupts on
    the bare machine too and Linux waits 30 seconds for each."""
    command = (f"{MODULES} echo ready; for d in {' '.join(disks)}; do "
               "while :; do dd if=/dev/zero of=/dev/$d bs=64k count=64 conv=fsync; done & done; wait")
    node = vm("linux", ramdisk="programs", run=command,
              passthrough=devices("0000:00:01.0", *["0000:00:02.0"][:len(disks) - 1]),
              **({"irqchip": '"imsic"'} if "imsic" in board else {}))
    extra = (*blk(disk(tmp_path)), *nvme(disk(tmp_path, "nvme")))
    with Machine(bundle(tmp_path, node), smp=2, append="", machine=board, extra=extra) as machine:
        for _ in range(3):
            machine.expect("ready")
            machine.expect("records out")
            machine.expect("records out")
            machine.request("reset linux", "starts again")
            machine.front(1)
        machine.expect("records out")
        machine.request("stop linux", "its memory and harts are free")
        before = machine.free_kib()
        machine.request("start linux", "vm linux: started")
        machine.front(1)
        machine.expect("records out")
        machine.request("stop linux", "its memory and harts are free")
        assert machine.free_kib() == before
        assert "is blocked" not in machine.output, machine.output


def test_bars_and_header_as_linux_sees_them(tmp_path):
    """Only the VM's function is on its bus; what it asks of the header is answered."""
    command = ("ls /sys/bus/pci/devices; cd /sys/bus/pci/devices/0000:00:04.0; cat class vendor resource; "
               "hexdump -C config | head -4")
    node = vm("linux", run=command, passthrough=devices("0000:00:04.0"))
    extra = (*blk(disk(tmp_path), 4), *net(5), "-device", "edu,addr=6")
    with Machine(bundle(tmp_path, node), smp=1, machine="virt,iommu-sys=on", extra=extra) as machine:
        text = machine.wait_end()
    assert text.count("0000:00:0") == 4 + 1, text  # four functions at boot, one in the guest
    assert "0x010000" in text and "0x1af4" in text, text
    assert "0x0000000040000000 0x0000000040000fff" in text, text


NVME = ("-device", "nvme,serial=a,addr=2")
CASES = {
    "no IOMMU": (devices("0000:00:02.0"), {}, "virt", NVME,
                 "passthrough: 0000:00:02.0 can do DMA and is behind no IOMMU"),
    "nobody there": (devices("0000:00:03.0"), {}, "virt,iommu-sys=on", NVME,
                     'passthrough: the board has no device "0000:00:03.0"'),
    "no such bus": (devices("0000:01:02.0"), {}, "virt,iommu-sys=on", NVME, "the board has no device"),
    "no number": (devices("0000:00:02"), {}, "virt,iommu-sys=on", NVME, "the board has no device"),
    "too large a slot": (devices("0000:00:22.0"), {}, "virt,iommu-sys=on", NVME, "the board has no device"),
    "path without a bridge": (devices("/soc/2,0"), {}, "virt,iommu-sys=on", NVME, "the board has no device"),
    "the host bridge": (devices("/soc/pci@30000000"), DIRECT, "virt,iommu-sys=on", NVME,
                        "/soc/pci@30000000 (is Caldarium's own|has more|does not interrupt|lies where)"),
    "a bridge": (devices("0000:00:02.0"), {}, "virt,iommu-sys=on",
                 ("-device", "pcie-root-port,addr=2,id=r"), "is a bridge or an IOMMU, and not given away"),
    "an IOMMU": (devices("0000:00:02.0"), {}, "virt", ("-device", "riscv-iommu-pci,addr=2"),
                 "is a bridge or an IOMMU, and not given away"),
    "memory over the bus": (devices("0000:00:02.0"), {"memory": "<0 0x30000000 0 0x1000000>"},
                            "virt,iommu-sys=on", NVME, "lies where the virtual PCI bus is"),
    "shared memory over the bus": (devices("0000:00:02.0"),
                                   {"shared-memory": '"mailbox", <0 0x30080000 0 0x10000 80>'},
                                   "virt,iommu-sys=on", NVME,
                                   "shared-memory: mailbox .* is in the way of the virtual PCI bus"),
    "a doorbell over the bus": (devices("0000:00:02.0"),
                                {"shared-memory": '"mailbox", <0 0x2fff0000 0 0x10000 80>'},
                                "virt,iommu-sys=on", NVME,
                                "shared-memory: mailbox .* is in the way of the virtual PCI bus"),
}


@pytest.mark.parametrize("case", CASES)
def test_refused_with_one_line(tmp_path, case):
    paths, more, machine_type, extra, line = CASES[case]
    path = bundle(tmp_path, vm("bad", kernel="loop", mib=16, passthrough=paths, **more),
                  vm("good", kernel="loop", mib=16))
    with Machine(path, smp=1, append="", machine=machine_type, extra=extra) as machine:
        machine.expect(f"vm bad: property .*{line}")
        machine.expect("vm good: started")
        assert machine.output.count("vm bad: property") == 1


def test_one_owner_and_one_interrupt(tmp_path):
    """Slots 1 and 5 share an interrupt on this board: two VMs can't have one each."""
    def loop(name, which):
        return vm(name, kernel="loop", mib=16, passthrough=devices(which))
    extra = ("-device", "nvme,serial=a,addr=1", "-device", "nvme,serial=b,addr=5", "-device", "nvme,serial=c,addr=2")
    path = bundle(tmp_path, loop("first", "0000:00:01.0"), loop("second", "0000:00:01.0"),
                  loop("third", "0000:00:05.0"), loop("fourth", "0000:00:02.0"))
    with Machine(path, smp=1, append="", machine="virt,iommu-sys=on", extra=extra) as machine:
        machine.expect("vm second: property passthrough: 0000:00:01.0 belongs to VM first")
        machine.expect("vm third: property passthrough: 0000:00:05.0: interrupt 33 is 0000:00:01.0's too, of VM first")
        machine.expect("vm (first|fourth): started")
        machine.expect("vm (first|fourth): started")
