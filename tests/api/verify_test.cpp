// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// GOSS_VERIFY=1: ranks compare their results.
#include <gossamer/compression.h>
#include <sys/mman.h>
#include <unistd.h>

#include <numeric>

#include "support/ranks.h"
#include "support/scoped_env.h"

namespace goss::test {
namespace {

// Memory whose second half is its first half once more, so that whatever is longer than a half and
// stored there comes out wrong.
class FoldedMemory {
 public:
  FoldedMemory() {
    half_ = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    const int fd = ::memfd_create("folded", MFD_CLOEXEC);
    const bool sized = fd >= 0 && ::ftruncate(fd, static_cast<off_t>(half_)) == 0;
    auto* const place = static_cast<std::byte*>(
        ::mmap(nullptr, 2 * half_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    data_ = place;
    for (size_t i = 0; i < 2; ++i) {
      void* const got =
          ::mmap(place + i * half_, half_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
      require(sized && got == place + i * half_, "no memory that is mapped twice");
    }
    ::close(fd);
  }
  FoldedMemory(const FoldedMemory&) = delete;
  FoldedMemory& operator=(const FoldedMemory&) = delete;
  ~FoldedMemory() { ::munmap(data_, 2 * half_); }
  float* data() { return reinterpret_cast<float*>(data_); }
  size_t floats() const { return 2 * half_ / sizeof(float); }

 private:
  size_t half_ = 0;
  std::byte* data_ = nullptr;
};

TEST(Verify, ChangesNoResult) {
  const ScopedEnv env("GOSS_VERIFY", "1");
  for (int n : {1, 2, 3, 5}) {
    run_ranks(n, [&](Rank& me) {
      for (size_t count : {size_t{0}, size_t{1}, size_t{7}, size_t{1000}, size_t{100'003}}) {
        std::vector<float> x(count, static_cast<float>(me.rank + 1));
        MUST(gossAllReduce(x.data(), x.data(), count, gossFloat, gossSum, me.comm, nullptr));
        const auto sum = static_cast<float>(n * (n + 1) / 2);
        for (float value : x) require(value == sum, "a wrong sum");
        std::vector<int> all(count * static_cast<size_t>(n));
        const std::vector<int> own(count, me.rank);
        MUST(gossAllGather(own.data(), all.data(), count, gossInt32, me.comm, nullptr));
        for (size_t i = 0; i < all.size(); ++i) {
          require(all[i] == static_cast<int>(i / count), "a wrong block");
        }
        std::vector<int> sent(count, me.rank == n - 1 ? 42 : 0);
        MUST(gossBroadcast(sent.data(), sent.data(), count, gossInt32, n - 1, me.comm, nullptr));
        for (int value : sent) require(value == 42, "not what the root has");
        // Every rank has another result.
        std::vector<float> blocks(count * static_cast<size_t>(n), 1.0F);
        std::vector<float> block(count);
        MUST(gossReduceScatter(blocks.data(), block.data(), count, gossFloat, gossSum, me.comm,
                               nullptr));
        for (float value : block) require(value == static_cast<float>(n), "a wrong block sum");
      }
    });
  }
}

TEST(Verify, GoesWithGroupsStreamsBlocksOfDifferentLengthAndCodecs) {
  const ScopedEnv env("GOSS_VERIFY", "1");
  gossConfig_t config = default_config();
  config.codec = "int8";
  run_ranks(
      3,
      [](Rank& me) {
        gossStream_t stream = nullptr;
        MUST(gossStreamCreate(&stream));
        std::vector<float> a(10, 1.0F), b(3000, 2.0F), c(50'000, 3.0F);
        MUST(gossGroupStart());
        for (std::vector<float>* x : {&a, &b, &c}) {
          MUST(gossAllReduce(x->data(), x->data(), x->size(), gossFloat, gossSum, me.comm, stream));
        }
        MUST(gossGroupEnd());
        MUST(gossStreamSynchronize(stream));
        MUST(gossStreamDestroy(stream));
        require(a[9] == 3.0F && b[2999] == 6.0F && std::abs(c[49'999] - 9.0F) < 0.1F, "wrong sums");
        const size_t counts[] = {5, 0, 2000};
        const size_t places[] = {2100, 7, 8};
        std::vector<int> all(2200, -1);
        const std::vector<int> own(counts[me.rank], me.rank);
        MUST(gossAllGatherv(own.data(), all.data(), counts, places, gossInt32, me.comm, nullptr));
        require(all[2104] == 0 && all[8] == 2 && all[2007] == 2 && all[2105] == -1, "wrong blocks");
      },
      config);
}

// What is one place on one rank may be many on another.
TEST(Verify, DoesNotCareWhereResultsLie) {
  const ScopedEnv env("GOSS_VERIFY", "1");
  run_ranks(3, [](Rank& me) {
    constexpr size_t kCalls = 6;
    std::vector<float> together(kCalls * 5, 1.0F);
    std::vector<float> apart(kCalls * 64, 1.0F);
    MUST(gossGroupStart());
    for (size_t i = 0; i < kCalls; ++i) {
      float* const x = me.rank == 0 ? &together[i * 5] : &apart[i * 64];
      MUST(gossAllReduce(x, x, 5, gossFloat, gossSum, me.comm, nullptr));
    }
    MUST(gossGroupEnd());
  });
}

TEST(Verify, LooksAtEveryKindOfCallWhoseResultIsTheSame) {
  const ScopedEnv env("GOSS_VERIFY", "1");
  const char* const calls[] = {"all_gather", "all_gather_v", "broadcast", "group", "compressed"};
  for (const std::string call : calls) {
    run_ranks(3, [&](Rank& me) {
      FoldedMemory folded;
      const size_t count = folded.floats();  // of the whole result
      std::vector<float> plain(count);
      std::vector<float> input(count);
      std::iota(input.begin(), input.end(), 1.0F + static_cast<float>(me.rank));
      float* const output = me.rank == 1 ? folded.data() : plain.data();
      gossResult_t code = gossSuccess;
      if (call == "all_gather") {
        code = gossAllGather(input.data(), output, count / 3, gossFloat, me.comm, nullptr);
      } else if (call == "all_gather_v") {
        const size_t counts[] = {count / 2, 1, count / 3};
        const size_t places[] = {0, count / 2, count / 2 + 1};
        code = gossAllGatherv(input.data(), output, counts, places, gossFloat, me.comm, nullptr);
      } else if (call == "broadcast") {
        code = gossBroadcast(input.data(), output, count, gossFloat, 2, me.comm, nullptr);
      } else if (call == "group") {  // its second result replaces the first one
        MUST(gossGroupStart());
        for (size_t half : {size_t{0}, count / 2}) {
          MUST(
              gossAllReduce(&input[half], output + half, 20, gossFloat, gossSum, me.comm, nullptr));
        }
        code = gossGroupEnd();
      } else {
        gossCollConfig_t config = GOSS_COLL_CONFIG_INITIALIZER;
        config.codec = "int8";
        code = gossAllReduceConfig(input.data(), output, count, gossFloat, gossSum, me.comm,
                                   nullptr, &config);
      }
      require(code == gossInternalError, call + ": " + gossGetErrorString(code));
      require(last_error().find("another one on rank 1") != std::string::npos, last_error());
    });
  }
}

TEST(Verify, NamesARankWhoseResultDiffersOnAllRanks) {
  const ScopedEnv env("GOSS_VERIFY", "1");
  for (const bool streamed : {false, true}) {
    run_ranks(3, [&](Rank& me) {
      FoldedMemory folded;
      std::vector<float> plain(folded.floats());
      std::vector<float> input(folded.floats());
      std::iota(input.begin(), input.end(), 1.0F);
      float* const output = me.rank == 1 ? folded.data() : plain.data();
      gossResult_t code = gossSuccess;
      if (streamed) {
        gossStream_t stream = nullptr;
        MUST(gossStreamCreate(&stream));
        MUST(
            gossAllReduce(input.data(), output, input.size(), gossFloat, gossSum, me.comm, stream));
        code = gossStreamSynchronize(stream);
        MUST(gossStreamDestroy(stream));
      } else {
        code =
            gossAllReduce(input.data(), output, input.size(), gossFloat, gossSum, me.comm, nullptr);
      }
      require(code == gossInternalError, gossGetErrorString(code));
      const std::string text = gossGetLastError(me.comm);
      for (const char* part :
           {"GOSS_VERIFY", "all_reduce of", "another one on rank 1", "than on rank 0"}) {
        require(text.find(part) != std::string::npos, text);
      }
      MUST_BE(gossInternalError,
              gossAllReduce(input.data(), plain.data(), 1, gossFloat, gossSum, me.comm, nullptr));
    });
  }
}

TEST(Verify, MustBeEqualOnAllRanks) {
  gossUniqueId id;
  MUST(gossGetUniqueId(&id));
  gossResult_t codes[2] = {};
  std::string texts[2];
  gossConfig_t config = default_config();
  config.blocking = 0;
  gossComm_t comms[2] = {};
  for (int r = 0; r < 2; ++r) {
    const ScopedEnv env("GOSS_VERIFY", r == 0 ? "0" : "1");
    const gossResult_t code = gossCommInitRankConfig(&comms[r], 2, id, r, &config);
    EXPECT_TRUE(code == gossInProgress || code == gossSuccess) << last_error();
  }
  for (int r = 0; r < 2; ++r) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    do {
      MUST(gossCommGetAsyncError(comms[r], &codes[r]));
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    } while (codes[r] == gossInProgress && std::chrono::steady_clock::now() < end);
    texts[r] = gossGetLastError(comms[r]);
    EXPECT_EQ(codes[r], gossInvalidUsage) << texts[r];
    EXPECT_NE(texts[r].find("GOSS_VERIFY=0"), std::string::npos) << texts[r];
    EXPECT_NE(texts[r].find("GOSS_VERIFY=1"), std::string::npos) << texts[r];
  }
  for (gossComm_t comm : comms) EXPECT_EQ(gossCommAbort(comm), gossSuccess);
}

}  // namespace
}  // namespace goss::test
