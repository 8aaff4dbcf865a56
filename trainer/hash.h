// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// FNV-1a, by which data, models and plans are compared between ranks and runs, and its text in
// logs.
#pragma once

#include <cstdint>
#include <cstdio>
#include <span>
#include <string>

namespace goss::train {

constexpr uint64_t kHashStart = 0xcbf29ce484222325u;
constexpr uint64_t kHashPrime = 0x100000001b3u;

inline uint64_t hash_bytes(uint64_t hash, std::span<const uint8_t> bytes) {
  for (const uint8_t byte : bytes) hash = (hash ^ byte) * kHashPrime;
  return hash;
}

inline std::string hex(uint64_t number) {
  char text[20];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(number));
  return text;
}

}  // namespace goss::train
