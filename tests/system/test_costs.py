# SPDX-License-Identifier: BSD-2-Clause
"""What exits cost, in instructions (-icount): the budgets of `make bench` that take seconds to look at."""

import importlib.util
import os

from caldarium import BUILD, ROOT, needs_h

spec = importlib.util.spec_from_file_location("bench", os.path.join(ROOT, "bench", "bench.py"))
bench = importlib.util.module_from_spec(spec)
spec.loader.exec_module(bench)
bench.BUILD = BUILD


@needs_h
def test_exits_stay_within_their_budgets():
    assert bench.exit_table()


def test_exits_of_engine_shadow_stay_within_their_budgets():
    assert bench.shadow_table()


@needs_h
def test_the_cost_of_a_switch_does_not_grow_with_the_number_of_vcpus():
    assert bench.switch_table()
