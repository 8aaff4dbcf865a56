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
#include "transport/bootstrap/process_token.h"

namespace goss::engine {

namespace {

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

void Job::give_up(uint64_t topic, const Status& failure) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (mesh_ == nullptr) return;
  constexpr size_t kMostText = 1000;
  std::string message(reinterpret_cast<const char*>(&topic), sizeof(topic));
  mesh_->flood(message + failure.message().substr(0, kMostText));
}

Status Job::given_up(uint64_t topic) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto entry = given_up_.find(topic);
  return entry == given_up_.end() ? Status() : entry->second;
}

void Job::choose_shrink(uint64_t parent, const ShrinkBoard::Choice& choice) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const std::string message = shrinks_.choose(parent, choice);
  if (mesh_ != nullptr) mesh_->flood(message);
}

ShrinkBoard::Other Job::differing_shrink(uint64_t parent, const std::vector<int>& ranks) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return shrinks_.differing(parent, ranks);
}

// With mutex_ held: what give_up() or choose_shrink() of another rank has sent.
void Job::heard(int rank, const std::string& message) {
  if (shrinks_.hear(rank, message)) return;
  uint64_t topic = 0;
  if (message.size() < sizeof(topic)) return;
  std::memcpy(&topic, message.data(), sizeof(topic));
  given_up_.emplace(topic, fail(gossRemoteError, "rank %d (%s) gave up making a communicator: %s",
                                rank, place_of(rank).c_str(), message.c_str() + sizeof(topic)));
}

void Job::add(Communicator* comm) {
  const std::lock_guard<std::mutex> lock(mutex_);
  communicators_.push_back(comm);
  // A death that was noticed before this communicator existed.
  for (size_t r = 0; r < dead_.size(); ++r) {
    if (dead_[r]) tell(comm, static_cast<int>(r));
  }
}

void Job::remove(Communicator* comm) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::erase(communicators_, comm);
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
  if (mesh_ != nullptr) mesh_->pollfds(fds);
}

void Job::poll() {
  const std::lock_guard<std::mutex> lock(mutex_);
  static_cast<void>(import_memory());  // a failure is kept for whoever needs the memory
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
    if (event.kind == bootstrap::Mesh::Event::Kind::kMessage) heard(event.rank, event.payload);
  }
  for (int rank : exited) died(rank);
  for (const bootstrap::Mesh::Event& event : events) {
    // The end of a connection means a death only where the process itself cannot be watched.
    if (event.kind == bootstrap::Mesh::Event::Kind::kLost &&
        !pidfds_[static_cast<size_t>(event.rank)].valid() && !same_process(rank_, event.rank)) {
      died(event.rank);
    }
  }
}

// With mutex_ held.
void Job::died(int rank) {
  pidfds_[static_cast<size_t>(rank)].reset();
  if (dead_[static_cast<size_t>(rank)]) return;
  dead_[static_cast<size_t>(rank)] = true;
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
  comm->faults().raise(fail(gossRemoteError, "%s died (%s)", comm->name_of(there).c_str(),
                            comm->last_seen(there).c_str()));
  ring_doorbells(comm->segment());
}

}  // namespace goss::engine
