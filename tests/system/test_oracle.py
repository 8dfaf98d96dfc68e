# SPDX-License-Identifier: BSD-2-Clause
"""The image with the ownership oracle (`make oracle`) finds what it is there for: a page that two VMs reach, by each
kind of table; one that is given back too soon; one that is given out with what a former VM left in it."""

from caldarium import BUILD, Machine, bundle, needs_h, vm
from test_iommu import EDU, VICTIM, WATCHER, attacker
from test_pci import IOMMUS

ORACLE = f"{BUILD}/caldarium-oracle.bin"


def start(folder, *, plant="", **properties):
    vms = [vm(name, vcpus=2, mib=32, kernel="minikernel", **properties) for name in ("web", "db")]
    return Machine(bundle(folder, *vms), smp=2, memory="512M", kernel=ORACLE,
                   append=plant and f"oracle-plant={plant}")


def found(folder, plant, line, **properties):
    with start(folder, plant=plant, **properties) as m:
        m.expect(f"panic: oracle: {line}")


def test_nothing_is_wrong(tmp_path):
    with start(tmp_path) as m:
        for _ in range(2):
            m.expect(r"vm \w+: started")
        m.request("stop db", "vm db: stopped")
        m.request("start db", "vm db: started")
        m.request("reset web", "vm web: started")
        m.send("poweroff\r")
        m.expect(r"oracle   [1-9]\d* walks, [1-9]\d* leaves, nothing wrong")


@needs_h
def test_a_page_of_another_in_the_second_stage(tmp_path):
    found(tmp_path, "second-stage", r"VM web reaches page .*, which is RAM of db, at .* by its second stage", engine='"h"')


def test_a_page_of_another_in_shadow_tables(tmp_path):
    found(tmp_path, "shadow", r"VM web reaches page .*, which is RAM of db, at .* by its shadow tables", engine='"shadow"')


def test_a_page_that_is_given_back_too_soon(tmp_path):
    found(tmp_path, "freed", r"page .* is given back, and is RAM of VM db, which runs")


def test_what_a_former_vm_left(tmp_path):
    with start(tmp_path, plant="dirty") as m:
        for _ in range(2):
            m.expect(r"vm \w+: started")
        m.request("stop db", "vm db: stopped")
        m.request("start db", r"panic: oracle: page .* is given out, and has 0x5ec7e7 at byte 2048: it is not zeroed")


def test_a_page_of_another_in_a_table_for_devices(tmp_path):
    """Engine shadow has none that an IOMMU could use, so there is one of its own."""
    machine, more = IOMMUS["platform"]
    path = bundle(tmp_path, attacker((VICTIM,), engine='"shadow"'), WATCHER)
    with Machine(path, smp=2, machine=machine, kernel=ORACLE, append="oracle-plant=device", extra=(*EDU, *more)) as m:
        m.expect(r"panic: oracle: VM evil reaches page .*, which is RAM of victim, at .* by its table for devices")
