// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Reading and writing the fields of messages, little-endian whatever the machine. A Reader never
// runs past its bytes: it turns !ok() and yields zeros. Values only; any thread.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace goss::bootstrap {

class Writer {
 public:
  void u8(uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void u16(uint16_t value) { number(value, 2); }
  void u32(uint32_t value) { number(value, 4); }
  void u64(uint64_t value) { number(value, 8); }
  void i32(int value) { u32(static_cast<uint32_t>(value)); }
  void raw(std::string_view bytes) { out_.append(bytes); }
  void raw(const void* data, size_t bytes) { out_.append(static_cast<const char*>(data), bytes); }
  void zeros(size_t bytes) { out_.append(bytes, '\0'); }
  void text(std::string_view bytes) {
    u32(static_cast<uint32_t>(bytes.size()));
    raw(bytes);
  }

  size_t size() const { return out_.size(); }
  const std::string& bytes() const { return out_; }
  std::string take() { return std::move(out_); }

 private:
  void number(uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out_.push_back(static_cast<char>(value >> (8 * i) & 0xff));
  }

  std::string out_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  uint8_t u8() { return static_cast<uint8_t>(number(1)); }
  uint16_t u16() { return static_cast<uint16_t>(number(2)); }
  uint32_t u32() { return static_cast<uint32_t>(number(4)); }
  uint64_t u64() { return number(8); }
  int i32() { return static_cast<int>(u32()); }
  std::string_view raw(size_t bytes) {
    if (bytes > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return taken;
  }
  void raw(void* data, size_t bytes) {
    const std::string_view taken = raw(bytes);
    if (ok_) std::memcpy(data, taken.data(), bytes);
  }
  std::string_view text(size_t limit_bytes) {
    const size_t bytes = u32();
    if (bytes > limit_bytes) ok_ = false;
    return ok_ ? raw(bytes) : std::string_view();
  }

  bool ok() const { return ok_; }
  bool empty() const { return rest_.empty(); }
  bool finished() const { return ok_ && rest_.empty(); }

 private:
  uint64_t number(size_t bytes) {
    const std::string_view taken = raw(bytes);
    uint64_t value = 0;
    for (size_t i = 0; i < taken.size(); ++i) {
      value |= uint64_t{static_cast<uint8_t>(taken[i])} << (8 * i);
    }
    return value;
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace goss::bootstrap
