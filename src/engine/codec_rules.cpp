// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The grammar of GOSS_CODEC.
#include <charconv>
#include <limits>

#include "engine/compression.h"

namespace goss::engine {

namespace {

using What = CodecWish::What;
using Route = CodecWish::Route;

std::string trim(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> pieces;
  size_t begin = 0;
  for (size_t end = text.find(separator); end != std::string::npos;
       end = text.find(separator, begin)) {
    pieces.push_back(trim(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  pieces.push_back(trim(text.substr(begin)));
  return pieces;
}

Status set_modifier(const std::string& name, const std::string& where, CodecWish* wish) {
  if (name == "sr") {
    wish->rounding = quant::Rounding::kStochastic;
  } else if (name == "floor") {
    wish->mx_scale = quant::MxScale::kFloor;
  } else if (name == "fp64") {
    wish->fp64 = true;
  } else if (name == "oneshot") {
    wish->route = Route::kOneShot;
  } else if (name == "direct") {
    wish->route = Route::kDirect;
  } else if (name == "ring") {
    wish->route = Route::kRing;
  } else {
    return fail(gossInvalidArgument,
                "%s: unknown \"+%s\"; there are +sr, +floor, +fp64, +oneshot, +direct and +ring",
                where.c_str(), name.c_str());
  }
  return {};
}

Result<quant::Codec> codec_named(const std::string& name, const std::string& where) {
  Result<quant::Codec> codec = quant::codec_by_name(name);
  if (codec.ok()) return codec;
  return fail(gossInvalidArgument, "%s: %s", where.c_str(), codec.status().message().c_str());
}

Result<size_t> parse_size(const std::string& text, size_t fallback, const std::string& where) {
  if (text.empty()) return fallback;
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  const std::string unit(rest, end);
  double factor = 0;
  if (unit.empty()) factor = 1;
  if (unit == "K") factor = 1024;
  if (unit == "M") factor = 1024 * 1024;
  if (unit == "G") factor = 1024.0 * 1024 * 1024;
  if (error != std::errc() || factor == 0 || !(value >= 0) || value * factor > 0x1p62) {
    return fail(gossInvalidArgument, "%s: \"%s\" is no size such as 64K, 1M or 2G", where.c_str(),
                text.c_str());
  }
  return static_cast<size_t>(value * factor);
}

Result<int> kind_named(const std::string& name, const std::string& where) {
  std::string known;
  for (int k = 0; k < collectives::kNumKinds; ++k) {
    const auto kind = static_cast<collectives::Kind>(k);
    if (kind == collectives::Kind::kBarrier) continue;
    if (name == kind_name(kind)) return k;
    known += std::string(kind_name(kind)) + ", ";
  }
  if (name == "messages") return kMessageKind;
  return fail(gossInvalidArgument, "%s: unknown collective \"%s\" (%smessages)", where.c_str(),
              name.c_str(), known.c_str());
}

}  // namespace

Result<CodecWish> parse_wish(const std::string& text, const std::string& where) {
  CodecWish wish;
  const std::vector<std::string> pieces = split(text, '+');
  const std::string& what = pieces.front();
  constexpr char kError[] = "error=";
  if (what.rfind(kError, 0) == 0) {
    wish.what = What::kError;
    const std::string number = what.substr(sizeof(kError) - 1);
    const char* end = number.data() + number.size();
    const auto [rest, error] = std::from_chars(number.data(), end, wish.error);
    if (error != std::errc() || rest != end || !(wish.error > 0)) {
      return fail(gossInvalidArgument, "%s: \"%s\" is no error such as error=0.01", where.c_str(),
                  what.c_str());
    }
  } else if (what != "none") {
    wish.what = What::kCodec;
    const std::vector<std::string> codecs = split(what, '/');
    if (codecs.size() > 2) {
      return fail(gossInvalidArgument, "%s: \"%s\" has more than two codecs", where.c_str(),
                  what.c_str());
    }
    GOSS_TRY_ASSIGN(wish.reduce, codec_named(codecs.front(), where));
    GOSS_TRY_ASSIGN(wish.gather, codec_named(codecs.back(), where));
  }
  for (size_t i = 1; i < pieces.size(); ++i) GOSS_TRY(set_modifier(pieces[i], where, &wish));
  return wish;
}

Result<CodecRules::Rule> CodecRules::parse_rule(const std::string& text, const std::string& where) {
  Rule rule{kEveryKind, kLeastBytes, std::numeric_limits<size_t>::max(), {}};
  std::string rest = text;
  if (const size_t colon = rest.find(':'); colon != std::string::npos) {
    GOSS_TRY_ASSIGN(rule.kind, kind_named(trim(rest.substr(0, colon)), where));
    rest = trim(rest.substr(colon + 1));
  }
  if (const size_t at = rest.find('@'); at != std::string::npos) {
    const std::string range = trim(rest.substr(at + 1));
    rest = trim(rest.substr(0, at));
    const size_t dash = range.find('-');
    if (dash == std::string::npos) {
      return fail(gossInvalidArgument, "%s: \"%s\" is no range such as 64K-1M, 1M- or -64K",
                  where.c_str(), range.c_str());
    }
    GOSS_TRY_ASSIGN(rule.low, parse_size(trim(range.substr(0, dash)), 0, where));
    GOSS_TRY_ASSIGN(rule.high, parse_size(trim(range.substr(dash + 1)), rule.high, where));
  }
  GOSS_TRY_ASSIGN(rule.wish, parse_wish(rest, where));
  return rule;
}

Result<CodecRules> CodecRules::parse(const std::string& text, const std::string& where) {
  CodecRules rules;
  if (trim(text).empty()) return rules;
  for (const std::string& piece : split(text, ',')) {
    GOSS_TRY_ASSIGN(Rule rule, parse_rule(piece, where));
    rules.rules_.push_back(rule);
  }
  return rules;
}

const CodecWish* CodecRules::find(int kind, size_t bytes) const {
  for (const Rule& rule : rules_) {
    if (rule.kind != kEveryKind && rule.kind != kind) continue;
    if (bytes >= rule.low && bytes <= rule.high) return &rule.wish;
  }
  return nullptr;
}

}  // namespace goss::engine
