# SPDX-License-Identifier: BSD-2-Clause
# `make lib`: libcaldarium for others. One object in each archive, with the names of include/caldarium/*.h alone:
#   build/libcaldarium.a         lp64, no floating point: what the Type-1 itself is built with
#   build/lp64d/libcaldarium.a   rv64gc, lp64d: for hosts with that ABI (a linker refuses to mix them)
#   build/lib-clang/libcaldarium.a   the first one by clang, for its names to be checked as well
#
# What the library needs of libgcc goes in too, under no name; what it needs of its host stays undefined.

LIB_CROSS := riscv64-unknown-elf-
LIB_SRCS := $(wildcard lib/*/*.c lib/*/*/*.c riscv/*.c)
LIB_ASMS := $(wildcard lib/*/*.S lib/*/*/*.S)
LIB_OBJS := $(patsubst %.c,%.o,$(LIB_SRCS)) $(patsubst %.S,%.o,$(LIB_ASMS))
LIB_SOFT := -march=rv64imac -mabi=lp64
LIB_HARD := -march=rv64gc -mabi=lp64d
LIB_D := $(BUILD)/lp64d
LIB_D_CC := $(LIB_CROSS)gcc -march=rv64gc_zicsr_zifencei -mabi=lp64d
LIBS := $(BUILD)/libcaldarium.a $(LIB_D)/libcaldarium.a
LIB_CLANG := $(BUILD)/lib-clang/libcaldarium.a

.PHONY: lib lib-clang lib-names lib-test lib-headers lib-hosts lib-rust
lib: $(LIBS) lib-clang lib-names ## build/libcaldarium.a and build/lp64d/libcaldarium.a, for a host of your own

lib-clang:
	@$(MAKE) --no-print-directory TOOLCHAIN=clang $(LIB_CLANG)

# What each archive shows, what it asks for, and what of it could be written to.
lib-names: $(LIBS) lib-clang
	@$(PYTHON) tests/lib/names.py $(LIBS) $(LIB_CLANG)

lib-test: lib-headers lib-hosts lib-rust

# Hosts in C++ that have neither a C library nor libgcc, one for each float ABI.
LIB_CXX := -std=c++17 -O1 -ffreestanding -fno-exceptions -fno-rtti -fno-threadsafe-statics -fno-builtin \
	-mcmodel=medany -nostdlib -static -Wall -Wextra -Wpedantic -Werror -Iinclude -Wl,--gc-sections -Wl,--fatal-warnings \
	-Wl,--no-warn-rwx-segments
lib-hosts: $(LIBS)
	@$(LIB_CROSS)g++ $(LIB_SOFT) $(LIB_CXX) -o $(BUILD)/host-lp64.elf tests/lib/host.cpp $(BUILD)/libcaldarium.a
	@$(LIB_CROSS)g++ $(LIB_HARD) $(LIB_CXX) -o $(LIB_D)/host-lp64d.elf tests/lib/host.cpp $(LIB_D)/libcaldarium.a
	@echo "lib: a host in C++ links with either archive"

# Each public header by itself, as C and as C++, by both compilers.
LIB_STRICT := -Wall -Wextra -Wpedantic -Werror -Iinclude -fsyntax-only -ffreestanding
lib-headers:
	@for header in $(sort $(wildcard include/caldarium/*.h)); do \
		for cc in "$(LIB_CROSS)gcc" "clang --target=riscv64-unknown-elf -march=rv64imac" gcc; do \
			echo "#include <caldarium/$${header##*/}>" | $$cc -x c -std=c17 $(LIB_STRICT) - || exit 1; \
			echo "#include <caldarium/$${header##*/}>" | $$cc -x c++ -std=c++17 $(LIB_STRICT) - || exit 1; \
		done; done
	@echo "lib: $(words $(wildcard include/caldarium/*.h)) headers stand alone as C17 and C++17"

# What is gone from the sources goes from the archives: this file changes when their list does.
LIB_LIST := $(OBJ)/lib-list
$(LIB_LIST): FORCE
	@mkdir -p $(@D)
	@echo '$(LIB_OBJS)' | cmp -s - $@ || echo '$(LIB_OBJS)' >$@

# Functions and data keep sections of their own, so that a host's --gc-sections works inside the one object.
LIB_ONE = $(LIB_CROSS)ld -r --unique -o $@ $(filter %.o,$^) $$($(LIB_CROSS)gcc $(1) -print-libgcc-file-name)
LIB_OWN := --localize-hidden -w --keep-global-symbol='cald_*'

$(OBJ)/lib.o: $(addprefix $(OBJ)/,$(LIB_OBJS)) $(LIB_LIST)
	@$(call LIB_ONE,$(LIB_SOFT))
$(LIB_D)/obj/lib.o: $(addprefix $(LIB_D)/obj/,$(LIB_OBJS)) $(LIB_LIST)
	@$(call LIB_ONE,$(LIB_HARD))

define LIB_ARCHIVE
@mkdir -p $(@D)
@echo "  LIB   $@"
@$(LIB_CROSS)objcopy $(LIB_OWN) $< $(@D)/caldarium.o
@rm -f $@
@$(LIB_CROSS)ar rcs $@ $(@D)/caldarium.o
endef
$(if $(filter clang,$(TOOLCHAIN)),$(LIB_CLANG),$(BUILD)/libcaldarium.a): $(OBJ)/lib.o
	$(LIB_ARCHIVE)
$(LIB_D)/libcaldarium.a: $(LIB_D)/obj/lib.o
	$(LIB_ARCHIVE)

# The Type-1 links with the same object, and sees no other names of it either.
$(LIB_TYPE1): $(OBJ)/lib.o mk/lib.mk
	@$(LIB_CROSS)objcopy $(LIB_OWN) $< $@

$(addprefix $(LIB_D)/obj/,$(LIB_OBJS)): $(FLAGS)

$(LIB_D)/obj/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC    $< (lp64d)"
	@$(LIB_D_CC) $(CODE) $(LIB_CODE) -c -o $@ $<

$(LIB_D)/obj/%.o: %.S
	@mkdir -p $(@D)
	@echo "  AS    $< (lp64d)"
	@$(LIB_D_CC) -mcmodel=medany -I. -Iinclude -MMD -MP -D__ASSEMBLER__ -c -o $@ $<

-include $(patsubst %.o,$(LIB_D)/obj/%.d,$(LIB_OBJS))

# A host in Rust on the build machine, where a rustc is at hand.
RUSTC ?= rustc
RUST_DIR := $(BUILD)/unit/rust
lib-rust: $(BUILD)/unit/libunit.a
	@mkdir -p $(RUST_DIR)
	@if ! command -v $(RUSTC) >/dev/null; then echo "lib: no rustc here: the host in Rust is left out"; exit 0; fi; \
	$(RUSTC) --edition 2018 --crate-type staticlib -C panic=abort -O -D warnings -o $(RUST_DIR)/libhost.a \
		tests/lib/host.rs && \
	$(UNIT_CC) $(UNIT_CFLAGS) -MF $(RUST_DIR)/host.d -pthread -Wl,--gc-sections -o $(RUST_DIR)/host tests/lib/host_rs.c \
		$(RUST_DIR)/libhost.a $(UNIT_LIB) -lcmocka && \
	$(RUST_DIR)/host >$(RUST_DIR)/log 2>&1 || { cat $(RUST_DIR)/log; exit 1; } && \
	echo "lib: a host in Rust runs a guest"
