// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "data/cifar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "temporary_folder.h"

namespace goss::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string record(const std::string& labels, char fill) {
  return labels + std::string(3072, fill);
}

TEST(Cifar, RecordsOfAllFilesComeInOrder) {
  TemporaryFolder folder;
  const std::string a = folder.write("a", record("\3", 'x') + record("\7", 'y'));
  const std::string b = folder.write("b", record("\1", 'z'));
  const Dataset data = read_cifar({a, b}, 10);
  EXPECT_THAT(data.labels, ElementsAre(3, 7, 1));
  EXPECT_EQ(data.image(2)[0], 'z');
  EXPECT_EQ(data.shape, (ImageShape{3, 32, 32}));
}

TEST(Cifar, TheFineLabelOfAHundredClassesIsTaken) {
  TemporaryFolder folder;
  const Dataset data = read_cifar({folder.write("a", record("\x13\x63", 'x'))}, 100);
  EXPECT_THAT(data.labels, ElementsAre(99));
}

TEST(Cifar, ATruncatedFileIsRefused) {
  TemporaryFolder folder;
  const std::string whole = record("\3", 'x') + record("\7", 'y');
  for (const size_t size : {size_t{0}, size_t{1}, size_t{3072}, size_t{3074}, whole.size() - 1}) {
    const std::string path = folder.write("a", whole.substr(0, size));
    EXPECT_THAT(failure_of([&] { read_cifar({path}, 10); }), HasSubstr("truncated")) << size;
  }
}

TEST(Cifar, ALabelThatCannotBeIsNamed) {
  TemporaryFolder folder;
  const std::string ten = folder.write("a", record("\1", 'x') + record("\x0a", 'y'));
  EXPECT_THAT(failure_of([&] { read_cifar({ten}, 10); }), HasSubstr("record 1 has label 10 of 10"));
  const std::string coarse = folder.write("b", record("\x14\x01", 'x'));
  EXPECT_THAT(failure_of([&] { read_cifar({coarse}, 100); }),
              HasSubstr("record 0 has label 20 of 20"));
}

}  // namespace
}  // namespace goss::train
