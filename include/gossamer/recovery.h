/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The Gossamer authors */
/**
 * Communicators that lose ranks, get new ones, or rest. Part of gossamer.h, which includes it.
 *
 * After a death: every call on the communicator returns gossRemoteError. Then
 *
 * @code{.c}
 * int* lost = malloc(nranks * sizeof(int));  // nranks: of comm
 * int count = 0;
 * gossComm_t smaller = NULL;
 * gossResult_t result = gossRemoteError;
 * while (result == gossRemoteError) {  // one more may die meanwhile
 *   gossCommGetLostRanks(comm, lost, nranks, &count);
 *   if (count == 0) continue;  // others have heard of the death a little earlier
 *   result = gossCommShrink(comm, lost, count, &smaller, NULL, GOSS_SHRINK_ABORT);
 * }
 * gossCommDestroy(comm);
 * @endcode
 */
#ifndef GOSSAMER_RECOVERY_H_
#define GOSSAMER_RECOVERY_H_

#include <stdint.h>

#include "gossamer/gossamer.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GOSS_SHRINK_DEFAULT 0x00
#define GOSS_SHRINK_ABORT 0x01
#define GOSS_REVOKE_DEFAULT 0x00
#define GOSS_SUSPEND_MEM 0x01

/**
 * The ranks of `comm` that have died or left (destroyed it, or exited), as far as this rank knows,
 * in ascending order: at most `capacity` of them in `ranks`, the number of all in `*count`, which
 * may be more than that. Local; other ranks may learn of a death some milliseconds earlier or
 * later, so it may be 0 after a call has failed because of it. `ranks` may be NULL when capacity
 * is 0. Errors: gossInvalidArgument (NULL, capacity < 0, a communicator that is none).
 */
GOSS_API gossResult_t gossCommGetLostRanks(gossComm_t comm, int* ranks, int capacity, int* count);

/**
 * Make a communicator of the ranks of `comm` that are not in the list, in their order. The ranks
 * that are not in the list call it, all with the same list; the others do not. Works on a
 * communicator that has failed. The result is as blocking as its config says; config NULL: the
 * parent's.
 *
 * GOSS_SHRINK_DEFAULT waits for the calls queued on `comm` first; the parent goes on unless it has
 * failed. GOSS_SHRINK_ABORT fails them (gossRemoteError), and the parent on all its ranks: it can
 * be destroyed, or shrunk again.
 *
 * A rank that dies meanwhile: gossRemoteError; call it again with a longer list. Ranks that go on
 * with the old list are told within a second of that death.
 * Errors: gossInvalidArgument (NULL, an empty list, a rank in it outside 0..nranks-1, the own rank
 * in it, unknown flags, a bad config), gossInvalidUsage (ranks gave different lists, said after
 * 5 s; finalized), gossRemoteError, gossTimeout (names who did not come: GOSS_INIT_TIMEOUT).
 */
GOSS_API gossResult_t gossCommShrink(gossComm_t comm, int* excludeRanksList, int excludeRanksCount,
                                     gossComm_t* newcomm, gossConfig_t* config, int shrinkFlags);

/**
 * Make the id with which new ranks join `comm` (gossCommGrow). Call it on one rank, give the bytes
 * to the new ones. Local. Errors: as gossGetUniqueId; gossInvalidArgument (no communicator).
 */
GOSS_API gossResult_t gossCommGetUniqueId(gossComm_t comm, gossUniqueId* uniqueId);

/**
 * Make a communicator of the ranks of `comm` and of new ones, `nRanks` in all. Ranks of `comm` keep
 * their numbers and pass rank -1; the one that has made the id passes it, the others NULL. New
 * ranks pass comm NULL, the id, and their rank, from the old number of ranks on. Collective over
 * all of them. The parent goes on and is to be destroyed by its owner. config NULL: the parent's,
 * for new ranks all undefined. A job of its own: it does not end with the parent.
 * Errors: gossInvalidArgument (newcomm NULL, nRanks not above the parent's, rank, a new rank
 * without id), gossInvalidUsage (not exactly one rank of `comm` gave an id; nRanks or settings
 * differ; a rank is taken), those of gossCommInitRankConfig and of operations on the parent.
 */
GOSS_API gossResult_t gossCommGrow(gossComm_t comm, int nRanks, const gossUniqueId* uniqueId,
                                   int rank, gossComm_t* newcomm, gossConfig_t* config);

/**
 * Fail all calls on `comm`, running and queued, on all its ranks, but keep it: gossCommShrink and
 * gossCommDestroy may follow. From any thread; does not wait. The own calls, and later ones, return
 * gossInvalidUsage, those of other ranks gossRemoteError that names this one. NULL: success.
 * Errors: gossInvalidArgument (revoked or finalized before, flags other than GOSS_REVOKE_DEFAULT,
 * a communicator that is none or is being made).
 */
GOSS_API gossResult_t gossCommRevoke(gossComm_t comm, int revokeFlags);

/**
 * Give the memory back that `comm` stages data in; it returns with the next operations. Collective,
 * in the order of operations: a barrier that ends with it. Calls before gossCommResume are refused.
 * Messages that nobody has received keep their memory. Not part of groups.
 * Errors: gossInvalidArgument (flags other than GOSS_SUSPEND_MEM), gossInvalidUsage (suspended
 * before, in a group), those of operations.
 */
GOSS_API gossResult_t gossCommSuspend(gossComm_t comm, int flags);
/** Local. Errors: gossInvalidUsage (not suspended, or that is not complete yet). */
GOSS_API gossResult_t gossCommResume(gossComm_t comm);

/** What gossCommMemStats can be asked. Values and names are NCCL's; here it is memory of the host,
 * of this rank. */
typedef enum {
  gossStatGpuMemSuspend = 0,   /**< bytes that gossCommSuspend gives back */
  gossStatGpuMemSuspended = 1, /**< 1 while suspended, else 0 */
  gossStatGpuMemPersist = 2,   /**< bytes that it does not, about */
  gossStatGpuMemTotal = 3      /**< both */
} gossCommMemStat_t;
/** Errors: gossInvalidArgument (NULL, an unknown `stat`, a communicator that is none). */
GOSS_API gossResult_t gossCommMemStats(gossComm_t comm, gossCommMemStat_t stat, uint64_t* value);

/**
 * gossCommInitRankConfig with several ids: the first is used, so one rank makes and gives out one
 * id and nothing is gained by more. All ranks give the same ids in the same order.
 * Errors: as gossCommInitRankConfig; gossInvalidArgument (nId < 1 or above nranks, ids NULL).
 */
GOSS_API gossResult_t gossCommInitRankScalable(gossComm_t* newcomm, int nranks, int myrank, int nId,
                                               gossUniqueId* commIds, gossConfig_t* config);

#ifdef __cplusplus
}
#endif

#endif /* GOSSAMER_RECOVERY_H_ */
