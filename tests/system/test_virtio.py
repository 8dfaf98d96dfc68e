# SPDX-License-Identifier: BSD-2-Clause
"""Virtio devices that Caldarium itself is: disks out of the bundle, random bytes."""

import hashlib
import os
import re

import pytest
from caldarium import Machine, board_tree, bundle, vm

MODULES = "for m in virtio_mmio virtio_blk; do insmod /lib/modules/$m.ko; done; "


def disk(name, label, how):
    return f'{name} {{ compatible = "virtio,block"; image = <&{label}>; {how} }};'


def image(folder, label, data):
    path = os.path.join(folder, label)
    with open(path, "wb") as file:
        file.write(data)
    return f'{label}: {label} {{ data = /incbin/("{path}"); }};'


def with_nodes(node, nodes):
    """The VM's node with nodes of its own below it."""
    assert node.endswith("};")
    return f"{node[:-2]} {nodes} }};"


def noise(bytes_):
    return b"".join(hashlib.sha256(n.to_bytes(8, "little")).digest() for n in range(bytes_ // 32))


@pytest.mark.parametrize("chip", ("plic", "aplic"))
def test_a_disk_to_read(tmp_path, chip):
    """Linux reads what is in the bundle, and can't write to it."""
    data = noise(3 << 20)
    node = vm("web", vcpus=2, ramdisk="programs", irqchip=f'"{chip}"',
              run=MODULES + "sha256sum /dev/vda; blockdev --getro /dev/vda; blockdev --getsz /dev/vda; "
                            "echo x | dd of=/dev/vda 2>&1; cat /sys/block/vda/serial; grep virtio /proc/interrupts")
    path = bundle(tmp_path, with_nodes(node, disk("data", "blob", "read-only;")), images=image(tmp_path, "blob", data))
    with Machine(path, smp=2) as machine:
        text = machine.wait_end()
    assert hashlib.sha256(data).hexdigest() in text, text
    assert re.search(r"\n1\r?\n6144\r?\n", text) and "Operation not permitted" in text, text
    assert re.search(r"data\s+\d+:\s+[1-9]\d* .*virtio", text), text


def changed(data, writes):
    """What is on a disk after writes of (offset, bytes)."""
    data = bytearray(data)
    for offset, piece in writes:
        data[offset:offset + len(piece)] = piece
    return hashlib.sha256(data).hexdigest()


def test_a_disk_to_write(tmp_path):
    """What is written stays over a reset, and the image beside it as it was: two VMs have the same. A disk whose size
    ends within a page; requests of many pages and of one sector."""
    data = noise((2 << 20) + 3 * 512)
    writes = [(4096 * 5, data[512 * 7:512 * 7 + (1 << 20)]), (len(data) - 512, data[:512]), (512, data[1024:1536])]
    say = "sha256sum /dev/vda | sed s/^/$1:/"
    dd = "dd if=/tmp/data of=/dev/vda conv=notrunc bs=512 status=none"
    run = (MODULES + f"say() {{ {say}; }}; say first; if [ $(blockdev --getro /dev/vda) = 0 ]; then cat /dev/vda >/tmp/data; "
           f"{dd} skip=7 seek=40 count=2048 && {dd} skip=0 seek=4098 count=1 && {dd} skip=2 seek=1 count=1; "
           "sync; echo 3 >/proc/sys/vm/drop_caches; say written; reboot -f; fi")
    nodes = [with_nodes(vm("web", vcpus=2, ramdisk="programs", run=run, restart_limit="<1>"),
                        disk("data", "blob", "copy-on-write = <0x300000>;")),
             with_nodes(vm("db", ramdisk="programs", run="read key; " + MODULES + say.replace("$1", "db")),
                        disk("data", "blob", "read-only;"))]
    with Machine(bundle(tmp_path, *nodes, images=image(tmp_path, "blob", data)), smp=2) as machine:
        machine.expect(f"first:{hashlib.sha256(data).hexdigest()}")
        after = changed(data, writes)
        machine.expect(f"written:{after}")
        machine.expect("vm web: starts again")
        machine.expect(f"first:{after}")
        machine.expect("restart-limit")
        machine.front(2)
        machine.send("\r")
        assert f"db:{hashlib.sha256(data).hexdigest()}" in machine.wait_end()


def test_no_more_room_for_what_is_written(tmp_path):
    run = (MODULES + "dd if=/dev/zero of=/dev/vda bs=4k count=16 conv=fsync 2>&1; dd if=/dev/zero of=/dev/vda bs=4k count=17 "
                     "conv=fsync 2>&1; echo end; sha256sum /dev/vda")
    node = with_nodes(vm("web", ramdisk="programs", run=run), disk("data", "blob", "copy-on-write = <0x10000>;"))
    with Machine(bundle(tmp_path, node, images=image(tmp_path, "blob", noise(1 << 20))), smp=1) as machine:
        text = machine.wait_end()
    assert "vm web: device data: all 64 KiB for what is written are in use: writes fail" in text
    first, second = text.split("16+0 records out")
    assert "error" not in first and "I/O error" in second, text
    assert changed(noise(1 << 20), [(0, bytes(1 << 16))]) in second, text


@pytest.mark.parametrize("how", ("", "legacy;"), ids=("modern", "legacy"))
def test_the_minikernel_and_its_disk(tmp_path, how):
    """A driver of forty lines, for either version of the registers."""
    node = with_nodes(vm("mini", kernel="minikernel", mib=16), disk("data", "blob", f"copy-on-write = <0x200000>; {how}"))
    with Machine(bundle(tmp_path, node, images=image(tmp_path, "blob", noise(1 << 20))), smp=1) as machine:
        machine.expect("minikernel: disk of 2048 sectors")
        machine.expect("mini> ")
        machine.send("test\r")
        output = machine.expect("test: (all ok|something FAILED)")
        assert "test: disk ok" in output, output


def test_linux_and_a_legacy_disk(tmp_path):
    data = noise(1 << 20)
    run = MODULES + "sha256sum /dev/vda; cat /sys/bus/virtio/devices/virtio0/features"
    node = with_nodes(vm("web", ramdisk="programs", run=run), disk("data", "blob", "read-only; legacy;"))
    with Machine(bundle(tmp_path, node, images=image(tmp_path, "blob", data)), smp=1) as machine:
        text = machine.wait_end()
    assert hashlib.sha256(data).hexdigest() in text, text
    features = re.search(r"(?m)^[01]{64}", text).group()
    assert features[28] == features[29] == features[5] == "1" and features[32] == "0", features # no version 1


def test_random_bytes(tmp_path):
    """They can't be packed, and are never the same."""
    run = ("insmod /lib/modules/virtio_mmio.ko; insmod /lib/modules/virtio-rng.ko; cat /sys/class/misc/hw_random/rng_current; "
           "for n in 1 2; do dd if=/dev/hwrng of=/tmp/$n bs=4096 count=16 status=none; gzip -c /tmp/$n | wc -c; done; "
           "cmp -s /tmp/1 /tmp/2 || echo they differ")
    node = with_nodes(vm("web", vcpus=2, ramdisk="programs", run=run), 'rng { compatible = "virtio,entropy"; };')
    with Machine(bundle(tmp_path, node), smp=2) as machine:
        text = machine.wait_end()
    sizes = [int(size) for size in re.findall(r"(?m)^(\d+)\r?$", text)]
    assert "virtio_rng.0" in text and len(sizes) == 2 and min(sizes) >= 65536 and "they differ" in text, text


def test_a_console(tmp_path):
    """hvc0 in Linux: output that is more than the line takes at once comes whole while the VM is in front, and with its
    name when it isn't; keys, a long paste among them, and Ctrl-A, which is Caldarium's."""
    run = ("cat /sys/class/tty/console/active; grep -c . /proc/consoles; seq 1 3000; stty -echo; read line; echo got:$line; "
           "echo paste; dd bs=1 count=3000 status=none | tr -d '\\n' | sha256sum; read key; echo behind; read key; grep virtio /proc/interrupts")
    node = vm("web", vcpus=2, ramdisk="programs", console='"virtio"', bootargs="console=hvc0 quiet vm=web", run=run)
    with Machine(bundle(tmp_path, node), smp=2) as machine:
        machine.expect(r"hvc0\r*\n1\r*\n")
        shown = machine.expect(r"\n3000\r*\n")
        assert [int(n) for n in re.findall(r"(?m)^(\d+)\r*$", shown)] == list(range(1, 3001)), shown
        assert re.search(r"0x0010001000 .* virtio console console", machine.monitor("map web"))
        machine.front(1)
        machine.send("hello \x01\x01\r")
        machine.expect("got:hello \x01")
        machine.expect("paste")
        lines = ["%099d\r" % n for n in range(30)]
        machine.send("".join(lines))
        machine.expect(hashlib.sha256("".join(lines).replace("\r", "").encode()).hexdigest())
        machine.send("\r\x01m")
        machine.expect(r"\[web\] behind")
        machine.front(1)
        machine.send("\r")
        assert re.search(r"\d+:\s+[1-9]\d* .*virtio", machine.wait_end())


def test_no_seed_no_random_bytes(tmp_path):
    tree = board_tree(tmp_path, lambda text: re.sub(r"rng-seed = [^;]*;", "", text), smp=1, append="when-done=poweroff")
    node = with_nodes(vm("bad", kernel="minikernel", mib=16), 'rng { compatible = "virtio,entropy"; };')
    with Machine(bundle(tmp_path, node), smp=1, extra=("-dtb", tree)) as machine:
        assert "vm bad: node rng: the board's tree has no rng-seed of 32 bytes" in machine.wait_end()


def test_disks_that_can_not_be(tmp_path):
    images = image(tmp_path, "blob", noise(4096)) + image(tmp_path, "odd", b"x" * 513)
    wrong = {
        "kind": ('disk { image = <&blob>; };', "node disk: its compatible is no device's; \"virtio,block\" is one"),
        "none": ('disk { compatible = "virtio,block"; read-only; };', "node disk: property image or backend is missing"),
        "odd": (disk("disk", "odd", "read-only;"), "image odd has 513: a multiple of 512 bytes is expected"),
        "how": (disk("disk", "blob", ""), "either property read-only or copy-on-write is expected"),
        "both": (disk("disk", "blob", "read-only; copy-on-write = <4096>;"), "either property read-only or"),
        "limit": (disk("disk", "blob", "copy-on-write = <100>;"), "property copy-on-write of node disk: a multiple of 4096"),
        "word": (disk("disk", "blob", "read-only; colour;"), "node disk: property colour is unknown"),
        "below": (disk("disk", "blob", "read-only; part { };"), "node disk: no node is expected below it"),
        "many": ("".join(disk(f"d{n}", "blob", "read-only;") for n in range(9)), "node d8: more than 8 virtio devices"),
        "console": ("".join(disk(f"d{n}", "blob", "read-only;") for n in range(8)),
                    "property console: none of the 8 virtio-mmio slots is free"),
        "taken": ("".join(disk(f"d{n}", "blob", "read-only;") for n in range(8)), "node d7: none of the 8 virtio-mmio slots"),
    }
    properties = {"console": {"console": '"virtio"'},
                  "taken": {"shared_memory": '"ring", <0x0 0xb0000000 0x0 0x10000 3>'}} # its interrupt is a slot's
    nodes = [with_nodes(vm(name, kernel="minikernel", mib=16, **properties.get(name, {})), node)
             for name, (node, _) in wrong.items()]
    # The limit is larger than the disk: no more is taken than that.
    good = with_nodes(vm("good", kernel="minikernel", mib=16), disk("disk", "blob", "copy-on-write = <1 0>;"))
    with Machine(bundle(tmp_path, good, *nodes, images=images), smp=1) as machine:
        machine.expect("mini> ")
        assert re.search(r"0x0010001000 .* virtio block disk", machine.monitor("map good"))
        for word in ("save", "restore"):
            assert f"{word}: good: it has virtio devices" in machine.monitor(f"{word} good")
    for name, (_, reason) in wrong.items():
        assert [line for line in machine.output.splitlines() if f"vm {name}: " in line and reason in line], name
