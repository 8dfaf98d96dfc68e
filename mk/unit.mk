# SPDX-License-Identifier: BSD-2-Clause
# `make unit`: lib, appliance and riscv compiled for the build machine under ASan and UBSan, and one binary for
# each tests/unit/test_*.c, linked with them. Stands alone too: make -f mk/unit.mk unit
#
# What is compiled goes into one static library, so a test takes from it only the objects that it
# refers to. An object that needs something that exists on a real hart alone does not get in its way,
# and what a test wants to replace it simply defines itself.
#   make unit UNIT=test_plic     only that one

BUILD ?= build
UNIT ?= test_*
UNIT_CC ?= gcc
CACHE ?= $(or $(CALDARIUM_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/caldarium)
LIBFDT ?= $(CACHE)/libfdt

# host/sim/riscv/asm.h is a hart whose CSRs are an array, in the place of riscv/asm.h. Of host/bare and lib/engine
# what works on that, or needs no hart; add a file here when a test wants it. What
# host/sim defines is weak, so that the same function in host/bare, or in the test, takes its place.
UNIT_SRCS += $(wildcard host/sim/host.c host/sim/hart.c riscv/*.c appliance/*.c appliance/*/*.c drivers/*/*.c \
	$(addprefix lib/,common/*.c vcpu/*.c vm/*.c sbi/*.c irq/*.c dev/*.c)) \
	$(addprefix host/bare/,board.c board_devices.c console.c console_line.c console_out.c console_paint.c console_ring.c device_irq.c heap.c msi.c pages.c ram.c runqueue.c sched.c sched_place.c vms.c) \
	$(addprefix host/efi/,bundle.c options.c stub.c tree.c) \
	$(wildcard lib/engine/common/*.c) $(filter-out %/guest_memory.c,$(wildcard lib/engine/h/*.c lib/engine/shadow/*.c))
UNIT_TESTS := $(patsubst tests/unit/%.c,%,$(sort $(wildcard tests/unit/$(UNIT).c)))

UNIT_DIR := $(BUILD)/unit
UNIT_LIB := $(UNIT_DIR)/libunit.a
UNIT_SAN := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
UNIT_CFLAGS := -std=gnu17 -O1 -g -Wall -Wextra -Werror -ffunction-sections -fdata-sections \
	$(UNIT_SAN) -Ihost/sim -I. -Iinclude -isystem $(LIBFDT) -MMD -MP
UNIT_SRCS += lib/machine/machine.c
UNIT_OBJS := $(patsubst %.c,$(UNIT_DIR)/%.o,$(UNIT_SRCS))
# Somebody else's code: without our warnings.
UNIT_FDT_OBJS := $(patsubst $(LIBFDT)/%.c,$(UNIT_DIR)/libfdt/%.o,$(sort $(wildcard $(LIBFDT)/fdt*.c)))
UNIT_BINS := $(addprefix $(UNIT_DIR)/,$(UNIT_TESTS))

.PHONY: unit unit-build
unit-build: $(UNIT_BINS)

# Objects are made anew when their flags have changed: this file does then.
UNIT_FLAGS := $(UNIT_CC) $(UNIT_CFLAGS)
$(UNIT_DIR)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(UNIT_FLAGS)' | cmp -s - $@ || echo '$(UNIT_FLAGS)' >$@
$(UNIT_OBJS) $(UNIT_FDT_OBJS): $(UNIT_DIR)/flags
FORCE:

# Boards on paper: our own trees, and Debian's, which set-up keeps in the cache.
BOARD_TREES := $(patsubst tests/boards/%.dts,$(UNIT_DIR)/boards/%.dtb,$(wildcard tests/boards/*.dts))
BOARD_TEXT := $(UNIT_DIR)/boards.md
CALDARIUM_BOARDS ?= $(CACHE)/boards
export CALDARIUM_BOARDS
export CALDARIUM_BOARDS_OURS := $(UNIT_DIR)/boards
export CALDARIUM_BOARDS_OUT := $(BOARD_TEXT)

$(UNIT_DIR)/boards/%.dtb: tests/boards/%.dts
	@mkdir -p $(@D)
	@dtc -q -I dts -O dtb -o $@ $<

# The part of docs/porting.md between two marks is made from what test_boards finds.
.PHONY: boards
boards: $(UNIT_DIR)/test_boards $(BOARD_TREES) ## writes the boards' table in docs/porting.md anew
	@rm -f $(BOARD_TEXT); $< >$<.log 2>&1; test -s $(BOARD_TEXT) || { cat $<.log; exit 1; }
	@sed -i -e '/^<!-- what follows is made/,/^<!-- end of what is made/{/^<!-- end/r $(BOARD_TEXT)' \
		-e 'd}' docs/porting.md

# All of them run even if one fails; the last line counts.
unit: $(UNIT_BINS) $(BOARD_TREES)
	@passed=0; failed=; for test in $(UNIT_BINS); do \
		if UBSAN_OPTIONS=print_stacktrace=1 $$test >$$test.log 2>&1; then \
			passed=$$((passed + $$(grep -c '^\[       OK \]' $$test.log))); \
		else \
			failed="$$failed $$(basename $$test)"; grep -v '^\[ RUN\|^\[       OK' $$test.log; \
		fi; \
	done; \
	if [ -n "$$failed" ]; then echo "unit: failed:$$failed" >&2; exit 1; fi; \
	echo "unit: $$passed tests in $(words $(UNIT_BINS)) files passed"

# Kept, so that the next build is quick; a source that is gone must not live on in the library.
$(UNIT_LIB): $(UNIT_OBJS) $(UNIT_FDT_OBJS)
	@echo "  UNIT  $@"
	@rm -f $@
	@ar rcs $@ $^

$(UNIT_DIR)/libfdt/%.o: $(LIBFDT)/%.c
	@mkdir -p $(@D)
	@$(UNIT_CC) -std=gnu17 -O1 -g -w $(UNIT_SAN) -I$(LIBFDT) -c $< -o $@

$(UNIT_DIR)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  UNIT  $<"
	@$(UNIT_CC) $(UNIT_CFLAGS) -c $< -o $@

# A host of its own, in the place of what host/sim/host.c has.
$(UNIT_DIR)/test_embed: $(UNIT_DIR)/host/sim/embed.o
$(UNIT_DIR)/host/sim/embed.o: $(UNIT_DIR)/flags
# All that it has, host/sim/host.c has too.
$(UNIT_DIR)/test_device: $(UNIT_DIR)/host/bare/device.o
$(UNIT_DIR)/host/bare/device.o: $(UNIT_DIR)/flags

$(UNIT_BINS): $(UNIT_DIR)/%: $(UNIT_DIR)/tests/unit/%.o $(UNIT_LIB)
	@echo "  UNIT  $@"
	@$(UNIT_CC) $(UNIT_SAN) -pthread -Wl,--gc-sections $(filter %.o,$^) $(UNIT_LIB) -lcmocka -o $@

.SECONDARY: $(addprefix $(UNIT_DIR)/tests/unit/,$(addsuffix .o,$(UNIT_TESTS)))
-include $(UNIT_OBJS:.o=.d) $(patsubst %,$(UNIT_DIR)/tests/unit/%.d,$(UNIT_TESTS))
