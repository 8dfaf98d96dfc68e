# SPDX-License-Identifier: BSD-2-Clause
# For driver VMs: the daemon tools/caldarium-vhost, and an initramfs with it, Debian's qemu-storage-daemon and the
# drivers that both need.

STORAGE_CACHE := $(CACHE)/storage
VHOST := $(BUILD)/guests/linux/caldarium-vhost
STORAGE_INITRAMFS := $(BUILD)/guests/linux/storage-initramfs.cpio
STORAGE_MODULES := virtio_mmio virtio_blk

$(VHOST): $(wildcard tools/caldarium-vhost/*.c tools/caldarium-vhost/*.h)
	@mkdir -p $(@D)
	@echo "  LINUX $@"
	@$(LINUX_CC) -std=gnu17 -O2 -Wall -Wextra -Werror -static -pthread -o $@ $(filter %.c,$^)

.PHONY: setup-storage storage-images
setup-storage: setup-build
	@tools/setup.sh storage

setup-test: setup-storage
system: storage-images
storage-images: $(STORAGE_INITRAMFS)

$(STORAGE_CACHE)/VERSION:
	@tools/setup.sh storage

# Debian's programs find their loader in /lib, and their libraries in the first folder below.
$(STORAGE_INITRAMFS): tools/mkinitramfs tools/initramfs/init $(VHOST) $(STORAGE_CACHE)/VERSION $(CACHE)/guest/busybox \
		$(STORAGE_MODULES:%=$(BUILD)/guests/linux/modules/%.ko)
	@echo "  CPIO  $@"
	@tools/mkinitramfs --plain --busybox $(CACHE)/guest/busybox --init tools/initramfs/init --output $@ \
		--add $(VHOST)=/bin/caldarium-vhost --add $(STORAGE_CACHE)/qemu-img=/bin/qemu-img \
		--add $(STORAGE_CACHE)/qemu-storage-daemon=/bin/qemu-storage-daemon \
		--add $(STORAGE_CACHE)/lib=/lib/riscv64-linux-gnu \
		--add $(STORAGE_CACHE)/lib/ld-linux-riscv64-lp64d.so.1=/lib/ld-linux-riscv64-lp64d.so.1 \
		$(foreach name,$(STORAGE_MODULES),--add $(BUILD)/guests/linux/modules/$(name).ko=/lib/modules/$(name).ko)
