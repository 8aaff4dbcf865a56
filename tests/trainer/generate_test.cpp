// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "data/generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "data/random.h"
#include "data/strokes.h"

namespace goss::train {
namespace {

// These numbers change only together with kGeneratorVersion.
TEST(GeneratedData, IsTheSameOnEveryMachine) {
  EXPECT_EQ(hash_of(generate(Generated::kGlyphs, 1, 0, 500)), 12519532071448136189u);
  EXPECT_EQ(hash_of(generate(Generated::kGlyphs47, 1, 0, 500)), 13931975872153747418u);
  EXPECT_EQ(hash_of(generate(Generated::kTextures, 1, 0, 500)), 3381728175389210847u);
}

TEST(GeneratedData, ASampleDependsOnSeedAndNumberOnly) {
  const Dataset all = generate(Generated::kGlyphs47, 3, 0, 60);
  const Dataset part = generate(Generated::kGlyphs47, 3, 40, 20);
  EXPECT_EQ(hash_of(slice(all, 40, 20)), hash_of(part));
  EXPECT_NE(hash_of(generate(Generated::kGlyphs47, 4, 40, 20)), hash_of(part));
}

TEST(GeneratedData, EveryClassIsThere) {
  for (const auto kind : {Generated::kGlyphs, Generated::kGlyphs47, Generated::kTextures}) {
    const Dataset data = generate(kind, 1, 0, 1000);
    EXPECT_EQ(std::set<uint8_t>(data.labels.begin(), data.labels.end()).size(), data.classes);
  }
}

// The table has a straight line for the hardest 1/32.
TEST(GeneratedData, DifficultyIsDistributedNearlyAsBeta) {
  Random random(1, 0);
  constexpr int kDraws = 100000;
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double d = draw_difficulty(random);
    ASSERT_GE(d, 0);
    ASSERT_LE(d, 1);
    sum += d;
    squares += d * d;
  }
  const double mean = sum / kDraws;
  EXPECT_NEAR(mean, 1.5 / 5.5, .006);
  EXPECT_NEAR(squares / kDraws - mean * mean, 1.5 * 4 / (5.5 * 5.5 * 6.5), .006);
}

// An easy sample looks like the clean glyph of its class, a hard one less.
TEST(GeneratedData, HardSamplesDifferMoreFromTheirClass) {
  const Dataset data = generate(Generated::kGlyphs, 1, 0, 4000);
  const size_t size = data.shape.size();
  std::vector<double> mean(data.classes * size);
  std::vector<double> members(data.classes);
  for (size_t i = 0; i < data.count(); ++i) {
    ++members[data.labels[i]];
    for (size_t p = 0; p < size; ++p) mean[data.labels[i] * size + p] += data.image(i)[p];
  }
  double distance[2] = {0, 0};
  double count[2] = {0, 0};
  for (size_t i = 0; i < data.count(); ++i) {
    const bool hard = data.difficulty[i] > 70;
    const uint8_t label = data.labels[i];
    for (size_t p = 0; p < size; ++p) {
      const double x = data.image(i)[p] - mean[label * size + p] / members[label];
      distance[hard] += x * x;
    }
    ++count[hard];
  }
  EXPECT_GT(distance[1] / count[1], 1.3 * distance[0] / count[0]);
}

TEST(GeneratedData, LabelNoiseMovesTheShareThatWasAskedForToOtherClasses) {
  const Dataset clean = generate(Generated::kGlyphs, 1, 0, 5000);
  Dataset noisy = clean;
  add_label_noise(noisy, 0.1, 1);
  size_t moved = 0;
  for (size_t i = 0; i < clean.count(); ++i) {
    moved += clean.labels[i] != noisy.labels[i];
    ASSERT_LT(noisy.labels[i], clean.classes);
  }
  EXPECT_NEAR(static_cast<double>(moved), 500, 70);
  EXPECT_EQ(noisy.pixels, clean.pixels);
  Dataset untouched = clean;
  add_label_noise(untouched, 0, 1);
  EXPECT_EQ(untouched.labels, clean.labels);
}

TEST(Strokes, EveryFaceOfEveryGlyphLiesInItsBox) {
  for (const char glyph : kGlyphs) {
    ASSERT_GE(faces_of(glyph), 1u) << glyph;
    for (uint32_t face = 0; face < faces_of(glyph); ++face) {
      for (const Stroke& stroke : strokes_of(glyph, face)) {
        EXPECT_GE(stroke.size(), 2u) << glyph;
        for (const Point p : stroke) {
          EXPECT_TRUE(p.x >= 0 && p.x <= 8 && p.y >= 0 && p.y <= 8) << glyph << p.x << "," << p.y;
        }
      }
    }
  }
}

TEST(Strokes, ALookalikeIsAnotherGlyphOfTheSameSet) {
  for (const uint32_t classes : {10u, 47u}) {
    const std::string_view set = kGlyphs.substr(0, classes);
    for (const char glyph : set) {
      EXPECT_NE(lookalike_of(glyph, classes), glyph);
      EXPECT_NE(set.find(lookalike_of(glyph, classes)), std::string_view::npos) << glyph;
    }
  }
}

}  // namespace
}  // namespace goss::train
