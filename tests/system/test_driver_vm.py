# SPDX-License-Identifier: BSD-2-Clause
"""A VM that serves disks to others: Debian's qemu-storage-daemon behind tools/caldarium-vhost."""

import hashlib
import re

from caldarium import LINUX, Machine, bundle, vm
from test_virtio import MODULES, disk, image, noise, with_nodes

IMAGES = f'storage: storage {{ data = /incbin/("{LINUX}/storage-initramfs.cpio"); }};'

# In the driver VM, serve NAME FILE FORMAT PROTOCOL [OPTION]: a back end at /tmp/NAME, which comes again when it is killed.
SERVE = ("insmod /lib/modules/virtio_mmio.ko; cd /tmp; serve() { "
         "while [ ! -e stop ]; do rm -f /tmp/$1; qemu-storage-daemon --pidfile /tmp/$1.pid "
         "--blockdev driver=$4,discard=unmap,filename=$2,node-name=f --blockdev driver=$3,file=f,discard=unmap,node-name=d "
         "--export type=vhost-user-blk,id=e,node-name=d,writable=on,addr.type=unix,addr.path=/tmp/$1$5; done & }; ")


def store(run, **properties):
    node = vm("store", mib=384, ramdisk="storage", run=SERVE + run, **properties)
    return "store: " + node


def client(run, *names, **properties):
    """With a disk of each name; of `cow` the driver VM sees a window alone."""
    nodes = [f'{name} {{ compatible = "virtio,block"; backend = <&store>; share = "{"window" if name == "cow" else "all"}"; }};'
             for name in names]
    return with_nodes(vm("web", ramdisk="programs", run=MODULES + run, **properties), " ".join(nodes))


def test_disks_of_another_vm(tmp_path):
    """Linux writes to, reads and discards disks that are files in another Linux, raw and qcow2, which finds there what was
    written and flushed, although its back ends are killed; with IMSICs."""
    web = client("dd if=/dev/zero bs=4k count=1 status=none | tr '\\0' w >/tmp/w; for n in 0 1 2 3; do cat /tmp/w; done >/tmp/d; "
                 "for disk in /dev/vda /dev/vdb; do dd if=/tmp/d of=$disk bs=4k seek=16 conv=fsync status=none; "
                 "dd if=/tmp/d of=$disk bs=4k seek=512 conv=fsync status=none; blkdiscard -o 2097152 -l 16384 $disk; done; "
                 "echo 3 >/proc/sys/vm/drop_caches; for disk in /dev/vda /dev/vdb; do sha256sum <$disk; "
                 "blockdev --getsz $disk; done; grep virtio /proc/interrupts; echo all written; read key", "raw", "cow")
    end = ("read key; >stop; for name in raw cow; do kill -9 $(cat $name.pid); done; sha256sum <r; qemu-img check c; "
           "qemu-img convert -O raw c converted; sha256sum <converted; du -k r c")
    run = ("dd if=/dev/zero of=r bs=1M count=0 seek=4 status=none; qemu-img create -q -f qcow2 -o cluster_size=4k c 4M; serve raw r raw file; "
           f"serve cow c qcow2 file; caldarium-vhost web/raw=/tmp/raw web/cow=/tmp/cow & {end}")
    path = bundle(tmp_path, store(run), web, images=IMAGES)
    with Machine(path, smp=2, memory="2G", machine="virt,aia=aplic-imsic") as machine:
        machine.expect("vm web: waits for device raw, which VM store serves")
        machine.expect("all written")
        for key in "21":
            machine.front(int(key))
            machine.send("\r")
        text = machine.wait_end()
    data = bytearray(4 << 20)
    data[65536:65536 + 16384] = b"w" * 16384
    assert len(re.findall(hashlib.sha256(data).hexdigest(), text)) >= 4, text
    assert len(re.findall(r"\b8192\b", text)) >= 2 and "No errors were found" in text, text
    sizes = {name: int(kib) for kib, name in re.findall(r"(?m)(\d+)\t([rc])$", text)}
    assert sizes["r"] == 16, text # what was discarded takes no room


def test_back_ends_that_die(tmp_path):
    """A VM writes all the time, and nothing of it is lost: it is reset, the back end is killed, the daemon is, the driver
    VM is reset. Each goes on when the other is there again."""
    write = ("cat /dev/vda >/tmp/copy; n=0; while [ ! -e /tmp/stop ]; do dd if=/dev/urandom of=/tmp/b bs=4k count=3 status=none; "
             "for to in /tmp/copy /dev/vda; do dd if=/tmp/b of=$to bs=4k seek=$((n * 3 % 240)) conv=notrunc,fsync status=none || "
             "echo FAILED; done; n=$((n + 1)); [ $((n % 4)) = 0 ] && echo wrote $n; done")
    web = client("w() { " + write + "; }; w & read key; >/tmp/stop; wait; echo 3 >/proc/sys/vm/drop_caches; "
                 "cmp /tmp/copy /dev/vda && sha256sum </dev/vda | sed s/^/web:/", "disk")
    blob = noise(1 << 20)
    run = ("insmod /lib/modules/virtio_blk.ko; serve disk /dev/vda raw host_device ,writethrough=on; "
           "caldarium-vhost web/disk=/tmp/disk & "
           "while read what; do case $what in end) break;; back) kill -9 $(cat disk.pid);; front) killall -9 caldarium-vhost; "
           "caldarium-vhost web/disk=/tmp/disk & ;; esac; done; sync; echo 3 >/proc/sys/vm/drop_caches; "
           "sha256sum </dev/vda | sed s/^/store:/")
    driver = with_nodes(store(run, restart_limit="<1>"), disk("data", "blob", "copy-on-write = <0x200000>;"))
    path = bundle(tmp_path, driver, web, images=IMAGES + image(tmp_path, "blob", blob))
    with Machine(path, smp=2, memory="2G") as machine:
        machine.expect("wrote 4")
        machine.request("reset web", "vm web: started")
        machine.expect("wrote 4")
        machine.front(1)
        for what, said in (("back", "is gone.*tmp/disk is there"), ("front", "tmp/disk is there")):
            machine.send(f"{what}\r")
            machine.expect(said)
            machine.expect(r"wrote \d+.*wrote \d+")
        machine.request("reset store", "vm store: started")
        machine.expect("tmp/disk is there")
        machine.expect(r"wrote \d+.*wrote \d+")
        machine.front(2)
        machine.send("\r")
        machine.expect("web:[0-9a-f]{64}")
        machine.front(1)
        machine.send("end\r")
        text = machine.wait_end()
    sums = dict(re.findall(r"(web|store):([0-9a-f]{64})", text))
    assert sums["web"] == sums["store"] != hashlib.sha256(blob).hexdigest(), sums
    assert "FAILED" not in text and "I/O error" not in text, text


def test_nodes_that_can_not_be(tmp_path):
    def node(name, properties, **more):
        disk_node = f'disk {{ compatible = "virtio,block"; {properties} }};'
        return f"{name}: " + with_nodes(vm(name, kernel="minikernel", mib=16, **more), disk_node)

    reference = "property backend of node disk: a reference to another VM's node is expected"
    wrong = {
        "self": ("backend = <&self>;", reference),
        "number": ("backend = <0x1234>;", reference),
        "image": ("backend = <&blob>;", reference),
        "word": ('backend = "driver";', reference),
        "both": ("backend = <&driver>; read-only;", "node disk: with property backend there is no image, read-only"),
        "share": ('backend = <&driver>; share = "some";', 'property share of node disk: "all" or "window" is expected'),
        "alone": ('share = "all"; read-only;', "property share of node disk: property backend is expected beside it"),
        "old": ("backend = <&driver>; legacy;", "node disk: with property backend there is no image, read-only"),
        "refused": ("backend = <&self>;", "property backend of node disk: VM self is refused"),
        "next": ("backend = <&refused>;", "property backend of node disk: VM refused is refused"),
        "tree": ("backend = <&own>;", "property backend of node disk: VM own has a tree of its own (fdt)"),
    }
    nodes = [node(name, properties) for name, (properties, _) in wrong.items()]
    ranges = ", ".join(f"<0x0 {0x80000000 + n * 0x1000000:#x} 0x0 0x1000>" for n in range(8))
    nodes.append(node("ranges", "backend = <&driver>;", memory=ranges))
    wrong["ranges"] = "", "property memory: at most 7 ranges, with property backend of disk"
    driver = "driver: " + vm("driver", kernel="minikernel", mib=16)
    own = "own: " + vm("own", kernel="minikernel", mib=16, fdt="<&blob>")
    good = node("good", "backend = <&driver>;")
    path = bundle(tmp_path, driver, own, good, *nodes, images=image(tmp_path, "blob", noise(4096)))
    with Machine(path, smp=1) as machine:
        machine.expect("vm good: waits for device disk, which VM driver serves")
        machine.expect("mini> ")
        shown = machine.monitor("map driver")
        assert re.search(r"0x0081000000 .* RAM of VM good, which it serves", shown), shown
        assert re.search(r"0x0082000000 .* rings of the devices it serves", shown), shown
        machine.request("stop good", "vm good: stopped")
    for name, (_, reason) in wrong.items():
        assert [line for line in machine.output.splitlines() if f"vm {name}: " in line and reason in line], name
