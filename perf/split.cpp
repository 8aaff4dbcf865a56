// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "split.h"

#include <strings.h>

#include <cctype>
#include <charconv>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string_view>

namespace goss::perf {

namespace {

struct OpName {
  const char* word;
  const char* symbol;
  Split::Op op;
};
constexpr OpName kOps[] = {{"AND", "&", Split::Op::kAnd},
                           {"OR", "|", Split::Op::kOr},
                           {"MOD", "%", Split::Op::kMod},
                           {"DIV", "/", Split::Op::kDiv}};

bool takes_prefix(std::string_view* text, const char* prefix) {
  const size_t length = std::strlen(prefix);
  if (text->size() < length || ::strncasecmp(text->data(), prefix, length) != 0) return false;
  text->remove_prefix(length);
  return true;
}

// The whole text as a number that is no error, no negative and no overflow.
std::optional<int> parse_value(std::string_view text, int base) {
  int value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

std::string_view trim(std::string_view text) {
  const auto space = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
  while (!text.empty() && space(text.front())) text.remove_prefix(1);
  while (!text.empty() && space(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace

Split parse_split(const std::string& text) {
  std::string_view rest = trim(text);
  for (const OpName& name : kOps) {
    if (!takes_prefix(&rest, name.word) && !takes_prefix(&rest, name.symbol)) continue;
    rest = trim(rest);
    const int base = takes_prefix(&rest, "0x") ? 16 : takes_prefix(&rest, "0b") ? 2 : 10;
    const std::optional<int> value = parse_value(rest, base);
    const bool divides = name.op == Split::Op::kMod || name.op == Split::Op::kDiv;
    if (!value || (divides && *value == 0)) break;
    return {name.op, *value};
  }
  throw std::invalid_argument("NCCL_TESTS_SPLIT=" + text +
                              ": expected AND, OR, MOD or DIV (or & | % /) and a number such as 8, "
                              "0x7 or 0b111 that is not negative (MOD, DIV: not 0)");
}

Split parse_split_mask(const std::string& text) {
  std::string_view rest = trim(text);
  takes_prefix(&rest, "0x");
  const std::optional<int> value = parse_value(rest, 16);
  if (!value) {
    throw std::invalid_argument("NCCL_TESTS_SPLIT_MASK=" + text +
                                ": expected a hexadecimal number such as 0x7");
  }
  return {Split::Op::kAnd, *value};
}

int color(const Split& split, int process) {
  switch (split.op) {
    case Split::Op::kAnd: return process & split.value;
    case Split::Op::kOr: return process | split.value;
    case Split::Op::kMod: return process % split.value;
    case Split::Op::kDiv: return process / split.value;
  }
  return 0;
}

std::string describe(const Split& split) {
  return std::string("process ") + kOps[static_cast<size_t>(split.op)].word + " " +
         std::to_string(split.value);
}

}  // namespace goss::perf
