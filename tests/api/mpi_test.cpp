// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// A communicator from an MPI communicator, under mpirun: every rank runs this program.
#include <gossamer/gossamer_mpi.h>
#include <gtest/gtest.h>

namespace goss::test {
namespace {

TEST(MpiStart, TakesRanksInTheirOrderAndNeedsMpiNoLonger) {
  gossComm_t comm = nullptr;
  EXPECT_EQ(gossCommInitMpi(nullptr, MPI_COMM_WORLD, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossCommInitMpi(&comm, MPI_COMM_WORLD, nullptr), gossInvalidUsage) << "before MPI_Init";
  ASSERT_EQ(MPI_Init(nullptr, nullptr), MPI_SUCCESS);
  int rank = -1;
  int nranks = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &nranks);
  EXPECT_GT(nranks, 1) << "to be started by mpirun";
  MPI_Comm reversed = MPI_COMM_NULL;
  MPI_Comm_split(MPI_COMM_WORLD, 0, -rank, &reversed);
  const gossResult_t made = gossCommInitMpi(&comm, reversed, nullptr);
  MPI_Comm_free(&reversed);
  MPI_Finalize();
  ASSERT_EQ(made, gossSuccess) << gossGetLastError(nullptr);

  int value = -1;
  EXPECT_EQ(gossCommUserRank(comm, &value), gossSuccess);
  EXPECT_EQ(value, nranks - 1 - rank);
  EXPECT_EQ(gossCommCount(comm, &value), gossSuccess);
  EXPECT_EQ(value, nranks);
  int sum = rank;
  EXPECT_EQ(gossAllReduce(&sum, &sum, 1, gossInt, gossSum, comm, nullptr), gossSuccess);
  EXPECT_EQ(sum, nranks * (nranks - 1) / 2);
  EXPECT_EQ(gossCommFinalize(comm), gossSuccess);
  EXPECT_EQ(gossCommDestroy(comm), gossSuccess);
  EXPECT_EQ(gossCommInitMpi(&comm, MPI_COMM_WORLD, nullptr), gossInvalidUsage)
      << "after MPI_Finalize";
}

}  // namespace
}  // namespace goss::test
