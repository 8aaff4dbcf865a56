// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// A message with encoded elements, as docs/wire-format.md has it: a header, the elements, their
// errors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "quant/chunk_header.h"
#include "quant/operations.h"

namespace goss::engine {

// About this rank's result, and what it sent.
struct CompressedOutcome {
  quant::Figures figures;
  uint64_t elements = 0;
  uint64_t sent_bytes = 0;
  uint64_t plain_bytes = 0;
  uint64_t operation = 0;  // its number
};

constexpr size_t kFiguresBytes = 2 * sizeof(double);

inline size_t encoded_message_bytes(quant::Codec codec, size_t count) {
  return quant::kChunkHeaderBytes + quant::encoded_bytes(codec, count) + kFiguresBytes;
}

inline void write_figures(const quant::Figures& figures, uint8_t* to) {
  std::memcpy(to, &figures.bound, sizeof(double));
  std::memcpy(to + sizeof(double), &figures.noise, sizeof(double));
}

inline quant::Figures read_figures(const uint8_t* from) {
  quant::Figures figures;
  std::memcpy(&figures.bound, from, sizeof(double));
  std::memcpy(&figures.noise, from + sizeof(double), sizeof(double));
  return figures;
}

}  // namespace goss::engine
