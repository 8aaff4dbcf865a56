// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "data/idx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "temporary_folder.h"

namespace goss::train {
namespace {

using ::testing::HasSubstr;

std::string number(uint32_t n) {
  return {static_cast<char>(n >> 24), static_cast<char>(n >> 16), static_cast<char>(n >> 8),
          static_cast<char>(n)};
}

std::string images(uint32_t count, uint32_t rows, uint32_t columns) {
  std::string bytes = number(0x803) + number(count) + number(rows) + number(columns);
  for (uint32_t i = 0; i < count * rows * columns; ++i) bytes.push_back(static_cast<char>(i));
  return bytes;
}

std::string labels(const std::string& classes) {
  return number(0x801) + number(static_cast<uint32_t>(classes.size())) + classes;
}

class Idx : public ::testing::Test {
 protected:
  std::string failure(const std::string& image_bytes, const std::string& label_bytes) {
    folder_.write("images", image_bytes);
    folder_.write("labels", label_bytes);
    return failure_of([&] { read_idx(folder_ / "images", folder_ / "labels"); });
  }

  TemporaryFolder folder_;
  const std::string three_labels_ = labels(std::string("\0\2\1", 3));
};

TEST_F(Idx, ImagesAndLabelsAreRead) {
  ASSERT_EQ(failure(images(3, 2, 4), three_labels_), "");
  const Dataset data = read_idx(folder_ / "images", folder_ / "labels");
  EXPECT_EQ(data.shape, (ImageShape{1, 2, 4}));
  EXPECT_EQ(data.classes, 3u);
  EXPECT_THAT(data.labels, ::testing::ElementsAre(0, 2, 1));
  EXPECT_EQ(data.image(1)[0], 8);
}

TEST_F(Idx, GzipIsReadLikePlain) {
  const std::string path = folder_ / "images.gz";
  const std::string bytes = images(3, 2, 4);
  gzFile file = gzopen(path.c_str(), "wb");
  ASSERT_EQ(gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())),
            static_cast<int>(bytes.size()));
  gzclose(file);
  folder_.write("labels", three_labels_);
  EXPECT_EQ(read_idx(path, folder_ / "labels").count(), 3u);

  const auto size = std::filesystem::file_size(path);
  std::filesystem::resize_file(path, size - 10);
  EXPECT_THAT(failure_of([&] { read_idx(path, folder_ / "labels"); }), HasSubstr("truncated"));
}

TEST_F(Idx, WhatIsWrittenIsReadBack) {
  for (const uint32_t channels : {1u, 3u}) {
    Dataset data;
    data.shape = {channels, 3, 2};
    data.classes = 5;
    data.labels = {4, 0};
    for (size_t i = 0; i < 2 * data.shape.size(); ++i) data.pixels.push_back(uint8_t(7 * i));
    write_idx(data, folder_ / "i", folder_ / "l");
    EXPECT_EQ(hash_of(read_idx(folder_ / "i", folder_ / "l")), hash_of(data));
  }
}

TEST_F(Idx, AWrongMagicNumberIsNamed) {
  EXPECT_THAT(failure(three_labels_, three_labels_), HasSubstr("0x00000801, not 0x00000803"));
  EXPECT_THAT(failure(images(3, 2, 4), images(3, 2, 4)), HasSubstr("0x00000803, not 0x00000801"));
  EXPECT_THAT(failure("<html>", three_labels_), HasSubstr("is no IDX file of images"));
}

TEST_F(Idx, TruncationIsFoundAtEveryLength) {
  const std::string whole = images(3, 2, 4);
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THAT(failure(whole.substr(0, size), three_labels_), HasSubstr("truncated")) << size;
  }
  for (size_t size = 0; size < three_labels_.size(); ++size) {
    EXPECT_THAT(failure(whole, three_labels_.substr(0, size)), HasSubstr("truncated")) << size;
  }
}

TEST_F(Idx, BytesBehindTheEndAreRefused) {
  EXPECT_THAT(failure(images(3, 2, 4) + "x", three_labels_), HasSubstr("goes on behind the end"));
  EXPECT_THAT(failure(images(3, 2, 4), three_labels_ + "x"), HasSubstr("goes on behind the end"));
}

TEST_F(Idx, SizesThatCannotBeAreRefusedBeforeMemoryIsTaken) {
  const std::string huge = number(0x803) + number(0x10000000) + number(4096) + number(4096);
  EXPECT_THAT(failure(huge, three_labels_), HasSubstr("truncated"));
  const std::string wide = number(0x803) + number(1) + number(1) + number(0xffffffff);
  EXPECT_THAT(failure(wide, three_labels_), HasSubstr("number of columns is 4294967295"));
  EXPECT_THAT(failure(images(0, 2, 2), three_labels_), HasSubstr("number of images is 0"));
}

TEST_F(Idx, DifferentNumbersOfImagesAndLabelsAreNamed) {
  EXPECT_THAT(failure(images(2, 2, 4), three_labels_), HasSubstr("has 3 labels"));
}

TEST_F(Idx, AMissingFileIsNamed) {
  EXPECT_THAT(failure_of([&] { read_idx(folder_ / "none", folder_ / "none"); }),
              HasSubstr("none: cannot be opened: No such file"));
}

}  // namespace
}  // namespace goss::train
