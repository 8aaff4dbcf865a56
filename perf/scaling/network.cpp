// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "scaling/network.h"

#include <algorithm>

namespace goss::scaling {

Clocks::Clocks(const Network& network, int nranks)
    : network_(network),
      ready_(static_cast<size_t>(nranks), 0),
      out_(2 * ready_.size(), 0),
      in_(2 * ready_.size(), 0),
      messages_(ready_.size(), 0),
      bytes_(ready_.size(), 0) {}

bool Clocks::is_local(int a, int b) const {
  return a / network_.ranks_per_host == b / network_.ranks_per_host;
}

double& Clocks::port(std::vector<double>& ports, int rank, bool local) {
  return ports[local ? static_cast<size_t>(rank)
                     : ready_.size() + static_cast<size_t>(rank / network_.ranks_per_host)];
}

double Clocks::send(int from, int to, double bytes) {
  const bool local = is_local(from, to);
  const Link& link = local ? network_.local : network_.remote;
  double& busy = port(out_, from, local);
  double& ready = ready_[static_cast<size_t>(from)];
  ready += link.overhead_us;
  const double start = std::max(ready, busy);
  busy = start + bytes / link.bytes_per_us;
  ++messages_[static_cast<size_t>(from)];
  bytes_[static_cast<size_t>(from)] += bytes;
  return start + link.latency_us;
}

double Clocks::arrive(int from, int to, double bytes, double first_byte_us) {
  const bool local = is_local(from, to);
  const Link& link = local ? network_.local : network_.remote;
  double& busy = port(in_, to, local);
  busy = std::max(first_byte_us, busy) + bytes / link.bytes_per_us;
  return busy;
}

void Clocks::wait(int rank, double until_us, double reduced_bytes) {
  double& ready = ready_[static_cast<size_t>(rank)];
  ready = std::max(ready, until_us);
  if (network_.reduce_bytes_per_us > 0) ready += reduced_bytes / network_.reduce_bytes_per_us;
}

Cost Clocks::cost() const {
  return {*std::max_element(ready_.begin(), ready_.end()),
          *std::max_element(messages_.begin(), messages_.end()),
          *std::max_element(bytes_.begin(), bytes_.end())};
}

}  // namespace goss::scaling
