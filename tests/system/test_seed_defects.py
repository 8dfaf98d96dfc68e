# SPDX-License-Identifier: BSD-2-Clause
"""What went wrong in the systems that Caldarium grew from, a test each: guests/defects tries it."""

import pytest
from caldarium import Machine, bundle, vm

# All of them ask one machine, so one worker runs them.
pytestmark = pytest.mark.xdist_group("seed_defects")

HYPOCAUST = [
    "user_writes_satp",
    "user_executes_sret",
    "user_executes_sfence_vma",
    "user_reads_a_supervisor_csr",
    "user_makes_an_sbi_call",
    "csr_read_into_x0",
    "trap_from_supervisor_mode_sets_spp",
    "interrupt_reaches_supervisor_mode",
    "load_page_fault",
    "store_page_fault",
    "fetch_page_fault",
    "user_executes_ebreak",
    "sfence_vma_with_an_address",
    "sip_is_read_and_written",
    "byte_store_to_a_page_table",
    "undecodable_instruction_moves_no_stvec",
    "superpages",
    "sum",
    "mxr",
]
HYPOCAUST_2 = [
    "virtual_instruction_exception",
    "machine_mode_instruction",
    "unknown_sbi_call",
    "unmapped_mmio",
    "fetch_where_nothing_is",
    "user_fault_enters_the_handler_with_stval_and_spp",
    "getchar_answers_in_a0",
    "compressed_mmio",
    "plic_accesses_of_8_16_32_64_bits",
    "plic_threshold_is_readable",
    "plic_enables_are_read_and_written",
    "perf_has_counters",
]
HYPERCRAFT = [
    "remote_fence",
    "remote_fence_by_the_guests_own_hart_numbers",
    "user_access_to_mmio",
]


@pytest.fixture(scope="module", params=["h", "shadow"])
def output(request, tmp_path_factory):
    """One run does for all. The VM's harts are not the board's first, nor in order."""
    node = vm("defects", kernel="defects", mib=32, vcpus=2, harts="<3 2>")
    with Machine(bundle(tmp_path_factory.mktemp("defects"), node), smp=4,
                 append=f"when-done=poweroff engine={request.param}") as machine:
        text = machine.wait_end()
    assert "defects: done" in text, text
    return text


@pytest.mark.parametrize("defect", HYPOCAUST + HYPOCAUST_2 + HYPERCRAFT)
def test_defect(output, defect):
    assert f"defects: {defect} ok" in output, output


def test_every_check_is_asked_for(output):
    names = [line.split()[1] for line in output.splitlines()
             if line.startswith("defects: ") and line.split()[-1] in ("ok", "FAILED")]
    assert sorted(names) == sorted(HYPOCAUST + HYPOCAUST_2 + HYPERCRAFT)


def test_state_is_kept_beside_other_vms_on_one_hart(tmp_path):
    """VS CSRs, tp and FP of five VMs that take turns; each ended by itself, so none ran for ever."""
    nodes = [vm(f"vm{n}", kernel="defects", mib=32, bootargs=f"keep={n} ticks=10000000")
             for n in range(1, 6)]
    with Machine(bundle(tmp_path, *nodes), smp=1) as machine:
        text = machine.wait_end()
    assert text.count("defects: state_is_kept ok") == 5, text
    assert "has changed" not in text


def test_vms_with_a_vmid_each(tmp_path):
    """Two VMs on one hart whose tables map the same addresses to different pages, all at once."""
    nodes = [vm(name, kernel="defects", mib=32, vcpus=2) for name in ("a", "b", "c")]
    with Machine(bundle(tmp_path, *nodes), smp=1) as machine:
        text = machine.wait_end()
    assert text.count("defects: done") == 3, text
    assert "FAILED" not in text
    assert text.count("defects: remote_fence ok") == 3, text
