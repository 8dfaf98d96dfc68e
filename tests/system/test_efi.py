# SPDX-License-Identifier: BSD-2-Clause
"""The image as an EFI application: started by EDK2, by its shell, and by GRUB under EDK2 and U-Boot."""

import os
import shutil

import pytest

from caldarium import BUILD, IMAGE, Machine, bundle, guest_image, vm

MENU = """set timeout=0
menuentry Caldarium {
    linux /caldarium.bin when-done=poweroff
    initrd /bundle.dtb
}
"""
NO_ACPI = "virt,acpi=off"


def edk2():
    """Its code and its variables; what it writes there is thrown away."""
    return ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={guest_image('edk2-code.fd')}",
            "-drive", f"if=pflash,unit=1,format=raw,snapshot=on,file={guest_image('edk2-vars.fd')}"]


def disk(folder):
    return ["-drive", f"if=none,id=d,file=fat:{folder},format=raw,readonly=on",
            "-device", "virtio-blk-device,drive=d"]


def mini(tmp_path):
    return bundle(tmp_path, vm("mini", kernel="minikernel", mib=16))


def grub_disk(tmp_path, path):
    folder = tmp_path / "disk"
    for name in ("EFI/BOOT", "EFI/debian"):
        os.makedirs(folder / name)
    shutil.copy(guest_image("grubriscv64.efi"), folder / "EFI/BOOT/BOOTRISCV64.EFI")
    (folder / "EFI/debian/grub.cfg").write_text(MENU)
    shutil.copy(IMAGE, folder / "caldarium.bin")
    shutil.copy(path, folder / "bundle.dtb")
    return disk(folder)


def check_mini(machine):
    machine.expect("Caldarium [0-9.]+, a hypervisor for RISC-V")
    machine.expect("mini> ")
    machine.check_minikernel()
    machine.send("off\r")
    assert "vm mini: powered off" in machine.wait_end()


def test_edk2_loads_it_with_its_initrd(tmp_path):
    """What QEMU was given as -kernel, -initrd and -append comes by EDK2's own protocols."""
    with Machine(mini(tmp_path), smp=2, machine=NO_ACPI, extra=edk2()) as machine:
        check_mini(machine)


def test_no_device_tree(tmp_path):
    with Machine(mini(tmp_path), smp=1, machine="virt,acpi=on", extra=edk2()) as machine:
        machine.expect("caldarium: EFI: the firmware gives no device tree, and ACPI alone is not enough")


def test_shell(tmp_path):
    """By hand: files that are not there, and no files, are one line, after which the shell goes on."""
    folder = tmp_path / "disk"
    os.makedirs(folder / "sub")
    shutil.copy(IMAGE, folder / "c.efi")
    shutil.copy(mini(tmp_path), folder / "sub/mini.dtb")
    (folder / "empty").write_text("")
    (folder / "startup.nsh").write_text(
        "fs0:\r\nc.efi bundle=none.dtb\r\nc.efi bundle=\\empty\r\nc.efi bundle=\\sub\r\n"
        f"c.efi bundle={'x' * 256}\r\nc.efi bundle=/sub/mini.dtb when-done=poweroff\r\n")
    with Machine(smp=2, machine=NO_ACPI, kernel=None, append="", extra=edk2() + disk(folder)) as machine:
        machine.expect("EFI: there is no file none.dtb where the image came from")
        machine.expect(r"EFI: the file \\empty is empty, or no file")
        machine.expect(r"EFI: the file \\sub is empty, or no file")
        machine.expect("EFI: a file's name in the options is longer than 255 characters")
        check_mini(machine)


def test_grub_under_uboot(tmp_path):
    with Machine(smp=2, kernel=guest_image("u-boot.bin"), append="",
                 extra=grub_disk(tmp_path, mini(tmp_path))) as machine:
        machine.expect("Booting .Caldarium'")
        check_mini(machine)


def test_grub_under_edk2_starts_the_demo(tmp_path):
    demo = os.path.join(BUILD, "configs", "two-linux.dtb")
    with Machine(smp=4, memory="2G", machine=NO_ACPI, kernel=None, append="",
                 extra=edk2() + grub_disk(tmp_path, demo)) as machine:
        machine.expect("Booting .Caldarium'")
        machine.expect("web:~#")
        machine.front(2)
        machine.expect("db:~#")
        for number, name in enumerate(["web", "db"], 1):
            machine.front(number)
            assert f"\n{name}\n2\n" in machine.guest("hostname; nproc")
            machine.send("poweroff -f\r")
            machine.expect(f"vm {name}: stopped")
        assert "powered off" in machine.wait_end()


@pytest.mark.parametrize("options, line", [
    ("", "no bundle: "), ("nonsense=1", "option nonsense=1 in /chosen/bootargs is unknown"),
    ("bundle=/bundle.dtb", "EFI: there is no file /bundle.dtb where the image came from")])
def test_options(tmp_path, options, line):
    """U-Boot gives its bootargs as LoadOptions; the image came from memory. Without a bundle the monitor
    runs; what is named must be there."""
    folder = tmp_path / "disk"
    os.makedirs(folder)
    shutil.copy(IMAGE, folder / "CALDAR.BIN")
    shutil.copy(mini(tmp_path), folder / "bundle.dtb")
    with Machine(smp=1, kernel=guest_image("u-boot.bin"), append="", extra=disk(folder)) as machine:
        machine.expect("Hit any key to stop autoboot")
        machine.send("\r")
        machine.expect("=> ")
        machine.send(f"setenv bootargs {options}\r")
        machine.expect("=> ")
        machine.send("virtio scan; load virtio 0:1 $kernel_addr_r CALDAR.BIN; "
                     "bootefi $kernel_addr_r:$filesize $fdtcontroladdr\r")
        machine.expect(line)
        machine.expect("=> " if "bundle" in options else "caldarium> ")
