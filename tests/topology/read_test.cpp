// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "topology/read.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <thread>

#include "machines.h"
#include "support/scoped_env.h"

extern char** environ;

namespace goss::topology {
namespace {

using test::ScopedEnv;
using testing::TestWithParam;

size_t caches_of_level(const Machine& machine, int level) {
  return static_cast<size_t>(std::count_if(machine.caches.begin(), machine.caches.end(),
                                           [&](const Cache& c) { return c.level == level; }));
}

TEST(Fixture, Mi300xServerIsWhatItShouldBe) {
  const Machine m = fixture("mi300x_8");
  EXPECT_EQ(m.name, "mi300x");
  EXPECT_EQ(m.cpus, CpuSet::range(0, 63));
  ASSERT_EQ(m.packages.size(), 2u);
  EXPECT_EQ(m.packages[0].model, "AMD EPYC 9354 32-Core Processor");
  ASSERT_EQ(m.nodes.size(), 2u);
  EXPECT_EQ(m.nodes[1].bytes, uint64_t{1152} << 30);
  EXPECT_EQ(m.nodes[1].cpus, CpuSet::range(32, 63));
  EXPECT_EQ(m.cores.size(), 64u);
  EXPECT_EQ(caches_of_level(m, 3), 16u);
  EXPECT_EQ(caches_of_level(m, 2), 64u);
  ASSERT_EQ(m.gpus.size(), 8u);  // not the console's
  EXPECT_EQ(m.gpus[3].name(), "rsmi3");
  EXPECT_EQ(m.gpus[3].bus, "0000:67:00.0");
  EXPECT_EQ(m.gpus[3].model, "AMD Instinct MI300X");
  EXPECT_EQ(m.gpus[3].cpus, CpuSet::range(0, 31));
  EXPECT_EQ(m.gpus[4].cpus, CpuSet::range(32, 63));
  ASSERT_EQ(m.adapters.size(), 10u);
  EXPECT_EQ(m.adapters[0].name(), "eno1");
  EXPECT_FALSE(m.adapters[0].rdma);
  EXPECT_EQ(m.adapters[2].names, (std::vector<std::string>{"mlx5_0", "ens1np0"}));
  EXPECT_TRUE(m.adapters[2].rdma);
  EXPECT_NEAR(m.adapters[2].pci_gbytes_per_s, 63.0, 0.1);
  EXPECT_EQ(m.gpu_link_kind, "xGMI");
  for (int a = 0; a < 8; ++a) {
    for (int b = 0; b < 8; ++b) EXPECT_EQ(m.gpu_link(a, b), a == b ? 0u : 64'000u);
  }
}

TEST(Fixture, CpuServerIsWhatItShouldBe) {
  const Machine m = fixture("cpu_2s");
  EXPECT_EQ(m.cpus.count(), 128);
  EXPECT_EQ(m.packages.size(), 2u);
  ASSERT_EQ(m.nodes.size(), 4u);
  EXPECT_EQ(m.nodes[2].cpus.text(), "32-47,96-111");
  ASSERT_EQ(m.cores.size(), 64u);
  EXPECT_EQ(m.cores[5].cpus.text(), "5,69");
  EXPECT_EQ(caches_of_level(m, 3), 2u);
  EXPECT_TRUE(m.gpus.empty());
  EXPECT_TRUE(m.gpu_links.empty());
  ASSERT_EQ(m.adapters.size(), 3u);
  EXPECT_EQ(m.adapters[2].name(), "mlx5_0");
  EXPECT_EQ(m.adapters[2].cpus, m.nodes[2].cpus);
}

TEST(Fixture, H200ServerIsWhatItShouldBe) {
  const Machine m = fixture("h200_8");
  EXPECT_EQ(m.nodes.size(), 2u);
  ASSERT_EQ(m.gpus.size(), 8u);
  EXPECT_EQ(m.gpus[7].names, (std::vector<std::string>{"cuda7", "nvml7"}));
  EXPECT_EQ(m.gpus[7].cpus, CpuSet::range(32, 63));
  EXPECT_EQ(m.adapters.size(), 10u);
  EXPECT_EQ(m.gpu_link_kind, "NVLink");
  EXPECT_EQ(m.gpu_link(0, 7), 450'000u);
}

// hwloc has two readers of XML: libxml2, and one of its own where that is not installed.
TEST(Fixture, IsReadAlikeByBothReaders) {
  for (const char* name : {"mi300x_8", "cpu_2s", "h200_8"}) {
    const ScopedEnv own("HWLOC_LIBXML", "0");
    const Machine plain = fixture(name);
    const ScopedEnv other("HWLOC_LIBXML", "1");
    EXPECT_EQ(fixture(name).adapters.size(), plain.adapters.size()) << name;
    EXPECT_EQ(fixture(name).cpus, plain.cpus) << name;
  }
}

TEST(File, ThatIsMissingOrNoMachineIsRefusedWithItsName) {
  const Result<Machine> missing = read_file("/nowhere/at/all.xml");
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(missing.status().message().find("/nowhere/at/all.xml"), std::string::npos);
  const Result<Machine> folder = read_file("/");
  EXPECT_FALSE(folder.ok());
  for (const char* text :
       {"", "\n", "no XML", "<topology version=\"2.0\">", "<topology version=\"2.0\"></topology>",
        "<html><body/></html>", "<?xml version=\"1.0\"?><topology version=\"3.0\"/>"}) {
    const Result<Machine> machine = parse_xml(text);
    ASSERT_FALSE(machine.ok()) << text;
    EXPECT_EQ(machine.status().code(), gossInvalidUsage) << text;
  }
}

TEST(File, ThatIsCutOffAnywhereIsRefused) {
  for (const char* name : {"mi300x_8", "cpu_2s"}) {
    const std::string text = fixture_text(name);
    const size_t end = text.find("</topology>");
    ASSERT_NE(end, std::string::npos);
    for (size_t length = 0; length < end; length += 1 + end / 97) {
      EXPECT_FALSE(parse_xml(text.substr(0, length)).ok()) << name << " after " << length;
    }
  }
}

// hwloc alone ends the process on many of these.
TEST(File, WithADamagedQuoteIsRefused) {
  const std::string text = fixture_text("cpu_2s");
  int damaged = 0;
  for (size_t at = text.find("gp_index"); at != std::string::npos; at = text.find('"', at + 301)) {
    std::string other = text;
    other[at] = '<';
    const Result<Machine> machine = parse_xml(other);
    ASSERT_FALSE(machine.ok()) << at;
    EXPECT_NE(machine.status().message().find("line "), std::string::npos);
    ++damaged;
  }
  EXPECT_GT(damaged, 100);
}

TEST(File, WithoutAnAttributeThatHwlocNeedsIsRefused) {
  const std::string text = fixture_text("mi300x_8");
  for (const char* name :
       {" gp_index=", " cpuset=", " complete_cpuset=", " complete_nodeset=", " bridge_type=",
        " bridge_pci=", " pci_busid=", " pci_type=", " osdev_type=", " type="}) {
    std::string other = text;
    const size_t at = other.rfind(name);
    ASSERT_NE(at, std::string::npos) << name;
    other[at + 2] = 'x';
    EXPECT_FALSE(parse_xml(other).ok()) << name;
  }
}

// Not refused, for it may be a real machine; but what comes out holds together.
TEST(File, WithOtherNumbersEndsWell) {
  const std::string text = fixture_text("cpu_2s");
  int read = 0;
  for (size_t at = 150; at < text.size(); at += 1 + text.size() / 199) {
    std::string other = text;
    if (other[at] < '0' || other[at] > '9') continue;
    other[at] = static_cast<char>('0' + (other[at] - '0' + 1) % 10);
    const Result<Machine> machine = parse_xml(other);
    if (!machine.ok()) continue;
    ++read;
    EXPECT_FALSE(machine.value().cpus.empty()) << at;
    EXPECT_EQ(place_slots(machine.value(), {CpuSet::range(0, 5)}).node_of.size(), 1u) << at;
  }
  EXPECT_GT(read, 0);
}

// What a container with fewer CPUs shows: hwloc leaves out what is not allowed.
TEST(File, OfAContainerHasOnlyTheCpusThatAreAllowed) {
  std::string text = fixture_text("mi300x_8");
  const std::string whole = "allowed_cpuset=\"0xffffffff,0xffffffff\"";
  ASSERT_NE(text.find(whole), std::string::npos);
  text.replace(text.find(whole), whole.size(), "allowed_cpuset=\"0x0000000f,0x00000003\"");
  const Result<Machine> machine = parse_xml(text);
  ASSERT_TRUE(machine.ok()) << machine.status().message();
  EXPECT_EQ(machine.value().cpus.text(), "0-1,32-35");
  EXPECT_EQ(machine.value().cores.size(), 6u);
  EXPECT_EQ(machine.value().gpus.size(), 8u);  // devices are not CPUs
  for (const Device& gpu : machine.value().gpus) EXPECT_FALSE(gpu.cpus.empty());
}

TEST(ThisMachine, IsAsTheSystemSays) {
  const ScopedEnv file("GOSS_TOPOLOGY_FILE", nullptr);
  const ScopedEnv xml("HWLOC_XMLFILE", nullptr);
  const Result<Machine> machine = read_machine();
  ASSERT_TRUE(machine.ok()) << machine.status().message();
  cpu_set_t own;
  ASSERT_EQ(::sched_getaffinity(0, sizeof(own), &own), 0);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &own)) EXPECT_TRUE(machine.value().cpus.contains(cpu)) << cpu;
  }
  EXPECT_GE(machine.value().nodes.size(), 1u);
  EXPECT_FALSE(machine.value().name.empty());
}

TEST(ThisMachine, IsReadWithoutMovingTheThreadOrChangingTheEnvironment) {
  const ScopedEnv file("GOSS_TOPOLOGY_FILE", nullptr);
  cpu_set_t before;
  ASSERT_EQ(::sched_getaffinity(0, sizeof(before), &before), 0);
  std::vector<std::string> variables;
  for (char** at = environ; *at != nullptr; ++at) variables.emplace_back(*at);
  std::vector<std::thread> threads;  // several at once
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([] { EXPECT_TRUE(read_machine().ok()); });
  }
  for (std::thread& thread : threads) thread.join();
  cpu_set_t after;
  ASSERT_EQ(::sched_getaffinity(0, sizeof(after), &after), 0);
  EXPECT_TRUE(CPU_EQUAL(&before, &after));
  std::vector<std::string> now;
  for (char** at = environ; *at != nullptr; ++at) now.emplace_back(*at);
  EXPECT_EQ(now, variables);
}

TEST(ThisMachine, IsThatOfTheFileWhereThereIsOne) {
  const ScopedEnv file("GOSS_TOPOLOGY_FILE", fixture_path("h200_8").c_str());
  const Result<Machine> machine = read_machine();
  ASSERT_TRUE(machine.ok()) << machine.status().message();
  EXPECT_EQ(machine.value().gpus.size(), 8u);
  EXPECT_TRUE(several_nodes());
}

TEST(ThisMachine, WithAFileThatCannotBeReadIsAnErrorThatNamesTheVariable) {
  const ScopedEnv file("GOSS_TOPOLOGY_FILE", "/nowhere.xml");
  const Result<Machine> machine = read_machine();
  ASSERT_FALSE(machine.ok());
  EXPECT_NE(machine.status().message().find("GOSS_TOPOLOGY_FILE"), std::string::npos);
  EXPECT_NE(machine.status().message().find("/nowhere.xml"), std::string::npos);
}

}  // namespace
}  // namespace goss::topology
