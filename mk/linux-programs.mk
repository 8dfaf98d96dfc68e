# SPDX-License-Identifier: BSD-2-Clause
# Our own Linux programs for the system tests, and an initramfs that has them in /bin.

LINUX_CC ?= riscv64-linux-gnu-gcc
LINUX_PROGRAMS := $(patsubst guests/linux/%.c,%,$(wildcard guests/linux/*.c))
LINUX_PROGRAM_FILES := $(LINUX_PROGRAMS:%=$(BUILD)/guests/linux/%)

$(LINUX_PROGRAM_FILES): $(BUILD)/guests/linux/%: guests/linux/%.c
	@mkdir -p $(@D)
	@echo "  LINUX $@"
	@$(LINUX_CC) -std=gnu17 -O2 -Wall -Wextra -Werror -static -pthread -o $@ $<

$(BUILD)/guests/linux/test-initramfs.cpio.gz: tools/mkinitramfs tools/initramfs/init \
		$(CACHE)/guest/busybox $(LINUX_PROGRAM_FILES)
	@tools/mkinitramfs --busybox $(CACHE)/guest/busybox --init tools/initramfs/init --output $@ \
		$(foreach name,$(LINUX_PROGRAMS),--add $(BUILD)/guests/linux/$(name)=/bin/$(name))

.PHONY: linux-programs
linux-programs: $(BUILD)/guests/linux/test-initramfs.cpio.gz
