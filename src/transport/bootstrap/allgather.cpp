// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "transport/bootstrap/allgather.h"

#include <algorithm>

#include "transport/bootstrap/frame.h"

namespace goss::bootstrap {

namespace {

size_t index(int rank) { return static_cast<size_t>(rank); }

}  // namespace

Gather::Gather(int rank, int nranks)
    : rank_(rank), nranks_(nranks), blocks_(index(nranks)), early_(index(nranks)) {}

void Gather::start(const std::string& mine) {
  running_ = true;
  step_ = 1;
  contiguous_ = 0;
  blocks_[index(rank_)] = mine;
}

bool Gather::accept(const std::string& payload) {
  Reader in(payload);
  while (in.ok() && !in.empty()) {
    const uint32_t number = in.u32();
    const uint32_t origin = in.u32();
    const std::string_view bytes = in.text(kMaxBlockBytes);
    if (!in.ok() || origin >= blocks_.size() || number - number_ > 1) return false;
    auto& block = number == number_ ? blocks_[origin] : early_[origin];
    if (block.has_value() || static_cast<int>(origin) == rank_) return false;
    block = std::string(bytes);
  }
  return in.ok();
}

std::optional<Gather::Send> Gather::next_send() {
  while (contiguous_ < nranks_ && blocks_[index((rank_ + contiguous_) % nranks_)]) ++contiguous_;
  const int count = std::min(step_, nranks_ - step_);
  if (step_ >= nranks_ || contiguous_ < count) return std::nullopt;
  Send send{(rank_ - step_ + nranks_) % nranks_, {}};
  Writer frame;
  for (int i = 0; i < count; ++i) {
    const int origin = (rank_ + i) % nranks_;
    const std::string& block = *blocks_[index(origin)];
    if (frame.size() > 0 && frame.size() + block.size() + 12 > kMaxPayloadBytes) {
      send.payloads.push_back(frame.take());
      frame = Writer();
    }
    frame.u32(number_);
    frame.i32(origin);
    frame.text(block);
  }
  send.payloads.push_back(frame.take());
  step_ *= 2;
  return send;
}

bool Gather::complete() const { return step_ >= nranks_ && missing().empty(); }

std::vector<std::string> Gather::finish() {
  std::vector<std::string> all;
  for (auto& block : blocks_) all.push_back(std::move(*block));
  blocks_ = std::move(early_);
  early_ = Blocks(index(nranks_));
  ++number_;
  running_ = false;
  return all;
}

std::vector<int> Gather::missing() const {
  std::vector<int> ranks;
  for (int rank = 0; rank < nranks_; ++rank) {
    if (!blocks_[index(rank)]) ranks.push_back(rank);
  }
  return ranks;
}

}  // namespace goss::bootstrap
