# SPDX-License-Identifier: BSD-2-Clause
# `make fuzz`: libFuzzer's targets, tests/fuzz/fuzz_*.c, one after the other, each TIME seconds, under ASan and UBSan.
# docs/fuzzing.md tells what each one looks at. Read after mk/unit.mk, for
# its sources, that clang builds here.
#   make fuzz TIME=600 FUZZ=plic     only that one
#   make fuzz SEED=1                 the same inputs each time; 0: others

TIME ?= 3
SEED ?= 0
FUZZ ?= *
FUZZ_CC ?= clang
FUZZ_DIR := $(BUILD)/fuzz
FUZZ_SAN := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FUZZ_CFLAGS := -std=gnu17 -O1 -g -Wall -Wextra -Werror -ffunction-sections -fdata-sections $(FUZZ_SAN) \
	-fsanitize=fuzzer-no-link $(FUZZ_COVERAGE) -Ihost/sim -I. -Iinclude -isystem $(LIBFDT) -MMD -MP
FUZZ_TARGETS := $(patsubst tests/fuzz/fuzz_%.c,%,$(sort $(wildcard tests/fuzz/fuzz_$(FUZZ).c)))
FUZZ_BINS := $(addprefix $(FUZZ_DIR)/fuzz_,$(FUZZ_TARGETS))
# Of what needs a real hart the board's tree alone: the fuzzer's marks keep each function, so no linker drops what has
# no caller.
FUZZ_OBJS := $(patsubst %.c,$(FUZZ_DIR)/%.o,$(filter-out host/bare/%,$(UNIT_SRCS)) \
	$(addprefix host/bare/,board.c board_devices.c ram.c))
FUZZ_FDT_OBJS := $(patsubst $(LIBFDT)/%.c,$(FUZZ_DIR)/libfdt/%.o,$(sort $(wildcard $(LIBFDT)/fdt*.c)))

.PHONY: fuzz fuzz-build fuzz-planted fuzz-coverage
fuzz-build: $(FUZZ_BINS)

# What is new and worth keeping goes to build/fuzz/corpus; a finding to build/fuzz/NAME-crash-*.
fuzz: fuzz-build ## libFuzzer's targets, TIME= seconds each (FUZZ=name: that one)
	@test -n "$(FUZZ_TARGETS)" || { echo "fuzz: no target is named $(FUZZ)" >&2; exit 1; }
	@for name in $(FUZZ_TARGETS); do \
		mkdir -p $(FUZZ_DIR)/corpus/$$name; \
		UBSAN_OPTIONS=print_stacktrace=1 nice $(FUZZ_DIR)/fuzz_$$name -max_total_time=$(TIME) -seed=$(SEED) -timeout=60 \
			-max_len=8192 -artifact_prefix=$(FUZZ_DIR)/$$name- $(FUZZ_DIR)/corpus/$$name \
			$$(ls -d tests/fuzz/corpus/$$name 2>/dev/null) >$(FUZZ_DIR)/$$name.log 2>&1 || \
			{ tail -60 $(FUZZ_DIR)/$$name.log; echo "fuzz: $$name: a finding, or it did not start" >&2; exit 1; }; \
		echo "fuzz: $$name: $$(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' $(FUZZ_DIR)/$$name.log) runs, no finding"; \
	done

fuzz-planted: ## each target finds the bug that tests/fuzz/planted has for it (FUZZ=name: that one)
	@FUZZ='$(FUZZ)' tests/fuzz/planted.sh

# What each target is about.
FUZZ_OF_aplic := lib/irq/aplic.c lib/irq/aplic_items.c
FUZZ_OF_board := host/bare/board.c host/bare/board_devices.c
FUZZ_OF_bundle := appliance/bundle/bundle.c appliance/bundle/property.c
FUZZ_OF_decode := riscv/decode.c
FUZZ_OF_efi := host/efi/options.c host/efi/tree.c
FUZZ_OF_fill := lib/engine/shadow/fault.c lib/engine/shadow/tables.c lib/engine/shadow/copy.c lib/engine/shadow/source.c
FUZZ_OF_gzip := appliance/load/gzip.c
FUZZ_OF_imsic := lib/irq/imsic.c
FUZZ_OF_iommu := drivers/iommu/iommu.c
FUZZ_OF_kernel := appliance/load/kernel.c appliance/load/load.c
FUZZ_OF_line := appliance/monitor/line.c
FUZZ_OF_ns16550a := lib/dev/ns16550a.c lib/dev/ns16550a_items.c
FUZZ_OF_pci := appliance/device/pci.c
FUZZ_OF_plic := lib/irq/plic.c lib/irq/plic_items.c
FUZZ_OF_pmu := lib/sbi/pmu.c
FUZZ_OF_saved := appliance/saved/restore.c appliance/saved/format.c lib/vcpu/state.c lib/vm/state.c
FUZZ_OF_sbi := $(filter-out lib/sbi/pmu.c,$(wildcard lib/sbi/*.c))
FUZZ_OF_scan := lib/engine/shadow/scan.c
FUZZ_OF_virtio := $(wildcard appliance/virtio/*.c)
FUZZ_OF_vm := $(addprefix lib/vcpu/,exit.c mail.c pending.c run.c vcpu.c) lib/dev/bus.c \
	$(addprefix appliance/virtio/,block.c entropy.c net.c queue.c)
FUZZ_OF_walk := riscv/walk.c lib/engine/shadow/walk.c

# In a build of its own: what the corpora reach, which are those of the repository and what `make fuzz` has added.
FUZZ_COVERAGE_DIR := $(BUILD)/fuzz-coverage
fuzz-coverage: ## lines of the sources that each target is about, in percent, which its corpus reaches
	@$(MAKE) --no-print-directory fuzz-build FUZZ_DIR=$(FUZZ_COVERAGE_DIR) \
		FUZZ_COVERAGE='-fprofile-instr-generate -fcoverage-mapping'
	@$(foreach name,$(FUZZ_TARGETS),tests/fuzz/coverage.sh $(FUZZ_COVERAGE_DIR) $(FUZZ_DIR)/corpus $(name) \
		$(FUZZ_OF_$(name)) &&) true

$(FUZZ_DIR)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(FUZZ_CC) $(FUZZ_CFLAGS)' | cmp -s - $@ || echo '$(FUZZ_CC) $(FUZZ_CFLAGS)' >$@
$(FUZZ_OBJS) $(FUZZ_FDT_OBJS): $(FUZZ_DIR)/flags

# A source that is gone, or new, changes the list, and no object.
$(FUZZ_DIR)/objects: FORCE
	@mkdir -p $(@D)
	@echo '$(FUZZ_OBJS) $(FUZZ_FDT_OBJS)' | cmp -s - $@ || echo '$(FUZZ_OBJS) $(FUZZ_FDT_OBJS)' >$@

$(FUZZ_DIR)/libfuzz.a: $(FUZZ_OBJS) $(FUZZ_FDT_OBJS) $(FUZZ_DIR)/objects
	@rm -f $@
	@ar rcs $@ $(filter %.o,$^)

$(FUZZ_DIR)/libfdt/%.o: $(LIBFDT)/%.c
	@mkdir -p $(@D)
	@$(FUZZ_CC) -std=gnu17 -O1 -g -w $(FUZZ_SAN) -fsanitize=fuzzer-no-link -I$(LIBFDT) -c $< -o $@

$(FUZZ_DIR)/%.o: %.c
	@mkdir -p $(@D)
	@$(FUZZ_CC) $(FUZZ_CFLAGS) -c $< -o $@

$(FUZZ_BINS): $(FUZZ_DIR)/%: $(FUZZ_DIR)/tests/fuzz/%.o $(FUZZ_DIR)/libfuzz.a
	@echo "  FUZZ  $@"
	@$(FUZZ_CC) $(FUZZ_SAN) $(FUZZ_COVERAGE) -fsanitize=fuzzer -pthread -Wl,--gc-sections $^ -o $@

.SECONDARY: $(patsubst %,$(FUZZ_DIR)/tests/fuzz/fuzz_%.o,$(FUZZ_TARGETS))
-include $(FUZZ_OBJS:.o=.d) $(patsubst %,$(FUZZ_DIR)/tests/fuzz/fuzz_%.d,$(FUZZ_TARGETS))
