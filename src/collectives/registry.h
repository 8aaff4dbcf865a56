// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The algorithms as data: name, function, and the contract row that docs, explain and tests read.
#pragma once

#include <cstddef>
#include <span>

#include "collectives/message_schedule.h"
#include "collectives/schedule.h"

namespace goss::collectives {

enum class Kind : unsigned char {
  kAllReduce,
  kBroadcast,
  kBarrier,
  kReduce,
  kAllGather,
  kReduceScatter,
  kAllToAll,
  kGather,
  kScatter,
};
constexpr int kNumKinds = 9;

// What is true of every algorithm of a kind.
struct KindFacts {
  const char* name;
  bool reduces;  // an operation applies
  bool rooted;
  Layout input;
  Layout output;
};
const KindFacts& facts(Kind kind);
inline const char* kind_name(Kind kind) { return facts(kind).name; }

enum class Algorithm : unsigned char {
  kAllReduceOneShot,
  kAllReduceTwoShot,
  kBroadcastFlat,
  kBarrierFlat,
  kReduceFlat,
  kReduceTwoShot,
  kAllGatherFlat,
  kReduceScatterFlat,
  kAllToAllFlat,
  kGatherFlat,
  kScatterFlat,
  // Of forwarding_registry().
  kAllReduceRing,
  kBroadcastTwoShot,
};

struct Row {
  Algorithm algorithm;
  Kind kind;
  const char* name;
  Schedule (*make)(const Shape&);
  const char* steps;  // dependent exchanges
  const char* bytes;  // read from others per rank, S = `count` elements: of the vector, of a block
  const char* exact;
  const char* ranks;  // limits on n
  const char* source;
  // The same as `bytes`: parts read from others by a rank, `parts` of them being S where both
  // buffers are vectors, and each of them S where there are blocks.
  int (*parts_read)(const Shape&);
};

std::span<const Row> registry();
// What only encoded messages are for (forwarding_schedules.h).
std::span<const Row> forwarding_registry();
const Row& row(Algorithm algorithm);

// The same over messages.
enum class MessageAlgorithm : unsigned char {
  kAllReduceOneShot,
  kAllReduceTwoShot,
  kAllReduceRing,
  kAllReduceDoubling,
  kAllReduceHalving,
  kBroadcastFlat,
  kBroadcastBinomial,
  kBarrierDissemination,
  kReduceFlat,
  kReduceTwoShot,
  kReduceBinomial,
  kAllGatherFlat,
  kAllGatherRing,
  kAllGatherBruck,
  kReduceScatterFlat,
  kReduceScatterRing,
  kAllToAllPairwise,
  kAllToAllBruck,
  kGatherFlat,
  kScatterFlat,
};

struct MessageRow {
  MessageAlgorithm algorithm;
  Kind kind;
  const char* name;
  MessageSchedule (*make)(const Shape&);
  const char* steps;  // messages after one another, l = log2(n) rounded up
  const char* bytes;  // sent per rank, at the most; S as above
  const char* exact;
  bool varied;  // blocks may have a count for each rank
  const char* source;
};

std::span<const MessageRow> message_registry();
const MessageRow& row(MessageAlgorithm algorithm);

}  // namespace goss::collectives
