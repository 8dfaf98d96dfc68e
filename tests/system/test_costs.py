# SPDX-License-Identifier: BSD-2-Clause
"""What exits cost, in instructions (-icount): the budgets of `make bench` that take seconds to look at."""

import importlib.util
import os

from caldarium import BUILD, ROOT, Machine, bundle, needs_h, vm

spec = importlib.util.spec_from_file_location("bench", os.path.join(ROOT, "bench", "bench.py"))
bench = importlib.util.module_from_spec(spec)
spec.loader.exec_module(bench)
bench.BUILD = BUILD


@needs_h
def test_exits_stay_within_their_budgets():
    assert bench.exit_table()


@needs_h
def test_a_plic_register_where_harts_write_no_htinst():
    assert bench.htinst_table()


@needs_h
def test_a_kernel_where_harts_write_no_htinst(tmp_path):
    path = bundle(tmp_path, vm("mini", kernel="minikernel", vcpus=2, mib=16))
    with Machine(path, smp=2, kernel=bench.image_without_htinst(tmp_path)) as machine:
        machine.expect("mini> ")
        machine.send("test\r")
        output = machine.expect("test: (all ok|something FAILED)")
        assert "all ok" in output, output
        machine.monitor_shows("stats mini", r"interrupt controller \(hot\) +[1-9]")


def test_exits_of_engine_shadow_stay_within_their_budgets():
    assert bench.shadow_table()


def test_exits_of_engine_shadow_on_sv39_alone():
    assert bench.shadow_table(bench.SV39)


@needs_h
def test_an_ipi_to_many_costs_one_call_to_the_firmware():
    assert bench.many_table()


@needs_h
def test_virtio_devices_stay_within_their_budgets():
    assert bench.virtio_table()


@needs_h
def test_the_cost_of_a_switch_does_not_grow_with_the_number_of_vcpus():
    assert bench.switch_table()
