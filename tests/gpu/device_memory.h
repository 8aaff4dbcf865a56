// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Memory of the device for tests: copied in and out, at any distance from an aligned address, and
// looked after on both sides. The emulator's memory ends where it ends, so that AddressSanitizer
// sees who reads beyond; a device's has guards.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "device/gpu_runtime.h"

namespace goss::gpu_tests {

using Bytes = std::vector<uint8_t>;

class DeviceMemory {
 public:
  explicit DeviceMemory(size_t bytes, size_t offset = 0) : bytes_(bytes), offset_(offset) {
    EXPECT_EQ(gpuMalloc(&memory_, offset + bytes + kGuard), gpuSuccess);
    const Bytes marks(offset + bytes + kGuard, kMark);
    EXPECT_EQ(gpuMemcpy(memory_, marks.data(), marks.size(), gpuMemcpyDefault), gpuSuccess);
  }
  explicit DeviceMemory(const Bytes& content, size_t offset = 0)
      : DeviceMemory(content.size(), offset) {
    EXPECT_EQ(gpuMemcpy(data(), content.data(), bytes_, gpuMemcpyDefault), gpuSuccess);
  }
  DeviceMemory(DeviceMemory&& other) noexcept
      : bytes_(other.bytes_), offset_(other.offset_), memory_(other.memory_) {
    other.memory_ = nullptr;
  }
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  DeviceMemory& operator=(DeviceMemory&&) = delete;
  ~DeviceMemory() { (void)gpuFree(memory_); }

  uint8_t* data() const { return static_cast<uint8_t*>(memory_) + offset_; }

  // After all work of the device. What lies around must be as it was.
  Bytes content() const {
    Bytes all(offset_ + bytes_ + kGuard);
    EXPECT_EQ(gpuStreamSynchronize(nullptr), gpuSuccess);
    EXPECT_EQ(gpuMemcpy(all.data(), memory_, all.size(), gpuMemcpyDefault), gpuSuccess);
    for (size_t i = 0; i < all.size(); ++i) {
      const bool inside = i >= offset_ && i < offset_ + bytes_;
      if (inside || all[i] == kMark) continue;
      ADD_FAILURE() << "byte " << i << " of memory around was written";
      break;
    }
    return {all.begin() + static_cast<std::ptrdiff_t>(offset_),
            all.begin() + static_cast<std::ptrdiff_t>(offset_ + bytes_)};
  }

 private:
#if defined(GOSS_GPU_EMULATOR)
  static constexpr size_t kGuard = 0;
#else
  static constexpr size_t kGuard = 256;
#endif
  static constexpr uint8_t kMark = 0xa5;
  size_t bytes_, offset_;
  void* memory_ = nullptr;
};

// "" or why tests that need a device cannot run.
inline std::string why_no_device() {
  int count = 0;
  const gpuError_t error = gpuGetDeviceCount(&count);
  if (error != gpuSuccess) return std::string("no GPU: ") + gpuGetErrorString(error);
  return count > 0 ? "" : "no GPU";
}

}  // namespace goss::gpu_tests
