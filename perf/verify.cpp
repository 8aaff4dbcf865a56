// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "verify.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

namespace goss::perf {

namespace {

constexpr int kGuardByte = 0x5a;
constexpr int kStaleByte = 0xa5;  // what the result holds before

size_t count_guard_errors(const std::byte* guard) {
  return static_cast<size_t>(std::count_if(guard, guard + kGuardBytes, [](std::byte b) {
    return b != static_cast<std::byte>(kGuardByte);
  }));
}

// What stands in a piece of a rank's memory when all is well.
struct Segment {
  const std::byte* data;
  Piece piece;       // kUntouched: the stale bytes
  const char* what;  // "result", "input": whose elements are counted
  size_t at;         // element of the latter
};

using Segments = std::vector<Segment>;

Shape shape_of(Runner& runner, const Work& work, int i) {
  const Crew& crew = runner.crew();
  return {work.count, crew.group_rank() + i, crew.group_nranks(), work.root};
}

bool has_result(const std::vector<Piece>& pieces) {
  return pieces.front().source != Piece::kUntouched;
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

// The first byte that the collective may not touch.
std::byte* behind(const Runner& runner, const Work& work, int i) {
  if (work.in_place) return runner.memory(work, i) + work.bytes();
  return runner.output(work, i) + work.recv_count() * type_size(work.type);
}

void prepare(Runner& runner, const Work& work, uint32_t round) {
  for (int i = 0; i < runner.crew().size(); ++i) {
    std::memset(runner.memory(work, i), kStaleByte, work.bytes());
    std::memset(behind(runner, work, i), kGuardByte, kGuardBytes);
  }
  runner.fill_inputs(work, 1, round);
}

// The result of rank i of the crew, and of its input all that the result does not replace.
Segments segments_of(Runner& runner, const Work& work, int i) {
  const size_t size = type_size(work.type);
  const int rank = runner.crew().group_rank() + i;
  const std::byte* input = runner.input(work, i);
  const std::byte* output = runner.output(work, i);
  const std::vector<Piece> pieces = runner.collective().expected(shape_of(runner, work, i));
  Segments list;
  const auto add_input = [&](size_t from, size_t to) {
    if (from < to) list.push_back({input + from * size, {to - from, rank, from}, "input", from});
  };
  size_t at = 0;
  if (has_result(pieces) || !work.in_place) {
    for (const Piece& piece : pieces) {
      list.push_back({output + at * size, piece, "result", at});
      at += piece.count;
    }
  }
  if (!work.in_place) {
    add_input(0, work.send_count());
  } else if (has_result(pieces)) {  // which may be a block of the input
    const size_t begin = output < input ? 0 : static_cast<size_t>(output - input) / size;
    add_input(0, std::min(begin, work.send_count()));
    add_input(begin + work.recv_count(), work.send_count());
  } else {  // the input may be a block of what is left alone
    const size_t before = static_cast<size_t>(input - runner.memory(work, i)) / size;
    const size_t after = work.bytes() / size - before - work.send_count();
    const std::byte* end = input + work.send_count() * size;
    list.push_back({input - before * size, {before, Piece::kUntouched, 0}, "result", 0});
    add_input(0, work.send_count());
    list.push_back({end, {after, Piece::kUntouched, 0}, "result", before + work.send_count()});
  }
  return list;
}

Tile tile_of(const Problem& problem, int source) {
  if (source == Piece::kReduced) return reduced_tile(problem);
  if (source != Piece::kUntouched) return input_tile(problem, source);
  return {problem.type, std::vector<std::byte>(kTileElements * type_size(problem.type),
                                               static_cast<std::byte>(kStaleByte))};
}

// Errors of rank i of the crew, whose result may be off by `bound`.
size_t check_rank(Runner& runner, const Work& work, uint32_t round, int i, double bound,
                  Compression* compression) {
  const Problem problem = runner.problem(work, round);
  const int rank = runner.crew().first_rank() + i;
  size_t wrong = 0;
  std::optional<std::pair<int, Tile>> tile;  // of the last segment's source
  for (const Segment& segment : segments_of(runner, work, i)) {
    const Piece& piece = segment.piece;
    if (!tile || tile->first != piece.source) {
      tile.emplace(piece.source, tile_of(problem, piece.source));
    }
    const bool reduced = piece.source == Piece::kReduced;
    const bool result =
        std::strcmp(segment.what, "result") == 0 && piece.source != Piece::kUntouched;
    const Tolerance tolerance{reduced ? tolerance_ulp(problem) : 0, result ? bound : 0};
    Mismatch found = compare(segment.data, piece.count, tile->second, tolerance,
                             !reduced && tolerance.distance == 0, piece.from);
    compression->largest_error = std::max(compression->largest_error, found.largest_error);
    compression->noise += found.noise;
    compression->squares += found.squares;
    found.first += segment.at;
    if (found.wrong > 0) report(runner, work, rank, segment.what, found);
    wrong += found.wrong;
  }
  const size_t guard = count_guard_errors(behind(runner, work, i));
  if (guard > 0) {
    std::fprintf(stderr, "rank %d: %s wrote up to %zu bytes behind its buffer of %zu bytes\n", rank,
                 runner.collective().function, guard, work.bytes());
  }
  return wrong + guard;
}

// One element of the last rank that has a result.
void spoil_one_element(Runner& runner, const Work& work, const std::vector<double>& bounds) {
  Crew& crew = runner.crew();
  int last = -1;
  for (int i = 0; i < crew.size(); ++i) {
    if (has_result(runner.collective().expected(shape_of(runner, work, i)))) last = i;
  }
  const int own = last < 0 ? -1 : crew.first_rank() + last;
  if (crew.combine(own, Combine::kMax) != own || own < 0 || work.count == 0) return;
  std::byte* element = runner.output(work, last) + work.recv_count() / 2 * type_size(work.type);
  spoil(element, work.type, {0, bounds[static_cast<size_t>(last)]});
}

// How far results of the operation that has just been made may be off, by rank of the crew; 0 where
// it was not compressed: then the last report is the one of `before`.
std::vector<double> bounds_of(Runner& runner, const std::vector<gossErrorReport_t>& before,
                              Compression* compression) {
  std::vector<double> bounds;
  for (int i = 0; i < runner.crew().size(); ++i) {
    const gossErrorReport_t report = runner.compression(i);
    const bool compressed = report.operation != before[static_cast<size_t>(i)].operation;
    bounds.push_back(compressed ? report.bound : 0);
    if (i == 0 && compressed) compression->report = report;
  }
  return bounds;
}

}  // namespace

int64_t count_wrong(Runner& runner, const Work& work, Compression* compression) {
  Crew& crew = runner.crew();
  for (int round = 1; round <= runner.options().check; ++round) {
    double wrong = 0;
    if (const auto custom = runner.collective().count_wrong_ranks) {
      wrong = custom(crew, runner.options(), static_cast<unsigned>(round));
    } else {
      std::vector<gossErrorReport_t> before;
      for (int i = 0; i < crew.size(); ++i) before.push_back(runner.compression(i));
      Compression ignored;
      Compression* found = round == 1 ? compression : &ignored;
      prepare(runner, work, static_cast<uint32_t>(round));
      runner.start(work, 0, runner.options().stream);
      runner.synchronize();
      const std::vector<double> bounds = bounds_of(runner, before, found);
      if (runner.options().inject_error) spoil_one_element(runner, work, bounds);
      for (int i = 0; i < crew.size(); ++i) {
        wrong += static_cast<double>(check_rank(runner, work, static_cast<uint32_t>(round), i,
                                                bounds[static_cast<size_t>(i)], found));
      }
    }
    const double all = crew.combine(wrong, Combine::kSum);
    // A wrong sum must not hide what this rank has seen.
    if (all > 0 || wrong > 0) return static_cast<int64_t>(std::max(all, wrong));
  }
  return 0;
}

}  // namespace goss::perf
