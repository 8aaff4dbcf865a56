// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Random direct sums: the bound that an owner reports is never exceeded, and it is not idle. With
// GOSS_TEST_SCALE=10000 a million trials (docs/performance.md).
#include <algorithm>
#include <cmath>

#include "quant/operations.h"
#include "quant_cases.h"
#include "support/test_scale.h"

namespace goss::quant {
namespace {

constexpr size_t kMostCount = 512;
constexpr size_t kPool = size_t{1} << 16;

// Numbers of a kind to take stretches from: generating them would be most of a trial.
struct Pool {
  std::string name;
  Numbers numbers;
};

std::vector<Pool> make_pools(Random& random) {
  std::vector<Pool> pools;
  for (const Kind& kind : ordinary_kinds()) {
    pools.push_back({kind.name, numbers_of(kind, kPool, random)});
  }
  Numbers tiny = pools.front().numbers;
  Numbers huge = tiny;
  for (float& x : tiny) x *= 1e-30f;
  for (float& x : huge) x *= 1e30f;
  pools.push_back({"normal times 1e-30", tiny});
  pools.push_back({"normal times 1e30", huge});
  return pools;
}

struct Trial {
  size_t nranks = 2;
  size_t count = 1;
  Codec contributions = Codec::kInt8;
  Codec result = Codec::kInt8;
  Rounding rounding = Rounding::kNearest;
  bool average = false;
  uint64_t number = 0;
};

// Largest error over the bound; what fp32 additions lose is taken off first.
double run(const Trial& trial, const Pool& pool, Random& random) {
  static std::vector<std::vector<uint8_t>> wires(64);
  static std::vector<double> exact, magnitudes;
  exact.assign(trial.count, 0);
  magnitudes.assign(trial.count, 0);
  const float* own = nullptr;
  std::vector<const uint8_t*> peers(trial.nranks);
  const size_t owner = random() % trial.nranks;
  for (size_t r = 0; r < trial.nranks; ++r) {
    const float* const numbers = pool.numbers.data() + random() % (kPool - trial.count);
    for (size_t i = 0; i < trial.count; ++i) {
      exact[i] += static_cast<double>(numbers[i]);
      magnitudes[i] += std::abs(static_cast<double>(numbers[i]));
    }
    if (r == owner) {
      own = numbers;
      continue;
    }
    wires[r].resize(std::max(wires[r].size(), encoded_bytes(trial.contributions, kMostCount)));
    encode({.how = {.codec = trial.contributions,
                    .rounding = trial.rounding,
                    .dither = {1, trial.number, static_cast<uint32_t>(r)}},
            .src = numbers,
            .type = gossFloat32,
            .count = trial.count,
            .dst = wires[r].data()});
    peers[r] = wires[r].data();
  }
  const float factor = trial.average ? 1.0f / static_cast<float>(trial.nranks) : 1.0f;
  std::vector<uint8_t> encoded(encoded_bytes(trial.result, trial.count));
  Numbers decoded(trial.count);
  Figures figures;
  hop({.peer_codec = trial.contributions,
       .peer_rounding = trial.rounding,
       .peers = peers.data(),
       .nranks = trial.nranks,
       .rank = owner,
       .own = own,
       .type = gossFloat32,
       .count = trial.count,
       .how = {.codec = trial.result,
               .rounding = trial.rounding,
               .dither = {1, trial.number, static_cast<uint32_t>(owner)},
               .factor = factor},
       .encoded = encoded.data(),
       .decoded = decoded.data(),
       .figures = &figures});
  double worst = 0;
  for (size_t i = 0; i < trial.count; ++i) {
    const double additions = static_cast<double>(trial.nranks) * 0x1p-23 * magnitudes[i];
    const double wanted = exact[i] * static_cast<double>(factor);
    const double error = std::abs(static_cast<double>(decoded[i]) - wanted);
    const double lost = additions * static_cast<double>(factor);
    worst = std::max(worst, (error - lost) / std::max(figures.bound, 1e-300));
  }
  return worst;
}

// The largest of many errors comes to half of the bound with few ranks, to a quarter with many:
// nearly all roundings of one element have to go the same way.
void try_often(size_t least_ranks, size_t most_ranks, uint64_t seed, double wanted) {
  Random random(seed);
  const std::vector<Pool> pools = make_pools(random);
  const std::vector<Codec> codecs = all_codecs();
  const int trials = test_scale(5000, 300);
  double tightest = 0;
  for (int t = 0; t < trials; ++t) {
    Trial trial;
    trial.nranks = least_ranks + random() % (most_ranks - least_ranks + 1);
    trial.count = 1 + random() % kMostCount;
    trial.contributions = codecs[random() % codecs.size()];
    trial.result = random() % 2 == 0 ? trial.contributions : codecs[random() % codecs.size()];
    trial.rounding = random() % 4 == 0 ? Rounding::kStochastic : Rounding::kNearest;
    trial.average = random() % 4 == 0;
    trial.number = static_cast<uint64_t>(t);
    const Pool& pool = pools[random() % pools.size()];
    const double worst = run(trial, pool, random);
    ASSERT_LE(worst, 1) << trial.nranks << " ranks, " << trial.count << " numbers, " << pool.name
                        << ", " << codec_info(trial.contributions).name << "/"
                        << codec_info(trial.result).name << ", trial " << t;
    const bool integers =
        trial.contributions == Codec::kInt8 || trial.contributions == Codec::kInt4;
    const bool usual = pool.name == "normal" && trial.result == trial.contributions;
    if (integers && usual) tightest = std::max(tightest, worst);
  }
  EXPECT_GE(tightest, wanted) << "the bound is needlessly large";
  testing::Test::RecordProperty("largest_error_over_bound", std::to_string(tightest));
}

TEST(Bound, OfRandomSumsOfTwoToEightRanksHoldsAndIsWithinTwiceTheLargestError) {
  try_often(2, 8, 90, 0.5);
}

TEST(Bound, OfRandomSumsOfUpTo64RanksHoldsAndIsWithinFourTimesTheLargestError) {
  try_often(9, 64, 91, 0.25);
}

}  // namespace
}  // namespace goss::quant
