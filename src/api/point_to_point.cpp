// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The entry points of gossamer.h that are messages between pairs of ranks.
#include <vector>

#include "api/submit.h"
#include "gossamer/gossamer.h"

using goss::checked_multiply;
using goss::fail;
using goss::Result;
using goss::Status;
using goss::api::guarded;
using goss::api::null_argument;
using goss::engine::Operation;
using goss::engine::Transfer;
namespace engine = goss::engine;

namespace {

Operation messages(const Transfer* transfers, size_t ntransfers) {
  Operation operation;
  operation.transfers = transfers;
  operation.ntransfers = ntransfers;
  return operation;
}

gossResult_t one_message(const Transfer& transfer, gossComm_t comm, gossStream_t stream) {
  return goss::api::submit(messages(&transfer, 1), comm, stream);
}

// One side of an all-to-all: a block for each rank.
struct Blocks {
  Transfer::Way way;
  const char* name;
  std::byte* buffer;
  const size_t* counts;
  const size_t* displacements;
};

Status add_blocks(const Blocks& blocks, gossDataType_t type, int nranks,
                  std::vector<Transfer>* transfers) {
  if (blocks.counts == nullptr || blocks.displacements == nullptr) {
    return fail(gossInvalidArgument,
                "gossAlltoAllv : counts or displacements of the %s buffer are "
                "NULL",
                blocks.name);
  }
  if (!goss::valid_type(type)) return {};  // refused where messages are checked
  for (int r = 0; r < nranks; ++r) {
    const size_t count = blocks.counts[r];
    size_t offset = 0;
    if (!checked_multiply(blocks.displacements[r], goss::type_size(type), &offset) ||
        offset > PTRDIFF_MAX) {
      return fail(gossInvalidArgument,
                  "gossAlltoAllv : displacement %zu of rank %d in the %s buffer is larger than the "
                  "address space",
                  blocks.displacements[r], r, blocks.name);
    }
    if (count != 0 && blocks.buffer == nullptr) {
      return fail(gossInvalidArgument, "gossAlltoAllv : %s buffer is NULL but count %d is %zu",
                  blocks.name, r, count);
    }
    std::byte* buffer = blocks.buffer == nullptr ? nullptr : blocks.buffer + offset;
    transfers->push_back({blocks.way, type, r, count, buffer});
  }
  return {};
}

// Only read: see Transfer.
std::byte* send_bytes(const void* buffer) {
  return static_cast<std::byte*>(const_cast<void*>(buffer));
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

gossResult_t gossAlltoAllv(const void* sendbuff, const size_t* sendcounts, const size_t* sdispls,
                           void* recvbuff, const size_t* recvcounts, const size_t* rdispls,
                           gossDataType_t datatype, gossComm_t comm, gossStream_t stream) {
  std::vector<Transfer> transfers;
  const gossResult_t made = guarded([&] {
    const auto all = [&]() -> Status {
      GOSS_TRY(engine::check_ready(comm));
      if (sendbuff != nullptr && sendbuff == recvbuff) {
        return fail(gossInvalidArgument,
                    "gossAlltoAllv : does not work in place (send and receive buffer are both %p)",
                    sendbuff);
      }
      const Blocks from{Transfer::Way::kSend, "send", send_bytes(sendbuff), sendcounts, sdispls};
      const Blocks to{Transfer::Way::kReceive, "receive", static_cast<std::byte*>(recvbuff),
                      recvcounts, rdispls};
      GOSS_TRY(add_blocks(from, datatype, comm->nranks, &transfers));
      return add_blocks(to, datatype, comm->nranks, &transfers);
    };
    Status status = all();
    if (!status.ok()) engine::group_failed(status);
    return status;
  });
  if (made != gossSuccess) return made;
  return goss::api::submit(messages(transfers.data(), transfers.size()), comm, stream);
}

}  // extern "C"
