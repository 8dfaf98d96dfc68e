# SPDX-License-Identifier: BSD-2-Clause
"""Debian's U-Boot for S-mode, and what it boots from a disk of the board."""

import os
import shutil

from caldarium import IMAGE, LINUX, Machine, bundle, guest_image, vm

DEVICES = '"/soc/virtio_mmio@10001000", "/soc/virtio_mmio@10002000"'
NETWORK = ["-netdev", "user,id=n", "-device", "virtio-net-device,netdev=n,bus=virtio-mmio-bus.1"]
GRUB_MENU = """set timeout=0
menuentry Linux {
    linux /Image console=ttyS0 quiet vm=grub
    initrd /initramfs.cpio.gz
}
"""


def uboot(tmp_path, **properties):
    image = guest_image("u-boot.bin")
    node = vm("u-boot", kernel="uboot", **properties)
    return bundle(tmp_path, node, images=f'uboot: uboot {{ data = /incbin/("{image}"); }};')


def with_devices(tmp_path, **properties):
    """Where it is linked; its first stack lies below."""
    return uboot(tmp_path, memory="<0 0x80100000 0 0x1ff00000>", load_address="<0x80200000>",
                 direct_map=True, allow_unprotected_dma=True, passthrough=DEVICES, **properties)


def prompt(machine):
    machine.expect("Hit any key to stop autoboot")
    machine.send("\r")
    machine.expect("=> ")


def ask(machine, command, answer):
    machine.send(f"{command}\r")
    machine.expect(answer)
    machine.expect("=> ")


def test_prompt(tmp_path):
    with Machine(uboot(tmp_path, mib=256), smp=1) as machine:
        prompt(machine)
        assert "Model: caldarium,vm" in machine.output
        ask(machine, "bdinfo", r"-> size\s+= 0x0*10000000")
        ask(machine, "mw.l 84000000 cafe 10; crc32 84000000 40", r"==> [0-9a-f]{8}")
        machine.send("reset\r")
        machine.expect("vm u-boot: starts again")
        prompt(machine)
        machine.send("poweroff\r")
        assert "vm u-boot: powered off" in machine.wait_end()


def test_network(tmp_path):
    with Machine(with_devices(tmp_path), smp=1, extra=NETWORK) as machine:
        prompt(machine)
        ask(machine, "setenv autoload no; dhcp", "DHCP client bound to address 10.0.2.15")
        ask(machine, "ping 10.0.2.2", "host 10.0.2.2 is alive")


def test_linux_as_efi_application(tmp_path):
    """From U-Boot's prompt: the kernel's own EFI stub, from a disk of the board."""
    shutil.copy(f"{LINUX}/Image", tmp_path)
    with Machine(with_devices(tmp_path), smp=1, extra=disk(tmp_path)) as machine:
        prompt(machine)
        ask(machine, "virtio scan; load virtio 0:1 $kernel_addr_r Image", r"\d+ bytes read in")
        machine.send("setenv bootargs console=ttyS0 panic=-1; bootefi $kernel_addr_r:$filesize $fdtcontroladdr\r")
        machine.expect("efi: EFI v[0-9.]+ by Das U-Boot")
        machine.expect("Kernel panic - not syncing: VFS: Unable to mount root fs")
        machine.expect("vm u-boot: starts again") # panic=-1


def disk(folder):
    return ["-drive", f"if=none,id=d,file=fat:{folder},format=raw,readonly=on",
            "-device", "virtio-blk-device,drive=d,bus=virtio-mmio-bus.0"]


def test_grub_boots_linux(tmp_path):
    """Without a key pressed: U-Boot finds GRUB on the disk, GRUB its menu, a Linux and its initramfs."""
    folder = tmp_path / "disk"
    for path in ("EFI/BOOT", "EFI/debian"):
        os.makedirs(folder / path)
    shutil.copy(guest_image("grubriscv64.efi"), folder / "EFI/BOOT/BOOTRISCV64.EFI")
    (folder / "EFI/debian/grub.cfg").write_text(GRUB_MENU)
    for name in ("Image", "initramfs.cpio.gz"):
        shutil.copy(f"{LINUX}/{name}", folder)
    with Machine(with_devices(tmp_path, vcpus=2), smp=2, extra=disk(folder)) as machine:
        machine.expect("Booting .Linux'")
        machine.expect("init: grub")
        assert "cpus: 2" in machine.guest("echo cpus: $(nproc)")
        machine.send("poweroff -f\r")
        assert "vm u-boot: powered off" in machine.wait_end()


def test_uboot_of_the_board_starts_caldarium(tmp_path):
    """The other way round: Caldarium in place of a Linux Image. As booti's ramdisk U-Boot would take
    the bundle for a FIT, which is a device tree blob too: it is named in /chosen by hand."""
    folder = tmp_path / "disk"
    os.makedirs(folder)
    shutil.copy(IMAGE, folder / "CALDAR.BIN")
    shutil.copy(bundle(tmp_path, vm("mini", kernel="minikernel", mib=16)), folder / "BUNDLE.DTB")
    with Machine(smp=2, kernel=guest_image("u-boot.bin"), append="", extra=disk(folder)) as machine:
        prompt(machine)
        ask(machine, "virtio scan; load virtio 0:1 $kernel_addr_r CALDAR.BIN", r"\d+ bytes read in")
        ask(machine, "load virtio 0:1 $ramdisk_addr_r BUNDLE.DTB", r"\d+ bytes read in")
        ask(machine, "fdt addr $fdtcontroladdr; fdt resize 1000; setexpr end $ramdisk_addr_r + $filesize; "
                     "fdt chosen $ramdisk_addr_r $end", "fdt chosen")
        machine.send("setenv bootargs when-done=poweroff; booti $kernel_addr_r - $fdtcontroladdr\r")
        machine.expect("Caldarium [0-9.]+, a hypervisor for RISC-V")
        machine.expect("mini> ")
        machine.send("off\r")
        assert "vm mini: powered off" in machine.wait_end()
