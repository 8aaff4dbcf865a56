// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Buffers of many GiB that need few MiB: of every block only the first and the last chunk have
// memory of their own, all others are one and the same. So contents must agree in those others,
// and a count that lost its upper bits shows at the end of a block.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <new>

namespace goss::test {

class LargeBuffer {
 public:
  static constexpr size_t kChunk = size_t{4} << 20;

  // `blocks` of `block_bytes`, which are three chunks or more.
  LargeBuffer(size_t blocks, size_t block_bytes) : blocks_(blocks), block_bytes_(block_bytes) {
    const size_t own = 2 * blocks;
    fd_ = ::memfd_create("large", MFD_CLOEXEC);
    if (fd_ < 0 || ::ftruncate(fd_, static_cast<off_t>((own + 1) * kChunk)) != 0) {
      throw std::bad_alloc();
    }
    constexpr int kReserved = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void* base = ::mmap(nullptr, bytes(), PROT_NONE, kReserved, -1, 0);
    if (base == MAP_FAILED) throw std::bad_alloc();
    data_ = static_cast<std::byte*>(base);
    for (size_t chunk = 0; chunk < bytes() / kChunk; ++chunk) {
      // Populated: a million page faults would take longer than what is tested.
      constexpr int kHere = MAP_SHARED | MAP_FIXED | MAP_POPULATE;
      void* mapped = ::mmap(data_ + chunk * kChunk, kChunk, PROT_READ | PROT_WRITE, kHere, fd_,
                            static_cast<off_t>(place(chunk) * kChunk));
      if (mapped == MAP_FAILED) throw std::bad_alloc();
    }
  }
  ~LargeBuffer() {
    ::munmap(data_, bytes());
    ::close(fd_);
  }
  LargeBuffer(const LargeBuffer&) = delete;
  LargeBuffer& operator=(const LargeBuffer&) = delete;

  std::byte* data() const { return data_; }
  size_t bytes() const { return blocks_ * block_bytes_; }

  // visit(chunk, block, which) for all memory: which is 0 for what the blocks share, 1 for the
  // first chunk of a block and 2 for its last.
  void each(const std::function<void(std::byte*, size_t, int)>& visit) const {
    visit(data_ + kChunk, 0, 0);
    for (size_t block = 0; block < blocks_; ++block) {
      std::byte* first = data_ + block * block_bytes_;
      visit(first, block, 1);
      visit(first + block_bytes_ - kChunk, block, 2);
    }
  }

 private:
  // In the file, in chunks.
  size_t place(size_t chunk) const {
    const size_t chunks = block_bytes_ / kChunk;
    if (chunk % chunks == 0) return 1 + 2 * (chunk / chunks);
    return chunk % chunks == chunks - 1 ? 2 + 2 * (chunk / chunks) : 0;
  }

  size_t blocks_;
  size_t block_bytes_;
  int fd_ = -1;
  std::byte* data_ = nullptr;
};

}  // namespace goss::test
