# SPDX-License-Identifier: BSD-2-Clause
# `make system`: the system tests, in QEMU, as many at once as there are processors or JOBS says.
# TESTS="tests/system/test_two.py -k pause" runs some, one after the other.

TESTS ?= tests/system
# With them all, these run once more on harts without the H extension.
ON_SHADOW := $(addprefix tests/system/test_,two.py minikernel.py requests.py save.py faults.py hostile.py \
	network.py seed_defects.py shared_memory.py uboot.py vm_life.py)
# And these on the newest SBI firmware there is; without the H extension all of ON_SHADOW.
NEWEST_FIRMWARE := $(CALDARIUM_CACHE)/firmware/opensbi.bin
ON_FIRMWARE := $(addprefix tests/system/test_,minikernel.py two.py faults.py)
# Five busy systems, of which Linux must not stall: it needs the build machine to itself.
# And these on the image that checks who owns each page (mk/oracle.mk).
ORACLE := $(BUILD)/caldarium-oracle.bin
ON_ORACLE := $(addprefix tests/system/test_,minikernel.py shared_memory.py iommu.py::test_writes_and_reads_are_blocked[imsic-h])
ALONE := tests/system/test_five.py
JOBS ?= $(shell nproc)
# SBI firmware that goes wrong on demand.
FIRMWARE_OF_TESTS := $(BUILD)/tests/firmware.elf
$(FIRMWARE_OF_TESTS): $(wildcard tests/firmware/*) riscv/sbi.h
	@mkdir -p $(@D)
	@echo "  TEST  $@"
	@$(CROSS_COMPILE)gcc -march=rv64ima_zicsr_zifencei -mabi=lp64 -mcmodel=medany -std=gnu17 -O2 -ffreestanding \
		-fno-pic -Wall -Wextra -Werror -I. -nostdlib -static -no-pie -Wl,--build-id=none -Wl,--no-warn-rwx-segments \
		-T tests/firmware/link.lds -o $@ $(filter %.c %.S,$^)
PYTEST := $(PYTHON) -m pytest -q -p no:cacheprovider --tb=short
AT_ONCE := -n $(JOBS) --dist loadgroup
.PHONY: system
system: $(BUILD)/caldarium.bin $(BUILD)/embed.bin $(ORACLE) $(FIRMWARE_OF_TESTS) guests own-guests linux-programs $(BUILD)/bench/bench.dtb $(BUILD)/caldarium.ko $(KVM_PROGRAMS)
ifeq ($(TESTS),tests/system)
	@$(PYTEST) $(ALONE)
	@$(PYTEST) $(AT_ONCE) $(TESTS) --ignore=$(ALONE)
	@echo "  on harts without the H extension:"
	@CALDARIUM_ENGINE=shadow $(PYTEST) $(AT_ONCE) $(ON_SHADOW)
	@echo "  with the ownership oracle:"
	@CALDARIUM_BIN=$(ORACLE) $(PYTEST) $(AT_ONCE) $(ON_ORACLE:%='%')
	@echo "  with $(NEWEST_FIRMWARE):"
	@CALDARIUM_FIRMWARE=$(NEWEST_FIRMWARE) $(PYTEST) $(AT_ONCE) $(ON_FIRMWARE)
	@CALDARIUM_FIRMWARE=$(NEWEST_FIRMWARE) CALDARIUM_ENGINE=shadow $(PYTEST) $(AT_ONCE) $(ON_SHADOW)
else
	@$(PYTEST) $(TESTS)
endif

.PHONY: setup-machines machines
setup-machines: setup-test
	@tools/setup.sh qemu

# Half an hour and more. MACHINES="virt shadow": only rows with these words.
machines: setup-machines ## the newest QEMU's machines and CPU models, other firmware; a table
	@$(MAKE) --no-print-directory $(BUILD)/caldarium.bin guests own-guests
	@$(PYTHON) tests/machines.py $(MACHINES)
