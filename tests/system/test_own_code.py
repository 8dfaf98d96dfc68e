# SPDX-License-Identifier: BSD-2-Clause
"""What Linux does by changing its own code (guests/linux/probes.c, and its own test modules for BPF's compiler and for
static keys) has the same results on engine shadow, which executes copies of that code, as on the bare machine."""

import os
import re

import pytest
from caldarium import COMPLAINTS, IMAGES, LINUX, PRINT_COMPLAINTS, Machine, bundle, make_initramfs, vm

MODULES = ["test_static_key_base", "test_static_keys", "test_bpf"]
# The first one's checks are its init: it does not load if one fails. The last one tells how many passed.
RUN = f"""probes; cd /lib/modules
insmod test_static_key_base.ko && insmod test_static_keys.ko && rmmod test_static_keys && echo probes: static keys
insmod test_bpf.ko test_range=0,49
dmesg | sed -n 's/.*test_bpf: Summary/probes: bpf/p'
{PRINT_COMPLAINTS}
echo probes: all done"""
NODE = vm("linux", mib=192, ramdisk="probes", run=RUN)


@pytest.fixture(scope="module")
def initramfs(tmp_path_factory):
    """The usual one is without the modules, which are larger than all of it."""
    path = os.path.join(tmp_path_factory.mktemp("probes"), "initramfs.cpio.gz")
    files = [f"{LINUX}/probes=/bin/probes", *(f"{LINUX}/modules/{name}.ko=/lib/modules/{name}.ko" for name in MODULES)]
    make_initramfs(path, files)
    return path


def results(machine):
    text = machine.expect("probes: all done")
    lines = [line.strip() for line in re.findall(r"(?m)^(?:\[\w+\] )?(probes: .*)", text)]
    assert not re.search(COMPLAINTS, text), text
    assert "probes: static keys" in lines and re.search(r"bpf: 50 PASSED, 0 FAILED, \[\d\d/\d\d JIT'ed", "\n".join(lines)), text
    return lines


def test_same_as_bare(tmp_path, initramfs):
    arguments = re.search(r'bootargs = "([^"]*)"', NODE).group(1)
    with Machine(initramfs, smp=1, memory="192M", append=arguments, kernel=IMAGES["linux"]) as machine:
        bare = results(machine)
    for line in ("function graph of *sys_get*: 40, then 0", "perf tracepoint: 40", "perf faults: 100",
                 "perf samples: there", "bpf filter: 5", "bpf at a kprobe: 120", "done"):
        assert f"probes: {line}" in bare, bare
    assert sum("kprobe at" in line for line in bare) > 5, bare
    path = bundle(tmp_path, NODE, images=f'probes: probes {{ data = /incbin/("{initramfs}"); }};')
    with Machine(path, smp=1, cpu="rv64,h=off") as machine:
        assert results(machine) == bare
