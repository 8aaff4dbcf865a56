// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// A device whose memory cannot be touched except inside its own copy and reduce: an executor that
// dereferenced a buffer itself would end this program with SIGSEGV.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <mutex>
#include <numeric>

#include "engine/compute.h"
#include "support/ranks.h"

namespace goss::engine {
namespace {

using test::Rank;
using test::require;

constexpr int kDevice = 7;

// Pages that can be read and written only between open() and close(). One thread at a time.
class Arena {
 public:
  explicit Arena(size_t bytes) : bytes_(bytes) {
    void* memory = ::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::runtime_error("mmap");
    data_ = static_cast<std::byte*>(memory);
  }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() { ::munmap(data_, bytes_); }

  std::byte* data() const { return data_; }
  bool holds(const void* address) const {
    const auto* at = static_cast<const std::byte*>(address);
    return at >= data_ && at < data_ + bytes_;
  }
  void open() { protect(PROT_READ | PROT_WRITE); }
  void close() { protect(PROT_NONE); }

 private:
  void protect(int protection) {
    if (::mprotect(data_, bytes_, protection) != 0) throw std::runtime_error("mprotect");
  }
  std::byte* data_;
  size_t bytes_;
};

// Every rank uses its own arena, so the arenas of others stay closed while one is open.
class ProtectedDevice final : public Compute {
 public:
  void add(Arena* arena) {
    const std::lock_guard<std::mutex> lock(mutex_);
    arenas_.push_back(arena);
  }
  void remove(Arena* arena) {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::erase(arenas_, arena);
  }

  void copy(void* dst, const void* src, size_t bytes, reduce::Store store) override {
    const Opened opened(find({dst, src}));
    if (dst != src) reduce::copy(dst, src, bytes, store);
  }
  void pack(std::byte* to, const Extent* extents, bool outputs, size_t first, size_t count,
            size_t element) override {
    const Opened opened(all());
    host_compute().pack(to, extents, outputs, first, count, element);
  }
  void unpack(const Extent* extents, size_t first, size_t count, const std::byte* from,
              size_t element) override {
    const Opened opened(all());
    host_compute().unpack(extents, first, count, from, element);
  }
  void reduce(reduce::ReduceFn kernel, const reduce::Arguments& arguments) override {
    std::vector<const void*> touched(arguments.sources, arguments.sources + arguments.nsources);
    touched.push_back(arguments.dst);
    touched.push_back(arguments.dst2);
    const Opened opened(find(touched));
    kernel(arguments);
  }
  void encode(const quant::Encode& a) override {
    const Opened opened(find({a.src}));
    host_compute().encode(a);
  }
  void decode(const quant::Decode& a) override {
    const Opened opened(find({a.dst}));
    host_compute().decode(a);
  }
  void hop(const quant::Hop& a) override {
    const Opened opened(find({a.own, a.decoded}));
    host_compute().hop(a);
  }
  void widen(const void* src, DataType type, size_t count, float* dst) override {
    const Opened opened(find({src}));
    host_compute().widen(src, type, count, dst);
  }
  void narrow(const float* src, DataType type, size_t count, void* dst) override {
    const Opened opened(find({dst}));
    host_compute().narrow(src, type, count, dst);
  }
  bool host_memory() const override { return false; }

 private:
  struct Opened {
    explicit Opened(std::vector<Arena*> which) : arenas(std::move(which)) {
      for (Arena* arena : arenas) arena->open();
    }
    ~Opened() {
      for (Arena* arena : arenas) arena->close();
    }
    std::vector<Arena*> arenas;
  };

  std::vector<Arena*> find(const std::vector<const void*>& touched) {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::vector<Arena*> found;
    for (Arena* arena : arenas_) {
      const auto inside = [&](const void* address) { return arena->holds(address); };
      if (std::any_of(touched.begin(), touched.end(), inside)) found.push_back(arena);
    }
    return found;
  }

  std::vector<Arena*> all() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return arenas_;
  }

  std::mutex mutex_;
  std::vector<Arena*> arenas_;
};

ProtectedDevice& device() {
  static ProtectedDevice* const instance = [] {
    auto* made = new ProtectedDevice;
    register_compute(kDevice, made);
    return made;
  }();
  return *instance;
}

gossConfig_t on_the_device() {
  device();
  gossConfig_t config = GOSS_CONFIG_INITIALIZER;
  config.device = kDevice;
  return config;
}

// Memory of one rank on the device: what its kernels and copies would be allowed to see.
class DeviceBuffer {
 public:
  explicit DeviceBuffer(size_t count) : arena_(count * sizeof(int32_t) + 4096) {
    device().add(&arena_);
  }
  ~DeviceBuffer() { device().remove(&arena_); }
  int32_t* data() const { return reinterpret_cast<int32_t*>(arena_.data()); }

  template <class Fn>
  void with_access(Fn fn) {
    arena_.open();
    fn(data());
    arena_.close();
  }

 private:
  Arena arena_;
};

const std::vector<size_t>& counts() {
  static const std::vector<size_t> all{1,    14,     15,     31,     1021,   2049,
                                       4096, 16'384, 16'385, 65'537, 300'001};
  return all;
}

void expect_sums(DeviceBuffer* buffer, size_t count, int nranks) {
  buffer->with_access([&](const int32_t* x) {
    for (size_t i = 0; i < count; ++i) {
      const auto n = static_cast<int32_t>(nranks);
      const int32_t expected = n * static_cast<int32_t>(i) + n * (n - 1) / 2;
      if (x[i] != expected) require(false, "count " + std::to_string(count));
    }
  });
}

void fill(DeviceBuffer* buffer, size_t count, int rank) {
  buffer->with_access([&](int32_t* x) { std::iota(x, x + count, rank); });
}

TEST(ProtectedDevice, AllReducesWithoutTheHostTouchingItsMemory) {
  test::run_ranks(
      3,
      [](Rank& me) {
        DeviceBuffer send(300'100);
        DeviceBuffer recv(300'100);
        for (size_t count : counts()) {
          fill(&send, count, me.rank);
          MUST(
              gossAllReduce(send.data(), recv.data(), count, gossInt32, gossSum, me.comm, nullptr));
          expect_sums(&recv, count, 3);
          MUST(
              gossAllReduce(send.data(), send.data(), count, gossInt32, gossSum, me.comm, nullptr));
          expect_sums(&send, count, 3);
        }
      },
      on_the_device());
}

// The scalar lies there, too.
TEST(ProtectedDevice, MultipliesBeforeASumWithoutTheHostTouchingItsMemory) {
  test::run_ranks(
      3,
      [](Rank& me) {
        DeviceBuffer send(70'000);
        DeviceBuffer recv(70'000);
        DeviceBuffer scalar(1);
        gossRedOp_t op = gossSum;
        scalar.with_access([](int32_t* x) { *x = 2; });
        MUST(gossRedOpCreatePreMulSum(&op, scalar.data(), gossInt32, gossScalarDevice, me.comm));
        for (size_t count : {size_t{3}, size_t{20'000}}) {
          const auto blocks = [&](DeviceBuffer* buffer, int rank, size_t first) {
            buffer->with_access([&](const int32_t* x) {
              for (size_t i = 0; i < count; ++i) {
                const auto at = static_cast<int32_t>(first + i);
                require(x[i] == 2 * (3 * at + 3), "rank " + std::to_string(rank));
              }
            });
          };
          fill(&send, 3 * count, me.rank);
          MUST(gossAllReduce(send.data(), recv.data(), count, gossInt32, op, me.comm, nullptr));
          blocks(&recv, me.rank, 0);
          MUST(gossReduceScatter(send.data(), recv.data(), count, gossInt32, op, me.comm, nullptr));
          blocks(&recv, me.rank, count * static_cast<size_t>(me.rank));
          MUST(gossReduce(send.data(), recv.data(), count, gossInt32, op, 1, me.comm, nullptr));
          if (me.rank == 1) blocks(&recv, me.rank, 0);
        }
      },
      on_the_device());
}

TEST(ProtectedDevice, BroadcastsWithoutTheHostTouchingItsMemory) {
  test::run_ranks(
      3,
      [](Rank& me) {
        DeviceBuffer x(300'100);
        for (size_t count : counts()) {
          const int root = static_cast<int>(count % 3);
          fill(&x, count, me.rank == root ? 5 : 100);
          MUST(gossBcast(x.data(), count, gossInt32, root, me.comm, nullptr));
          x.with_access([&](const int32_t* values) {
            for (size_t i = 0; i < count; ++i) {
              require(values[i] == static_cast<int32_t>(i) + 5, "count " + std::to_string(count));
            }
          });
        }
        MUST(gossBarrier(me.comm, nullptr));
      },
      on_the_device());
}

// Block b of what a rank sends begins with rank + 10 b.
void fill_blocks(DeviceBuffer* buffer, size_t count, int nranks, int rank) {
  buffer->with_access([&](int32_t* x) {
    for (int b = 0; b < nranks; ++b, x += count) std::iota(x, x + count, rank + 10 * b);
  });
}

void expect_block(DeviceBuffer* buffer, size_t count, int block, int first, int step,
                  const char* collective) {
  buffer->with_access([&](const int32_t* x) {
    x += static_cast<size_t>(block) * count;
    for (size_t i = 0; i < count; ++i) {
      if (x[i] == first + step * static_cast<int32_t>(i)) continue;
      require(false, std::string(collective) + ", count " + std::to_string(count));
    }
  });
}

void exchange_on_the_device(Rank& me, DeviceBuffer* from, DeviceBuffer* to, size_t count) {
  const int32_t* send = from->data();
  int32_t* recv = to->data();
  fill_blocks(from, count, 3, me.rank);
  MUST(gossReduce(send, recv, count, gossInt32, gossSum, 1, me.comm, nullptr));
  if (me.rank == 1) expect_block(to, count, 0, 3, 3, "reduce");
  MUST(gossReduceScatter(send, recv, count, gossInt32, gossSum, me.comm, nullptr));
  expect_block(to, count, 0, 3 + 30 * me.rank, 3, "reduce_scatter");
  MUST(gossScatter(send, recv, count, gossInt32, 2, me.comm, nullptr));
  expect_block(to, count, 0, 2 + 10 * me.rank, 1, "scatter");
  MUST(gossAllGather(send, recv, count, gossInt32, me.comm, nullptr));
  for (int r = 0; r < 3; ++r) expect_block(to, count, r, r, 1, "all_gather");
  MUST(gossAlltoAll(send, recv, count, gossInt32, me.comm, nullptr));
  for (int r = 0; r < 3; ++r) expect_block(to, count, r, r + 10 * me.rank, 1, "all_to_all");
  fill_blocks(to, count, 3, 500);
  MUST(gossGather(send, recv, count, gossInt32, 0, me.comm, nullptr));
  for (int r = 0; r < 3 && me.rank == 0; ++r) expect_block(to, count, r, r, 1, "gather");
}

TEST(ProtectedDevice, ExchangesWithoutTheHostTouchingItsMemory) {
  test::run_ranks(
      3,
      [](Rank& me) {
        DeviceBuffer send(300'100);
        DeviceBuffer recv(300'100);
        for (size_t count : {1, 15, 84, 85, 1021, 16'385, 100'003}) {
          exchange_on_the_device(me, &send, &recv, count);
        }
      },
      on_the_device());
}

TEST(ProtectedDevice, AggregatesGroupsWithoutTheHostTouchingItsMemory) {
  test::run_ranks(
      3,
      [](Rank& me) {
        DeviceBuffer x(60'000);
        for (size_t piece : {3, 1000, 15'000}) {
          x.with_access([&](int32_t* values) {
            for (size_t k = 0; k < 4; ++k) {
              std::iota(values + k * piece, values + (k + 1) * piece, me.rank);
            }
          });
          MUST(gossGroupStart());
          for (size_t k = 0; k < 4; ++k) {
            int32_t* part = x.data() + k * piece;
            MUST(gossAllReduce(part, part, piece, gossInt32, gossSum, me.comm, nullptr));
          }
          MUST(gossGroupEnd());
          x.with_access([&](const int32_t* values) {
            for (size_t i = 0; i < 4 * piece; ++i) {
              require(values[i] == 3 * static_cast<int32_t>(i % piece) + 3, "group");
            }
          });
        }
      },
      on_the_device());
}

TEST(ProtectedDevice, OfOneRankIsCopiedByTheDevice) {
  test::run_ranks(
      1,
      [](Rank& me) {
        DeviceBuffer send(50'000);
        DeviceBuffer recv(50'000);
        for (size_t count : {1, 20, 50'000}) {
          fill(&send, count, 0);
          MUST(
              gossAllReduce(send.data(), recv.data(), count, gossInt32, gossAvg, me.comm, nullptr));
          expect_sums(&recv, count, 1);
          MUST(gossBroadcast(send.data(), recv.data(), count, gossInt32, 0, me.comm, nullptr));
          expect_sums(&recv, count, 1);
        }
      },
      on_the_device());
}

TEST(ProtectedDevice, IsTheDeviceOfItsCommunicators) {
  test::run_ranks(
      2,
      [](Rank& me) {
        int ordinal = -5;
        MUST(gossCommCuDevice(me.comm, &ordinal));
        require(ordinal == kDevice, "device " + std::to_string(ordinal));
        gossComm_t part = nullptr;
        MUST(gossCommSplit(me.comm, 0, 0, &part, nullptr));
        MUST(gossCommCuDevice(part, &ordinal));
        require(ordinal == kDevice, "a split inherits its parent's device");
        DeviceBuffer x(100);
        fill(&x, 100, me.rank);
        MUST(gossAllReduce(x.data(), x.data(), 100, gossInt32, gossSum, part, nullptr));
        expect_sums(&x, 100, 2);
        MUST(gossCommDestroy(part));
      },
      on_the_device());
}

// The proof is worth something only if a touch from outside is noticed.
TEST(ProtectedDevice, NoticesATouchFromOutside) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  DeviceBuffer x(10);
  EXPECT_DEATH({ *static_cast<volatile int32_t*>(x.data()) = 1; }, "");
}

}  // namespace
}  // namespace goss::engine
