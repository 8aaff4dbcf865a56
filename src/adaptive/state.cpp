// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "adaptive/state.h"

#include <algorithm>

namespace goss::adaptive {

namespace {

constexpr size_t kHeaderBytes = 40;
constexpr char kMagic[] = "GOSSADPT";

uint64_t checksum(std::span<const std::byte> state) {
  Fnv1a sum;
  sum.add(state.first(24));
  sum.add(state.subspan(kHeaderBytes));
  return sum.value();
}

}  // namespace

const char* to_string(StateKind kind) {
  switch (kind) {
    case StateKind::kBatchPlanner: return "batch planner";
    case StateKind::kPrecision: return "precision controller";
  }
  return "unknown object";
}

std::vector<std::byte> StateWriter::finish(StateKind kind) const {
  StateWriter header;
  for (int i = 0; i < 8; ++i) header.put(kMagic[i]);
  header.put(static_cast<uint32_t>(kind));
  header.put(kStateVersion);
  header.put(uint64_t{fields_.size()});
  std::vector<std::byte> state = header.fields_;
  state.resize(kHeaderBytes);
  state.insert(state.end(), fields_.begin(), fields_.end());
  StateWriter sum;
  sum.put(checksum(state));
  std::copy(sum.fields_.begin(), sum.fields_.end(), state.begin() + 24);
  return state;
}

StateReader::StateReader(std::span<const std::byte> state, StateKind kind)
    : state_(state), kind_(kind) {}

Result<StateReader> StateReader::open(std::span<const std::byte> state, StateKind kind) {
  StateReader reader(state, kind);
  const char* name = to_string(kind);
  if (state.size() < kHeaderBytes) {
    return fail(gossInvalidArgument,
                "state of a %s : truncated: %zu bytes, the header alone has %zu", name,
                state.size(), kHeaderBytes);
  }
  if (std::memcmp(state.data(), kMagic, 8) != 0) {
    return fail(gossInvalidArgument,
                "state of a %s : bytes 0 to 7 are not \"%s\": this was not saved by Gossamer", name,
                kMagic);
  }
  reader.at_ = 8;
  const auto found = reader.load<uint32_t>();
  if (found != static_cast<uint32_t>(kind)) {
    return fail(gossInvalidArgument,
                "state of a %s : byte 8 says %u (%s): this is the state of another object", name,
                found, to_string(static_cast<StateKind>(found)));
  }
  const auto version = reader.load<uint32_t>();
  if (version != kStateVersion) {
    return fail(gossInvalidArgument,
                "state of a %s : format %u at byte 12, this library reads format %u: use the "
                "version of Gossamer that saved it",
                name, version, kStateVersion);
  }
  const auto bytes = reader.load<uint64_t>();
  if (bytes != state.size() - kHeaderBytes) {
    return fail(gossInvalidArgument,
                "state of a %s : %zu bytes behind the header, byte 16 says %llu: truncated or "
                "extended",
                name, state.size() - kHeaderBytes, static_cast<unsigned long long>(bytes));
  }
  const auto stored = reader.load<uint64_t>();
  if (stored != checksum(state) || reader.load<uint64_t>() != 0) {
    return fail(gossInvalidArgument,
                "state of a %s : checksum %016llx, byte 24 says %016llx: damaged somewhere in its "
                "%zu bytes",
                name, static_cast<unsigned long long>(checksum(state)),
                static_cast<unsigned long long>(stored), state.size());
  }
  return reader;
}

bool StateReader::has(size_t bytes, const char* field) {
  if (!status_.ok()) return false;
  if (state_.size() - at_ >= bytes) return true;
  refuse(field, "is missing");
  return false;
}

void StateReader::refuse(const char* field, const std::string& what) {
  if (!status_.ok()) return;
  status_ = fail(gossInvalidArgument, "state of a %s : field %s before byte %zu %s",
                 to_string(kind_), field, at_, what.c_str());
  at_ = state_.size();
}

Status StateReader::finish() {
  if (status_.ok() && at_ != state_.size()) refuse("end", "is followed by more bytes");
  return status_;
}

}  // namespace goss::adaptive
