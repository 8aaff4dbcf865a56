#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""make_fixtures.py [--check]: the hwloc v2 XML files of machines that the tests read (fixtures/).

Three servers and a toy as hwloc would describe them: packages, NUMA nodes, caches, cores, threads, and the PCI
trees with GPUs and network adapters, with the bandwidth between GPUs as a distance matrix. Ids, link
speeds and the places of devices are those of real products. --check writes nothing and fails where
a file is not what this script makes.
"""

import pathlib
import sys
from xml.sax.saxutils import quoteattr

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


def bits(members):
    """A set of numbers as hwloc writes it: words of 32 bits, the highest first."""
    value = sum(1 << member for member in members)
    words = []
    while value or not words:
        words.append(f"0x{value & 0xffffffff:08x}")
        value >>= 32
    return ",".join(reversed(words))


class Object:
    """An object of hwloc: attributes, infos and children. Sets come from the leaves."""

    def __init__(self, kind, /, *children, infos=(), **attributes):
        self.kind, self.attributes, self.infos = kind, attributes, infos
        self.children = [child for child in children if child is not None]

    def cpus(self):
        if self.kind == "PU":
            return {self.attributes["os_index"]}
        return set().union(*(child.cpus() for child in self.children if not child.is_io()))

    def nodes(self):
        if self.kind == "NUMANode":
            return {self.attributes["os_index"]}
        return set().union(*(child.nodes() for child in self.children if not child.is_io()))

    def is_io(self):
        return self.kind in ("Bridge", "PCIDev", "OSDev")

    def write(self, out, counter, depth=1, cpus=frozenset(), nodes=frozenset()):
        # Memory lies beside CPUs and has theirs; CPUs have the memory of what contains them.
        cpus = self.cpus() or cpus
        nodes = self.nodes() or nodes
        self.number = counter.next()
        text = {"type": self.kind, **self.attributes}
        if not self.is_io():
            sets = {"cpuset": bits(cpus), "complete_cpuset": bits(cpus)}
            sets |= {"allowed_cpuset": bits(cpus)} if self.kind == "Machine" else {}
            sets |= {"nodeset": bits(nodes), "complete_nodeset": bits(nodes)}
            sets |= {"allowed_nodeset": bits(nodes)} if self.kind == "Machine" else {}
            text |= sets
        text["gp_index"] = self.number
        pad = "  " * depth
        line = " ".join(f"{name}={quoteattr(str(value))}" for name, value in text.items())
        if not self.children and not self.infos:
            out.append(f"{pad}<object {line}/>")
            return
        out.append(f"{pad}<object {line}>")
        out.extend(f'{pad}  <info name="{name}" value="{value}"/>' for name, value in self.infos)
        own = set().union(*(child.cpus() for child in self.children if child.kind != "NUMANode"
                            and not child.is_io())) if self.kind != "PU" else set()
        for child in self.children:
            child.write(out, counter, depth + 1, own or cpus, nodes)
        out.append(f"{pad}</object>")


class Counter:
    def __init__(self):
        self.last = 0

    def next(self):
        self.last += 1
        return self.last


# ---- CPUs and memory -----------------------------------------------------------------------------

def cache(level, size, *children):
    return Object(f"L{level}Cache", *children, cache_size=size, depth=level, cache_linesize=64,
                  cache_associativity=16, cache_type=0)


def core(number, l2, threads):
    """A core with its L2; `threads` are the numbers of its CPUs."""
    return cache(2, l2, Object("Core", *(Object("PU", os_index=cpu) for cpu in threads),
                               os_index=number))


def node(number, size):
    return Object("NUMANode", os_index=number, local_memory=size)


def package(number, model, *children):
    return Object("Package", *children, os_index=number, infos=(("CPUModel", model),))


def machine(name, *children):
    return Object("Machine", *children, os_index=0, infos=(
        ("Backend", "Linux"), ("OSName", "Linux"), ("HostName", name), ("Architecture", "x86_64")))


# ---- devices -------------------------------------------------------------------------------------

def host_bridge(first, last, *children):
    return Object("Bridge", *children, bridge_type="0-1", depth=0,
                  bridge_pci=f"0000:[{first:02x}-{last:02x}]")


def bridge(depth, bus, device, ident, speed, first, last, *children):
    return Object("Bridge", *children, bridge_type="1-1", depth=depth,
                  bridge_pci=f"0000:[{first:02x}-{last:02x}]",
                  pci_busid=f"0000:{bus:02x}:{device:02x}.0",
                  pci_type=f"0604 [{ident}] [0000:0000] 00", pci_link_speed=speed)


def pci(bus, kind, ident, speed, *children, function=0, infos=()):
    return Object("PCIDev", *children, pci_busid=f"0000:{bus:02x}:00.{function}",
                  pci_type=f"{kind} [{ident}] [0000:0000] 00", pci_link_speed=speed, infos=infos)


def os_device(kind, name, subtype=None, infos=()):
    number = {"gpu": 1, "network": 2, "openfabrics": 3, "coprocessor": 5}[kind]
    more = {"subtype": subtype} if subtype else {}
    return Object("OSDev", name=name, **more, osdev_type=number, infos=infos)


def connect_x7(bus, index, interface=None):
    """A ConnectX-7 at 400 Gbit/s, InfiniBand or with an Ethernet interface."""
    rdma = os_device("openfabrics", f"mlx5_{index}",
                     infos=(("NodeGUID", f"9c63:c003:0000:{index:04x}"), ("Port1State", "4")))
    net = os_device("network", interface) if interface else None
    return pci(bus, "0200" if interface else "0207", "15b3:1021", "63.015385", net, rdma,
               infos=(("PCIVendor", "Mellanox Technologies"),
                      ("PCIDevice", "MT2910 Family [ConnectX-7]")))


def mi300x(bus, index):
    return pci(bus, "1200", "1002:74a1", "63.015385",
               os_device("gpu", f"rsmi{index}", "RSMI", (("GPUVendor", "AMD"),
                                                         ("GPUModel", "AMD Instinct MI300X"))),
               infos=(("PCIVendor", "Advanced Micro Devices, Inc. [AMD/ATI]"),
                      ("PCIDevice", "Aqua Vanjaram [Instinct MI300X]")))


def h200(bus, index):
    return pci(bus, "0302", "10de:2335", "63.015385",
               os_device("coprocessor", f"cuda{index}", "CUDA", (("GPUVendor", "NVIDIA Corporation"),
                                                                 ("GPUModel", "NVIDIA H200"))),
               os_device("gpu", f"nvml{index}", "NVML", (("GPUVendor", "NVIDIA Corporation"),
                                                         ("GPUModel", "NVIDIA H200"))),
               infos=(("PCIVendor", "NVIDIA Corporation"), ("PCIDevice", "GH100 [H200 SXM 141GB]")))


def onboard(bus, *names):
    """The two-port adapter on the board."""
    return [pci(bus, "0200", "14e4:16d8", "7.876923", os_device("network", name), function=port,
                infos=(("PCIVendor", "Broadcom Inc. and subsidiaries"),
                       ("PCIDevice", "BCM57416 NetXtreme-E Dual-Media 10G RDMA Ethernet")))
            for port, name in enumerate(names)]


def console(bus):
    """The VGA of the management controller, which is no GPU to compute on."""
    return pci(bus, "0300", "1a03:2000", "0.250000",
               infos=(("PCIVendor", "ASPEED Technology, Inc."),))


# ---- the machines --------------------------------------------------------------------------------

def epyc(number, devices, cores=32, per_l3=4):
    """EPYC 9354 with NPS1 and without SMT: eight L3 of four cores each."""
    first = number * cores
    l3 = [cache(3, 32 * MIB, *(core(first + at + i, MIB, [first + at + i]) for i in range(per_l3)))
          for at in range(0, cores, per_l3)]
    return package(number, "AMD EPYC 9354 32-Core Processor", node(number, 1152 * GIB), *l3, *devices)


def mi300x_server():
    """8 x MI300X: every GPU and its ConnectX-7 behind a switch of their own, four on each package."""
    def pair(gpu):
        first = 0x05 + 0x20 * gpu
        return host_bridge(
            first - 1, first + 0x0f,
            bridge(1, first - 1, 1, "1022:14ab", "63.015385", first, first + 6,
                   bridge(2, first, 0, "1000:c030", "63.015385", first + 1, first + 6,
                          bridge(3, first + 1, 0, "1000:c030", "63.015385", first + 2, first + 2,
                                 mi300x(first + 2, gpu)),
                          bridge(3, first + 1, 1, "1000:c030", "63.015385", first + 3, first + 3,
                                 connect_x7(first + 3, gpu, f"ens{gpu + 1}np0")))))
    board = host_bridge(0x00, 0x03, bridge(1, 0x00, 1, "1022:14ab", "7.876923", 0x01, 0x01,
                                           *onboard(0x01, "eno1", "eno2")),
                        bridge(1, 0x00, 5, "1022:14ab", "0.250000", 0x02, 0x03, console(0x03)))
    top = machine("mi300x", epyc(0, [board] + [pair(gpu) for gpu in range(4)]),
                  epyc(1, [pair(gpu) for gpu in range(4, 8)]))
    # Seven xGMI links from each GPU, one to each of the others, 64 GB/s each way.
    return top, ("XGMIBandwidth", "rsmi", lambda a, b: 1_000_000 if a == b else 64_000)


def sapphire_rapids(number, clusters, devices, cores_of_cluster, smt, threads_from):
    """A Xeon whose memory is one node, or with sub-NUMA clusters several."""
    parts = []
    for cluster in range(clusters):
        first = (number * clusters + cluster) * cores_of_cluster
        cores = [core(first + i, 2 * MIB, [first + i] + ([threads_from + first + i] if smt else []))
                 for i in range(cores_of_cluster)]
        parts.append((node(number * clusters + cluster, 1024 * GIB // clusters), cores))
    if clusters == 1:
        memory, cores = parts[0]
        return package(number, "Intel(R) Xeon(R) Platinum 8462Y+", memory,
                       cache(3, 60 * MIB, *cores), *devices[0])
    # The processor says that all its cores share the L3; a node within is a group.
    groups = [Object("Group", memory, *cores, *attached, kind=0, subkind=0)
              for (memory, cores), attached in zip(parts, devices)]
    return package(number, "Intel(R) Xeon(R) Gold 6430", cache(3, 60 * MIB, *groups))


def cpu_server():
    """2 sockets with two sub-NUMA clusters each, hyperthreads, one fast adapter on node 2."""
    board = host_bridge(0x00, 0x03, bridge(1, 0x00, 1, "8086:352a", "7.876923", 0x01, 0x01,
                                           *onboard(0x01, "eno1", "eno2")),
                        bridge(1, 0x00, 5, "8086:352a", "0.250000", 0x02, 0x03, console(0x03)))
    fast = host_bridge(0xa0, 0xaf, bridge(1, 0xa0, 1, "8086:352a", "31.507692", 0xa1, 0xa1,
                                          connect_x7(0xa1, 0, "ens1np0")))
    return machine("cpu2",
                   sapphire_rapids(0, 2, [[board], []], 16, True, 64),
                   sapphire_rapids(1, 2, [[fast], []], 16, True, 64)), None


def h200_server():
    """8 x H200: four switches, each with two GPUs and two adapters; all GPUs on four NVSwitches."""
    def quad(switch):
        first = 0x10 + 0x30 * switch
        devices = []
        for i in range(2):
            gpu = 2 * switch + i
            devices.append(bridge(3, first + 2, 2 * i, "1000:c030", "63.015385", first + 4 + 2 * i,
                                  first + 4 + 2 * i, h200(first + 4 + 2 * i, gpu)))
            devices.append(bridge(3, first + 2, 2 * i + 1, "1000:c030", "63.015385", first + 5 + 2 * i,
                                  first + 5 + 2 * i, connect_x7(first + 5 + 2 * i, gpu)))
        return host_bridge(first, first + 0x0f,
                           bridge(1, first, 1, "8086:352a", "63.015385", first + 1, first + 0x0f,
                                  bridge(2, first + 1, 0, "1000:c030", "63.015385", first + 2,
                                         first + 0x0f, *devices)))
    board = host_bridge(0x00, 0x03, bridge(1, 0x00, 1, "8086:352a", "7.876923", 0x01, 0x01,
                                           *onboard(0x01, "eno1", "eno2")),
                        bridge(1, 0x00, 5, "8086:352a", "0.250000", 0x02, 0x03, console(0x03)))
    top = machine("h200", sapphire_rapids(0, 1, [[board, quad(0), quad(1)]], 32, False, 0),
                  sapphire_rapids(1, 1, [[quad(2), quad(3)]], 32, False, 0))
    # 18 links of 25 GB/s each way, through the switches.
    return top, ("NVLinkBandwidth", "nvml", lambda a, b: 1_000_000 if a == b else 450_000)


def two_cpus():
    """Two sockets of one core, an adapter at the second: what threads on CPUs 0 and 1 can stand on."""
    def socket(number, *devices):
        return package(number, "One core", node(number, GIB), core(number, MIB, [number]), *devices)
    return machine("two", socket(0), socket(1, host_bridge(
        0x00, 0x01, bridge(1, 0x00, 1, "8086:352a", "7.876923", 0x01, 0x01,
                           pci(0x01, "0200", "8086:1572", "7.876923", os_device("network", "eth0")))))), None


def gpus_of(root, prefix):
    found = [root] if root.kind == "OSDev" and root.attributes["name"].startswith(prefix) else []
    return found + [gpu for child in root.children for gpu in gpus_of(child, prefix)]


def render(root, links):
    out = ['<?xml version="1.0" encoding="UTF-8"?>', '<!DOCTYPE topology SYSTEM "hwloc2.dtd">',
           '<topology version="2.0">']
    root.write(out, Counter())
    if links:
        name, prefix, bandwidth = links
        numbers = [gpu.number for gpu in gpus_of(root, prefix)]
        values = [bandwidth(a, b) for a in range(len(numbers)) for b in range(len(numbers))]
        # Kind 9: told by the system, a bandwidth (MB/s).
        out.append(f'  <distances2 type="OSDev" nbobjs="{len(numbers)}" kind="9" name="{name}" indexing="gp">')
        for tag, numbers in (("indexes", numbers), ("u64values", values)):
            for at in range(0, len(numbers), 8):
                text = "".join(f"{number} " for number in numbers[at:at + 8])
                out.append(f'    <{tag} length="{len(text)}">{text}</{tag}>')
        out.append("  </distances2>")
    out.append("</topology>")
    return "\n".join(out) + "\n"


def main():
    folder = pathlib.Path(__file__).resolve().parent / "fixtures"
    stale = []
    for name, make in (("mi300x_8", mi300x_server), ("cpu_2s", cpu_server), ("h200_8", h200_server),
                       ("two_cpus", two_cpus)):
        file, text = folder / f"{name}.xml", render(*make())
        if sys.argv[1:] != ["--check"]:
            file.write_text(text, encoding="utf-8")
        elif not file.exists() or file.read_text(encoding="utf-8") != text:
            stale.append(file.name)
    print("stale: " + ", ".join(stale) if stale else f"all current in {folder}")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
