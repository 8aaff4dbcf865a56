// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Memory for a measurement: aligned to 2 MiB, private in huge pages where the system grants them,
// touched once so that no page fault falls into the timed part. The same for every program that is
// compared.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstring>
#include <stdexcept>

namespace goss::perf {

class Buffer {
 public:
  enum class Kind { kPrivate, kShared };  // shared: by the processes forked afterwards

  Buffer(Kind kind, size_t bytes) : mapped_bytes_(round_up(bytes) + kAlignment) {
    const int flags = (kind == Kind::kPrivate ? MAP_PRIVATE : MAP_SHARED) | MAP_ANONYMOUS;
    mapped_ = mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (mapped_ == MAP_FAILED) throw std::runtime_error("no memory for a buffer");
    const size_t misaligned = reinterpret_cast<uintptr_t>(mapped_) % kAlignment;
    data_ = static_cast<std::byte*>(mapped_) + (kAlignment - misaligned) % kAlignment;
    bytes_ = round_up(bytes);
    madvise(data_, bytes_, MADV_HUGEPAGE);  // a wish; shared memory often does not get it
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { munmap(mapped_, mapped_bytes_); }

  std::byte* data() const { return data_; }
  float* floats() const { return reinterpret_cast<float*>(data_); }
  void touch() const { std::memset(data_, 0, bytes_); }
  // Maps the pages of shared memory into this process without changing what is in them.
  void touch_reading() const {
    for (size_t i = 0; i < bytes_; i += 4096) static_cast<volatile std::byte*>(data_)[i];
  }

 private:
  static constexpr size_t kAlignment = size_t{2} << 20;
  static size_t round_up(size_t bytes) {
    return bytes == 0 ? kAlignment : (bytes + kAlignment - 1) / kAlignment * kAlignment;
  }

  size_t mapped_bytes_;
  void* mapped_;
  std::byte* data_;
  size_t bytes_;
};

}  // namespace goss::perf
