// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "log.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "data/dataset.h"

namespace goss::train {

Log::Log(const std::string& path, bool quiet, uint64_t keep_bytes)
    : path_(path), quiet_(quiet), terminal_(!quiet && isatty(STDERR_FILENO) != 0) {
  if (path.empty()) return;
  file_.reset(std::fopen(path.c_str(), keep_bytes == 0 ? "w" : "r+"));
  if (!file_) throw Failure("--log " + path + ": " + std::strerror(errno));
  std::fseek(file_.get(), 0, SEEK_END);
  if (bytes() < keep_bytes) {
    throw Failure("--log " + path + ": has " + std::to_string(bytes()) + " bytes, " +
                  std::to_string(keep_bytes) + " when the checkpoint was written: not its log");
  }
  if (keep_bytes != 0 && ftruncate(fileno(file_.get()), static_cast<off_t>(keep_bytes)) != 0) {
    throw Failure("--log " + path + ": " + std::strerror(errno));
  }
  std::fseek(file_.get(), 0, SEEK_END);
}

Log Log::take_over(const std::string& path, bool quiet) {
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  return Log(path, quiet, text.rfind('\n') + 1);  // 0 without one
}

nlohmann::json Log::newest(const std::string& type) const {
  nlohmann::json found;
  std::ifstream in(path_);
  for (std::string line; std::getline(in, line);) {
    nlohmann::json record = nlohmann::json::parse(line, nullptr, false);
    if (!record.is_discarded() && record.value("type", "") == type) found = std::move(record);
  }
  return found;
}

void Log::write(const nlohmann::json& record) {
  if (!file_) return;
  const std::string line = record.dump() + "\n";
  if (std::fwrite(line.data(), 1, line.size(), file_.get()) != line.size() ||
      std::fflush(file_.get()) != 0) {
    throw Failure(std::string("--log: cannot be written: ") + std::strerror(errno));
  }
}

uint64_t Log::bytes() { return file_ ? static_cast<uint64_t>(std::ftell(file_.get())) : 0; }

void Log::say(const std::string& line) {
  if (quiet_) return;
  if (dirty_) std::fputs("\r\033[K", stderr);
  dirty_ = false;
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

void Log::progress(const std::string& line) {
  const auto now = std::chrono::steady_clock::now();
  if (!terminal_ || now - last_ < std::chrono::milliseconds(200)) return;
  last_ = now;
  dirty_ = true;
  std::fprintf(stderr, "\r\033[K%s", line.c_str());
}

}  // namespace goss::train
