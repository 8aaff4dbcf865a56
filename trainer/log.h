// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What a run tells: a file of JSON lines (docs/trainer.md has the fields), lines for people on
// standard output, and a line that rewrites itself where standard error is a terminal. Only rank 0
// has one.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace goss::train {

class Log {
 public:
  // path empty: no file. keep_bytes: a resumed run cuts off what was written behind its checkpoint.
  Log(const std::string& path, bool quiet, uint64_t keep_bytes);

  // The log of a run whose rank 0 has died, for another rank to go on in. A line that was not
  // written to its end is cut off.
  static Log take_over(const std::string& path, bool quiet);
  // The newest line of a type; null when there is none.
  nlohmann::json newest(const std::string& type) const;

  void write(const nlohmann::json& record);  // a line of the file, on disk when it returns
  uint64_t bytes();                          // of the file so far
  void say(const std::string& line);         // for people; not when quiet
  void progress(const std::string& line);    // at most five times a second

 private:
  struct Close {
    void operator()(FILE* file) const { fclose(file); }
  };

  std::string path_;
  std::unique_ptr<FILE, Close> file_;
  bool quiet_;
  bool terminal_;
  bool dirty_ = false;  // the terminal shows progress that the next line must overwrite
  std::chrono::steady_clock::time_point last_{};
};

}  // namespace goss::train
