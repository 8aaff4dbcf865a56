// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// limit: all-reduce, broadcast and barrier written by hand for one case, processes of one host, to
// know what the machine allows; Gossamer's speed is stated as a part of it. It has no code in
// common with the library, checks nothing, and survives nothing. Starts its ranks by fork.
#include <unistd.h>

#include <cstring>
#include <memory>

#include "common/buffer.h"
#include "common/children.h"
#include "common/harness.h"
#include "limit/collectives.h"

namespace goss::limit {

const Kernels& best_kernels([[maybe_unused]] int most_bits) {
#if defined(__x86_64__)
  if (most_bits >= 512 && __builtin_cpu_supports("avx512f")) return kAvx512Kernels;
  if (most_bits >= 256 && __builtin_cpu_supports("avx2")) return kAvx2Kernels;
#endif
  return kBaselineKernels;
}

namespace {

using perf::Buffer;

Tuning make_tuning(const std::vector<std::string>& overrides) {
  Tuning tuning;
  const long l2_bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
  tuning.ring_bytes = l2_bytes > 0 ? 2 * static_cast<size_t>(l2_bytes) : size_t{2} << 20;
  for (const std::string& text : overrides) {
    const size_t equals = std::min(text.find('='), text.size());
    const std::string name = text.substr(0, equals);
    const size_t value = perf::parse_size(text.substr(std::min(equals + 1, text.size())));
    if (name == "ring")
      tuning.ring_bytes = value;
    else if (name == "one-shot")
      tuning.one_shot_bytes = value;
    else if (name == "one-shot-chunk")
      tuning.one_shot_chunk = value;
    else if (name == "chunk")
      tuning.chunk_bytes = value;
    else if (name == "stream")
      tuning.stream_bytes = value;
    else if (name == "direct-one-shot")
      tuning.direct_one_shot = value;
    else if (name == "spins")
      tuning.spins = static_cast<int>(value);
    else if (name == "far-streams")
      tuning.far_streams = static_cast<int>(value);
    else if (name == "vector-bits")
      tuning.vector_bits = static_cast<int>(value);
    else
      throw std::runtime_error("--tune " + name + ": there is nothing of that name");
  }
  if (std::max(tuning.chunk_bytes, tuning.one_shot_chunk) * 8 > tuning.ring_bytes) {
    throw std::runtime_error("--tune: a ring must hold eight chunks");
  }
  return tuning;
}

// What the ranks inherit from their parent.
struct Memory {
  Memory(const perf::PeerOptions& options, const Tuning& tuning)
      : areas(Buffer::Kind::kShared, Team::area_bytes(tuning) * options.ranks) {
    const size_t largest = *std::max_element(options.sizes.begin(), options.sizes.end());
    const size_t nbuffers = options.direct ? options.ranks : 1;
    const auto kind = options.direct ? Buffer::Kind::kShared : Buffer::Kind::kPrivate;
    for (size_t i = 0; i < nbuffers; ++i) {
      sends.push_back(std::make_unique<Buffer>(kind, largest));
      recvs.push_back(std::make_unique<Buffer>(kind, largest));
    }
  }
  Buffer areas;
  std::vector<std::unique_ptr<Buffer>> sends, recvs;  // of every rank if direct, else one's own
};

class LimitBackend {
 public:
  LimitBackend(const Memory& memory, const perf::PeerOptions& options, const Tuning& tuning,
               int rank, int ncpus)
      : team_(memory.areas.data(), rank, options.ranks, ncpus, tuning),
        allreduce_(&team_, best_kernels(tuning.vector_bits)),
        direct_(&team_, best_kernels(tuning.vector_bits)),
        broadcast_(&team_, best_kernels(tuning.vector_bits)),
        barrier_(&team_),
        is_direct_(options.direct) {
    for (const auto& buffer : memory.sends) sends_.push_back(buffer->floats());
    for (const auto& buffer : memory.recvs) recvs_.push_back(buffer->floats());
  }

  int rank() const { return team_.rank(); }
  int nranks() const { return team_.nranks(); }
  const char* name() const { return is_direct_ ? "limit-direct" : "limit"; }
  float* send() const { return sends_[is_direct_ ? rank() : 0]; }
  float* recv() const { return recvs_[is_direct_ ? rank() : 0]; }
  void set_distance(double ns) { team_.set_far(ns >= perf::kNearBelowNs); }
  const char* variant(perf::Collective collective, size_t bytes) const {
    if (collective == perf::Collective::kBarrier) return "flags";
    if (collective == perf::Collective::kBroadcast) return broadcast_.variant(bytes);
    return is_direct_ ? direct_.variant(bytes) : allreduce_.variant(bytes);
  }

  void allreduce(size_t count) {
    if (is_direct_) return direct_.run(sends_.data(), recvs_.data(), count);
    allreduce_.run(send(), recv(), count);
  }
  void broadcast(size_t count) { broadcast_.run(recv(), count); }
  void barrier() { barrier_.run(); }

 private:
  Team team_;
  AllReduce allreduce_;
  DirectAllReduce direct_;
  Broadcast broadcast_;
  Barrier barrier_;
  bool is_direct_;
  std::vector<float*> sends_, recvs_;
};

// The owner touches first, so that memory is on its node; then everyone maps everything.
void touch(const Memory& memory, perf::SharedPage* page, int rank, size_t area_bytes) {
  std::memset(memory.areas.data() + static_cast<size_t>(rank) * area_bytes, 0, area_bytes);
  const size_t own = memory.sends.size() == 1 ? 0 : rank;
  memory.sends[own]->touch();
  memory.recvs[own]->touch();
  page->barrier();
  memory.areas.touch_reading();
  if (memory.sends.size() > 1) {
    for (const auto& buffer : memory.sends) buffer->touch_reading();
    for (const auto& buffer : memory.recvs) buffer->touch_reading();
  }
  page->barrier();
}

int print_distance(const perf::Cpus& cpus) {
  if (cpus.count() < 2) {
    std::printf("0\n");
    return 0;
  }
  perf::SharedPage page = perf::SharedPage::create();
  return perf::run_children(2, [&](int rank) {
    page.join(rank, 2);
    cpus.pin(rank);
    const double ns = page.distance();
    if (rank == 0) std::printf("%.1f\n", ns);
    return 0;
  });
}

int run(int argc, char** argv) {
  const perf::PeerOptions options = perf::parse_peer_options(argc, argv);
  if (options.help) {
    perf::print_usage("limit", "what the machine allows on bare shared memory");
    std::printf(
        "  --direct           the buffers themselves are in shared memory (allreduce)\n"
        "  --distance         print the one-way distance of two CPUs in ns, and nothing else\n"
        "  --tune NAME=VALUE  ring, one-shot, one-shot-chunk, chunk, stream, direct-one-shot,\n"
        "                     spins, far-streams, vector-bits: for experiments, see\n"
        "                     limit/team.h\n");
    return 0;
  }
  const perf::Cpus cpus;
  if (options.distance) return print_distance(cpus);
  if (options.ranks > perf::kMaxRanks) throw std::runtime_error("too many --ranks");
  if (options.direct && options.collective != perf::Collective::kAllReduce) {
    throw std::runtime_error("--direct is there for allreduce only");
  }
  const Tuning tuning = make_tuning(options.extra);
  const Memory memory(options, tuning);
  perf::SharedPage page = perf::SharedPage::create();
  return perf::run_children(options.ranks, [&](int rank) {
    page.join(rank, options.ranks);
    if (options.pin) cpus.pin(rank);
    touch(memory, &page, rank, Team::area_bytes(tuning));
    LimitBackend backend(memory, options, tuning, rank, cpus.count());
    return perf::Harness(&backend, &page, cpus, options).run() == 0 ? 0 : 1;
  });
}

}  // namespace
}  // namespace goss::limit

int main(int argc, char** argv) {
  try {
    return goss::limit::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "limit: %s\n", error.what());
    return 2;
  }
}
