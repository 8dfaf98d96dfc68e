# SPDX-License-Identifier: BSD-2-Clause
#
# The guests' images and the bundles made of them. The top Makefile defines
# BUILD, may add images of its own to GUEST_IMAGES, and includes this.
#
#   $(BUILD)/guests/linux/Image, .../initramfs.cpio.gz, .../network-initramfs.cpio.gz
#   $(BUILD)/configs/NAME.dtb   from configs/NAME.dts
#   $(BUNDLE_DTB)               from BUNDLE=x.dts (or .dtb), a user's own

CALDARIUM_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/caldarium
export CALDARIUM_CACHE

LINUX_GUEST := $(BUILD)/guests/linux
GUEST_IMAGES += $(LINUX_GUEST)/Image $(LINUX_GUEST)/initramfs.cpio.gz $(LINUX_GUEST)/network-initramfs.cpio.gz

# --- Linux -----------------------------------------------------------------

GUEST_CACHE := $(CALDARIUM_CACHE)/guest

$(GUEST_CACHE)/Image $(GUEST_CACHE)/busybox &:
	tools/setup.sh guest

$(LINUX_GUEST)/Image: $(GUEST_CACHE)/Image
	@mkdir -p $(@D)
	cp $< $@.tmp && mv $@.tmp $@

$(LINUX_GUEST)/initramfs.cpio.gz: tools/mkinitramfs tools/initramfs/init $(GUEST_CACHE)/busybox
	@mkdir -p $(@D)
	tools/mkinitramfs --busybox $(GUEST_CACHE)/busybox --init tools/initramfs/init --output $@

# --- Bundles ---------------------------------------------------------------

DTC ?= dtc

# Systems that are not ours: those that the user has got (docs/guests.md), then what set-up fetched.
GUESTS_GOT := $(or $(CALDARIUM_GUESTS),$(CALDARIUM_CACHE)/guests) $(CALDARIUM_CACHE)/firmware

# /incbin/ looks beside the .dts first, then among the guests.
BUNDLE_DTCFLAGS := -I dts -O dtb -i $(LINUX_GUEST) -i $(BUILD)/guests $(GUESTS_GOT:%=-i %)

OWN_GUESTS := $(patsubst guests/%/main.c,$(BUILD)/guests/%.bin,$(wildcard guests/*/main.c))

# $(call bundle_images,FILE.dts): those that make makes, of the images that it takes in.
bundle_images = $(foreach name,$(call bundle_files,$(1)),$(filter %/$(name),$(GUEST_IMAGES) $(OWN_GUESTS)))
bundle_files = $(shell awk -F '"' '/\/incbin\// { print $$2 }' $(1) 2>/dev/null)

# $(call bundle_rule,FILE.dts,FILE.dtb)
define bundle_rule
$(2): $(1) $(call bundle_images,$(1))
	@mkdir -p $$(@D)
	$$(DTC) $$(BUNDLE_DTCFLAGS) -d $$@.d -o $$@.tmp $$<
	@sed -i 's|^[^:]*:|$$@:|' $$@.d
	@mv $$@.tmp $$@
-include $(wildcard $(2).d)
endef

CONFIGS := $(patsubst configs/%.dts,%,$(wildcard configs/*.dts))
# Those whose images are all here: some are the user's to get.
GUESTS_HERE := $(notdir $(GUEST_IMAGES) $(OWN_GUESTS) $(wildcard $(GUESTS_GOT:%=%/*)))
CONFIGS_HERE := $(foreach name,$(CONFIGS),$(if $(filter-out $(GUESTS_HERE),$(call bundle_files,configs/$(name).dts)),,$(name)))
CONFIG_DTBS := $(CONFIGS_HERE:%=$(BUILD)/configs/%.dtb)
$(foreach name,$(CONFIGS),$(eval $(call bundle_rule,configs/$(name).dts,$(BUILD)/configs/$(name).dtb)))

ifneq ($(filter %.dts,$(BUNDLE)),)
BUNDLE_DTB := $(patsubst configs/%,$(BUILD)/configs/%,$(filter configs/%,$(BUNDLE:.dts=.dtb)))
ifeq ($(BUNDLE_DTB),)
BUNDLE_DTB := $(BUILD)/bundle/$(notdir $(BUNDLE:.dts=.dtb))
$(eval $(call bundle_rule,$(BUNDLE),$(BUNDLE_DTB)))
endif
else
BUNDLE_DTB := $(BUNDLE)
endif

.PHONY: guests configs
guests: $(GUEST_IMAGES)
configs: $(CONFIG_DTBS)
