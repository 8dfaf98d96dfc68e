# SPDX-License-Identifier: BSD-2-Clause
# `make system`: the system tests, in QEMU. TESTS="tests/system/test_two.py -k pause" runs some.

TESTS ?= tests/system
# With them all, these run once more on harts without the H extension.
ON_SHADOW := $(addprefix tests/system/test_,two.py minikernel.py faults.py hostile.py \
	seed_defects.py shared_memory.py uboot.py)
PYTEST := $(PYTHON) -m pytest -q -p no:cacheprovider --tb=short
.PHONY: system
system: $(BUILD)/caldarium.bin guests own-guests linux-programs
	@$(PYTEST) $(TESTS)
ifeq ($(TESTS),tests/system)
	@echo "  on harts without the H extension:"
	@CALDARIUM_ENGINE=shadow $(PYTEST) $(ON_SHADOW)
endif
