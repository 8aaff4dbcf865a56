// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The algorithms on the network of network.h: what an all-reduce of S bytes, or one step of gossip,
// costs n ranks that start together.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "scaling/network.h"

namespace goss::scaling {

struct Algorithm {
  std::string name;
  std::string what;  // for --help
  // Whether it exists for so many ranks on this network.
  bool (*applies)(const Network&, int nranks);
  Cost (*run)(const Network&, int nranks, double bytes);
};

// Ring, halving and doubling, two-level, one-shot, two-shot, hypercube and dissemination gossip.
const std::vector<Algorithm>& algorithms();

// One-shot and two-shot: the schedules of src/collectives themselves, publish as send and source as
// receive, message by message in the order of time. The rows of algorithms() use a faster loop that
// sends the same messages; a test compares the two.
Cost run_one_shot_schedule(const Network& network, int nranks, double bytes);
Cost run_two_shot_schedule(const Network& network, int nranks, double bytes);

}  // namespace goss::scaling
