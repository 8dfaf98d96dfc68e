# SPDX-License-Identifier: BSD-2-Clause
"""The guest's serial port, beside QEMU's own: guests/serial runs on both."""

import re
import subprocess

import pytest
from caldarium import BUILD, QEMU, Machine, bundle, needs_h, vm


def values(text):
    assert "serial: done" in text, text
    return dict(re.findall(r"serial: (\S+) ([0-9a-f]+)\r*\n", text))


@pytest.fixture(scope="module")
def on_the_board():
    done = subprocess.run([QEMU, "-M", "virt", "-display", "none", "-monitor", "none", "-serial", "stdio",
                           "-kernel", f"{BUILD}/guests/serial.bin"], stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=300, check=True)
    return values(done.stdout.decode(errors="replace"))


@pytest.fixture(scope="module", params=[pytest.param("h", marks=needs_h), "shadow"])
def here(request, tmp_path_factory):
    node = vm("serial", kernel="serial", mib=32, irqchip='"plic"')
    with Machine(bundle(tmp_path_factory.mktemp("serial"), node), smp=1,
                 append=f"when-done=poweroff engine={request.param}") as machine:
        return values(machine.wait_end())


def test_registers_after_reset(here, on_the_board):
    names = ["ier", "iir", "lcr", "mcr", "lsr", "msr", "scr", "divisor"]
    assert {name: here[name] for name in names} == {name: on_the_board[name] for name in names}


def test_an_empty_transmitter_interrupts_once(here, on_the_board):
    """With a handler that never reads IIR: once when it is enabled, once for each byte that is out."""
    names = [name for name in here if name.startswith(("empty", "iir"))]
    assert len(names) >= 8
    assert {name: here[name] for name in names} == {name: on_the_board[name] for name in names}


def test_received_data_is_a_level(here):
    """It interrupts until it is taken, whatever the handler does; the guest gives up at 50."""
    assert here["data"] == "50"
