// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// -J: the results as a JSON file in the layout of nccl-tests 2.19 (version 2), and more:
// percentiles per row, blocks of --block-ms, overlap, how the ranks were started. Used by the
// thread of rank 0.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "table.h"

namespace goss::perf {

class JsonFile {
 public:
  // Claims `path`, or `path`.0, .1, ... when it exists, and says which on standard output. Throws a
  // Failure when no file can be made.
  JsonFile(const std::string& path, const Options& options);
  ~JsonFile();  // writes the file: also after a failure, with what there is

  void add_config(const Options& options, const std::vector<RankInfo>& ranks);
  void add_row(const Options& options, const Row& row, const char* program);
  void add_footer(const Footer& footer);
  void add_error(const std::string& text);

 private:
  struct Document;
  std::unique_ptr<Document> document_;
};

}  // namespace goss::perf
