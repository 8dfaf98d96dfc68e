#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# coverage.sh BUILT CORPUS NAME SOURCE...: what of these lines the target reaches with its corpora.
set -eu
built=$1 corpus=$2 name=$3
shift 3
[ $# -gt 0 ] || { echo "fuzz-coverage: $name: mk/unit_fuzz.mk doesn't say what it is about" >&2; exit 1; }
dirs=$(ls -d "$corpus/$name" "tests/fuzz/corpus/$name" 2>/dev/null) || true
[ -n "$dirs" ] || { echo "fuzz-coverage: $name: no corpus; make fuzz makes one" >&2; exit 1; }
# shellcheck disable=SC2086 # a list
LLVM_PROFILE_FILE=$built/$name.raw "$built/fuzz_$name" -runs=0 $dirs >"$built/$name.log" 2>&1 ||
    { tail "$built/$name.log" >&2; exit 1; }
llvm-profdata merge -o "$built/$name.profile" "$built/$name.raw"
llvm-cov report "$built/fuzz_$name" -instr-profile="$built/$name.profile" "$@" >"$built/$name.report"
awk -v name="$name" '$1 == "TOTAL" { print "fuzz-coverage: " name ": " $10 " of " $8 " lines" }' "$built/$name.report"
