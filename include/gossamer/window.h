/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The Gossamer authors */
/**
 * Registered memory and one-sided messages. Part of gossamer.h, which includes it.
 *
 * A *window* is memory of gossMemAlloc into which the other ranks put data without a call of its
 * owner. A put ends with a *signal* to the owner, who waits for signals and not for data. In this
 * version both ranks are on one host; otherwise the calls are refused (gossInvalidUsage).
 */
#ifndef GOSSAMER_WINDOW_H_
#define GOSSAMER_WINDOW_H_

#include <stddef.h>

#include "gossamer/gossamer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gossWindow* gossWindow_t;

#define GOSS_WIN_DEFAULT 0x00
#define GOSS_WIN_COLL_SYMMETRIC 0x01
#define GOSS_WIN_STRICT_ORDERING 0x02
/** Signals of one rank to another: sigIdx is below the first, ctx below the second. */
#define GOSS_SIGNALS 16
#define GOSS_SIGNAL_CONTEXTS 4

/**
 * Say that `buff` will be used in operations of `comm`. Memory of gossMemAlloc is made known to the
 * other ranks now instead of in the first operation; for other memory nothing is done. Local.
 * Errors: gossInvalidArgument (NULL, size 0, a communicator that is none).
 */
GOSS_API gossResult_t gossCommRegister(const gossComm_t comm, void* buff, size_t size,
                                       void** handle);
/** Errors: gossInvalidArgument (not of gossCommRegister on this communicator). */
GOSS_API gossResult_t gossCommDeregister(const gossComm_t comm, void* handle);

/**
 * Make `size` bytes at `buff`, memory of gossMemAlloc, a window of all ranks. Collective: every
 * rank gives a window of its own, the sizes may differ. Inside a group, or on a non-blocking
 * communicator, it can be used when that is complete. The flags change nothing here: every window
 * is symmetric and ordered. Ends with the communicator at the latest.
 * Errors: gossInvalidArgument (NULL, size 0, memory that is not of gossMemAlloc, unknown flags),
 * gossSystemError, those of operations.
 */
GOSS_API gossResult_t gossCommWindowRegister(gossComm_t comm, void* buff, size_t size,
                                             gossWindow_t* win, int winFlags);
/** Local: let all ranks complete their puts first, with a barrier for example. Not before the
 * operations of this rank that use it are complete. Errors: gossInvalidArgument (not of `comm`). */
GOSS_API gossResult_t gossCommWindowDeregister(gossComm_t comm, gossWindow_t win);
/** The own memory of a window. Errors: gossInvalidArgument (NULL, not of `comm`). */
GOSS_API gossResult_t gossWinGetUserPtr(gossComm_t comm, gossWindow_t win, void** outUserPtr);

/**
 * Copy `count` elements into the window of rank `peer`, from byte `peerWinOffset` on, then signal
 * to it. Of one rank's puts and signals to another, each is seen after those before it. Complete
 * when localbuff may be used again, which here means that the data has arrived. In a group, puts
 * and waits are on their way at once, like messages.
 *
 * Units    count is elements, peerWinOffset bytes. count 0: only the signal.
 * Alias    localbuff must not overlap what is written.
 * Exact    Bytes are copied.
 * Errors   gossInvalidArgument: bad handle, type, peer, sigIdx or ctx, flags other than 0, NULL
 *          buffer with count > 0, behind the end of the peer's window; gossInvalidUsage: a window
 *          that is not complete yet; those of operations.
 */
GOSS_API gossResult_t gossPutSignal(const void* localbuff, size_t count, gossDataType_t datatype,
                                    int peer, gossWindow_t peerWin, size_t peerWinOffset,
                                    int sigIdx, int ctx, unsigned int flags, gossComm_t comm,
                                    gossStream_t stream);
/** gossPutSignal without data; needs no window. */
GOSS_API gossResult_t gossSignal(int peer, int sigIdx, int ctx, unsigned int flags, gossComm_t comm,
                                 gossStream_t stream);

/** So many signals of one rank. */
typedef struct {
  int opCnt;  /**< 1 or more */
  int peer;   /**< the rank that signals */
  int sigIdx; /**< as given by it */
  int ctx;    /**< as given by it */
} gossWaitSignalDesc_t;

/**
 * Complete when all that `signalDescs` describes has come. A signal satisfies one wait: later waits
 * count those that come after. What was put before the signals can then be read.
 * Errors: gossInvalidArgument (nDesc < 1, NULL, a number outside its range), those of operations.
 * A wait whose signals do not come ends as a receive without a send does.
 */
GOSS_API gossResult_t gossWaitSignal(int nDesc, gossWaitSignalDesc_t* signalDescs, gossComm_t comm,
                                     gossStream_t stream);

#ifdef __cplusplus
}
#endif

#endif /* GOSSAMER_WINDOW_H_ */
