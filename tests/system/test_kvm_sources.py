# SPDX-License-Identifier: BSD-2-Clause
"""The module's sources as DKMS gets them (`make kvm-dkms`): all that its build reads is in there."""

import glob
import os
import subprocess

import pytest
from caldarium import BUILD, CACHE, ENGINE, ROOT

pytestmark = pytest.mark.skipif(ENGINE == "shadow", reason="it is about files alone")


def read_by_the_build():
    """The repository's files that this build's objects came from, as the compiler noted them."""
    files = set()
    for path in glob.glob(f"{BUILD}/kvm/obj/**/*.d", recursive=True):
        with open(path, encoding="utf-8") as file:
            rule = file.read().replace("\\\n", " ").split("\n", maxsplit=1)[0]
        files.update(name for name in rule.split(": ", 1)[1].split() if not os.path.isabs(name))
    return files


def test_nothing_is_missing(tmp_path):
    subprocess.run(["make", "-s", "kvm-dkms", f"BUILD={BUILD}"], cwd=ROOT, check=True)
    archives = glob.glob(f"{BUILD}/caldarium-*.tar.xz")
    assert len(archives) == 1
    subprocess.run(["tar", "-C", tmp_path, "-xf", archives[0]], check=True)
    name = os.path.basename(archives[0]).removesuffix(".tar.xz")
    top = tmp_path / name
    files = read_by_the_build()
    assert len(files) > 100
    assert [file for file in sorted(files) if not (top / file).exists()] == []

    with open(top / "dkms.conf", encoding="utf-8") as file:
        settings = dict(line.strip().split("=", 1) for line in file if not line.startswith("#"))
    assert f'{settings["PACKAGE_NAME"]}-{settings["PACKAGE_VERSION"]}'.replace('"', "") == name
    command = settings["MAKE[0]"].strip('"').replace("$kernel_source_dir", f"{CACHE}/kvm/build")
    # A dry run goes up to the kernel's own part, which make would start even so: CROSS_KERNEL names no compiler.
    plan = subprocess.run(["sh", "-c", f"{command} --dry-run"], cwd=top, capture_output=True, text=True,
                          env={**os.environ, "MAKEFLAGS": "", "CROSS_KERNEL": "none-"}, check=False).stdout
    assert plan.count("none-gcc -march") == sum(file.endswith((".c", ".S")) for file in files), plan
    assert "none-ld -r -T host/linux/lib.lds" in plan
