// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The mesh of a job whose ranks share one thread: floods reach everybody once and in order, whoever
// dies or leaves.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "local_job.h"
#include "support/test_scale.h"

namespace goss::bootstrap {
namespace {

using std::chrono::milliseconds;
using Kind = Mesh::Event::Kind;

struct LocalMesh {
  std::vector<std::unique_ptr<Mesh>> ranks;
  std::vector<std::vector<Mesh::Event>> events;  // by rank, in order

  explicit LocalMesh(int nranks) {
    LocalJob job(nranks);
    job.create_all();
    EXPECT_TRUE(job.connect());
    for (auto& rank : job.ranks) ranks.push_back(rank->take_mesh());
    events.resize(ranks.size());
  }

  void poll_once() {
    std::vector<pollfd> fds;
    for (size_t rank = 0; rank < ranks.size(); ++rank) {
      if (ranks[rank] == nullptr) continue;
      ranks[rank]->poll(Clock::now(), &events[rank]);
      ranks[rank]->pollfds(&fds);
    }
    ::poll(fds.data(), fds.size(), 1);
  }
  bool until(const std::function<bool()>& ready, milliseconds limit = milliseconds(1000)) {
    return LocalJob::until([&] { return poll_once(), ready(); }, limit);
  }

  int count(size_t rank, Kind kind, int about) const {
    int found = 0;
    for (const Mesh::Event& event : events[rank]) {
      found += event.kind == kind && event.rank == about ? 1 : 0;
    }
    return found;
  }
  // All living ranks but `origin` have `n` messages of it.
  bool everyone_has(int origin, int n) const {
    for (size_t rank = 0; rank < ranks.size(); ++rank) {
      if (ranks[rank] == nullptr || static_cast<int>(rank) == origin) continue;
      if (count(rank, Kind::kMessage, origin) < n) return false;
    }
    return true;
  }
};

TEST(MeshFlood, ReachesEveryOtherRankOnceAndInOrder) {
  for (const int n : {1, 2, 3, 5, 8, 13, 17}) {
    LocalMesh mesh(n);
    constexpr int kMessages = 5;
    for (int i = 0; i < kMessages; ++i) {
      for (auto& rank : mesh.ranks) rank->flood("message " + std::to_string(i));
    }
    const auto all = [&] {
      for (int origin = 0; origin < n; ++origin) {
        if (!mesh.everyone_has(origin, kMessages)) return false;
      }
      return true;
    };
    ASSERT_TRUE(mesh.until(all)) << n;
    for (int i = 0; i < 5; ++i) mesh.poll_once();
    for (const auto& events : mesh.events) {
      std::map<int, int> next;
      EXPECT_EQ(events.size(), static_cast<size_t>(kMessages * (n - 1)));
      for (const Mesh::Event& event : events) {
        EXPECT_EQ(event.payload, "message " + std::to_string(next[event.rank]++));
      }
    }
  }
}

TEST(MeshFlood, CarriesFourKibibytes) {
  LocalMesh mesh(5);
  mesh.ranks[2]->flood(std::string(4096, 'z'));
  ASSERT_TRUE(mesh.until([&] { return mesh.everyone_has(2, 1); }));
  EXPECT_EQ(mesh.events[0].front().payload, std::string(4096, 'z'));
}

TEST(MeshLoss, IsSeenByEveryNeighbourAtOnceWhicheverRankDies) {
  for (int victim = 0; victim < 8; ++victim) {
    LocalMesh mesh(8);
    mesh.ranks[static_cast<size_t>(victim)].reset();
    const auto seen = [&] {
      int ranks = 0;
      for (size_t rank = 0; rank < 8; ++rank) ranks += mesh.count(rank, Kind::kLost, victim);
      return ranks == 5;  // 8 ranks: +-1, +-2, +4 are neighbours
    };
    EXPECT_TRUE(mesh.until(seen)) << victim;
  }
}

TEST(MeshLoss, LeavesFloodingAmongTheLivingIntact) {
  std::mt19937 random(1);
  const int rounds = test_scale(20, 4);
  for (int round = 0; round < rounds; ++round) {
    const int n = 6 + round % 12;
    LocalMesh mesh(n);
    const auto first = random() % static_cast<unsigned>(n);
    const auto second = random() % static_cast<unsigned>(n);
    // A message is on its way while they die.
    const auto origin = (first + 1) % static_cast<unsigned>(n) == second
                            ? (second + 1) % static_cast<unsigned>(n)
                            : (first + 1) % static_cast<unsigned>(n);
    mesh.ranks[origin]->flood("before");
    mesh.ranks[first].reset();
    if (second != origin) mesh.ranks[second].reset();
    if (origin == first) continue;
    mesh.ranks[origin]->flood("after");
    EXPECT_TRUE(mesh.until([&] { return mesh.everyone_has(static_cast<int>(origin), 2); }))
        << "n=" << n << " dead " << first << " and " << second;
  }
}

TEST(MeshLeave, IsToldToNeighboursAndIsNoLoss) {
  LocalMesh mesh(8);
  mesh.ranks[3]->flood("last words");
  mesh.ranks[3]->leave();
  EXPECT_TRUE(mesh.until([&] { return mesh.ranks[3]->flushed(); }));
  mesh.ranks[3].reset();
  EXPECT_TRUE(mesh.until([&] {
    for (const size_t rank : {1u, 2u, 4u, 5u, 7u}) {
      if (mesh.count(rank, Kind::kLeft, 3) != 1) return false;
    }
    return mesh.everyone_has(3, 1);
  }));
  mesh.ranks[0]->flood("still here");
  EXPECT_TRUE(mesh.until([&] { return mesh.everyone_has(0, 1); }));
  for (size_t rank = 0; rank < 8; ++rank) EXPECT_EQ(mesh.count(rank, Kind::kLost, 3), 0);
}

TEST(MeshLeave, OfAllRanksAtOnceIsClean) {
  LocalMesh mesh(9);
  for (auto& rank : mesh.ranks) rank->leave();
  EXPECT_TRUE(mesh.until([&] {
    for (const auto& rank : mesh.ranks) {
      if (!rank->flushed()) return false;
    }
    return true;
  }));
}

TEST(MeshSilence, IsNotDeath) {
  LocalMesh mesh(4);
  std::unique_ptr<Mesh> stopped = std::move(mesh.ranks[2]);  // nobody polls it any more
  const auto end = Clock::now() + milliseconds(6000);
  while (Clock::now() < end) mesh.poll_once();
  for (size_t rank = 0; rank < 4; ++rank) EXPECT_EQ(mesh.count(rank, Kind::kLost, 2), 0);
  mesh.ranks[0]->flood("are you there");
  mesh.ranks[2] = std::move(stopped);
  EXPECT_TRUE(mesh.until([&] { return mesh.everyone_has(0, 1); }));
}

std::vector<int> lost_ranks(const std::vector<Mesh::Event>& events) {
  std::vector<int> ranks;
  for (const Mesh::Event& event : events) {
    if (event.kind == Kind::kLost) ranks.push_back(event.rank);
  }
  return ranks;
}

TEST(MeshAfterStart, TellsOfADeathThatTheAllGatherSurvived) {
  LocalJob job(4);
  job.create_all();
  ASSERT_TRUE(job.connect());
  std::vector<std::vector<std::string>> all;
  ASSERT_TRUE(job.allgather(std::vector<std::string>(4, "x"), &all));
  job.ranks[1].reset();
  for (const size_t rank : {0u, 2u, 3u}) {
    std::unique_ptr<Mesh> mesh = job.ranks[rank]->take_mesh();
    std::vector<Mesh::Event> events;
    EXPECT_TRUE(LocalJob::until(
        [&] {
          mesh->poll(Clock::now(), &events);
          return lost_ranks(events) == std::vector<int>{1};
        },
        milliseconds(500)));
    mesh->leave();
    // The others must not see this one's end as a death.
  }
}

}  // namespace
}  // namespace goss::bootstrap
