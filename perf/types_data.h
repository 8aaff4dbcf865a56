// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Inputs that make the result of a collective known exactly, that result, and the count of elements
// that differ from it.
//
// Data repeats every kTileElements elements, a prime: a chunk, slot or segment put at the wrong
// place (distances that are round numbers) never meets its own copy, and neither making the inputs
// nor checking the results costs more than a pass over memory. Inputs of floats are such that the
// result and every partial result, in any order, is a value of the type: the check can demand
// equality. Integers use all their bits and wrap around. Uses nothing of the library.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "options.h"

namespace goss::perf {

inline constexpr size_t kTileElements = 4093;

// What one checked operation computes.
struct Problem {
  gossDataType_t type;
  int op;  // gossRedOp_t or kCopy
  int nranks;
  uint32_t round = 0;    // other data in every round
  bool numbers = false;  // kCopy of floats: numbers and not any bits, because they are compressed
};

// One period of data. Elements stand in memory as the collective sees them.
struct Tile {
  gossDataType_t type;
  std::vector<std::byte> bytes;
};

Tile input_tile(const Problem& problem, int rank);
// The reduction of the inputs of all ranks.
Tile reduced_tile(const Problem& problem);
// A value that the reduction maps to itself, so that timed operations in place neither overflow nor
// end in denormal numbers: ones for prod, else zeros.
Tile neutral_tile(const Problem& problem);

// Fills `count` elements at dst by repeating the tile.
void fill(void* dst, size_t count, const Tile& tile);

struct Mismatch {
  size_t wrong = 0;
  double largest_error = 0;   // of floats
  double noise = 0;           // squared errors of floats, where a distance is allowed
  double squares = 0;         // and squares of what they should be
  size_t first = 0;           // index of the first wrong element
  std::string got, expected;  // its value and what it should be
};

// How far floats may be off: units in the last place, and beyond them by a distance.
struct Tolerance {
  int ulp = 0;
  double distance = 0;
};

// Compares `count` elements with the tile. Floats may differ by the tolerance; `exact_bits`
// compares bytes (data that was only moved). The data begins with element `phase` of what fill()
// makes of the tile.
Mismatch compare(const void* data, size_t count, const Tile& tile, const Tolerance& tolerance,
                 bool exact_bits, size_t phase = 0);

// Makes an element wrong: a float that may be off by a distance by more than that, anything else by
// bits of its top byte.
void spoil(std::byte* element, gossDataType_t type, const Tolerance& tolerance);

// 2 for averages of floats, 0 for all else, as nccl-tests.
int tolerance_ulp(const Problem& problem);

}  // namespace goss::perf
