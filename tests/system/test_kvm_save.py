# SPDX-License-Identifier: BSD-2-Clause
"""A guest of build/caldarium.ko that is stopped at random moments and goes on in another VM (tests/kvm/save.c) comes
to the same results as one that nobody stopped (guests/diff)."""

import re

import pytest
from caldarium import BUILD, COMPLAINTS, ENGINE, IMAGES, PRINT_COMPLAINTS, Machine, make_initramfs, run64
from test_kvm import tree

pytestmark = pytest.mark.skipif(ENGINE == "shadow", reason="it runs on harts without H anyway")
MIB = 8
SAVES = 10
KINDS = {"state": 60, "code": 10} # and how many sequences of each


def test_it_goes_on_in_another_vm(tmp_path):
    """Registers and one hart's memory (`state`); code that two harts write (`code`)."""
    initramfs = str(tmp_path / "initramfs")
    files = [f"{BUILD}/caldarium.ko=/lib/caldarium.ko", f"{BUILD}/kvm/save=/bin/save", f"{BUILD}/guests/diff.bin=/lib/diff"]
    run = "cd /lib; insmod caldarium.ko; export KVM_DEVICE=$(ls /dev/kvm /dev/caldarium 2>/dev/null | tail -n 1)\n"
    for kind, count in KINDS.items():
        words = f"seed=7 first=0 count={count} block=10 kinds={kind}"
        files.append(f"{tree(tmp_path, 2, words, MIB)}=/lib/{kind}.dtb")
        run += f"save diff {kind}.dtb {MIB} 2 0; save diff {kind}.dtb {MIB} 2 {SAVES}\n"
    make_initramfs(initramfs, files)
    run = run64(f"{run} rmmod caldarium && {PRINT_COMPLAINTS}; echo kvm: all done")
    # The guest takes satp's mode for one that there isn't, so there is none but Sv39.
    with Machine(initramfs, smp=2, memory="512M", cpu="rv64,h=off,sv48=off,sv57=off", kernel=IMAGES["linux"],
                 append=f"console=ttyS0 quiet {run}") as machine:
        text = machine.expect("kvm: all done")
    runs = [(lines, int(times)) for lines, times in re.findall(r"((?:^diff: .*\n)+)^save: restored (\d+) times", text, re.MULTILINE)]
    assert [times for _, times in runs] == [0, SAVES, 0, SAVES], text
    assert runs[0][0] == runs[1][0] and runs[2][0] == runs[3][0], text
    assert all(lines.endswith("diff: done\n") for lines, _ in runs), text
    assert not re.search(COMPLAINTS, text), text
