// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include <gtest/gtest.h>

#include <string>

#include "support/ranks.h"

namespace goss::test {
namespace {

std::string explain_peer(gossComm_t comm, int peer) {
  char text[2000];
  MUST(gossExplainPeer(comm, peer, text, sizeof(text)));
  return text;
}

TEST(ExplainPeer, SaysOneFactPerLine) {
  run_ranks(3, [](Rank& me) {
    for (int peer = 0; peer < me.nranks; ++peer) {
      const std::string told = explain_peer(me.comm, peer);
      require(told.rfind("peer: rank " + std::to_string(peer) + " on host ", 0) == 0, told);
      require(told.find("\nwhy: ") != std::string::npos, told);
      require(told.back() == '\n', told);
      const bool self = peer == me.rank;
      require((told.find("\nby: nothing\n") != std::string::npos) == self, told);
      require((told.find("\nby: shared memory\nover: the memory of one process\nshares: ") !=
               std::string::npos) == !self,
              told);
    }
  });
}

TEST(ExplainPeer, CutsItsTextAndRefusesWhatIsWrong) {
  Comms comms = make_comms(2);
  char text[10] = "123456789";
  MUST(gossExplainPeer(comms[0], 1, text, 5));
  EXPECT_STREQ(text, "peer");
  EXPECT_EQ(text[5], '6');
  EXPECT_EQ(gossExplainPeer(comms[0], 2, text, sizeof(text)), gossInvalidArgument);
  EXPECT_NE(last_error().find("peer 2 of 2 ranks"), std::string::npos);
  EXPECT_EQ(gossExplainPeer(comms[0], -1, text, sizeof(text)), gossInvalidArgument);
  EXPECT_EQ(gossExplainPeer(comms[0], 0, nullptr, 10), gossInvalidArgument);
  EXPECT_EQ(gossExplainPeer(comms[0], 0, text, 0), gossInvalidArgument);
  EXPECT_EQ(gossExplainPeer(nullptr, 0, text, sizeof(text)), gossInvalidArgument);
}

}  // namespace
}  // namespace goss::test
