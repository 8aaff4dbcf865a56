// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/compression.h"

#include <algorithm>
#include <limits>

#include "base/status.h"
#include "engine/call_options.h"

namespace goss::engine {

using collectives::Algorithm;
using collectives::Kind;
using quant::Codec;
using What = CodecWish::What;
using Route = CodecWish::Route;

namespace {

// Up to so many bytes of a rank's wire, one exchange of everything beats two of parts: it has half
// the latency and the smallest error. Of two ranks both have as many bytes; of more, parts have
// fewer (4 hosts, 128 KiB in int8: half the time at 1 Gbit/s and at 10).
constexpr size_t kOneShotWireBytes = 64 * 1024;
constexpr size_t kOneShotWireBytesOfTwo = 256 * 1024;
constexpr size_t kFlatBroadcastWireBytes = 64 * 1024;

}  // namespace

Algorithm compressed_algorithm(const Operation& operation, int nranks, const CodecChoice& wish) {
  const auto n = static_cast<size_t>(nranks);
  switch (operation.kind) {
    case Kind::kAllReduce: {
      if (wish.route == Route::kOneShot) return Algorithm::kAllReduceOneShot;
      if (wish.route == Route::kDirect) return Algorithm::kAllReduceTwoShot;
      if (wish.route == Route::kRing) return Algorithm::kAllReduceRing;
      const size_t wire = quant::encoded_bytes(wish.reduce, operation.count) * (n - 1);
      const bool one_codec = wish.reduce == wish.gather;
      const size_t most = n == 2 ? kOneShotWireBytesOfTwo : kOneShotWireBytes;
      return one_codec && wire <= most ? Algorithm::kAllReduceOneShot
                                       : Algorithm::kAllReduceTwoShot;
    }
    case Kind::kBroadcast: {
      const size_t wire = quant::encoded_bytes(wish.reduce, operation.count) * (n - 1);
      return n == 2 || wire <= kFlatBroadcastWireBytes ? Algorithm::kBroadcastFlat
                                                       : Algorithm::kBroadcastTwoShot;
    }
    case Kind::kReduce: return n == 2 ? Algorithm::kReduceFlat : Algorithm::kReduceTwoShot;
    case Kind::kAllGather: return Algorithm::kAllGatherFlat;
    case Kind::kReduceScatter: return Algorithm::kReduceScatterFlat;
    case Kind::kAllToAll: return Algorithm::kAllToAllFlat;
    case Kind::kGather: return Algorithm::kGatherFlat;
    case Kind::kScatter: return Algorithm::kScatterFlat;
    case Kind::kBarrier: break;
  }
  return Algorithm::kBarrierFlat;
}

namespace {

// Why an operation is not compressed whatever the wish; null: it may be.
const char* obstacle(const Operation& operation, int nranks, const CodecWish& wish) {
  if (operation.kind == Kind::kBarrier || operation.count == 0) return "nothing is moved";
  if (nranks == 1) return "one rank sends nothing";
  if (!quant::encodes(operation.type)) return "integers and fp8 are never compressed";
  if (operation.type == gossFloat64 && !wish.fp64) return "fp64 is compressed on request only";
  if (collectives::facts(operation.kind).reduces && operation.op == gossProd) {
    return "products are not compressed";
  }
  return nullptr;
}

bool saves_bytes(Codec codec, DataType type) {
  return quant::encoded_bytes(codec, quant::kSignUnit) < quant::kSignUnit * type_size(type);
}

Status check_ring(const Operation& operation, int nranks, const CodecWish& wish) {
  if (wish.route != Route::kRing) return {};
  if (operation.kind != Kind::kAllReduce) return {};
  const bool feedback = operation.options != nullptr && operation.options->feedback != nullptr;
  const int limit = std::min(ring_limit(wish.reduce), ring_limit(wish.gather));
  if (nranks <= limit || feedback) return {};
  return fail(gossInvalidArgument,
              "all_reduce : a ring of %d ranks rounds every element %d times, too often for %s, "
              "which stands at most %d ranks there. Use direct, a wider codec, or error feedback",
              nranks, nranks, quant::codec_info(wish.reduce).name, limit);
}

}  // namespace

int ring_limit(Codec codec) {
  switch (codec) {
    case Codec::kBf16:
    case Codec::kFp16: return std::numeric_limits<int>::max();
    case Codec::kInt8:
    case Codec::kMxInt8: return 16;
    case Codec::kInt6:
    case Codec::kFp8E4m3:
    case Codec::kMxFp8E4m3:
    case Codec::kMxFp6E2m3: return 8;
    case Codec::kInt5:
    case Codec::kFp8E5m2:
    case Codec::kMxFp8E5m2:
    case Codec::kMxFp6E3m2: return 6;
    case Codec::kInt4:
    case Codec::kMxFp4: return 4;
    case Codec::kInt3:
    case Codec::kInt2:
    case Codec::kSign: return 2;
  }
  return 2;
}

std::optional<Codec> codec_within(double error, bool reduces, quant::Rounding rounding) {
  for (const Codec codec : {Codec::kInt4, Codec::kInt5, Codec::kInt6, Codec::kInt8}) {
    const quant::ErrorFacts& facts = quant::codec_info(codec).error;
    const double bound = rounding == quant::Rounding::kNearest ? facts.bound : 2.0 * facts.bound;
    // Steps are rounded up to bf16, quotients to fp32.
    const double once = bound / facts.largest * (1 + 0x1p-7) * (1 + 0x1p-14);
    // The result is encoded again, and may be larger by what its contributions are off.
    const double all = reduces ? once + once * (1 + once) : once;
    if (all <= error) return codec;
  }
  return std::nullopt;
}

Result<CompressionChoice> choose_compression(const Operation& operation, int nranks,
                                             const CodecRules& rules) {
  const CallOptions* options = operation.options;
  if (rules.empty() && (options == nullptr || !options->wish)) return CompressionChoice{};
  if (operation.calls > 1) return CompressionChoice{{}, "small calls of a group move together"};
  const CodecWish* found = options != nullptr && options->wish
                               ? &*options->wish
                               : rules.find(static_cast<int>(operation.kind), operation.bytes());
  if (found == nullptr) return CompressionChoice{{}, "no rule of GOSS_CODEC fits"};
  CodecWish wish = *found;
  if (wish.what == What::kNone) return CompressionChoice{{}, "the rule says none"};
  if (const char* why = obstacle(operation, nranks, wish)) return CompressionChoice{{}, why};
  const bool reduces = collectives::facts(operation.kind).reduces;
  if (wish.what == What::kError) {
    const auto codec = codec_within(wish.error, reduces, wish.rounding);
    if (!codec) return CompressionChoice{{}, "no codec is as exact as is asked for"};
    wish.reduce = wish.gather = *codec;
    if (wish.route == Route::kRing) {
      return fail(gossInvalidArgument,
                  "%s : a largest error cannot be kept in a ring; leave the algorithm open",
                  kind_name(operation.kind));
    }
  }
  if (!reduces) wish.gather = wish.reduce;
  if (!saves_bytes(wish.reduce, operation.type) || !saves_bytes(wish.gather, operation.type)) {
    return CompressionChoice{{}, "the codec has no fewer bytes than the type"};
  }
  GOSS_TRY(check_ring(operation, nranks, wish));
  CodecChoice how{wish.reduce, wish.gather, wish.rounding, wish.mx_scale, wish.route, {}};
  how.algorithm = compressed_algorithm(operation, nranks, how);
  return CompressionChoice{how, options != nullptr && options->wish ? "the call asks for it"
                                                                    : "a rule of GOSS_CODEC fits"};
}

Result<CompressionChoice> choose_compression(const Transfer& transfer, const CodecRules& rules) {
  const CodecWish* found =
      transfer.wish ? &*transfer.wish : rules.find(kMessageKind, transfer.bytes());
  if (found == nullptr) return CompressionChoice{{}, "no rule of GOSS_CODEC fits"};
  CodecWish wish = *found;
  if (wish.what == What::kNone) return CompressionChoice{{}, "the rule says none"};
  Operation moved;  // which is as good as a broadcast to one
  moved.kind = Kind::kBroadcast;
  moved.type = transfer.type;
  moved.count = transfer.count;
  if (const char* why = obstacle(moved, 2, wish)) return CompressionChoice{{}, why};
  if (wish.what == What::kError) {
    const auto codec = codec_within(wish.error, false, wish.rounding);
    if (!codec) return CompressionChoice{{}, "no codec is as exact as is asked for"};
    wish.reduce = *codec;
  }
  if (!saves_bytes(wish.reduce, transfer.type)) {
    return CompressionChoice{{}, "the codec has no fewer bytes than the type"};
  }
  CodecChoice how{wish.reduce, wish.reduce, wish.rounding, wish.mx_scale, {}, {}};
  how.algorithm = Algorithm::kBroadcastFlat;
  return CompressionChoice{how,
                           transfer.wish ? "the call asks for it" : "a rule of GOSS_CODEC fits"};
}

// ---- as text ------------------------------------------------------------------------------------

uint32_t CodecChoice::packed() const {
  return static_cast<uint32_t>(reduce) | static_cast<uint32_t>(gather) << 5 |
         (rounding == quant::Rounding::kStochastic ? 1u << 10 : 0) |
         (mx_scale == quant::MxScale::kFloor ? 1u << 11 : 0);
}

std::string describe(const CodecChoice& compression) {
  std::string text = quant::codec_info(compression.reduce).name;
  if (compression.gather != compression.reduce) {
    text += std::string("/") + quant::codec_info(compression.gather).name;
  }
  if (compression.rounding == quant::Rounding::kStochastic) text += "+sr";
  if (compression.mx_scale == quant::MxScale::kFloor) text += "+floor";
  return text;
}

std::string describe_packed(uint32_t packed) {
  const auto codec = [](uint32_t value) -> std::optional<Codec> {
    if (value < 1 || value > quant::kNumCodecs) return std::nullopt;
    return static_cast<Codec>(value);
  };
  const auto reduce = codec(packed & 31u);
  const auto gather = codec(packed >> 5 & 31u);
  if (!reduce || !gather) return "?";
  CodecChoice compression;
  compression.reduce = *reduce;
  compression.gather = *gather;
  if ((packed >> 10 & 1u) != 0) compression.rounding = quant::Rounding::kStochastic;
  if ((packed >> 11 & 1u) != 0) compression.mx_scale = quant::MxScale::kFloor;
  return describe(compression);
}

}  // namespace goss::engine
