# SPDX-License-Identifier: BSD-2-Clause
"""Devices of the board in a guest's hands: disks, networks, clocks."""

import hashlib
import http.server
import os
import re
import subprocess
import threading

import pytest
from caldarium import MIB, Machine, board_tree, bundle, guest_image, needs_h, vm

LONG = bool(os.environ.get("CALDARIUM_LONG"))
DISK_MIB = 256 if LONG else 32
PINGS = int(os.environ.get("CALDARIUM_PINGS", "3000" if LONG else "50"))
SLOTS = [f"/soc/virtio_mmio@1000{n}000" for n in range(1, 9)]
MODULES = "for m in virtio_mmio virtio_blk failover net_failover virtio_net; do insmod /lib/modules/$m.ko; done"
DIRECT = {"memory": "<0 0x90000000 0 0x10000000>", "direct_map": True, "allow_unprotected_dma": True}


def devices(*paths):
    return ", ".join(f'"{path}"' for path in paths)


def disk_and_network(folder, mib=DISK_MIB):
    path = os.path.join(folder, "disk")
    with open(path, "wb") as disk:
        disk.truncate(mib * MIB)
    return path, ("-drive", f"if=none,id=d,file={path},format=raw", "-device",
                  "virtio-blk-device,drive=d,bus=virtio-mmio-bus.0", "-netdev", "user,id=n",
                  "-device", "virtio-net-device,netdev=n,bus=virtio-mmio-bus.1")


@pytest.fixture
def served(tmp_path_factory):
    """A web server with one file; returns its port and the file's MD5."""
    folder = tmp_path_factory.mktemp("web")
    content = os.urandom(DISK_MIB * MIB)
    (folder / "file").write_bytes(content)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(folder))

        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1], hashlib.md5(content).hexdigest()
    server.shutdown()


@pytest.mark.parametrize("vcpus", [1, 4])
def test_linux_disk_and_network(tmp_path, served, vcpus):
    port, md5 = served
    path, extra = disk_and_network(tmp_path)
    command = f"""{MODULES}
        ifconfig eth0 10.0.2.15 up
        ping -c {PINGS} -i 0.1 10.0.2.2 >/tmp/ping &
        wget -q -O - http://10.0.2.2:{port}/file | md5sum &
        pattern {DISK_MIB} >/dev/vda; sync; echo 3 >/proc/sys/vm/drop_caches
        echo sums $(pattern {DISK_MIB} | md5sum) $(dd if=/dev/vda bs=1M 2>/dev/null | md5sum)
        wait
        grep loss /tmp/ping"""
    node = vm("linux", vcpus=vcpus, ramdisk="programs", run=command,
              passthrough=devices(*SLOTS[:2]), **DIRECT)
    with Machine(bundle(tmp_path, node), smp=vcpus, extra=extra) as machine:
        machine.expect("2 of its devices can write to all of the machine's memory")
        text = machine.wait_end(more_s=1200)
    assert f"{md5}  -" in text, text
    assert " 0% packet loss" in text, text
    sums = text[text.index("sums "):].split()[1:4:2]
    assert sums[0] == sums[1], text
    with open(path, "rb") as disk:
        assert hashlib.md5(disk.read()).hexdigest() == sums[0]


@needs_h
def test_a_direct_read_takes_four_exits(tmp_path):
    """Three of them at the PLIC (Linux claims twice and completes once) and the device's interrupt; the
    guest waits for that on the hart itself. The console's and the timer's are few beside them."""
    reads = 2000
    node = vm("linux", ramdisk="programs", passthrough=devices(SLOTS[0]), **DIRECT,
              run="insmod /lib/modules/virtio_mmio.ko; insmod /lib/modules/virtio_blk.ko; read key; "
                  f"dd if=/dev/vda of=/dev/null bs=4k count={reads} iflag=direct 2>/dev/null; echo read; read key")
    _, extra = disk_and_network(tmp_path)
    with Machine(bundle(tmp_path, node), smp=1, append="", extra=extra) as machine:
        machine.expect("init: ")
        before = machine.exits("linux")
        machine.front(1)
        machine.send("\r")
        machine.expect("read\r*\n")
        after = machine.exits("linux")
    more = {name: count - before.get(name, 0) for name, count in after.items()}
    assert 3 * reads <= more["interrupt controller (hot)"] < 3.2 * reads, more
    assert sum(more.values()) < 4.2 * reads, more


def test_the_clock(tmp_path):
    node = vm("linux", run="cat /sys/class/rtc/rtc0/name; date +%Y",
              passthrough=devices("/soc/rtc@101000"))
    with Machine(bundle(tmp_path, node), smp=1) as machine:
        text = machine.wait_end()
    assert "goldfish_rtc" in text, text


def test_devices_survive_resets(tmp_path):
    """A VM that is reset while its disk is busy finds it working afterwards."""
    _, extra = disk_and_network(tmp_path)
    command = f"{MODULES}; echo ready; while :; do dd if=/dev/zero of=/dev/vda bs=64k count=64; done"
    node = vm("linux", ramdisk="programs", run=command, passthrough=devices(*SLOTS[:2]), **DIRECT)
    with Machine(bundle(tmp_path, node), smp=2, append="", extra=extra) as machine:
        for _ in range(3):
            machine.expect("ready")
            machine.expect("records out")
            machine.request("reset linux", "starts again")
            machine.front(1)
        machine.expect("records out")


CASES = {
    "no device": (devices("/soc/nothing"), {}, 'the board has no device "/soc/nothing"'),
    "DMA": (devices(SLOTS[0]), {}, f"{SLOTS[0]} can do DMA and is behind no IOMMU"),
    "console": (devices("/soc/serial@10000000"), {"console": '"none"'}, "is Caldarium's own"),
    "virtual UART": (devices("/soc/serial@10000000"), {}, "interrupt 10 is the virtual UART's"),
    "no registers": (devices("/soc"), {}, "/soc has no registers"),
    "not the machine's RAM": (devices(SLOTS[0]), {**DIRECT, "memory": "<0 0x80000000 0 0x1000000>"},
                              "direct-map: the machine's RAM from 0x80000000 to 0x80ffffff is not free"),
}


@pytest.mark.parametrize("case", CASES)
def test_refused_with_one_line(tmp_path, case):
    paths, more, line = CASES[case]
    path = bundle(tmp_path, vm("bad", kernel="loop", mib=16, passthrough=paths, **more),
                  vm("good", kernel="loop", mib=16))
    with Machine(path, smp=1, append="") as machine:
        machine.expect(f"vm bad: property .*{line}")
        machine.expect("vm good: started")
        assert machine.output.count("vm bad: property") == 1


def test_one_owner(tmp_path):
    clock = {"passthrough": devices("/soc/rtc@101000")}
    path = bundle(tmp_path, vm("first", kernel="loop", mib=16, **clock),
                  vm("second", kernel="loop", mib=16, **clock))
    with Machine(path, smp=1, append="") as machine:
        machine.expect("vm second: property passthrough: /soc/rtc@101000 belongs to VM first")
        machine.expect("vm first: started")


RTTHREAD_COMMANDS = {"ps": "tshell", "free": "total", "list device": "virtio-blk0",
                     "ifconfig": "ip address: 10.0.2.15"}


def test_rtthread(tmp_path):
    """Hypocaust-2's own RT-Thread: it looks at every virtio slot, takes disk and network."""
    image = guest_image("rtthread.elf")
    _, extra = disk_and_network(tmp_path, 64)
    node = vm("rtthread", kernel="rtt", irqchip='"plic"', passthrough=devices(*SLOTS),
              **{**DIRECT, "memory": "<0 0x90000000 0 0x8000000>"})
    path = bundle(tmp_path, node, images=f'rtt: rtt {{ data = /incbin/("{image}"); }};')
    with Machine(path, smp=1, append="", extra=extra) as machine:
        machine.expect("msh />")
        machine.send("mkfs -t elm virtio-blk0\r")
        machine.expect("msh />")
        machine.send("ping 10.0.2.2\r")
        machine.expect("60 bytes from 10.0.2.2 icmp_seq")
        for command, answer in RTTHREAD_COMMANDS.items():
            machine.send(f"{command}\r")
            machine.expect(answer)
        machine.request("reset rtthread", "starts again")
        machine.front(1)
        machine.expect("msh />")


def past_the_caches(source):
    """The board's bus is not coherent, but for its second virtio slot."""
    source = source.replace("\tdma-coherent;\n", "\n") # the PCI bus
    source = source.replace("\tsoc {\n", "\tsoc {\n\t\tdma-noncoherent;\n")
    return source.replace("\t\tvirtio_mmio@10002000 {\n", "\t\tvirtio_mmio@10002000 {\n\t\t\tdma-coherent;\n")


def test_dma_past_the_caches(tmp_path):
    """The guest's tree says so of each device, and its harts can clean caches: Linux does, with the
    disk's requests."""
    tree = board_tree(tmp_path, past_the_caches, smp=1, append="when-done=poweroff")
    path, extra = disk_and_network(tmp_path, 16)
    command = f"""{MODULES}
        cd /proc/device-tree; find . -name 'dma-*coherent'; tr '\\0' ' ' <cpus/cpu@0/riscv,isa-extensions
        od -An -tx1 cpus/cpu@0/riscv,cbom-block-size
        pattern 16 >/dev/vda; sync; echo 3 >/proc/sys/vm/drop_caches
        echo sums $(pattern 16 | md5sum) $(dd if=/dev/vda bs=64k 2>/dev/null | md5sum)
        """
    node = vm("linux", ramdisk="programs", run=command, **DIRECT,
              passthrough=devices(*SLOTS[:2], "/soc/rtc@101000", "0000:00:04.0"))
    extra = (*extra, "-device", "edu,addr=4", "-dtb", tree)
    with Machine(bundle(tmp_path, node), smp=1, extra=extra) as machine:
        text = machine.wait_end(more_s=600)
    assert sorted(re.findall(r"\./\S*dma-\w+", text)) == [
        "./soc/pci@30000000/dma-noncoherent", "./soc/virtio_mmio@10001000/dma-noncoherent"], text
    assert " zicbom " in text, text
    assert " 00 00 00 40" in text, text
    sums = text[text.index("sums "):].split()[1:4:2]
    assert sums[0] == sums[1], text


PAST = f"property passthrough: {SLOTS[0]} is dma-noncoherent and wants"


@pytest.mark.parametrize("cpu, more, reason", [
    ("rv64", {"isa_disable": '"zicbom"'}, "zicbom, which isa-disable hides"),
    ("rv64,zicbom=off", {}, "zicbom, which the guest can't have")])
def test_dma_past_the_caches_wants_zicbom(tmp_path, cpu, more, reason):
    tree = board_tree(tmp_path, past_the_caches, smp=1, cpu=cpu)
    nodes = [vm("bad", kernel="loop", mib=16, passthrough=devices(SLOTS[0]), **{**DIRECT, **more}),
             vm("good", kernel="loop", mib=16, passthrough=devices(SLOTS[1]),
                **{**DIRECT, "memory": "<0 0x91000000 0 0x1000000>", **more})]
    with Machine(bundle(tmp_path, *nodes), smp=1, cpu=cpu, append="", extra=("-dtb", tree)) as machine:
        machine.expect(f"vm bad: {PAST} {reason}; it is refused")
        machine.expect("vm good: started")


@needs_h
def test_dma_past_the_caches_wants_svpbmt_where_it_is(tmp_path):
    cpu = "rv64,svpbmt=on"
    tree = board_tree(tmp_path, past_the_caches, smp=1, cpu=cpu)
    nodes = [vm(engine, kernel="loop", mib=16, engine=f'"{engine}"', passthrough=devices(slot),
                **{**DIRECT, "memory": memory})
             for engine, slot, memory in (("shadow", SLOTS[0], "<0 0x90000000 0 0x1000000>"),
                                          ("h", SLOTS[2], "<0 0x91000000 0 0x1000000>"))]
    with Machine(bundle(tmp_path, *nodes), smp=1, cpu=cpu, append="", extra=("-dtb", tree)) as machine:
        machine.expect(f"vm shadow: {PAST} svpbmt, which the guest can't have; it is refused")
        machine.expect("vm h: started")


def two_cells(source):
    """The PLIC as Andes and T-Head have it: another name, and a source's type beside its number."""
    assert source.count('compatible = "sifive,plic-1.0.0\\0riscv,plic0";') == 1
    source = source.replace('compatible = "sifive,plic-1.0.0\\0riscv,plic0";', 'compatible = "andestech,nceplic100";')
    source = re.sub(r"(\t\tinterrupt-controller@c000000|\t\tplic@c000000)( \{.*?#interrupt-cells = )<0x01>",
                    r"\1\2<2>", source, flags=re.DOTALL)
    return re.sub(r"interrupts = <(\w+)>", r"interrupts = <\1 4>", source)


def test_a_plic_with_types(tmp_path):
    tree = board_tree(tmp_path, two_cells, smp=1, append="when-done=poweroff")
    path, extra = disk_and_network(tmp_path, 16)
    command = f"""{MODULES}
        pattern 16 >/dev/vda; sync; echo 3 >/proc/sys/vm/drop_caches
        echo sums $(pattern 16 | md5sum) $(dd if=/dev/vda bs=64k 2>/dev/null | md5sum)"""
    node = vm("linux", ramdisk="programs", run=command, passthrough=devices(SLOTS[0]), **DIRECT)
    with Machine(bundle(tmp_path, node), smp=1, extra=(*extra, "-dtb", tree)) as machine:
        text = machine.wait_end(more_s=600)
    assert "the console is polled" not in text, text
    sums = text[text.index("sums "):].split()[1:4:2]
    assert sums[0] == sums[1], text
