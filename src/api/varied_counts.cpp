// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The entry points of gossamer.h with a count for each rank.
#include <algorithm>
#include <vector>

#include "api/submit.h"
#include "gossamer/gossamer.h"

using goss::checked_add;
using goss::checked_multiply;
using goss::fail;
using goss::Status;
using goss::api::in_group;
using goss::api::messages;
using goss::api::send_bytes;
using goss::api::submit;
using goss::collectives::Kind;
using goss::engine::Operation;
using goss::engine::Transfer;
namespace engine = goss::engine;

namespace {

// A buffer with a block for each rank.
struct Blocks {
  const char* name;  // "send" or "receive"
  std::byte* buffer;
  const size_t* counts;
  const size_t* displacements;
};

Status check_counts(const char* call, const size_t* counts, gossDataType_t type, int nranks) {
  if (counts == nullptr) return fail(gossInvalidArgument, "%s : counts are NULL", call);
  if (!goss::valid_type(type)) {
    return fail(gossInvalidArgument, "%s : invalid type %d (types are 0..%d)", call,
                static_cast<int>(type), gossNumTypes - 1);
  }
  size_t total = 0;
  for (int r = 0; r < nranks; ++r) {
    size_t bytes = 0;
    if (!checked_multiply(counts[r], goss::type_size(type), &bytes) ||
        !checked_add(total, bytes, &total) || total > PTRDIFF_MAX) {
      return fail(gossInvalidArgument,
                  "%s : the counts up to rank %d (%zu of %s) are larger than the address space",
                  call, r, counts[r], goss::type_name(type));
    }
  }
  return {};
}

Status check_blocks(const char* call, const Blocks& blocks, gossDataType_t type, int nranks) {
  GOSS_TRY(check_counts(call, blocks.counts, type, nranks));
  if (blocks.displacements == nullptr) {
    return fail(gossInvalidArgument, "%s : displacements of the %s buffer are NULL", call,
                blocks.name);
  }
  for (int r = 0; r < nranks; ++r) {
    size_t end = 0;
    size_t bytes = 0;
    if (!checked_add(blocks.displacements[r], blocks.counts[r], &end) ||
        !checked_multiply(end, goss::type_size(type), &bytes) || bytes > PTRDIFF_MAX) {
      return fail(gossInvalidArgument,
                  "%s : displacement %zu of rank %d in the %s buffer is larger than the address "
                  "space",
                  call, blocks.displacements[r], r, blocks.name);
    }
    if (blocks.counts[r] != 0 && blocks.buffer == nullptr) {
      return fail(gossInvalidArgument, "%s : %s buffer is NULL but the count of rank %d is %zu",
                  call, blocks.name, r, blocks.counts[r]);
    }
  }
  return {};
}

void add_messages(Transfer::Way way, const Blocks& blocks, gossDataType_t type, int nranks,
                  std::vector<Transfer>* transfers) {
  for (int r = 0; r < nranks; ++r) {
    std::byte* block = blocks.buffer == nullptr
                           ? nullptr
                           : blocks.buffer + blocks.displacements[r] * goss::type_size(type);
    transfers->push_back({way, type, r, blocks.counts[r], block});
  }
}

// A collective whose blocks have been checked.
Operation varied(Kind kind, const void* sendbuff, void* recvbuff, const size_t* counts,
                 const size_t* places, gossDataType_t type, int nranks) {
  Operation operation;
  operation.kind = kind;
  operation.type = type;
  operation.count = *std::max_element(counts, counts + nranks);
  operation.buffer = {static_cast<const std::byte*>(sendbuff), static_cast<std::byte*>(recvbuff),
                      operation.count};
  operation.block_counts = counts;
  operation.block_places = places;
  return operation;
}

Status check_vector(const char* call, const char* name, const void* buffer, size_t count) {
  if (count == 0 || buffer != nullptr) return {};
  return fail(gossInvalidArgument, "%s : %s buffer is NULL but the own count is %zu", call, name,
              count);
}

// make(), once the communicator is known to be alive, then run().
template <class Make, class Run>
gossResult_t checked_first(gossComm_t comm, Make make, Run run) {
  const gossResult_t made = in_group([&]() -> Status {
    GOSS_TRY(engine::check_ready(comm));
    return engine::or_lose(comm, [&] {
      Status status = make();
      if (!status.ok()) comm->note_refusal(status);
      return status;
    });
  });
  return made == gossSuccess ? run() : made;
}

}  // namespace

extern "C" {

gossResult_t gossAllGatherv(const void* sendbuff, void* recvbuff, const size_t* recvcounts,
                            const size_t* rdispls, gossDataType_t datatype, gossComm_t comm,
                            gossStream_t stream) {
  Operation operation;
  return checked_first(
      comm,
      [&]() -> Status {
        const Blocks to{"receive", static_cast<std::byte*>(recvbuff), recvcounts, rdispls};
        GOSS_TRY(check_blocks("all_gather", to, datatype, comm->nranks));
        GOSS_TRY(check_vector("all_gather", "send", sendbuff, recvcounts[comm->rank]));
        operation = varied(Kind::kAllGather, sendbuff, recvbuff, recvcounts, rdispls, datatype,
                           comm->nranks);
        return {};
      },
      [&] { return submit(operation, comm, stream); });
}

gossResult_t gossReduceScatterv(const void* sendbuff, void* recvbuff, const size_t* recvcounts,
                                gossDataType_t datatype, gossRedOp_t op, gossComm_t comm,
                                gossStream_t stream) {
  Operation operation;
  std::vector<size_t> places;
  return checked_first(
      comm,
      [&]() -> Status {
        GOSS_TRY(check_counts("reduce_scatter", recvcounts, datatype, comm->nranks));
        size_t total = 0;
        for (int r = 0; r < comm->nranks; total += recvcounts[r++]) places.push_back(total);
        GOSS_TRY(check_vector("reduce_scatter", "send", sendbuff, total));
        GOSS_TRY(check_vector("reduce_scatter", "receive", recvbuff, recvcounts[comm->rank]));
        operation = varied(Kind::kReduceScatter, sendbuff, recvbuff, recvcounts, places.data(),
                           datatype, comm->nranks);
        operation.op = op;
        return {};
      },
      [&] { return submit(operation, comm, stream); });
}

gossResult_t gossAlltoAllv(const void* sendbuff, const size_t* sendcounts, const size_t* sdispls,
                           void* recvbuff, const size_t* recvcounts, const size_t* rdispls,
                           gossDataType_t datatype, gossComm_t comm, gossStream_t stream) {
  std::vector<Transfer> transfers;
  return checked_first(
      comm,
      [&]() -> Status {
        if (sendbuff != nullptr && sendbuff == recvbuff) {
          return fail(gossInvalidArgument,
                      "all_to_all : does not work in place (send and receive buffer are both %p)",
                      sendbuff);
        }
        const Blocks from{"send", send_bytes(sendbuff), sendcounts, sdispls};
        const Blocks to{"receive", static_cast<std::byte*>(recvbuff), recvcounts, rdispls};
        GOSS_TRY(check_blocks("all_to_all", from, datatype, comm->nranks));
        GOSS_TRY(check_blocks("all_to_all", to, datatype, comm->nranks));
        add_messages(Transfer::Way::kSend, from, datatype, comm->nranks, &transfers);
        add_messages(Transfer::Way::kReceive, to, datatype, comm->nranks, &transfers);
        return {};
      },
      [&] { return submit(messages(transfers.data(), transfers.size()), comm, stream); });
}

}  // extern "C"
