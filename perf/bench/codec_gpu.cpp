// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "bench/codec_gpu.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <random>

#include "device/gpu_runtime.h"
#include "quant/gpu/operations.h"

namespace {

using namespace goss::quant;

constexpr int kCalls = 20;  // per measurement: the start of one hides behind the one before

class DeviceBuffer {
 public:
  explicit DeviceBuffer(size_t bytes) {
    if (gpuMalloc(&memory_, bytes) != gpuSuccess) memory_ = nullptr;
  }
  ~DeviceBuffer() { (void)gpuFree(memory_); }
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;
  uint8_t* at() const { return static_cast<uint8_t*>(memory_); }

 private:
  void* memory_ = nullptr;
};

struct Operation {
  const char* name;
  double bytes;  // read and written by one call
  std::function<bool()> run;
};

// Bytes per second; 0 when a call failed.
double rate(const Operation& operation) {
  using Clock = std::chrono::steady_clock;
  if (!operation.run() || gpuStreamSynchronize(nullptr) != gpuSuccess) return 0;
  const auto start = Clock::now();
  for (int i = 0; i < kCalls; ++i) {
    if (!operation.run()) return 0;
  }
  if (gpuStreamSynchronize(nullptr) != gpuSuccess) return 0;
  return kCalls * operation.bytes / std::chrono::duration<double>(Clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Encode, decode, decode-add, and a hop of two ranks, as on the CPU.
bool measure_codec(const CodecInfo& info, const GpuRun& run, size_t count) {
  const size_t number_bytes = count * goss::type_size(run.type);
  const size_t wire_bytes = encoded_bytes(info.codec, count);
  const DeviceBuffer numbers(number_bytes), result(number_bytes), wire(wire_bytes), out(wire_bytes),
      peers(2 * sizeof(void*));
  for (const DeviceBuffer* each : {&numbers, &result, &wire, &out, &peers}) {
    if (each->at() == nullptr) return false;
  }
  std::minstd_rand random(1);
  std::normal_distribution<float> normal;
  std::vector<float> pool(1 << 16);
  for (float& number : pool) number = normal(random);
  std::vector<uint8_t> host(number_bytes);
  for (size_t first = 0; first < count; first += pool.size()) {
    const size_t part = std::min(pool.size(), count - first);
    const Codec cast = run.type == gossFloat16 ? Codec::kFp16 : Codec::kBf16;
    uint8_t* to = host.data() + first * goss::type_size(run.type);
    if (run.type == gossFloat32) {
      std::copy_n(reinterpret_cast<const uint8_t*>(pool.data()), 4 * part, to);
    } else if (part == pool.size()) {
      encode({.how = {.codec = cast},
              .src = pool.data(),
              .type = gossFloat32,
              .count = part,
              .dst = to});
    }
  }
  const uint8_t* const addresses[] = {wire.at(), nullptr};
  (void)gpuMemcpy(numbers.at(), host.data(), number_bytes, gpuMemcpyDefault);
  (void)gpuMemcpy(result.at(), host.data(), number_bytes, gpuMemcpyDefault);
  (void)gpuMemcpy(peers.at(), addresses, sizeof addresses, gpuMemcpyDefault);

  const auto encoding = [&](Rounding rounding) {
    return gpu::encode({.how = {.codec = info.codec, .rounding = rounding},
                        .src = numbers.at(),
                        .type = run.type,
                        .count = count,
                        .dst = wire.at()},
                       {})
        .ok();
  };
  const Decode decoding = {info.codec, wire.at(), result.at(), run.type, count};
  const Hop hop = {.peer_codec = info.codec,
                   .peers = reinterpret_cast<const uint8_t* const*>(peers.at()),
                   .nranks = 2,
                   .rank = 1,
                   .own = numbers.at(),
                   .type = run.type,
                   .count = count,
                   .how = {.codec = info.codec},
                   .encoded = out.at()};
  const auto wide = static_cast<double>(number_bytes), narrow = static_cast<double>(wire_bytes);
  const Operation copy = {"copy", 2 * wide, [&] {
                            return gpuMemcpyAsync(result.at(), numbers.at(), number_bytes,
                                                  gpuMemcpyDefault, nullptr) == gpuSuccess;
                          }};
  const Operation operations[] = {
      {"encode", wide + narrow, [&] { return encoding(Rounding::kNearest); }},
      {"encode_sr", wide + narrow, [&] { return encoding(Rounding::kStochastic); }},
      {"decode", wide + narrow, [&] { return gpu::decode(decoding, {}).ok(); }},
      {"decode_add", 2 * wide + narrow, [&] { return gpu::decode_add(decoding, {}).ok(); }},
      {"hop", wide + 2 * narrow, [&] { return gpu::hop(hop, {}).ok(); }},
  };
  for (const Operation& operation : operations) {
    std::vector<double> rates, to_copy;
    for (int round = 0; round < run.rounds; ++round) {
      const double copied = rate(copy);
      rates.push_back(rate(operation));
      if (rates.back() == 0 || copied == 0) return false;
      to_copy.push_back(rates.back() / copied);
    }
    std::printf("%-11s %-10s %9.1f %8.2f\n", info.name, operation.name, median(rates) * 1e-9,
                median(to_copy));
    std::fflush(stdout);
  }
  return true;
}

}  // namespace

int measure_on_gpu(const GpuRun& run) {
  int devices = 0;
  const gpuError_t error = gpuGetDeviceCount(&devices);
  if (error != gpuSuccess || devices < 1) {
    std::fprintf(stderr, "codec_perf: no GPU: %s\n", gpuGetErrorString(error));
    return 77;
  }
  for (const size_t bytes : run.sizes) {
    std::printf("# %zu bytes as fp32, %s on the first GPU; medians of %d rounds\n", bytes / 2,
                goss::type_name(run.type), run.rounds);
    std::printf("%-11s %-10s %9s %8s\n", "#codec", "operation", "GB/s", "/copy");
    for (const CodecInfo& info : codec_table()) {
      const auto& wanted = run.codecs;
      const bool is_wanted =
          wanted.empty() || std::find(wanted.begin(), wanted.end(), info.name) != wanted.end();
      if (is_wanted && !measure_codec(info, run, bytes / 2 / sizeof(float))) {
        std::fprintf(stderr, "codec_perf: %s of %zu bytes failed on the GPU (memory?)\n", info.name,
                     bytes / 2);
        return 1;
      }
    }
  }
  return 0;
}
