// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The machines of fixtures/, and small ones made by hand.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "topology/order.h"
#include "topology/read.h"

namespace goss::topology {

inline std::string fixture_path(const std::string& name) {
  return std::string(GOSS_FIXTURES) + "/" + name + ".xml";
}

inline std::string fixture_text(const std::string& name) {
  std::ifstream file(fixture_path(name));
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline Machine fixture(const std::string& name) {
  Result<Machine> machine = read_file(fixture_path(name));
  EXPECT_TRUE(machine.ok()) << machine.status().message();
  return machine.ok() ? machine.take() : Machine();
}

// Bound to these CPUs of machine `number`.
inline RankPlace on_cpus(int first, int last, int number = 0) {
  return {number, CpuSet::range(first, last), -1};
}
inline RankPlace on_gpu(const Machine& machine, int gpu, int number = 0) {
  return {number, machine.gpus[static_cast<size_t>(gpu)].cpus, gpu};
}

}  // namespace goss::topology
