// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The reduction kernels and copies alone, per type and operation. GB/s counts the bytes of the
// result, whatever the number of sources. `handwritten` is fp32 sum by bare AVX-512 intrinsics and
// `memcpy` the C library's, in the same run: figures of different runs do not compare on a machine
// that others use too. GOSS_CPU_ISA lowers the instruction set.
//
//   reduce_bench --benchmark_filter='float/sum/|handwritten|memcpy'
#include <benchmark/benchmark.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "base/isa.h"
#include "reduce/reduce.h"

namespace {

using goss::DataType;
using goss::RedOp;
using goss::reduce::Arguments;
using goss::reduce::ReduceFn;
using goss::reduce::Store;

constexpr size_t kSizes[] = {8, 64, 8 << 10, 1 << 20, 64 << 20};
constexpr size_t kMaxSources = 8;
constexpr size_t kMaxBytes = size_t{64} << 20;

// The same memory for all benchmarks, touched once. Buffers lie 4 lines off the page of each other:
// equal addresses modulo a page would measure the cache's associativity.
class Memory {
 public:
  static Memory& get() {
    static Memory memory;
    return memory;
  }
  const void* const* sources() const { return sources_; }
  void* dst() const { return buffer(kMaxSources); }
  void* dst2() const { return buffer(kMaxSources + 1); }

 private:
  static constexpr size_t kStride = kMaxBytes + 4096 + 256;
  struct Free {
    void operator()(void* p) const { std::free(p); }
  };

  Memory() : base_(std::aligned_alloc(4096, (kMaxSources + 2) * kStride / 4096 * 4096 + 4096)) {
    // Every byte 0x38: near 1 in fp8, small and positive elsewhere; no NaN, no subnormal.
    std::memset(base_.get(), 0x38, (kMaxSources + 2) * kStride);
    for (size_t s = 0; s < kMaxSources; ++s) sources_[s] = buffer(s);
  }
  void* buffer(size_t index) const { return static_cast<char*>(base_.get()) + index * kStride; }

  std::unique_ptr<void, Free> base_;
  const void* sources_[kMaxSources];
};

void report(benchmark::State& state, size_t bytes) {
  state.counters["GB/s"] = benchmark::Counter(
      static_cast<double>(bytes) * static_cast<double>(state.iterations()) * 1e-9,
      benchmark::Counter::kIsRate);
}

void run_kernel(benchmark::State& state, DataType type, RedOp op, size_t nsources, size_t bytes,
                Store store) {
  const Memory& memory = Memory::get();
  const ReduceFn kernel = goss::reduce::kernel(type, op);
  const Arguments a{.dst = memory.dst(),
                    .sources = memory.sources(),
                    .nsources = nsources,
                    .count = bytes / goss::type_size(type),
                    .divisor = static_cast<int>(nsources),
                    .store = store};
  for (auto _ : state) {
    kernel(a);
    benchmark::ClobberMemory();
  }
  report(state, bytes);
}

void run_copy(benchmark::State& state, size_t bytes, Store store) {
  const Memory& memory = Memory::get();
  for (auto _ : state) {
    goss::reduce::copy(memory.dst(), memory.sources()[0], bytes, store);
    benchmark::ClobberMemory();
  }
  report(state, bytes);
}

void run_memcpy(benchmark::State& state, size_t bytes) {
  const Memory& memory = Memory::get();
  for (auto _ : state) {
    std::memcpy(memory.dst(), memory.sources()[0], bytes);
    benchmark::ClobberMemory();
  }
  report(state, bytes);
}

#if defined(__x86_64__)
// What the fp32 sum is measured against: nothing but loads, additions and stores.
template <bool kStreaming>
[[gnu::target("avx512f"), gnu::noinline]] void add_two(float* dst, const float* a, const float* b,
                                                       size_t count) {
  size_t i = 0;
  for (; i + 64 <= count; i += 64) {
    for (size_t k = 0; k < 64; k += 16) {
      const __m512 sum = _mm512_add_ps(_mm512_loadu_ps(a + i + k), _mm512_loadu_ps(b + i + k));
      if (kStreaming) {
        _mm512_stream_ps(dst + i + k, sum);
      } else {
        _mm512_storeu_ps(dst + i + k, sum);
      }
    }
  }
  for (; i < count; ++i) dst[i] = a[i] + b[i];
  if (kStreaming) _mm_sfence();
}

void run_handwritten(benchmark::State& state, size_t bytes, Store store) {
  const Memory& memory = Memory::get();
  auto* dst = static_cast<float*>(memory.dst());
  const auto* a = static_cast<const float*>(memory.sources()[0]);
  const auto* b = static_cast<const float*>(memory.sources()[1]);
  for (auto _ : state) {
    if (store == Store::kStream) {
      add_two<true>(dst, a, b, bytes / sizeof(float));
    } else {
      add_two<false>(dst, a, b, bytes / sizeof(float));
    }
    benchmark::ClobberMemory();
  }
  report(state, bytes);
}
#endif

std::string size_name(size_t bytes) {
  if (bytes >= 1 << 20) return std::to_string(bytes >> 20) + "MiB";
  if (bytes >= 1 << 10) return std::to_string(bytes >> 10) + "KiB";
  return std::to_string(bytes) + "B";
}

std::string with_store(const std::string& name, size_t bytes, Store store) {
  return name + "/" + size_name(bytes) + (store == Store::kStream ? "/stream" : "");
}

void register_references(size_t bytes, Store store) {
  if (store == Store::kCached) {
    benchmark::RegisterBenchmark(("memcpy/" + size_name(bytes)).c_str(), run_memcpy, bytes);
  }
  benchmark::RegisterBenchmark(with_store("copy", bytes, store).c_str(), run_copy, bytes, store);
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) {
    benchmark::RegisterBenchmark(with_store("handwritten/float/sum/2", bytes, store).c_str(),
                                 run_handwritten, bytes, store);
  }
#endif
}

void register_all() {
  for (const size_t bytes : kSizes) {
    for (const Store store : {Store::kCached, Store::kStream}) {
      if (store == Store::kStream && bytes < 1 << 20) continue;
      register_references(bytes, store);
      for (int type = 0; type < gossNumTypes; ++type) {
        for (int op = 0; op < gossNumOps; ++op) {
          for (const size_t nsources : {2, 4, 8}) {
            const std::string name = std::string(goss::kTypeName[type]) + "/" + goss::kOpName[op] +
                                     "/" + std::to_string(nsources);
            benchmark::RegisterBenchmark(with_store(name, bytes, store).c_str(), run_kernel,
                                         static_cast<DataType>(type), static_cast<RedOp>(op),
                                         nsources, bytes, store);
          }
        }
      }
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
