# SPDX-License-Identifier: BSD-2-Clause
# `make kvm-demo`: Debian's kernel on harts without H, as the host: caldarium.ko, and Debian's QEMU on it.

KVM_DEMO_CACHE := $(CACHE)/kvm-demo
KVM_DEMO_INITRAMFS := $(BUILD)/kvm/demo-initramfs.cpio
KVM_DEMO_ARGS ?= -smp 2 -m 1G
# In the host: GUEST_ARGS are further arguments of the QEMU in it.
GUEST_ARGS ?=
KVM_DEMO_RUN = $(shell echo 'kvm-guest $(GUEST_ARGS)' | base64 -w 0)

.PHONY: setup-kvm-demo kvm-demo kvm-demo-images
setup-kvm-demo: setup-kvm
	@tools/setup.sh run kvm-demo

kvm-demo: setup-kvm-demo ## a Linux guest in QEMU -accel kvm, inside a Linux without H
	@$(MAKE) --no-print-directory kvm-demo-images
	@printf '\n  The host boots, then the guest in it: a minute. The end: `poweroff -f` in the guest.\n\n'
	@tools/terminal $(QEMU) -M virt -cpu rv64,h=off $(KVM_DEMO_ARGS) -display none -monitor none -serial stdio \
		-kernel $(LINUX_GUEST)/Image -initrd $(KVM_DEMO_INITRAMFS) \
		-append "console=ttyS0 quiet vm=host run64=$(KVM_DEMO_RUN)"

# The tests start the same.
setup-test: setup-kvm-demo
system: kvm-demo-images

kvm-demo-images: $(LINUX_GUEST)/Image $(KVM_DEMO_INITRAMFS)

$(KVM_DEMO_CACHE)/VERSION:
	@tools/setup.sh kvm-demo

# Debian's programs find their loader in /lib, and their libraries in the first folder below.
$(KVM_DEMO_INITRAMFS): tools/mkinitramfs tools/initramfs/init tools/initramfs/kvm-guest $(BUILD)/caldarium.ko \
		$(LINUX_GUEST)/Image $(LINUX_GUEST)/initramfs.cpio.gz $(BUILD)/guests/life.bin $(KVM_DEMO_CACHE)/VERSION
	@echo "  CPIO  $@"
	@tools/mkinitramfs --plain --busybox $(CACHE)/guest/busybox --init tools/initramfs/init --output $@ \
		--add tools/initramfs/kvm-guest=/bin/kvm-guest --add $(BUILD)/caldarium.ko=/lib/caldarium.ko \
		--add $(KVM_DEMO_CACHE)/qemu-system-riscv64=/bin/qemu-system-riscv64 \
		--add $(KVM_DEMO_CACHE)/lib=/lib/riscv64-linux-gnu \
		--add $(KVM_DEMO_CACHE)/lib/ld-linux-riscv64-lp64d.so.1=/lib/ld-linux-riscv64-lp64d.so.1 \
		--add $(LINUX_GUEST)/Image=/lib/guest/Image \
		--add $(BUILD)/guests/life.bin=/lib/guest/life \
		--add $(LINUX_GUEST)/initramfs.cpio.gz=/lib/guest/initramfs.cpio.gz
