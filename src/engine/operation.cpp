// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/operation.h"

#include "base/status.h"
#include "engine/compression.h"

namespace goss::engine {

using collectives::Kind;

const char* way_name(Transfer::Way way) {
  switch (way) {
    case Transfer::Way::kSend: return "send";
    case Transfer::Way::kReceive: return "receive";
    case Transfer::Way::kPut: return "put";
    case Transfer::Way::kWaitSignal: return "wait for a signal";
  }
  return "?";
}

std::string describe(const Transfer& transfer) {
  const char* direction = transfer.to_peer() ? "to" : "from";
  if (transfer.way == Transfer::Way::kWaitSignal) {
    return format("%s(%llu times sigIdx %d ctx %d, %s rank %d)", way_name(transfer.way),
                  static_cast<unsigned long long>(transfer.times), transfer.signal % GOSS_SIGNALS,
                  transfer.signal / GOSS_SIGNALS, direction, transfer.peer);
  }
  return format("%s(count %zu, %s, %s rank %d)", way_name(transfer.way), transfer.count,
                type_name(transfer.type), direction, transfer.peer);
}

namespace {

// Behind those of shared memory come those of messages, or, compressed, those that pass bytes on.
const char* algorithm_name(size_t value, bool compressed) {
  const size_t here = collectives::registry().size();
  if (value < here) return collectives::registry()[value].name;
  const size_t rest = value - here;
  if (compressed) {
    const auto rows = collectives::forwarding_registry();
    return rest < rows.size() ? rows[rest].name : nullptr;
  }
  const auto rows = collectives::message_registry();
  return rest < rows.size() ? rows[rest].name : nullptr;
}

}  // namespace

std::string describe(const Signature& signature) {
  const auto byte = [&](int shift) {
    return static_cast<unsigned>(signature.what >> shift) & 255u;
  };
  const unsigned kind = byte(0);
  const auto codecs = static_cast<uint32_t>(signature.what >> Signature::kCodecShift & 0xfffu);
  const char* algorithm = algorithm_name(byte(24), codecs != 0);
  // Records are shared memory that another process wrote: do not index with what they say.
  if (kind >= collectives::kNumKinds || !valid_type(static_cast<int>(byte(8))) ||
      algorithm == nullptr) {
    return "unknown operation";
  }
  std::string text = kind_name(static_cast<Kind>(kind));
  const unsigned op = byte(16);
  const char* op_text = op == Signature::kPreMulSum      ? "premulsum"
                        : valid_op(static_cast<int>(op)) ? op_name(static_cast<RedOp>(op))
                                                         : "unknown op";
  const char* type = kTypeName[byte(8)];
  const auto count = static_cast<unsigned long long>(signature.count);
  const collectives::KindFacts& kind_facts = collectives::facts(static_cast<Kind>(kind));
  if (static_cast<Kind>(kind) == Kind::kBarrier) return text;
  const bool varied = (signature.what & Signature::kVaried) != 0;
  text += format(varied ? "(counts up to %llu, %s" : "(count %llu, %s", count, type);
  if (kind_facts.reduces) text += std::string(", ") + op_text;
  if (kind_facts.rooted) {
    text += format(", root %u",
                   static_cast<unsigned>(signature.what >> Signature::kRootShift & 0xffffu));
  }
  text += std::string(", ") + algorithm;
  if (codecs != 0) text += ", compressed as " + describe_packed(codecs);
  if ((signature.what & Signature::kGrouped) != 0) text += ", grouped";
  return text + ")";
}

}  // namespace goss::engine
