// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// News: what ranks of a job tell each other over the mesh, apart from data: that a communicator
// cannot be made, that something has failed and what all shall report, that a rank has died or
// left, and what a rank that waits is doing. A value and its encoding.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace goss::engine {

struct News {
  enum class Kind : uint8_t {
    kGaveUp,     // the communicator in the making: `text`
    kReady,      // the sender's host has made its part of the communicator
    kProposed,   // a failure of the communicator (code, text); `rank` of the job decides
    kDecided,    // what all ranks of the communicator report (code, text)
    kDied,       // `rank` of the job
    kLeft,       // the sender has left the communicator, having completed `completed` operations
    kDoing,      // the sender's operation; it waits for `rank` of the communicator, or for -1
  };
  Kind kind = Kind::kDoing;
  uint64_t communicator = 0;
  int32_t rank = -1;
  int32_t code = 0;
  uint32_t completed = 0;
  uint32_t waiting = 0;    // shm::RankArea::waiting
  uint64_t signature = 0;  // of a record; 0: none
  uint64_t what = 0;
  uint64_t count = 0;
  std::string text;  // up to kMostText bytes

  static constexpr size_t kMostText = 2000;
  std::string encode() const;
  // Nothing when the bytes are no news.
  static std::optional<News> decode(const std::string& bytes);
};

}  // namespace goss::engine
