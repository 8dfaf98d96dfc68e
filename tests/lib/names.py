# SPDX-License-Identifier: BSD-2-Clause
"""What a libcaldarium.a shows, asks for and could write to: names.py ARCHIVE...

- visible: only cald_* functions that include/caldarium/*.h declare;
- undefined: only host_* functions that these declare, and MEMORY;
- writable: no data at all, since two hosts' machines may live beside each other;
- floating point: no instruction but in fp.S: a guest's registers are live while the library runs.

Besides, the sources in lib/ use no format that lib/common/line.h doesn't know.
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


def declared(prefix):
    text = "".join(header.read_text() for header in HEADERS.glob("*.h"))
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
        elif line.startswith(" ") and FLOATING.search(re.split("[<#]", line.partition("\t")[2])[0]):
            found.add(function)
    return {name for name in found if not re.match(r"(fp|vector)_", name)}


def check(archive):
    """What is wrong with an archive, a line each."""
    public, asked = declared("cald"), declared("host") | MEMORY
    names = set()
    for kind, name in symbols(archive):
        names.add(name)
        if kind == "U" and name not in asked:
            yield f"{name} is undefined, and none of the host's functions"
        elif kind in "bBdDsSgGC":
            yield f"{name} is data that could be written to"
        if kind.isupper() and kind != "U" and name not in public:
            yield f"{name} is visible, and in no public header"
    for name in public - names:
        yield f"{name}() is declared in a public header, and not there"
    for name in floating(archive):
        yield f"{name} uses a floating-point or vector register"


def formats():
    """Calls of line_*() with a format that is printf's alone."""
    for source in sorted((HEADERS.parent.parent / "lib").glob("**/*.[ch]")):
        for call in re.findall(r"\b(?:line_\w+|vcpu_fault)\(([^;]*);", source.read_text()):
            for text in re.findall(r'"((?:[^"\\]|\\.)*)"', call):
                for odd in re.findall(r"%(?![-#0]*\d*(?:[sc%]|l?[ux]))\S*", text):
                    yield f"{source.relative_to(HEADERS.parent.parent)}: {odd}: a format that line_print() doesn't know"


def main():
    wrong = [f"{archive}: {line}" for archive in sys.argv[1:] for line in sorted(set(check(archive)))]
    wrong += formats()
    print("\n".join(wrong) if wrong else f"lib: {len(sys.argv) - 1} archives have only their own names")
    return bool(wrong)


sys.exit(main())
