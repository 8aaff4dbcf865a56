// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "overlap.h"

#include <chrono>

namespace goss::perf {

namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Eight independent chains of multiply and add; no memory. The empty instruction
// "uses" the result, so that the compiler does not leave the loop out.
void compute(uint64_t rounds) {
  double x[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  for (uint64_t i = 0; i < rounds; ++i) {
    for (double& value : x) value = value * 0.999999 + 1e-6;
  }
  double sum = 0;
  for (const double value : x) sum += value;
  asm volatile("" : : "m"(sum));
}

double time_computing(uint64_t rounds) {
  const double begin = now();
  compute(rounds);
  return now() - begin;
}

// Rounds that take about `seconds` here and now; equal on all ranks, as the work must be.
uint64_t rounds_for(Crew& crew, double seconds) {
  constexpr uint64_t kTrial = 1 << 16;
  double best = time_computing(kTrial);
  for (int i = 0; i < 5; ++i) best = std::min(best, time_computing(kTrial));
  const double trial = crew.combine(best, Combine::kAverage);
  return std::max<uint64_t>(1, static_cast<uint64_t>(kTrial * seconds / trial));
}

}  // namespace

Overlap measure_overlap(Runner& runner, const Work& work) {
  Crew& crew = runner.crew();
  const auto repetitions = static_cast<size_t>(runner.options().iters);
  std::vector<double> alone(repetitions), both(repetitions), loop(repetitions), beside(repetitions);
  runner.start(work, 0, true);
  runner.synchronize();
  for (double& time : alone) {
    crew.barrier();
    const double begin = now();
    runner.start(work, 0, true);
    runner.synchronize();
    time = now() - begin;
  }
  Overlap result;
  result.collective_s = crew.combine(median(alone), Combine::kAverage);
  const uint64_t rounds = rounds_for(crew, result.collective_s);
  for (size_t i = 0; i < repetitions; ++i) {
    crew.barrier();
    loop[i] = time_computing(rounds);
    crew.barrier();
    const double begin = now();
    runner.start(work, 0, true);
    beside[i] = time_computing(rounds);
    runner.synchronize();
    both[i] = now() - begin;
  }
  result.computing_s = crew.combine(median(loop), Combine::kAverage);
  result.computing_beside_s = crew.combine(median(beside), Combine::kAverage);
  result.both_s = crew.combine(median(both), Combine::kAverage);
  return result;
}

}  // namespace goss::perf
