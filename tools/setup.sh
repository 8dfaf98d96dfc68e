#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Gets what Caldarium's make targets need and this machine lacks (Debian 12
# and 13, as root or through sudo):
#
#   tools/setup.sh build   the cross compiler, picolibc, dtc, libfdt's source
#   tools/setup.sh run     QEMU 10 or later and OpenSBI
#   tools/setup.sh guest   Debian's riscv64 kernel and busybox, for the guests (and its device trees)
#   tools/setup.sh firmware  Debian's newest OpenSBI, EDK2, U-Boot and GRUB for riscv64, for the tests
#   tools/setup.sh qemu    the newest QEMU that Debian has, beside this machine's own, for make machines
#   tools/setup.sh kvm     headers of the guests' kernel and its build tools, for make kvm
#   tools/setup.sh kvm-demo  Debian's QEMU for riscv64 machines to run, with its libraries, for make kvm-demo
#   tools/setup.sh storage  Debian's qemu-storage-daemon for riscv64 machines, with its libraries, for driver VMs
#   tools/setup.sh proofs  CBMC, a bounded model checker, beside this machine's packages, for make proofs
#   tools/setup.sh test    cmocka, pytest, pexpect, clang and its tools, cppcheck, the device trees of Debian's riscv64 kernel
#   tools/setup.sh all     all of these but qemu, kvm, kvm-demo, storage and proofs
#
# Tools become packages of this machine. libfdt, the guests' files, the
# firmware, the newest QEMU and CBMC are only unpacked, into the cache: ${CALDARIUM_CACHE:-~/.cache/caldarium}. apt's own
# source files stay as they are: what this script adds (backports, riscv64,
# other suites) lives in a private apt configuration that derives its servers
# and keys from them. When nothing is missing it touches no network.

set -euo pipefail
umask 022

tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${CALDARIUM_CACHE:-${XDG_CACHE_HOME:-${HOME:?is not set}/.cache}/caldarium}
qemu_major=10

# Where the guests' kernel, libfdt's source and the firmware may come from, best first.
guest_suites=(forky sid trixie trixie-backports)
firmware_suites=(forky sid trixie)
qemu_suites=(forky sid)
kvm_demo_suites=(forky sid trixie)
cbmc_suites=(trixie forky sid)
libfdt_suites=(trixie forky sid bookworm)

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: error: %s\n' "$*" >&2; exit 1; }

# ---------------------------------------------------------------------------
# What each step needs: the packages, and what shows that one is there (so that
# a tool from elsewhere does as well): a command, a file (globs allowed), or a
# function of this script (:NAME).
# shellcheck disable=SC2034  # all are used by name, as "needs_$step"
{

needs_build='
make                          make
xz-utils                      xz
python3                       python3
device-tree-compiler          dtc
gcc-riscv64-unknown-elf       riscv64-unknown-elf-gcc
picolibc-riscv64-unknown-elf  /usr/lib/picolibc/riscv64-unknown-elf/lib/libc.a
'
needs_run='
qemu-system-misc              :has_qemu
opensbi                       :has_opensbi
'
needs_guest='
python3                       python3
device-tree-compiler          dtc
'
needs_firmware=''  # nothing of this machine: all goes into the cache
needs_test='
make                          make
python3                       /usr/bin/python3
gcc                           gcc
libc6-dev                     /usr/include/stdio.h
gcc-riscv64-linux-gnu         riscv64-linux-gnu-gcc
libc6-dev-riscv64-cross       /usr/riscv64-linux-gnu/lib/libc.a
libcmocka-dev                 /usr/include/cmocka.h
python3-pytest                /usr/lib/python3/dist-packages/pytest/__init__.py
python3-pytest-xdist          /usr/lib/python3/dist-packages/xdist/__init__.py
python3-pexpect               /usr/lib/python3/dist-packages/pexpect/__init__.py
clang                         clang
clang-format                  clang-format
clang-tidy                    clang-tidy
cppcheck                      cppcheck
lld                           ld.lld
libclang-rt-dev               /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a
'
needs_proofs='
make                          make
gcc                           gcc
libc6-dev                     /usr/include/stdio.h
'
needs_kvm='
make                          make
gcc-riscv64-linux-gnu         riscv64-linux-gnu-gcc
'
why_kvm='the compiler for a Linux module'
needs_kvm_demo=''  # nothing of this machine: all goes into the cache
why_kvm_demo=
needs_storage=''
why_storage=
why_build='the cross compiler, its C library, the device tree compiler'
why_run="QEMU $qemu_major or later and its firmware, to run in"
why_guest='to pack the initramfs and the bundles'
why_firmware=
needs_qemu=''
why_qemu=
why_proofs='the preprocessor of what is proved'
why_test='unit tests, sanitizers, lint, system tests'
}

has_qemu() {
	local major
	command -v qemu-system-riscv64 >/dev/null || return 1
	major=$(qemu-system-riscv64 --version | sed -n '1s/.* version \([0-9]*\).*/\1/p')
	[ "${major:-0}" -ge "$qemu_major" ]
}

# OpenSBI is where QEMU looks for its firmware, if there is a QEMU.
has_opensbi() {
	local folder
	while read -r folder; do
		[ -e "$folder/opensbi-riscv64-generic-fw_dynamic.bin" ] && return 0
	done < <(echo /usr/share/qemu
		if command -v qemu-system-riscv64 >/dev/null; then qemu-system-riscv64 -L help; fi)
	return 1
}

is_there() { # CHECK, as in the tables above
	case $1 in
	:*) "${1#:}" ;;
	/*) compgen -G "$1" >/dev/null ;;
	*) command -v "$1" >/dev/null ;;
	esac
}

missing_packages() { # STEP
	local table="needs_${1//-/_}" package check
	while read -r package check; do
		[ -z "$package" ] || is_there "$check" || echo "$package"
	done <<<"${!table}"
}

has_libfdt() { [ -e "$cache/libfdt/libfdt.h" ]; }
has_guest() { [ -e "$cache/guest/Image" ] && [ -e "$cache/guest/busybox" ]; }
has_boards() { [ -e "$cache/boards/VERSION" ]; }
# Those of the kernel that the tests start, no others: a module fits one version.
has_kvm() { [ -e "$cache/kvm/VERSION" ] && cmp -s "$cache/kvm/VERSION" "$cache/guest/VERSION"; }
has_kvm_demo() { [ -e "$cache/kvm-demo/VERSION" ]; }
has_storage() { [ -e "$cache/storage/VERSION" ]; }
has_newest_qemu() { [ -e "$cache/qemu/VERSION" ]; }
has_cbmc() { [ -e "$cache/cbmc/VERSION" ]; }
has_firmware() { [ -e "$cache/firmware/VERSION" ]; }

# Package, the file in it, and its name in the cache. All are for riscv64, whatever this machine is.
firmware_files='
opensbi                    usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin  opensbi.bin
u-boot-qemu                usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin              u-boot.bin
qemu-efi-riscv64           usr/share/qemu-efi-riscv64/RISCV_VIRT_CODE.fd             edk2-code.fd
qemu-efi-riscv64           usr/share/qemu-efi-riscv64/RISCV_VIRT_VARS.fd             edk2-vars.fd
grub-efi-riscv64-unsigned  usr/lib/grub/riscv64-efi/monolithic/grubriscv64.efi       grubriscv64.efi
'

# ---------------------------------------------------------------------------
# apt, through a private configuration.

work=   # a scratch folder of this run; apt's unprivileged user may read it
log=    # what apt and dpkg said

make_work() {
	[ -z "$work" ] || return 0
	work=$(mktemp -d "${TMPDIR:-/tmp}/caldarium-setup.XXXXXX")
	chmod 755 "$work"
	log=$cache/setup.log
	: >"$log"
}

clean_up() {
	[ -z "$work" ] || rm -rf "$work"
	[ -z "${unpacking:-}" ] || rm -rf "$unpacking"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# Prints "URI SUITE KEYRING" for each archive with a "main" that this machine's
# apt is set to use, from .list and .sources files. KEYRING is "-" if the entry
# names none: apt then uses its trusted keys.
apt_sources() {
	local file
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[ -r "$file" ] && awk '
			$1 != "deb" { next }
			{
				key = "-"; i = 2
				if ($2 ~ /^\[/) {
					options = ""
					do { options = options " " $i } while ($(i++) !~ /\]$/ && i <= NF)
					if (match(options, /signed-by=[^] ]+/))
						key = substr(options, RSTART + 10, RLENGTH - 10)
				}
				for (c = i + 2; c <= NF; c++)
					if ($c == "main") { print $i, $(i + 1), key; break }
			}' "$file"
	done
	for file in /etc/apt/sources.list.d/*.sources; do
		[ -r "$file" ] && awk '
			function flush(   u, s, i, j, n, m) {
				if (types ~ /(^| )deb( |$)/ && components ~ /(^| )main( |$)/ && enabled !~ /^(no|false|0|off)/) {
					n = split(uris, u, " "); m = split(suites, s, " ")
					for (i = 1; i <= n; i++)
						for (j = 1; j <= m; j++)
							print u[i], s[j], (key ~ /^ *[\/0-9A-F]/ ? substr(key, match(key, /[^ ]/)) : "-")
				}
				types = uris = suites = components = key = enabled = field = ""
			}
			function add(value) {
				if (field == "types") types = types " " value
				else if (field == "uris") uris = uris " " value
				else if (field == "suites") suites = suites " " value
				else if (field == "components") components = components " " value
				else if (field == "signed-by") key = key (key == "" ? "" : " ") value
				else if (field == "enabled") enabled = tolower(value)
			}
			/^#/ { next }
			/^[ \t]*$/ { flush(); next }
			/^[ \t]/ { sub(/^[ \t]+/, ""); add($0); next }
			{
				field = tolower(substr($0, 1, index($0, ":") - 1))
				sub(/^[^:]*:[ \t]*/, ""); add($0)
			}
			END { flush() }' "$file"
	done
	return 0
}

# Finds the Debian archive among them: the one that serves this release.
codename=
sources=
archive_uri=
archive_key=
find_archive() {
	[ -z "$archive_uri" ] || return 0
	local id=
	# shellcheck source=/dev/null
	id=$(. /etc/os-release 2>/dev/null && echo "${ID:-} ${VERSION_CODENAME:-}") || true
	codename=${id#* }
	if [ "${id%% *}" != debian ] || ! command -v apt-get >/dev/null; then
		die "this machine is not Debian; what is named above has to be installed by hand (docs: tools/README.md)"
	fi
	sources=$(apt_sources)
	local uri suite key
	while read -r uri suite key; do
		case $suite in
		"$codename" | oldstable | stable | testing | unstable | sid)
			archive_uri=$uri archive_key=$key
			return 0 ;;
		esac
	done <<<"$sources"
	die "no Debian archive for '$codename' in /etc/apt/sources.list or sources.list.d, so there is nowhere to install from"
}

# One entry of a private .sources file.
source_entry() { # TYPE URI SUITE KEYRING
	printf 'Types: %s\nURIs: %s\nSuites: %s\nComponents: main\n' "$1" "$2" "$3"
	[ "$4" = - ] || printf 'Signed-By: %s\n' "$4"
	echo
}

# Makes an empty private apt root and prints the path of its configuration.
# The machine's own apt configuration (proxies and so on) still applies.
apt_root() { # NAME
	local root=$work/$1
	mkdir -p "$root"/{lists/partial,cache/archives/partial,sources.list.d,preferences.d}
	if [ "$(id -u)" = 0 ] && id _apt >/dev/null 2>&1; then
		chown -R _apt "$root"/{lists,cache}/
	fi
	cat >"$root/apt.conf" <<-EOF
		Dir::Etc::sourcelist "/dev/null";
		Dir::Etc::sourceparts "$root/sources.list.d";
		Dir::State::lists "$root/lists";
		Dir::Cache::pkgcache "$root/pkgcache.bin";
		Dir::Cache::srcpkgcache "$root/srcpkgcache.bin";
		Acquire::Languages "none";
		Acquire::Retries "2";
		APT::Update::Error-Mode "any";
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
		#clear APT::Default-Release;
		APT::Default-Release "";
	EOF
	echo "$root/apt.conf"
}

# Runs a command with its output in the log and, in short, on the screen.
logged() {
	printf '\n$ %s\n' "$*" >>"$log"
	"$@" 2>&1 </dev/null | tee -a "$log" |
		sed -u -n -e 's/^Get:[0-9]* [^ ]* \([^ ]*\) [^ ]* \([^ ]* [^ ]* [^ ]*\) .*\(\[.*\]\)$/  \2 \3/p' -e 's/^\(Setting up\|Need to get\|After this operation\)/  &/p'
}
quietly() {
	printf '\n$ %s\n' "$*" >>"$log"
	"$@" >>"$log" 2>&1 </dev/null
}
# Why the last command failed: apt's own words, on one line.
last_error() {
	awk '/^\$ / { error = "" }
		/^E: / && !/Some index files failed|Failed to fetch some archives/ { error = substr($0, 4) }
		/^E: Failed to fetch / { sub(/http[^ ]*\//, "", error) }
		END { gsub(/ +/, " ", error); print substr(error, 1, 200) }' "$log"
}

# Whether such words mean that no other suite there will do better.
is_unreachable() {
	[[ $1 =~ (failure resolving|Could not resolve|Could not connect|Cannot initiate the connection|Network is unreachable|onnection timed out|onnection refused) ]]
}

# ---------------------------------------------------------------------------
# Packages for this machine.

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

install_packages() { # PACKAGE...
	local uri suite key conf root backports="" update_error=""
	[ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
		die "installing packages needs root: run this as root, or install sudo"
	make_work
	find_archive

	# Everything that this machine's apt has of this Debian release, but nobody
	# else's archive: a broken one must not stop us.
	conf=$(apt_root host)
	root=${conf%/*}
	while read -r uri suite key; do
		case $suite in
		"$codename"* | oldstable* | stable* | testing* | unstable | sid)
			source_entry deb "$uri" "$suite" "$key" ;;
		esac
	done <<<"$sources" >"$root/sources.list.d/caldarium.sources"

	# Debian 12's own QEMU is too old.
	case $codename in
	bookworm) backports=$codename-backports ;;
	esac
	if [ -n "$backports" ]; then
		case "$sources" in
		*" $backports "*) ;;
		*) source_entry deb "$archive_uri" "$backports" "$archive_key" >>"$root/sources.list.d/caldarium.sources" ;;
		esac
		cat >"$root/preferences" <<-EOF
			Package: src:qemu src:opensbi
			Pin: release n=$backports
			Pin-Priority: 990
		EOF
		echo "Dir::Etc::preferences \"$root/preferences\";" >>"$conf"
	fi

	say "reading Debian's package lists ($codename${backports:+, $backports})"
	# One list out of step is no reason to stop: what matters is what can be had.
	if ! quietly as_root apt-get -c "$conf" -q update; then
		update_error=$(last_error)
		! is_unreachable "$update_error" || die "$archive_uri cannot be reached, so these packages could not be had: $* ($update_error; see $log)"
	fi
	say "installing $# package(s) and what they depend on"
	logged as_root env DEBIAN_FRONTEND=noninteractive apt-get -c "$conf" -q -y \
		-o DPkg::Lock::Timeout=900 -o Dpkg::Use-Pty=0 \
		--no-install-recommends --no-remove install "$@" ||
		die "apt could not install: $* (tried $archive_uri $codename${backports:+ and $backports}; apt says: $(last_error)${update_error:+; and of the lists: $update_error}; see $log)"
}

# ---------------------------------------------------------------------------
# Files for the cache. Each is unpacked beside its place and renamed when whole.

unpacking=
begin_unpacking() { # NAME
	unpacking=$(mktemp -d "$cache/.$1.XXXXXX")
	chmod 755 "$unpacking"
}
end_unpacking() { # NAME
	rm -rf "${cache:?}/$1"
	mv "$unpacking" "$cache/$1"
	unpacking=
}

tried=
note_failure() { # SUITE REASON
	tried="$tried${tried:+; }$1: ${2:-failed}"
	say "not from $1: ${2:-failed}"
	[ -z "$unpacking" ] || rm -rf "$unpacking"
	unpacking=
}

# Calls FUNCTION CONF SUITE for one suite after another until one succeeds. A mirror that has fallen
# behind serves lists that have expired: better than nothing, and their signatures still count.
from_suites() { # TYPE ARCHITECTURE FUNCTION SUITE...
	try_suites true "$@" && return 0
	[[ $tried == *"is expired"* ]] || return 1
	say "no suite could serve; trying again with lists that are older than they should be"
	try_suites false "$@"
}

try_suites() { # CHECK-EXPIRY TYPE ARCHITECTURE FUNCTION SUITE...
	local check=$1 type=$2 architecture=$3 function=$4 suite conf root
	shift 4
	make_work
	find_archive
	tried=
	for suite in "$@"; do
		conf=$(apt_root "$function.$suite")
		root=${conf%/*}
		source_entry "$type" "$archive_uri" "$suite" "$archive_key" >"$root/sources.list.d/$suite.sources"
		: >"$root/status"
		cat >>"$conf" <<-EOF
			Dir::State::status "$root/status";
			Dir::Cache "$root/cache";
			APT::Architecture "$architecture";
			#clear APT::Architectures;
			APT::Architectures:: "$architecture";
			Acquire::Check-Valid-Until "$check";
		EOF
		say "reading Debian's list of $suite ($([ "$type" = deb ] && echo "$architecture" || echo sources))"
		if ! quietly apt-get -c "$conf" -q update; then
			note_failure "$suite" "$(last_error)"
			rm -rf "$root"
			! is_unreachable "$tried" || return 1
			continue
		elif "$function" "$conf" "$suite"; then
			return 0
		fi
		rm -rf "$root"
	done
	return 1
}

# Packages into FOLDER, a new one, which apt's unprivileged user may write to.
download() { # CONF SUITE FOLDER PACKAGE...
	mkdir "$3"
	chmod 777 "$3"
	if ! (cd "$3" && logged apt-get -c "$1" -q download "${@:4}"); then
		note_failure "$2" "$(last_error)"
		return 1
	fi
}

unpack_all() { # SUITE FOLDER DEB...
	local package
	for package in "${@:3}"; do
		if ! quietly dpkg-deb -x "$package" "$2"; then
			note_failure "$1" "${package##*/} cannot be unpacked"
			return 1
		fi
	done
}

fetch_libfdt() { # CONF SUITE
	local conf=$1 suite=$2 folder=${1%/*}/download tarball
	mkdir "$folder"
	chmod 777 "$folder"
	if ! (cd "$folder" && logged apt-get -c "$conf" -q source --download-only --tar-only device-tree-compiler); then
		note_failure "$suite" "$(last_error)"
		return 1
	fi
	tarball=$(compgen -G "$folder/device-tree-compiler_*.orig.tar.*" | grep -v '\.asc$' | head -n 1)
	begin_unpacking libfdt
	mkdir "$folder/source"
	if [ -z "$tarball" ] || ! quietly tar -C "$folder/source" --strip-components=1 -xf "$tarball" ||
		! quietly cp "$folder"/source/libfdt/*.[ch] "$unpacking/" ||
		! [ -e "$unpacking/libfdt.h" ]; then
		note_failure "$suite" "its device-tree-compiler has no libfdt source that can be unpacked"
		return 1
	fi
	tarball=${tarball##*/device-tree-compiler_}
	printf 'libfdt %s, from Debian %s\n' "${tarball%%.orig*}" "$suite" >"$unpacking/VERSION"
	cp "$folder"/source/{BSD-2-Clause,GPL,README.license} "$unpacking/" 2>/dev/null || true
	end_unpacking libfdt
}

depends_of() { # CONF PACKAGE
	apt-cache -c "$1" show --no-all-versions "$2" 2>/dev/null |
		sed -n 's/^\(Pre-\)\?Depends: //p' | sed 's/[,|]/\n/g' | awk '{ print $1 }'
}

# Unpacks packages of the kernel, by which of its PARTs they hold, and others into FOLDER/root.
# linux-image-riscv64 depends on linux-image-VERSION-riscv64, which holds it all or, in newer
# suites, depends on packages linux-PART-VERSION-riscv64.
unpack_kernel() { # CONF SUITE FOLDER "PART..." OTHER...
	local conf=$1 suite=$2 folder=$3 parts=" $4 " image package part packages=()
	packages=("${@:5}")
	image=$(depends_of "$conf" linux-image-riscv64 | grep -m 1 '^linux-image-[0-9]' || true)
	if [ -z "$image" ]; then
		note_failure "$suite" "it has no linux-image-riscv64"
		return 1
	fi
	version=${image#linux-image-}
	for package in $(depends_of "$conf" "$image"); do
		part=${package#linux-}
		part=${part%"-$version"}
		case $parts in
		*" $part "*) [ "$package" != "linux-$part-$version" ] || packages+=("$package") ;;
		esac
	done
	[ ${#packages[@]} -gt $(($# - 4)) ] || packages+=("$image")

	download "$conf" "$suite" "$folder" "${packages[@]}" || return 1
	mkdir "$folder/root"
	unpack_all "$suite" "$folder/root" "$folder"/*.deb
}

# The kernel's device trees, a folder for each maker.
keep_boards() { # ROOT SUITE
	local trees
	trees=$(compgen -G "$1/usr/lib/modules/*/dtb" || compgen -G "$1/usr/lib/linux-image-*" || true)
	[ -n "$trees" ] || return 1
	begin_unpacking boards
	quietly cp -r "${trees%%$'\n'*}"/. "$unpacking/" || return 1
	printf 'Linux %s, from Debian %s\n' "$version" "$2" >"$unpacking/VERSION"
	end_unpacking boards
}

fetch_boards() { # CONF SUITE
	local folder=${1%/*}/download version
	unpack_kernel "$1" "$2" "$folder" base || return 1
	if ! keep_boards "$folder/root" "$2"; then
		note_failure "$2" "its kernel $version comes without device trees"
		return 1
	fi
}

fetch_guest() { # CONF SUITE
	local conf=$1 suite=$2 folder=${1%/*}/download kernel modules version
	unpack_kernel "$conf" "$suite" "$folder" "binary modules base" busybox-static || return 1
	keep_boards "$folder/root" "$suite" || say "its kernel $version comes without device trees"

	begin_unpacking guest
	kernel=$(compgen -G "$folder/root/usr/lib/modules/*/vmlinuz" || compgen -G "$folder/root/boot/vmlinu[xz]-*" || true)
	kernel=${kernel%%$'\n'*}
	if ! quietly python3 "$tools/linux-image" "${kernel:-none}" "$unpacking/Image"; then
		note_failure "$suite" "its kernel $version is in no form that is understood here"
		return 1
	fi
	modules=$(compgen -G "$folder/root/usr/lib/modules/*" || compgen -G "$folder/root/lib/modules/*" || true)
	modules=${modules%%$'\n'*}
	if [ -n "$modules" ]; then
		mkdir "$unpacking/modules"
		rm -rf "$modules/vmlinuz" "$modules/dtb"
		mv "$modules" "$unpacking/modules/"
	fi
	if ! quietly cp "$(compgen -G "$folder/root/usr/bin/busybox" || compgen -G "$folder/root/bin/busybox")" "$unpacking/busybox"; then
		note_failure "$suite" "its busybox-static has no busybox"
		return 1
	fi
	printf 'Linux %s, from Debian %s\n' "$version" "$suite" >"$unpacking/VERSION"
	end_unpacking guest
}

fetch_firmware() { # CONF SUITE
	local conf=$1 suite=$2 folder=${1%/*}/download packages package file name versions=""
	mapfile -t packages < <(awk 'NF { print $1 }' <<<"$firmware_files" | uniq)
	download "$conf" "$suite" "$folder" "${packages[@]}" || return 1
	mkdir "$folder/root"
	begin_unpacking firmware
	unpack_all "$suite" "$folder/root" "$folder"/*.deb || return 1
	for package in "$folder"/*.deb; do
		versions="$versions${versions:+, }$(dpkg-deb -f "$package" Package Version | sed 's/^[^:]*: //' | paste -sd ' ')"
	done
	while read -r package file name; do
		if [ -n "$package" ] && ! quietly cp "$folder/root/$file" "$unpacking/$name"; then
			note_failure "$suite" "its $package has no /$file"
			return 1
		fi
	done <<<"$firmware_files"
	printf '%s, from Debian %s\n' "$versions" "$suite" >"$unpacking/VERSION"
	end_unpacking firmware
}

# What the kernel's build has beside its headers runs here with its own release's libc. Its compiler is
# newer than this machine's may be: what an older one has no option for is left out of the
# configuration's copy. None of that changes a structure that a module shares with the kernel.
newer_compilers='RISCV_ISA_ZABHA RISCV_ISA_ZACAS TOOLCHAIN_HAS_ZABHA TOOLCHAIN_HAS_ZACAS
CC_HAS_MIN_FUNCTION_ALIGNMENT CC_HAS_COUNTED_BY CC_HAS_COUNTED_BY_PTR'

prepare_headers() { # FOLDER VERSION
	local headers=$1/usr/src/linux-headers-$2 common=linux-headers-${2%-riscv64}-common option
	local mod=$1/usr/lib/linux-kbuild-${2%-riscv64}/scripts/mod
	cat >"$headers/Makefile" <<-EOF || return 1
		here := \$(dir \$(abspath \$(lastword \$(MAKEFILE_LIST))))
		KBUILD_OUTPUT := \$(here:/=)
		include \$(here)../$common/Makefile
	EOF
	sed -i 's/gcc-[0-9]*/gcc/' "$headers/.kernelvariables" || return 1
	for option in $newer_compilers; do
		sed -i "/^CONFIG_$option=/d" "$headers/include/config/auto.conf" || return 1
		sed -i "/^#define CONFIG_$option /d" "$headers/include/generated/autoconf.h" || return 1
	done
	[ -e "$mod/modpost.real-lsb-64" ] || return 1
	cat >"$mod/modpost" <<-'EOF'
		#!/bin/sh
		# made by tools/setup.sh
		mod=$(dirname "$(readlink -f "$0")")
		libc=${mod%/usr/lib/*}/libc
		exec "$libc"/usr/lib*/ld-linux*.so.* --library-path "$(echo "$libc"/usr/lib/*-linux-gnu)" \
		    "$mod/modpost.real-lsb-64" "$@"
	EOF
	ln -s "usr/src/linux-headers-$2" "$1/build"
}

fetch_kvm() { # CONF SUITE
	local conf=$1 suite=$2 folder=${1%/*}/download version here
	here=$(dpkg --print-architecture)
	version=$(sed 's/^Linux \([^,]*\),.*/\1/' "$cache/guest/VERSION")
	echo "APT::Architectures:: \"$here\";" >>"$conf"
	if ! quietly apt-get -c "$conf" -q update; then
		note_failure "$suite" "$(last_error)"
		return 1
	fi
	download "$conf" "$suite" "$folder" "linux-headers-$version" "linux-headers-${version%-riscv64}-common" \
		"linux-kbuild-${version%-riscv64}:$here" || return 1
	download "$conf" "$suite" "$folder/libc" "libc6:$here" || return 1
	begin_unpacking kvm
	mkdir "$unpacking/libc"
	unpack_all "$suite" "$unpacking" "$folder"/*.deb || return 1
	unpack_all "$suite" "$unpacking/libc" "$folder"/libc/*.deb || return 1
	if ! prepare_headers "$unpacking" "$version"; then
		note_failure "$suite" "the headers of its kernel $version are not as expected"
		return 1
	fi
	cp "$cache/guest/VERSION" "$unpacking/VERSION"
	end_unpacking kvm
}

# The shared libraries that ELF files of FOLDER's packages need, those of libraries too: one a line.
libraries_of() { # FOLDER FILE...
	local folder=$1 file name more=("${@:2}") seen=" "
	while [ ${#more[@]} -gt 0 ]; do
		file=${more[0]}
		more=("${more[@]:1}")
		for name in $(riscv64-unknown-elf-readelf -d "$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do
			case $seen in *" $name "*) continue ;; esac
			seen="$seen$name "
			file=$(compgen -G "$folder/usr/lib/riscv64-linux-gnu/$name" || compgen -G "$folder/usr/lib/$name") || {
				echo "$name is in no package" >>"$log"
				return 1
			}
			echo "$file"
			more+=("$file")
		done
	done
}

# Debian's programs for riscv64 machines, without what they load on demand, and their libraries.
fetch_programs() { # NAME CONF SUITE PACKAGE PROGRAM...
	local name=$1 conf=$2 suite=$3 package=$4 root=${2%/*} folder=${2%/*}/root version libraries
	shift 4
	if ! logged apt-get -c "$conf" -q -y --download-only --no-install-recommends \
		-o Debug::NoLocking=true install "$package"; then
		note_failure "$suite" "$(last_error)"
		return 1
	fi
	mkdir "$folder"
	unpack_all "$suite" "$folder" "$root"/cache/archives/*.deb || return 1
	version=$(dpkg-deb -f "$root"/cache/archives/"$package"_*.deb Version)
	begin_unpacking "$name"
	if ! quietly cp "${@/#/"$folder/usr/bin/"}" "$unpacking/" ||
		! libraries=$(libraries_of "$folder" "${@/#/"$unpacking/"}"); then
		note_failure "$suite" "its QEMU $version does not come with all that it needs (see $log)"
		return 1
	fi
	mkdir "$unpacking/lib"
	# shellcheck disable=SC2086  # their paths have no spaces
	cp -L $libraries "$unpacking/lib/"
	printf 'QEMU %s, from Debian %s\n' "$version" "$suite" >"$unpacking/VERSION"
	end_unpacking "$name"
}

# The demo's machines have no display and no firmware.
fetch_kvm_demo() { fetch_programs kvm-demo "$1" "$2" qemu-system-riscv qemu-system-riscv64; }
fetch_storage() { fetch_programs storage "$1" "$2" qemu-utils qemu-storage-daemon qemu-img; }

# Programs of another Debian release run here with that release's own libraries and their loader.
fetch_cbmc() { # CONF SUITE
	local conf=$1 suite=$2 folder=${1%/*}/download version program
	download "$conf" "$suite" "$folder" cbmc minisat libc6 libstdc++6 libgcc-s1 zlib1g || return 1
	begin_unpacking cbmc
	unpack_all "$suite" "$unpacking" "$folder"/*.deb || return 1
	version=$(dpkg-deb -f "$folder"/cbmc_*.deb Version)
	for program in cbmc goto-cc goto-instrument; do
		cat >"$unpacking/$program" <<-EOF
			#!/bin/sh
			# CBMC $version of Debian $suite; made by tools/setup.sh
			root=\$(dirname "\$(readlink -f "\$0")")
			exec "\$root"/usr/lib*/ld-linux*.so.* --argv0 $program --library-path "\$(echo "\$root"/usr/lib/*-linux-gnu):\$root/usr/lib" \\
			    "\$root/usr/bin/$program" "\$@"
		EOF
		chmod 755 "$unpacking/$program"
		if ! quietly "$unpacking/$program" --version; then
			note_failure "$suite" "its $program does not run here"
			return 1
		fi
	done
	printf 'CBMC %s, from Debian %s\n' "$version" "$suite" >"$unpacking/VERSION"
	end_unpacking cbmc
}

fetch_qemu() { # CONF SUITE
	local conf=$1 suite=$2 root=${1%/*} loader libraries version
	if ! logged apt-get -c "$conf" -q -y --download-only --no-install-recommends \
		-o Debug::NoLocking=true install qemu-system-riscv; then
		note_failure "$suite" "$(last_error)"
		return 1
	fi
	begin_unpacking qemu
	unpack_all "$suite" "$unpacking" "$root"/cache/archives/*.deb || return 1
	version=$(dpkg-deb -f "$root"/cache/archives/qemu-system-riscv_*.deb Version)
	loader=$(cd "$unpacking" && compgen -G 'usr/lib*/ld-linux*.so.*' | head -n 1)
	libraries=$(cd "$unpacking" && dirname "$(compgen -G 'usr/lib/*/qemu')")
	if [ -z "$loader" ] || [ -z "$libraries" ]; then
		note_failure "$suite" "its libc6 has no loader, or its QEMU no libraries"
		return 1
	fi
	cat >"$unpacking/qemu-system-riscv64" <<-EOF
		#!/bin/sh
		# QEMU $version of Debian $suite; made by tools/setup.sh
		root=\$(dirname "\$(readlink -f "\$0")")
		export QEMU_MODULE_DIR="\$root/$libraries/qemu"
		exec "\$root/$loader" --library-path "\$root/$libraries" \\
		    "\$root/usr/bin/qemu-system-riscv64" -L "\$root/usr/share/qemu" "\$@"
	EOF
	chmod 755 "$unpacking/qemu-system-riscv64"
	if ! quietly "$unpacking/qemu-system-riscv64" --version; then
		note_failure "$suite" "its QEMU does not run here"
		return 1
	fi
	printf 'QEMU %s, from Debian %s\n' "$version" "$suite" >"$unpacking/VERSION"
	end_unpacking qemu
}

# ---------------------------------------------------------------------------

usage() {
	sed -n '3,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
}

main() {
	local step packages=() plan=() libfdt="" guest="" boards="" firmware="" qemu="" kvm="" kvm_demo="" storage="" cbmc="" list
	local -a steps=()
	[ $# -gt 0 ] || { usage >&2; exit 2; }
	for step in "$@"; do
		case $step in
		build | run | guest | firmware | qemu | kvm | kvm-demo | storage | proofs | test) steps+=("$step") ;;
		all) steps+=(build run guest firmware test) ;;
		-h | --help | help) usage; exit 0 ;;
		*) die "there is no step '$step'; the steps are build, run, guest, firmware, qemu, kvm, kvm-demo, storage, proofs, test and all (all but qemu, kvm, kvm-demo, storage and proofs)" ;;
		esac
	done

	# Two makes at once take turns.
	mkdir -p "$cache" || die "the cache folder $cache cannot be made (CALDARIUM_CACHE names another)"
	exec 9>"$cache/.lock"
	if command -v flock >/dev/null && ! flock -n 9; then
		say "waiting for another set-up to end"
		flock 9
	fi

	# What a run that was killed may have left.
	rm -rf "$cache"/.guest.* "$cache"/.libfdt.* "$cache"/.firmware.* "$cache"/.qemu.* "$cache"/.kvm.* "$cache"/.kvm-demo.* "$cache"/.storage.* "$cache"/.boards.* "$cache"/.cbmc.*

	for step in "${steps[@]}"; do
		list=$(missing_packages "$step" | tr '\n' ' ')
		if [ -n "$list" ]; then
			local why="why_${step//-/_}"
			plan+=("for '$step', Debian packages: $list- ${!why}")
			# shellcheck disable=SC2206  # package names have no spaces
			packages+=($list)
		fi
		case $step in
		build) has_libfdt || { libfdt=1; plan+=("for 'build', into $cache: libfdt's source - reads device trees inside Caldarium"); } ;;
		guest) has_guest || { guest=1; plan+=("for 'guest', into $cache: Debian's riscv64 kernel and busybox (about 130 MB to fetch) - what the VMs run"); } ;;
		test) has_boards || { boards=1; plan+=("for 'test', into $cache: the device trees of Debian's riscv64 kernel (less than 1 MB to fetch) - what boards are like"); } ;;
		qemu) has_newest_qemu || { qemu=1; plan+=("for 'qemu', into $cache: Debian's newest QEMU for riscv64 and its libraries (about 45 MB to fetch) - what make machines runs"); } ;;
		kvm) has_kvm || { kvm=1; plan+=("for 'kvm', into $cache: the headers of the guests' kernel and what builds modules (about 15 MB to fetch, 110 MB unpacked) - what make kvm compiles with"); } ;;
		kvm-demo) has_kvm_demo || { kvm_demo=1; plan+=("for 'kvm-demo', into $cache: Debian's QEMU for riscv64 machines to run (about 45 MB to fetch) - what uses /dev/kvm in make kvm-demo"); } ;;
		storage) has_storage || { storage=1; plan+=("for 'storage', into $cache: Debian's qemu-storage-daemon for riscv64 machines (about 30 MB to fetch) - what a driver VM serves disks with"); } ;;
		proofs) has_cbmc || { cbmc=1; plan+=("for 'proofs', into $cache: CBMC and its libraries (about 27 MB to fetch, 100 MB unpacked) - what make proofs runs"); } ;;
		firmware) has_firmware || { firmware=1; plan+=("for 'firmware', into $cache: Debian's newest OpenSBI, EDK2, U-Boot and GRUB for riscv64 (about 20 MB to fetch) - what tests start Caldarium with"); } ;;
		esac
	done
	[ ${#plan[@]} -gt 0 ] || return 0

	say "this will be installed:"
	printf '  %s\n' "${plan[@]}"

	if [ ${#packages[@]} -gt 0 ]; then
		mapfile -t packages < <(printf '%s\n' "${packages[@]}" | sort -u)
		install_packages "${packages[@]}"
		for step in "${steps[@]}"; do
			list=$(missing_packages "$step" | tr '\n' ' ')
			[ -z "$list" ] || die "installed, yet not as needed: ${list% } (QEMU has to be $qemu_major or later; see $log)"
		done
	fi
	if [ -n "$libfdt" ]; then
		say "fetching libfdt's source"
		from_suites deb-src "$(dpkg --print-architecture)" fetch_libfdt "${libfdt_suites[@]}" ||
			die "libfdt's source could not be had from $archive_uri ($tried; see $log)"
		say "have $(cat "$cache/libfdt/VERSION")"
	fi
	if [ -n "$guest" ]; then
		say "fetching a kernel and busybox for the guests"
		from_suites deb riscv64 fetch_guest "${guest_suites[@]}" ||
			die "a riscv64 kernel and busybox could not be had from $archive_uri ($tried; see $log)"
		say "have $(cat "$cache/guest/VERSION")"
	fi
	if [ -n "$boards" ] && ! has_boards; then
		say "fetching device trees of boards"
		from_suites deb riscv64 fetch_boards "${guest_suites[@]}" ||
			die "device trees could not be had from $archive_uri ($tried; see $log)"
		say "have those of $(cat "$cache/boards/VERSION")"
	fi
	if [ -n "$firmware" ]; then
		say "fetching firmware and boot loaders"
		from_suites deb riscv64 fetch_firmware "${firmware_suites[@]}" ||
			die "riscv64 firmware could not be had from $archive_uri ($tried; see $log)"
		say "have $(cat "$cache/firmware/VERSION")"
	fi
	if [ -n "$qemu" ]; then
		say "fetching the newest QEMU"
		from_suites deb "$(dpkg --print-architecture)" fetch_qemu "${qemu_suites[@]}" ||
			die "a newer QEMU could not be had from $archive_uri ($tried; see $log)"
		say "have $(cat "$cache/qemu/VERSION")"
	fi
	if [ -n "$kvm" ]; then
		has_guest || die "'kvm' needs the kernel of the step 'guest' first"
		say "fetching the headers of $(cat "$cache/guest/VERSION")"
		from_suites deb riscv64 fetch_kvm "${guest_suites[@]}" ||
			die "the headers of that kernel could not be had from $archive_uri; with $cache/guest removed, the step 'guest' fetches a newer kernel ($tried; see $log)"
	fi
	if [ -n "$kvm_demo" ]; then
		say "fetching a QEMU that runs on riscv64"
		from_suites deb riscv64 fetch_kvm_demo "${kvm_demo_suites[@]}" ||
			die "a QEMU for riscv64 machines could not be had from $archive_uri ($tried; see $log)"
		say "have $(cat "$cache/kvm-demo/VERSION")"
	fi
	if [ -n "$storage" ]; then
		say "fetching a qemu-storage-daemon that runs on riscv64"
		from_suites deb riscv64 fetch_storage "${kvm_demo_suites[@]}" ||
			die "a qemu-storage-daemon for riscv64 machines could not be had from $archive_uri ($tried; see $log)"
		say "have $(cat "$cache/storage/VERSION")"
	fi
	if [ -n "$cbmc" ]; then
		say "fetching CBMC"
		from_suites deb "$(dpkg --print-architecture)" fetch_cbmc "${cbmc_suites[@]}" ||
			die "CBMC could not be had from $archive_uri ($tried; see $log)"
		say "have $(cat "$cache/cbmc/VERSION")"
	fi
}

main "$@"
