# SPDX-License-Identifier: BSD-2-Clause
"""Memory that several VMs share, and the doorbell by which they call each other."""

import re

import pytest
from caldarium import Machine, board_tree, bundle, needs_h, vm


def ring(base=0xb0000000, size=0x10000, irq=20):
    return f'"ring", <0x0 {base:#x} 0x0 {size:#x} {irq}>'


def mini(name, **properties):
    return vm(name, kernel="minikernel", mib=16, **properties)


def test_linux_and_the_minikernel_talk(tmp_path):
    # Each sees it elsewhere and by another interrupt.
    path = bundle(tmp_path, vm("web", ramdisk="programs", shared_memory=ring()),
                  mini("mini", shared_memory=ring(base=0x60000000, irq=33)))
    with Machine(path, smp=2) as machine:
        machine.expect(r"web:~#")
        for word in (0x1234, 0xfffffff0):
            output = machine.guest(f"shared {word:#x}")
            assert f"I am 0 of 2; 0x2 rang; words {word:#x} {word + 1:#x}" in output
        machine.front(2)
        machine.send("shared\r")
        machine.expect("I am 1 of 2, rung 2 times, words fffffff0 fffffff1")
        assert "shared memory ring" in machine.monitor("map mini")


def test_what_is_shared_outlives_a_vm(tmp_path):
    path = bundle(tmp_path, vm("web", ramdisk="programs", shared_memory=ring()),
                  mini("mini", shared_memory=ring()))
    with Machine(path, smp=2) as machine:
        machine.expect(r"web:~#")
        machine.guest("shared 0x77")
        before = machine.free_kib()
        machine.request("reset mini", "vm mini: starts again")
        machine.front(2)
        machine.expect("I am 1 of 2, rung 0 times, words 77 78")
        assert machine.free_kib() == before
        machine.front(1)
        machine.expect(r"web:~#")
        machine.guest("shared 0x99")


@pytest.mark.parametrize("board, chips, sources", [
    ("virt", ("plic", "aplic"), (500, 1023)),
    pytest.param("virt,aia=aplic-imsic", ("imsic", "plic"), (500, 96), marks=needs_h)])
def test_interrupts_of_any_number(tmp_path, board, chips, sources):
    """A guest's controller has as many sources as it needs, to 1,023: `guests/source` on both sides
    takes its doorbell by a source beyond the 95 that guests always have."""
    kinds = {"plic": "a PLIC", "aplic": "an APLIC", "imsic": "an APLIC with an IMSIC"}
    nodes = [vm(chip, kernel="source", mib=16, irqchip=f'"{chip}"', shared_memory=ring(irq=source))
             for chip, source in zip(chips, sources)]
    with Machine(bundle(tmp_path, *nodes), smp=2, machine=board) as machine:
        text = machine.wait_end()
    for chip, source in zip(chips, sources):
        assert f"source: {source} taken 100 times, 0 strange, through {kinds[chip]} of {source} sources" in text, text


def test_as_many_sources_as_the_board_has(tmp_path):
    tree = board_tree(tmp_path, lambda text: re.sub(r"riscv,ndev = <\w+>", "riscv,ndev = <512>", text),
                      smp=2, append="when-done=poweroff")
    nodes = [vm(name, kernel="source", mib=16, irqchip=f'"{name}"', shared_memory=ring(irq=irq))
             for name, irq in (("plic", 20), ("aplic", 512))]
    with Machine(bundle(tmp_path, *nodes), smp=2, extra=("-dtb", tree)) as machine:
        text = machine.wait_end()
    assert "source: 20 taken 100 times, 0 strange, through a PLIC of 512 sources" in text, text
    assert "source: 512 taken 100 times, 0 strange, through an APLIC of 512 sources" in text, text


def test_regions_that_can_not_be(tmp_path):
    path = bundle(tmp_path, mini("first", shared_memory=ring()),
                  mini("other", shared_memory=ring(size=0x20000)),
                  mini("inside", shared_memory=ring(base=0x80001000)),
                  mini("odd", shared_memory=ring(base=0xb0000800)),
                  mini("uart", shared_memory=ring(base=0x0fff0000)),
                  mini("irq", shared_memory=ring(irq=10)),
                  mini("short", shared_memory='"ring"'),
                  mini("twice", shared_memory=ring() + ", " + ring(irq=21)))
    with Machine(path, smp=2) as machine:
        machine.expect("mini> ")
    for name, reason in (("other", "ring has 0x10000 bytes in VM first; 0x20000 is not the same"),
                         ("inside", "is in the way of the VM's memory"),
                         ("odd", "multiples of 4096"),
                         ("uart", "no virtual device"),
                         ("irq", "interrupt is from 1 to 1023"),
                         ("short", '"NAME", <base size interrupt>'),
                         ("twice", "is in the way of ring")):
        assert [line for line in machine.output.splitlines()
                if f"vm {name}: property shared-memory: " in line and reason in line], name
