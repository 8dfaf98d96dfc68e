# SPDX-License-Identifier: BSD-2-Clause
# `make kvm`: build/caldarium.ko, KVM's interface for Linux on harts without H (docs/kvm.md), for Debian's riscv64
# kernel. KDIR= names another kernel's build tree; then CROSS_KERNEL= may name the prefix of its compiler.

KVM_D := $(BUILD)/kvm
KDIR ?=
KVM_KDIR = $(or $(KDIR),$(CACHE)/kvm/build)
CROSS_KERNEL ?= riscv64-linux-gnu-
# Function entries that ftrace patches need the kernel's own compiler, BTF its pahole: the module has neither.
KVM_KBUILD := CC_FLAGS_FTRACE= CONFIG_DEBUG_INFO_BTF_MODULES=
KVM_SRCS := $(wildcard host/linux/*.c host/linux/*.h host/linux/include/*.h host/linux/Kbuild include/caldarium/*.h)

.PHONY: kvm setup-kvm
setup-kvm:
	@tools/setup.sh build $(if $(KDIR),,guest kvm)

kvm: setup-kvm ## build/caldarium.ko: /dev/kvm for Linux where harts lack H (KDIR= another kernel than Debian's)
	@$(MAKE) --no-print-directory $(BUILD)/caldarium.ko

# The library once more, as modules need it: the kernel's loader relaxes nothing, and shows each section's name once.
KVM_FLAGS := -march=rv64imac_zicsr_zifencei -mabi=lp64 -mno-relax
KVM_OBJS := $(addprefix $(KVM_D)/obj/,$(LIB_OBJS))
$(KVM_OBJS): $(FLAGS)

$(KVM_D)/obj/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC    $< (module)"
	@$(LIB_CROSS)gcc $(KVM_FLAGS) $(CODE) $(LIB_CODE) -c -o $@ $<

$(KVM_D)/obj/%.o: %.S
	@mkdir -p $(@D)
	@echo "  AS    $< (module)"
	@$(LIB_CROSS)gcc $(KVM_FLAGS) -mcmodel=medany -I. -Iinclude -MMD -MP -D__ASSEMBLER__ -c -o $@ $<

-include $(KVM_OBJS:.o=.d)

# Kbuild writes beside its sources, so it gets a copy of them. An object of Linux's is named caldarium.o itself.
$(KVM_D)/module/lib.o: $(KVM_OBJS) host/linux/lib.lds mk/linux-module.mk
	@mkdir -p $(@D)
	@$(LIB_CROSS)ld -r -T host/linux/lib.lds -o $(KVM_D)/lib.o $(KVM_OBJS)
	@$(LIB_CROSS)objcopy --strip-debug $(LIB_OWN) $(KVM_D)/lib.o $@
	@: >$(@D)/.lib.o.cmd

$(BUILD)/caldarium.ko: $(KVM_SRCS) $(KVM_D)/module/lib.o
	@echo "  KO    $@"
	@cp -r host/linux/*.c host/linux/*.h host/linux/Kbuild host/linux/include $(KVM_D)/module/
	@mkdir -p $(KVM_D)/module/public
	@cp -r include/caldarium $(KVM_D)/module/public/
	@$(MAKE) -s -C $(KVM_KDIR) M=$(abspath $(KVM_D)/module) ARCH=riscv CROSS_COMPILE=$(CROSS_KERNEL) $(KVM_KBUILD) \
		modules >$(KVM_D)/log 2>&1 || { cat $(KVM_D)/log; exit 1; }
	@$(LIB_CROSS)strip --strip-debug -o $@ $(KVM_D)/module/caldarium.ko

# What the tests are VMMs with: ioctls alone.
KVM_PROGRAMS := $(patsubst tests/kvm/%.c,$(BUILD)/kvm/%,$(wildcard tests/kvm/*.c))
$(KVM_PROGRAMS): $(BUILD)/kvm/%: tests/kvm/%.c
	@mkdir -p $(@D)
	@echo "  LINUX $@"
	@$(LINUX_CC) -std=gnu17 -O2 -Wall -Wextra -Werror -static -pthread -o $@ $<
