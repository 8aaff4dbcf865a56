// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "ranks.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <numeric>
#include <thread>

#include "check.h"
#ifdef GOSS_TRAIN_MPI
#include <gossamer/gossamer_mpi.h>
#endif

namespace goss::train {

namespace {

constexpr std::chrono::seconds kPatience{60};  // until the survivors agree on who they are

// Open MPI's variable; MPI is started only under the mpirun that this program was built for.
[[maybe_unused]] bool under_open_mpi() { return std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr; }

size_t size_of(gossDataType_t type) {
  size_t bytes = 0;
  switch (type) {
    case gossInt8:
    case gossUint8: bytes = 1; break;
    case gossInt32:
    case gossUint32:
    case gossFloat: bytes = 4; break;
    case gossInt64:
    case gossUint64:
    case gossDouble: bytes = 8; break;
    default: throw Failure("a type that the trainer does not reduce");
  }
  return bytes;
}

}  // namespace

Ranks::Ranks(bool survive) : survive_(survive) {
#ifdef GOSS_TRAIN_MPI
  if (under_open_mpi()) {
    int provided = 0;
    if (MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) {
      throw Failure("MPI_Init_thread failed");
    }
    mpi_ = true;
    check(gossCommInitMpi(&gradients_, MPI_COMM_WORLD, nullptr), "gossCommInitMpi");
  }
#endif
  if (!mpi_) check(gossCommInitEnv(&gradients_, nullptr), "gossCommInitEnv");
  check(gossCommUserRank(gradients_, &rank_), "gossCommUserRank");
  check(gossCommCount(gradients_, &started_), "gossCommCount");
  check(gossCommSplit(gradients_, 0, rank_, &control_, nullptr), "gossCommSplit");
  living_.resize(static_cast<size_t>(started_));
  std::iota(living_.begin(), living_.end(), 0);
}

Ranks::~Ranks() {
  gossCommDestroy(control_);
  gossCommDestroy(gradients_);
#ifdef GOSS_TRAIN_MPI
  // MPI would wait for ranks that are gone.
  if (mpi_ && generation_ == 0) MPI_Finalize();
#endif
}

void Ranks::finalize() {
  const auto finalize = [this](gossComm_t comm) {
    const gossResult_t result = gossCommFinalize(comm);
    if (survive_ && result == gossRemoteError) return;  // died behind its last operation
    check(result, "gossCommFinalize", comm);
  };
  finalize(control_);
  if (generation_ == 0) finalize(gradients_);
}

std::vector<int> Ranks::lost() const {
  std::vector<int> lost;
  for (int r = 0; r < started_; ++r) {
    if (std::find(living_.begin(), living_.end(), r) == living_.end()) lost.push_back(r);
  }
  return lost;
}

void Ranks::all_reduce(void* values, size_t count, gossDataType_t type, gossRedOp_t op) {
  if (!survive_) {
    check(gossAllReduce(values, values, count, type, op, control_, nullptr), "gossAllReduce",
          control_);
    return;
  }
  const std::span bytes(static_cast<uint8_t*>(values), count * size_of(type));
  input_.assign(bytes.begin(), bytes.end());
  for (;;) {
    const gossResult_t result =
        gossAllReduce(input_.data(), values, count, type, op, control_, nullptr);
    if (result == gossSuccess) break;
    if (result != gossRemoteError) check(result, "gossAllReduce", control_);
    if (recover(bytes)) break;
  }
  ++completed_;
  result_.assign(bytes.begin(), bytes.end());
}

// No rank completes an operation that not all have begun, so of two survivors one is at most one
// operation ahead, and still has the result that the other one lacks.
bool Ranks::recover(std::span<uint8_t> values) {
  for (;;) {
    shrink();
    const auto failed = [this](gossResult_t result, const char* call) {
      if (result == gossRemoteError) return true;  // one more has died
      check(result, call, control_);
      return false;
    };
    int64_t ends[2] = {completed_, -completed_};
    if (failed(gossAllReduce(ends, ends, 2, gossInt64, gossMax, control_, nullptr),
               "gossAllReduce")) {
      continue;
    }
    if (ends[0] == -ends[1]) return false;
    const bool ahead = completed_ == ends[0];
    int64_t source = ahead ? rank_ : -1;
    if (failed(gossAllReduce(&source, &source, 1, gossInt64, gossMax, control_, nullptr),
               "gossAllReduce")) {
      continue;
    }
    std::vector<uint8_t> copy = result_;
    const std::span<uint8_t> target = ahead ? std::span<uint8_t>(copy) : values;
    if (failed(gossBroadcast(target.data(), target.data(), target.size(), gossUint8,
                             static_cast<int>(source), control_, nullptr),
               "gossBroadcast")) {
      continue;
    }
    return !ahead;
  }
}

void Ranks::shrink() {
  std::vector<int> dead(living_.size());
  gossComm_t smaller = nullptr;
  int count = 0;
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    const bool late = std::chrono::steady_clock::now() > deadline;
    check(gossCommGetLostRanks(control_, dead.data(), static_cast<int>(dead.size()), &count),
          "gossCommGetLostRanks", control_);
    if (count == 0) {  // others have heard of the death a little earlier
      if (late) throw Failure("an operation failed by a death, and nobody is known to be dead");
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      continue;
    }
    const gossResult_t result =
        gossCommShrink(control_, dead.data(), count, &smaller, nullptr, GOSS_SHRINK_ABORT);
    if (result == gossSuccess) break;
    // One more has died; or the lists were different until now.
    const bool again = result == gossRemoteError || result == gossInvalidUsage;
    if (!again || late) check(result, "gossCommShrink", control_);
  }
  gossCommDestroy(control_);
  control_ = smaller;
  dead.resize(static_cast<size_t>(count));
  std::vector<int> left;
  for (size_t r = 0; r < living_.size(); ++r) {
    if (std::find(dead.begin(), dead.end(), static_cast<int>(r)) == dead.end()) {
      left.push_back(living_[r]);
    }
  }
  living_ = left;
  check(gossCommUserRank(control_, &rank_), "gossCommUserRank");
  ++generation_;
}

void Ranks::sum(std::span<float> values) {
  all_reduce(values.data(), values.size(), gossFloat, gossSum);
}

void Ranks::sum(std::span<double> values) {
  all_reduce(values.data(), values.size(), gossDouble, gossSum);
}

int64_t Ranks::max(int64_t value) {
  all_reduce(&value, 1, gossInt64, gossMax);
  return value;
}

// Complete when all that were counted when they wrote their shares are in the sum: as many as there
// were ranks, all of one generation. Ranks of two generations find it incomplete on both sides.
void Ranks::gather(std::span<float> values, const std::function<void(std::span<float>)>& share) {
  std::vector<float> all(values.size() + 2);
  for (;;) {
    std::ranges::fill(all, 0.f);
    const auto ranks = static_cast<float>(count());
    const auto generation = static_cast<float>(generation_);
    share(std::span(all).first(values.size()));
    all[values.size()] = 1;
    all[values.size() + 1] = generation;
    sum(all);
    if (all[values.size()] == ranks && all[values.size() + 1] == ranks * generation) break;
  }
  std::copy_n(all.begin(), values.size(), values.begin());
}

void Ranks::expect_equal(uint64_t number, const char* what) {
  const auto value = static_cast<int64_t>(number >> 1);  // -value must exist
  const int64_t most = max(value);
  if (most != min(value)) throw Failure(std::string(what) + " differs between the ranks");
}

}  // namespace goss::train
