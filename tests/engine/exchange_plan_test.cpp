// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Every schedule lowered to messages: both ends of a channel list the same ones, a simulation in
// the order in which they travel ends with the right contributions, and what several ranks hold is
// the decoding of the same bytes.
#include "engine/exchange_plan.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>

namespace goss::engine {
namespace {

using collectives::Kind;
using collectives::Row;
using Code = ExchangeWork::Code;
using Way = Transfer::Way;

struct Case {
  collectives::Algorithm algorithm;
  int nranks;
  int root;
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  const Row& row = collectives::row(c.algorithm);
  return out << kind_name(row.kind) << "/" << row.name << ",n=" << c.nranks << ",root=" << c.root;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const auto rows : {collectives::registry(), collectives::forwarding_registry()}) {
    for (const Row& row : rows) {
      if (row.kind == Kind::kBarrier) continue;
      const bool rooted = collectives::facts(row.kind).rooted;
      for (int n = 1; n <= 17; ++n) {
        all.push_back({row.algorithm, n, 0});
        if (rooted && n > 1) all.push_back({row.algorithm, n, n - 1});
        if (rooted && n > 3) all.push_back({row.algorithm, n, n / 2});
      }
    }
  }
  return all;
}

// Bytes by what they are: "E(r1p2)" is the encoding of part 2 of the input of rank 1, "E(..+..)"
// that of a sum. An element of a result is what these decode to, or a number that was never
// encoded, "r1p2".
std::string input(int rank, int part) {
  return "r" + std::to_string(rank) + "p" + std::to_string(part);
}

class EveryProgram : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    const Case& c = GetParam();
    for (int r = 0; r < c.nranks; ++r) {
      programs_.push_back(lower_exchange(collectives::row(c.algorithm), {r, c.nranks, c.root}));
    }
  }
  const ExchangeProgram& program(int rank) const { return programs_[static_cast<size_t>(rank)]; }
  const ExchangeChannel* channel(int rank, Way way, int peer) const {
    for (const ExchangeChannel& one : program(rank).channels) {
      if (one.way == way && one.peer == peer) return &one;
    }
    return nullptr;
  }

  std::vector<ExchangeProgram> programs_;
};

TEST_P(EveryProgram, BothEndsOfAChannelListTheSameMessages) {
  for (int r = 0; r < GetParam().nranks; ++r) {
    for (const ExchangeChannel& mine : program(r).channels) {
      ASSERT_NE(mine.peer, r);
      const Way other = mine.way == Way::kSend ? Way::kReceive : Way::kSend;
      const ExchangeChannel* theirs = channel(mine.peer, other, r);
      ASSERT_NE(theirs, nullptr) << "rank " << r << " and " << mine.peer;
      ASSERT_EQ(mine.messages.size(), theirs->messages.size());
      for (size_t i = 0; i < mine.messages.size(); ++i) {
        const ExchangeMessage& a = mine.messages[i];
        const ExchangeMessage& b = theirs->messages[i];
        EXPECT_EQ(a.phase, b.phase);
        EXPECT_EQ(a.part, b.part);
        const EncodedBuffer& here = program(r).buffers[static_cast<size_t>(a.buffer)];
        const EncodedBuffer& there = program(mine.peer).buffers[static_cast<size_t>(b.buffer)];
        EXPECT_EQ(here.region, there.region) << "they have other lengths";
        EXPECT_EQ(here.reduced, there.reduced) << "they have other codecs";
      }
    }
  }
}

// One chunk on all ranks, messages in the order of their channels.
class Simulator {
 public:
  explicit Simulator(const std::vector<ExchangeProgram>& programs) : programs_(programs) {
    for (const ExchangeProgram& program : programs) {
      ranks_.push_back({{}, {}, 0});
      ranks_.back().buffers.resize(program.buffers.size());
    }
  }

  // output[rank][part]
  std::vector<std::map<int, std::string>> run() {
    for (bool moved = true; moved;) {
      moved = false;
      for (int r = 0; r < static_cast<int>(programs_.size()); ++r) {
        moved |= send(r);
        moved |= work(r);
      }
    }
    std::vector<std::map<int, std::string>> outputs;
    for (size_t r = 0; r < ranks_.size(); ++r) {
      EXPECT_EQ(ranks_[r].pc, programs_[r].work.size()) << "rank " << r << " is stuck";
      outputs.push_back(ranks_[r].output);
    }
    return outputs;
  }

 private:
  struct State {
    std::vector<std::optional<std::string>> buffers;
    std::map<int, std::string> output;
    size_t pc;
  };

  bool send(int rank) {
    bool moved = false;
    for (const ExchangeChannel& channel : programs_[static_cast<size_t>(rank)].channels) {
      if (channel.way != Way::kSend) continue;
      size_t& next = sent_[{rank, channel.peer}];
      if (next == channel.messages.size()) continue;
      const auto& bytes = ranks_[static_cast<size_t>(rank)]
                              .buffers[static_cast<size_t>(channel.messages[next].buffer)];
      if (!bytes) continue;
      for (const ExchangeChannel& theirs : programs_[static_cast<size_t>(channel.peer)].channels) {
        if (theirs.way != Way::kReceive || theirs.peer != rank) continue;
        ranks_[static_cast<size_t>(channel.peer)]
            .buffers[static_cast<size_t>(theirs.messages[next].buffer)] = bytes;
      }
      ++next;
      moved = true;
    }
    return moved;
  }

  bool work(int rank) {
    State& state = ranks_[static_cast<size_t>(rank)];
    const ExchangeProgram& program = programs_[static_cast<size_t>(rank)];
    if (state.pc == program.work.size()) return false;
    const ExchangeWork& work = program.work[state.pc];
    const auto buffer = [&](int index) -> auto& {
      return state.buffers[static_cast<size_t>(index)];
    };
    switch (work.code) {
      case Code::kEncode: buffer(work.buffer) = "E(" + input(rank, work.part) + ")"; break;
      case Code::kCopy: state.output[work.part] = input(rank, work.input_part); break;
      case Code::kDecode:
        if (!buffer(work.buffer)) return false;
        state.output[work.part] = *buffer(work.buffer);
        break;
      case Code::kReduce: {
        std::string sum;
        for (int source : work.sources) {
          if (source != ExchangeWork::kOwnInput && !buffer(source)) return false;
          sum +=
              (sum.empty() ? "" : "+") +
              (source == ExchangeWork::kOwnInput ? input(rank, work.input_part) : *buffer(source));
        }
        if (work.buffer != ExchangeWork::kNone) sum = "E(" + sum + ")";
        if (work.buffer != ExchangeWork::kNone) buffer(work.buffer) = sum;
        if (work.to_output) state.output[work.part] = sum;
        break;
      }
    }
    ++state.pc;
    return true;
  }

  const std::vector<ExchangeProgram>& programs_;
  std::vector<State> ranks_;
  std::map<std::pair<int, int>, size_t> sent_;
};

int occurrences(const std::string& text, const std::string& what) {
  int found = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) {
    // "r1p1" is also the beginning of "r1p11".
    const size_t end = at + what.size();
    found += end == text.size() || !std::isdigit(static_cast<unsigned char>(text[end]));
  }
  return found;
}

TEST_P(EveryProgram, EndsWithEveryContributionOnceAndTheSameBytesEverywhere) {
  const Case& c = GetParam();
  const Kind kind = collectives::row(c.algorithm).kind;
  const auto outputs = Simulator(programs_).run();
  for (int r = 0; r < c.nranks; ++r) {
    const bool at_root = kind == Kind::kReduce || kind == Kind::kGather;
    const auto& output = outputs[static_cast<size_t>(r)];
    if (at_root && r != c.root) {
      EXPECT_TRUE(output.empty());
      continue;
    }
    ASSERT_FALSE(output.empty());
    for (const auto& [part, value] : output) {
      const bool blocks = program(r).output_blocks;
      for (int s = 0; s < c.nranks; ++s) {
        int wanted = collectives::facts(kind).reduces ? 1 : 0;
        int from = kind == Kind::kReduceScatter ? r : part;
        if (!collectives::facts(kind).reduces) {
          wanted = s == (blocks ? part : c.root) ? 1 : 0;
          if (kind == Kind::kAllGather || kind == Kind::kGather) from = 0;
          if (kind == Kind::kAllToAll || kind == Kind::kScatter) from = r;
        }
        EXPECT_EQ(occurrences(value, input(s, from)), wanted)
            << "rank " << r << " part " << part << ": " << value;
      }
      if (kind == Kind::kAllReduce || kind == Kind::kBroadcast || kind == Kind::kAllGather) {
        EXPECT_EQ(value, outputs[0].at(part)) << "rank " << r << " has other bytes";
      }
    }
  }
}

TEST_P(EveryProgram, EncodesEveryPartAtMostOnce) {
  for (const ExchangeProgram& program : programs_) {
    std::map<int, int> times;
    for (const ExchangeWork& work : program.work) {
      const bool encodes = work.code == Code::kEncode ||
                           (work.code == Code::kReduce && work.buffer != ExchangeWork::kNone);
      if (encodes) EXPECT_EQ(++times[work.region], 1) << "its residuals would be used twice";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Registry, EveryProgram, testing::ValuesIn(cases()));

}  // namespace
}  // namespace goss::engine
