// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The entry points of gossamer/window.h.
#include "engine/window.h"

#include <vector>

#include "api/submit.h"
#include "gossamer/gossamer.h"

using goss::fail;
using goss::Status;
using goss::api::guarded;
using goss::api::in_group;
using goss::api::messages;
using goss::api::null_argument;
using goss::api::send_bytes;
using goss::engine::Transfer;
namespace engine = goss::engine;

namespace {

Status check_memory(const char* name, const void* buff, size_t size) {
  if (buff == nullptr) return null_argument(name, "buff");
  if (size != 0) return {};
  return fail(gossInvalidArgument, "%s : size is 0", name);
}

Status check_signal(const char* name, int sig_index, int context) {
  if (sig_index < 0 || sig_index >= GOSS_SIGNALS) {
    return fail(gossInvalidArgument, "%s : invalid sigIdx %d (0..%d)", name, sig_index,
                GOSS_SIGNALS - 1);
  }
  if (context < 0 || context >= GOSS_SIGNAL_CONTEXTS) {
    return fail(gossInvalidArgument, "%s : invalid ctx %d (0..%d)", name, context,
                GOSS_SIGNAL_CONTEXTS - 1);
  }
  return {};
}

Status check_peer(const char* name, gossComm_t comm, int peer) {
  if (peer >= 0 && peer < comm->nranks) {
    if (!comm->comm->remote(peer)) return {};
    return fail(gossInvalidUsage,
                "refused: %s : rank %d is on another host; puts and signals need shared memory in "
                "this version",
                name, peer);
  }
  return fail(gossInvalidArgument, "%s : invalid peer %d (peer should be in the 0..%d range)", name,
              peer, comm->nranks - 1);
}

// What is put lies within the peer's window.
Status check_target(gossComm_t comm, gossWindow_t window, const Transfer& transfer) {
  GOSS_TRY(engine::check_complete(comm, window));
  if (!goss::valid_type(transfer.type)) return {};  // told by the call itself
  size_t bytes = 0;
  size_t end = 0;
  if (goss::checked_multiply(transfer.count, goss::type_size(transfer.type), &bytes) &&
      goss::checked_add(transfer.offset, bytes, &end) && end <= window->bytes_of(transfer.peer)) {
    return {};
  }
  return fail(gossInvalidArgument,
              "gossPutSignal : %zu of %s from byte %zu on end behind the window of rank %d, which "
              "has %zu bytes",
              transfer.count, goss::type_name(transfer.type), transfer.offset, transfer.peer,
              window->bytes_of(transfer.peer));
}

Status submit_all(const std::vector<Transfer>& transfers, gossComm_t comm, gossStream_t stream) {
  return engine::submit(comm, messages(transfers.data(), transfers.size()), stream);
}

Status put(const char* name, Transfer transfer, int sig_index, int context, unsigned int flags,
           gossComm_t comm, gossStream_t stream) {
  GOSS_TRY(engine::check_ready(comm));
  GOSS_TRY(check_signal(name, sig_index, context));
  GOSS_TRY(check_peer(name, comm, transfer.peer));
  if (flags != 0) return fail(gossInvalidArgument, "%s : unknown flags 0x%x", name, flags);
  if (transfer.count > 0) GOSS_TRY(check_target(comm, transfer.window, transfer));
  transfer.signal = context * GOSS_SIGNALS + sig_index;
  return submit_all({transfer}, comm, stream);
}

}  // namespace

extern "C" {

gossResult_t gossCommRegister(const gossComm_t comm, void* buff, size_t size, void** handle) {
  return guarded([&]() -> Status {
    constexpr char kName[] = "gossCommRegister";
    if (handle == nullptr) return null_argument(kName, "handle");
    GOSS_TRY(check_memory(kName, buff, size));
    GOSS_TRY(engine::check_ready(comm));
    return engine::memory_register(comm, buff, size, handle);
  });
}

gossResult_t gossCommDeregister(const gossComm_t comm, void* handle) {
  return guarded([&]() -> Status {
    GOSS_TRY(engine::check_ready(comm));
    return engine::memory_deregister(comm, handle);
  });
}

gossResult_t gossCommWindowRegister(gossComm_t comm, void* buff, size_t size, gossWindow_t* win,
                                    int winFlags) {
  return in_group([&]() -> Status {
    constexpr char kName[] = "gossCommWindowRegister";
    if (win == nullptr) return null_argument(kName, "win");
    *win = nullptr;
    GOSS_TRY(check_memory(kName, buff, size));
    if ((winFlags & ~(GOSS_WIN_COLL_SYMMETRIC | GOSS_WIN_STRICT_ORDERING)) != 0) {
      return fail(gossInvalidArgument, "%s : unknown flags 0x%x", kName, winFlags);
    }
    GOSS_TRY(engine::check_ready(comm));
    return engine::or_lose(comm, [&] { return engine::window_register(comm, buff, size, win); });
  });
}

gossResult_t gossCommWindowDeregister(gossComm_t comm, gossWindow_t win) {
  return guarded([&]() -> Status {
    GOSS_TRY(engine::check_ready(comm));
    return engine::window_deregister(comm, win);
  });
}

gossResult_t gossWinGetUserPtr(gossComm_t comm, gossWindow_t win, void** outUserPtr) {
  return guarded([&]() -> Status {
    if (outUserPtr == nullptr) return null_argument("gossWinGetUserPtr", "outUserPtr");
    GOSS_TRY(engine::check_ready(comm));
    GOSS_TRY(engine::check_window(comm, win));
    *outUserPtr = win->base();
    return {};
  });
}

gossResult_t gossPutSignal(const void* localbuff, size_t count, gossDataType_t datatype, int peer,
                           gossWindow_t peerWin, size_t peerWinOffset, int sigIdx, int ctx,
                           unsigned int flags, gossComm_t comm, gossStream_t stream) {
  return in_group([&] {
    Transfer transfer{Transfer::Way::kPut, datatype, peer, count, send_bytes(localbuff)};
    transfer.window = peerWin;
    transfer.offset = peerWinOffset;
    return put("gossPutSignal", transfer, sigIdx, ctx, flags, comm, stream);
  });
}

gossResult_t gossSignal(int peer, int sigIdx, int ctx, unsigned int flags, gossComm_t comm,
                        gossStream_t stream) {
  return in_group([&] {
    const Transfer transfer{Transfer::Way::kPut, gossInt8, peer, 0, nullptr};
    return put("gossSignal", transfer, sigIdx, ctx, flags, comm, stream);
  });
}

gossResult_t gossWaitSignal(int nDesc, gossWaitSignalDesc_t* signalDescs, gossComm_t comm,
                            gossStream_t stream) {
  return in_group([&]() -> Status {
    constexpr char kName[] = "gossWaitSignal";
    if (signalDescs == nullptr) return null_argument(kName, "signalDescs");
    if (nDesc < 1) return fail(gossInvalidArgument, "%s : %d descriptions", kName, nDesc);
    GOSS_TRY(engine::check_ready(comm));
    std::vector<Transfer> transfers;
    for (const gossWaitSignalDesc_t* d = signalDescs; d < signalDescs + nDesc; ++d) {
      GOSS_TRY(check_signal(kName, d->sigIdx, d->ctx));
      GOSS_TRY(check_peer(kName, comm, d->peer));
      if (d->opCnt < 1) return fail(gossInvalidArgument, "%s : opCnt is %d", kName, d->opCnt);
      Transfer transfer{Transfer::Way::kWaitSignal, gossInt8, d->peer, 0, nullptr};
      transfer.signal = d->ctx * GOSS_SIGNALS + d->sigIdx;
      transfer.times = static_cast<uint64_t>(d->opCnt);
      transfers.push_back(transfer);
    }
    return submit_all(transfers, comm, stream);
  });
}

}  // extern "C"
