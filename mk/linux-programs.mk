# SPDX-License-Identifier: BSD-2-Clause
# Our own Linux programs for the system tests, and an initramfs that has them in /bin.

LINUX_CC ?= riscv64-linux-gnu-gcc
LINUX_PROGRAMS := $(patsubst guests/linux/%.c,%,$(wildcard guests/linux/*.c))
LINUX_PROGRAM_FILES := $(LINUX_PROGRAMS:%=$(BUILD)/guests/linux/%)

$(LINUX_PROGRAM_FILES): $(BUILD)/guests/linux/%: guests/linux/%.c
	@mkdir -p $(@D)
	@echo "  LINUX $@"
	@$(LINUX_CC) -std=gnu17 -O2 -Wall -Wextra -Werror -static -pthread -o $@ $<

# Drivers that the distribution's kernel has as modules, in the order in which they load.
LINUX_MODULES := virtio_mmio virtio_blk virtio-rng failover net_failover virtio_net \
	nvme-keyring nvme-auth nvme-core nvme
LINUX_MODULE_FILES := $(LINUX_MODULES:%=$(BUILD)/guests/linux/modules/%.ko)
LINUX_NETWORK_MODULES := virtio_mmio failover net_failover virtio_net
# The kernel's tests of itself, for test_own_code.py alone: they are large.
LINUX_TEST_MODULES := test_static_key_base test_static_keys test_bpf
LINUX_TEST_MODULE_FILES := $(LINUX_TEST_MODULES:%=$(BUILD)/guests/linux/modules/%.ko)

$(LINUX_MODULE_FILES) $(LINUX_TEST_MODULE_FILES): $(BUILD)/guests/linux/modules/%.ko: $(CACHE)/guest/Image
	@mkdir -p $(@D)
	@echo "  MODULE $@"
	@python3 -c 'import lzma, sys; sys.stdout.buffer.write(lzma.open(sys.argv[1]).read())' \
		$$(find $(CACHE)/guest/modules -name $*.ko.xz) >$@.tmp
	@mv $@.tmp $@

$(BUILD)/guests/linux/test-initramfs.cpio.gz: tools/mkinitramfs tools/initramfs/init \
		$(CACHE)/guest/busybox $(LINUX_PROGRAM_FILES) $(LINUX_MODULE_FILES)
	@tools/mkinitramfs --busybox $(CACHE)/guest/busybox --init tools/initramfs/init --output $@ \
		$(foreach name,$(LINUX_PROGRAMS),--add $(BUILD)/guests/linux/$(name)=/bin/$(name)) \
		$(foreach name,$(LINUX_MODULES),--add $(BUILD)/guests/linux/modules/$(name).ko=/lib/modules/$(name).ko)

# For VMs on a network, which wants these drivers.
$(BUILD)/guests/linux/network-initramfs.cpio.gz: tools/mkinitramfs tools/initramfs/init $(CACHE)/guest/busybox \
		$(LINUX_NETWORK_MODULES:%=$(BUILD)/guests/linux/modules/%.ko)
	@tools/mkinitramfs --busybox $(CACHE)/guest/busybox --init tools/initramfs/init --output $@ \
		$(foreach name,$(LINUX_NETWORK_MODULES),--add $(BUILD)/guests/linux/modules/$(name).ko=/lib/modules/$(name).ko)

.PHONY: linux-programs
linux-programs: $(BUILD)/guests/linux/test-initramfs.cpio.gz $(LINUX_TEST_MODULE_FILES)
