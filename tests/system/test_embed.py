# SPDX-License-Identifier: BSD-2-Clause
"""examples/embed: a unikernel with tasks of its own that embeds the library."""

import os
import re
import subprocess

import pytest
from caldarium import BUILD, Machine, bundle, vm

IMAGE = os.path.join(BUILD, "embed.bin")
KILL = "\x1d" # Ctrl-]
each_engine = pytest.mark.parametrize("cpu", ["rv64", "rv64,h=off"], ids=["h", "shadow"])


def embed(initrd=None, *, smp=2, append="", **more):
    return Machine(initrd, kernel=IMAGE, smp=smp, append=append, **more)


def mini(folder, vcpus=2):
    return bundle(folder, vm("mini", kernel="minikernel", vcpus=vcpus, mib=16))


def ask(machine, command, answer):
    machine.send(f"{command}\r")
    return machine.expect(answer)


def counter(machine):
    return int(re.search(r"loaded (\w+)", ask(machine, "word 10010000", r"loaded \w+\s")).group(1), 16)


def check_ticks(output, harts):
    """Each second of a ticker's life has its line, and they came until the end."""
    for n in range(harts):
        ticks = [int(text) for text in re.findall(rf"task {n}: (\d+) ticks", output)]
        assert ticks and ticks == list(range(10, 10 * len(ticks) + 1, 10)), output


@pytest.mark.parametrize("levels", [3, 4, 5])
def test_its_own_tasks_tick(levels):
    """Also beside tasks that never give their harts away."""
    with embed(smp=4, append=f"ticks=10 busy=1 levels={levels}") as machine:
        output = machine.wait_end()
    assert f"4 harts, Sv{12 + 9 * levels}" in output, output
    check_ticks(output, 4)
    for n in range(4):
        assert f"busy task {n}: went round" in output, output
    before, after = re.findall(r"(\d+) KiB of memory are free", output)
    assert before == after, output


def test_console_of_the_firmware():
    with embed(append="ticks=1 console=sbi") as machine:
        machine.wait_end()
    assert "embed: the end" in machine.output, machine.output


@each_engine
@pytest.mark.parametrize("words", ["levels=4 thieve=20 busy=1", "levels=5 memory=slot"])
def test_a_guest_beside_its_tasks(tmp_path, cpu, words):
    """Its own tests; our device, which answers outside of the library; an address with nothing."""
    with embed(mini(tmp_path), cpu=cpu, append=words) as machine:
        machine.expect("mini> ")
        assert "all ok" in ask(machine, "test", "test: (all ok|something FAILED)")
        first = counter(machine)
        machine.expect(r"task 0: \d+ ticks")
        assert counter(machine) > first
        ask(machine, "word 10010000 1234", "vm mini: stored 0x1234 in the counter")
        ask(machine, "word 10011000", "word: exception 5")
        machine.expect(r"task 1: \d*[05]0 ticks")
        assert "all ok" in ask(machine, "test", "test: (all ok|something FAILED)")
        machine.send("off\r")
        output = machine.wait_end()
    assert "vm mini: powered off" in output and "free, as before" in output, output
    if "thieve" in words:
        assert int(re.search(r"(\d+) moved", output).group(1)) > 0, output
    check_ticks(output, 2)


@each_engine
def test_killed_reset_and_started_again(tmp_path, cpu):
    """More vCPUs than harts, too. Nothing is left of an earlier life."""
    with embed(mini(tmp_path, vcpus=3), cpu=cpu, append="lives=3") as machine:
        machine.expect("mini> ")
        machine.send(KILL)
        machine.expect("vm mini: was killed.*free, as before.*life 2.*mini> ")
        ask(machine, "reset", "vm mini: was reset.*free, as before.*life 3.*mini> ")
        assert "all ok" in ask(machine, "test", "test: (all ok|something FAILED)")
        machine.send(KILL)
        machine.expect("vm mini: was killed.*free, as before.*life 4.*mini> ")
        machine.send("off\r")
        output = machine.wait_end()
    assert "NOT as before" not in output, output


def test_killed_after_a_time(tmp_path):
    with embed(mini(tmp_path), append="kill-after=500 lives=2") as machine:
        output = machine.wait_end()
    assert output.count("was killed") == 2 and output.count("free, as before") == 2, output


@each_engine
@pytest.mark.parametrize("vcpus", [1, 2])
def test_linux(tmp_path, cpu, vcpus):
    run = "nproc; devmem 0x10010000 32; cat /proc/meminfo >/dev/null"
    path = bundle(tmp_path, vm("linux", vcpus=vcpus, run=run))
    words = "" if "h=off" in cpu else "thieve=5" # the minikernel has it on both
    with embed(path, cpu=cpu, append=words) as machine:
        machine.expect(rf"init: linux: .* {vcpus} cpu\(s\)")
        machine.expect(rf"\n{vcpus}\s")
        machine.expect(r"\n0x[0-9A-F]{8}\s")
        output = machine.wait_end()
    assert "init: the command ended with status 0" in output, output
    assert "vm linux: powered off" in output and "free, as before" in output, output
    check_ticks(output, 2)


@pytest.mark.parametrize("content, says", [
    (b"no tree at all" * 100, "the initrd is no bundle"),
    ("{ compatible = \"caldarium,bundle-v1\"; };", "the bundle has no VM"),
])
def test_what_is_no_bundle(tmp_path, content, says):
    path = os.path.join(tmp_path, "initrd")
    if isinstance(content, str):
        subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", path], check=True,
                       input=f"/dts-v1/; / {content}".encode())
    else:
        with open(path, "wb") as file:
            file.write(content)
    with embed(path) as machine:
        output = machine.wait_end()
    assert says in output and "the end" in output, output
