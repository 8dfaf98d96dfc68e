# SPDX-License-Identifier: BSD-2-Clause
# `make kvm`: build/caldarium.ko, KVM's interface for Linux on harts without H (docs/kvm.md), for Debian's riscv64
# kernel. KDIR= names another kernel's build tree; then CROSS_KERNEL= may name the prefix of its compiler, which
# compiles the library for it as well.

KVM_D := $(BUILD)/kvm
KDIR ?=
KVM_KDIR = $(or $(KDIR),$(CACHE)/kvm/build)
CROSS_KERNEL ?= $(if $(filter riscv64,$(shell uname -m)),,riscv64-linux-gnu-)
# Function entries that ftrace patches need the kernel's own compiler, BTF its pahole: the module has neither.
KVM_KBUILD := CC_FLAGS_FTRACE= CONFIG_DEBUG_INFO_BTF_MODULES=
KVM_SRCS := $(wildcard host/linux/*.c host/linux/*.h host/linux/include/*.h host/linux/Kbuild include/caldarium/*.h)

.PHONY: kvm kvm-module kvm-dkms setup-kvm
setup-kvm:
	@tools/setup.sh build $(if $(KDIR),,guest kvm)

kvm: setup-kvm ## build/caldarium.ko: /dev/kvm for Linux where harts lack H (KDIR= another kernel than Debian's)
	@$(MAKE) --no-print-directory kvm-module

kvm-module: $(BUILD)/caldarium.ko # without set-up

# The library once more, as modules need it: the kernel's loader relaxes nothing, and shows each section's name once.
# Linux's compilers come without a C library for this ABI: the three functions' header is ours.
KVM_FLAGS := -march=rv64imac_zicsr_zifencei -mabi=lp64 -mno-relax
KVM_CODE = $(filter-out -isystem $(PICOLIBC)/include -I$(CACHE)/libfdt,$(CODE)) -isystem host/linux/libc
KVM_OBJS := $(addprefix $(KVM_D)/obj/,$(LIB_OBJS))

# Another kernel or compiler: all anew.
KVM_WITH := $(KVM_D)/with
KVM_WITH_NOW = $(CROSS_KERNEL)gcc $(KVM_KDIR) $(KVM_FLAGS) $(KVM_CODE) $(LIB_CODE)
$(KVM_WITH): FORCE
	@mkdir -p $(@D)
	@echo '$(KVM_WITH_NOW)' | cmp -s - $@ || { rm -rf $(KVM_D)/obj $(KVM_D)/module; echo '$(KVM_WITH_NOW)' >$@; }
$(KVM_OBJS) $(BUILD)/caldarium.ko: $(KVM_WITH)

$(KVM_D)/obj/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC    $< (module)"
	@$(CROSS_KERNEL)gcc $(KVM_FLAGS) $(KVM_CODE) $(LIB_CODE) -c -o $@ $<

$(KVM_D)/obj/%.o: %.S
	@mkdir -p $(@D)
	@echo "  AS    $< (module)"
	@$(CROSS_KERNEL)gcc $(KVM_FLAGS) -mcmodel=medany -I. -Iinclude -MMD -MP -D__ASSEMBLER__ -c -o $@ $<

-include $(KVM_OBJS:.o=.d)

# Kbuild writes beside its sources, so it gets a copy of them. An object of Linux's is named caldarium.o itself.
$(KVM_D)/module/lib.o: $(KVM_OBJS) host/linux/lib.lds mk/linux-module.mk
	@mkdir -p $(@D)
	@$(CROSS_KERNEL)ld -r -T host/linux/lib.lds -o $(KVM_D)/lib.o $(KVM_OBJS)
	@$(CROSS_KERNEL)objcopy --strip-debug $(LIB_OWN) $(KVM_D)/lib.o $@
	@: >$(@D)/.lib.o.cmd

$(BUILD)/caldarium.ko: $(KVM_SRCS) $(KVM_D)/module/lib.o
	@echo "  KO    $@"
	@cp -r host/linux/*.c host/linux/*.h host/linux/Kbuild host/linux/include $(KVM_D)/module/
	@mkdir -p $(KVM_D)/module/public
	@cp -r include/caldarium $(KVM_D)/module/public/
	@$(MAKE) -s -C $(KVM_KDIR) M=$(abspath $(KVM_D)/module) ARCH=riscv CROSS_COMPILE=$(CROSS_KERNEL) $(KVM_KBUILD) \
		modules >$(KVM_D)/log 2>&1 || { cat $(KVM_D)/log; exit 1; }
	@$(CROSS_KERNEL)strip --strip-debug -o $@ $(KVM_D)/module/caldarium.ko

# The module's sources alone, for DKMS: unpacked in /usr/src of the machine that has the kernel.
KVM_VERSION := $(shell sed -n 's/.*VERSION "\(.*\)"/\1/p' host/bare/version.h 2>/dev/null)
KVM_DKMS := caldarium-$(KVM_VERSION)
KVM_DKMS_FILES := Makefile LICENSE mk/lib.mk mk/linux-module.mk host/host.h host/linux include lib riscv

kvm-dkms: $(BUILD)/$(KVM_DKMS).tar.xz ## the module's sources for DKMS, in build/
$(BUILD)/$(KVM_DKMS).tar.xz: $(KVM_SRCS) $(LIB_SRCS) $(LIB_ASMS) host/linux/dkms.conf host/linux/Makefile
	@rm -rf $(KVM_D)/dkms && mkdir -p $(KVM_D)/dkms/$(KVM_DKMS)
	@cp -r --parents $(KVM_DKMS_FILES) $(KVM_D)/dkms/$(KVM_DKMS)/
	@sed 's/@VERSION@/$(KVM_VERSION)/' host/linux/dkms.conf >$(KVM_D)/dkms/$(KVM_DKMS)/dkms.conf
	@tar -C $(KVM_D)/dkms -cJf $@ --owner=0 --group=0 --sort=name --mtime=@$${SOURCE_DATE_EPOCH:-0} $(KVM_DKMS)
	@echo "  DKMS  $@"

# What the tests are VMMs with: ioctls alone.
KVM_PROGRAMS := $(patsubst tests/kvm/%.c,$(BUILD)/kvm/%,$(wildcard tests/kvm/*.c))
$(KVM_PROGRAMS): $(BUILD)/kvm/%: tests/kvm/%.c tests/kvm/vmm.h
	@mkdir -p $(@D)
	@echo "  LINUX $@"
	@$(LINUX_CC) -std=gnu17 -O2 -Wall -Wextra -Werror -static -pthread -o $@ $<
