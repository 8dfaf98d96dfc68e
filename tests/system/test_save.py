# SPDX-License-Identifier: BSD-2-Clause
"""A VM's state kept and gone on from: checkpoints, rollback, across engines, into another boot."""

import json
import os
import re
import socket

import pytest
from caldarium import ENGINE, Machine, bundle, needs_h, vm

LONG = bool(os.environ.get("CALDARIUM_LONG"))
SAVED = r"vm \w+: saved: (\d+) bytes at (0x[0-9a-f]+), of them (\d+) pages"


def mini(name="mini", *, vcpus=2, mib=16, **properties):
    return vm(name, kernel="minikernel", vcpus=vcpus, mib=mib, **properties)


def work_done(machine):
    """How far the minikernel's user program has come, which only ever adds."""
    machine.send("status\r")
    return int(re.search(r"(\d+)$", machine.expect(r"user program at \d+(?=\r)")).group(1))


def work_on(machine, until):
    while (done := work_done(machine)) <= until:
        pass
    return done


def word(machine, what, answer):
    machine.send(f"word {what}\r")
    machine.expect(f"word: {answer}\\s")


def wait_for(machine, *names):
    """Until these VMs have started: their lines come in any order."""
    for name in names:
        if f"vm {name}: started" not in machine.output:
            machine.expect(f"vm {name}: started")


def save(machine, name):
    machine.request(f"save {name}", rf"vm {name}: (saved|not saved).*?\n")
    size, address, _ = re.findall(SAVED, machine.output)[-1]
    return int(address, 16), int(size)


def restore(machine, name, source=None):
    machine.request(f"restore {name}" + (f" from {source}" if source else ""), rf"vm {name}: restored")


def test_a_checkpoint_of_a_running_and_of_a_paused_vm(tmp_path):
    path = bundle(tmp_path, mini(), vm("beside", kernel="loop", mib=16, ramdisk=None))
    with Machine(path, smp=2, append="") as machine:
        machine.expect("mini> ")
        wait_for(machine, "beside") # which takes memory too
        free = machine.free_kib()
        machine.front("1")
        work_on(machine, 1000)
        word(machine, "80f00000 11", "stored 11")
        _, size = save(machine, "mini")
        assert "saved: mini" in machine.monitor("list")
        machine.front("1")
        work_on(machine, work_done(machine)) # it went on
        word(machine, "80f00000 22", "stored 22")
        restore(machine, "mini")
        machine.front("1")
        word(machine, "80f00000", "loaded 11")
        machine.check_minikernel()
        machine.request("pause mini", "vm mini: paused")
        save(machine, "mini") # takes the place of the first
        machine.request("resume mini", "vm mini: goes on")
        machine.front("1")
        machine.check_minikernel()
        machine.request("pause mini", "vm mini: paused")
        restore(machine, "mini") # it stays paused
        machine.monitor_shows("list", r"mini\s+paused")
        machine.request("resume mini", "vm mini: goes on")
        machine.front("1")
        machine.check_minikernel()
        machine.request("stop mini", "vm mini: stopped")
        restore(machine, "mini") # and it may start so
        machine.front("1")
        machine.check_minikernel()
        assert "are free" in machine.monitor("drop mini")
        assert machine.free_kib() == free
        assert "nothing is saved of mini" in machine.monitor("restore mini")


def test_time_stands_between_save_and_restore(tmp_path):
    """By the guest's ticks: what is restored has seen no more of them than what was saved."""
    def ticks(machine):
        machine.send("status\r")
        return int(re.search(r"(\d+) ticks", machine.expect(r"status: \d+ ticks")).group(1))

    with Machine(bundle(tmp_path, mini()), smp=2, append="") as machine:
        machine.expect("mini> ")
        while ticks(machine) < 20:
            pass
        machine.request("pause mini", r"vm mini: paused[^\n]*\n")
        runs_on = "its time runs on" in machine.output # firmware answers reads of it
        save(machine, "mini")
        machine.request("resume mini", "goes on")
        machine.front("1")
        first = ticks(machine)
        while ticks(machine) < first + 100:
            pass
        restore(machine, "mini")
        machine.front("1")
        if not runs_on:
            assert ticks(machine) < first + 50


def test_rollback_after_a_fault(tmp_path):
    path = bundle(tmp_path, mini(on_fault='"rollback"', restart_limit="<2>"), mini("bare", on_fault='"rollback"'))
    with Machine(path, smp=2, append="when-done=poweroff") as machine:
        machine.expect(r"\nmini> ")
        machine.front("2")
        machine.send("fail\r")
        machine.expect("vm bare: nothing was saved that it could go back to; it is stopped")
        machine.front("1")
        work_on(machine, 1000)
        save(machine, "mini")
        machine.front("1")
        for _ in range(2):
            machine.check_minikernel()
            machine.send("fail\r")
            machine.expect("the guest reports a system failure")
            machine.expect("vm mini: restored")
        machine.monitor_shows("list", r"mini +running .* 2\n")
        machine.front("1")
        machine.send("fail\r")
        machine.expect("restarted 2 times, its restart-limit; it is stopped")
        machine.wait_end()


def test_what_does_not_fit_is_refused_by_name(tmp_path):
    # The minikernel wants a PLIC and a serial port, and stands at the first access to what it lacks.
    others = [mini("one", vcpus=1), mini("large", mib=32), mini("aplic", irqchip='"aplic"', on_fault='"pause"'),
              mini("lacks", isa_disable='"zbb", "zba"'), mini("silent", console='"none"', on_fault='"pause"'),
              mini("disk", passthrough='"/soc/virtio_mmio@10001000"', direct_map=True,
                   allow_unprotected_dma=True, memory="<0x0 0x88000000 0x0 0x1000000>")]
    with Machine(bundle(tmp_path, mini(), *others), smp=2, append="") as machine:
        machine.expect("mini> ")
        wait_for(machine, "one", "large", "aplic", "lacks", "silent", "disk")
        save(machine, "mini")
        for name, reason in [("one", "number of vCPUs: this VM's can't be 0x2"),
                             ("large", "memory: other ranges were saved"),
                             ("aplic", "interrupt controller: this VM's can't be 0x1"),
                             ("lacks", r"extension zb[ab]: this VM's can't be 0x1")]:
            machine.request(f"restore {name} from mini", f"vm {name}: not restored: {reason}")
            machine.monitor_shows("list", rf"{name}\s+{'paused' if name == 'aplic' else 'running'}") # as it was
        # Found out when it is half done: it has no serial port.
        machine.request("restore silent from mini", "vm silent: can't go on from what was saved: serial port")
        machine.expect("vm silent: stopped")
        assert "has devices of the board" in machine.monitor("save disk")
        assert "has devices of the board" in machine.monitor("restore disk from mini")
        assert "VM from OTHER is expected" in machine.monitor("restore mini of one")
        assert "nothing is saved of one" in machine.monitor("drop one")
        machine.front("1")
        machine.check_minikernel()


BOTH = "rv64,sv57=off,sv48=off" # what either engine can show a guest
ENGINES = [("a", '"h"'), ("b", '"shadow"')]


def two(node, **properties):
    """The same VM for each engine; only the first starts."""
    return [node(name, engine=engine, autostart=f"<{int(name == 'a')}>", **properties) for name, engine in ENGINES]


def hand_over(machine, source, to, first):
    """What runs as `source` goes on as `to`."""
    machine.request(f"pause {source}", f"vm {source}: paused")
    save(machine, source)
    restore(machine, to, source)
    if not first:
        machine.request(f"resume {to}", f"vm {to}: goes on")
    machine.front(to)


@needs_h
def test_across_engines(tmp_path):
    with Machine(bundle(tmp_path, *two(mini)), smp=2, append="", cpu=BOTH) as machine:
        machine.expect("mini> ")
        for n in range(6):
            hand_over(machine, "ab"[n % 2], "ba"[n % 2], n == 0)
            machine.check_minikernel()


def to_file(control, address, size, path):
    """QEMU's own monitor writes what lies there to a file."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(control)
        lines = sock.makefile("rw")

        def ask(command, **arguments):
            lines.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
            lines.flush()
            while "return" not in (answer := json.loads(lines.readline())):
                assert "error" not in answer, answer
        lines.readline()
        ask("qmp_capabilities")
        ask("pmemsave", val=address, size=size, filename=path)
    assert os.path.getsize(path) == size


def state_of(path):
    return f'saved: saved {{ data = /incbin/("{path}"); }};'


def going_on(name, *, vcpus=2, mib=16, engine=None, **properties):
    return vm(name, kernel=None, vcpus=vcpus, mib=mib, state="<&saved>", irqchip='"plic"',
              **({"engine": f'"{engine}"'} if engine else {}), **properties)


def carry(tmp_path, name, node, work, **machine):
    """Boots with this VM, calls work(machine), saves it and returns what was saved, as a file."""
    control, path = os.path.join(tmp_path, "qmp"), os.path.join(tmp_path, "saved")
    with Machine(bundle(tmp_path, node), append="", extra=["-qmp", f"unix:{control},server,nowait"],
                 **machine) as first:
        work(first)
        to_file(control, *save(first, name), path)
    return path


def test_into_a_fresh_boot(tmp_path):
    done = []
    saved = carry(tmp_path, "first", mini("first"), lambda machine: (
        machine.expect("mini> "), done.append(work_on(machine, 20000))), smp=2)
    engines = ["h"] if ENGINE != "shadow" else ["shadow"]
    for engine in engines:
        with Machine(bundle(tmp_path, going_on("second", engine=engine), images=state_of(saved)), smp=3) as machine:
            text = machine.expect(r"goes on from image saved|time: it would go back")
            if "go back" in text:
                assert engine == "shadow" # firmware keeps `time` to itself: it said so
                continue
            assert work_done(machine) >= done[0]
            machine.check_minikernel()
            machine.send("off\r")
            machine.wait_end()


def test_a_state_that_is_damaged_is_refused(tmp_path):
    saved = carry(tmp_path, "first", mini("first"), lambda machine: machine.expect("mini> "), smp=2)
    with open(saved, "rb") as file:
        whole = bytearray(file.read())
    for change, reason in [(lambda b: b.__setitem__(-100, b[-100] ^ 1), "its checksum is wrong"),
                           (lambda b: b.__setitem__(0, 0), "it is no saved VM"),
                           (lambda b: b.__setitem__(8, 2), "it has another version than 1"),
                           (lambda b: b.__delitem__(slice(-4096, None)), "it is cut short"),
                           (lambda b: b.__delitem__(slice(40, None)), "it is too short")]:
        damaged = bytearray(whole)
        change(damaged)
        with open(saved, "wb") as file:
            file.write(damaged)
        output = ""
        with Machine(bundle(tmp_path, going_on("second"), images=state_of(saved)), smp=2) as machine:
            output = machine.wait_end()
        assert f"vm second: property state: not restored: {reason}" in output, output


# ---- Linux under load --------------------------------------------------------------------------

ROUNDS, SECONDS = (1000, 20) if LONG else (8, 3)


def linux(name, **properties):
    return vm(name, vcpus=2, mib=192, ramdisk="programs", bootargs="console=ttyS0 quiet vm=a", **properties)


def load(machine):
    """Checks what it reads, for ever: threads, mappings, forks, floating point in its shell."""
    machine.expect("a:~# ")
    machine.send(f"(while :; do stress {SECONDS}; done) &\r")
    machine.expect(r"stress: \d+ workers, 0 failed")


def still_good(machine):
    """No worker found anything wrong or died. One whose time is over before its first round counts as
    failed too: on engine shadow it may run on while the VM is saved; that isn't meant here."""
    machine.expect(r"stress: [1-9]\d* rounds")
    machine.expect(r"stress: \d+ workers, \d+ failed")
    failed = sum(int(count) for count in re.findall(r"workers, (\d+) failed", machine.output))
    assert failed <= machine.output.count("stress: 0 rounds") and "FAILED" not in machine.output, machine.output


@needs_h
@pytest.mark.parametrize("board, rounds", [("virt", ROUNDS), ("virt,aia=aplic-imsic,aia-guests=1", 4)])
def test_linux_goes_to_and_fro_between_engines(tmp_path, board, rounds):
    with Machine(bundle(tmp_path, *two(linux)), smp=2, append="", cpu=BOTH, machine=board) as machine:
        load(machine)
        for n in range(rounds):
            hand_over(machine, "ab"[n % 2], "ba"[n % 2], n == 0)
            if n % 50 == 3:
                print(n, "times") # shown by pytest -s
                still_good(machine)
        still_good(machine)
        kernel = machine.guest("dmesg -r")
        kernel = kernel[kernel.index("Run /init as init process"):]
        # In so many rounds the VM waits for longer than it runs, and its time may run on (engine shadow):
        # then the kernel tells of stalls, which is true.
        wrong = r"Oops|Unable to handle|Bad page|corrupt|segfault|unhandled" if rounds > 8 else r"^<[0-4]>"
        assert not re.search(wrong, kernel, re.MULTILINE), kernel


@needs_h
def test_linux_goes_on_in_a_fresh_boot(tmp_path):
    saved = carry(tmp_path, "a", linux("a"), load, smp=2, cpu=BOTH)
    node = going_on("b", mib=192)
    with Machine(bundle(tmp_path, node, images=state_of(saved)), smp=2, append="", cpu=BOTH) as machine:
        machine.expect("goes on from image saved")
        still_good(machine)
        still_good(machine)
        machine.guest("true")
