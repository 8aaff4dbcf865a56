// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What the checked operations of the harness send, and what each rank must have then. Small
// integers: sums are exact in any order, so that every element must be equal to the bit.
#pragma once

#include <cstddef>

#include "common/options.h"

namespace goss::perf {

class Data {
 public:
  // `bytes` of floats; where there are blocks, one for each rank and of a multiple of 16 bytes, as
  // the tools of nccl-tests have them.
  Data(Collective collective, size_t bytes, int rank, int nranks)
      : collective_(collective),
        rank_(rank),
        nranks_(nranks),
        in_blocks_(is_in_blocks(collective)),
        count_(in_blocks_ ? bytes / sizeof(float) / static_cast<size_t>(nranks) / 4 * 4
                          : bytes / sizeof(float)) {}

  size_t count() const { return count_; }  // of a block where there are blocks
  size_t total() const { return in_blocks_ ? count_ * static_cast<size_t>(nranks_) : count_; }

  size_t received() const {
    const bool root_only = collective_ == Collective::kReduce || collective_ == Collective::kGather;
    if (root_only && rank_ != 0) return 0;
    const bool one_block =
        collective_ == Collective::kReduceScatter || collective_ == Collective::kScatter;
    return one_block ? count_ : total();
  }

  static float input(int rank, size_t i, int salt) {
    return static_cast<float>((i + static_cast<size_t>(rank * 7 + salt * 13)) % 61 + 1);
  }

  // Element i of what this rank received.
  float expected(size_t i, int salt) const {
    const size_t own = static_cast<size_t>(rank_) * count_;
    switch (collective_) {
      case Collective::kAllReduce:
      case Collective::kReduce: return sum(i, salt);
      case Collective::kReduceScatter: return sum(own + i, salt);
      case Collective::kBroadcast: return input(0, i, salt);
      case Collective::kScatter: return input(0, own + i, salt);
      case Collective::kAllGather:
      case Collective::kGather: return input(static_cast<int>(i / count_), i % count_, salt);
      case Collective::kAlltoAll:
        return input(static_cast<int>(i / count_), own + i % count_, salt);
      case Collective::kSendRecv: return input((rank_ + nranks_ - 1) % nranks_, i, salt);
      case Collective::kBarrier: break;
    }
    return 0;
  }

 private:
  float sum(size_t i, int salt) const {
    float sum = 0;
    for (int rank = 0; rank < nranks_; ++rank) sum += input(rank, i, salt);
    return sum;
  }

  Collective collective_;
  int rank_, nranks_;
  bool in_blocks_;
  size_t count_;
};

}  // namespace goss::perf
