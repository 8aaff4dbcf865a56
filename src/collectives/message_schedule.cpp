// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "collectives/message_schedule.h"

#include <map>
#include <utility>

namespace goss::collectives {

void MessageBuilder::send(int peer, Spot at, Parts parts) {
  schedule_.steps.push_back({MessageVerb::kSend, peer, at, parts, {}});
}

void MessageBuilder::receive(int peer, Spot at, Parts parts) {
  schedule_.steps.push_back({MessageVerb::kReceive, peer, at, parts, {}});
}

void MessageBuilder::reduce(Spot at, Parts parts, std::vector<Spot> sources, bool final) {
  schedule_.steps.push_back({MessageVerb::kReduce, -1, at, parts, std::move(sources), final});
}

void MessageBuilder::copy(Spot at, Parts parts, Spot source) {
  schedule_.steps.push_back({MessageVerb::kCopy, -1, at, parts, {source}});
}

Spot MessageBuilder::scratch(int slots) {
  return {Place::kScratch, std::exchange(schedule_.scratch, schedule_.scratch + slots)};
}

namespace {

class Translation {
 public:
  explicit Translation(const Schedule& schedule)
      : schedule_(schedule),
        builder_(schedule.shape, schedule.parts, schedule.input, schedule.output) {}

  MessageSchedule run() {
    for (const Step& step : schedule_.steps) {
      switch (step.verb) {
        case Verb::kPublish: publish(step); break;
        case Verb::kReduce: reduce(step); break;
        case Verb::kCopy: copy(step); break;
        case Verb::kAwait:
          for (const Source& source : step.sources) {
            builder_.receive(source.rank, MessageBuilder::input(0), {0, 0});
          }
          break;
      }
    }
    return builder_.finish();
  }

 private:
  int me() const { return schedule_.shape.rank; }

  // Which parts these are; `owner`: whose, where a vector stands for its rank's block.
  Parts named(Place place, Parts parts, int owner) const {
    const Layout layout = place == Place::kInput ? schedule_.input : schedule_.output;
    const bool vectors = schedule_.input == schedule_.output && schedule_.input == Layout::kVector;
    if (vectors || layout == Layout::kBlocks || parts.size() == 0) return parts;
    return one(owner);
  }

  Spot spot(Place place, int part) {
    if (place != Place::kScratch) return {place, part};
    const auto known = scratch_.find(part);
    if (known != scratch_.end()) return known->second;
    return scratch_[part] = builder_.scratch();
  }

  void publish(const Step& step) {
    const Parts parts = named(step.place, step.parts, me());
    const Spot at =
        parts.size() == 0 ? MessageBuilder::input(0) : spot(step.place, step.parts.first);
    if (step.to != kEverybody) return builder_.send(step.to, at, parts);
    for (int d = 1; d < schedule_.shape.nranks; ++d) builder_.send(builder_.peer(d), at, parts);
  }

  void reduce(const Step& step) {
    const Parts parts = named(step.place, step.parts, me());
    std::vector<Spot> sources;
    for (const Source& source : step.sources) {
      if (source.rank == me()) {
        sources.push_back(spot(source.place, source.part));
        continue;
      }
      sources.push_back(builder_.scratch(parts.size()));
      builder_.receive(source.rank, sources.back(), parts);
    }
    builder_.reduce(spot(step.place, step.parts.first), parts, std::move(sources));
  }

  void copy(const Step& step) {
    const Source& source = step.sources.front();
    const Parts parts = named(step.place, step.parts, me());
    const Spot to = spot(step.place, step.parts.first);
    if (source.rank == me()) {
      builder_.copy(to, parts, spot(source.place, source.part));
    } else {
      builder_.receive(source.rank, to, parts);
    }
  }

  const Schedule& schedule_;
  MessageBuilder builder_;
  std::map<int, Spot> scratch_;  // of what is made only to be published, by part
};

}  // namespace

MessageSchedule as_messages(const Schedule& schedule) { return Translation(schedule).run(); }

}  // namespace goss::collectives
