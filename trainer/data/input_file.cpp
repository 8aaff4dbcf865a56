// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "data/input_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "data/dataset.h"

namespace goss::train {

InputFile::InputFile(const std::string& path) : path_(path), file_(gzopen(path.c_str(), "rb")) {
  if (!file_) throw Failure(path + ": cannot be opened: " + std::strerror(errno));
}

size_t InputFile::read(std::span<uint8_t> out) {
  const int got = gzread(file_.get(), out.data(), static_cast<unsigned>(out.size()));
  int error = Z_OK;
  const char* text = gzerror(file_.get(), &error);
  if (got < 0 || (error != Z_OK && error != Z_STREAM_END)) {
    throw Failure(path_ + ": is damaged or truncated: " + (error == Z_ERRNO ? "" : text));
  }
  return static_cast<size_t>(got);
}

uint32_t InputFile::big_endian() {
  const std::vector<uint8_t> b = bytes(4, "header");
  return uint32_t{b[0]} << 24 | uint32_t{b[1]} << 16 | uint32_t{b[2]} << 8 | b[3];
}

std::vector<uint8_t> InputFile::bytes(size_t size, const char* what) {
  constexpr size_t kPiece = size_t{1} << 20;
  std::vector<uint8_t> result;
  while (result.size() < size) {
    const size_t have = result.size();
    result.resize(std::min(size, have + kPiece));
    const size_t got = read(std::span(result).subspan(have));
    if (got < result.size() - have) {
      throw Failure(path_ + ": is truncated: " + what + " should have " + std::to_string(size) +
                    " bytes, there are " + std::to_string(have + got));
    }
  }
  return result;
}

bool InputFile::at_end() {
  uint8_t byte = 0;
  if (read(std::span(&byte, 1)) == 0) return true;
  gzungetc(byte, file_.get());
  return false;
}

void InputFile::expect_end() {
  if (!at_end()) throw Failure(path_ + ": goes on behind the end that its header gives");
}

}  // namespace goss::train
