# SPDX-License-Identifier: BSD-2-Clause
"""Memory that several VMs share, and the doorbell by which they call each other."""

from caldarium import Machine, bundle, vm


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
        machine.wish("reset mini", "vm mini: starts again")
        machine.front(2)
        machine.expect("I am 1 of 2, rung 0 times, words 77 78")
        assert machine.free_kib() == before
        machine.front(1)
        machine.expect(r"web:~#")
        machine.guest("shared 0x99")


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
                         ("irq", "interrupt is from 1 to 95"),
                         ("short", '"NAME", <base size interrupt>'),
                         ("twice", "is in the way of ring")):
        assert [line for line in machine.output.splitlines()
                if f"vm {name}: property shared-memory: " in line and reason in line], name
