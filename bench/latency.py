#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""How long a guest's timer interrupt waits beside a neighbour that storms: guests/latency, and what it says.

Instructions are the clock, of all four harts together, so that a figure is the same on any build machine."""

import os
import re
import subprocess
import sys

BUILD = "build"
QEMU = os.environ.get("QEMU", "qemu-system-riscv64")
LIMIT_S = 1800 # a run that takes longer has hung
TICK = 100     # instructions, of all harts
LONGEST = 1024 # ticks that guests/latency counts one by one

# QEMU runs the harts one after the other, each until something is due for any of them: a deadline of QEMU's own each
# 2 us keeps these turns short.
TURNS = ("-netdev", "hubport,id=net,hubid=0", "-object", "filter-buffer,id=clock,netdev=net,interval=2")
CPUS = {"h": "rv64", "shadow": "rv64,h=off"}
KINDS = ("sleep", "compute", "exits", "calls", "fences", "ipis", "wakes", "starts", "paging", "doorbells", "console")
# The budget of the shared one: ticks of `time` are 100 ns.
BUDGET_US, PERIOD_US = 2500, 5000
PERIOD_TICKS = PERIOD_US * 10


def pack(path, schedule, arguments):
    """The one that measures on hart 1, the neighbour on harts 2 and 3, or on 1 and 2 where they share, somebody who
    computes on what is left; `console`: it measures on hart 0, which is the console's."""
    def vm(name, vcpus, harts, bootargs, more):
        return f"""{name} {{ compatible = "caldarium,vm"; memory = <0 0x80000000 0 0x1000000>; vcpus = <{vcpus}>;
            harts = <{harts}>; kernel = <&latency>; irqchip = "plic"; bootargs = "{bootargs}"; {more}
            shared-memory = "ring", <0x0 0xb0000000 0x0 0x10000 20>; }};"""
    pinned = 'schedule = "pinned";'
    budget = f"budget-us = <{BUDGET_US}>; period-us = <{PERIOD_US}>;"
    shared = schedule == "shared"
    nodes = [vm("measure", 1, "0" if schedule == "console" else "1", f"role=measure {arguments}",
                budget if shared else pinned),
             vm("storm", 2, "1 2" if shared else "2 3", "role=storm", "" if shared else pinned),
             vm("load", 1, "1" if schedule == "console" else "0 3" if shared else "0", "role=load", "")]
    source = f"""/dts-v1/; / {{ compatible = "caldarium,bundle-v1"; #address-cells = <2>; #size-cells = <2>;
        images {{ latency: latency {{ data = /incbin/("{os.path.abspath(BUILD)}/guests/latency.bin"); }}; }};
        vms {{ {' '.join(nodes)} }}; }};"""
    subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", path], input=source.encode(), check=True)
    return path


def board(path, machine, *args):
    """The tree that QEMU makes for such a machine, with its first hart as the only one on which firmware may begin:
    that is the console's then. Returns the path."""
    subprocess.run([QEMU, "-M", f"{machine},dumpdtb={path}", *args, "-display", "none"], check=True,
                   capture_output=True)
    phandle = subprocess.run(["fdtget", "-t", "x", path, "/cpus/cpu@0", "phandle"], check=True, capture_output=True,
                             text=True).stdout.strip()
    config = "/chosen/opensbi-config"
    subprocess.run(["fdtput", "-c", path, config], check=True)
    subprocess.run(["fdtput", "-t", "s", path, config, "compatible", "opensbi,config"], check=True)
    subprocess.run(["fdtput", "-t", "x", path, config, "cold-boot-harts", phandle], check=True)
    return path


def command(folder, engine, schedule, samples, arguments=""):
    busy = "" if schedule == "shared" else "busy=yes"
    machine = ("-cpu", CPUS[engine], "-smp", "4", "-m", "512M")
    bundle = pack(os.path.join(folder, f"latency-{schedule}.dtb"), schedule, f"samples={samples} {busy} {arguments}")
    tree = board(os.path.join(folder, "latency-board.dtb"), "virt", *machine)
    return [QEMU, "-M", "virt", *machine, "-display", "none", "-monitor", "none", "-serial", "stdio", "-icount",
            "shift=0,sleep=off", *TURNS, "-dtb", tree, "-kernel", f"{BUILD}/caldarium.bin", "-initrd", bundle,
            "-append", "when-done=poweroff"]


def run(folder, engine, schedule, samples, arguments=""):
    """For each kind of neighbour: {ticks: how many samples waited so long}."""
    done = subprocess.run(command(folder, engine, schedule, samples, arguments), stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=LIMIT_S)
    text = done.stdout.decode(errors="replace")
    if "latency: done" not in text:
        sys.exit(f"latency: {engine}, {schedule}: the guest did not come to its end; it printed:\n{text[-2000:]}")
    rows = {}
    for kind, worst, storms, counts in re.findall(r"latency: (\S+) worst (\d+) of \d+, done (\d+):([ 0-9*]+)", text):
        row = rows[kind] = {int(ticks): int(count) for ticks, count in re.findall(r"(\d+)\*(\d+)", counts)}
        if int(worst) > LONGEST: # those are counted together
            row[int(worst)] = row.pop(LONGEST, 0)
        if kind != "sleep" and not int(storms):
            sys.exit(f"latency: {engine}, {schedule}: the neighbour did not storm with {kind}")
    return rows


def at_most(row, part):
    """What so large a part of the samples waited at most, in ticks."""
    left = part * sum(row.values())
    for ticks in sorted(row):
        left -= row[ticks]
        if left <= 0:
            break
    return ticks


def print_rows(rows):
    print(f"{'neighbour':<12}" + "".join(f" {what:>9}" for what in ("median", "99 %", "99.9 %", "worst")))
    for kind, row in rows.items():
        cells = [at_most(row, part) for part in (.5, .99, .999, 1)]
        print(f"{kind:<12}" + "".join(f" {cell * TICK:>9,}" for cell in cells))


if __name__ == "__main__":
    BUILD = sys.argv[1] if len(sys.argv) > 1 else BUILD
    for engine in CPUS:
        for schedule in "pinned", "shared":
            print(f"engine {engine}, {schedule}")
            print_rows(run(f"{BUILD}/bench", engine, schedule, 10000))
            print()
