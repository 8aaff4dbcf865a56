// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/span.h"

#include <poll.h>

#include <algorithm>
#include <map>
#include <thread>

#include "base/log.h"
#include "engine/job.h"
#include "engine/reactor.h"

namespace goss::engine {

using transport::MessageRequest;

namespace {
constexpr size_t kMostPosted = size_t{16} * 1024 * 1024;
constexpr int kNapMs = 20;  // how often a wait for the network asks whether it is over
}  // namespace

Hosts::Hosts(const std::vector<std::string>& ids, const std::vector<int>& reaches) {
  std::map<std::string, int> known;
  for (size_t r = 0; r < ids.size(); ++r) {
    const auto [entry, added] = known.emplace(ids[r], count());
    if (added) members.emplace_back();
    std::vector<int>& host = members[static_cast<size_t>(entry->second)];
    host_of.push_back(entry->second);
    index_of.push_back(static_cast<int>(host.size()));
    host.push_back(static_cast<int>(r));
  }
  for (const std::vector<int>& host : members) {
    const auto nearer = [&](int a, int b) {
      return !reaches.empty() && reaches[static_cast<size_t>(a)] < reaches[static_cast<size_t>(b)];
    };
    speaker.push_back(*std::min_element(host.begin(), host.end(), nearer));
  }
}

int Hosts::per_host() const {
  const size_t first = members.front().size();
  const bool equal = std::all_of(members.begin(), members.end(),
                                 [&](const auto& host) { return host.size() == first; });
  return equal ? static_cast<int>(first) : 0;
}

std::vector<int> Hosts::column(int rank) const {
  std::vector<int> ranks;
  for (const auto& host : members) ranks.push_back(host[static_cast<size_t>(index(rank))]);
  return ranks;
}

std::vector<int> Hosts::leaders(int root) const {
  std::vector<int> ranks;
  for (const int first : speaker) ranks.push_back(together(root, first) ? root : first);
  return ranks;
}

std::vector<int> Hosts::in_turn() const {
  std::vector<int> ranks;
  for (const auto& host : members) ranks.insert(ranks.end(), host.begin(), host.end());
  return ranks;
}

Span::Span(Hosts hosts, JobPtr job, uint64_t communicator)
    : hosts_(std::move(hosts)),
      job_(std::move(job)),
      communicator_(communicator),
      messenger_(job_->messenger()) {}

Span::~Span() { drop(); }

void Span::leave(bool hurry) {
  drop();
  messenger_->forget(communicator_);
  job_->part(hurry);
}

void Span::set_local(std::unique_ptr<Communicator> local) { local_ = std::move(local); }

bool Span::post_copy(int job_rank, const transport::MessageKey& key, size_t bytes,
                     const std::function<void(std::byte*)>& fill) {
  sweep();
  if (!outbox_.empty() && outbox_bytes_ + bytes > kMostPosted) return false;
  std::list<Posted> made(1);
  made.front().bytes.resize(bytes);
  fill(made.front().bytes.data());
  // In its place and counted before the messenger knows it, which may run out of memory later.
  outbox_.splice(outbox_.end(), made);
  outbox_bytes_ += bytes;
  job_->leave_to_go(1);
  Posted& posted = outbox_.back();
  messenger_->send(job_rank, key, posted.bytes, &posted.request);
  return true;
}

void Span::leave_to_go() {
  sweep();
  if (!outbox_.empty()) Reactor::get().wake();
}

void Span::sweep() {
  std::erase_if(outbox_, [&](const Posted& posted) {
    if (posted.request.state == MessageRequest::State::kPosted) return false;
    outbox_bytes_ -= posted.bytes.size();
    job_->leave_to_go(-1);
    return true;
  });
}

void Span::deliver(Communicator* comm, const std::function<bool()>& over) {
  sweep();
  if (outbox_.empty()) return;
  comm->leave_at_exit();  // whoever waits for this rank would otherwise do so until the end of this
  const auto began = Waiter::Clock::now();
  const auto limit = comm->settings().timeout;
  for (; !outbox_.empty() && !comm->aborting() && !comm->faults().any() && !over(); sweep()) {
    if (limit.count() > 0 && Waiter::Clock::now() - began >= limit) {
      log(LogLevel::kWarn, "communicator '%s': rank %d ends, and %zu messages were not taken",
          comm->settings().name.c_str(), comm->rank(), outbox_.size());
      return;
    }
    if (messenger_->progress() || !messenger_->arm()) continue;
    pollfd wait{messenger_->fd(), POLLIN, 0};
    ::poll(&wait, 1, kNapMs);
  }
}

void Span::drop() {
  sweep();
  for (Posted& posted : outbox_) cancel(messenger_.get(), &posted.request);
  job_->leave_to_go(-static_cast<int>(outbox_.size()));
  outbox_.clear();
  outbox_bytes_ = 0;
}

void cancel(transport::Messenger* messenger, MessageRequest* request) {
  while (request->state == MessageRequest::State::kPosted && !messenger->cancel(request)) {
    if (!messenger->progress()) std::this_thread::yield();
  }
}

}  // namespace goss::engine
