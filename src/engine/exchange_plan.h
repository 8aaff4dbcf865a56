// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// ExchangeProgram: a schedule lowered to messages whose content is encoded. What a rank shows to
// others is encoded once, into a buffer of its own, and everybody who uses it, itself included,
// uses what those bytes decode to; bytes that are passed on are passed on as they are. So all ranks
// have the same bits by construction. What nobody else sees is used as it is.
//
// A program speaks of parts and buffers and is applied to one chunk after the other, a chunk being
// the same stretch of every part.
#pragma once

#include <memory>
#include <vector>

#include "collectives/registry.h"
#include "engine/operation.h"

namespace goss::engine {

// One encoded stretch of a part, as it lies in memory here.
struct EncodedBuffer {
  int region = 0;       // which part of the vector, or which rank's block
  bool reduced = true;  // its readers reduce it; else they copy it
};

struct ExchangeWork {
  enum class Code : uint8_t {
    kEncode,  // `part` of the input into `buffer`
    kReduce,  // sources in order; into the output, and encoded into `buffer` if there is one
    kDecode,  // `buffer` into `part` of the output
    kCopy,    // `input_part` of the input into `part` of the output
  };
  static constexpr int kNone = -1;
  // In `sources`: the own input, which nobody else sees.
  static constexpr int kOwnInput = -1;

  Code code;
  int part = 0;  // where it is written; kEncode: where it is read
  int input_part = 0;
  int buffer = kNone;
  int region = 0;
  bool to_output = true;
  std::vector<int> sources = {};  // kReduce: buffers
};

struct ExchangeMessage {
  int phase = 0;
  int part = 0;
  int buffer = 0;  // that is sent, or received into
};

// All messages to, or from, one rank in one chunk, in the order in which they travel.
struct ExchangeChannel {
  Transfer::Way way = Transfer::Way::kSend;
  int peer = 0;
  std::vector<ExchangeMessage> messages;
};

struct ExchangeProgram {
  collectives::Algorithm algorithm = collectives::Algorithm::kAllReduceTwoShot;
  int parts = 1;
  bool input_blocks = false;
  bool output_blocks = false;
  std::vector<EncodedBuffer> buffers;
  std::vector<ExchangeWork> work;  // in an order in which it can be done
  std::vector<ExchangeChannel> channels;

  bool vectors() const { return !input_blocks && !output_blocks; }
  // Into how many parts the elements of the operation are divided.
  int divisor() const { return vectors() ? parts : 1; }
};

// A pure function of the two: both ends of a channel list the same messages.
ExchangeProgram lower_exchange(const collectives::Row& row, const collectives::Shape& shape);

}  // namespace goss::engine
