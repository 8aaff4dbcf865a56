/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The Gossamer authors */
/* One of four processes is killed in the middle of the work; the others shrink and go on. The
 * program starts its own ranks, because most launchers end a job when one process dies. */
#define _GNU_SOURCE
#include <gossamer/gossamer.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kRanks = 4, kVictim = 2, kSteps = 1000, kDeadly = 300 };

/* What the processes share before they have a communicator. */
struct start {
  volatile int made;
  gossUniqueId id;
};

static void check(gossResult_t result) {
  if (result == gossSuccess) return;
  fprintf(stderr, "%s\n", gossGetLastError(NULL));
  _exit(1);
}

/* A communicator of those that are left, in place of one that has failed. */
static gossComm_t shrink(gossComm_t comm) {
  gossComm_t smaller = NULL;
  gossResult_t result = gossRemoteError;
  while (result == gossRemoteError) { /* another one may die meanwhile */
    int lost[kRanks], count = 0;
    check(gossCommGetLostRanks(comm, lost, kRanks, &count));
    if (count == 0) continue; /* others have heard of the death a little earlier */
    result = gossCommShrink(comm, lost, count, &smaller, NULL, GOSS_SHRINK_ABORT);
  }
  check(result);
  check(gossCommDestroy(comm));
  return smaller;
}

static void work(gossComm_t comm, int first_rank) {
  double done[2] = {0, 0}; /* steps, and samples: each rank contributes one to a step */
  while (done[0] < kSteps) {
    if (first_rank == kVictim && done[0] == kDeadly) raise(SIGKILL);
    double samples = 1;
    gossResult_t result = gossAllReduce(&samples, &samples, 1, gossDouble, gossSum, comm, NULL);
    while (result == gossRemoteError) {
      comm = shrink(comm);
      /* Some may have completed the step that failed here: all go on from the furthest. */
      result = gossAllReduce(done, done, 2, gossDouble, gossMax, comm, NULL);
      samples = -1;
    }
    check(result);
    if (samples < 0) continue;
    done[0] += 1;
    done[1] += samples;
  }
  int rank, nranks;
  check(gossCommUserRank(comm, &rank));
  check(gossCommCount(comm, &nranks));
  if (rank == 0) printf("%d ranks are left, %g steps, %g samples\n", nranks, done[0], done[1]);
  check(gossCommFinalize(comm));
  check(gossCommDestroy(comm));
}

static void run_rank(struct start* start, int rank) {
  gossComm_t comm;
  if (rank == 0) {
    check(gossGetUniqueId(&start->id));
    __sync_synchronize();
    start->made = 1;
  }
  while (!start->made) usleep(100);
  __sync_synchronize();
  check(gossCommInitRank(&comm, kRanks, start->id, rank));
  work(comm, rank);
  fflush(stdout);
  _exit(0);
}

int main(void) {
  struct start* start =
      mmap(NULL, sizeof(*start), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) return 1;
  for (int rank = 0; rank < kRanks; ++rank) {
    if (fork() == 0) run_rank(start, rank);
  }
  int failed = 0, status = 0;
  while (wait(&status) > 0) failed += WIFEXITED(status) && WEXITSTATUS(status) != 0;
  return failed;
}
