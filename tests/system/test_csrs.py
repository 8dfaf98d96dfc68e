# SPDX-License-Identifier: BSD-2-Clause
"""Every CSR number, read and written in S- and U-mode (guests/csrs), is on both engines what it is on
the bare machine. What is not the same on purpose is in tables here, each with its reason."""

import functools
import os
import re

import pytest
from caldarium import BUILD, Machine, bundle, guest_image, vm

H, SHADOW = "h", "shadow"
MODES = "sSuU" # capitals: with sstatus.FS and VS on and scounteren all ones
PRINTS = "system_opcode_insn: Invalid opcode"

# Registers that the bare machine has and a VM has not.
ABSENT = {
    0x015: "seed: Zkr is hidden, mseccfg isn't ours to open",
    **dict.fromkeys(range(0x10c, 0x110), "sstateen0 to 3: Ssstateen is hidden"),
    0x120: "scountinhibit: Ssccfg is hidden",
    **dict.fromkeys((0x14e, 0x14f, 0x15f), "sctrctl, sctrstatus, sctrdepth: Ssctr is hidden"),
    0x150: "siselect: Ssaia is for VMs with an IMSIC",
    0xda0: "scountovf: Sscofpmf is hidden",
    0xdb0: "stopi: Ssaia is for VMs with an IMSIC",
    0x605: "htimedelta: OpenSBI answers it even where there is no H extension",
}

# Bits that the bare machine has and a VM has not.
ABSENT_BITS = {
    (H, 0x104): (1 << 13, "sie.LCOFIE: Sscofpmf is hidden"),
    (H, 0x144): (1 << 13, "sip.LCOFIP: the same"),
    (H, 0x10a): (3 << 32 | 1 << 2, "senvcfg: PMM is Ssnpm's, LPE is Zicfilp's; both are hidden"),
    (SHADOW, 0x104): (1 << 13, "as for engine h"),
    (SHADOW, 0x144): (1 << 13, "as for engine h"),
    (SHADOW, 0x10a): (3 << 32 | 1 << 2, "as for engine h"),
    (SHADOW, 0x100): (1 << 32 | 1 << 23, "sstatus: UXL 3 is reserved, QEMU takes it; SPELP is Zicfilp's"),
    (SHADOW, 0x141): (1, "sepc bit 0 is always 0; QEMU 10 takes it"),
}

# A firmware that answers `time` to user mode even where scounteren.TM is 0 (OpenSBI 1.5 does) gets
# to see the trap on a bare machine and on engine shadow, and not on engine h.
TIME = {H: {("u", 0xc01, "read"): None, ("counter", 1, "is read where scounteren has one of"): "2"},
        SHADOW: {}}

# Engine shadow has no Sv57.
SV57 = {H: {}, SHADOW: {(mode, 0x180, "mode 10"): "0" for mode in "sS"}}


def expected(engine, bare):
    """What a VM has to print, from what the bare machine did."""
    lines = {**bare, **SV57[engine], **TIME[engine]}
    # OpenSBI 1.5 enters with CY, TM and IR open, and so does a VM; 1.9 with TM alone.
    lines["entry", 0, ""] = lines["entry", 0, ""].replace("scounteren 2", "scounteren 7")
    for key, text in list(lines.items()):
        mode, number, _ = key
        absent, _ = ABSENT_BITS.get((engine, number), (0, ""))
        if text is None or (mode in MODES and number in ABSENT):
            del lines[key]
        elif mode in MODES and absent and text != "any" and "trap" not in text:
            lines[key] = f"{int(text, 16) & ~absent:x}"
    return lines


def results(machine):
    """(mode or "entry" or "counter" or "timer", number, what was done): what came of it."""
    output = machine.wait_end().replace(f"{PRINTS} for CSR read/write instruction", "")
    lines = re.findall(r"^csrs: (.*)", output, re.MULTILINE)
    assert lines and lines[-1] == "done", output[-2000:]
    seen = {}
    for line in lines[:-1]:
        words = line.split()
        if words[0] == "timer":
            what, came = line.split(": ", 1)
            seen["timer", len([key for key in seen if key[0] == "timer"]), what] = came
        elif words[0] == "counter":
            seen["counter", int(words[1]), " ".join(words[2:-1])] = words[-1]
        elif words[0] == "entry":
            seen["entry", 0, ""] = line
        else:
            last = 3 if "trap" in words else -1
            seen[words[0], int(words[1], 16), " ".join(words[2:last])] = " ".join(words[last:])
    assert len(seen) > 150
    return seen


@functools.lru_cache(maxsize=None)
def bare(cpu):
    with Machine(smp=1, memory="256M", machine="virt", cpu=f"{cpu},h=off", append="",
                 kernel=os.path.join(BUILD, "guests", "csrs.bin")) as machine:
        return results(machine)


def in_vm(folder, cpu, **properties):
    path = bundle(folder, vm("guest", kernel="csrs", mib=32, **properties))
    with Machine(path, smp=1, memory="256M", machine="virt", cpu=cpu) as machine:
        return results(machine)


@pytest.mark.parametrize("cpu", ["rv64", "max"])
@pytest.mark.parametrize("engine, h", [(H, ""), (SHADOW, ",h=off")])
def test_each_csr_is_as_on_a_hart(tmp_path, cpu, engine, h):
    assert in_vm(tmp_path, cpu + h) == expected(engine, bare(cpu))


@pytest.mark.parametrize("engine, h", [(H, ""), (SHADOW, ",h=off")])
def test_what_isa_disable_hides_has_no_csr(tmp_path, engine, h):
    """Nor bits in one: stimecmp is Sstc's, senvcfg.CBZE Zicboz's."""
    wanted = {key: text for key, text in expected(engine, bare("max")).items()
              if key[0] != "timer" and (key[0] not in MODES or key[1] != 0x14d)}
    for mode in "sS":
        key = mode, 0x10a, "write ffffffffffffffff"
        wanted[key] = f"{int(wanted[key], 16) & ~(1 << 7):x}"
    assert in_vm(tmp_path, "max" + h, isa_disable='"sstc", "zicboz"') == wanted


def test_newer_firmware_prints_for_each_instruction(tmp_path):
    """OpenSBI 1.6 and later: the boot says so, once, and only for VMs on engine shadow."""
    # Ten times sfence.vma and what keeps two of them from one exit; then SBI's shutdown.
    fence = "73 00 00 12" + " 93 02 10 00" * 8
    shutdown = "93 08 80 00 73 00 00 00"  # li a7, 8; ecall
    image = f"fences: fences {{ data = [ {' '.join([fence] * 10)} {shutdown} ]; }};"
    says = r"caldarium: firmware OpenSBI .* prints"
    newest = guest_image("opensbi.bin")
    for engine, firmware, warned, printed in (("shadow", newest, 1, 10), ("h", newest, 0, 0),
                                              ("shadow", None, 0, 0)):
        path = bundle(tmp_path, vm("fences", kernel="fences", mib=32, engine=f'"{engine}"'),
                      images=image)
        with Machine(path, smp=1, memory="256M", machine="virt", cpu="rv64,h=on", firmware=firmware,
                     firmware_prints=True) as machine:
            output = machine.wait_end()
        assert "fences: powered off" in output
        assert len(re.findall(says, output)) == warned
        assert len(re.findall(PRINTS + "(?! \\.\\.\\.)", output)) == printed


def test_newer_firmware_is_quiet_beside_linux(tmp_path):
    """On engine shadow firmware meets each privileged instruction once at most (docs/shadow.md). Two Linux
    VMs of two vCPUs, as in `make demo`, until they have powered off."""
    path = bundle(tmp_path, *[vm(name, vcpus=2, run="true") for name in ("web", "db")])
    with Machine(path, machine="virt", cpu="rv64,h=off", firmware=guest_image("opensbi.bin"),
                 firmware_prints=True) as machine:
        output = machine.wait_end()
    assert len(re.findall(PRINTS, output)) < 10, output
