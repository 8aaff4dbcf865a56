// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/operation.h"

#include "base/status.h"

namespace goss::engine {

using collectives::Kind;

namespace {
// In `what`: several calls of a group that move as one. They are never read in place, so a rank
// whose call is not grouped would wait for others.
constexpr uint64_t kGrouped = uint64_t{1} << 63;
}  // namespace

Signature Signature::of(const Operation& operation, int algorithm) {
  const auto field = [](auto value, int shift) {
    return static_cast<uint64_t>(static_cast<uint32_t>(value)) << shift;
  };
  return {field(operation.kind, 0) | field(operation.type, 8) | field(operation.op, 16) |
              field(algorithm, 24) | field(operation.root, 32) |
              (operation.calls > 1 ? kGrouped : 0),
          operation.count};
}

uint32_t Signature::hash() const {
  // The finalizer of MurmurHash3 over both words.
  uint64_t h = what * 0x9e3779b97f4a7c15ULL ^ count;
  h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdULL;
  h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53ULL;
  return static_cast<uint32_t>(h ^ (h >> 33));
}

std::string describe(const Signature& signature) {
  const auto byte = [&](int shift) {
    return static_cast<unsigned>(signature.what >> shift) & 255u;
  };
  const unsigned kind = byte(0);
  // Records are shared memory that another process wrote: do not index with what they say.
  if (kind >= collectives::kNumKinds || !valid_type(static_cast<int>(byte(8))) ||
      byte(24) >= collectives::registry().size()) {
    return "unknown operation";
  }
  std::string text = kind_name(static_cast<Kind>(kind));
  const unsigned op = byte(16);
  const char* op_text =
      valid_op(static_cast<int>(op)) ? op_name(static_cast<RedOp>(op)) : "unknown op";
  const char* type = kTypeName[byte(8)];
  const char* algorithm = collectives::registry()[byte(24)].name;
  const auto count = static_cast<unsigned long long>(signature.count);
  const char* grouped = (signature.what & kGrouped) != 0 ? ", grouped" : "";
  switch (static_cast<Kind>(kind)) {
    case Kind::kAllReduce:
      return text + format("(count %llu, %s, %s, %s%s)", count, type, op_text, algorithm, grouped);
    case Kind::kBroadcast:
      return text + format("(count %llu, %s, root %u, %s%s)", count, type,
                           static_cast<unsigned>((signature.what & ~kGrouped) >> 32), algorithm,
                           grouped);
    case Kind::kBarrier: return text;
  }
  return text;
}

}  // namespace goss::engine
