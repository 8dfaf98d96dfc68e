#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`make machines`: every machine and CPU model of the newest QEMU that Debian has, and every firmware that is
here, with both engines and two guests each. Prints a table; fails when a row is not as it is expected.

    machines.py [WORD...]     only rows that have each of the words, such as: machines.py virt shadow mini
"""

import os
import re
import subprocess
import sys
import tempfile

import pexpect

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "system"))
os.environ.setdefault("CALDARIUM_PATIENCE", "120")
import caldarium  # noqa: E402
from caldarium import CACHE, QEMU, bundle, vm  # noqa: E402

NEWEST = f"{CACHE}/qemu/qemu-system-riscv64"
OPENSBI = f"{CACHE}/firmware/opensbi.bin"
RUSTSBI = os.path.join(os.environ.get("CALDARIUM_GUESTS") or f"{CACHE}/guests", "rustsbi-qemu.bin")

# Names of CPU models with 64 bits that are no machine for Caldarium, and why.
NO_CPU = {
    "lowrisc-ibex": "32 bits", "max32": "32 bits", "rv32": "32 bits", "rv32e": "32 bits", "rv32i": "32 bits",
    "sifive-e31": "32 bits", "sifive-e34": "32 bits", "sifive-u34": "32 bits",
    "rv64e": "16 registers", "rv64i": "no extension, so no S-mode", "shakti-c": "only on its own board",
    "sifive-e51": "no S-mode", "rva22u64": "rva22s64 without S-mode", "rva23u64": "rva23s64 without S-mode",
    "x-rv128": "128 bits",
}
# Machines that start otherwise than by -kernel with a tree that QEMU makes, or not at all.
NO_MACHINE = {
    "none": "no machine", "sifive_e": "no S-mode", "shakti_c": "QEMU makes no tree for it (dumpdtb says so); OpenSBI alone stays silent",
    "amd-microblaze-v-generic": "QEMU makes no tree for it and starts no firmware: its hart stays at pc 0",
    "k230": "QEMU starts a kernel only with -dtb, and makes no tree",
    "boston-aia": "QEMU makes no tree with dumpdtb and brings no firmware for it; OpenSBI alone stays silent",
    "xiangshan-kunminghu": "QEMU makes no tree for it; OpenSBI alone stays silent; its CPU model is above",
    "microchip-icicle-kit": "QEMU 11 makes no tree for it and tells no bundle in one that it is given; "
                            "test_boards.py starts it with QEMU 10",
}
BOARDS = {  # smp, memory
    "sifive_u": (5, "2G"), "spike": (2, "1G"),
}
# What a row ends with instead of "ok": a pattern for what is printed, and why that is right.
LACKS = {
    r"spike \|.*": ("sbi_trap_error", "OpenSBI takes the tree's word for Sstc; this board has no clock for it, "
                    "so its own write of stimecmp traps"),
    r"(?!virt rv64, this QEMU, its own).* \| shadow \| .*": (
        "opcode_insn|ok", "OpenSBI from 1.6 on prints a line for each sret of such a guest, also into the guest's"),
}
# On engine shadow a Linux takes minutes: these are enough.
LINUX_ON_SHADOW = ("virt rv64, this QEMU, its own OpenSBI", "sifive_u")
TRIES = 5 # of one key
GUESTS = {"mini": "mini> ", "linux": "machines: riscv64"}


def output(*command):
    return subprocess.run(command, check=True, capture_output=True).stdout.decode()


def rows():
    """(what, qemu, machine, cpu, firmware, smp, memory)"""
    for firmware, what in ((None, "its own OpenSBI"), (OPENSBI, "newest OpenSBI"), (RUSTSBI, "RustSBI")):
        if firmware is None or os.path.exists(firmware):
            yield f"virt rv64, this QEMU, {what}", QEMU, "virt", "rv64", firmware, 2, "1G"
    listed = output(NEWEST, "-cpu", "help").split("\n")[1:]
    for cpu in sorted(filter(None, map(str.strip, listed))):
        if cpu not in NO_CPU:
            yield f"virt {cpu}", NEWEST, "virt", cpu, None, 2, "1G"
    for cpu in ("rv64,sstc=off", "rv64,svadu=off", "rv64,sv57=off,sv48=off"):
        yield f"virt {cpu}", NEWEST, "virt", cpu, None, 2, "1G"
    yield "spike rv64,sstc=off", NEWEST, "spike", "rv64,sstc=off", None, 2, "1G"
    for machine in ("virt,aia=aplic", "virt,aia=aplic-imsic,aia-guests=3"):
        yield machine, NEWEST, machine, "rv64", None, 2, "1G"
    listed = re.findall(r"^(\S+) +\S", output(NEWEST, "-M", "help").split("\n", 1)[1], re.MULTILINE)
    for machine in sorted(listed):
        if machine not in NO_MACHINE and machine != "virt":
            smp, memory = BOARDS.get(machine, (2, "2G"))
            yield machine, NEWEST, machine, None, None, smp, memory


class OneKey(caldarium.Machine):
    """Types a key when the one before it has shown. QEMU's HTIF holds one key: the next one, and any byte that
    is printed before firmware has fetched it, overwrites it."""

    def send(self, keys):
        for key in keys:
            for _ in range(TRIES):
                super().send(key)
                if self.qemu.expect([re.escape(key), pexpect.TIMEOUT], timeout=5) == 0:
                    break


def attempt(folder, row, engine, guest):
    """"ok", or the last that was seen."""
    _, qemu, machine, cpu, firmware, smp, memory = row
    caldarium.QEMU = qemu
    node = vm("mini", kernel="minikernel", mib=16, engine=f'"{engine}"') if guest == "mini" else \
        vm("linux", engine=f'"{engine}"', run="echo machines: $(uname -m)")
    kind = OneKey if machine == "spike" else caldarium.Machine
    with kind(bundle(folder, node), smp=smp, memory=memory, cpu=cpu, machine=machine, firmware=firmware) as running:
        try:
            text = running.expect(rf"{GUESTS[guest]}|engine: the harts have|panic|\n[^\n]*none is started")
            if "engine: the harts have" in text:
                return "no H"
            if guest == "mini":
                running.check_minikernel()
                running.send("off\r")
            running.expect("powered off")
            return "ok"
        except AssertionError as error:
            lines = [line for line in caldarium.clean(str(error)).split("\n") if line.strip()]
            return "; ".join(lines[-2:])[-150:] or "nothing printed"


def expected(what, engine, guest):
    for pattern, (result, why) in LACKS.items():
        if re.fullmatch(pattern, f"{what} | {engine} | {guest}"):
            return result, why
    return "ok", ""


def main(words):
    wrong = 0
    print(f"{output(NEWEST, '--version').splitlines()[0]}; this one: {output(QEMU, '--version').splitlines()[0]}")
    print(f"{'machine':<42} | engine | guest | result")
    with tempfile.TemporaryDirectory() as folder:
        for row in rows():
            for engine in ("h", "shadow"):
                for guest in GUESTS:
                    name = f"{row[0]:<42} | {engine:<6} | {guest:<5}"
                    if not all(word in name for word in words) or \
                            (engine, guest) == ("shadow", "linux") and row[0] not in LINUX_ON_SHADOW:
                        continue
                    wants, why = expected(row[0], engine, guest)
                    got = attempt(folder, row, engine, guest)
                    as_expected = got in ("ok", "no H") if wants == "ok" else re.search(wants, got)
                    wrong += not as_expected
                    print(f"{name} | {got}{'' if as_expected else '  <- not as expected'}"
                          f"{f' ({why})' if why else ''}", flush=True)
    for table, kind in ((NO_CPU, "CPU"), (NO_MACHINE, "machine")):
        for name, why in table.items():
            print(f"not run: {kind} {name}: {why}")
    print(f"machines: {wrong} not as expected")
    return wrong != 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
