// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Checkpoints that survive a kill at any moment: every rank writes a file of its own, rank 0 writes
// a manifest when all have, and the one before is kept. A file appears complete or not at all and
// carries a checksum.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ranks.h"

namespace goss::train {

// What one rank writes: small things as JSON, large ones as bytes.
struct Snapshot {
  nlohmann::json values;
  std::map<std::string, std::vector<uint8_t>> bytes;

  template <typename T>
  void put(const std::string& name, std::span<const T> items) {
    const auto raw = std::as_bytes(items);
    const auto* first = reinterpret_cast<const uint8_t*>(raw.data());
    bytes[name].assign(first, first + raw.size());
  }
  // Throws Failure unless there are exactly as many.
  template <typename T>
  void get(const std::string& name, std::span<T> items) const {
    const std::span<const uint8_t> raw = sized(name, items.size_bytes());
    std::copy(raw.begin(), raw.end(), reinterpret_cast<uint8_t*>(items.data()));
  }

 private:
  std::span<const uint8_t> sized(const std::string& name, size_t size) const;
};

// Throw Failure: cannot be written; truncated, damaged, of another version.
void write_snapshot(const Snapshot& snapshot, const std::string& path);
Snapshot read_snapshot(const std::string& path);

class Checkpoints {
 public:
  Checkpoints(const std::string& folder, Ranks& ranks);

  // Collective. `step` counts over the whole run. `snapshot` is asked again when a rank was lost
  // meanwhile: the others have other numbers then.
  void save(uint64_t step, const std::function<Snapshot()>& snapshot);
  // Collective: the newest that is good on all ranks. Nothing when there is none at all; throws
  // Failure when there are some and none is good, or they are of another number of ranks.
  std::optional<Snapshot> load() const;

  // Collective: whether a rank sees a complete one.
  bool any() const;

 private:
  std::string folder_of(uint64_t step) const;
  std::vector<uint64_t> complete_steps() const;  // ascending
  void remove_old(uint64_t newest) const;

  std::string folder_;
  Ranks& ranks_;
};

}  // namespace goss::train
