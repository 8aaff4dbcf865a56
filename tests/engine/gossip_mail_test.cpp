// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Letters of gossip: each is taken or taken back, and who reads late finds what was sent to him.
#include "engine/gossip_mail.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "engine/handle.h"
#include "support/ranks.h"

namespace goss::engine {
namespace {

class GossipMailTest : public ::testing::Test {
 protected:
  GossipMailTest() : comms_(test::make_comms(2)) {
    for (int r = 0; r < 2; ++r) {
      auto made = GossipMail::create(comms_[r]->comm->parts(), 1, false);
      EXPECT_TRUE(made.ok());
      mails_.push_back(made.take());
    }
  }

  GossipMail& from() { return *mails_[0]; }
  GossipMail& to() { return *mails_[1]; }
  GossipMail::Sent post(uint64_t step, char content, size_t bytes = 100) {
    const size_t payload = from().new_payload(bytes).take();
    std::fill_n(from().payload(payload), bytes, std::byte(content));
    GossipHeader header;
    header.step = step;
    header.bytes = bytes;
    GossipMail::Sent sent;
    Result<bool> posted = from().post(1, header, payload, &sent);
    from().drop_payload(payload);
    return posted.ok() && posted.value() ? sent : GossipMail::Sent{};
  }

  test::Comms comms_;
  std::vector<std::unique_ptr<GossipMail>> mails_;
};

TEST_F(GossipMailTest, ALetterIsReadWhereItsSenderKeepsIt) {
  const GossipMail::Sent sent = post(7, 'a');
  ASSERT_EQ(to().letters(0).size(), 1u);
  const GossipMail::Letter letter = to().letters(0)[0];
  EXPECT_EQ(letter.header.step, 7u);
  const std::byte* payload = to().find_payload(letter).take();
  ASSERT_TRUE(to().take(letter));
  EXPECT_EQ(payload[99], std::byte('a'));
  EXPECT_EQ(from().fate(sent), LetterState::kReading);
  to().release(letter, LetterState::kTaken);
  EXPECT_EQ(from().fate(sent), LetterState::kTaken);
  EXPECT_EQ(from().withdraw(sent), LetterState::kTaken);
  EXPECT_TRUE(to().letters(0).empty());
}

TEST_F(GossipMailTest, ALetterThatIsTakenBackCannotBeTaken) {
  const GossipMail::Sent sent = post(1, 'a');
  const GossipMail::Letter letter = to().letters(0)[0];
  EXPECT_EQ(from().withdraw(sent), LetterState::kWithdrawn);
  EXPECT_FALSE(to().take(letter));
  // Nor when the slot has another letter meanwhile.
  for (uint64_t step = 2; step < 40; ++step) from().withdraw(post(step, 'b'));
  EXPECT_FALSE(to().take(letter));
}

TEST_F(GossipMailTest, WhatAStoppedReaderReadsIsNotWrittenAgain) {
  const GossipMail::Sent sent = post(1, 'a');
  const GossipMail::Letter letter = to().letters(0)[0];
  const std::byte* payload = to().find_payload(letter).take();
  ASSERT_TRUE(to().take(letter));  // and here it is stopped for 100 steps
  for (uint64_t step = 2; step < 100; ++step) {
    const GossipMail::Sent next = post(step, 'b');
    ASSERT_EQ(next.peer, 1) << "step " << step;
    EXPECT_EQ(from().withdraw(next), LetterState::kWithdrawn);
  }
  EXPECT_EQ(std::count(payload, payload + 100, std::byte('a')), 100);
  EXPECT_EQ(from().fate(sent), LetterState::kReading);
  to().release(letter, LetterState::kTaken);
}

TEST_F(GossipMailTest, AFullPairSaysSoAndGivesRoomWhenTheOldestIsTakenBack) {
  for (uint64_t step = 0; step < shm::kGossipSlots; ++step) ASSERT_EQ(post(step, 'a').peer, 1);
  EXPECT_EQ(post(99, 'b').peer, -1);
  from().make_room(1);
  EXPECT_EQ(post(99, 'b').peer, 1);
  const auto letters = to().letters(0);
  EXPECT_EQ(letters.size(), static_cast<size_t>(shm::kGossipSlots));
  EXPECT_TRUE(std::none_of(letters.begin(), letters.end(),
                           [](const auto& letter) { return letter.header.step == 0; }));
}

// One side takes, the other takes back, at the same time: exactly one of them succeeds.
TEST_F(GossipMailTest, TakingAndTakingBackNeverBothSucceed) {
  constexpr uint64_t kLetters = 2000;
  std::atomic<uint64_t> taken{0};
  std::atomic<bool> over{false};
  std::thread reader([&] {
    while (!over || !to().letters(0).empty()) {
      const auto seen = to().letters(0);
      const std::vector<GossipMail::Letter> letters(seen.begin(), seen.end());
      for (const GossipMail::Letter& letter : letters) {
        Result<const std::byte*> payload = to().find_payload(letter);
        if (!payload.ok() || payload.value() == nullptr || !to().take(letter)) continue;
        const auto wanted = std::byte(letter.header.step % 100);
        EXPECT_EQ(std::count(payload.value(), payload.value() + 100, wanted), 100);
        ++taken;
        to().release(letter, LetterState::kTaken);
      }
    }
  });
  uint64_t withdrawn = 0;
  for (uint64_t step = 0; step < kLetters; ++step) {
    const GossipMail::Sent sent = post(step, static_cast<char>(step % 100));
    if (step % 3 == 0) std::this_thread::yield();
    if (from().withdraw(sent) == LetterState::kWithdrawn) ++withdrawn;
  }
  over = true;
  reader.join();
  EXPECT_EQ(taken + withdrawn, kLetters);
}

TEST_F(GossipMailTest, ARankThatLeavesTakesItsLettersBackAndSaysSo) {
  post(1, 'a');
  const GossipMail::Letter letter = to().letters(0)[0];
  EXPECT_TRUE(to().place(0).here);
  mails_[0].reset();
  EXPECT_FALSE(to().take(letter));
  EXPECT_TRUE(to().place(0).left);
  EXPECT_FALSE(to().place(0).dead);
}

TEST_F(GossipMailTest, NewsOfDeathsSpreadAndAreMergedOnce) {
  collectives::Membership mine(2);
  collectives::Membership theirs(2);
  EXPECT_FALSE(to().hear(&theirs));
  mine.suspect(1);
  from().publish(mine);
  EXPECT_TRUE(to().hear(&theirs));
  EXPECT_FALSE(theirs.is_alive(1));
  EXPECT_FALSE(to().hear(&theirs));
}

}  // namespace
}  // namespace goss::engine
