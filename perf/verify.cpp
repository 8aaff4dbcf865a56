// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "verify.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace goss::perf {

namespace {

constexpr int kGuardByte = 0x5a;
constexpr int kStaleByte = 0xa5;  // what the result holds before

size_t count_guard_errors(const std::byte* guard) {
  return static_cast<size_t>(std::count_if(guard, guard + kGuardBytes, [](std::byte b) {
    return b != static_cast<std::byte>(kGuardByte);
  }));
}

void report(const Runner& runner, const Work& work, int rank, const char* what,
            const Mismatch& mismatch) {
  std::fprintf(stderr,
               "rank %d: %s, %zu x %s, %s, %s: %zu wrong, first element %zu of the %s is %s "
               "instead of %s\n",
               rank, runner.collective().function, work.count, type_name(work.type),
               op_name(work.op), work.in_place ? "in place" : "out of place", mismatch.wrong,
               mismatch.first, what, mismatch.got.c_str(), mismatch.expected.c_str());
}

void prepare(Runner& runner, const Work& work, uint32_t round) {
  runner.fill_inputs(work, 1, round);
  for (int i = 0; i < runner.crew().size(); ++i) {
    std::byte* result = runner.output(work, i);
    if (!work.in_place) std::memset(result, kStaleByte, work.bytes());
    std::memset(result + work.bytes(), kGuardByte, kGuardBytes);
  }
}

// Errors of rank i of the crew.
size_t check_rank(Runner& runner, const Work& work, uint32_t round, int i) {
  const Problem problem = runner.problem(work, round);
  const int rank = runner.crew().first_rank() + i;
  const std::byte* result = runner.output(work, i);
  const Mismatch output =
      compare(result, work.count, expected_tile(problem), tolerance_ulp(problem), work.op == kCopy);
  if (output.wrong > 0) report(runner, work, rank, "result", output);
  const size_t guard = count_guard_errors(result + work.bytes());
  if (guard > 0) {
    std::fprintf(stderr, "rank %d: %s wrote up to %zu bytes behind its result of %zu bytes\n", rank,
                 runner.collective().function, guard, work.bytes());
  }
  Mismatch input;
  if (!work.in_place) {
    const Tile tile = input_tile(problem, runner.crew().group_rank() + i);
    input = compare(runner.input(work, i), work.count, tile, 0, true);
    if (input.wrong > 0) report(runner, work, rank, "input", input);
  }
  return output.wrong + guard + input.wrong;
}

void spoil_one_element(Runner& runner, const Work& work) {
  Crew& crew = runner.crew();
  const int last = crew.nranks() - 1 - crew.first_rank();
  if (work.count == 0 || last < 0 || last >= crew.size()) return;
  std::byte* element = runner.output(work, last) + work.count / 2 * type_size(work.type);
  // The top byte: the bits of the exponent, far beyond any tolerance.
  element[type_size(work.type) - 1] ^= std::byte{0x3c};
}

}  // namespace

int64_t count_wrong(Runner& runner, const Work& work) {
  Crew& crew = runner.crew();
  for (int round = 1; round <= runner.options().check; ++round) {
    double wrong = 0;
    if (const auto custom = runner.collective().count_wrong_ranks) {
      wrong = custom(crew, runner.options(), static_cast<unsigned>(round));
    } else {
      prepare(runner, work, static_cast<uint32_t>(round));
      runner.start(work, 0, runner.options().stream);
      runner.synchronize();
      if (runner.options().inject_error) spoil_one_element(runner, work);
      for (int i = 0; i < crew.size(); ++i) {
        wrong += static_cast<double>(check_rank(runner, work, static_cast<uint32_t>(round), i));
      }
    }
    const double all = crew.combine(wrong, Combine::kSum);
    // A wrong sum must not hide what this rank has seen.
    if (all > 0 || wrong > 0) return static_cast<int64_t>(std::max(all, wrong));
  }
  return 0;
}

}  // namespace goss::perf
