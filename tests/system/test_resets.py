# SPDX-License-Identifier: BSD-2-Clause
"""A VM that is reset again and again beside a Linux under load, which must not notice.

CALDARIUM_LONG=1: a thousand times."""

import os
import re

from caldarium import Machine, bundle, vm
from test_passthrough import DIRECT, MODULES, SLOTS, devices, disk_and_network

RESETS = 1000 if os.environ.get("CALDARIUM_LONG") else 20


def test_resets_beside_a_linux_under_load(tmp_path):
    """Linux has a disk, a network and busy processes: an interrupt that got lost would stop one of them."""
    _, extra = disk_and_network(tmp_path, mib=2)
    linux = vm("linux", vcpus=2, ramdisk="programs", passthrough=devices(*SLOTS[:2]), **DIRECT)
    mini = vm("mini", kernel="minikernel", mib=16)
    with Machine(bundle(tmp_path, linux, mini), smp=3, extra=extra) as machine:
        machine.expect(r"linux:~#")
        machine.guest(f"{MODULES}; ifconfig eth0 10.0.2.15 up")
        machine.guest("dmesg -c >/dev/null; touch /tmp/passes; (stress 1000000 >/tmp/stress 2>&1 &); (ping -i 0.2 10.0.2.2 >/tmp/ping &)")
        machine.guest("(while dd if=/dev/vda iflag=direct bs=64k of=/dev/null 2>/dev/null; do echo >>/tmp/passes; done &)")
        machine.request("reset mini", "vm mini: starts again")
        machine.expect(r"minikernel: 1 hart")
        before = machine.free_kib()
        for n in range(RESETS):
            machine.request("reset mini", "vm mini: starts again")
            machine.expect(r"minikernel: 1 hart")
            if n % 50 == 49:
                assert machine.free_kib() == before
                machine.front(1)
                machine.guest(f"echo after {n + 1} resets: $(wc -l </tmp/passes) passes, $(wc -l </tmp/ping) pings")
        assert machine.free_kib() == before
        machine.front(1)
        text = machine.guest("n=$(wc -l </tmp/passes); while [ $(wc -l </tmp/passes) -lt $((n + 2)) ]; do sleep 1; done; "
                             "grep -o ' seq=.* ttl' /tmp/ping; cat /tmp/stress; echo messages; dmesg")
        machine.front(2)
        machine.check_minikernel()
    answers = [int(n) for n in re.findall(r" seq=(\d+) ttl", text)]
    assert answers and answers == list(range(len(answers))), text
    assert "FAILED" not in text, text
    messages = text[text.rindex("messages"):].splitlines()[1:-1]
    assert messages == [], text
    assert not re.search(r"panic|trap inside|BUG", machine.output)
