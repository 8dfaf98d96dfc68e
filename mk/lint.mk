# SPDX-License-Identifier: BSD-2-Clause
# `make lint`: what no compiler asks of the sources; about a minute. Part of `make test`.

# clang-format's layout differs from release to release; the sources are laid out by this one.
FORMAT_RELEASE := 14
LINT_C := $(shell git ls-files '*.c' '*.h')
# host/linux is checked by the compiler with the flags and headers of the kernel.
TIDY_C := $(filter %.c,$(filter-out host/sim/% host/linux/%, \
	$(filter riscv/% lib/% appliance/% drivers/% host/% tests/fuzz/%,$(LINT_C))))
TIDY_FLAGS := --target=riscv64-unknown-elf -march=rv64imac -mabi=lp64 -std=gnu17 -O2 -ffreestanding -I. -Iinclude \
	-isystem $(CACHE)/libfdt -isystem $(PICOLIBC)/include -D_POSIX_C_SOURCE=200809L
# Tests are the build machine's programs.
TIDY_TEST_FLAGS := -std=gnu17 -Ihost/sim -I. -Iinclude -isystem $(CACHE)/libfdt

# cppcheck sees linker symbols as objects of their own, which can't be compared.
CPPCHECK := cppcheck --quiet --error-exitcode=1 --enable=warning,portability,performance --inline-suppr \
	--std=c11 --platform=unix64 -D__riscv -I. -Iinclude --suppress=comparePointers --suppress=subtractPointers \
	--suppress=internalAstError

.PHONY: lint lint-sources lint-layout lint-cppcheck lint-tidy lint-analyzer
lint: ## layout (clang-format), clang-tidy, cppcheck, gcc -fanalyzer, and tools/lint: arrows, paths, form
	@$(MAKE) --no-print-directory -k lint-sources lint-layout lint-cppcheck lint-tidy lint-analyzer
	@echo "lint: $(words $(LINT_C)) files passed"

lint-sources:
	@tools/lint

lint-layout:
	@if clang-format --version | grep -q 'version $(FORMAT_RELEASE)\.'; then \
		clang-format --dry-run -Werror $(LINT_C); \
	else echo "lint: the layout is clang-format $(FORMAT_RELEASE)'s, which is not here: left out"; fi

lint-cppcheck:
	@$(CPPCHECK) -j $(JOBS) -i host/linux riscv lib appliance drivers host tests/unit tests/fuzz

# Four files at a time; of what clang-tidy prints only findings are shown.
TIDY = printf '%s\n' $(1) | xargs -r -P $(JOBS) -n 4 sh -c \
	'clang-tidy --quiet "$$@" -- $(2) >$(BUILD)/tidy.$$$$ 2>&1 && rm $(BUILD)/tidy.$$$$ || \
	{ grep -v " warnings generated" $(BUILD)/tidy.$$$$; rm $(BUILD)/tidy.$$$$; exit 1; }' tidy
lint-tidy:
	@mkdir -p $(BUILD)
	@$(call TIDY,$(filter-out tests/%,$(TIDY_C)),$(TIDY_FLAGS))
	@$(call TIDY,$(filter tests/%,$(TIDY_C)),$(TIDY_TEST_FLAGS))

# With the image's own flags, and no finding suppressed.
lint-analyzer:
	@printf '%s\n' $(SRCS) | xargs -r -P $(JOBS) -n 1 $(CROSS_COMPILE)gcc -fanalyzer \
		$(filter-out -MMD -MP -fvisibility=hidden,$(CFLAGS)) -c -o /dev/null
