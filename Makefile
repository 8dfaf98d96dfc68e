# SPDX-License-Identifier: BSD-2-Clause
# Caldarium. `make help` lists what can be made.

BUILD ?= build
CACHE := $(or $(CALDARIUM_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/caldarium)
CROSS_COMPILE ?= riscv64-unknown-elf-
PICOLIBC ?= /usr/lib/picolibc/riscv64-unknown-elf

# TOOLCHAIN=gcc (CROSS_COMPILE overrides which) or clang.
TOOLCHAIN ?= gcc
ifeq ($(TOOLCHAIN),clang)
CC := clang
ARCH := --target=riscv64-unknown-elf -march=rv64imac -mabi=lp64 -mno-relax
OBJ := $(BUILD)/obj-clang
else
CC := $(CROSS_COMPILE)gcc
ARCH := -march=rv64imac_zicsr_zifencei -mabi=lp64
OBJ := $(BUILD)/obj
endif

WARN := -Wall -Wextra -Werror
CFLAGS := $(ARCH) -mcmodel=medany -std=gnu17 -O2 -g -ffreestanding -fno-pic -fno-common \
	-ffunction-sections -fdata-sections -fno-jump-tables -fno-stack-protector \
	-fno-asynchronous-unwind-tables -fno-strict-aliasing $(WARN) -I. -I$(CACHE)/libfdt \
	-isystem $(PICOLIBC)/include -D_POSIX_C_SOURCE=200809L -MMD -MP

SRCS := $(wildcard riscv/*.c engine/*/*.c core/*.c core/*/*.c drivers/*/*.c host/bare/*.c)
ASMS := $(wildcard engine/*/*.S host/bare/*.S)
FDT := fdt fdt_ro fdt_rw fdt_sw fdt_wip fdt_addresses fdt_check fdt_empty_tree fdt_strerror
OBJS := $(patsubst %.c,$(OBJ)/%.o,$(SRCS)) $(patsubst %.S,$(OBJ)/%.o,$(ASMS)) \
	$(patsubst %,$(OBJ)/libfdt/%.o,$(FDT))

.PHONY: all setup
all: setup
	@$(MAKE) --no-print-directory $(BUILD)/caldarium.bin

setup:
	@tools/setup.sh build

$(BUILD)/caldarium.bin: $(OBJ)/caldarium.elf
	@cp $< $(BUILD)/caldarium.elf
	@$(CROSS_COMPILE)objcopy -O binary $< $@
	@$(CROSS_COMPILE)size $<

$(OBJ)/caldarium.elf: $(OBJS) host/bare/link.lds
	@echo "  LD    $@"
	@$(CROSS_COMPILE)gcc -march=rv64imac_zicsr_zifencei -mabi=lp64 -nostdlib -static -no-pie \
		-Wl,--gc-sections -Wl,--build-id=none -Wl,--fatal-warnings \
		-Wl,--no-warn-rwx-segments -Wl,--defsym=vfprintf=__i_vfprintf -T host/bare/link.lds \
		-o $@ $(OBJS) $(PICOLIBC)/lib/rv64imac/lp64/libc.a \
		$$($(CROSS_COMPILE)gcc -march=rv64imac -mabi=lp64 -print-libgcc-file-name)

$(OBJ)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(CFLAGS) -c -o $@ $<

# Slower than it need be is fine for what runs once; it makes room in the text budget.
$(OBJ)/core/bundle/%.o $(OBJ)/core/tree/%.o $(OBJ)/core/load/%.o $(OBJ)/core/monitor/%.o \
$(OBJ)/host/bare/%.o $(OBJ)/drivers/%.o: CFLAGS += -Os

$(OBJ)/%.o: %.S
	@mkdir -p $(@D)
	@echo "  AS    $<"
	@$(CC) $(ARCH) -mcmodel=medany -I. -MMD -MP -D__ASSEMBLER__ -c -o $@ $<

$(OBJ)/libfdt/%.o: $(CACHE)/libfdt/%.c
	@mkdir -p $(@D)
	@echo "  CC    libfdt/$*.c"
	@$(CC) $(filter-out $(WARN),$(CFLAGS)) -Os -w -c -o $@ $<

-include $(OBJS:.o=.d)
