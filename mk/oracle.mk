# SPDX-License-Identifier: BSD-2-Clause
# `make oracle`: build/caldarium-oracle.bin, the ordinary image's objects and host/oracle's, which the linker leads
# these calls through (docs/testing.md).

ORACLE_CALLS := host_pages_alloc host_pages_claim host_pages_free vms_define vms_autostart vm_create vm_destroy \
	cald_vm_slot watchdog_check machine_poweroff
ORACLE_OBJS := $(patsubst %.c,$(OBJ)/%.o,$(wildcard host/oracle/*.c))
ORACLE_LINK = $(LINK) $(ORACLE_OBJS) $(ORACLE_CALLS:%=-Wl,--wrap=%) -Wl,--defsym=text_kib=240

.PHONY: oracle
oracle: setup-build ## build/caldarium-oracle.bin: an image that checks who owns each page
	@$(MAKE) --no-print-directory $(BUILD)/caldarium-oracle.bin

$(BUILD)/caldarium-oracle.bin: $(OBJ)/caldarium-oracle.elf
	@$(CROSS_COMPILE)objcopy -O binary $< $@

$(ORACLE_OBJS): $(FLAGS)
$(OBJ)/caldarium-oracle.elf: $(ORACLE_OBJS) $(OBJ)/caldarium.elf
	@echo "  LD    $@"
	@$(ORACLE_LINK) -o $(OBJ)/oracle-first.elf
	@$(call POINTERS,$(OBJ)/oracle-first.elf,$(OBJ)/oracle-pointers.s)
	@$(CROSS_COMPILE)gcc -march=rv64imac_zicsr_zifencei -mabi=lp64 -c -o $(OBJ)/oracle-pointers.o $(OBJ)/oracle-pointers.s
	@$(ORACLE_LINK) $(OBJ)/oracle-pointers.o -o $@

-include $(ORACLE_OBJS:.o=.d)
