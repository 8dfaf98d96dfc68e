# SPDX-License-Identifier: BSD-2-Clause
"""A machine in QEMU that runs Caldarium, as a person at its serial port sees it."""

import base64
import os
import re
import subprocess
import time

import pexpect
import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
IMAGE = os.environ.get("CALDARIUM_BIN", os.path.join(BUILD, "caldarium.bin"))
LINUX = os.path.join(BUILD, "guests", "linux")
QEMU = os.environ.get("QEMU", "qemu-system-riscv64")
# CALDARIUM_FIRMWARE=path: SBI firmware in place of the one that QEMU brings.
FIRMWARE = os.environ.get("CALDARIUM_FIRMWARE")
CACHE = (os.environ.get("CALDARIUM_CACHE") or
         (os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) + "/caldarium")

# The board that tests run on which don't ask for a certain one: CALDARIUM_MACHINE=virt,aia=aplic-imsic
# runs them all on that.
MACHINE = os.environ.get("CALDARIUM_MACHINE", "virt")
# CALDARIUM_ENGINE=shadow: every machine of the tests has harts without the H extension.
ENGINE = os.environ.get("CALDARIUM_ENGINE", "h")
needs_h = pytest.mark.skipif(ENGINE == "shadow", reason="it is about engine h")

# Waits end with an event. This is only how long a test waits before it says that none came; the
# machines that run it are slow and shared.
PATIENCE_S = int(os.environ.get("CALDARIUM_PATIENCE", "300"))

MIB = 1 << 20


def run64(command):
    """The word of Linux's command line that has tools/initramfs/init run a shell command and power off."""
    return "run64=" + base64.b64encode(command.encode()).decode()


def make_initramfs(path, files):
    """Like the usual one, and with `files`, each as SOURCE=PATH."""
    subprocess.run([f"{ROOT}/tools/mkinitramfs", "--busybox", f"{CACHE}/guest/busybox", "--init",
                    f"{ROOT}/tools/initramfs/init", "--output", path,
                    *(word for file in files for word in ("--add", file))], check=True)


# What a Linux that is well never says; a shell command prints such lines of its log.
COMPLAINTS = "BUG|WARNING|Oops|Call Trace"
PRINT_COMPLAINTS = f"dmesg | grep -E '{COMPLAINTS}'"


def vm(name, *, vcpus=1, mib=256, kernel="linux", ramdisk="initramfs", bootargs=None, run=None,
       memory=None, **properties):
    """A VM's node. `run` is a shell command for Linux, which powers off after it. A property that is
    None is left out; the values of `properties` are written as they are (a_b becomes a-b; True: without a value)."""
    if kernel in ("virtio", "minikernel", "life", "hostile", "defects", "bench", "serial", "source", "counters"):  # they know no other
        properties.setdefault("irqchip", '"plic"')
    if bootargs is None and kernel == "linux":
        bootargs = f"console=ttyS0 quiet vm={name}"
    if run is not None:
        bootargs += " " + run64(run)
    lines = ['compatible = "caldarium,vm";',
             f"memory = {memory or f'<0x0 0x80000000 {mib * MIB >> 32:#x} {mib * MIB & 0xffffffff:#x}>'};",
             f"vcpus = <{vcpus}>;"]
    if kernel:
        lines.append(f"kernel = <&{kernel}>;")
    if ramdisk and kernel == "linux":
        lines.append(f"ramdisk = <&{ramdisk}>;")
    if bootargs:
        lines.append(f'bootargs = "{bootargs}";')
    lines += [f"{key.replace('_', '-')}{'' if value is True else f' = {value}'};"
              for key, value in properties.items()]
    return f"{name} {{ {' '.join(lines)} }};"


# What a VM's `kernel` and `ramdisk` may name: built by this project or fetched by its set-up.
IMAGES = {"linux": f"{LINUX}/Image", "initramfs": f"{LINUX}/initramfs.cpio.gz",
          "programs": f"{LINUX}/test-initramfs.cpio.gz",
          **{name: f"{BUILD}/guests/{name}.bin"
             for name in ("virtio", "wild", "minikernel", "life", "hostile", "dma", "diff", "ipi", "defects", "bench", "flood", "serial", "source", "csrs", "counters", "code")}}

# An endless loop, `j .`: the smallest guest there is, for tests that only want a neighbour.
LOOP = "loop: loop { data = [6f 00 00 00]; };"


def bundle(folder, *vms, images="", root=""):
    """Packs the VMs and those of the known images that they name into a bundle, with other nodes of the root;
    returns its path."""
    nodes = " ".join(vms)
    known = "".join(f'{name}: {name} {{ data = /incbin/("{path}"); }}; '
                    for name, path in IMAGES.items() if f"<&{name}>" in nodes)
    source = f"""/dts-v1/; / {{ compatible = "caldarium,bundle-v1";
        #address-cells = <2>; #size-cells = <2>;
        images {{ {known} {LOOP} {images} }};
        {root} vms {{ {nodes} }}; }};"""
    path = os.path.join(folder, "bundle.dtb")
    subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", path], input=source.encode(),
                   check=True)
    return path


def board_tree(folder, edit, *, smp, memory="1G", cpu="rv64", append=""):
    """The tree that QEMU makes for such a machine, as source through `edit`; returns the blob's path,
    for Machine(extra=["-dtb", path])."""
    path = os.path.join(folder, "board.dtb")
    subprocess.run([QEMU, "-M", f"{MACHINE},dumpdtb={path}", "-smp", str(smp), "-m", memory, "-cpu", cpu,
                    "-kernel", IMAGE, "-append", append, "-display", "none"], check=True,
                   capture_output=True)
    source = subprocess.run(["dtc", "-q", "-I", "dtb", "-O", "dts", path], check=True,
                            capture_output=True).stdout.decode()
    edited = edit(source)
    assert edited != source
    subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", path], input=edited.encode(),
                   check=True)
    return path


def guest_image(name):
    """The path of a system that is not ours to give out (docs/guests.md tells where to get it), in
    CALDARIUM_GUESTS or the cache's guests/, or of what set-up fetched into its firmware/; without it
    the test is skipped."""
    path = os.path.join(os.environ.get("CALDARIUM_GUESTS") or f"{CACHE}/guests", name)
    fetched = f"{CACHE}/firmware/{name}"
    if os.path.exists(path):
        return path
    if not os.path.exists(fetched):
        pytest.skip(f"{path} is not there")
    return fetched


class Machine:
    """QEMU with its serial port on our pipe."""

    def __init__(self, initrd=None, *, smp=4, memory="1G", cpu="rv64", machine=MACHINE,
                 append="when-done=poweroff", kernel=IMAGE, firmware=FIRMWARE, port=0, serial="stdio",
                 firmware_prints=False, extra=()):
        # OpenSBI from 1.6 on prints at the serial port while guests run, in the midst of their words. It
        # prints by semihosting where there is that, which is QEMU's standard output, so the port is then
        # another file: the terminal. `firmware_prints`: a test wants to see firmware's words. Other kernels
        # than Caldarium print through firmware.
        apart = firmware and kernel == IMAGE and serial == "stdio" and not firmware_prints
        if apart:
            serial = "/dev/tty"
            extra = ["-semihosting-config", "enable=on,target=native", *extra]
        args = ["-M", machine, "-smp", str(smp), "-m", memory, "-display", "none",
                "-monitor", "none", *["-serial", "null"] * port, "-serial", serial]
        if kernel:
            args += ["-kernel", kernel]
        if cpu:
            args += ["-cpu", cpu + (",h=off" if ENGINE == "shadow" else "")]
        if initrd:
            args += ["-initrd", initrd]
        if append:
            args += ["-append", append]
        if firmware:
            args += ["-bios", firmware]
        command = [QEMU, *args, *extra]
        if apart:
            command = ["/bin/sh", "-c", 'exec "$@" >/dev/null', "sh", *command]
        self.qemu = pexpect.spawn(command[0], command[1:], encoding="utf-8",
                                  codec_errors="replace", timeout=PATIENCE_S, echo=False)
        self.qemu.delaybeforesend = None
        self.output = ""
        self.passed = "" # printed before front() was done; not waited for yet
        self.commands = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.qemu.close(force=True)
        except pexpect.ExceptionPexpect: # killed, which a busy machine takes its time for
            os.waitpid(self.qemu.pid, 0)

    def _new(self, pattern, more_s=0):
        """What is printed from now on, up to the pattern and with it."""
        try:
            self.qemu.expect(pattern, timeout=PATIENCE_S + more_s)
        except (pexpect.TIMEOUT, pexpect.EOF) as error:
            raise AssertionError(f"no {pattern!r} in:\n{self.output}{self.passed}{self.qemu.before}") from error
        return self.qemu.before + self.qemu.after

    def expect(self, pattern, more_s=0):
        """Waits for a regular expression; returns what came before and with it. `more_s`: patience for
        what is known to take long."""
        match = re.search(pattern, self.passed, re.DOTALL)
        if match:
            text, self.passed = self.passed[:match.end()], self.passed[match.end():]
        else:
            text, self.passed = self.passed + self._new(pattern, more_s), ""
        text = clean(text)
        self.output += text
        return text

    def wait_end(self, more_s=0):
        """Until QEMU has ended by itself; returns all that was printed. `more_s` as for expect()."""
        self.qemu.expect(pexpect.EOF, timeout=PATIENCE_S + more_s)
        self.output += clean(self.passed + self.qemu.before)
        self.qemu.wait()
        return self.output

    def send(self, keys):
        self.output, self.passed = self.output + clean(self.passed), "" # what comes now is the answer
        self.qemu.send(keys)

    def front(self, key):
        """Puts a VM in front, by its number. What the machine printed meanwhile can still be waited
        for: an event may be faster than the switch."""
        self.send(f"\x01{key}")
        self.passed = self._new("is in front")

    def monitor(self, command):
        """A command to the monitor; returns its answer. The monitor stays in front."""
        self.send("\x01m")
        self.expect(r"caldarium> ")
        self.send(f"{command}\r")
        self.expect(re.escape(command))
        return self.expect(r"caldarium> ")

    def monitor_shows(self, command, pattern):
        """Asks until the answer has it: what a line tells of may be done just after it."""
        ask_until(pattern, lambda: self.monitor(command))

    def request(self, command, event):
        """A command whose effect comes later, or at once: waits for the line that tells of it. (The
        prompt may come before that line or after it.)"""
        self.send("\x01m")
        self.expect(r"caldarium> ")
        self.send(f"{command}\r")
        self.expect(event)

    def guest(self, command):
        """A command to the busybox shell of the VM in front; returns what it printed."""
        # The marker is split in what is typed, so that only the answer has it whole; it is another
        # one each time and waited for with its line's end, since a console that comes to the front
        # shows its unfinished line once more.
        self.commands += 1
        self.send(f"{command}; echo d''one-{self.commands} $?\r")
        text = self.expect(rf"done-{self.commands} \d+\r*\n")
        assert text.rstrip().endswith(" 0"), text
        return text

    def check_minikernel(self):
        """The minikernel in front runs its own tests, from its prompt."""
        self.send("test\r")
        assert "all ok" in self.expect(r"test: (all ok|something FAILED)")

    def exits(self, name):
        """A VM's exits so far, by their names in the monitor's `stats`."""
        table = re.findall(r"^(\S.*?\S) +(\d+) +\d+\.\d%$", self.monitor(f"stats {name}"), re.MULTILINE)
        return {reason: int(count) for reason, count in table}

    def free_kib(self):
        return int(re.search(r"free\s+(\d+) KiB", self.monitor("memory")).group(1))


def ask_until(pattern, ask):
    """Calls ask() again until what it returns has the pattern."""
    end = time.monotonic() + PATIENCE_S
    while not re.search(pattern, text := ask()):
        assert time.monotonic() < end, f"no {pattern!r} in:\n{text}"


def clean(text):
    """Without carriage returns and terminal sequences."""
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]|\r", "", text)
