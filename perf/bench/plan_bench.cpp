// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What an operation costs before its first byte moves: choosing the path, looking the plan up,
// making the signature; and a plan that must be made first, per number of ranks.
#include <benchmark/benchmark.h>

#include "engine/operation.h"
#include "engine/plan.h"

namespace {

using goss::collectives::Algorithm;
using goss::collectives::Kind;
using goss::engine::Forced;
using goss::engine::Operation;
using goss::engine::PlanCache;
using goss::engine::Signature;

Operation all_reduce(size_t count) {
  Operation operation;
  operation.kind = Kind::kAllReduce;
  operation.type = gossFloat32;
  operation.op = gossSum;
  operation.count = count;
  return operation;
}

void choose(benchmark::State& state) {
  Operation operation = all_reduce(static_cast<size_t>(state.range(0)));
  for (auto _ : state) {
    benchmark::DoNotOptimize(operation);
    benchmark::DoNotOptimize(goss::engine::choose(operation, 8, Forced::kAuto));
  }
}
BENCHMARK(choose)->Arg(2)->Arg(1 << 10)->Arg(1 << 24)->ArgName("count");

void signature(benchmark::State& state) {
  Operation operation = all_reduce(1000);
  for (auto _ : state) {
    benchmark::DoNotOptimize(operation);
    benchmark::DoNotOptimize(Signature::of(operation, 1).hash());
  }
}
BENCHMARK(signature);

// A plan that is in the cache: the same again, and two in turn.
void plan_lookup(benchmark::State& state) {
  PlanCache cache(1, 8);
  const auto kinds = state.range(0);
  int64_t i = 0;
  for (auto _ : state) {
    const auto algorithm =
        i++ % kinds == 0 ? Algorithm::kAllReduceTwoShot : Algorithm::kAllReduceOneShot;
    benchmark::DoNotOptimize(&cache.get(algorithm, 0));
  }
}
BENCHMARK(plan_lookup)->Arg(1)->Arg(2)->ArgName("kinds");

void plan_making(benchmark::State& state) {
  const auto nranks = static_cast<int>(state.range(0));
  for (auto _ : state) {
    PlanCache cache(nranks / 2, nranks);
    benchmark::DoNotOptimize(&cache.get(Algorithm::kAllReduceTwoShot, 0));
  }
}
BENCHMARK(plan_making)->Arg(2)->Arg(8)->Arg(64)->ArgName("nranks");

}  // namespace

BENCHMARK_MAIN();
