// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/job.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <fstream>

#include "base/env.h"
#include "base/host.h"
#include "engine/communicator.h"
#include "engine/span.h"
#include "transport/bootstrap/process_token.h"

namespace goss::engine {

namespace {

// The rank that decides what all report answers within a round trip of the mesh, or is ending too.
constexpr std::chrono::milliseconds kJudgePatience{300};

// How many ranks that leave a communicator unknown here are remembered, as it may be in the making.
constexpr size_t kMostEarlyLeavers = 4096;
// Of how many communicators is kept what others have told, those of this rank not counted.
constexpr size_t kMostTold = 4096;

// Pids of another name space (another container of this host) mean other processes here.
std::string pid_namespace() {
  char name[64] = {};
  if (::readlink("/proc/self/ns/pid", name, sizeof(name) - 1) < 0) return {};
  return name;
}

std::string machine_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  file >> id;
  return id;
}

void put(std::string* out, const std::string& text) {
  out->push_back(static_cast<char>(std::min<size_t>(text.size(), 255)));
  out->append(text, 0, 255);
}

bool take(const std::string& bytes, size_t* at, std::string* text) {
  if (*at >= bytes.size()) return false;
  const size_t length = static_cast<unsigned char>(bytes[*at]);
  if (bytes.size() - *at - 1 < length) return false;
  *text = bytes.substr(*at + 1, length);
  *at += 1 + length;
  return true;
}

}  // namespace

Result<Member> Member::self(const shm::Mailbox& mailbox) {
  Member member;
  member.host = host_name();
  member.host_id = env_text(Env::kHostId).value_or(machine_id());
  GOSS_TRY_ASSIGN(const bootstrap::ProcessToken token, bootstrap::process_token());
  member.process.assign(token.begin(), token.end());
  member.mailbox = mailbox.address();
  member.pids = pid_namespace();
  member.cpus = cpu_mask();
  member.pid = ::getpid();
  return member;
}

std::string Member::serialize() const {
  std::string bytes;
  for (const std::string* text : {&host_id, &host, &process, &pids, &mailbox, &cpus})
    put(&bytes, *text);
  put(&bytes, std::to_string(pid));
  return bytes;
}

Result<Member> Member::parse(const std::string& bytes) {
  Member member;
  size_t at = 0;
  std::string pid;
  for (std::string* text : {&member.host_id, &member.host, &member.process, &member.pids,
                            &member.mailbox, &member.cpus, &pid}) {
    if (!take(bytes, &at, text)) {
      return fail(gossInternalError, "a rank's description is damaged (%zu bytes)", bytes.size());
    }
  }
  member.pid = std::atoi(pid.c_str());
  return member;
}

Job::Job(int rank, std::vector<Member> members, shm::Mailbox mailbox, std::string key)
    : rank_(rank),
      members_(std::move(members)),
      key_(std::move(key)),
      mailbox_(std::move(mailbox)),
      pidfds_(members_.size()),
      dead_(members_.size(), false) {
  watch_processes();
}

Job::~Job() {
  if (mesh_ == nullptr) return;
  // Say good-bye, so that the end of the connection is not taken for a death. A peer that does not
  // read cannot hold us for long.
  mesh_->leave();
  std::vector<bootstrap::Mesh::Event> ignored;
  const auto deadline = bootstrap::Clock::now() + std::chrono::milliseconds(50);
  while (!mesh_->flushed() && bootstrap::Clock::now() < deadline) {
    mesh_->poll(bootstrap::Clock::now(), &ignored);
    ::usleep(200);
  }
}

void Job::watch_processes() {
#ifdef SYS_pidfd_open
  for (size_t r = 0; r < members_.size(); ++r) {
    const int peer = static_cast<int>(r);
    const bool here =
        member(peer).host_id == member(rank_).host_id && member(peer).pids == member(rank_).pids;
    if (same_process(rank_, peer) || !here) continue;
    pidfds_[r] = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, member(peer).pid, 0)));
    // It was alive when it described itself. (pidfds are close-on-exec by themselves.)
    if (!pidfds_[r].valid() && errno == ESRCH) dead_[r] = true;
  }
#endif
}

std::string Job::place_of(int rank) const {
  return format("host %s, pid %d", member(rank).host.c_str(), member(rank).pid);
}

int Job::usable_cpus(const std::vector<int>& ranks) const {
  std::string together;
  for (int r : ranks) {
    const std::string& mask = member(r).cpus;
    together.resize(std::max(together.size(), mask.size()));
    for (size_t i = 0; i < mask.size(); ++i) together[i] |= mask[i];
  }
  int count = 0;
  for (char byte : together) count += std::popcount(static_cast<unsigned char>(byte));
  return std::min(std::max(count, 1), quota_cpus());
}

void Job::attach_mesh(std::unique_ptr<bootstrap::Mesh> mesh) {
  const std::lock_guard<std::mutex> lock(mutex_);
  mesh_ = std::move(mesh);
}

Result<bool> Job::send_segment(const std::vector<int>& ranks, uint64_t topic, uint64_t bytes,
                               int fd, size_t* next) {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (; *next < ranks.size(); ++*next) {
    const int peer = ranks[*next];
    const auto same = [&](int other) { return same_process(other, peer); };
    const bool first = std::find_if(ranks.begin(), ranks.end(), same) ==
                       ranks.begin() + static_cast<std::ptrdiff_t>(*next);
    if (!first || same_process(rank_, peer)) continue;
    GOSS_TRY_ASSIGN(const bool sent,
                    mailbox_.send(member(peer).mailbox, shm::Purpose::kSegment, topic, bytes, fd));
    if (!sent) return false;
  }
  return true;
}

Result<std::optional<shm::Letter>> Job::receive_segment(uint64_t topic) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return mailbox_.receive_segment(topic);
}

Result<int> Job::announce(const std::vector<int>& ranks, const device::SharedMemoryPtr& memory) {
  const std::lock_guard<std::mutex> lock(mutex_);
  auto entry = announced_.find(memory->id());
  if (entry == announced_.end()) {
    std::erase_if(announced_, [](const auto& e) { return e.second.memory.expired(); });
    entry = announced_.emplace(memory->id(), Announced{memory, {}}).first;
    entry->second.told.resize(members_.size());
  }
  for (size_t i = 0; i < ranks.size(); ++i) {
    const int peer = ranks[i];
    if (entry->second.told[static_cast<size_t>(peer)] || same_process(rank_, peer)) continue;
    GOSS_TRY_ASSIGN(const bool sent,
                    mailbox_.send(member(peer).mailbox, shm::Purpose::kMemory, memory->id(),
                                  memory->file_bytes(), memory->fd()));
    if (!sent) return static_cast<int>(i);
    entry->second.told[static_cast<size_t>(peer)] = true;
  }
  return -1;
}

Result<device::SharedMemoryPtr> Job::peer_memory(uint64_t id) {
  device::SharedMemoryPtr memory = device::find_shared_id(id);
  if (memory != nullptr) return memory;  // of this process, or imported before
  const std::lock_guard<std::mutex> lock(mutex_);
  GOSS_TRY(import_memory());
  return device::find_shared_id(id);
}

// With mutex_ held: map what has arrived. Letters come once only.
Status Job::import_memory() {
  GOSS_TRY(Status(import_failure_));
  Result<std::vector<shm::Letter>> letters = mailbox_.receive_memory();
  if (!letters.ok()) return import_failure_ = letters.take_status();
  if (letters.value().empty()) return {};
  std::erase_if(imported_, [](const auto& memory) { return memory->freed(); });
  for (shm::Letter& letter : letters.value()) {
    auto memory = device::import_shared(letter.topic, std::move(letter.fd), letter.bytes);
    if (!memory.ok()) return import_failure_ = memory.take_status();
    imported_.push_back(memory.take());
  }
  return {};
}

// With mutex_ held.
void Job::flood(const News& news) {
  if (mesh_ != nullptr) mesh_->flood(news.encode());
}

// With mutex_ held: what is known of a communicator, which may not be here yet, or not any more.
Job::Told& Job::told(uint64_t communicator) {
  const auto [entry, added] = told_.try_emplace(communicator);
  if (!added) return entry->second;
  told_order_.push_back(communicator);
  if (told_.size() <= kMostTold + communicators_.size()) return entry->second;
  const auto ended = [&](uint64_t id) {
    return std::none_of(communicators_.begin(), communicators_.end(),
                        [id](const Communicator* comm) { return comm->parts().id == id; });
  };
  const auto oldest = std::find_if(told_order_.begin(), told_order_.end(), ended);
  if (*oldest != communicator) forget(*oldest);
  return entry->second;
}

// With mutex_ held.
void Job::forget(uint64_t communicator) {
  shrinks_.forget(communicator);
  if (told_.erase(communicator) > 0) std::erase(told_order_, communicator);
}

void Job::tell(const News& news) {
  const std::lock_guard<std::mutex> lock(mutex_);
  flood(news);
}

void Job::give_up(uint64_t topic, const Status& failure) {
  News news;
  news.kind = News::Kind::kGaveUp;
  news.communicator = topic;
  news.text = failure.message().substr(0, 1000);
  tell(news);
}

void Job::ready(uint64_t topic) {
  News news;
  news.kind = News::Kind::kReady;
  news.communicator = topic;
  tell(news);
}

bool Job::is_ready(uint64_t topic, int rank) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto entry = told_.find(topic);
  return entry != told_.end() && entry->second.ready.count(rank) != 0;
}

Status Job::given_up(uint64_t topic) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto entry = told_.find(topic);
  return entry == told_.end() ? Status() : entry->second.given_up;
}

void Job::choose_shrink(uint64_t parent, const ShrinkBoard::Choice& choice) {
  News news;
  news.kind = News::Kind::kShrinks;
  news.communicator = parent;
  news.signature = choice.topic;
  news.text = choice.text;
  const std::lock_guard<std::mutex> lock(mutex_);
  told(parent);  // which is forgotten with the choices
  shrinks_.choose(parent, choice);
  flood(news);
}

ShrinkBoard::Other Job::differing_shrink(uint64_t parent, const std::vector<int>& ranks) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return shrinks_.differing(parent, ranks);
}

// With mutex_ held.
void Job::heard(int rank, const News& news) {
  const auto failure = [&] {
    const bool valid = news.code > gossSuccess && news.code < gossNumResults;
    return Status(valid ? static_cast<Code>(news.code) : gossRemoteError, news.text);
  };
  switch (news.kind) {
    case News::Kind::kGaveUp: {
      const Status why = fail(gossRemoteError, "rank %d (%s) gave up making a communicator: %s",
                              rank, place_of(rank).c_str(), news.text.c_str());
      if (Told& topic = told(news.communicator); topic.given_up.ok()) topic.given_up = why;
      // On other hosts it may have been made already.
      for (Communicator* comm : communicators_) {
        if (comm->parts().id == news.communicator && comm->span() != nullptr) {
          decide(news.communicator, why, false);
        }
      }
      return;
    }
    case News::Kind::kReady: told(news.communicator).ready.insert(rank); return;
    case News::Kind::kProposed:
      if (news.rank == rank_) decide(news.communicator, failure(), true);
      return;
    case News::Kind::kDecided: return decide(news.communicator, failure(), false);
    case News::Kind::kDied:
      if (news.rank >= 0 && news.rank < static_cast<int>(members_.size()) && news.rank != rank_) {
        died(news.rank);
      }
      return;
    case News::Kind::kShrinks:
      told(news.communicator);
      return shrinks_.hear(rank, news.communicator, {news.signature, news.text});
    case News::Kind::kLeft:
    case News::Kind::kDoing: {
      bool known = false;
      for (Communicator* comm : communicators_) {
        if (comm->parts().id != news.communicator || comm->span() == nullptr) continue;
        known = true;
        heard_of(comm, rank, news);
      }
      if (known || news.kind != News::Kind::kLeft) return;
      // One that was quick: its communicator is made, this rank's is about to be.
      if (left_early_.size() == kMostEarlyLeavers) left_early_.pop_front();
      left_early_.emplace_back(rank, news);
      return;
    }
  }
}

// With mutex_ held: what a rank of another host does, or that it has left.
void Job::heard_of(Communicator* comm, int rank, const News& news) {
  const std::vector<int>& ranks = comm->parts().job_ranks;
  const auto entry = std::find(ranks.begin(), ranks.end(), rank);
  if (entry == ranks.end()) return;
  comm->told(static_cast<int>(entry - ranks.begin()), news);
  // It waits for this rank and wants to know why.
  if (news.kind == News::Kind::kDoing && news.rank == comm->rank()) {
    flood(comm->doing(-1, news.signature >> 32));
  }
}

// With mutex_ held.
void Job::decide(uint64_t communicator, const Status& failure, bool tell_others) {
  Agreement& agreement = told(communicator).agreement;
  if (agreement.decided) return;
  agreement = {true, failure, {}};
  if (tell_others) {
    News news;
    news.kind = News::Kind::kDecided;
    news.communicator = communicator;
    news.code = failure.code();
    news.text = failure.message();
    flood(news);
  }
  for (Communicator* comm : communicators_) {
    if (comm->parts().id != communicator || comm->span() == nullptr) continue;
    comm->faults().settle(failure);
    ring_doorbells(comm->segment());
  }
}

// With mutex_ held: the first living rank decides. It need not know that those before it are dead.
void Job::propose(uint64_t communicator, const std::vector<int>& ranks, const Status& failure) {
  Agreement& agreement = told(communicator).agreement;
  if (agreement.decided || !agreement.failure.ok()) return;
  const auto judge = std::find_if(ranks.begin(), ranks.end(),
                                  [&](int r) { return !dead_[static_cast<size_t>(r)]; });
  if (judge == ranks.end() || *judge == rank_) return decide(communicator, failure, true);
  agreement.failure = failure;
  agreement.until = bootstrap::Clock::now() + kJudgePatience;
  News news;
  news.kind = News::Kind::kProposed;
  news.communicator = communicator;
  news.rank = *judge;
  news.code = failure.code();
  news.text = failure.message();
  flood(news);
}

// With mutex_ held: a judge that does not answer.
void Job::take_own() {
  const auto now = bootstrap::Clock::now();
  for (auto& [communicator, topic] : told_) {
    const Agreement& agreement = topic.agreement;
    if (agreement.decided || agreement.failure.ok() || now < agreement.until) continue;
    decide(communicator, Status(agreement.failure), true);
  }
}

void Job::agree(uint64_t communicator, const std::vector<int>& ranks, const Status& failure,
                bool wait) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    propose(communicator, ranks, failure);
  }
  while (wait) {
    poll();  // this may be the library's thread
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (told(communicator).agreement.decided) return;
    }
    ::usleep(200);
  }
}

void Job::add(Communicator* comm) {
  const std::lock_guard<std::mutex> lock(mutex_);
  communicators_.push_back(comm);
  // What was heard before this communicator existed: who gave it up, left it, died.
  Told& before = told(comm->parts().id);
  before.ready.clear();
  if (comm->span() != nullptr && before.agreement.decided) {
    comm->faults().settle(before.agreement.failure);
  }
  if (comm->span() != nullptr && !before.given_up.ok()) {
    decide(comm->parts().id, before.given_up, false);
  }
  std::erase_if(left_early_, [&](const auto& early) {
    const auto& [rank, news] = early;
    if (news.communicator != comm->parts().id || comm->span() == nullptr) return false;
    heard_of(comm, rank, news);
    return true;
  });
  for (size_t r = 0; r < dead_.size(); ++r) {
    if (dead_[r]) tell(comm, static_cast<int>(r));
  }
}

void Job::remove(Communicator* comm) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::erase(communicators_, comm);
  forget(comm->parts().id);
}

void Job::part(bool hurry) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!communicators_.empty()) return;
  }
  messenger_->leave(hurry);  // not under the lock: others may wait for what this rank tells them
}

int Job::dead_among(const std::vector<int>& ranks) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (int r : ranks) {
    if (dead_[static_cast<size_t>(r)]) return r;
  }
  return -1;
}

void Job::pollfds(std::vector<pollfd>* fds) {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const UniqueFd& fd : pidfds_) {
    if (fd.valid()) fds->push_back({fd.get(), POLLIN, 0});
  }
  fds->push_back({mailbox_.fd(), POLLIN, 0});
  if (messenger_ != nullptr && to_go_ > 0) {
    constexpr int kTries = 100;
    for (int i = 0; i < kTries && !messenger_->arm(); ++i) messenger_->progress();
    fds->push_back({messenger_->fd(), POLLIN, 0});
  }
  if (mesh_ != nullptr) mesh_->pollfds(fds);
}

void Job::poll() {
  const std::lock_guard<std::mutex> lock(mutex_);
  static_cast<void>(import_memory());  // a failure is kept for whoever needs the memory
  if (messenger_ != nullptr) messenger_->progress();
  std::vector<int> exited;
  for (size_t r = 0; r < pidfds_.size(); ++r) {
    if (!pidfds_[r].valid()) continue;
    pollfd ended{pidfds_[r].get(), POLLIN, 0};
    if (::poll(&ended, 1, 0) == 1 && (ended.revents & POLLIN) != 0) {
      exited.push_back(static_cast<int>(r));
    }
  }
  // What a process has said before its end has arrived by now, and goes before its end.
  std::vector<bootstrap::Mesh::Event> events;
  if (mesh_ != nullptr) mesh_->poll(bootstrap::Clock::now(), &events);
  for (const bootstrap::Mesh::Event& event : events) {
    if (event.kind != bootstrap::Mesh::Event::Kind::kMessage) continue;
    if (const auto news = News::decode(event.payload)) heard(event.rank, *news);
  }
  for (int rank : exited) died(rank);
  for (const bootstrap::Mesh::Event& event : events) {
    // The end of a connection means a death only where the process itself cannot be watched.
    if (event.kind == bootstrap::Mesh::Event::Kind::kLost &&
        !pidfds_[static_cast<size_t>(event.rank)].valid() && !same_process(rank_, event.rank)) {
      died(event.rank);
    }
  }
  take_own();
}

// With mutex_ held.
void Job::died(int rank) {
  pidfds_[static_cast<size_t>(rank)].reset();
  if (dead_[static_cast<size_t>(rank)]) return;
  dead_[static_cast<size_t>(rank)] = true;
  if (messenger_ != nullptr) {
    // Not every rank of another host is connected with it.
    News news;
    news.kind = News::Kind::kDied;
    news.rank = rank;
    flood(news);
  }
  for (Communicator* comm : communicators_) tell(comm, rank);
}

// With mutex_ held: fail `comm` if the dead `rank` is one of its ranks.
void Job::tell(Communicator* comm, int rank) {
  const std::vector<int>& ranks = comm->parts().job_ranks;
  const auto entry = std::find(ranks.begin(), ranks.end(), rank);
  if (entry == ranks.end()) return;
  const int there = static_cast<int>(entry - ranks.begin());
  // Who has left in good order may end.
  if (comm->area(there).state.load(std::memory_order_acquire) == shm::RankState::kLeft) return;
  if (comm->span() != nullptr) {
    // What it was last seen doing differs from host to host.
    return propose(comm->parts().id, ranks,
                   fail(gossRemoteError, "%s died", comm->name_of(there).c_str()));
  }
  comm->faults().raise(fail(gossRemoteError, "%s died (%s)", comm->name_of(there).c_str(),
                            comm->last_seen(there).c_str()));
  ring_doorbells(comm->segment());
}

}  // namespace goss::engine
