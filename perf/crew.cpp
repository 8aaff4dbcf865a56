// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "crew.h"

#include <algorithm>

namespace goss::perf {

namespace {

// The same array once per rank of the crew: ranks of one thread must not share a buffer.
template <class T>
std::vector<std::vector<T>> copies(std::span<const T> values, int n) {
  return std::vector<std::vector<T>>(n, std::vector<T>(values.begin(), values.end()));
}

}  // namespace

void check(gossResult_t result, const char* call, int rank, gossComm_t comm) {
  if (result == gossSuccess) return;
  std::string text = "rank " + std::to_string(rank) + ": " + call + ": " +
                     gossGetErrorString(result) + " (code " + std::to_string(result) + ")";
  const std::string of_comm = comm == nullptr ? "" : gossGetLastError(comm);
  const std::string why = of_comm.empty() ? gossGetLastError(nullptr) : of_comm;
  if (!why.empty()) text += "\n  " + why;
  throw Failure(text);
}

Crew::Crew(int nranks, int first_rank, int size)
    : nranks_(nranks),
      first_rank_(first_rank),
      group_nranks_(nranks),
      group_rank_(first_rank),
      comms_(size, nullptr),
      streams_(size, nullptr) {}

Crew::~Crew() {
  abort();
  for (gossStream_t stream : streams_) {
    if (stream != nullptr) gossStreamDestroy(stream);
  }
}

void Crew::abort() {
  for (std::vector<gossComm_t>* comms : {&groups_, &comms_}) {
    for (gossComm_t& comm : *comms) {
      if (comm != nullptr) gossCommAbort(comm);
      comm = nullptr;
    }
  }
}

void Crew::split(int group, gossConfig_t* config) {
  end(groups_);
  std::vector<gossComm_t> made(comms_.size(), nullptr);
  together("gossCommSplit", [&](int i) {
    return gossCommSplit(comms_[i], group, first_rank_ + i, &made[i], config);
  });
  groups_ = std::move(made);
  group_ = group;
  check(gossCommCount(groups_[0], &group_nranks_), "gossCommCount", first_rank_, groups_[0]);
  check(gossCommUserRank(groups_[0], &group_rank_), "gossCommUserRank", first_rank_, groups_[0]);
}

void Crew::make_streams() {
  for (int i = 0; i < size(); ++i) {
    if (streams_[i] != nullptr) continue;
    check(gossStreamCreate(&streams_[i]), "gossStreamCreate", first_rank_ + i, nullptr);
  }
}

void Crew::synchronize() {
  for (int i = 0; i < size(); ++i) {
    if (streams_[i] == nullptr) continue;
    check(gossStreamSynchronize(streams_[i]), "gossStreamSynchronize", first_rank_ + i, comm(i));
  }
}

void Crew::destroy() {
  synchronize();
  end(groups_);
  end(comms_);
}

void Crew::end(std::span<gossComm_t> comms) {
  if (comms.empty()) return;
  // In a group: destroying waits for the other ranks, some of which may be this thread's.
  together("gossCommFinalize", [&](int i) { return gossCommFinalize(comms[i]); });
  for (int i = 0; i < size(); ++i) {
    check(gossCommDestroy(comms[i]), "gossCommDestroy", first_rank_ + i, nullptr);
    comms[i] = nullptr;
  }
}

double Crew::combine(double value, Combine how) { return combine_over(comms_, value, how); }

double Crew::combine_in_group(double value, Combine how) {
  return combine_over(groups_.empty() ? comms_ : groups_, value, how);
}

double Crew::combine_over(std::span<const gossComm_t> comms, double value, Combine how) {
  const int n = size();
  std::vector<double> in(n, value);
  std::vector<double> out(n, 0);
  if (how == Combine::kSum) std::fill(in.begin() + 1, in.end(), 0.0);
  together("combining results", [&](int i) {
    double* x = &in[i];
    double* y = &out[i];
    switch (how) {
      case Combine::kRank0: return gossBroadcast(x, y, 1, gossFloat64, 0, comms[i], nullptr);
      case Combine::kAverage:
        return gossAllReduce(x, y, 1, gossFloat64, gossAvg, comms[i], nullptr);
      case Combine::kMin: return gossAllReduce(x, y, 1, gossFloat64, gossMin, comms[i], nullptr);
      case Combine::kMax: return gossAllReduce(x, y, 1, gossFloat64, gossMax, comms[i], nullptr);
      case Combine::kSum: return gossAllReduce(x, y, 1, gossFloat64, gossSum, comms[i], nullptr);
    }
    return gossInternalError;
  });
  return out[0];
}

void Crew::combine_max(std::span<double> values) {
  auto buffers = copies<double>(values, size());
  together("combining results", [&](int i) {
    return gossAllReduce(buffers[i].data(), buffers[i].data(), values.size(), gossFloat64, gossMax,
                         comms_[i], nullptr);
  });
  std::copy(buffers[0].begin(), buffers[0].end(), values.begin());
}

void Crew::combine_max(std::span<unsigned char> bytes) {
  auto buffers = copies<unsigned char>(bytes, size());
  together("combining results", [&](int i) {
    return gossAllReduce(buffers[i].data(), buffers[i].data(), bytes.size(), gossUint8, gossMax,
                         comms_[i], nullptr);
  });
  std::copy(buffers[0].begin(), buffers[0].end(), bytes.begin());
}

void Crew::barrier() {
  together("gossBarrier", [&](int i) { return gossBarrier(comms_[i], nullptr); });
}

}  // namespace goss::perf
