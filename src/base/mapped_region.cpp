// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "base/mapped_region.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <string>
#include <utility>

namespace goss {

namespace {

constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
// Less than this may be tried; more is compared with what there is.
constexpr size_t kLargeBytes = size_t{64} * 1024 * 1024;

// Bytes that this process could get at most, by the kernel's estimate and its container's limit.
size_t available_memory() {
  size_t available = SIZE_MAX;
  std::ifstream info("/proc/meminfo");
  std::string name;
  size_t kib = 0;
  while (info >> name >> kib) {
    if (name == "MemAvailable:") available = kib * 1024;
    info.ignore(64, '\n');
  }
  std::ifstream limit("/sys/fs/cgroup/memory.max");  // "max" without one
  size_t most = 0;
  if (limit >> most) available = std::min(available, most);
  return available;
}

// Refuse what the kernel would answer with a signal (a file size beyond the limit), or only after
// it has used up all memory.
Status check_room(size_t bytes, size_t allocated) {
  struct rlimit limit = {};
  if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
      bytes > limit.rlim_cur) {
    return fail(gossSystemError,
                "cannot make %zu bytes of shared memory: the limit of this process is %llu (ulimit "
                "-f)",
                bytes, static_cast<unsigned long long>(limit.rlim_cur));
  }
  if (allocated < kLargeBytes) return {};
  const size_t available = available_memory();
  if (allocated <= available) return {};
  return fail(gossSystemError, "cannot allocate %zu bytes of shared memory: %zu are available",
              allocated, available);
}

}  // namespace

MappedRegion::MappedRegion(MappedRegion&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

MappedRegion& MappedRegion::operator=(MappedRegion&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

MappedRegion::~MappedRegion() {
  if (data_ != nullptr) ::munmap(data_, bytes_);
}

Result<MappedRegion> MappedRegion::map_shared(int fd, size_t bytes) {
  void* address = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (address == MAP_FAILED) {
    return fail_errno(errno, "cannot map %zu bytes of shared memory", bytes);
  }
  MappedRegion region;
  region.data_ = static_cast<std::byte*>(address);
  region.bytes_ = bytes;
  if (::madvise(address, bytes, MADV_DONTFORK) != 0) {
    return fail_errno(errno, "cannot keep shared memory from forked children");
  }
  return region;
}

Status MappedRegion::replace_pages(size_t offset, size_t bytes) {
  void* const place = data_ + offset;
  if (::mmap(place, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
             0) == MAP_FAILED ||
      ::madvise(place, bytes, MADV_DONTFORK) != 0) {
    return fail_errno(errno, "cannot replace %zu bytes of shared memory", bytes);
  }
  return {};
}

Result<UniqueFd> MappedRegion::create_memfd(const char* name, size_t bytes, size_t allocated) {
  GOSS_TRY(check_room(bytes, allocated));
  UniqueFd fd(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return fail_errno(errno, "cannot create shared memory (memfd_create)");
  if (::ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) {
    return fail_errno(errno, "cannot size shared memory to %zu bytes", bytes);
  }
  if (allocated > 0) GOSS_TRY(allocate_pages(fd.get(), 0, allocated));
  if (::fcntl(fd.get(), F_ADD_SEALS, kSeals) != 0) {
    return fail_errno(errno, "cannot seal shared memory");
  }
  return fd;
}

Status MappedRegion::allocate_pages(int fd, size_t offset, size_t bytes) {
  // Any signal interrupts the kernel, which then gives back what the call had got: in one piece a
  // large region might never get through between two ticks of an application's timer.
  constexpr size_t kSmallestPiece = size_t{64} * 1024;
  size_t piece = size_t{4} * 1024 * 1024;
  for (size_t done = 0; done < bytes;) {
    const size_t next = std::min(piece, bytes - done);
    // Reports through its result, not errno.
    const int error =
        ::posix_fallocate(fd, static_cast<off_t>(offset + done), static_cast<off_t>(next));
    if (error == 0) {
      done += next;
    } else if (error == EINTR) {
      piece = std::max(piece / 2, kSmallestPiece);
    } else {
      return fail_errno(error, "cannot allocate %zu bytes of shared memory", bytes);
    }
  }
  return {};
}

Status MappedRegion::check_memfd(int fd, size_t bytes) {
  struct stat info = {};
  if (::fstat(fd, &info) != 0) return fail_errno(errno, "cannot inspect received shared memory");
  const int seals = ::fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals) {
    return fail(gossSystemError, "received shared memory is not sealed against resizing");
  }
  if (info.st_size < 0 || static_cast<size_t>(info.st_size) != bytes) {
    return fail(gossSystemError, "received shared memory has %lld bytes, expected %zu",
                static_cast<long long>(info.st_size), bytes);
  }
  return {};
}

}  // namespace goss
