// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "transport/shm/segment.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>

namespace goss::shm {
namespace {

const Segment::Nonce kNonce = "0123456789abcdef";
const Segment::Nonce kOther = "fedcba9876543210";

UniqueFd copy_of(int fd) { return UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, 0)); }

TEST(Segment, IsBornEmptyWithEveryRankAbsent) {
  auto made = Segment::create(3, kNonce);
  ASSERT_TRUE(made.ok()) << made.status().message();
  Segment& segment = *made.value();
  EXPECT_EQ(segment.nranks(), 3);
  EXPECT_EQ(segment.bytes(), Segment::bytes_for(3));
  EXPECT_EQ(std::memcmp(segment.header().nonce, kNonce.data(), 16), 0);
  EXPECT_EQ(segment.header().fault.load(), 0u);
  EXPECT_EQ(segment.header().dozing.load(), 0u);
  for (int r = 0; r < 3; ++r) {
    EXPECT_EQ(segment.area(r).state.load(), RankState::kAbsent);
    EXPECT_EQ(segment.area(r).flags.signature.load(), 0u);
    for (const auto& phase : segment.area(r).flags.phase) EXPECT_EQ(phase.load(), 0u);
  }
}

TEST(Segment, HasAlignedPartsThatDoNotOverlap) {
  auto made = Segment::create(5, kNonce);
  ASSERT_TRUE(made.ok());
  const Segment& segment = *made.value();
  const auto* begin = reinterpret_cast<std::byte*>(&segment.header());
  const std::byte* next = begin + sizeof(Header);
  for (int r = 0; r < 5; ++r) {
    EXPECT_EQ(reinterpret_cast<std::byte*>(&segment.area(r)), next);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(next) % 4096, 0u);
    next += sizeof(RankArea);
  }
  for (int r = 0; r < 5; ++r) {
    EXPECT_EQ(segment.ring(r), next);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(next) % 4096, 0u);
    next += kRingBytes;
  }
  for (int sender = 0; sender < 5; ++sender) {
    for (int receiver = 0; receiver < 5; ++receiver) {
      EXPECT_EQ(reinterpret_cast<std::byte*>(&segment.pair(sender, receiver)), next);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(next) % 4096, 0u);
      next += sizeof(Pair);
    }
  }
  for (int r = 0; r < 5; ++r) {
    EXPECT_EQ(reinterpret_cast<std::byte*>(&segment.gossip_board(r)), next);
    next += sizeof(GossipBoard);
  }
  for (int sender = 0; sender < 5; ++sender) {
    for (int receiver = 0; receiver < 5; ++receiver) {
      EXPECT_EQ(reinterpret_cast<std::byte*>(&segment.gossip_pair(sender, receiver)), next);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(next) % 4096, 0u);
      next += sizeof(GossipPair);
    }
  }
  EXPECT_EQ(next, begin + segment.bytes());
}

TEST(Segment, KeepsWhatDifferentRanksWriteOnDifferentLines) {
  const auto line = [](const void* p) { return reinterpret_cast<uintptr_t>(p) / kCacheLine; };
  auto made = Segment::create(2, kNonce);
  ASSERT_TRUE(made.ok());
  RankArea& area = made.value()->area(0);
  EXPECT_NE(line(&area.flags), line(&area.inlines[0]));
  EXPECT_NE(line(&area.inlines[0]), line(&area.inlines[1]));
  EXPECT_NE(line(&area.doorbell), line(&area.inlines[1]));
  EXPECT_NE(line(&area.doorbell), line(&area.records[0]));
  Header& header = made.value()->header();
  EXPECT_NE(line(&header.fault), line(&header.dozing)) << "sleepers must not disturb checks";
}

TEST(Segment, AllocatesEveryCellOfARing) {
  auto made = Segment::create(2, kNonce);
  ASSERT_TRUE(made.ok());
  for (int cell : {0, 1, kCells - 1}) {
    EXPECT_EQ(made.value()->allocate_cell(1, cell, 0, kCellBytes).value(), kCellBytes);
    std::memset(made.value()->ring(1) + static_cast<size_t>(cell) * kCellBytes, cell, kCellBytes);
  }
}

TEST(Segment, AllocatesOfACellWhatIsUsed) {
  auto made = Segment::create(2, kNonce);
  ASSERT_TRUE(made.ok());
  const auto blocks = [&] {
    struct stat file = {};
    EXPECT_EQ(::fstat(made.value()->fd(), &file), 0);
    return static_cast<size_t>(file.st_blocks) * 512;
  };
  const size_t idle = blocks();
  size_t have = made.value()->allocate_cell(0, 3, 0, 1).value();
  EXPECT_EQ(have, 4096u);
  EXPECT_EQ(blocks(), idle + 4096);
  have = made.value()->allocate_cell(0, 3, have, 4096).value();
  EXPECT_EQ(have, 4096u) << "enough already";
  have = made.value()->allocate_cell(0, 3, have, 9000).value();
  EXPECT_EQ(have, 16'384u);
  have = made.value()->allocate_cell(0, 3, have, kCellBytes).value();
  EXPECT_EQ(have, kCellBytes);
  EXPECT_EQ(blocks(), idle + kCellBytes);
}

TEST(Segment, IsFoundByItsNonceWhileSomebodyUsesIt) {
  EXPECT_EQ(Segment::find(kNonce), nullptr);
  auto made = Segment::create(2, kNonce);
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(Segment::find(kNonce), made.value());
  EXPECT_EQ(Segment::find(kOther), nullptr);
  made.value().reset();
  EXPECT_EQ(Segment::find(kNonce), nullptr);
}

TEST(Segment, ShowsTheSameMemoryWhereItIsAttached) {
  auto made = Segment::create(2, kNonce);
  ASSERT_TRUE(made.ok());
  auto attached = Segment::attach(copy_of(made.value()->fd()), 2, kNonce);
  ASSERT_TRUE(attached.ok()) << attached.status().message();
  EXPECT_NE(&attached.value()->header(), &made.value()->header());
  made.value()->area(1).flags.phase[2] = 77;
  EXPECT_EQ(attached.value()->area(1).flags.phase[2].load(), 77u);
  EXPECT_EQ(Segment::find(kNonce), attached.value()) << "the latest is remembered";
}

TEST(Segment, IsNotAttachedUnderAnotherNonceOrSize) {
  auto made = Segment::create(2, kNonce);
  ASSERT_TRUE(made.ok());
  const int fd = made.value()->fd();
  EXPECT_EQ(Segment::attach(copy_of(fd), 2, kOther).status().code(), gossSystemError);
  EXPECT_FALSE(Segment::attach(copy_of(fd), 3, kNonce).ok());
  EXPECT_FALSE(Segment::attach(copy_of(fd), 1, kNonce).ok());
  EXPECT_FALSE(Segment::attach(UniqueFd(::open("/dev/zero", O_RDWR | O_CLOEXEC)), 2, kNonce).ok());
  made.value()->header().nranks = 9;  // a header that contradicts the size
  EXPECT_FALSE(Segment::attach(copy_of(fd), 2, kNonce).ok());
}

TEST(Segment, CannotBeResizedByAnybodyWhoGetsTheDescriptor) {
  auto made = Segment::create(1, kNonce);
  ASSERT_TRUE(made.ok());
  EXPECT_NE(::ftruncate(made.value()->fd(), 4096), 0);
  EXPECT_NE(::ftruncate(made.value()->fd(), static_cast<off_t>(made.value()->bytes() * 2)), 0);
}

}  // namespace
}  // namespace goss::shm
