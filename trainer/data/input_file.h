// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// A file that is read from its beginning to its end, through zlib: plain and gzip files read alike.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace goss::train {

class InputFile {
 public:
  explicit InputFile(const std::string& path);

  const std::string& path() const { return path_; }
  uint32_t big_endian();
  // Exactly `size` bytes. Throws Failure when the file is shorter, naming both sizes and `what`.
  // Memory grows with what is really there, not with what a header claims.
  std::vector<uint8_t> bytes(size_t size, const char* what);
  bool at_end();
  // Throws Failure when anything is left.
  void expect_end();

 private:
  struct Close {
    void operator()(gzFile file) const { gzclose(file); }
  };

  size_t read(std::span<uint8_t> out);

  std::string path_;
  std::unique_ptr<gzFile_s, Close> file_;
};

}  // namespace goss::train
