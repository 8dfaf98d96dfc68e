# SPDX-License-Identifier: BSD-2-Clause
"""A guest that lets its device write and read where it should not (guests/dma, QEMU's edu device)."""

import json
import os
import re
import socket

import pytest
from caldarium import MACHINE, Machine, bundle, vm
from test_passthrough import devices
from test_pci import BOARDS, IOMMUS, blk, check_disk, disk, MODULES, sums

EDU = ("-device", "edu,addr=2,dma_mask=0xffffffffffffffff")
VICTIM = 0xb0400000      # in the victim's memory, which lies at the same addresses of the machine
EVIL = b"\xee" * 8


class Qmp:
    """QEMU's own view of the machine's memory."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "qmp")
        self.args = ("-qmp", f"unix:{self.path},server=on,wait=off")
        self.folder = folder

    def memory(self, address, size):
        out = os.path.join(self.folder, "memory")
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(self.path)
            file = link.makefile("rw")
            file.readline()
            for command in ({"execute": "qmp_capabilities"},
                            {"execute": "pmemsave", "arguments": {"val": address, "size": size, "filename": out}}):
                file.write(json.dumps(command) + "\n")
                file.flush()
                while "return" not in json.loads(file.readline()):
                    pass
        with open(out, "rb") as saved:
            return saved.read()


@pytest.fixture(scope="module")
def image():
    """Where Caldarium's image is: it moves. Its first 64 bytes, the Image header, nobody uses any more."""
    with Machine(smp=1, append="") as machine:
        return int(re.search(r"Caldarium \d+ KiB at (0x\w+)", machine.expect("console  ns16550a"))[1], 16)


def attacker(targets, *, times=1, after="wait", **properties):
    numbers = " ".join(f"{name}={target}" for name, target in zip(("first", "second"), targets))
    return vm("evil", kernel="dma", memory="<0 0x90000000 0 0x1000000>",
              bootargs=f"role=attack {numbers} times={times} after={after}",
              passthrough=devices("0000:00:02.0"), **properties)


WATCHER = vm("victim", kernel="dma", memory="<0 0xb0000000 0 0x1000000>", bootargs=f"role=watch first={VICTIM}",
             direct_map=True)


@pytest.mark.parametrize("iommu, engine", BOARDS)
def test_writes_and_reads_are_blocked(tmp_path, image, iommu, engine):
    """Show 5. The fault names VM, device and address; Caldarium's and the other VM's memory is as it was."""
    machine_type, more = IOMMUS[iommu]
    qmp = Qmp(tmp_path)
    linux = vm("linux", run="for n in 1 2 3 4 5; do echo alive-$n; sleep 1; done")
    path = bundle(tmp_path, WATCHER, attacker((image, VICTIM), engine=f'"{engine}"'), linux)
    with Machine(path, smp=3, append="", machine=machine_type, extra=(*EDU, *more, *qmp.args)) as machine:
        machine.expect("watch: begins")
        machine.expect("dma: own memory: read 112233445566778f, wrote eeeeeeeeeeeeeeee")
        machine.expect("dma: done")
        header = qmp.memory(image, 64)
        assert header[0x30:0x38] == b"RISCV\0\0\0" and EVIL not in header, header
        assert EVIL not in qmp.memory(VICTIM, 0x10000)
        machine.expect("linux: powered off")
        machine.send("?")
        machine.expect(r"watch: unchanged in [1-9]\d* rounds")
        text = machine.output
    for target in (image, VICTIM):
        assert re.search(rf"dma: {target:x}: read (0|eeeeeeeeeeeeeeee)\s", text), text  # nothing of what is there
    fault = "vm evil: 0000:00:02.0: DMA {} {:#x} is blocked: not the VM's memory"
    assert fault.format("read from", image) in text, text
    assert len(re.findall(r"is blocked", text)) >= 1
    assert "alive-5" in text, text


def test_without_iommu_it_gets_through(tmp_path, image):
    """The same guest, the same device, nobody in between: the test above can fail."""
    qmp = Qmp(tmp_path)
    path = bundle(tmp_path, WATCHER, attacker((image, VICTIM), direct_map=True, allow_unprotected_dma=True))
    with Machine(path, smp=2, append="", machine=MACHINE.replace(",iommu-sys=on", ""),
                 extra=(*EDU, *qmp.args)) as machine:
        machine.expect("1 of its devices can write to all of the machine's memory")
        machine.expect("watch: begins")
        machine.expect("dma: done")
        assert qmp.memory(image, 64) == EVIL * 8
        assert qmp.memory(VICTIM, 64) == EVIL * 8
        machine.send("?")
        machine.expect(f"watch: changed at {VICTIM:x}")
        text = machine.output
    assert f"dma: {VICTIM:x}: read 1122334455667788" in text, text
    assert "is blocked" not in text, text


def test_a_flood_of_faults(tmp_path, image):
    """Each is counted, few are told, and the other VM has its turn."""
    linux = vm("linux", run="for n in 1 2 3; do echo alive-$n; sleep 1; done")
    path = bundle(tmp_path, attacker((image, VICTIM), times=40, after="end"), linux)
    with Machine(path, smp=1, machine="virt,iommu-sys=on", extra=EDU) as machine:
        text = machine.wait_end(more_s=600)
    told = re.findall(r"is blocked: not the VM's memory \((\d+) more before\)", text)
    assert 2 <= len(told) < 80, text
    assert sum(map(int, told)) > len(told), text
    assert "dma: done" in text and "alive-3" in text, text


def test_after_the_end_nothing_is_reached(tmp_path):
    """A VM that has ended: its device is blocked; the VM started again has it as before."""
    path = bundle(tmp_path, attacker((VICTIM,), after="end"), vm("other", kernel="loop", mib=16))
    with Machine(path, smp=2, append="", machine="virt,iommu-sys=on", extra=EDU) as machine:
        for _ in range(3):
            machine.expect("dma: own memory: read 112233445566778f, wrote eeeeeeeeeeeeeeee")
            machine.expect("vm evil: stopped; its memory and harts are free")
            free = machine.free_kib()
            machine.request("start evil", "vm evil: started")
            machine.front(1)
        machine.expect("vm evil: stopped; its memory and harts are free")
        assert machine.free_kib() == free
        assert "evil: 0000:00:02.0 keeps its state: it has no reset of its own" in machine.output


@pytest.mark.parametrize("engine", ["h", "shadow"])
def test_beside_it_a_disk_works(tmp_path, image, engine):
    """One IOMMU, two VMs: the disk's sums are right while the other's device does nothing but faults."""
    path = disk(tmp_path)
    linux = vm("linux", ramdisk="programs", run=f"{MODULES} {check_disk('vda')}", engine=f'"{engine}"',
               passthrough=devices("0000:00:01.0"))
    with Machine(bundle(tmp_path, attacker((image, VICTIM), times=100000), linux), smp=2, append="",
                 machine="virt,iommu-sys=on", extra=(*EDU, *blk(path))) as machine:
        machine.expect("vm linux: stopped", more_s=600) # on shadow, beside one that never rests
        text = machine.output
    assert "vm evil: 0000:00:02.0: DMA" in text and "vm linux: 0000:00:01.0: DMA" not in text, text
    sums(text, "vda", path)


@pytest.mark.parametrize("files", [0, 1, 5])
def test_messages_find_a_vcpu_that_moves(tmp_path, files):
    """MSIs of a device to a vCPU that shares two harts with others, with a hart's interrupt file or in memory:
    none is lost."""
    times = 100000 if os.environ.get("CALDARIUM_LONG") else 2000
    node = vm("msi", kernel="dma", memory="<0 0x90000000 0 0x1000000>", bootargs=f"role=messages times={times}",
              passthrough=devices("0000:00:02.0"), irqchip='"imsic"')
    others = [vm(f"other{n}", kernel="loop", mib=16, irqchip='"imsic"') for n in range(3)]
    with Machine(bundle(tmp_path, node, *others), smp=2, append="",
                 machine=f"virt,aia=aplic-imsic,aia-guests={files},iommu-sys=on", extra=EDU) as machine:
        text = machine.expect("messages: .*twice")
    assert f"messages: {times} came, 0 lost, 0 twice" in text, machine.output
