# SPDX-License-Identifier: BSD-2-Clause
"""What a libcaldarium.a shows, asks for and could write to: names.py ARCHIVE...

- visible: only cald_* functions that include/caldarium/caldarium.h and devices.h declare;
- undefined: only host_* functions of host.h and devices.h, and MEMORY;
- writable: no data at all, since two hosts' machines may live beside each other;
- floating point: no instruction but in fp.S: a guest's registers are live while the library runs.

names-left.txt lists what is not so yet, a name a line. It only shrinks.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
HEADERS = HERE.parent.parent / "include" / "caldarium"
TOOL = "riscv64-unknown-elf-"
MEMORY = {"memcpy", "memmove", "memset", "memcmp", "strlen", "strcmp"}
FLOATING = re.compile(r"\b(f[ats]\d+|v\d+)\b")


def declared(prefix, *headers):
    text = "".join((HEADERS / name).read_text() for name in headers if (HEADERS / name).exists())
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    return set(re.findall(rf"\b({prefix}_\w+)\s*\(", text))


def tool(name, *arguments):
    return subprocess.run([TOOL + name, *arguments], check=True, capture_output=True, text=True).stdout


def symbols(archive):
    for line in tool("nm", archive).splitlines():
        match = re.match(r"^[0-9a-f ]{16} (\w) (\S+)$", line)
        if match:
            yield match.group(1), match.group(2)


def floating(archive):
    """Functions outside fp.S with an instruction on a floating-point or vector register."""
    found, function = set(), ""
    with tempfile.TemporaryDirectory() as folder:  # linked: sections of one object may have the same name
        image = folder + "/image"
        tool("ld", "-e", "0", "--unresolved-symbols=ignore-all", "-Ttext=0x100000", "-o", image,
             "--whole-archive", archive)
        tool("strip", "--strip-debug", "--discard-locals", image)
        text = tool("objdump", "-d", "--no-show-raw-insn", image)
    for line in text.splitlines():
        head = re.match(r"^[0-9a-f]+ <(.+)>:$", line)
        if head:
            function = head.group(1)
        elif line.startswith(" ") and FLOATING.search(line.partition("\t")[2].partition("<")[0]):
            found.add(function)
    return {name for name in found if not re.match(r"(fp|vector)_", name)}


def check(archive, left):
    wrong = []
    public = declared("cald", "caldarium.h", "devices.h")
    asked = declared("host", "host.h", "devices.h") | MEMORY
    for kind, name in symbols(archive):
        plain = re.sub(r"\.\d+$", "", name)
        if kind == "U":
            if name not in asked:
                wrong.append(("undefined", name))
        elif kind in "bBdDsSgGC":
            wrong.append(("writable", plain))
        if kind.isupper() and kind != "U" and name not in public:
            wrong.append(("visible", name))
    wrong += [("floating point", name) for name in floating(archive)]
    new = sorted({f"{what} {name}" for what, name in wrong} - left)
    for line in new:
        print(f"{archive}: {line}: not of include/caldarium/, see tests/lib/names.py")
    return {f"{what} {name}" for what, name in wrong}, not new


def main():
    listed = HERE / "names-left.txt"
    left = {line for line in listed.read_text().splitlines() if line and line[0] != "#"} if listed.exists() else set()
    seen, good = set(), True
    for archive in sys.argv[1:]:
        found, fine = check(archive, left)
        seen |= found
        good = good and fine
    for line in sorted(left - seen):
        print(f"names-left.txt: {line}: that is done; take the line out")
    missing = declared("cald", "caldarium.h", "devices.h") - {name for _, name in symbols(sys.argv[1])}
    for name in sorted(missing):
        print(f"{sys.argv[1]}: {name}() is declared in include/caldarium/caldarium.h and not there")
        good = False
    print(f"lib: {len(sys.argv) - 1} archives have only their own names" +
          (f" ({len(left & seen)} exceptions left)" if left & seen else ""))
    return 0 if good else 1


sys.exit(main())
