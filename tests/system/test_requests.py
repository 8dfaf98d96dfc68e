# SPDX-License-Identifier: BSD-2-Clause
"""What a person requests of a VM, one request right after the other."""

import re

from caldarium import Machine, bundle, vm

ROUNDS = 60

# `wfi` and back to it: a guest that sleeps for ever, with no timer set.
SLEEPER = "sleeper: sleeper { data = [73 00 50 10 6f f0 df ff]; };"


def test_what_is_announced_is_so(tmp_path):
    """The line that tells that a request is done was printed before it was: the next request was refused."""
    path = bundle(tmp_path, vm("mini", kernel="minikernel", mib=4, vcpus=4),
                  vm("busy", kernel="loop", mib=4, vcpus=4))
    with Machine(path, smp=4) as machine:
        machine.expect("minikernel: 4 harts")
        for _ in range(ROUNDS):
            machine.request("pause mini", "vm mini: paused")
            machine.request("resume mini", "vm mini: goes on")
            machine.request("reset mini", "vm mini: started")
            machine.request("reset mini", "vm mini: started")
            machine.request("stop mini", "vm mini: stopped")
            machine.request("start mini", "vm mini: started")
        machine.monitor_shows("list", "mini  running") # its first line may come in between
        assert "about to" not in machine.output and "already" not in machine.output


def test_every_vcpu_goes_on_after_a_pause(tmp_path):
    """One that was about to sleep when it was to run again slept on: its VM waits for it without end."""
    path = bundle(tmp_path, vm("mini", kernel="minikernel", mib=4, vcpus=4))
    with Machine(path, smp=4) as machine:
        machine.expect("mini>")
        for _ in range(2 * ROUNDS):
            machine.request("pause mini", "vm mini: paused")
            machine.request("resume mini", "vm mini: goes on")
            machine.front(1)
            machine.check_minikernel()


def test_a_vm_starts_again_on_another_hart(tmp_path):
    """The hart where it was took its state for its own when the next vCPU came, and wrote over it."""
    path = bundle(tmp_path, vm("mini", kernel="minikernel", mib=4),
                  vm("sleeper0", kernel="sleeper", mib=4, harts="<0>"),
                  vm("sleeper1", kernel="sleeper", mib=4, harts="<1>"), images=SLEEPER)
    with Machine(path, smp=2) as machine:
        machine.expect("mini>")
        # Once the sleepers sleep, mini stays where it is.
        machine.monitor_shows("harts", r"\A(?!(?s:.*[1-9]\d* runnable))")
        before = hart_of_mini(machine)
        machine.request(f"stop sleeper{1 - before}", "stopped")
        machine.request("stop mini", "vm mini: stopped")
        machine.request("start mini", "vm mini: started")
        machine.expect("minikernel: 1 hart")
        assert hart_of_mini(machine) == 1 - before, "it has to be on the emptier one"
        machine.request(f"reset sleeper{before}", f"vm sleeper{before}: started")
        machine.front(1)
        machine.check_minikernel()


def hart_of_mini(machine):
    """Column HARTS of `list`."""
    return int(re.search(r" mini +running +1 +(\d+) ", machine.monitor("list")).group(1))
