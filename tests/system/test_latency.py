# SPDX-License-Identifier: BSD-2-Clause
"""How long an interrupt waits beside a neighbour that storms (guests/latency): the table of docs/latency.md, with fewer
samples. Instructions are the clock."""

import importlib.util
import os

import pytest
from caldarium import BUILD, ROOT, needs_h

spec = importlib.util.spec_from_file_location("latency", os.path.join(ROOT, "bench", "latency.py"))
latency = importlib.util.module_from_spec(spec)
spec.loader.exec_module(latency)
latency.BUILD = BUILD

ENGINES = [pytest.param("h", marks=needs_h), "shadow"]


def worst(rows):
    return {kind: max(row) for kind, row in rows.items()}


@pytest.mark.parametrize("engine", ENGINES)
def test_of_a_pinned_guest(tmp_path, engine):
    """Beside any storm at most twice what it is beside one that computes."""
    waits = worst(latency.run(tmp_path, engine, "pinned", 150, "gap=300"))
    assert set(waits) == set(latency.KINDS)
    assert max(waits.values()) <= 2 * waits["compute"], waits


@pytest.mark.parametrize("engine", ENGINES)
def test_of_a_shared_guest_with_a_budget(tmp_path, engine):
    """On a hart with the storm: within its period, and by far: what is longest in Caldarium is a small part of that."""
    waits = worst(latency.run(tmp_path, engine, "shared", 50, "gap=300"))
    assert set(waits) == set(latency.KINDS)
    assert max(waits.values()) <= latency.PERIOD_TICKS, waits


@needs_h
def test_of_a_guest_on_the_console_s_hart(tmp_path):
    """A neighbour that prints without end, at a port that takes whatever there is, leaves the hart to its guest."""
    waits = worst(latency.run(tmp_path, "h", "console", 100, "gap=300 only=11"))
    assert waits["console"] <= latency.PERIOD_TICKS, waits
