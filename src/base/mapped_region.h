// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// MappedRegion: owns a range of mapped pages. Not inherited by forked children (MADV_DONTFORK), so
// that a child of the application can never write into a job that it does not belong to.
#pragma once

#include <cstddef>

#include "base/result.h"
#include "base/unique_fd.h"

namespace goss {

class MappedRegion {
 public:
  MappedRegion() = default;
  MappedRegion(MappedRegion&& other) noexcept;
  MappedRegion& operator=(MappedRegion&& other) noexcept;
  ~MappedRegion();

  // Map `bytes` (> 0) of `fd` shared, readable and writable.
  static Result<MappedRegion> map_shared(int fd, size_t bytes);
  // A sealed memfd of `bytes`. Its first `allocated` bytes get their pages now, so that lack of
  // memory is an error here and no SIGBUS later; for the rest call allocate_pages() before use.
  // `name` is seen in /proc/<pid>/maps only.
  static Result<UniqueFd> create_memfd(const char* name, size_t bytes, size_t allocated);
  static Status allocate_pages(int fd, size_t offset, size_t bytes);
  // Refuses an fd that is not a memfd of exactly `bytes` that can neither shrink nor grow.
  static Status check_memfd(int fd, size_t bytes);

  // Private pages, zeroed, instead of those of the file; offset and bytes are whole pages.
  Status replace_pages(size_t offset, size_t bytes);

  std::byte* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace goss
