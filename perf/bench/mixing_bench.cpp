// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The mixing kernels alone, per type and bits. GB/s counts the bytes of one model, whatever else is
// read and written; `memcpy` is the C library's, in the same run. GOSS_CPU_ISA lowers the
// instruction set.
//
//   mixing_bench --benchmark_filter='float/|memcpy'
#include <benchmark/benchmark.h>

#include <cstring>
#include <string>
#include <vector>

#include "base/isa.h"
#include "mixing/mixing.h"

namespace {

using goss::DataType;
using goss::mixing::Kernels;

constexpr size_t kSizes[] = {32 << 10, 1 << 20, 32 << 20};
constexpr DataType kTypes[] = {gossFloat32, gossFloat64, gossFloat16, gossBfloat16};

// A model: every byte 0x38 or near, small numbers of every type, no NaN and no subnormal. Buffers
// begin on a line, 4 lines off the page of each other: equal addresses modulo a page would measure
// the cache's associativity.
class Model {
 public:
  Model(size_t bytes, size_t index) : memory_(bytes + 2 * kPage, 0x38) {
    const auto address = reinterpret_cast<uintptr_t>(memory_.data());
    begin_ = (kPage - address % kPage) % kPage + index * 256;
    for (size_t i = 0; i < bytes; i += 8) data()[i] = static_cast<uint8_t>(0x38 ^ index);
  }
  uint8_t* data() { return memory_.data() + begin_; }

 private:
  static constexpr size_t kPage = 4096;
  std::vector<uint8_t> memory_;
  size_t begin_;
};

void report(benchmark::State& state, size_t bytes) {
  state.counters["GB/s"] = benchmark::Counter(
      static_cast<double>(bytes) * static_cast<double>(state.iterations()) * 1e-9,
      benchmark::Counter::kIsRate);
}

void run_memcpy(benchmark::State& state, size_t bytes) {
  Model x(bytes, 0), y(bytes, 1);
  for (auto _ : state) {
    std::memcpy(y.data(), x.data(), bytes);
    benchmark::ClobberMemory();
  }
  report(state, bytes);
}

struct Mean {
  const char* name;
  size_t nsources;
  double divisor;
  bool second;
  bool measure;
};
constexpr Mean kMeans[] = {{"pair", 2, 2, false, false},
                           {"pair_to_both", 2, 2, true, false},
                           {"pair_measured", 2, 2, false, true},
                           {"thirds", 3, 3, false, false}};

void run_mix(benchmark::State& state, DataType type, const Mean& mean, size_t bytes) {
  Model memory[] = {{bytes, 0}, {bytes, 1}, {bytes, 2}, {bytes, 3}};
  const void* sources[] = {memory[0].data(), memory[1].data(), memory[2].data()};
  const double factors[] = {1, 1, 1};
  goss::mixing::Difference difference;
  const Kernels kernels = goss::mixing::kernels(type);
  for (auto _ : state) {
    kernels.mix({.dst = memory[3].data(),
                 .dst2 = mean.second ? memory[1].data() : nullptr,
                 .sources = sources,
                 .factors = factors,
                 .nsources = mean.nsources,
                 .count = bytes / goss::type_size(type),
                 .divisor = mean.divisor,
                 .difference = mean.measure ? &difference : nullptr});
    benchmark::ClobberMemory();
  }
  report(state, bytes);
}

// A model and its partner's, and everything that a compressed mix needs.
struct Compressed {
  Compressed(DataType type, size_t bytes, int number_of_bits)
      : kernels(goss::mixing::kernels(type)),
        count(bytes / goss::type_size(type)),
        bits(number_of_bits),
        x(bytes, 0),
        dst(bytes, 1),
        message(goss::mixing::message_bytes(count, bits)),
        bounds(goss::mixing::blocks_of(count), 1e-3f),
        exponents(bounds.size()),
        verdicts(bounds.size()),
        own(count, 1e-5f),
        peer(count, 1e-5f) {}

  void modulo_encode() {
    kernels.modulo_encode({x.data(), count, bits, bounds.data(), exponents.data(), message.data()});
  }
  size_t modulo_mix() {
    return kernels.modulo_mix({.dst = dst.data(),
                               .x = x.data(),
                               .count = count,
                               .bits = bits,
                               .exponents = exponents.data(),
                               .message = message.data(),
                               .verdicts = verdicts.data()});
  }
  void edge_encode() { kernels.edge_encode({x.data(), own.data(), count, bits, message.data()}); }
  size_t edge_mix() {
    return kernels.edge_mix({.dst = dst.data(),
                             .x = x.data(),
                             .own_replica = own.data(),
                             .peer_replica = peer.data(),
                             .count = count,
                             .bits = bits,
                             .message = message.data(),
                             .verdicts = verdicts.data()});
  }

  Kernels kernels;
  size_t count;
  int bits;
  Model x, dst;
  std::vector<uint8_t> message;
  std::vector<float> bounds;
  std::vector<int32_t> exponents;
  std::vector<goss::mixing::Verdict> verdicts;
  std::vector<float> own, peer;
};

void run_modulo_encode(benchmark::State& state, DataType type, int bits, size_t bytes) {
  Compressed c(type, bytes, bits);
  for (auto _ : state) c.modulo_encode();
  report(state, bytes);
}

void run_modulo_mix(benchmark::State& state, DataType type, int bits, size_t bytes) {
  Compressed c(type, bytes, bits);
  c.modulo_encode();
  for (auto _ : state) {
    if (c.modulo_mix() != 0) state.SkipWithError("a block was not mixed");
  }
  report(state, bytes);
}

// From the second message on the replica has caught up: changes are small, the work is the same.
void run_edge_encode(benchmark::State& state, DataType type, int bits, size_t bytes) {
  Compressed c(type, bytes, bits);
  for (auto _ : state) c.edge_encode();
  report(state, bytes);
}

// The same message over and over belongs to no replica: this is the time to find that out, which is
// all of a mix but its last pass.
void run_edge_mix(benchmark::State& state, DataType type, int bits, size_t bytes) {
  Compressed c(type, bytes, bits);
  c.edge_encode();
  c.edge_encode();
  for (auto _ : state) benchmark::DoNotOptimize(c.edge_mix());
  report(state, bytes);
}

std::string size_name(size_t bytes) {
  return bytes >= 1 << 20 ? std::to_string(bytes >> 20) + "MiB"
                          : std::to_string(bytes >> 10) + "KiB";
}

void register_compressed(DataType type, int bits, size_t bytes) {
  const auto name = [&](const char* what) {
    return std::string(goss::type_name(type)) + "/" + what + "/" + std::to_string(bits) + "/" +
           size_name(bytes);
  };
  const auto add = [&](const char* what, auto* run) {
    benchmark::RegisterBenchmark(name(what).c_str(), run, type, bits, bytes);
  };
  add("modulo_encode", run_modulo_encode);
  add("modulo_mix", run_modulo_mix);
  add("edge_encode", run_edge_encode);
  add("edge_mix", run_edge_mix);
}

void register_all() {
  for (const size_t bytes : kSizes) {
    benchmark::RegisterBenchmark(("memcpy/" + size_name(bytes)).c_str(), run_memcpy, bytes);
    for (const DataType type : kTypes) {
      for (const Mean& mean : kMeans) {
        const std::string name =
            std::string(goss::type_name(type)) + "/" + mean.name + "/" + size_name(bytes);
        benchmark::RegisterBenchmark(name.c_str(), run_mix, type, mean, bytes);
      }
      if (!goss::mixing::compresses(type)) continue;
      for (const int bits : {3, 4, 8}) register_compressed(type, bits, bytes);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  register_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::AddCustomContext("isa", goss::chosen_isa().name);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
