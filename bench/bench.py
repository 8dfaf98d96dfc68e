#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Instructions for each operation, bare and under Caldarium, against the budgets of the design."""

import base64
import os
import re
import struct
import subprocess
import sys

BUILD = "build"
QEMU = os.environ.get("QEMU", "qemu-system-riscv64")
LIMIT_S = 900  # a run that takes longer has hung

# Instructions (see the issue and docs/benchmarks.md); the text budget is in bytes.
BUDGETS = {
    "sbi-empty": 60,
    "sbi-set-timer": 70,
    "ipi-self": 150,
    "fence-self": 150,
    "plic-read": 250,
    "uart-status": 250,
    "first-touch": 3,
    "timer-asleep": 60,
}
# The same without Sstc, where each timer takes the firmware; and where harts write htinst = 0.
BUDGETS_WITHOUT_SSTC = {"timer-tick": 400, "timer-tick-ahead": 1000, "timer-asleep": 500}
BUDGETS_WITHOUT_HTINST = {"plic-read": 320, "plic-claim": 330}
# Engine shadow: the same, and what a call from user mode may take beyond the bare machine's.
SHADOW_BUDGETS = {"sbi-empty": 120, "csrr": 120, "csrw": 120, "sie-off-on": 200, "sum-on-off": 200,
                  "sfence-address": 120}
SHADOW_BEYOND_BARE = {"user-call": 300}
TEXT_BUDGET = 204 * 1024  # as in the Makefile, for gcc
# Linux beside the bare machine, ratios.
LINUX_BUDGETS = {"boot to init": 1.01, "getppid": 1.01, "read": 1.01, "signal": 1.01,
                 "map-touch-unmap": 1.01, "switch": 1.01, "pipe": 1.03, "socket": 1.01,
                 "fork-exit": 1.01, "fork-exec": 1.01}
LINUX_SHADOW_BUDGETS = {"boot to init": 1.15, "getppid": 3, "read": 2.3, "signal": 2.5,
                        "map-touch-unmap": 1.6, "switch": 2.1, "pipe": 1.7, "socket": 1.5, "fork-exit": 1.75,
                        "fork-exec": 1.7}
# The same on harts with Sv39 alone.
LINUX_SV39_BUDGETS = {**LINUX_SHADOW_BUDGETS, "fork-exit": 1.65, "fork-exec": 1.6}
MANY_OVER_BARE = 1.5 # an IPI to seven harts
SWITCH_GROWTH = 1.1 # from 2 vCPUs on a hart to 64

# Virtio devices of Caldarium's, engine h and shadow: guests/virtio/bench.c.
VIRTIO_BUDGETS = {
    "net-round-trip-64": (28400, 38200),
    "net-kib-mtu-1500": (3950, 4350),
    "net-kib-mtu-9000": (970, 1060),
    "block-read-512": (5000, 5600),
    "block-read-4096": (8700, 9300),
    "block-write-4096": (5700, 6300),
    "block-read-kib": (1200, 1250),
}

COLOUR = sys.stdout.isatty()


def verdict(good):
    word = "ok" if good else "OVER"
    return f"\033[{32 if good else 31}m{word}\033[0m" if COLOUR else word


def qemu(what, *args, machine="virt"):
    print(f"bench: {what} ...", file=sys.stderr, flush=True)
    command = [QEMU, "-M", machine, "-display", "none", "-monitor", "none", "-serial", "stdio",
               "-icount", "shift=0,sleep=off", *args]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_S)
    return done.stdout.decode(errors="replace")


def exits(what, cpu, *args, harts=2):
    text = qemu(what, "-smp", str(harts), "-m", "1G", "-cpu", cpu, *args)
    if "bench: done" not in text:
        sys.exit(f"bench: {what}: the guest did not come to its end; it printed:\n{text[-2000:]}")
    return {name: float(value) for name, value in
            re.findall(r"bench: (\S+) ([0-9.]+) instructions", text)}


def bare(cpu):
    return exits(f"bare, -cpu {cpu}", cpu, "-kernel", f"{BUILD}/guests/bench.bin")


def caldarium(cpu, image=None):
    return exits(f"Caldarium, -cpu {cpu}", cpu, "-kernel", image or f"{BUILD}/caldarium.bin",
                 "-initrd", f"{BUILD}/bench/bench.dtb", "-append", "when-done=poweroff")


def image_without_htinst(folder):
    """The image as it runs on harts that write htinst = 0, which QEMU never does: each instruction
    that reads it (csrr rd, htinst) is `li rd, 0`. Returns its path."""
    with open(f"{BUILD}/caldarium.bin", "rb") as file:
        image = bytearray(file.read())
    reads = 0
    for at in range(0, len(image) - 3, 2):
        word, = struct.unpack_from("<I", image, at)
        if word & 0xfffff07f == 0x64a02073:
            struct.pack_into("<I", image, at, word & 0xf80 | 0x13)
            reads += 1
    assert reads, "the image reads htinst nowhere"
    path = os.path.join(folder, "without-htinst.bin")
    with open(path, "wb") as file:
        file.write(image)
    return path


def exit_table():
    runs = [bare("rv64"), caldarium("rv64"), bare("rv64,sstc=off"), caldarium("rv64,sstc=off")]
    print(f"{'instructions for':<20} {'bare':>9} {'Caldarium':>10} {'bare*':>9} {'Caldarium*':>11} "
          f"{'budget':>7}")
    good = True
    for name in runs[0]:
        cells = [run.get(name) for run in runs]
        text = [f"{cell:.1f}" if cell is not None else "-" for cell in cells]
        line = f"{name:<20} {text[0]:>9} {text[1]:>10} {text[2]:>9} {text[3]:>11}"
        for budget, cost in (BUDGETS.get(name), cells[1]), (BUDGETS_WITHOUT_SSTC.get(name), cells[3]):
            if budget is not None:
                within = cost is not None and cost <= budget
                good &= within
                line += f" {budget:>7}  {verdict(within)}"
        print(line)
    print("* on harts without Sstc\n")
    return good


def htinst_table():
    """What the guest's instruction has to be read for, where the hart doesn't tell it."""
    cost = caldarium("rv64", image_without_htinst(BUILD))
    good = True
    print("on harts that write htinst = 0")
    for name, budget in BUDGETS_WITHOUT_HTINST.items():
        good &= cost[name] <= budget
        print(f"{name:<20} {cost[name]:>20.1f} {budget:>29}  {verdict(cost[name] <= budget)}")
    print()
    return good


SV39 = ",sv48=off,sv57=off"


def shadow_table(modes=""):
    """The same guest where the harts have no H extension; modes: SV39, or all that there are."""
    on_bare, on_us = bare("rv64,h=off" + modes), caldarium("rv64,h=off" + modes)
    print(f"{'engine shadow' + (', Sv39' if modes else ''):<20} {'bare':>9} {'Caldarium':>10} {'budget':>7}")
    good = True
    for name, alone in on_bare.items():
        cost = on_us.get(name)
        budget = SHADOW_BUDGETS.get(name)
        if name in SHADOW_BEYOND_BARE:
            budget = alone + SHADOW_BEYOND_BARE[name]
        text = f"{cost:.1f}" if cost is not None else "-"
        line = f"{name:<20} {alone:>9.1f} {text:>10}"
        if budget is not None:
            within = cost is not None and cost <= budget
            good &= within
            line += f" {budget:>7.0f}  {verdict(within)}"
        print(line)
    print()
    return good


# An interrupt's cost by where the guest has its interrupt file, and with a PLIC: `irqbench`.
IRQ_BOARDS = {"guest files": "virt,aia=aplic-imsic,aia-guests=1", "files in memory": "virt,aia=aplic-imsic",
              "PLIC": "virt"}


def irq_table():
    runs = []
    for what, machine in IRQ_BOARDS.items():
        text = qemu(f"interrupts, {what}", "-smp", "2", "-m", "1G", "-kernel", f"{BUILD}/caldarium.bin",
                    "-initrd", f"{BUILD}/bench/irq.dtb", "-append", "when-done=poweroff",
                    machine=machine)
        if "irqbench: done" not in text:
            sys.exit(f"bench: {what}: the guest did not come to its end; it printed:\n{text[-2000:]}")
        runs.append({name: value for name, value in
                     re.findall(r"irqbench: (\S+) ([0-9.]+) instructions", text)})
    print(f"{'instructions for':<20}" + "".join(f" {what:>16}" for what in IRQ_BOARDS))
    for name in runs[0]:
        print(f"{name:<20}" + "".join(f" {run.get(name, '-'):>16}" for run in runs))
    print()


def pack(name, vms, images="", root=""):
    """A bundle made here; returns its path."""
    source = f"""/dts-v1/; / {{ compatible = "caldarium,bundle-v1"; #address-cells = <2>; #size-cells = <2>;
      images {{ bench: bench {{ data = /incbin/("{os.path.abspath(BUILD)}/guests/bench.bin"); }}; {images} }};
      {root} vms {{ {vms} }}; }};"""
    os.makedirs(f"{BUILD}/bench", exist_ok=True)
    path = f"{BUILD}/bench/{name}.dtb"
    subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", path], input=source.encode(),
                   check=True)
    return path


def switches(vcpus):
    bundle = pack(f"switch{vcpus}", f"""bench {{ compatible = "caldarium,vm"; memory = <0 0x80000000 0 0x1000000>;
        vcpus = <{vcpus}>; kernel = <&bench>; bootargs = "bench=switch"; }};""")
    return exits(f"{vcpus} vCPUs on a hart", "rv64", "-kernel", f"{BUILD}/caldarium.bin",
                 "-initrd", bundle, "-append", "when-done=poweroff", harts=1)


def switch_table():
    """From one vCPU to another, and that the cost does not grow with their number."""
    runs = [switches(vcpus) for vcpus in (2, 64)]
    print(f"{'vCPUs on one hart':<20} {2:>9} {64:>10}")
    good = True
    for name in runs[0]:
        few, many = (run[name] for run in runs)
        within = many <= few * SWITCH_GROWTH
        good &= within
        print(f"{name:<20} {few:>9.1f} {many:>10.1f} {verdict(within):>33}")
    print()
    return good


def virtio(engine, cpu):
    folder = os.path.abspath(BUILD)
    with open(f"{folder}/bench/disk", "wb") as file:
        file.write(bytes(1 << 20))
    images = (f'virtio: virtio {{ data = /incbin/("{folder}/guests/virtio.bin"); }};'
              f'disk: disk {{ data = /incbin/("{folder}/bench/disk"); }};')
    node = """{name} {{ compatible = "caldarium,vm"; memory = <0 0x80000000 0 0x1000000>; vcpus = <1>; irqchip = "plic";
        schedule = "pinned"; harts = <{n}>; kernel = <&virtio>; bootargs = "virtio={name}";
        net {{ compatible = "virtio,net"; network = "lan"; mac = [02 00 00 00 00 0{n}]; }}; {disk} }};"""
    disk = 'disk { compatible = "virtio,block"; image = <&disk>; copy-on-write = <0x100000>; };'
    bundle = pack("virtio", node.format(name="bench", n=0, disk=disk) + node.format(name="echo", n=1, disk=""),
                  images, "networks { lan { mtu = <9000>; }; };")
    return exits(f"virtio, engine {engine}", cpu, "-kernel", f"{BUILD}/caldarium.bin", "-initrd", bundle,
                 "-append", "when-done=poweroff")


def virtio_table():
    """Of everybody: both VMs' guests, Caldarium, the copies."""
    runs = virtio("h", "rv64"), virtio("shadow", "rv64,h=off")
    print(f"{'virtio':<20} {'engine h':>9} {'budget':>7} {'shadow':>9} {'budget':>7}")
    good = True
    for name, budgets in VIRTIO_BUDGETS.items():
        costs = [run[name] for run in runs]
        within = costs[0] <= budgets[0] and costs[1] <= budgets[1]
        good &= within
        print(f"{name:<20} {costs[0]:>9.1f} {budgets[0]:>7} {costs[1]:>9.1f} {budgets[1]:>7}  {verdict(within)}")
    print()
    return good


def many_table():
    """An IPI to the seven other harts, and the answer of the last one that took it."""
    on_bare = exits("8 harts, bare", "rv64", "-kernel", f"{BUILD}/guests/bench.bin", "-append",
                    "bench=many", harts=8)
    print(f"{'8 harts':<20} {'bare':>9} {'pinned':>10} {'shared':>10} {'budget':>7}")
    runs = []
    for schedule in ("pinned", "shared"):
        bundle = pack(f"many-{schedule}", f"""bench {{ compatible = "caldarium,vm"; memory = <0 0x80000000 0 0x1000000>;
            vcpus = <8>; schedule = "{schedule}"; harts = <0 1 2 3 4 5 6 7>; kernel = <&bench>; bootargs = "bench=many"; }};""")
        runs.append(exits(f"8 vCPUs, {schedule}", "rv64", "-kernel", f"{BUILD}/caldarium.bin",
                          "-initrd", bundle, "-append", "when-done=poweroff", harts=8))
    good = True
    for name, alone in on_bare.items():
        costs = [run[name] for run in runs]
        within = max(costs) <= alone * MANY_OVER_BARE
        good &= within
        print(f"{name:<20} {alone:>9.1f} " + " ".join(f"{cost:>10.1f}" for cost in costs) +
              f" {alone * MANY_OVER_BARE:>7.0f}  {verdict(within)}")
    print()
    return good


# The guest's monotonic clock stands at zero at its timekeeping's start and advances a nanosecond an
# instruction, so what it shows when init runs its first command is the instructions of the boot,
# with what the kernel spent waiting. `time` jumps over idle waits alike on both machines. Then `ops`
# (guests/linux) counts what a system's everyday operations take, once the kernel's own tests of its
# ciphers have ended.
CLOCK = "grep -m1 'now at' /proc/timer_list; ops"
BOOT = "boot to init"

# What virt has and the guest does not: the bare kernel would spend its boot on probing it.
BARE_ONLY = r"/soc/(pci|virtio_mmio|rtc|fw-cfg|flash|test|platform-bus)@?|/(fw-cfg|flash|pmu|platform-bus)@?"


def bare_tree(cpu):
    """The board's tree with no more devices in it than the guest has; returns its path."""
    path = f"{BUILD}/bench/bare.dtb"
    subprocess.run([QEMU, "-M", f"virt,dumpdtb={path}", "-smp", "1", "-m", "256M", "-cpu", cpu,
                    "-display", "none"], check=True, capture_output=True)
    for parent in ("/soc", "/"):
        nodes = subprocess.run(["fdtget", "-l", path, parent], check=True, capture_output=True,
                               text=True).stdout.split()
        for node in nodes:
            node = f"{parent.rstrip('/')}/{node}"
            if re.match(BARE_ONLY, node):
                subprocess.run(["fdtput", "-t", "s", path, node, "status", "disabled"], check=True)
    return path


def linux_run(what, cpu, *args):
    """Instructions of the boot and of each operation, by name."""
    text = qemu(what, "-smp", "1", "-cpu", cpu, *args)
    clock = re.search(r"now at (\d+) nsecs", text)
    costs = {name: int(value) for name, value in re.findall(r"ops: (\S+) (\d+) ns", text)}
    if not clock or "fork-exec" not in costs:
        sys.exit(f"bench: {what}: Linux did not come to its end; it printed:\n{text[-2000:]}")
    return {BOOT: int(clock.group(1)), **costs}


def linux_table():
    linux = f"{BUILD}/guests/linux"
    # Without console: what a serial port costs is in the table above, and would hide the rest.
    arguments = "quiet vm=bench run64=" + base64.b64encode(CLOCK.encode()).decode()
    images = f"""linux: linux {{ data = /incbin/("{os.path.abspath(linux)}/Image"); }};
        ramdisk: ramdisk {{ data = /incbin/("{os.path.abspath(linux)}/test-initramfs.cpio.gz"); }};"""
    bundle = pack("linux", f"""linux {{ compatible = "caldarium,vm"; memory = <0 0x80000000 0 0x10000000>;
        kernel = <&linux>; ramdisk = <&ramdisk>; bootargs = "console=ttyS0 {arguments}"; }};""", images)
    good = True
    for engine, cpu, budgets in (("h", "rv64", LINUX_BUDGETS), ("shadow", "rv64,h=off", LINUX_SHADOW_BUDGETS),
                                 ("shadow, Sv39", "rv64,h=off" + SV39, LINUX_SV39_BUDGETS)):
        on_bare = linux_run("Linux, bare", cpu, "-m", "256M", "-dtb", bare_tree(cpu), "-kernel",
                            f"{linux}/Image", "-initrd", f"{linux}/test-initramfs.cpio.gz",
                            "-append", f"console=ttyS0 {arguments}")
        on_us = linux_run(f"Linux, engine {engine}", cpu, "-m", "1G", "-kernel",
                          f"{BUILD}/caldarium.bin", "-initrd", bundle, "-append",
                          "when-done=poweroff")
        print(f"{'Linux, ' + engine:<20} {'bare':>10} {'Caldarium':>10} {'ratio':>7} {'budget':>7}")
        for name, alone in on_bare.items():
            ratio, budget = on_us[name] / alone, budgets[name]
            good &= ratio <= budget
            print(f"{name:<20} {alone:>10} {on_us[name]:>10} {ratio:>7.3f} {budget:>7}  "
                  f"{verdict(ratio <= budget)}")
        print()
    return good


def sizes():
    text = subprocess.run(["riscv64-unknown-elf-size", "-A", f"{BUILD}/caldarium.elf"], check=True,
                          capture_output=True, text=True).stdout
    size = {name: int(value) for name, value in re.findall(r"^\.(\w+)\s+(\d+)", text, re.M)}
    good = size["text"] <= TEXT_BUDGET
    print(f"bytes of the image   text {size['text']}, constants {size.get('rodata', 0)}, "
          f"data {size.get('data', 0)}, bss {size['bss']}; "
          f"text budget {TEXT_BUDGET}  {verdict(good)}")
    return good


def memory(engine, cpu):
    """What the monitor says of a VM of one vCPU: its RAM, and what Caldarium took for it."""
    bundle = pack("memory", """vm { compatible = "caldarium,vm"; memory = <0 0x80000000 0 0x10000000>;
        kernel = <&loop>; };""", "loop: loop { data = [6f 00 00 00]; };")
    print("bench: memory of a VM ...", file=sys.stderr, flush=True)
    with subprocess.Popen([QEMU, "-M", "virt", "-cpu", cpu, "-smp", "1", "-m", "1G", "-display", "none",
                           "-monitor", "none", "-serial", "stdio",
                           "-kernel", f"{BUILD}/caldarium.bin", "-initrd", bundle],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as machine:
        for line in machine.stdout:
            if b"vm vm: started" in line:
                print(f"memory, engine {engine:<7} " + line.decode().split("started: ")[1].strip() +
                      ", one vCPU")
                break
        text = machine.communicate(b"\x01mmemory\rpoweroff\r", LIMIT_S)[0].decode(errors="replace")
    for line in re.findall(r"(?:a vCPU) +\d.*", text):
        print(f"memory, engine {engine:<7} {line.strip()}")


def main():
    good = exit_table()
    good = htinst_table() and good
    good = shadow_table() and good
    good = shadow_table(SV39) and good
    irq_table()
    good = switch_table() and good
    good = many_table() and good
    good = virtio_table() and good
    good = linux_table() and good
    good = sizes() and good
    memory("h", "rv64")
    memory("shadow", "rv64,h=off")
    if not good:
        sys.exit("bench: a budget is exceeded")


if __name__ == "__main__":
    BUILD = sys.argv[1] if len(sys.argv) > 1 else BUILD
    main()
