#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# make fuzz-planted: in a copy of the sources, each patch of tests/fuzz/planted in turn; the target
# of that name has to find it, within SECONDS_EACH. FUZZ=NAME: that one.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top"
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$copy" 2>/dev/null || true
missed=
for name in $(basename -s .c tests/fuzz/fuzz_${FUZZ:-*}.c | sed 's/^fuzz_//'); do
    patch=tests/fuzz/planted/$name.patch
    [ -f "$patch" ] || { echo "fuzz-planted: $name: no $patch"; missed="$missed $name"; continue; }
    (cd "$copy" && patch -s -p1 <"$top/$patch")
    make -s -C "$copy" fuzz-build FUZZ="$name" >"$copy/log" 2>&1 || { tail "$copy/log"; exit 1; }
    if make -s -C "$copy" fuzz FUZZ="$name" TIME="${SECONDS_EACH:-60}" >"$copy/log" 2>&1; then
        echo "fuzz-planted: $name: not found"
        missed="$missed $name"
    elif grep -q 'not so:\|AddressSanitizer\|runtime error\|libFuzzer: timeout' "$copy/log" "$copy/build/fuzz/$name.log"; then
        echo "fuzz-planted: $name: found"
    else
        tail -20 "$copy/log"
        exit 1
    fi
    (cd "$copy" && patch -s -R -p1 <"$top/$patch")
done
[ -z "$missed" ] || { echo "fuzz-planted: missed:$missed" >&2; exit 1; }
