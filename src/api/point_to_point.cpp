// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The entry points of gossamer.h that are messages between pairs of ranks.
#include "api/submit.h"
#include "gossamer/gossamer.h"

using goss::api::messages;
using goss::api::send_bytes;
using goss::engine::Transfer;

namespace {

gossResult_t one_message(const Transfer& transfer, gossComm_t comm, gossStream_t stream) {
  return goss::api::submit(messages(&transfer, 1), comm, stream);
}

}  // namespace

extern "C" {

gossResult_t gossSend(const void* sendbuff, size_t count, gossDataType_t datatype, int peer,
                      gossComm_t comm, gossStream_t stream) {
  return one_message({Transfer::Way::kSend, datatype, peer, count, send_bytes(sendbuff)}, comm,
                     stream);
}

gossResult_t gossRecv(void* recvbuff, size_t count, gossDataType_t datatype, int peer,
                      gossComm_t comm, gossStream_t stream) {
  auto* buffer = static_cast<std::byte*>(recvbuff);
  return one_message({Transfer::Way::kReceive, datatype, peer, count, buffer}, comm, stream);
}

}  // extern "C"
