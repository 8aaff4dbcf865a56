// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "scaling/algorithms.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include "collectives/gossip.h"

namespace goss::scaling {

namespace {

using collectives::AliveSet;
using collectives::Exchange;
using collectives::GossipAt;
using collectives::GossipOptions;
using collectives::GossipSchedule;
using collectives::Topology;

bool is_power_of_two(int n) { return std::has_single_bit(static_cast<unsigned>(n)); }

// 0..n-1 by their times: who shares a port goes through it in the order of time.
std::vector<size_t> in_order(const std::vector<double>& times) {
  std::vector<size_t> order(times.size());
  std::iota(order.begin(), order.end(), size_t{0});
  if (!std::is_sorted(times.begin(), times.end())) {
    std::stable_sort(order.begin(), order.end(),
                     [&times](size_t a, size_t b) { return times[a] < times[b]; });
  }
  return order;
}

std::vector<double> ready_times(const Clocks& clocks) {
  std::vector<double> times;
  for (int r = 0; r < clocks.nranks(); ++r) times.push_back(clocks.ready(r));
  return times;
}

// One message out per rank, all at the same time: to[r] is whom rank r sends to, or -1. Returns
// when the last byte reaches to[r].
std::vector<double> transfer(Clocks& clocks, const std::vector<int>& to, double bytes) {
  std::vector<double> first_byte(to.size(), 0);
  std::vector<double> there(to.size(), 0);
  for (const size_t r : in_order(ready_times(clocks))) {
    if (to[r] >= 0) first_byte[r] = clocks.send(static_cast<int>(r), to[r], bytes);
  }
  for (const size_t r : in_order(first_byte)) {
    if (to[r] >= 0) there[r] = clocks.arrive(static_cast<int>(r), to[r], bytes, first_byte[r]);
  }
  return there;
}

// A transfer that every receiver waits for.
void exchange(Clocks& clocks, const std::vector<int>& to, double bytes, double reduced_bytes) {
  const std::vector<double> there = transfer(clocks, to, bytes);
  for (size_t r = 0; r < to.size(); ++r) {
    if (to[r] >= 0) clocks.wait(to[r], there[r], reduced_bytes);
  }
}

// Everybody sends to everybody of its group before it waits for anything: group g are the ranks
// [g * size, (g + 1) * size).
void direct_exchange(Clocks& clocks, int size, double bytes, double reduced_bytes) {
  const int n = clocks.nranks();
  std::vector<double> all_there(static_cast<size_t>(n), 0);
  std::vector<int> to(static_cast<size_t>(n));
  for (int distance = 1; distance < size; ++distance) {
    for (int r = 0; r < n; ++r) {
      to[static_cast<size_t>(r)] = r / size * size + (r % size + distance) % size;
    }
    const std::vector<double> there = transfer(clocks, to, bytes);
    for (size_t r = 0; r < to.size(); ++r) {
      double& last = all_there[static_cast<size_t>(to[r])];
      last = std::max(last, there[r]);
    }
  }
  for (int r = 0; r < n; ++r) clocks.wait(r, all_there[static_cast<size_t>(r)], reduced_bytes);
}

// A ring over every stride-th rank, for each of the `stride` rings at once.
void ring_rounds(Clocks& clocks, int stride, double bytes) {
  const int n = clocks.nranks();
  const int length = n / stride;
  std::vector<int> to(static_cast<size_t>(n));
  for (int r = 0; r < n; ++r) to[static_cast<size_t>(r)] = (r + stride) % n;
  const double chunk = bytes / length;
  for (int round = 0; round < 2 * (length - 1); ++round) {
    exchange(clocks, to, chunk, round < length - 1 ? 2 * chunk : 0);
  }
}

Cost ring(const Network& network, int n, double bytes) {
  Clocks clocks(network, n);
  ring_rounds(clocks, 1, bytes);
  return clocks.cost();
}

// Rabenseifner 2004. Ranks beyond the power of two give their input away and get the result.
Cost halving_doubling(const Network& network, int n, double bytes) {
  Clocks clocks(network, n);
  const auto cores = static_cast<int>(std::bit_floor(static_cast<unsigned>(n)));
  std::vector<int> to(static_cast<size_t>(n), -1);
  const auto fold = [&](bool back) {
    std::fill(to.begin(), to.end(), -1);
    for (int extra = cores; extra < n; ++extra) {
      to[static_cast<size_t>(back ? extra - cores : extra)] = back ? extra : extra - cores;
    }
    exchange(clocks, to, bytes, back ? 0 : 2 * bytes);
  };
  const auto pairs = [&](int hop, double part, bool reduces) {
    std::fill(to.begin(), to.end(), -1);
    for (int r = 0; r < cores; ++r) to[static_cast<size_t>(r)] = r ^ hop;
    exchange(clocks, to, part, reduces ? 2 * part : 0);
  };
  if (cores < n) fold(false);
  double part = bytes / 2;
  for (int hop = cores / 2; hop >= 1; hop /= 2, part /= 2) pairs(hop, part, true);
  for (int hop = 1; hop < cores; hop *= 2) pairs(hop, part *= 2, false);
  if (cores < n) fold(true);
  return clocks.cost();
}

// Reduce-scatter inside the host, a ring between hosts for every local rank's share, all-gather.
Cost two_level(const Network& network, int n, double bytes) {
  Clocks clocks(network, n);
  const int local = network.ranks_per_host;
  const double share = bytes / local;
  direct_exchange(clocks, local, share, local * share);
  if (n > local) ring_rounds(clocks, local, share);
  direct_exchange(clocks, local, share, 0);
  return clocks.cost();
}

Cost one_shot(const Network& network, int n, double bytes) {
  Clocks clocks(network, n);
  direct_exchange(clocks, n, bytes, n * bytes);
  return clocks.cost();
}

Cost two_shot(const Network& network, int n, double bytes) {
  Clocks clocks(network, n);
  direct_exchange(clocks, n, bytes / n, bytes);
  direct_exchange(clocks, n, bytes / n, 0);
  return clocks.cost();
}

// One step: the average over a period of steps, one after the other without a barrier.
Cost gossip(Topology topology, const Network& network, int n, double bytes) {
  GossipOptions options;
  options.topology = topology;
  const GossipSchedule schedule = GossipSchedule::create(options, AliveSet::all(n)).take();
  Clocks clocks(network, n);
  std::vector<int> to(static_cast<size_t>(n));
  for (int step = 0; step < schedule.period(); ++step) {
    for (int r = 0; r < n; ++r) {
      const GossipAt at{static_cast<uint64_t>(step), r};
      to[static_cast<size_t>(r)] = schedule.exchange(at).sends > 0 ? schedule.send_peer(at, 0) : -1;
    }
    exchange(clocks, to, bytes, 2 * bytes);
  }
  Cost cost = clocks.cost();
  cost.time_us /= schedule.period();
  cost.messages /= schedule.period();
  cost.bytes /= schedule.period();
  return cost;
}

bool always(const Network&, int) { return true; }

}  // namespace

const std::vector<Algorithm>& algorithms() {
  static const std::vector<Algorithm> all = {
      {"ring", "ring all-reduce: 2(n-1) messages of S/n", always, ring},
      {"halving_doubling", "recursive halving and doubling: 2 log2 n messages of S/2 .. S/n",
       always, halving_doubling},
      {"two_level", "inside the host, then rings between hosts for each local rank's share",
       [](const Network& network, int n) {
         return network.ranks_per_host > 1 && n % network.ranks_per_host == 0;
       },
       two_level},
      {"oneshot", "direct all-reduce in one exchange: n-1 messages of S", always, one_shot},
      {"twoshot", "direct all-reduce in two exchanges: 2(n-1) messages of S/n", always, two_shot},
      {"gossip_hypercube", "one step of hypercube gossip: 1 message of S",
       [](const Network&, int n) { return is_power_of_two(n); },
       [](const Network& network, int n, double bytes) {
         return gossip(Topology::kHypercube, network, n, bytes);
       }},
      {"gossip_dissemination", "one step of dissemination gossip: 1 message of S", always,
       [](const Network& network, int n, double bytes) {
         return gossip(Topology::kDissemination, network, n, bytes);
       }},
  };
  return all;
}

}  // namespace goss::scaling
