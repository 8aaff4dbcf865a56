// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What the frames of the start-up say. Each message encodes itself and decodes with all lengths
// checked. Values only; any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "transport/bootstrap/process_token.h"
#include "transport/bootstrap/socket.h"
#include "transport/bootstrap/unique_id.h"
#include "transport/hmac.h"

namespace goss::bootstrap {

constexpr int kMaxRanks = 65'536;
constexpr size_t kMaxHelloTextBytes = 4096;
constexpr size_t kMaxHostBytes = 64;
constexpr size_t kMaxReasonBytes = 12 * 1024;  // holds two hello texts

// kJoin: rank to root.
struct Join {
  ProcessToken process{};
  std::string host;
  Address mesh;
  std::string hello;
  std::string hello_text;

  std::string encode() const;
  static std::optional<Join> decode(const std::string& bytes);
};

// kWaiting: root to those who wait, when it changes and once a second.
struct Waiting {
  int root_rank = -1;   // lowest rank in the root's process, -1 unknown
  std::string missing;  // "ranks 2, 5-7 (4 of 8)"

  std::string encode() const;
  static std::optional<Waiting> decode(const std::string& bytes);
};

// kTable: root to each rank when all are here: those that it shares a link with.
struct Table {
  struct Contact {
    int rank;
    Address mesh;
    std::string host;
  };
  int root_rank = -1;
  Secret salt{};  // makes the session key differ between jobs of one secret
  std::vector<Contact> contacts;

  std::string encode() const;
  static std::optional<Table> decode(const std::string& bytes);
};

// kFailed (root to ranks), kGiveUp (rank to root), kFailure (flooded): the start-up has failed.
struct Failure {
  int rank = -1;  // whose fault, -1 nobody's
  Code code = gossRemoteError;
  std::string reason;

  std::string encode() const;
  static std::optional<Failure> decode(const std::string& bytes);
};

// The ranks r + 2^k and r - 2^k modulo n, ascending, each once.
std::vector<int> neighbours_of(int rank, int nranks);

// "rank 3" or "ranks 0, 2, 5-7", at most 16 items, for people.
std::string rank_list(const std::vector<int>& ascending);

}  // namespace goss::bootstrap
