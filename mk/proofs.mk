# SPDX-License-Identifier: BSD-2-Clause
# `make proofs`: CBMC over tests/proofs/*.c, each with the sources that it names. docs/proofs.md tells what is proved,
# and within which bounds.
#   make proofs PROOF='plic_*' JOBS=2

PROOF ?=

PROOFS = nice tests/proofs/prove --cbmc $(CACHE)/cbmc --libfdt $(LIBFDT) --out $(BUILD)/proofs --jobs $(JOBS)

.PHONY: proofs proofs-planted proofs-table proofs-check setup-proofs
setup-proofs:
	@tools/setup.sh build proofs

proofs: setup-proofs proofs-check ## what CBMC proves (PROOF= a name or a pattern; JOBS= at once)
	@$(PROOFS) $(foreach name,$(PROOF),'$(name)')

proofs-planted: setup-proofs ## each proof fails on the bugs that tests/proofs/planted has for it
	@$(PROOFS) --planted $(foreach name,$(PROOF),'$(name)')

proofs-table: ## writes the proofs' table in docs/proofs.md anew
	@tests/proofs/prove --table

proofs-check:
	@tests/proofs/prove --check
