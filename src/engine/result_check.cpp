// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/result_check.h"

#include <cstring>
#include <string_view>

#include "engine/error_report.h"
#include "transport/hmac.h"

namespace goss::engine {

using collectives::Kind;

namespace {

// Of the bytes one after the other: where they lie is each rank's own matter.
uint64_t hash_of_result(const Operation& operation, int rank, int nranks) {
  const size_t element = type_size(operation.type);
  std::vector<std::string_view> parts;
  const auto add = [&](const std::byte* data, size_t count) {
    parts.emplace_back(reinterpret_cast<const char*>(data), count * element);
  };
  if (operation.nextents > 0) {
    for (size_t i = 0; i < operation.nextents; ++i) {
      add(operation.extents[i].output, operation.extents[i].count);
    }
  } else if (operation.block_counts != nullptr) {
    for (int r = 0; r < nranks; ++r) {
      add(operation.buffer.output + operation.block_places[r] * element, operation.block_counts[r]);
    }
  } else {
    add(operation.buffer.output, result_elements(operation, rank, nranks));
  }
  const Digest digest = sha256(parts);
  uint64_t hash;
  std::memcpy(&hash, digest.data(), sizeof(hash));
  return hash;
}

}  // namespace

const Operation* ResultCheck::begin(Communicator& comm, const Operation& operation) {
  const bool same = operation.kind == Kind::kAllReduce || operation.kind == Kind::kAllGather ||
                    operation.kind == Kind::kBroadcast;
  if (!same || operation.count == 0 || comm.nranks() == 1) return nullptr;
  if (!comm.compute().host_memory()) return nullptr;
  what_ = format("%s of %zu x %s, operation #%llu of communicator '%s'",
                 collectives::kind_name(operation.kind), operation.count, type_name(operation.type),
                 static_cast<unsigned long long>(comm.operations()), comm.settings().name.c_str());
  hash_ = hash_of_result(operation, comm.rank(), comm.nranks());
  hashes_.assign(static_cast<size_t>(comm.nranks()), 0);
  exchange_ = {};
  exchange_.kind = Kind::kAllGather;
  exchange_.type = gossUint64;
  exchange_.count = 1;
  exchange_.buffer = {reinterpret_cast<const std::byte*>(&hash_),
                      reinterpret_cast<std::byte*>(hashes_.data()), 1};
  return &exchange_;
}

Status ResultCheck::compare(const Communicator& comm) const {
  std::string others;
  for (int r = 1; r < comm.nranks(); ++r) {
    if (hashes_[static_cast<size_t>(r)] == hashes_[0]) continue;
    others += (others.empty() ? "" : ", ") + comm.name_of(r);
  }
  if (others.empty()) return {};
  return fail(gossInternalError,
              "GOSS_VERIFY: the result of %s is another one on %s than on %s. Either its buffers "
              "were changed during the call or overlap, or memory, a network or the library is at "
              "fault",
              what_.c_str(), others.c_str(), comm.name_of(0).c_str());
}

}  // namespace goss::engine
