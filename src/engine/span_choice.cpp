// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What a collective across hosts does inside hosts and between them.
#include <algorithm>

#include "engine/span.h"
#include "engine/span_execution.h"

namespace goss::engine {

using collectives::Kind;
using Way = SpanChoice::Way;

namespace {

// So short that a message costs more than its bytes: every rank of a host sends the whole sum.
constexpr size_t kWholeSums = 4096;

SpanChoice::Way way_of(const Operation& operation, const Hosts& hosts) {
  const bool alone = hosts.members.size() == hosts.host_of.size();
  if (alone) return Way::kFlat;
  switch (operation.kind) {
    case Kind::kAllReduce: return hosts.per_host() > 0 ? Way::kColumns : Way::kLeaders;
    case Kind::kReduceScatter: return hosts.per_host() > 0 ? Way::kColumns : Way::kLeaders;
    case Kind::kAllGather: return hosts.per_host() > 0 ? Way::kColumns : Way::kFlat;
    case Kind::kBroadcast:
    case Kind::kBarrier:
    case Kind::kReduce: return Way::kLeaders;
    case Kind::kAllToAll:
    case Kind::kGather:
    case Kind::kScatter: return Way::kFlat;
  }
  return Way::kFlat;
}

}  // namespace

bool works_inside_hosts(const Operation& operation, const Hosts& hosts) {
  return way_of(operation, hosts) != Way::kFlat;
}

size_t share_between_hosts(const Operation& operation, const Hosts& hosts) {
  const bool shared =
      operation.kind == Kind::kAllReduce && way_of(operation, hosts) == Way::kColumns;
  if (!shared || operation.bytes() <= kWholeSums) return operation.count;
  return operation.count / static_cast<size_t>(hosts.per_host());
}

SpanChoice choose_across_hosts(const Operation& operation, const Hosts& hosts, Forced forced) {
  SpanChoice choice;
  choice.way = way_of(operation, hosts);
  const bool flat = choice.way == Way::kFlat;
  const int ranks = flat ? static_cast<int>(hosts.host_of.size()) : hosts.count();
  size_t bytes = share_between_hosts(operation, hosts) * type_size(operation.type);
  if (operation.calls > 1) bytes = std::min(bytes, kMostAggregated);
  const bool varied = operation.block_counts != nullptr;
  Kind kind = operation.kind;
  if (kind == Kind::kReduceScatter && choice.way == Way::kLeaders) {
    kind = Kind::kAllReduce;  // of all blocks
    bytes *= hosts.host_of.size();
  }
  const bool sums = collectives::facts(kind).reduces;
  choice.messages = choose_messages({.kind = kind,
                                     .nranks = ranks,
                                     .bytes = bytes,
                                     .varied = varied,
                                     .narrow = sums && is_narrow_float(operation.type)},
                                    forced);
  switch (choice.way) {
    case Way::kFlat: choice.reason = "messages between all ranks"; break;
    case Way::kColumns:
      choice.reason = "every rank of a host carries its share between hosts";
      break;
    case Way::kLeaders: choice.reason = "one rank of each host sends"; break;
  }
  return choice;
}

int signature_algorithm(collectives::MessageAlgorithm algorithm) {
  return static_cast<int>(collectives::registry().size()) + static_cast<int>(algorithm);
}

}  // namespace goss::engine
