# SPDX-License-Identifier: BSD-2-Clause
# Guests of our own, and `make bench`.

GUEST_OWN := $(patsubst guests/%/main.c,%,$(wildcard guests/*/main.c))
GUEST_OBJ := $(BUILD)/obj-guests
GUEST_CFLAGS := -march=rv64imac_zicsr_zifencei -mabi=lp64 -mcmodel=medany -std=gnu17 -O2 \
	-ffreestanding -fno-omit-frame-pointer -fno-optimize-sibling-calls -fno-pic -Wall -Wextra -Werror -I. -MMD -MP

$(GUEST_OBJ)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(GUEST_CFLAGS)' | cmp -s - $@ || echo '$(GUEST_CFLAGS)' >$@

.SECONDEXPANSION:
$(BUILD)/guests/%.elf: $$(wildcard guests/%/*.[cSh] guests/common/*.[cSh]) guests/common/link.lds $(GUEST_OBJ)/flags
	@mkdir -p $(@D)
	@echo "  GUEST $@"
	@$(CROSS_COMPILE)gcc $(GUEST_CFLAGS) -nostdlib -static -no-pie -Wl,--build-id=none \
		-Wl,--no-warn-rwx-segments -T guests/common/link.lds -o $@ \
		$(filter %.c %.S,$^)

$(BUILD)/guests/%.bin: $(BUILD)/guests/%.elf
	@$(CROSS_COMPILE)objcopy -O binary $< $@

$(BUILD)/bench/%.dtb: bench/%.dts $(BUILD)/guests/bench.bin $(BUILD)/guests/irqbench.bin
	@mkdir -p $(@D)
	@dtc -I dts -O dtb -i $(BUILD)/guests -o $@ $<

.SECONDARY: $(GUEST_OWN:%=$(BUILD)/guests/%.elf)
.PHONY: own-guests bench latency
own-guests: $(GUEST_OWN:%=$(BUILD)/guests/%.bin)

bench: setup-run ## instructions of each exit, bare and under Caldarium, against the budgets
	@$(MAKE) --no-print-directory $(BUILD)/caldarium.bin $(BUILD)/bench/bench.dtb $(BUILD)/bench/irq.dtb guests own-guests configs linux-programs
	@$(PYTHON) bench/bench.py $(BUILD)

# 10,000 samples for each row: ten minutes.
latency: setup-run ## how long a guest's interrupt waits beside neighbours that storm: the tables of docs/latency.md
	@mkdir -p $(BUILD)/bench
	@$(MAKE) --no-print-directory $(BUILD)/caldarium.bin $(BUILD)/guests/latency.bin
	@$(PYTHON) bench/latency.py $(BUILD)
