// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// A network that exists on paper: ranks with clocks, and ports that carry one message at a time.
// The model behind every figure of perf/scaling. Pure arithmetic: nothing is sent or measured.
//
// A message of b bytes costs its sender `overhead`, occupies the sender's port for b / bandwidth,
// travels for `latency`, and occupies the receiver's port for b / bandwidth. Alone it takes
// overhead + latency + b / bandwidth. Ports are full duplex. Ranks of one host share one port to
// the other hosts; among themselves each rank has a port of its own.
#pragma once

#include <cstddef>
#include <vector>

namespace goss::scaling {

struct Link {
  double latency_us = 0;
  double bytes_per_us = 1;  // = MB/s; 1,000 is 1 GB/s
  double overhead_us = 0;
};

struct Network {
  Link remote;
  Link local;
  int ranks_per_host = 1;
  double reduce_bytes_per_us = 0;  // 0: arithmetic is free
};

// What one algorithm came to. Messages and bytes are sent by the busiest rank.
struct Cost {
  double time_us = 0;
  double messages = 0;
  double bytes = 0;
  double chunk_bytes() const { return messages > 0 ? bytes / messages : 0; }
  double achieved_bytes_per_us() const { return time_us > 0 ? bytes / time_us : 0; }
};

class Clocks {
 public:
  Clocks(const Network& network, int nranks);

  // Posts a message when the sender is ready and its port is free; the sender goes on after the
  // overhead. Returns when the first byte reaches the receiver.
  double send(int from, int to, double bytes);
  // Occupies the receiver's port from then on; returns when the last byte is there. To be called in
  // the order of arrival.
  double arrive(int from, int to, double bytes, double first_byte_us);
  // The rank goes on at that time at the earliest, having computed on so many bytes.
  void wait(int rank, double until_us, double reduced_bytes);

  int nranks() const { return static_cast<int>(ready_.size()); }
  double ready(int rank) const { return ready_[static_cast<size_t>(rank)]; }
  Cost cost() const;

 private:
  bool is_local(int a, int b) const;
  double& port(std::vector<double>& ports, int rank, bool local);

  Network network_;
  std::vector<double> ready_;
  std::vector<double> out_, in_;  // when ports are free: one per rank, then one per host
  std::vector<double> messages_, bytes_;
};

}  // namespace goss::scaling
