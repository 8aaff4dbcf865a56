// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Compressed gradients of two real processes, without a network to train. In the program of
// ranks_test.cpp, which forks.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "checkpoint.h"
#include "data/dataset.h"
#include "support/free_port.h"
#include "support/processes.h"
#include "sync.h"

namespace goss::train {
namespace {

constexpr size_t kElements = 3000;
constexpr size_t kPart = 1024;
constexpr int kSteps = 200;

struct Result {
  std::vector<double> moved;  // the sum over the steps of all that the weights were told to do
  std::vector<float> last;    // the gradient of the last step, as it arrived
};

// Steps of changing rates, 64 to 1, with the gradient that each element has in every step. The
// weights should be told the sum of rates times that gradient.
Result train(Ranks& ranks, const GradientCodec& codec, bool overlap, int saved_after = 0) {
  std::vector<float> weights(kElements);
  std::vector<float> gradient(kElements);
  Result result{std::vector<double>(kElements), {}};
  const Flat flat{weights, gradient};
  std::unique_ptr<Sync> sync = make_all_reduce(ranks, flat, overlap, codec);
  for (int step = 0; step < kSteps; ++step) {
    if (saved_after != 0 && step == saved_after) {
      Snapshot snapshot;
      sync->save(snapshot);
      sync = make_all_reduce(ranks, flat, overlap, codec);
      sync->restore(snapshot);
    }
    for (size_t i = 0; i < kElements; ++i) {
      gradient[i] = std::sin(static_cast<float>(i) + static_cast<float>(ranks.rank()));
    }
    gossBatch_t batch{};
    batch.real = 10;
    const double rate = step % 2 == 0 ? 64 : 1;
    const Sync::Update update = [&](Part part) {
      for (size_t i = part.begin; i < part.end; ++i) {
        result.moved[i] += rate * gradient[i] / sync->samples(batch);
      }
    };
    sync->begin({static_cast<uint64_t>(step), 3, static_cast<float>(rate / 10)}, update);
    for (size_t begin = 0; begin < kElements; begin += kPart) {
      sync->post({begin, std::min(kElements, begin + kPart)});
    }
    sync->finish();
  }
  result.last = gradient;
  return result;
}

// The largest distance from what the weights should have been told, in updates of rate 64.
double distance(const Result& result) {
  double most = 0;
  for (size_t i = 0; i < kElements; ++i) {
    const double sum = std::sin(static_cast<float>(i)) + std::sin(static_cast<float>(i) + 1.f);
    most = std::max(most, std::abs(result.moved[i] - sum / 10 * (64 + 1) * kSteps / 2));
  }
  return most / (64.0 / 10);
}

void with_two_ranks(const std::function<void(Ranks&)>& life) {
  const int port = support::free_port();
  std::vector<std::unique_ptr<support::Process>> processes;
  for (int rank = 0; rank < 2; ++rank) {
    processes.push_back(std::make_unique<support::Process>([&life, rank, port] {
      ::setenv("GOSS_NRANKS", "2", 1);
      ::setenv("GOSS_RANK", std::to_string(rank).c_str(), 1);
      ::setenv("GOSS_ADDR", "127.0.0.1", 1);
      ::setenv("GOSS_PORT", std::to_string(port).c_str(), 1);
      Ranks ranks;
      life(ranks);
      ranks.finalize();
    }));
  }
  for (auto& process : processes) {
    ASSERT_TRUE(process->ended_within(support::milliseconds(60'000) * support::sanitizer_factor()));
    EXPECT_EQ(process->code(), 0);
  }
}

void require(bool condition, const char* what) {
  if (!condition) throw Failure(what);
}

TEST(CompressedGradients, WhatACodecTakesAwayComesBackWhateverTheLearningRate) {
  with_two_ranks([](Ranks& ranks) {
    // A part of the coarsest rounding of one step, however many there were; and that many times.
    for (const char* feedback : {"float32", "int8"}) {
      const double kept = distance(train(ranks, {"int3", feedback}, false));
      require(kept < .5, "with feedback the error does not grow");
    }
    const double lost = distance(train(ranks, {"int3", "none"}, false));
    require(lost > 10, "without it does");
  });
}

TEST(CompressedGradients, ARunThatIsSavedAndResumedHasTheSameBits) {
  with_two_ranks([](Ranks& ranks) {
    for (const char* codec : {"int4", "adaptive"}) {
      for (const char* feedback : {"float32", "int8", "none"}) {
        const Result whole = train(ranks, {codec, feedback}, true);
        const Result resumed = train(ranks, {codec, feedback}, true, 57);
        require(whole.last == resumed.last && whole.moved == resumed.moved, "the same bits");
      }
    }
  });
}

TEST(CompressedGradients, AnErrorBudgetAndOtherWishesAreWishes) {
  with_two_ranks([](Ranks& ranks) {
    for (const char* wish : {"error=0.02", "int8/int4", "int6+sr", "bf16"}) {
      require(distance(train(ranks, {wish, "float32"}, true)) < 1, wish);
    }
    for (const char* wish : {"error", "error=abc", "int8/int9", "int8+foo"}) {
      bool refused = false;
      try {
        train(ranks, {wish, "none"}, true);
      } catch (const Failure& failure) {
        refused = std::string(failure.what()).find("--codec") != std::string::npos;
      }
      require(refused, wish);
    }
  });
}

}  // namespace
}  // namespace goss::train
