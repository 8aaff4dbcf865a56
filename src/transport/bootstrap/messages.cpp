// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "transport/bootstrap/messages.h"

#include <algorithm>

#include "transport/bootstrap/wire.h"

namespace goss::bootstrap {

namespace {

constexpr size_t kMaxContacts = 64;  // 2 log2 kMaxRanks = 32
constexpr size_t kMaxMissingBytes = 512;

std::string cut(const std::string& text, size_t limit_bytes) {
  return text.size() <= limit_bytes ? text : text.substr(0, limit_bytes - 3) + "...";
}

}  // namespace

std::string Join::encode() const {
  Writer out;
  out.raw(view(process));
  bootstrap::encode(mesh, &out);
  out.text(cut(host, kMaxHostBytes));
  out.text(hello);
  out.text(hello_text);
  return out.take();
}

std::optional<Join> Join::decode(const std::string& bytes) {
  Reader in(bytes);
  Join join;
  in.raw(join.process.data(), join.process.size());
  const bool address = bootstrap::decode(&in, &join.mesh);
  join.host = in.text(kMaxHostBytes);
  join.hello = in.text(kMaxHelloTextBytes);
  join.hello_text = in.text(kMaxHelloTextBytes);
  if (!address || !in.finished()) return std::nullopt;
  return join;
}

std::string Waiting::encode() const {
  Writer out;
  out.i32(root_rank);
  out.text(cut(missing, kMaxMissingBytes));
  return out.take();
}

std::optional<Waiting> Waiting::decode(const std::string& bytes) {
  Reader in(bytes);
  Waiting waiting;
  waiting.root_rank = in.i32();
  waiting.missing = in.text(kMaxMissingBytes);
  if (!in.finished()) return std::nullopt;
  return waiting;
}

std::string Table::encode() const {
  Writer out;
  out.i32(root_rank);
  out.raw(view(salt));
  out.u32(static_cast<uint32_t>(contacts.size()));
  for (const Contact& contact : contacts) {
    out.i32(contact.rank);
    bootstrap::encode(contact.mesh, &out);
    out.text(cut(contact.host, kMaxHostBytes));
  }
  return out.take();
}

std::optional<Table> Table::decode(const std::string& bytes) {
  Reader in(bytes);
  Table table;
  table.root_rank = in.i32();
  in.raw(table.salt.data(), table.salt.size());
  const size_t count = in.u32();
  if (count > kMaxContacts) return std::nullopt;
  for (size_t i = 0; i < count && in.ok(); ++i) {
    Contact contact;
    contact.rank = in.i32();
    if (!bootstrap::decode(&in, &contact.mesh)) return std::nullopt;
    contact.host = in.text(kMaxHostBytes);
    table.contacts.push_back(std::move(contact));
  }
  if (!in.finished()) return std::nullopt;
  return table;
}

std::string Failure::encode() const {
  Writer out;
  out.i32(rank);
  out.i32(code);
  out.text(cut(reason, kMaxReasonBytes));
  return out.take();
}

std::optional<Failure> Failure::decode(const std::string& bytes) {
  Reader in(bytes);
  Failure failure;
  failure.rank = in.i32();
  const int code = in.i32();
  failure.reason = in.text(kMaxReasonBytes);
  if (!in.finished() || code <= gossSuccess || code > gossTimeout) return std::nullopt;
  failure.code = static_cast<Code>(code);
  return failure;
}

std::vector<int> neighbours_of(int rank, int nranks) {
  std::vector<int> all;
  for (int step = 1; step < nranks; step *= 2) {
    all.push_back((rank + step) % nranks);
    all.push_back((rank - step + nranks) % nranks);
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

std::string rank_list(const std::vector<int>& ascending) {
  constexpr int kItems = 16;
  std::string text;
  int items = 0;
  for (size_t i = 0; i < ascending.size(); ++items) {
    size_t last = i;
    while (last + 1 < ascending.size() && ascending[last + 1] == ascending[last] + 1) ++last;
    if (!text.empty()) text += ", ";
    if (items == kItems) {
      text += "...";
      break;
    }
    text += std::to_string(ascending[i]);
    if (last > i) text += (last == i + 1 ? ", " : "-") + std::to_string(ascending[last]);
    i = last + 1;
  }
  return (ascending.size() == 1 ? "rank " : "ranks ") + text;
}

}  // namespace goss::bootstrap
