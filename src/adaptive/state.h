// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// State: the bytes in which objects are saved. A header of 40 bytes, then the fields, all little
// endian:
//   0 "GOSSADPT"   8 kind (u32)   12 version of the format (u32)   16 bytes of fields (u64)
//   24 checksum of bytes 0 to 23 and of the fields (u64)   32 reserved (u64, 0)
// The checksum is FNV-1a with 64 bits: every change of a single byte changes it. A state is
// untrusted: sizes are checked before anything is allocated, and every message names the byte.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "base/result.h"

namespace goss::adaptive {

enum class StateKind : uint32_t { kBatchPlanner = 1, kPrecision = 2 };
const char* to_string(StateKind kind);
constexpr uint32_t kStateVersion = 1;

// FNV-1a, 64 bits (Fowler, Noll, Vo).
class Fnv1a {
 public:
  void add(std::span<const std::byte> bytes) {
    for (const std::byte byte : bytes) {
      value_ = (value_ ^ std::to_integer<uint64_t>(byte)) * 0x100000001B3u;
    }
  }
  void add(uint64_t word) {
    for (int shift = 0; shift < 64; shift += 8) {
      value_ = (value_ ^ ((word >> shift) & 0xFF)) * 0x100000001B3u;
    }
  }
  void add(double number) { add(std::bit_cast<uint64_t>(number)); }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0xCBF29CE484222325u;
};

// The unsigned integer of the same size, which is what is stored.
template <class T>
using Stored = std::conditional_t<sizeof(T) == 8, uint64_t,
                                  std::conditional_t<sizeof(T) == 4, uint32_t, uint8_t>>;

class StateWriter {
 public:
  template <class T>
  void put(T value) {
    static_assert(std::is_arithmetic_v<T> && (sizeof(T) == 8 || sizeof(T) == 4 || sizeof(T) == 1));
    const auto word = std::bit_cast<Stored<T>>(value);
    for (size_t i = 0; i < sizeof(T); ++i) {
      fields_.push_back(static_cast<std::byte>(static_cast<uint64_t>(word) >> (8 * i)));
    }
  }
  template <class T>
  void put(const std::vector<T>& values) {
    put(uint64_t{values.size()});
    fields_.reserve(fields_.size() + values.size() * sizeof(T));
    for (const T value : values) put(value);
  }
  // Header and fields.
  std::vector<std::byte> finish(StateKind kind) const;
  // Of the fields.
  uint64_t hash() const {
    Fnv1a sum;
    sum.add(fields_);
    return sum.value();
  }

 private:
  std::vector<std::byte> fields_;
};

// Reads fields in the order in which they were put. The first failure is kept: later reads give
// zeros and empty vectors, and status() says what and where.
class StateReader {
 public:
  // Checks header, length and checksum.
  static Result<StateReader> open(std::span<const std::byte> state, StateKind kind);

  template <class T>
  T get(const char* field) {
    if (!has(sizeof(T), field)) return T{};
    return load<T>();
  }
  template <class T>
  std::vector<T> get_vector(const char* field) {
    const auto count = get<uint64_t>(field);
    if (count > (state_.size() - at_) / sizeof(T)) {
      refuse(field, "has " + std::to_string(count) + " elements, more than there are bytes left");
      return {};
    }
    std::vector<T> values(count);
    for (T& value : values) value = load<T>();
    return values;
  }
  // Keeps "`field` `what`" as the failure, unless there is one already.
  void refuse(const char* field, const std::string& what);
  // Failure unless everything was read and nothing is left.
  Status finish();
  const Status& status() const { return status_; }

 private:
  StateReader(std::span<const std::byte> state, StateKind kind);
  bool has(size_t bytes, const char* field);
  template <class T>
  T load() {
    uint64_t word = 0;
    for (size_t i = 0; i < sizeof(T); ++i) {
      word |= std::to_integer<uint64_t>(state_[at_ + i]) << (8 * i);
    }
    at_ += sizeof(T);
    if constexpr (std::is_same_v<T, bool>) {
      return word != 0;
    } else {
      return std::bit_cast<T>(static_cast<Stored<T>>(word));
    }
  }

  std::span<const std::byte> state_;
  StateKind kind_;
  size_t at_ = 0;
  Status status_;
};

}  // namespace goss::adaptive
