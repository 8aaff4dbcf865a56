// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "data/idx.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "data/input_file.h"

namespace goss::train {

namespace {

constexpr uint32_t kBytes = 0x00000800;  // type: unsigned byte; the last byte counts dimensions
constexpr uint32_t kMaxSide = 4096;
constexpr uint32_t kMaxCount = 1u << 28;

std::string hex(uint32_t number) {
  char text[16];
  std::snprintf(text, sizeof text, "0x%08x", number);
  return text;
}

void expect_magic(InputFile& file, uint32_t magic, uint32_t wanted, const char* what) {
  if (magic != wanted) {
    throw Failure(file.path() + ": is no IDX file of " + what + ": it starts with " + hex(magic) +
                  ", not " + hex(wanted));
  }
}

uint32_t dimension(InputFile& file, const char* name, uint32_t limit) {
  const uint32_t value = file.big_endian();
  if (value == 0 || value > limit) {
    throw Failure(file.path() + ": number of " + name + " is " + std::to_string(value) +
                  " (expected 1 to " + std::to_string(limit) + ")");
  }
  return value;
}

// Under a name of this process first, so that readers never see a part.
class OutputFile {
 public:
  explicit OutputFile(const std::string& path)
      : path_(path), temporary_(path + "." + std::to_string(getpid()) + ".tmp") {
    out_.open(temporary_, std::ios::binary);
  }
  void big_endian(uint32_t number) {
    const char bytes[4] = {static_cast<char>(number >> 24), static_cast<char>(number >> 16),
                           static_cast<char>(number >> 8), static_cast<char>(number)};
    out_.write(bytes, sizeof bytes);
  }
  void bytes(std::span<const uint8_t> bytes) {
    out_.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }
  void finish() {
    out_.close();
    if (!out_) throw Failure(temporary_ + ": cannot be written");
    std::filesystem::rename(temporary_, path_);
  }

 private:
  std::string path_;
  std::string temporary_;
  std::ofstream out_;
};

}  // namespace

std::vector<uint8_t> read_idx_bytes(const std::string& path) {
  InputFile file(path);
  expect_magic(file, file.big_endian(), kBytes + 1, "labels");
  const uint32_t count = dimension(file, "labels", kMaxCount);
  std::vector<uint8_t> bytes = file.bytes(count, "the labels");
  file.expect_end();
  return bytes;
}

Dataset read_idx(const std::string& images, const std::string& labels) {
  Dataset data;
  InputFile file(images);
  const uint32_t magic = file.big_endian();
  const bool colour = magic == kBytes + 4;
  if (!colour) expect_magic(file, magic, kBytes + 3, "images");
  const uint32_t count = dimension(file, "images", kMaxCount);
  data.shape.channels = colour ? dimension(file, "channels", 16) : 1;
  data.shape.height = dimension(file, "rows", kMaxSide);
  data.shape.width = dimension(file, "columns", kMaxSide);
  data.pixels = file.bytes(count * data.shape.size(), "the images");
  file.expect_end();
  data.labels = read_idx_bytes(labels);
  if (data.labels.size() != count) {
    throw Failure(images + " has " + std::to_string(count) + " images, but " + labels + " has " +
                  std::to_string(data.labels.size()) + " labels");
  }
  data.classes = *std::max_element(data.labels.begin(), data.labels.end()) + 1u;
  return data;
}

void write_idx_bytes(std::span<const uint8_t> bytes, const std::string& path) {
  OutputFile out(path);
  out.big_endian(kBytes + 1);
  out.big_endian(static_cast<uint32_t>(bytes.size()));
  out.bytes(bytes);
  out.finish();
}

void write_idx(const Dataset& data, const std::string& images, const std::string& labels) {
  write_idx_bytes(data.labels, labels);
  OutputFile out(images);  // last: who finds it finds all
  const bool colour = data.shape.channels != 1;
  out.big_endian(kBytes + (colour ? 4 : 3));
  out.big_endian(static_cast<uint32_t>(data.count()));
  if (colour) out.big_endian(data.shape.channels);
  out.big_endian(data.shape.height);
  out.big_endian(data.shape.width);
  out.bytes(data.pixels);
  out.finish();
}

}  // namespace goss::train
