// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Which operations travel compressed, and how: rules (GOSS_CODEC, gossConfig_t::codec), the wish of
// one call, and the choice that follows from them. All of it is a pure function of the operation,
// the number of ranks and the rules, so all ranks choose alike.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "collectives/registry.h"
#include "engine/codec_wish.h"
#include "engine/operation.h"
#include "quant/operations.h"

namespace goss::engine {

// "int8", "int8/int4+sr", "error=0.01+ring", "none": a wish as text. `where` begins the message of
// an error.
Result<CodecWish> parse_wish(const std::string& text, const std::string& where);

// Messages (gossSend and others) as a collective, for rules.
constexpr int kMessageKind = collectives::kNumKinds;

// Rules in order; the first that fits an operation holds. "rule, rule, ..", each
//   [collective:] wish [@ low-high]
// where sizes are bytes that the call's count stands for, with K, M or G, both ends included.
class CodecRules {
 public:
  // Below, compression costs more than it saves, so rules without a range begin here.
  static constexpr size_t kLeastBytes = 64 * 1024;

  static Result<CodecRules> parse(const std::string& text, const std::string& where);
  bool empty() const { return rules_.empty(); }
  // The wish for an operation of a kind; null: none.
  const CodecWish* find(int kind, size_t bytes) const;

 private:
  struct Rule {
    int kind;  // kEveryKind: all
    size_t low;
    size_t high;
    CodecWish wish;
  };
  static constexpr int kEveryKind = -1;
  static Result<Rule> parse_rule(const std::string& text, const std::string& where);

  std::vector<Rule> rules_;
};

// How an operation is compressed.
struct CodecChoice {
  quant::Codec reduce = quant::Codec::kInt8;
  quant::Codec gather = quant::Codec::kInt8;
  quant::Rounding rounding = quant::Rounding::kNearest;
  quant::MxScale mx_scale = quant::MxScale::kUp;
  CodecWish::Route route = CodecWish::Route::kAuto;
  collectives::Algorithm algorithm = collectives::Algorithm::kAllReduceTwoShot;

  // Into Signature::what: never 0.
  uint32_t packed() const;
};

struct CompressionChoice {
  std::optional<CodecChoice> use;
  const char* reason = "";  // for either answer
};

// gossInvalidArgument: what is wished for would ruin the result, or cannot be had.
Result<CompressionChoice> choose_compression(const Operation& operation, int nranks,
                                             const CodecRules& rules);

// Of a message between hosts: those within one host go as they are.
Result<CompressionChoice> choose_compression(const Transfer& transfer, const CodecRules& rules);

// The algorithm for that among `nranks` ranks.
collectives::Algorithm compressed_algorithm(const Operation& operation, int nranks,
                                            const CodecChoice& how);

// The codec of fewest bits with which no element of a result is further off than `error` times the
// sum over the ranks of the largest magnitudes in its block: what can be promised before the
// numbers are known. Nothing: no codec is that exact.
std::optional<quant::Codec> codec_within(double error, bool reduces, quant::Rounding rounding);

// With more ranks, the error of a ring with this codec grows to where results are of little use.
int ring_limit(quant::Codec codec);

// "int8", "int8/int4+sr".
std::string describe(const CodecChoice& compression);
// From Signature::what; "?" for what cannot be.
std::string describe_packed(uint32_t packed);

}  // namespace goss::engine
