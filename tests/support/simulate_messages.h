// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// A simulator of message schedules: all ranks at once, values instead of bytes. A rank runs its
// steps in order; messages of each pair of ranks arrive in order, after any time. Values are
// strings and the reduction is concatenation, so what was added twice or never shows.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "collectives/message_schedule.h"
#include "support/simulate.h"

namespace goss::test {

class MessageSimulator {
 public:
  explicit MessageSimulator(std::vector<collectives::MessageSchedule> schedules)
      : schedules_(std::move(schedules)), pc_(schedules_.size(), 0) {
    using collectives::Layout;
    for (const collectives::MessageSchedule& s : schedules_) {
      const int blocks = s.output == Layout::kBlocks ? s.shape.nranks : 1;
      result_.output.emplace_back(static_cast<size_t>(s.vectors() ? s.parts : blocks));
      scratch_.emplace_back(static_cast<size_t>(s.scratch));
    }
  }

  Simulation run() {
    for (bool moved = true; moved;) {
      moved = false;
      for (size_t rank = 0; rank < schedules_.size(); ++rank) {
        while (pc_[rank] < schedules_[rank].steps.size() && try_step(static_cast<int>(rank))) {
          ++pc_[rank];
          moved = true;
        }
      }
    }
    for (size_t rank = 0; rank < schedules_.size(); ++rank) {
      result_.deadlock |= pc_[rank] != schedules_[rank].steps.size();
    }
    for (const auto& [pair, messages] : on_the_way_) {
      if (!messages.empty()) complain(pair.second, "not all messages");
    }
    return std::move(result_);
  }
  // Parts that a rank has sent.
  size_t sent(int rank) const {
    const auto found = sent_.find(rank);
    return found == sent_.end() ? 0 : found->second;
  }

 private:
  using Step = collectives::MessageStep;
  using Verb = collectives::MessageVerb;
  using Message = std::vector<std::string>;

  bool try_step(int rank) {
    const Step& step = schedules_[static_cast<size_t>(rank)].steps[pc_[static_cast<size_t>(rank)]];
    switch (step.verb) {
      case Verb::kSend: send(rank, step); return true;
      case Verb::kReceive: return receive(rank, step);
      case Verb::kReduce:
      case Verb::kCopy: combine(rank, step); return true;
    }
    return true;
  }

  std::string value(int rank, collectives::Spot spot, int offset) {
    const int index = spot.index + offset;
    if (spot.place == collectives::Place::kInput) return contribution(rank, index);
    const auto& held = at(rank, spot, offset);
    if (!held) complain(rank, "what does not exist yet");
    return held.value_or("?");
  }

  std::optional<std::string>& at(int rank, collectives::Spot spot, int offset) {
    auto& all = spot.place == collectives::Place::kScratch ? scratch_ : result_.output;
    return all[static_cast<size_t>(rank)].at(static_cast<size_t>(spot.index + offset));
  }

  void send(int rank, const Step& step) {
    Message message;
    for (int i = 0; i < step.parts.size(); ++i) message.push_back(value(rank, step.at, i));
    sent_[rank] += message.size();
    on_the_way_[{rank, step.peer}].push_back(std::move(message));
  }

  bool receive(int rank, const Step& step) {
    auto& messages = on_the_way_[{step.peer, rank}];
    if (messages.empty()) return false;
    const Message message = std::move(messages.front());
    messages.pop_front();
    if (message.size() != static_cast<size_t>(step.parts.size())) complain(rank, "another length");
    for (size_t i = 0; i < message.size(); ++i) {
      at(rank, step.at, static_cast<int>(i)) = message[i];
    }
    return true;
  }

  void combine(int rank, const Step& step) {
    for (int i = 0; i < step.parts.size(); ++i) {
      std::string sum;
      for (const collectives::Spot& source : step.sources) sum += value(rank, source, i);
      at(rank, step.at, i) = sum;
    }
  }

  void complain(int rank, const std::string& what) {
    if (result_.problem.empty()) {
      result_.problem = "rank " + std::to_string(rank) + " reads " + what;
    }
  }

  std::vector<collectives::MessageSchedule> schedules_;
  std::vector<size_t> pc_;
  std::map<std::pair<int, int>, std::deque<Message>> on_the_way_;
  std::vector<std::vector<std::optional<std::string>>> scratch_;
  std::map<int, size_t> sent_;
  Simulation result_;
};

}  // namespace goss::test
