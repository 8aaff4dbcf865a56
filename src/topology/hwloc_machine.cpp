// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "topology/hwloc_machine.h"

#include <hwloc/distances.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "base/status.h"

namespace goss::topology {

namespace {

CpuSet cpus_of(hwloc_const_bitmap_t set) {
  CpuSet cpus;
  if (set == nullptr || hwloc_bitmap_last(set) < 0) return cpus;  // none, or without end
  for (int cpu = hwloc_bitmap_first(set); cpu >= 0; cpu = hwloc_bitmap_next(set, cpu)) {
    cpus.add(cpu);
  }
  return cpus;
}

std::string info(hwloc_obj_t object, const char* name) {
  const char* text = hwloc_obj_get_info_by_name(object, name);
  std::string value = text == nullptr ? "" : text;
  while (!value.empty() && value.back() == ' ') value.pop_back();
  return value;
}

template <typename Visit>
void each(hwloc_topology_t topology, hwloc_obj_type_t type, const Visit& visit) {
  hwloc_obj_t object = nullptr;
  while ((object = hwloc_get_next_obj_by_type(topology, type, object)) != nullptr) visit(object);
}

using PciAttributes = hwloc_obj_attr_u::hwloc_pcidev_attr_s;

// Vendors of PCI.
constexpr uint16_t kAmd = 0x1002;
constexpr uint16_t kNvidia = 0x10de;
constexpr uint16_t kIntel = 0x8086;

// Processing accelerators, 3D and display controllers are for computing; VGA may also be that of a
// board's management controller.
bool is_gpu(const PciAttributes& pci) {
  const bool known = pci.vendor_id == kAmd || pci.vendor_id == kNvidia || pci.vendor_id == kIntel;
  switch (pci.class_id) {
    case 0x1200:
    case 0x0302:
    case 0x0380:
    case 0x0300: return known;
    default: return false;
  }
}
bool is_adapter(const PciAttributes& pci) {
  return pci.class_id >> 8 == 0x02 || pci.class_id == 0x0c06;  // 0c06: old InfiniBand
}

// The names that mean most to people come first.
int rank_of(hwloc_obj_t device) {
  switch (device->attr->osdev.type) {
    case HWLOC_OBJ_OSDEV_OPENFABRICS: return 0;
    case HWLOC_OBJ_OSDEV_NETWORK: return 1;
    case HWLOC_OBJ_OSDEV_COPROC: return 2;
    case HWLOC_OBJ_OSDEV_GPU:
      return std::strncmp(device->name, "card", 4) == 0 ||
                     std::strncmp(device->name, "render", 6) == 0
                 ? 4
                 : 3;
    default: return 5;
  }
}

void take_names(hwloc_obj_t object, Device* device) {
  std::vector<hwloc_obj_t> found;
  for (hwloc_obj_t child = object->io_first_child; child != nullptr; child = child->next_sibling) {
    if (child->type == HWLOC_OBJ_OS_DEVICE && child->name != nullptr) found.push_back(child);
  }
  std::stable_sort(found.begin(), found.end(),
                   [](hwloc_obj_t a, hwloc_obj_t b) { return rank_of(a) < rank_of(b); });
  for (hwloc_obj_t child : found) {
    device->names.emplace_back(child->name);
    device->rdma |= child->attr->osdev.type == HWLOC_OBJ_OSDEV_OPENFABRICS;
    if (device->model.empty()) device->model = info(child, "GPUModel");
  }
}

CpuSet near_cpus(hwloc_topology_t topology, hwloc_obj_t device, const CpuSet& all) {
  hwloc_obj_t place = hwloc_get_non_io_ancestor_obj(topology, device);
  const CpuSet cpus = place == nullptr ? CpuSet() : cpus_of(place->cpuset);
  return cpus.empty() ? all : cpus;
}

Device pci_device(hwloc_topology_t topology, hwloc_obj_t object, const CpuSet& all) {
  const PciAttributes& pci = object->attr->pcidev;
  Device device;
  device.kind = is_gpu(pci) ? Device::Kind::kGpu : Device::Kind::kAdapter;
  device.bus = format("%04x:%02x:%02x.%01x", pci.domain, pci.bus, pci.dev, pci.func);
  device.vendor = pci.vendor_id;
  device.product = pci.device_id;
  device.pci_gbytes_per_s = static_cast<double>(pci.linkspeed);
  take_names(object, &device);
  if (device.model.empty()) device.model = info(object, "PCIDevice");
  device.cpus = near_cpus(topology, object, all);
  for (hwloc_obj_t above = object->parent; above != nullptr && above->type == HWLOC_OBJ_BRIDGE;
       above = above->parent) {
    device.bridges.insert(device.bridges.begin(), above->gp_index);
  }
  return device;
}

// Where the system knows a network interface and no PCI device of it.
Device other_adapter(hwloc_topology_t topology, hwloc_obj_t object, const CpuSet& all) {
  Device device;
  device.kind = Device::Kind::kAdapter;
  device.names = {object->name};
  device.rdma = object->attr->osdev.type == HWLOC_OBJ_OSDEV_OPENFABRICS;
  device.cpus = near_cpus(topology, object, all);
  return device;
}

using GpuNumbers = std::map<uint64_t, int>;  // gp_index of its PCI device -> place in Machine::gpus

void take_devices(hwloc_topology_t topology, Machine* machine, GpuNumbers* numbers) {
  each(topology, HWLOC_OBJ_PCI_DEVICE, [&](hwloc_obj_t object) {
    const PciAttributes& pci = object->attr->pcidev;
    if (is_gpu(pci)) {
      numbers->emplace(object->gp_index, static_cast<int>(machine->gpus.size()));
      machine->gpus.push_back(pci_device(topology, object, machine->cpus));
    } else if (is_adapter(pci)) {
      machine->adapters.push_back(pci_device(topology, object, machine->cpus));
    }
  });
  each(topology, HWLOC_OBJ_OS_DEVICE, [&](hwloc_obj_t object) {
    const auto type = object->attr->osdev.type;
    const bool network = type == HWLOC_OBJ_OSDEV_NETWORK || type == HWLOC_OBJ_OSDEV_OPENFABRICS;
    if (!network || object->name == nullptr || object->parent->type == HWLOC_OBJ_PCI_DEVICE) return;
    machine->adapters.push_back(other_adapter(topology, object, machine->cpus));
  });
}

// Which GPU an object of a distance matrix is, or -1.
int gpu_of(hwloc_obj_t object, const GpuNumbers& numbers) {
  for (; object != nullptr; object = object->parent) {
    const auto found = numbers.find(object->gp_index);
    if (object->type == HWLOC_OBJ_PCI_DEVICE) return found == numbers.end() ? -1 : found->second;
  }
  return -1;
}

void take_links(hwloc_topology_t topology, const GpuNumbers& numbers, Machine* machine) {
  constexpr struct {
    const char* name;
    const char* kind;
  } kMatrices[] = {{"XGMIBandwidth", "xGMI"}, {"NVLinkBandwidth", "NVLink"}};
  const size_t n = machine->gpus.size();
  for (const auto& matrix : kMatrices) {
    unsigned count = 1;
    hwloc_distances_s* distances = nullptr;
    if (hwloc_distances_get_by_name(topology, matrix.name, &count, &distances, 0) != 0) continue;
    if (count == 0 || distances == nullptr) continue;
    machine->gpu_links.resize(n * n);
    machine->gpu_link_kind = matrix.kind;
    for (unsigned from = 0; from < distances->nbobjs; ++from) {
      for (unsigned to = 0; to < distances->nbobjs; ++to) {
        const int a = gpu_of(distances->objs[from], numbers);
        const int b = gpu_of(distances->objs[to], numbers);
        if (a < 0 || b < 0 || a == b) continue;
        machine->gpu_links[static_cast<size_t>(a) * n + static_cast<size_t>(b)] =
            distances->values[from * distances->nbobjs + to];
      }
    }
    hwloc_distances_release(topology, distances);
  }
}

void take_cpus(hwloc_topology_t topology, Machine* machine) {
  machine->cpus = cpus_of(hwloc_topology_get_allowed_cpuset(topology));
  each(topology, HWLOC_OBJ_PACKAGE, [&](hwloc_obj_t object) {
    machine->packages.push_back(
        {static_cast<int>(object->os_index), info(object, "CPUModel"), cpus_of(object->cpuset)});
  });
  each(topology, HWLOC_OBJ_NUMANODE, [&](hwloc_obj_t object) {
    machine->nodes.push_back({static_cast<int>(object->os_index),
                              object->attr->numanode.local_memory, cpus_of(object->cpuset)});
  });
  for (const hwloc_obj_type_t type : {HWLOC_OBJ_L4CACHE, HWLOC_OBJ_L3CACHE, HWLOC_OBJ_L2CACHE}) {
    each(topology, type, [&](hwloc_obj_t object) {
      machine->caches.push_back({static_cast<int>(object->attr->cache.depth),
                                 object->attr->cache.size, cpus_of(object->cpuset)});
    });
  }
  each(topology, HWLOC_OBJ_CORE, [&](hwloc_obj_t object) {
    machine->cores.push_back({static_cast<int>(object->os_index), cpus_of(object->cpuset)});
  });
}

}  // namespace

Machine machine_of(hwloc_topology_t topology) {
  Machine machine;
  machine.name = info(hwloc_get_root_obj(topology), "HostName");
  take_cpus(topology, &machine);
  GpuNumbers numbers;
  take_devices(topology, &machine, &numbers);
  take_links(topology, numbers, &machine);
  return machine;
}

}  // namespace goss::topology
