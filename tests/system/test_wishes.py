# SPDX-License-Identifier: BSD-2-Clause
"""What a person wishes of a VM, one wish right after the other."""

from caldarium import Machine, bundle, vm

ROUNDS = 60

# `wfi` and back to it: a guest that sleeps for ever, with no timer set.
SLEEPER = "sleeper: sleeper { data = [73 00 50 10 6f f0 df ff]; };"


def test_what_is_announced_is_so(tmp_path):
    """The line that tells that a wish is done was printed before it was: the next wish was refused."""
    path = bundle(tmp_path, vm("mini", kernel="minikernel", mib=4, vcpus=4),
                  vm("busy", kernel="loop", mib=4, vcpus=4))
    with Machine(path, smp=4) as machine:
        machine.expect("minikernel: 4 harts")
        for _ in range(ROUNDS):
            machine.wish("pause mini", "vm mini: paused")
            machine.wish("resume mini", "vm mini: goes on")
            machine.wish("reset mini", "vm mini: started")
            machine.wish("reset mini", "vm mini: started")
            machine.wish("stop mini", "vm mini: stopped")
            machine.wish("start mini", "vm mini: started")
        text = machine.monitor("list")
        assert "mini  running" in text
        assert "about to" not in machine.output and "already" not in machine.output


def test_every_vcpu_goes_on_after_a_pause(tmp_path):
    """One that was about to sleep when it was let in slept on: its VM waits for it without end."""
    path = bundle(tmp_path, vm("mini", kernel="minikernel", mib=4, vcpus=4))
    with Machine(path, smp=4) as machine:
        machine.expect("mini>")
        for _ in range(2 * ROUNDS):
            machine.wish("pause mini", "vm mini: paused")
            machine.wish("resume mini", "vm mini: goes on")
            machine.front(1)
            machine.send("test\r")
            assert "all ok" in machine.expect("test: (all ok|something)")


def test_a_vm_starts_again_on_another_hart(tmp_path):
    """The hart where it was took its state for its own when the next vCPU came, and wrote over it."""
    path = bundle(tmp_path, vm("mini", kernel="minikernel", mib=4), vm("busy", kernel="loop", mib=4),
                  vm("sleeper", kernel="sleeper", mib=4), images=SLEEPER)
    with Machine(path, smp=2) as machine:
        machine.expect("mini>")
        machine.wish("stop busy", "vm busy: stopped")
        before = machine.monitor("list")
        machine.wish("stop mini", "vm mini: stopped")
        machine.wish("start mini", "vm mini: started")
        machine.expect("minikernel: 1 hart")
        # The sleeper has kept its place, where both were: mini has the hart that busy had.
        assert hart_of("sleeper", before) == hart_of("mini", before)
        assert hart_of("sleeper", machine.monitor("list")) != hart_of("mini", machine.monitor("list"))
        machine.wish("reset sleeper", "vm sleeper: started")
        machine.front(1)
        machine.send("test\r")
        assert "all ok" in machine.expect("test: (all ok|something)")


def hart_of(name, table):
    """Column HARTS of `list`."""
    return next(line.split()[4] for line in table.splitlines() if f" {name} " in line)
