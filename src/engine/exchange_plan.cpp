// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/exchange_plan.h"

#include <algorithm>
#include <map>
#include <utility>

namespace goss::engine {

using collectives::Place;
using collectives::Schedule;
using collectives::Source;
using collectives::Step;
using collectives::Verb;
using Code = ExchangeWork::Code;
using Way = Transfer::Way;

namespace {

class ExchangeLowering {
 public:
  ExchangeLowering(const collectives::Row& row, const collectives::Shape& shape)
      : row_(row), shape_(shape), mine_(row.make(shape)) {
    program_.algorithm = row.algorithm;
    program_.parts = mine_.parts;
    program_.input_blocks = mine_.input == collectives::Layout::kBlocks;
    program_.output_blocks = mine_.output == collectives::Layout::kBlocks;
  }

  ExchangeProgram run() {
    find_readers();
    for (size_t i = 0; i < mine_.steps.size(); ++i) {
      const Step& step = mine_.steps[i];
      for (int part = step.parts.first; part < step.parts.last; ++part) {
        switch (step.verb) {
          case Verb::kPublish: publish(step, part); break;
          case Verb::kReduce: reduce(i, part); break;
          case Verb::kCopy: copy(step, part); break;
          case Verb::kAwait: break;
        }
      }
    }
    for (ExchangeChannel& channel : program_.channels) {
      std::sort(channel.messages.begin(), channel.messages.end(), [](const auto& a, const auto& b) {
        return std::pair(a.phase, a.part) < std::pair(b.phase, b.part);
      });
    }
    return std::move(program_);
  }

 private:
  struct Reader {
    int rank;
    bool reduces;
  };

  // Who reads what this rank publishes, from the schedules of all others.
  void find_readers() {
    for (int d = 1; d < shape_.nranks; ++d) {
      collectives::Shape theirs = shape_;
      theirs.rank = (shape_.rank + d) % shape_.nranks;
      for (const Step& step : row_.make(theirs).steps) {
        for (const Source& source : step.sources) {
          if (source.rank != shape_.rank) continue;
          for (int i = 0; i < step.parts.size(); ++i) {
            readers_[{source.phase, source.part + i}].push_back(
                {theirs.rank, step.verb == Verb::kReduce});
          }
        }
      }
    }
  }

  // Which stretch of elements `part` of what `rank` publishes is.
  int region_of(int rank, int part) const {
    return !program_.vectors() && !program_.input_blocks ? rank : part;
  }

  int add_buffer(int region, bool reduced) {
    program_.buffers.push_back({region, reduced});
    return static_cast<int>(program_.buffers.size()) - 1;
  }

  void add_message(Way way, int peer, const ExchangeMessage& message) {
    auto found = std::find_if(program_.channels.begin(), program_.channels.end(),
                              [&](const auto& c) { return c.way == way && c.peer == peer; });
    if (found == program_.channels.end()) {
      found = program_.channels.insert(program_.channels.end(), {way, peer, {}});
    }
    found->messages.push_back(message);
  }

  void publish(const Step& step, int part) {
    const auto found = readers_.find({step.phase, part});
    if (found == readers_.end()) return;
    for (const Reader& reader : found->second) {
      if (step.to != collectives::kEverybody && step.to != reader.rank) continue;
      if (step.place == Place::kInput && input_.count(part) == 0) encode(part, reader.reduces);
      const int buffer = step.place == Place::kInput ? input_.at(part) : made_.at(part);
      add_message(Way::kSend, reader.rank, {step.phase, part, buffer});
    }
  }

  void encode(int part, bool reduced) {
    ExchangeWork work{Code::kEncode};
    work.part = part;
    work.input_part = part;
    work.region = region_of(shape_.rank, part);
    work.buffer = add_buffer(work.region, reduced);
    input_[part] = work.buffer;
    program_.work.push_back(std::move(work));
  }

  int receive(const Source& source, int part, bool reduced) {
    const int buffer = add_buffer(region_of(source.rank, part), reduced);
    add_message(Way::kReceive, source.rank, {source.phase, part, buffer});
    return buffer;
  }

  // What will be shown to others of the result of step `index`: nullptr for nothing.
  const Reader* reader_of_result(size_t index, int part) const {
    const Step& made = mine_.steps[index];
    for (size_t i = index + 1; i < mine_.steps.size(); ++i) {
      const Step& step = mine_.steps[i];
      if (step.verb != Verb::kPublish || step.place != made.place) continue;
      if (part < step.parts.first || part >= step.parts.last) continue;
      const auto found = readers_.find({step.phase, part});
      if (found != readers_.end()) return &found->second.front();
    }
    return nullptr;
  }

  void reduce(size_t index, int part) {
    const Step& step = mine_.steps[index];
    ExchangeWork work{Code::kReduce};
    work.part = part;
    work.to_output = step.place == Place::kOutput;
    for (const Source& source : step.sources) {
      const int theirs = source.part + part - step.parts.first;
      if (source.rank != shape_.rank) {
        work.sources.push_back(receive(source, theirs, true));
        continue;
      }
      work.input_part = theirs;
      const auto own = input_.find(theirs);
      work.sources.push_back(own == input_.end() ? ExchangeWork::kOwnInput : own->second);
    }
    // The result covers what its contributions cover: in blocks that of the input.
    work.region = program_.input_blocks ? work.input_part : part;
    if (const Reader* reader = reader_of_result(index, part)) {
      work.buffer = add_buffer(work.region, reader->reduces);
      made_[part] = work.buffer;
    }
    program_.work.push_back(std::move(work));
  }

  void copy(const Step& step, int part) {
    const Source& source = step.sources.front();
    const int theirs = source.part + part - step.parts.first;
    ExchangeWork work{Code::kCopy};
    work.part = part;
    work.input_part = theirs;
    work.region = region_of(source.rank, theirs);
    if (source.rank != shape_.rank) {
      work.buffer = receive(source, theirs, false);
      made_[part] = work.buffer;
    } else if (const auto own = input_.find(theirs); own != input_.end()) {
      work.buffer = own->second;
    }
    if (work.buffer != ExchangeWork::kNone) work.code = Code::kDecode;
    program_.work.push_back(std::move(work));
  }

  const collectives::Row& row_;
  const collectives::Shape shape_;
  const Schedule mine_;
  ExchangeProgram program_;
  std::map<std::pair<int, int>, std::vector<Reader>> readers_;  // of (phase, part)
  std::map<int, int> input_;  // part of the input -> the buffer that has it encoded
  std::map<int, int> made_;   // part of output or scratch -> likewise
};

}  // namespace

ExchangeProgram lower_exchange(const collectives::Row& row, const collectives::Shape& shape) {
  return ExchangeLowering(row, shape).run();
}

}  // namespace goss::engine
