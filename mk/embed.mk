# SPDX-License-Identifier: BSD-2-Clause
# `make embed`: build/embed.bin, the example of a host that embeds the library (docs/embedding.md).

EMBED_OBJS := $(patsubst %,$(OBJ)/%.o,$(basename $(wildcard examples/embed/*.c examples/embed/*.S))) \
	$(patsubst %,$(OBJ)/libfdt/%.o,$(FDT))

.PHONY: embed
embed: setup-build ## build/embed.bin: a small unikernel that embeds the library
	@$(MAKE) --no-print-directory $(BUILD)/embed.bin

$(BUILD)/embed.bin: $(OBJ)/embed.elf
	@$(CROSS_COMPILE)objcopy -O binary $< $@

$(OBJ)/embed.elf: $(EMBED_OBJS) $(BUILD)/libcaldarium.a examples/embed/link.lds
	@echo "  LD    $@"
	@$(CROSS_COMPILE)gcc -march=rv64imac_zicsr_zifencei -mabi=lp64 -nostdlib -static -no-pie \
		-Wl,--gc-sections -Wl,--build-id=none -Wl,--fatal-warnings -Wl,--no-warn-rwx-segments \
		-Wl,--defsym=vfprintf=__i_vfprintf -T examples/embed/link.lds \
		-o $@ $(EMBED_OBJS) $(BUILD)/libcaldarium.a $(PICOLIBC)/lib/rv64imac/lp64/libc.a \
		$$($(CROSS_COMPILE)gcc -march=rv64imac -mabi=lp64 -print-libgcc-file-name)

-include $(EMBED_OBJS:.o=.d)
