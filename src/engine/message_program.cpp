// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/message_program.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace goss::engine {

using collectives::Kind;
using collectives::MessageAlgorithm;
using collectives::MessageRow;
using collectives::MessageSchedule;
using collectives::MessageStep;
using collectives::MessageVerb;
using collectives::Place;
using collectives::Spot;

namespace {

// Finds what a step needs: who wrote last what it reads, and who still reads what it writes.
class Hazards {
 public:
  Hazards(const MessageSchedule& schedule, bool in_place)
      : schedule_(schedule), aliased_(in_place && schedule.vectors()) {}

  std::vector<int> needs(int index) {
    const MessageStep& step = schedule_.steps[static_cast<size_t>(index)];
    found_.clear();
    const bool sends = step.verb == MessageVerb::kSend;
    if (sends) read(step.at, step.parts.size(), index);
    for (const Spot& source : step.sources) read(source, step.parts.size(), index);
    if (!sends) write(step.at, step.parts.size(), index);
    std::sort(found_.begin(), found_.end());
    found_.erase(std::unique(found_.begin(), found_.end()), found_.end());
    std::erase_if(found_, [&](int earlier) { return !matters(earlier, index); });
    return found_;
  }

 private:
  struct Cell {
    int writer = -1;
    std::vector<int> readers;  // since then
  };

  Cell& cell(Spot spot, int offset) {
    const Place place = aliased_ && spot.place == Place::kOutput ? Place::kInput : spot.place;
    return cells_[{place, spot.index + offset}];
  }

  void read(Spot spot, int parts, int index) {
    for (int i = 0; i < parts; ++i) {
      Cell& c = cell(spot, i);
      if (c.writer >= 0) found_.push_back(c.writer);
      c.readers.push_back(index);
    }
  }

  void write(Spot spot, int parts, int index) {
    for (int i = 0; i < parts; ++i) {
      Cell& c = cell(spot, i);
      if (c.writer >= 0) found_.push_back(c.writer);
      found_.insert(found_.end(), c.readers.begin(), c.readers.end());
      c.writer = index;
      c.readers.clear();
    }
  }

  // Steps that are no messages end where they run, before the next step that is no receive.
  bool matters(int earlier, int index) const {
    if (earlier == index) return false;
    const auto verb = [&](int i) { return schedule_.steps[static_cast<size_t>(i)].verb; };
    const bool ends_at_once =
        verb(earlier) == MessageVerb::kReduce || verb(earlier) == MessageVerb::kCopy;
    return !ends_at_once || verb(index) == MessageVerb::kReceive;
  }

  const MessageSchedule& schedule_;
  bool aliased_;
  std::map<std::pair<Place, int>, Cell> cells_;
  std::vector<int> found_;
};

}  // namespace

MessageProgram lower(MessageSchedule schedule, bool in_place) {
  MessageProgram program;
  Hazards hazards(schedule, in_place);
  const int steps = static_cast<int>(schedule.steps.size());
  for (int i = 0; i < steps; ++i) {
    program.first_need.push_back(static_cast<int>(program.needs.size()));
    const std::vector<int> needs = hazards.needs(i);
    program.needs.insert(program.needs.end(), needs.begin(), needs.end());
    const bool receives = schedule.steps[static_cast<size_t>(i)].verb == MessageVerb::kReceive;
    (receives ? program.receives : program.others).push_back(i);
  }
  program.first_need.push_back(static_cast<int>(program.needs.size()));
  program.schedule = std::move(schedule);
  return program;
}

const MessageProgram& MessagePlans::get(MessageAlgorithm algorithm, const collectives::Shape& shape,
                                        bool in_place) {
  const Key key{algorithm, shape.rank, shape.nranks, shape.root, in_place};
  const auto known = programs_.find(key);
  if (known != programs_.end()) return known->second;
  if (programs_.size() >= kCapacity) programs_.clear();
  made_ += 1;
  return programs_.emplace(key, lower(collectives::row(algorithm).make(shape), in_place))
      .first->second;
}

namespace {

// Direct exchange costs a message per peer, the logarithmic algorithms move bytes more often.
// Beyond this many ranks a peer each is too much for one switch port's buffers.
constexpr int kMostDirect = 16;
// Below, the number of messages after one another decides (a message takes as long as this many
// bytes on a link of 10 Gbit/s).
constexpr size_t kSmall = size_t{8} * 1024;

// A direct exchange of long vectors has several ranks send to one at a time, whose port they share
// unevenly while others wait: from here on the ring is faster on links of 1 to 10 Gbit/s (decision
// 36). Of two ranks both are the same, and a ring rounds at every rank. Blocks of different counts
// may be far shorter than the largest.
constexpr size_t kRingShare = size_t{64} * 1024;  // of a rank: its messages are not too short
constexpr const char* kRingReason = "fewest bytes, one neighbour each way";
bool crowds(const MessageCall& call, size_t bytes) {
  const size_t least = std::max(kMostAggregated, kRingShare * static_cast<size_t>(call.nranks));
  return call.nranks > 2 && call.nranks <= kMostDirect && bytes > least && !call.narrow &&
         !call.varied;
}

// Calls up to kMostAggregated may be aggregated, which must not change a bit: up to there, all
// choices for one number of ranks add in the same order.
MessageChoice all_reduce(const MessageCall& call) {
  const int n = call.nranks;
  const size_t bytes = call.bytes;
  if (crowds(call, bytes)) return {MessageAlgorithm::kAllReduceRing, kRingReason};
  if (n <= kMostDirect) {
    if (bytes <= kSmall) return {MessageAlgorithm::kAllReduceOneShot, "one exchange"};
    return {MessageAlgorithm::kAllReduceTwoShot, "fewest bytes, two exchanges"};
  }
  if (bytes <= kMostAggregated) return {MessageAlgorithm::kAllReduceDoubling, "fewest exchanges"};
  if (bytes <= kRingShare * static_cast<size_t>(n)) {
    return {MessageAlgorithm::kAllReduceHalving, "fewest bytes, few exchanges"};
  }
  return {MessageAlgorithm::kAllReduceRing, kRingReason};
}

MessageChoice chosen(const MessageCall& call) {
  const int n = call.nranks;
  const size_t bytes = call.bytes;
  const size_t all = bytes * static_cast<size_t>(n);  // of blocks
  const bool few = n <= kMostDirect;
  switch (call.kind) {
    case Kind::kAllReduce: return all_reduce(call);
    case Kind::kBroadcast:
      if (n <= 4 && bytes <= kSmall) return {MessageAlgorithm::kBroadcastFlat, "one exchange"};
      return {MessageAlgorithm::kBroadcastBinomial, "few exchanges, spread over ranks"};
    case Kind::kBarrier: return {MessageAlgorithm::kBarrierDissemination, "fewest exchanges"};
    case Kind::kReduce:
      if (!few) return {MessageAlgorithm::kReduceBinomial, "few exchanges, spread over ranks"};
      if (bytes <= kSmall) return {MessageAlgorithm::kReduceFlat, "one exchange"};
      return {MessageAlgorithm::kReduceTwoShot, "all ranks share the work"};
    case Kind::kAllGather:
      if (crowds(call, all)) return {MessageAlgorithm::kAllGatherRing, kRingReason};
      if (few) return {MessageAlgorithm::kAllGatherFlat, "one exchange"};
      if (!call.varied && bytes <= kSmall)
        return {MessageAlgorithm::kAllGatherBruck, "few exchanges"};
      return {MessageAlgorithm::kAllGatherRing, kRingReason};
    case Kind::kReduceScatter:
      if (crowds(call, all)) return {MessageAlgorithm::kReduceScatterRing, kRingReason};
      if (few || bytes <= kSmall) return {MessageAlgorithm::kReduceScatterFlat, "one exchange"};
      return {MessageAlgorithm::kReduceScatterRing, kRingReason};
    case Kind::kAllToAll:
      if (!few && bytes <= 256) return {MessageAlgorithm::kAllToAllBruck, "few exchanges"};
      return {MessageAlgorithm::kAllToAllPairwise, "each block goes once"};
    case Kind::kGather: return {MessageAlgorithm::kGatherFlat, "each block goes once"};
    case Kind::kScatter: return {MessageAlgorithm::kScatterFlat, "each block goes once"};
  }
  return {};
}

}  // namespace

MessageChoice choose_messages(const MessageCall& call, Forced forced) {
  for (const MessageRow& row : collectives::message_registry()) {
    if (row.kind != call.kind || std::strcmp(row.name, forced_name(forced)) != 0) continue;
    if (call.varied && !row.varied) break;
    return {row.algorithm, "forced by GOSS_ALGO"};
  }
  return chosen(call);
}

}  // namespace goss::engine
