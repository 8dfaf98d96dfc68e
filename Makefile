# SPDX-License-Identifier: BSD-2-Clause
# Caldarium. `make help` lists what can be made.

.DEFAULT_GOAL := all
BUILD ?= build
CACHE := $(or $(CALDARIUM_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/caldarium)
CROSS_COMPILE ?= riscv64-unknown-elf-
PICOLIBC ?= /usr/lib/picolibc/riscv64-unknown-elf

# TOOLCHAIN=gcc (CROSS_COMPILE overrides which) or clang.
TOOLCHAIN ?= gcc
ifeq ($(TOOLCHAIN),clang)
CC := clang
SMALL := -Oz -msave-restore
# clang 14 marks no call for the linker to shorten, which costs one byte in eight.
TEXT_KIB := 256
ARCH := --target=riscv64-unknown-elf -march=rv64imac -mabi=lp64 -mno-relax
OBJ := $(BUILD)/obj-clang
else
CC := $(CROSS_COMPILE)gcc
SMALL := -Os -msave-restore
TEXT_KIB := 212
ARCH := -march=rv64imac_zicsr_zifencei -mabi=lp64
OBJ := $(BUILD)/obj
endif

WARN := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Werror
CODE := -mcmodel=medany -std=gnu17 -O2 -g -ffreestanding -fno-pic -fno-common \
	-ffunction-sections -fdata-sections -fno-jump-tables -fno-stack-protector \
	-fno-asynchronous-unwind-tables -fno-strict-aliasing $(WARN) -I. -Iinclude -I$(CACHE)/libfdt \
	-isystem $(PICOLIBC)/include -D_POSIX_C_SOURCE=200809L -MMD -MP
CFLAGS := $(ARCH) $(CODE)
# Of the library only what include/caldarium/ marks is for others (mk/lib.mk).
LIB_CODE := -fvisibility=hidden

SRCS := $(wildcard riscv/*.c lib/*/*.c lib/*/*/*.c appliance/*.c appliance/*/*.c drivers/*/*.c host/bare/*.c host/efi/*.c)
ASMS := $(wildcard lib/machine/*.S lib/engine/*/*.S host/bare/*.S host/efi/*.S)
# lib/ comes as one object (mk/lib.mk); riscv/ is its host's as well.
LIB_TYPE1 := $(OBJ)/lib-type1.o
FDT := fdt fdt_ro fdt_rw fdt_sw fdt_wip fdt_addresses fdt_check fdt_empty_tree fdt_strerror
OBJS := $(patsubst %.c,$(OBJ)/%.o,$(SRCS)) $(patsubst %.S,$(OBJ)/%.o,$(ASMS)) \
	$(patsubst %,$(OBJ)/libfdt/%.o,$(FDT))

# Objects are made anew when what makes them has changed: this file does then.
FLAGS := $(OBJ)/flags
FLAGS_NOW := $(CC) $(CFLAGS) $(LIB_CODE) $(SMALL)
$(FLAGS): FORCE
	@mkdir -p $(@D)
	@echo '$(FLAGS_NOW)' | cmp -s - $@ || echo '$(FLAGS_NOW)' >$@
$(OBJS): $(FLAGS)

PYTHON := /usr/bin/python3
QEMU ?= qemu-system-riscv64
QEMU_ARGS ?= -smp 4 -m 2G
# The console is the terminal itself: QEMU's -nographic would keep Ctrl-A to itself.
RUN = $(QEMU) -M virt $(QEMU_ARGS) -display none -monitor none -serial stdio \
	-kernel $(BUILD)/caldarium.bin

FORCE:
.PHONY: FORCE all help demo run test unit-all clang format clean setup-build setup-run setup-test
all: setup-build ## build/caldarium.elf and .bin with gcc (CROSS_COMPILE= another; TOOLCHAIN=clang)
	@$(MAKE) --no-print-directory $(BUILD)/caldarium.bin

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | \
		awk -F ':.*## ' '{ printf "  make %-8s %s\n", $$1, $$2 }'

setup-build:
	@tools/setup.sh build
setup-run:
	@tools/setup.sh build run guest
setup-test:
	@tools/setup.sh build run guest firmware test kvm

demo: setup-run ## two Linux VMs of two vCPUs each, on one network and one terminal
	@$(MAKE) --no-print-directory $(BUILD)/caldarium.bin $(BUILD)/configs/two-linux.dtb
	@printf '\n  Ctrl-A 1  VM web      Ctrl-A 2  VM db      Ctrl-A m  monitor     Ctrl-A ?  help\n'
	@printf '  The end: `poweroff -f` in both VMs, or Ctrl-A m and `poweroff`.\n\n'
	@tools/terminal $(RUN) -initrd $(BUILD)/configs/two-linux.dtb -append when-done=poweroff

run: setup-run ## your own: make run BUNDLE=x.dts QEMU_ARGS="-smp 4 -m 2G" APPEND=...
	@test -n "$(BUNDLE)" || { echo "make run: BUNDLE=x.dts or x.dtb is expected"; exit 2; }
	@$(MAKE) --no-print-directory $(BUILD)/caldarium.bin $(BUNDLE_DTB)
	@tools/terminal $(RUN) -initrd $(BUNDLE_DTB) -append "$(APPEND)"

test: setup-test ## everything: both compilers, lint, the library, unit tests, system tests in QEMU
	@$(MAKE) --no-print-directory $(BUILD)/caldarium.bin clang guests configs
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory lib lib-test
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory fuzz SEED=1
	@$(MAKE) --no-print-directory system

clang:
	@$(MAKE) --no-print-directory TOOLCHAIN=clang $(BUILD)/obj-clang/caldarium.elf

format: ## lays the sources out with clang-format
	@clang-format -i $$(git ls-files '*.c' '*.h')

clean: ## removes build/; the cache of downloads stays
	@rm -rf $(BUILD)

$(BUILD)/caldarium.bin: $(OBJ)/caldarium.elf
	@cp $< $(BUILD)/caldarium.elf
	@$(CROSS_COMPILE)objcopy -O binary $< $@
	@$(CROSS_COMPILE)size $<

# Objects to an image that keeps its relocations (-q).
LINK = $(CROSS_COMPILE)gcc -march=rv64imac_zicsr_zifencei -mabi=lp64 -nostdlib -static -no-pie \
	-Wl,--gc-sections -Wl,--build-id=none -Wl,--fatal-warnings -Wl,-q \
	-Wl,--no-warn-rwx-segments -Wl,--defsym=text_kib=$(TEXT_KIB) -Wl,--defsym=vfprintf=__i_vfprintf -T host/bare/link.lds \
	$(filter-out $(OBJ)/lib/%,$(OBJS)) $(LIB_TYPE1) $(PICOLIBC)/lib/rv64imac/lp64/libc.a \
	$$($(CROSS_COMPILE)gcc -march=rv64imac -mabi=lp64 -print-libgcc-file-name)
# Where its pointers are, for early_tables() (host/bare/paging.c): bytes from its start.
POINTERS = $(CROSS_COMPILE)readelf -rW $(1) | awk 'BEGIN { print ".section .relocations, \"a\"" } \
	/^Relocation section/ { ours = $$3 ~ /\.rela\.(rodata|data)/ } \
	ours && $$3 == "R_RISCV_64" { print ".4byte 0x" substr($$1, 9) " - 0x80000000" }' >$(2)

# The table lies behind all that it names, so the second image has it where the first had it: looked at.
$(OBJ)/caldarium.elf: $(OBJS) $(LIB_TYPE1) host/bare/link.lds
	@echo "  LD    $@"
	@$(LINK) -o $(OBJ)/first.elf
	@$(call POINTERS,$(OBJ)/first.elf,$(OBJ)/pointers.s)
	@$(CROSS_COMPILE)gcc -march=rv64imac_zicsr_zifencei -mabi=lp64 -c -o $(OBJ)/pointers.o $(OBJ)/pointers.s
	@$(LINK) $(OBJ)/pointers.o -o $(OBJ)/second.elf
	@$(call POINTERS,$(OBJ)/second.elf,$(OBJ)/pointers-again.s)
	@cmp $(OBJ)/pointers.s $(OBJ)/pointers-again.s
	@mv $(OBJ)/second.elf $@

$(OBJ)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(CFLAGS) -c -o $@ $<

$(OBJ)/lib/%.o $(OBJ)/riscv/%.o: CFLAGS += $(LIB_CODE)

# Slower than it need be is fine for what runs once; it makes room in the text budget.
$(OBJ)/appliance/%.o $(OBJ)/host/bare/%.o $(OBJ)/host/efi/%.o $(OBJ)/drivers/%.o: CFLAGS += $(SMALL)
$(addprefix $(OBJ)/lib/,common/line.o vcpu/report.o vcpu/trace.o vm/vm.o vm/create.o vm/memory.o dev/uart.o sbi/hsm.o \
	sbi/pmu.o sbi/legacy.o sbi/susp.o sbi/sta.o sbi/dbcn.o sbi/srst.o machine/machine.o machine/probe.o machine/cbo.o \
	engine/h/hart.o \
	engine/h/gstage.o engine/shadow/trampoline.o engine/shadow/root.o \
	vcpu/state.o vm/state.o vm/item_name.o irq/plic_items.o irq/aplic_items.o dev/ns16550a_items.o \
	engine/common/items.o engine/h/items.o engine/shadow/items.o \
	engine/common/memory.o engine/h/memory.o engine/shadow/forget.o): CFLAGS += $(SMALL)
$(OBJ)/riscv/isa.o: CFLAGS += $(SMALL)

# These run at each switch from one vCPU to another, or for each byte on the console.
$(addprefix $(OBJ)/host/bare/,runqueue.o sched.o console_ring.o console_line.o): CFLAGS := $(filter-out $(SMALL),$(CFLAGS))

$(OBJ)/%.o: %.S
	@mkdir -p $(@D)
	@echo "  AS    $<"
	@$(CC) $(ARCH) -mcmodel=medany -I. -Iinclude -MMD -MP -D__ASSEMBLER__ -c -o $@ $<

$(OBJ)/libfdt/%.o: $(CACHE)/libfdt/%.c
	@mkdir -p $(@D)
	@echo "  CC    libfdt/$*.c"
	@$(CC) $(filter-out $(WARN),$(CFLAGS)) $(SMALL) -w -c -o $@ $<

-include $(OBJS:.o=.d)
include $(sort $(wildcard mk/*.mk))
