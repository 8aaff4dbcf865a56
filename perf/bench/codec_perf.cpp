// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Codecs on one core of this machine: numbers per second of encoding, decoding, decode-add and the
// fused hop, beside the fp32 addition of src/reduce and a copy, which are measured in the same
// rounds. The working set is that of the addition y += x, half of it each. GOSS_CPU_ISA lowers the
// instruction set.
//
//   codec_perf --sizes 128K,1G --codec int8,int4
//   codec_perf --gpu --sizes 512M      on the first GPU, beside copies on it
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <random>

#if GOSS_PERF_GPU
#include "base/isa.h"
#include "bench/codec_gpu.h"
#endif
#include "quant/operations.h"
#include "reduce/reduce.h"

namespace {

using namespace goss::quant;
using goss::chosen_isa;
using goss::DataType;

struct Options {
  std::vector<size_t> sizes = {128 << 10};
  std::vector<std::string> codecs;
  DataType type = gossFloat32;
  int rounds = 9;
  double block_ms = 2;
  std::string json;
  bool gpu = false;
};

// Buffers of one working set. They lie some lines off the page of each other.
class Memory {
 public:
  Memory(size_t bytes, DataType type) : stride_(bytes / 2 + 4096 + 320), memory_(5 * stride_) {
    count_ = bytes / 2 / sizeof(float);
    std::minstd_rand random(1);
    std::normal_distribution<float> normal;
    std::vector<float> pool(1 << 16);
    for (float& number : pool) number = normal(random);
    for (size_t i = 0; i < count_; ++i) {
      std::memcpy(at(0) + 4 * i, &pool[(i * 7 + (i >> 16)) % pool.size()], 4);
    }
    std::memcpy(at(1), at(0), 4 * count_);
    if (type != gossFloat32) {  // from the fp32 numbers, by way of a cast
      const Codec cast = type == gossFloat16 ? Codec::kFp16 : Codec::kBf16;
      encode({.how = {.codec = cast},
              .src = at(1),
              .type = gossFloat32,
              .count = count_,
              .dst = at(0)});
      std::memcpy(at(1), at(0), 2 * count_);
    }
  }
  // 0, 1: numbers; 2, 3: encoded; 4: results
  uint8_t* at(size_t buffer) { return memory_.data() + buffer * stride_; }
  size_t count() const { return count_; }

 private:
  size_t stride_;
  std::vector<uint8_t> memory_;
  size_t count_;
};

using Action = std::function<void()>;
struct Operation {
  const char* name;
  double bytes;  // read and written, per number
  Action run;
};

// Numbers per second of one block.
double rate(const Action& run, size_t count, double block_ms) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  double seconds = 0;
  size_t calls = 0;
  do {
    run();
    ++calls;
    seconds = std::chrono::duration<double>(Clock::now() - start).count();
  } while (seconds * 1e3 < block_ms);
  return static_cast<double>(count * calls) / seconds;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

Operation addition(Memory& memory) {
  return {"add", 12, [&memory] {
            const void* sources[] = {memory.at(4), memory.at(1)};
            goss::reduce::kernel(gossFloat32, gossSum)(
                {.dst = memory.at(4), .sources = sources, .nsources = 2, .count = memory.count()});
          }};
}
Operation copying(Memory& memory) {
  return {"copy", 8, [&memory] { std::memcpy(memory.at(4), memory.at(1), 4 * memory.count()); }};
}

std::vector<Operation> operations(Memory& memory, Codec codec, DataType type) {
  const auto wire = static_cast<double>(encoded_bytes(codec, 1 << 20)) / (1 << 20);
  const auto number = static_cast<double>(goss::type_size(type));
  const auto encoding = [&memory, codec, type](Rounding rounding) {
    encode({.how = {.codec = codec, .rounding = rounding},
            .src = memory.at(0),
            .type = type,
            .count = memory.count(),
            .dst = memory.at(2)});
  };
  encoding(Rounding::kNearest);
  return {{"encode", number + wire, [=] { encoding(Rounding::kNearest); }},
          {"encode_sr", number + wire, [=] { encoding(Rounding::kStochastic); }},
          {"decode", number + wire,
           [=, &memory] {
             decode({codec, memory.at(2), memory.at(4), type, memory.count()});
           }},
          {"decode_add", 2 * number + wire,
           [=, &memory] {
             decode_add({codec, memory.at(2), memory.at(4), type, memory.count()});
           }},
          {"hop", number + 2 * wire, [=, &memory] {  // one peer: decode, add, encode
             const uint8_t* const peers[] = {memory.at(2), nullptr};
             hop({.peer_codec = codec,
                  .peers = peers,
                  .nranks = 2,
                  .rank = 1,
                  .own = memory.at(0),
                  .type = type,
                  .count = memory.count(),
                  .how = {.codec = codec},
                  .encoded = memory.at(3)});
           }}};
}

void measure(Memory& memory, const CodecInfo& info, const Options& options, nlohmann::json* rows) {
  const Operation add = addition(memory), copy = copying(memory);
  const std::vector<Operation> all = operations(memory, info.codec, options.type);
  for (const Operation& operation : all) {
    std::memset(memory.at(4), 0, 4 * memory.count());
    std::vector<double> rates, to_add, to_copy, to_encode;
    for (int round = 0; round < options.rounds; ++round) {
      const double added = rate(add.run, memory.count(), options.block_ms);
      rates.push_back(rate(operation.run, memory.count(), options.block_ms));
      const double encoded = rate(all.front().run, memory.count(), options.block_ms);
      const double copied = rate(copy.run, memory.count(), options.block_ms);
      to_add.push_back(rates.back() / added);
      to_encode.push_back(rates.back() / encoded);
      to_copy.push_back(rates.back() * operation.bytes / (copied * copy.bytes));
    }
    const double best = median(rates);
    std::printf("%-11s %-10s %9.2f %9.1f %8.2f %8.2f %8.2f\n", info.name, operation.name,
                best * 1e-9, best * operation.bytes * 1e-9, median(to_add), median(to_encode),
                median(to_copy));
    std::fflush(stdout);
    rows->push_back({{"codec", info.name},
                     {"operation", operation.name},
                     {"bytes", 8 * memory.count()},
                     {"numbers_per_second", best},
                     {"bytes_per_second", best * operation.bytes},
                     {"rate_over_add", median(to_add)},
                     {"rate_over_encode", median(to_encode)},
                     {"traffic_over_copy", median(to_copy)}});
  }
}

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown CPU";
}

int run_on_gpu(const Options& options) {
#if GOSS_PERF_GPU
  return measure_on_gpu({options.sizes, options.codecs, options.type, options.rounds});
#else
  (void)options;
  std::fprintf(stderr,
               "codec_perf: built without kernels for GPUs (neither nvcc nor ROCm found)\n");
  return 77;
#endif
}

int run(const Options& options) {
  std::printf("# %s, %s, %s, one thread; medians of %d rounds\n", cpu_model().c_str(),
              chosen_isa().name, goss::type_name(options.type), options.rounds);
  nlohmann::json rows = nlohmann::json::array();
  for (const size_t bytes : options.sizes) {
    Memory memory(bytes, options.type);
    std::printf("# working set of the addition: %zu bytes\n", bytes);
    std::printf("# copy %.1f GB/s of traffic, fp32 add %.2f G numbers/s\n",
                rate(copying(memory).run, memory.count(), 50) * 8e-9,
                rate(addition(memory).run, memory.count(), 50) * 1e-9);
    std::printf("%-11s %-10s %9s %9s %8s %8s %8s\n", "#codec", "operation", "Gnumber/s", "GB/s",
                "/add", "/encode", "/copy");
    for (const CodecInfo& info : codec_table()) {
      const auto& wanted = options.codecs;
      if (wanted.empty() || std::find(wanted.begin(), wanted.end(), info.name) != wanted.end()) {
        measure(memory, info, options, &rows);
      }
    }
  }
  if (options.json.empty()) return 0;
  std::ofstream file(options.json);
  file << nlohmann::json{{"cpu", cpu_model()}, {"isa", chosen_isa().name}, {"rows", rows}}.dump(1)
       << "\n";
  return file.good() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Speed of the codecs on one core");
  app.add_option("--sizes", options.sizes, "working sets of the addition, such as 128K,1G")
      ->delimiter(',')
      ->transform(CLI::AsSizeValue(false));
  app.add_option("--codec", options.codecs, "names of codecs; all by default")->delimiter(',');
  app.add_option("--type", options.type, "float, half or bfloat16")
      ->transform(CLI::CheckedTransformer(std::map<std::string, DataType>{
          {"float", gossFloat32}, {"half", gossFloat16}, {"bfloat16", gossBfloat16}}));
  app.add_option("--rounds", options.rounds, "rounds; medians are shown")
      ->check(CLI::Range(1, 999));
  app.add_option("--block-ms", options.block_ms, "shortest time of a measurement");
  app.add_option("-J,--json", options.json, "also write the results to this file");
  app.add_flag("--gpu", options.gpu, "measure on the first GPU");
  CLI11_PARSE(app, argc, argv);
  for (const std::string& name : options.codecs) {
    const auto codec = codec_by_name(name);
    if (codec.ok()) continue;
    std::fprintf(stderr, "codec_perf: %s\n", codec.status().message().c_str());
    return 2;
  }
  return options.gpu ? run_on_gpu(options) : run(options);
}
