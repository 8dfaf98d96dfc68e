# SPDX-License-Identifier: BSD-2-Clause
"""VMs on a network of Caldarium's: Linux to Linux, what the ports count, and bundles that are wrong."""

import re

import pytest
from caldarium import Machine, bundle, vm
from test_virtio import with_nodes

MODULES = "for m in failover net_failover virtio_mmio virtio_net; do insmod /lib/modules/$m.ko; done; "


def port(more="", network="lan"):
    return f'net {{ compatible = "virtio,net"; network = "{network}"; {more} }};'


def networks(more=""):
    return f"networks {{ lan {{ {more} }}; other {{ }}; }};"


def up(address):
    return MODULES + f"ifconfig lo up; ifconfig eth0 {address} up; "


def counters(text):
    """What `networks` shows: for each VM a dict."""
    names = ("sent", "sent_kib", "got", "got_kib", "lost", "wrong", "spoofed", "nowhere")
    return {m[1]: dict(zip(names, map(int, m[3].split())))
            for m in re.finditer(r"^lan +(\S+) +net +(\S+)((?: +\d+){8})", text, re.M)}


@pytest.mark.parametrize("chip, mtu, mib", (("plic", 1500, 2), ("aplic", 9000, 4)))
def test_two_linux(tmp_path, chip, mtu, mib):
    """They ping each other, with the largest packets too, and megabytes go over TCP both ways; a third one has a port
    of another network and hears nothing."""
    # Not all at once: on a busy machine a socket's buffer takes no more than a dozen of the large ones.
    ask = ("until ping -c 1 -W 1 10.0.0.2 >/dev/null; do :; done; ping -q -c 20 -i 0.1 -s $1 10.0.0.2; "
           "cat /sys/class/net/eth0/mtu /sys/class/net/eth0/address; "
           f"dd if=/dev/urandom of=/tmp/data bs=1M count={mib} status=none; sha256sum </tmp/data; "
           "until nc 10.0.0.2 5000 </tmp/data 2>/dev/null; do :; done; until nc 10.0.0.2 5001 >/tmp/back 2>/dev/null; do :; done; "
           "echo back; sha256sum </tmp/back; read key")
    web = vm("web", vcpus=2, ramdisk="programs", irqchip=f'"{chip}"',
             run=up("10.0.0.1") + f"set -- {mtu - 28}; {ask}")
    answer = vm("db", vcpus=2, ramdisk="programs", irqchip=f'"{chip}"',
                run=up("10.0.0.2") + "nc -l -p 5000 >/tmp/data; sha256sum </tmp/data; nc -l -p 5001 </tmp/data; read key")
    other = vm("alone", ramdisk="programs", run=up("10.0.0.2") + "read key; ifconfig eth0")
    path = bundle(tmp_path, with_nodes(web, port("mac = [02 00 00 00 00 0a];")), with_nodes(answer, port()),
                  with_nodes(other, port(network="other")), root=networks(f"mtu = <{mtu}>;"))
    with Machine(path, smp=2, memory="2G") as machine:
        machine.expect("20 packets transmitted, 20 packets received, 0% packet loss")
        machine.expect(rf"{mtu}\r*\n02:00:00:00:00:0a\r*\n([0-9a-f]{{64}})")
        machine.expect(r"back\r*\n[0-9a-f]{64}")
        sums = re.findall(r"[0-9a-f]{64}", machine.output)
        assert len(sums) == 3 and len(set(sums)) == 1, sums
        shown = counters(machine.monitor("networks"))
        for key in "321":
            machine.front(int(key))
            machine.send("\r")
        text = machine.wait_end()
    assert "RX packets:0 " in text, text
    for name in ("web", "db"):
        assert shown[name]["sent_kib"] > mib * 1024 and shown[name]["got_kib"] > mib * 1024, shown
        assert shown[name]["wrong"] == shown[name]["spoofed"] == 0, shown
    assert shown["web"]["got"] + shown["web"]["lost"] == shown["db"]["sent"], shown


def test_not_the_port_s_address(tmp_path):
    """What a VM sends from another address than its port's goes nowhere; through a port with `bridge` it does, and the
    answer comes back."""
    ping = "until ping -c 1 -W 1 10.0.0.3 >/dev/null; do :; done; "
    move = "ifconfig eth0 down; ifconfig eth0 hw ether 02:00:00:00:00:77 up; "
    liar = vm("liar", ramdisk="programs", run=up("10.0.0.1") + ping + "echo first; " + move +
              "ping -c 2 -W 1 10.0.0.3; echo second; read key")
    bridge = vm("bridge", ramdisk="programs", run=up("10.0.0.2") + ping + "read key; " + move + ping + "echo third; read key")
    peer = vm("peer", ramdisk="programs", run=up("10.0.0.3") + "read key")
    path = bundle(tmp_path, with_nodes(liar, port()), with_nodes(bridge, port("bridge;")), with_nodes(peer, port()),
                  root=networks())
    with Machine(path, smp=2, memory="2G") as machine:
        machine.expect("first")
        machine.expect("2 packets transmitted, 0 packets received")
        machine.expect("second")
        machine.front(2)
        machine.send("\r")
        machine.expect("third")
        shown = counters(machine.monitor("networks"))
        for key in "321":
            machine.front(int(key))
            machine.send("\r")
        machine.wait_end()
    assert shown["liar"]["spoofed"] >= 2 and shown["bridge"]["spoofed"] == 0, shown


def test_reset_amid_traffic(tmp_path):
    """A VM is reset while another sends to it: its frames are lost until it is there again, and then the same two talk."""
    ping = "ping -c 1 -W 1 10.0.0.2 >/dev/null"
    web = vm("web", vcpus=2, ramdisk="programs",
             run=up("10.0.0.1") + f"until {ping}; do :; done; ping -A -W 1 10.0.0.2 >/dev/null & echo there; "
                 f"while {ping}; do :; done; echo away; until {ping}; do :; done; echo both there; read key")
    peer = vm("db", vcpus=2, ramdisk="programs", run=up("10.0.0.2") + "read key")
    path = bundle(tmp_path, with_nodes(web, port()), with_nodes(peer, port()), root=networks())
    with Machine(path, smp=2) as machine:
        machine.expect("there")
        machine.request("reset db", "away")
        machine.expect("both there")
        assert counters(machine.monitor("networks"))["db"]["lost"] > 0
        for key in "21":
            machine.front(int(key))
            machine.send("\r")
        machine.wait_end()


def test_ports_that_can_not_be(tmp_path):
    wrong = {
        "none": ('net { compatible = "virtio,net"; };', "node net: property network is missing"),
        "unknown": (port(network="wan"), "property network of node net: the name of a node of /networks is expected"),
        "word": ('net { compatible = "virtio,net"; network = <1>; };', "property network of node net: the name of a node"),
        "short": (port("mac = [02 00 00];"), "property mac of node net: six bytes that are no group's address"),
        "group": (port("mac = [01 00 00 00 00 01];"), "property mac of node net: six bytes that are no group's"),
        "zero": (port("mac = [00 00 00 00 00 00];"), "property mac of node net: six bytes"),
        "twice": (port("mac = [02 00 00 00 00 01];"),
                  "property mac of node net: node net of VM good has the same address in network lan"),
        "flag": (port("bridge = <1>;"), "property bridge of node net: no value is expected"),
        "colour": (port("colour;"), "node net: property colour is unknown"),
    }
    # Its first port was there when the second one was refused: it goes, and its address is another's.
    wrong["late"] = (port("mac = [02 00 00 00 00 02];") + port("mac = [02 00 00 00 00 01];").replace("net", "net2", 1),
                     "property mac of node net2: node net of VM good has the same address in network lan")
    nodes = [with_nodes(vm(name, kernel="minikernel", mib=16), node) for name, (node, _) in wrong.items()]
    nodes.append(with_nodes(vm("after", kernel="minikernel", mib=16), port("mac = [02 00 00 00 00 02];")))
    good = with_nodes(vm("good", kernel="minikernel", mib=16), port("mac = [02 00 00 00 00 01];"))
    there = with_nodes(vm("there", kernel="minikernel", mib=16), port("mac = [02 00 00 00 00 01];", network="other"))
    with Machine(bundle(tmp_path, good, there, *nodes, root=networks()), smp=1) as machine:
        machine.expect("mini> ")
        assert re.search(r"0x0010001000 .* virtio net net", machine.monitor("map there"))
        assert list(counters(machine.monitor("networks"))) == ["good", "after"]
    for name, (_, reason) in wrong.items():
        assert [line for line in machine.output.splitlines() if f"vm {name}: " in line and reason in line], name
