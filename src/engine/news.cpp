// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/news.h"

#include <cstring>

namespace goss::engine {

namespace {

template <class Value>
void put(std::string* out, const Value& value) {
  out->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

template <class Value>
bool take(const std::string& bytes, size_t* at, Value* value) {
  if (bytes.size() - *at < sizeof(*value)) return false;
  std::memcpy(value, bytes.data() + *at, sizeof(*value));
  *at += sizeof(*value);
  return true;
}

}  // namespace

// All ranks have one byte order: the start-up has compared it.
std::string News::encode() const {
  std::string out;
  put(&out, kind);
  put(&out, communicator);
  put(&out, rank);
  put(&out, code);
  put(&out, completed);
  put(&out, waiting);
  put(&out, signature);
  put(&out, what);
  put(&out, count);
  out.append(text, 0, kMostText);
  return out;
}

std::optional<News> News::decode(const std::string& bytes) {
  News news;
  size_t at = 0;
  if (!take(bytes, &at, &news.kind) || news.kind > Kind::kDoing ||
      !take(bytes, &at, &news.communicator) || !take(bytes, &at, &news.rank) ||
      !take(bytes, &at, &news.code) || !take(bytes, &at, &news.completed) ||
      !take(bytes, &at, &news.waiting) || !take(bytes, &at, &news.signature) ||
      !take(bytes, &at, &news.what) || !take(bytes, &at, &news.count)) {
    return std::nullopt;
  }
  news.text = bytes.substr(at);
  if (news.text.size() > kMostText) return std::nullopt;
  return news;
}

}  // namespace goss::engine
