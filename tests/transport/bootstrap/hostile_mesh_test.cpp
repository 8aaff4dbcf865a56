// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Strangers on the ports at which ranks wait for the links of their neighbours.
#include <gtest/gtest.h>

#include <set>

#include "strangers.h"
#include "support/test_scale.h"

namespace goss::bootstrap {
namespace {

using std::chrono::seconds;

// The ports at which ranks listen for their neighbours, found as an attacker would: by scanning.
std::vector<Address> listening_ports(const LocalJob& job) {
  std::vector<Address> found;
  for (int fd = 3; fd < 200; ++fd) {
    int listening = 0;
    socklen_t bytes = sizeof(listening);
    Address address;
    address.bytes = sizeof(address.storage);
    if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &bytes) != 0 || !listening)
      continue;
    if (::getsockname(fd, address.get(), &address.bytes) != 0) continue;
    if (address.storage.ss_family == AF_INET && address.port() != address_of(job.id).port()) {
      found.push_back(address);
    }
  }
  return found;
}

// Creates all ranks and stops when all listen and none is linked. The port of each rank.
std::vector<Target> start_listening(LocalJob* job) {
  std::vector<Target> targets;
  std::set<int> known;
  for (uint32_t rank = 0; rank < job->size(); ++rank) {
    job->create(rank);
    std::vector<Address> ports;
    EXPECT_TRUE(LocalJob::until(
        [&] {
          EXPECT_TRUE(job->ranks[rank]->connect().ok());
          ports = listening_ports(*job);
          if (ports.size() == rank) job->root->poll();
          return ports.size() > rank;
        },
        seconds(3)));
    Hello link = genuine_hello(job->id, rank == 0 ? 1 : rank - 1, 4);
    link.purpose = Purpose::kLink;
    link.peer = rank;
    for (const Address& port : ports) {  // the new one belongs to the new rank
      if (!known.insert(port.port()).second) continue;
      targets.push_back({port, BadStreams(link, record(job->id.secret, link))});
    }
  }
  return targets;
}

// Rank 3 does nothing, so the others wait for their links to it with open ports, which are besieged
// by more strangers than they keep: every stream is read and answered or closed.
void besiege_waiting_ranks(LocalJob* job, std::vector<Target> targets) {
  targets.pop_back();
  Siege siege(std::move(targets), 100'000, Siege::Patience::kEndless);
  EXPECT_TRUE(LocalJob::until(
      [&] {
        siege.poll(3 * 80);
        job->root->poll();
        for (const size_t rank : {0u, 1u, 2u}) {
          const Result<bool> connected = job->ranks[rank]->connect();
          EXPECT_TRUE(connected.ok() && !connected.value()) << "rank " << rank;
        }
        return siege.met_all() || siege.over();
      },
      seconds(10)));
  EXPECT_TRUE(siege.met_all());
}

TEST(HostileMeshPorts, AreNeitherJoinedNorStalledNorCrashed) {
  LocalJob job(4);
  const std::vector<Target> targets = start_listening(&job);
  ASSERT_EQ(targets.size(), 4u);
  besiege_waiting_ranks(&job, targets);
  Siege siege(targets, test_scale(2'000, 200));
  for (int i = 0; i < 10; ++i) siege.poll(100);  // they wait in the queues of all listeners
  EXPECT_TRUE(LocalJob::until(
      [&] {
        siege.poll(100);
        job.connect_once();
        return job.all_done() && siege.over();
      },
      seconds(20)));
  job.expect_all_well();
}

}  // namespace
}  // namespace goss::bootstrap
