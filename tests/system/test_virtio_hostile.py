# SPDX-License-Identifier: BSD-2-Clause
"""A driver that does all that a driver should not (guests/virtio/hostile.c), with a port of the network that two
others talk over, and a disk and a source of random bytes of its own.

CALDARIUM_LONG=1: until it has made ten million operations."""

import os
import re

import pytest
from caldarium import Machine, bundle, vm
from test_hostile import BROKEN
from test_virtio import disk, image, with_nodes

LONG = bool(os.environ.get("CALDARIUM_LONG"))
OPERATIONS = 10_000_000 if LONG else 100_000
ROUNDS = 100
SEED = os.environ.get("CALDARIUM_SEED", "0") # 0: another each time; it is printed
PORT = 'net { compatible = "virtio,net"; network = "lan"; %s };'


def guest(name, what, nodes, **properties):
    return with_nodes(vm(name, kernel="virtio", mib=16, bootargs=f"virtio={what}", **properties), nodes)


@pytest.mark.parametrize("harts", (1, 3))
def test_a_hostile_driver(tmp_path, harts):
    nodes = [guest("watch", "watch", PORT % "mac = [02 00 00 00 00 00];" + disk("disk", "blob", "read-only;")),
             guest("echo", "echo", PORT % "mac = [02 00 00 00 00 01];"),
             guest("hostile", f"hostile seed={SEED}", PORT % "bridge;" + PORT.replace("net", "net2", 1) % "" +
                   disk("disk", "blob", "copy-on-write = <0x8000>;") + 'rng { compatible = "virtio,entropy"; };',
                   vcpus=2, shared_memory='"ring", <0x0 0xb0000000 0x0 0x10000 40>')]
    blob = b"".join(bytes([n % 256]) * 512 for n in range(128))
    path = bundle(tmp_path, *nodes, images=image(tmp_path, "blob", blob),
                  root="networks { lan { mtu = <9000>; }; };")
    with Machine(path, smp=harts) as machine:
        seed = machine.expect(r"hostile: seed=\d+")[-30:]
        operations, rounds = 0, 0
        while operations < OPERATIONS or rounds < ROUNDS:
            text = machine.expect(r"(hostile: \d+ operations|watch: \d+ rounds)", more_s=600 if LONG else 0)
            assert not re.search(BROKEN + "|FAILED", text), (seed, text)
            found = re.search(r"(hostile|watch): (\d+) (?:operations|rounds)$", text)
            if found and found[1] == "hostile":
                operations = int(found[2])
            elif found:
                rounds = int(found[2])
        shown = machine.monitor("list")
        assert len(re.findall(r"(?m)^ *\d +(watch|echo|hostile) +running", shown)) == 3, (seed, shown)
        assert not re.search(BROKEN + "|FAILED", machine.output), seed
