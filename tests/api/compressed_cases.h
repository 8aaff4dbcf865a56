// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Compressed calls and what must be true of their results: the same bits on all ranks, and within
// the reported bound of the exact result, which is computed here in double.
#pragma once

#include <gossamer/compression.h>

#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "support/buffers.h"
#include "support/ranks.h"
#include "support/reference.h"

namespace goss::test {

enum class Call {
  kAllReduce,
  kBroadcast,
  kReduce,
  kAllGather,
  kReduceScatter,
  kAlltoAll,
  kGather,
  kScatter
};
constexpr const char* kCallNames[] = {"all_reduce",     "broadcast",  "reduce", "all_gather",
                                      "reduce_scatter", "all_to_all", "gather", "scatter"};

struct Case {
  Call call = Call::kAllReduce;
  std::string codec = "int8";
  size_t count = 1000;
  gossDataType_t type = gossFloat32;
  gossRedOp_t op = gossSum;
  int root = 0;
  bool in_place = false;
  Memory memory = Memory::kPrivate;
  gossStream_t stream = nullptr;

  std::string name() const {
    return std::string(kCallNames[static_cast<int>(call)]) + " of " + std::to_string(count) + " " +
           kTypes[type] + " " + kOps[op] + " as " + codec + (in_place ? " in place" : "");
  }
  bool reduces() const {
    return call == Call::kAllReduce || call == Call::kReduce || call == Call::kReduceScatter;
  }
  bool input_blocks() const {
    return call == Call::kReduceScatter || call == Call::kAlltoAll || call == Call::kScatter;
  }
  bool output_blocks() const {
    return call == Call::kAllGather || call == Call::kAlltoAll || call == Call::kGather;
  }
  bool has_output(int rank) const {
    return (call != Call::kReduce && call != Call::kGather) || rank == root;
  }
  size_t inputs(int n) const { return count * (input_blocks() ? static_cast<size_t>(n) : 1); }
  size_t outputs(int n) const { return count * (output_blocks() ? static_cast<size_t>(n) : 1); }
};

// Numbers of the bell curve's kind, whose scale changes from block to block.
inline float plain_number(int rank, size_t i) {
  const uint64_t h = mix(i * 1031 + static_cast<uint64_t>(rank) * 77 + 5);
  double sum = 0;
  for (int k = 0; k < 4; ++k) sum += static_cast<double>(h >> (16 * k) & 0xffff) / 65536 - 0.5;
  return static_cast<float>(std::ldexp(sum, static_cast<int>(mix(i / 32) % 7)));
}

inline double load_number(const std::byte* from, gossDataType_t type) {
  if (type == gossFloat64) {
    double value;
    std::memcpy(&value, from, sizeof(value));
    return value;
  }
  if (type == gossFloat32) {
    float value;
    std::memcpy(&value, from, sizeof(value));
    return static_cast<double>(value);
  }
  uint16_t bits;
  std::memcpy(&bits, from, sizeof(bits));
  return static_cast<double>(decode_table(type)[bits]);
}

inline void store_number(std::byte* to, gossDataType_t type, float value) {
  if (type == gossFloat64) return put_value(to, static_cast<double>(value));
  if (type == gossFloat32) return put_value(to, value);
  put_value(to, static_cast<uint16_t>(narrow_format(type).encode(value)));
}

// The number that `rank` contributes, after rounding to the type.
inline double input_number(const Case& c, int rank, size_t i) {
  std::byte bytes[8];
  store_number(bytes, c.type, plain_number(rank, i));
  return load_number(bytes, c.type);
}

struct Exact {
  double value;
  double slack;  // what fp32 additions and the rounding to the type may do
};

inline Exact exact_element(const Case& c, int rank, int n, size_t i) {
  const auto place = static_cast<size_t>(rank) * c.count + i;
  const double unit = c.type == gossBfloat16 ? 0x1p-8 : c.type == gossFloat16 ? 0x1p-11 : 0x1p-24;
  const auto moved = [&](double x) { return Exact{x, std::fabs(x) * (unit + 0x1p-24) + 1e-30}; };
  switch (c.call) {
    case Call::kBroadcast: return moved(input_number(c, c.root, i));
    case Call::kAllGather:
    case Call::kGather: return moved(input_number(c, static_cast<int>(i / c.count), i % c.count));
    case Call::kAlltoAll:
      return moved(input_number(c, static_cast<int>(i / c.count),
                                static_cast<size_t>(rank) * c.count + i % c.count));
    case Call::kScatter: return moved(input_number(c, c.root, place));
    case Call::kAllReduce:
    case Call::kReduce:
    case Call::kReduceScatter: break;
  }
  const size_t at = c.call == Call::kReduceScatter ? place : i;
  double total = 0;
  double magnitudes = 0;
  for (int r = 0; r < n; ++r) {
    const double x = input_number(c, r, at);
    magnitudes += std::fabs(x);
    if (r == 0) {
      total = x;
    } else if (c.op == gossMin) {
      total = std::min(total, x);
    } else if (c.op == gossMax) {
      total = std::max(total, x);
    } else {
      total += x;
    }
  }
  if (c.op == gossAvg) total /= n;
  // Decoded contributions may be a little larger than the inputs; what a host has summed is rounded
  // to the type.
  return {total,
          2 * (n + 1) * 0x1p-24 * magnitudes + (std::fabs(total) + magnitudes) * unit + 1e-30};
}

// One rank's call; returns its result, empty where it has none.
inline std::vector<std::byte> call_rank(const Rank& me, const Case& c, gossCollConfig_t config) {
  const size_t size = kSizes[c.type];
  const int n = me.nranks;
  Buffer send(c.memory, c.inputs(n) * size);
  Buffer recv(c.memory, std::max(c.outputs(n), c.in_place ? c.inputs(n) : 0) * size);
  const auto own = static_cast<size_t>(me.rank) * c.count * size;
  std::byte* input = send.data();
  std::byte* output = recv.data();
  if (c.in_place) {
    input = recv.data() + (c.output_blocks() && !c.input_blocks() ? own : 0);
    output = recv.data() + (c.input_blocks() && !c.output_blocks() ? own : 0);
  }
  const bool only_root = c.call == Call::kBroadcast || c.call == Call::kScatter;
  if (!only_root || me.rank == c.root) {
    for (size_t i = 0; i < c.inputs(n); ++i) {
      store_number(input + i * size, c.type, plain_number(me.rank, i));
    }
  }
  config.codec = c.codec.c_str();
  const auto stream = c.stream;
  switch (c.call) {
    case Call::kAllReduce:
      MUST(gossAllReduceConfig(input, output, c.count, c.type, c.op, me.comm, stream, &config));
      break;
    case Call::kBroadcast:
      MUST(gossBroadcastConfig(input, output, c.count, c.type, c.root, me.comm, stream, &config));
      break;
    case Call::kReduce:
      MUST(
          gossReduceConfig(input, output, c.count, c.type, c.op, c.root, me.comm, stream, &config));
      break;
    case Call::kAllGather:
      MUST(gossAllGatherConfig(input, output, c.count, c.type, me.comm, stream, &config));
      break;
    case Call::kReduceScatter:
      MUST(gossReduceScatterConfig(input, output, c.count, c.type, c.op, me.comm, stream, &config));
      break;
    case Call::kAlltoAll:
      MUST(gossAlltoAllConfig(input, output, c.count, c.type, me.comm, stream, &config));
      break;
    case Call::kGather:
      MUST(gossGatherConfig(input, output, c.count, c.type, c.root, me.comm, stream, &config));
      break;
    case Call::kScatter:
      MUST(gossScatterConfig(input, output, c.count, c.type, c.root, me.comm, stream, &config));
      break;
  }
  if (stream != nullptr) MUST(gossStreamSynchronize(stream));
  send.require_guards(c.name());
  recv.require_guards(c.name());
  if (!c.has_output(me.rank)) return {};
  return {output, output + c.outputs(n) * size};
}

// What the ranks of one call show to the rank that checks them.
class Results {
 public:
  explicit Results(int n) : outputs_(static_cast<size_t>(n)), reports_(static_cast<size_t>(n)) {}

  // One compressed call by all ranks, checked by rank 0. Collective.
  void run(const Rank& me, const Case& c, gossCollConfig_t config = GOSS_COLL_CONFIG_INITIALIZER) {
    gossErrorReport_t report{};
    report.size = sizeof(report);
    config.report = &report;
    outputs_[static_cast<size_t>(me.rank)] = call_rank(me, c, config);
    reports_[static_cast<size_t>(me.rank)] = report;
    MUST(gossBarrier(me.comm, nullptr));
    if (me.rank == 0) check(c, me.nranks);
    MUST(gossBarrier(me.comm, nullptr));
  }

  const std::vector<std::byte>& output(int rank) const {
    return outputs_[static_cast<size_t>(rank)];
  }
  const gossErrorReport_t& report(int rank) const { return reports_[static_cast<size_t>(rank)]; }

 private:
  void check(const Case& c, int n) const {
    for (int r = 0; r < n; ++r) {
      const std::vector<std::byte>& bytes = output(r);
      const gossErrorReport_t& told = report(r);
      const std::string what = c.name() + ", n=" + std::to_string(n) + ", rank " +
                               std::to_string(r) + " (" + told.codec + ", " + told.algorithm + ")";
      require(std::isfinite(told.bound) && told.bound >= 0, what + ": bound");
      const bool same =
          c.call == Call::kAllReduce || c.call == Call::kBroadcast || c.call == Call::kAllGather;
      if (same) {
        require(bytes == output(0), what + ": other bits than rank 0");
        require(told.bound == report(0).bound, what + ": another bound than rank 0");
      }
      const size_t size = kSizes[c.type];
      require(bytes.size() == (c.has_output(r) ? c.outputs(n) * size : 0), what + ": size");
      if (same && r > 0) continue;
      // Of long results some elements of every block.
      const size_t stride = bytes.size() > 400'000 ? 13 : 1;
      for (size_t i = 0; i * size < bytes.size(); i += stride) {
        const double got = load_number(bytes.data() + i * size, c.type);
        const Exact exact = exact_element(c, r, n, i);
        require(std::fabs(got - exact.value) <= told.bound + exact.slack,
                what + ": element " + std::to_string(i) + " is " + std::to_string(got) +
                    " instead of " + std::to_string(exact.value) + ", bound " +
                    std::to_string(told.bound));
      }
    }
  }

  std::vector<std::vector<std::byte>> outputs_;
  std::vector<gossErrorReport_t> reports_;
};

}  // namespace goss::test
