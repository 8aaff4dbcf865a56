// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/plan.h"

#include <algorithm>

#include "base/env.h"
#include "transport/shm/segment.h"

namespace goss::engine {

using collectives::Algorithm;
using collectives::Kind;
using collectives::Place;
using collectives::Schedule;
using collectives::Step;
using collectives::Verb;
using Code = Instruction::Code;

namespace {

// Turns one rank's schedule into instructions. A new stage begins with the first wait after a flag,
// so that the executor can run other chunks between raising a flag and needing an answer.
class Lowering {
 public:
  explicit Lowering(const Schedule& schedule) : schedule_(schedule) {
    program_.parts = schedule.parts;
    program_.input_blocks = schedule.input == collectives::Layout::kBlocks;
    program_.output_blocks = schedule.output == collectives::Layout::kBlocks;
    program_.stages.push_back(0);
  }

  void run() {
    const std::vector<Step>& steps = schedule_.steps;
    for (size_t i = 0; i < steps.size(); ++i) {
      lower_step(steps[i]);
      const bool last_of_phase = steps[i].verb == Verb::kPublish &&
                                 (i + 1 == steps.size() || steps[i + 1].verb != Verb::kPublish ||
                                  steps[i + 1].phase != steps[i].phase);
      if (last_of_phase) flag(steps[i].phase);
    }
    program_.stages.push_back(static_cast<int>(program_.instructions.size()));
  }

  Program take() { return std::move(program_); }

 private:
  void lower_step(const Step& step) {
    switch (step.verb) {
      case Verb::kPublish: publish(step); break;
      case Verb::kReduce:
        wait_for(step);
        reduce(step);
        break;
      case Verb::kCopy:
        wait_for(step);
        copy(step);
        break;
      case Verb::kAwait: wait_for(step); break;
    }
  }

  void add(const Instruction& instruction) {
    program_.instructions.push_back(instruction);
    if (instruction.code == Code::kFlag) after_flag_ = true;
    if (instruction.code == Code::kWait) after_flag_ = false;
  }

  void flag(int phase) {
    Instruction instruction{Code::kFlag};
    instruction.phase = static_cast<uint8_t>(phase);
    add(instruction);
  }

  void publish(const Step& step) {
    program_.publishes = true;
    if (step.parts.size() == 0) return;
    if (step.place == Place::kInput) published_.push_back(step.parts);
    if (step.place == Place::kScratch) {  // a reduction has left it in the cell
      program_.publishes_scratch = true;
      return;
    }
    const bool output = step.place == Place::kOutput;
    // A result that is published right after it was made is stored twice in the same pass.
    if (output && !program_.instructions.empty()) {
      Instruction& before = program_.instructions.back();
      if (before.code == Code::kReduce && before.first == step.parts.first &&
          before.last == step.parts.last) {
        before.from_output = true;
        program_.publishes_results = true;
        return;
      }
    }
    Instruction instruction{Code::kPublish};
    instruction.from_output = output;
    instruction.first = step.parts.first;
    instruction.last = step.parts.last;
    add(instruction);
  }

  void wait_for(const Step& step) {
    for (const collectives::Source& source : step.sources) {
      if (source.rank == schedule_.shape.rank) continue;
      if (after_flag_) program_.stages.push_back(static_cast<int>(program_.instructions.size()));
      Instruction instruction{Code::kWait};
      instruction.phase = static_cast<uint8_t>(source.phase);
      instruction.peer = source.rank;
      add(instruction);
    }
  }

  // In place, the output of a vector lies on the input, part by part. A copy into a published part
  // comes from the rank that it was published to, after that rank has reduced it; a reduction waits
  // for the peers' inputs only. Blocks in place: the only one written is the rank's own, which it
  // does not publish (reduce-scatter, scatter), or with what lies there (all-gather, gather).
  void reduce(const Step& step) {
    for (const collectives::Parts& parts : published_) {
      if (program_.vectors() && parts.first < step.parts.last && step.parts.first < parts.last) {
        program_.overwrites_input = true;
      }
    }
    Instruction instruction{Code::kReduce};
    instruction.to_output = step.place == Place::kOutput;
    instruction.first = step.parts.first;
    instruction.last = step.parts.last;
    instruction.source_begin = static_cast<int>(program_.sources.size());
    for (const collectives::Source& source : step.sources) {
      const bool mine = source.rank == schedule_.shape.rank;
      if (mine) instruction.source_part = source.part;
      program_.sources.push_back({source.rank, mine ? -1 : source.phase, source.part});
    }
    instruction.source_end = static_cast<int>(program_.sources.size());
    add(instruction);
  }

  void copy(const Step& step) {
    const collectives::Source& source = step.sources.front();
    const bool mine = source.rank == schedule_.shape.rank;
    Instruction instruction{mine ? Code::kCopyLocal : Code::kCopyPeer};
    instruction.phase = static_cast<uint8_t>(source.phase);
    instruction.peer = source.rank;
    instruction.first = step.parts.first;
    instruction.last = step.parts.last;
    instruction.source_part = source.part;
    add(instruction);
  }

  const Schedule& schedule_;
  Program program_;
  std::vector<collectives::Parts> published_;  // of the input
  bool after_flag_ = false;
};

// From where each phase is published: readers in place need to know, and publishers whose buffer is
// read in place. All publishers of a phase use the same place, so its own and the first source of
// each phase answer for all.
void find_places(const collectives::Row& row, const Schedule& schedule, Program* program) {
  bool known[collectives::kMaxPhases] = {};
  for (const Step& step : schedule.steps) {
    if (step.verb != Verb::kPublish) continue;
    program->phase_place[step.phase] = step.place;
    known[step.phase] = true;
  }
  for (const Step& step : schedule.steps) {
    for (const collectives::Source& source : step.sources) {
      if (source.rank == schedule.shape.rank || known[source.phase]) continue;
      collectives::Shape theirs = schedule.shape;
      theirs.rank = source.rank;
      for (const Step& published : row.make(theirs).steps) {
        if (published.verb != Verb::kPublish || published.phase != source.phase) continue;
        program->phase_place[source.phase] = published.place;
        known[source.phase] = true;
        break;
      }
    }
  }
}

}  // namespace

Program lower(const collectives::Row& row, const collectives::Shape& shape) {
  const Schedule schedule = row.make(shape);
  Lowering lowering(schedule);
  lowering.run();
  Program program = lowering.take();
  program.algorithm = row.algorithm;
  find_places(row, schedule, &program);
  return program;
}

namespace {

constexpr const char* kForcedNames[] = {"auto", "inline",  "oneshot",  "twoshot", "flat",    "ring",
                                        "doubling", "halving", "binomial", "bruck",   "pairwise"};

}  // namespace

const char* forced_name(Forced forced) { return kForcedNames[static_cast<size_t>(forced)]; }

Result<Forced> forced_algorithm() {
  const auto text = env_text(Env::kAlgo);
  if (!text) return Forced::kAuto;
  std::string expected;
  for (size_t i = 0; i < std::size(kForcedNames); ++i) {
    if (*text == kForcedNames[i]) return static_cast<Forced>(i);
    expected += std::string(i == 0 ? "" : i + 1 == std::size(kForcedNames) ? " or " : ", ") +
                kForcedNames[i];
  }
  return fail(gossInvalidUsage, "GOSS_ALGO=%s: expected %s", text->c_str(), expected.c_str());
}

namespace {

// One-shot reads (n-1) S per rank where two-shot reads 2 (n-1)/n S but needs a second exchange.
// The limits are where the two cross on shared memory (docs/performance.md).
size_t one_shot_limit(int nranks) {
  if (nranks <= 2) return 16 * 1024;
  return nranks <= 8 ? 8 * 1024 : 4 * 1024;
}

Choice choose_all_reduce(const Operation& operation, int nranks, Forced forced) {
  const size_t bytes = operation.bytes();
  const bool one_shot =
      forced == Forced::kOneShot || (forced != Forced::kTwoShot && bytes <= one_shot_limit(nranks));
  if (one_shot) {
    return {Path::kMapped, Algorithm::kAllReduceOneShot,
            forced == Forced::kOneShot ? "forced by GOSS_ALGO" : "one exchange is cheapest"};
  }
  return {Path::kMapped, Algorithm::kAllReduceTwoShot,
          forced == Forced::kTwoShot ? "forced by GOSS_ALGO" : "fewest bytes per rank"};
}

// Two exchanges of parts of it, or one of the whole.
Choice choose_reduce(const Operation& operation, int nranks, Forced forced) {
  const bool flat = forced == Forced::kOneShot ||
                    (forced != Forced::kTwoShot && operation.bytes() <= one_shot_limit(nranks));
  if (flat) {
    return {Path::kMapped, Algorithm::kReduceFlat,
            forced == Forced::kOneShot ? "forced by GOSS_ALGO" : "one exchange is cheapest"};
  }
  return {Path::kMapped, Algorithm::kReduceTwoShot,
          forced == Forced::kTwoShot ? "forced by GOSS_ALGO" : "all ranks share the work"};
}

Choice choose_exchange(const Operation& operation, int nranks, Forced forced) {
  switch (operation.kind) {
    case Kind::kAllReduce: return choose_all_reduce(operation, nranks, forced);
    case Kind::kReduce: return choose_reduce(operation, nranks, forced);
    case Kind::kBroadcast:
      return {Path::kMapped, Algorithm::kBroadcastFlat, "one writer, everybody reads"};
    case Kind::kBarrier: return {Path::kInline, Algorithm::kBarrierFlat, "one flag per rank"};
    case Kind::kAllGather:
      return {Path::kMapped, Algorithm::kAllGatherFlat, "everybody reads what it needs"};
    case Kind::kReduceScatter:
      return {Path::kMapped, Algorithm::kReduceScatterFlat, "everybody reads what it needs"};
    case Kind::kAllToAll:
      return {Path::kMapped, Algorithm::kAllToAllFlat, "everybody reads what it needs"};
    case Kind::kGather:
      return {Path::kMapped, Algorithm::kGatherFlat, "the root reads what it needs"};
    case Kind::kScatter:
      return {Path::kMapped, Algorithm::kScatterFlat, "everybody reads what it needs"};
  }
  return {};
}

// What a rank shows to others at the most.
size_t published_bytes(const Operation& operation, int nranks) {
  const bool blocks = facts(operation.kind).input == collectives::Layout::kBlocks;
  return operation.bytes() * (blocks ? static_cast<size_t>(nranks) : 1);
}

}  // namespace

Choice choose(const Operation& operation, int nranks, Forced forced) {
  Choice choice = choose_exchange(operation, nranks, forced);
  const bool barrier = operation.kind == Kind::kBarrier;
  if (barrier ? nranks == 1 : operation.count == 0) {
    choice.path = Path::kNothing;
    return choice;
  }
  const size_t most = operation.kind == Kind::kBroadcast ? shm::kLineBytes : shm::kInlineBytes;
  const bool may = (forced != Forced::kOneShot && forced != Forced::kTwoShot) ||
                   (operation.kind != Kind::kAllReduce && operation.kind != Kind::kReduce);
  const bool varied = operation.block_counts != nullptr;
  if (!barrier && !varied && may && published_bytes(operation, nranks) <= most) {
    choice.path = Path::kInline;
    choice.reason = "the payload travels with its flag";
    if (operation.kind == Kind::kAllReduce) choice.algorithm = Algorithm::kAllReduceOneShot;
    if (operation.kind == Kind::kReduce) choice.algorithm = Algorithm::kReduceFlat;
  }
  return choice;
}

namespace {

size_t bytes_of(const Program& program) {
  return sizeof(Program) + program.instructions.capacity() * sizeof(Instruction) +
         program.sources.capacity() * sizeof(Program::SourceRef);
}

}  // namespace

const Program& PlanCache::get(Algorithm algorithm, int root) {
  ++clock_;
  const auto matches = [&](const Entry& e) { return e.algorithm == algorithm && e.root == root; };
  if (last_ < entries_.size() && matches(entries_[last_])) {
    entries_[last_].used = clock_;
    return *entries_[last_].program;
  }
  auto entry = std::find_if(entries_.begin(), entries_.end(), matches);
  if (entry == entries_.end()) {
    if (entries_.size() < kCapacity) {
      entry = entries_.emplace(entries_.end());
    } else {
      entry = std::min_element(entries_.begin(), entries_.end(),
                               [](const Entry& a, const Entry& b) { return a.used < b.used; });
    }
    made_ += 1;
    if (entry->program != nullptr) bytes_ += 0 - bytes_of(*entry->program);
    entry->algorithm = algorithm;
    entry->root = root;
    entry->program = std::make_unique<Program>(
        lower(collectives::row(algorithm), collectives::Shape{rank_, nranks_, root}));
    bytes_ += bytes_of(*entry->program);
  }
  entry->used = clock_;
  last_ = static_cast<size_t>(entry - entries_.begin());
  return *entry->program;
}

}  // namespace goss::engine
