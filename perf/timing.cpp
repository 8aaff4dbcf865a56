// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "timing.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "common/blocks.h"

namespace goss::perf {

namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

size_t blocks(Extent extent, int nranks) {
  return extent == Extent::kBlocks ? static_cast<size_t>(nranks) : 1;
}

// Elements before the part of rank `rank` where that is one of several blocks, else 0.
size_t place_of(const Work& work, size_t own_blocks, size_t other_blocks, int rank) {
  return own_blocks < other_blocks ? static_cast<size_t>(rank) * work.count : 0;
}

}  // namespace

Runner::Runner(const Options& options, const Collective& collective, Crew& crew)
    : options_(options), collective_(collective), crew_(crew) {
  for (int i = 0; i < crew.size(); ++i) buffers_.emplace_back(options, crew.first_rank() + i);
  if (options.stream || options.overlap) crew.make_streams();
  if (collective.steps != nullptr) nsteps_ = collective.steps(crew.group_nranks());
}

Work Runner::make_work(gossDataType_t type, int op, int root) const {
  Work work{type, op, root};
  work.send_blocks = blocks(collective_.send, crew_.group_nranks());
  work.recv_blocks = blocks(collective_.recv, crew_.group_nranks());
  return work;
}

Problem Runner::problem(const Work& work, uint32_t round) const {
  const bool compresses = !options_.codecs.empty() || std::getenv("GOSS_CODEC") != nullptr;
  const bool floats = work.type == gossFloat32 || work.type == gossFloat64 ||
                      work.type == gossFloat16 || work.type == gossBfloat16;
  return {work.type, work.op, crew_.group_nranks(), round, compresses && floats};
}

gossErrorReport_t Runner::compression(int i) {
  gossErrorReport_t report{};
  report.size = sizeof(report);
  check(gossCommGetErrorReport(crew_.comm(i), &report), "gossCommGetErrorReport",
        crew_.first_rank() + i, crew_.comm(i));
  return report;
}

std::byte* Runner::input(const Work& work, int i) const {
  if (!work.in_place) return buffers_[i].send(work.type);
  return memory(work, i) + type_size(work.type) * place_of(work, work.send_blocks, work.recv_blocks,
                                                           crew_.group_rank() + i);
}

std::byte* Runner::output(const Work& work, int i) const {
  if (!work.in_place) return memory(work, i);
  return memory(work, i) + type_size(work.type) * place_of(work, work.recv_blocks, work.send_blocks,
                                                           crew_.group_rank() + i);
}

void Runner::fill_inputs(const Work& work, size_t slots, uint32_t round) {
  const size_t stride = Buffers::stride(work.bytes());
  for (int i = 0; i < crew_.size(); ++i) {
    const Tile tile = input_tile(problem(work, round), crew_.group_rank() + i);
    for (size_t slot = 0; slot < slots; ++slot) {
      fill(input(work, i) + slot * stride, work.send_count(), tile);
    }
  }
}

// Operations in place turn results into inputs again: they begin with a value that stays.
void Runner::prepare_timed_data(const Work& work) {
  // No more slots than are used before the first timed operation: they are to be warm. With
  // --block-ms one per step, since what we are compared with has one.
  const size_t steps = options_.block_ms > 0 ? 1 : static_cast<size_t>(options_.iters);
  nslots_ = std::min(buffers_[0].slots(work.bytes()), steps * options_.agg_iters);
  ncalls_ = 0;
  next_slot_ = 0;
  if (work.count == 0) return;
  const Tile tile = neutral_tile(problem(work, 0));
  for (int i = 0; i < crew_.size(); ++i) {
    fill(memory(work, i), nslots_ * Buffers::stride(work.bytes()) / type_size(work.type), tile);
  }
  if (!work.in_place || work.op == kCopy) fill_inputs(work, nslots_, 0);
}

inline void Runner::issue(const Work& work, int i, size_t slot, bool on_stream, int step) {
  const size_t offset = slot * Buffers::stride(work.bytes());
  const Call call{input(work, i) + offset,
                  output(work, i) + offset,
                  work.count,
                  work.type,
                  work.op,
                  work.root,
                  crew_.group_rank() + i,
                  crew_.group_nranks(),
                  step,
                  crew_.comm(i),
                  on_stream ? crew_.stream(i) : nullptr};
  const gossResult_t result = collective_.issue(call);
  if (result != gossSuccess) [[unlikely]] {
    check(result, collective_.function, crew_.first_rank() + i, call.comm);
  }
}

inline void Runner::start_step(const Work& work, size_t slot, bool on_stream, int step) {
  if (crew_.size() == 1) return issue(work, 0, slot, on_stream, step);
  check(gossGroupStart(), "gossGroupStart", crew_.first_rank(), nullptr);
  for (int i = 0; i < crew_.size(); ++i) issue(work, i, slot, on_stream, step);
  check(gossGroupEnd(), collective_.function, crew_.first_rank(), crew_.comm(0));
}

void Runner::start(const Work& work, size_t slot, bool on_stream) {
  for (int step = 0; step < nsteps_; ++step) start_step(work, slot, on_stream, step);
}

inline size_t Runner::take_slot() {
  const size_t slot = next_slot_;
  next_slot_ = slot + 1 == nslots_ ? 0 : slot + 1;
  return slot;
}

// --vary-count: 100 % of the count, one element less at every call, down to 90 %, and again.
Work Runner::next_work(const Work& work) {
  if (!options_.vary_count || work.count < 2) return work;
  const size_t ncounts = std::max<size_t>(work.count / 10, 1) + 1;
  Work next = work;
  next.count -= ncalls_++ % ncounts;
  return next;
}

// Several operations in a group; of those with steps the first step of all, then the next.
void Runner::start_group(const Work& work, int operations) {
  const size_t first_slot = next_slot_;
  const size_t first_call = ncalls_;
  for (int step = 0; step < nsteps_; ++step) {
    next_slot_ = first_slot;
    ncalls_ = first_call;
    check(gossGroupStart(), "gossGroupStart", crew_.first_rank(), nullptr);
    for (int k = 0; k < operations; ++k) {
      const Work next = next_work(work);
      start_step(next, take_slot(), options_.stream, step);
    }
    check(gossGroupEnd(), collective_.function, crew_.first_rank(), crew_.comm(0));
  }
}

// One timed step: -m operations in a group, each on the next slot. Messages of a group need slots
// of their own: where there are too few, the group is several.
inline void Runner::start_next(const Work& work) {
  if (options_.agg_iters == 1) {
    start(next_work(work), take_slot(), options_.stream);
  } else {
    const int most = collective_.messages ? static_cast<int>(nslots_) : options_.agg_iters;
    for (int left = options_.agg_iters; left > 0; left -= most) {
      start_group(work, std::min(left, most));
    }
  }
  if (options_.blocking != 0) [[unlikely]] {
    crew_.synchronize();
    if (options_.blocking == 1) crew_.barrier();
  }
}

void Runner::warm_up(const Work& work) {
  prepare_timed_data(work);
  for (int i = 0; i < options_.warmup_iters; ++i) start(work, 0, options_.stream);
  crew_.synchronize();
}

// The memory through which ranks exchange data gets its pages when it is first used, piece by
// piece: so many operations use all of it.
void Runner::touch_everything(const Work& work) {
  constexpr size_t kOneIsEnough = size_t{4} << 20;
  constexpr int kPieces = 32;
  prepare_timed_data(work);
  for (int i = 0; i < (work.bytes() >= kOneIsEnough ? 1 : kPieces); ++i) start(work, 0, false);
  crew_.synchronize();
}

// No clock is read between the operations: reading it takes as long as a small one.
Runner::Block Runner::run_block(const Work& work, size_t iters) {
  crew_.barrier();
  const double begin = now();
  for (size_t i = 0; i < iters; ++i) start_next(work);
  const double called = now();
  if (options_.stream) crew_.synchronize();
  const double end = now();
  const double operations = static_cast<double>(iters) * options_.agg_iters;
  return {(end - begin) / operations, (called - begin) / operations};
}

// Without --block-ms one block of -n steps, as in nccl-tests.
void Runner::measure_blocks(const Work& work, Timing* timing) {
  std::vector<double> calls;
  const auto run = [&](size_t steps) {
    const Block block = run_block(work, steps);
    timing->blocks.push_back(crew_.combine(block.seconds, options_.average));
    calls.push_back(crew_.combine(block.call_seconds, options_.average));
    timing->operations += steps * options_.agg_iters;
  };
  if (options_.block_ms > 0) {
    const long steps = operations_per_block(options_.block_ms, [&](long n) {
      const double seconds = run_block(work, static_cast<size_t>(n)).seconds;
      return crew_.combine(seconds, options_.average) * options_.agg_iters * 1e6;
    });
    for (int i = 0; i < options_.reps; ++i) run(static_cast<size_t>(steps));
  } else {
    run(static_cast<size_t>(options_.iters));
  }
  timing->seconds = median(timing->blocks);
  timing->call_seconds = median(calls);
}

// Every operation with its own clock; with --rewrite each begins with new inputs and a barrier.
void Runner::run_single(const Work& work, std::vector<double>* times) {
  const size_t stride = Buffers::stride(work.bytes());
  std::vector<Tile> tiles;
  if (options_.rewrite && work.count > 0) {
    for (int i = 0; i < crew_.size(); ++i) {
      tiles.push_back(input_tile(problem(work, 0), crew_.group_rank() + i));
    }
  }
  crew_.barrier();
  for (double& time : *times) {
    for (size_t i = 0; i < tiles.size(); ++i) {
      for (int k = 0; k < options_.agg_iters; ++k) {
        const size_t slot = (next_slot_ + static_cast<size_t>(k)) % nslots_;
        fill(input(work, static_cast<int>(i)) + slot * stride, work.send_count(), tiles[i]);
      }
    }
    if (options_.rewrite) crew_.barrier();
    const double begin = now();
    start_next(work);
    if (options_.stream) crew_.synchronize();
    time = (now() - begin) / options_.agg_iters;
  }
}

void Runner::measure_single(const Work& work, Timing* timing) {
  std::vector<double> times(static_cast<size_t>(options_.iters));
  run_single(work, &times);
  double sum = 0;
  for (const double time : times) sum += time;
  const double own = sum / static_cast<double>(times.size());
  timing->seconds = crew_.combine(own, options_.average);
  timing->call_seconds = timing->seconds;
  timing->operations = times.size() * static_cast<size_t>(options_.agg_iters);
  if (!options_.per_iter_timing) return;
  crew_.combine_max(std::span<double>(times));
  times.erase(times.begin(), times.begin() + options_.per_iter_skip);
  timing->stats = summarise(times);
  timing->per_iter = std::move(times);
}

Timing Runner::measure(const Work& work) {
  prepare_timed_data(work);
  start(work, 0, options_.stream);
  crew_.synchronize();
  Timing timing;
  if (options_.per_iter_timing || options_.rewrite) {
    measure_single(work, &timing);
  } else {
    measure_blocks(work, &timing);
  }
  crew_.barrier();
  return timing;
}

}  // namespace goss::perf
