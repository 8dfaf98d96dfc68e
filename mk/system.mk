# SPDX-License-Identifier: BSD-2-Clause
# `make system`: the system tests, in QEMU. TESTS="tests/system/test_two.py -k pause" runs some.

TESTS ?= tests/system
.PHONY: system
system: $(BUILD)/caldarium.bin guests own-guests linux-programs
	@$(PYTHON) -m pytest -q -p no:cacheprovider --tb=short $(TESTS)
