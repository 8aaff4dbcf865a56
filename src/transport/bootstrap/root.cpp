// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The root of a start-up: gathers the ranks, tells each where its neighbours listen, and is the
// judge of failures until all are connected, so that all ranks hear of the same first cause.
// Made by whoever makes the unique id, or by rank 0 of an environment start; polled by one thread.
#include <algorithm>
#include <memory>
#include <set>

#include "base/log.h"
#include "transport/bootstrap/bootstrap.h"
#include "transport/bootstrap/gate.h"
#include "transport/bootstrap/interface.h"
#include "transport/bootstrap/messages.h"

namespace goss::bootstrap {

namespace {

using std::chrono::milliseconds;

constexpr size_t kStrangers = 64;          // unauthenticated connections beyond one per rank
constexpr milliseconds kReplacement{300};  // a restarted rank may take its place again
constexpr milliseconds kStatusEvery{1000};
// Ranks of the root's own process hear of a failure last, for it may end then: when the others have
// heard and closed their sides, or after this.
constexpr milliseconds kOthersFirst{250};
constexpr milliseconds kLinger{5000};  // tells late ranks why the job has failed
constexpr milliseconds kSilence{4000};

struct Member {
  int rank = 0;
  std::unique_ptr<Channel> channel;
  Join join;
  bool connected = false;  // has all its links
  bool lost = false;
  Clock::time_point joined_at{};
  Clock::time_point lost_at{};

  std::string text() const {
    if (join.host.empty()) return format("rank %d", rank);  // it never said
    return format("rank %d on %s", rank, join.host.c_str());
  }
};

class RootServer final : public Root {
 public:
  RootServer(Socket listener, const UniqueId& id, const ProcessToken& process)
      : process_(process), gate_(std::move(listener), id.secret, expected_hello(id)) {
    gate_.set_limit(kStrangers);
  }

  void poll() override;
  bool finished() const override { return phase_ == Phase::kFinished; }
  void pollfds(std::vector<pollfd>* fds) const override;
  uint64_t refused() const override { return gate_.refused(); }

 private:
  enum class Phase { kGathering, kLinking, kComplete, kFailed, kFinished };

  static Hello expected_hello(const UniqueId& id) {
    Hello hello;
    hello.purpose = Purpose::kRoot;
    hello.peer = kRootPeer;
    hello.job = id.job;
    return hello;
  }

  void admit(Arrival arrival);
  bool acceptable(const Arrival& arrival);
  void expect_ranks(uint32_t nranks);
  bool agrees(const Member& member, uint32_t nranks);
  void refuse(Arrival arrival, const Failure& failure);
  void note_silent_end(Arrival arrival);
  void read_members();
  void handle(Member* member, const Frame& frame);
  void give_up(uint32_t rank, const std::string& who, const Frame& frame);
  bool is_here(uint32_t rank) const;
  void lose(Member* member);
  void fail_job(const Failure& failure);
  void advance_phase();
  void send_tables();
  void find_root_rank();
  void send_status(Member* only);
  std::vector<int> missing() const;
  std::string missing_text() const;
  void flush();
  bool drained() const;
  void tell_own_process();

  const ProcessToken process_;
  Gate gate_;
  Phase phase_ = Phase::kGathering;
  Clock::time_point now_{};
  uint32_t nranks_ = 0;                            // of the first who proved itself, 0 before
  std::vector<std::unique_ptr<Member>> members_;   // by rank
  size_t present_ = 0;                             // members that are here
  const Member* first_ = nullptr;                  // whom the others are compared with
  std::vector<std::unique_ptr<Channel>> parting_;  // refused, with the reason on its way
  int root_rank_ = -1;
  Clock::time_point last_status_{};
  Failure failure_;
  bool own_told_ = false;  // of the failure: the ranks in the root's process
  Clock::time_point failed_at_{};
  std::set<uint32_t> told_;  // ranks that know of the failure
  Clock::time_point linger_until_{};
};

void RootServer::poll() {
  if (phase_ == Phase::kFinished) return;
  now_ = Clock::now();
  std::vector<Arrival> arrivals;
  gate_.poll(now_, &arrivals);
  for (Arrival& arrival : arrivals) admit(std::move(arrival));
  read_members();
  advance_phase();
  flush();
  const bool waiting = phase_ == Phase::kGathering || phase_ == Phase::kLinking;
  if (waiting && now_ - last_status_ >= kStatusEvery) send_status(nullptr);
}

// An authenticated process asks to be a rank.
void RootServer::admit(Arrival arrival) {
  const Hello hello = arrival.hello;
  if (!acceptable(arrival)) {
    if (hello.version != kWireVersion) fail_job(failure_);
    return refuse(std::move(arrival), failure_);
  }
  if (arrival.frames.empty()) return note_silent_end(std::move(arrival));
  const Frame& first = arrival.frames[0];
  // It failed before it could join, as without a usable interface: the others need not wait for it.
  // One whose place is taken is not missed.
  if (first.type == FrameType::kGiveUp && !is_here(hello.rank)) {
    return give_up(hello.rank, format("rank %u", hello.rank), first);
  }
  std::optional<Join> join;
  if (first.type == FrameType::kJoin) join = Join::decode(first.payload);
  if (!join) return;
  if (phase_ == Phase::kFailed) {
    told_.insert(hello.rank);
    return refuse(std::move(arrival), failure_);
  }
  auto member = std::make_unique<Member>();
  member->rank = static_cast<int>(hello.rank);
  member->joined_at = now_;
  member->join = std::move(*join);
  if (nranks_ == 0) {
    expect_ranks(hello.nranks);
  } else if (!agrees(*member, hello.nranks)) {
    fail_job(failure_);
    told_.insert(hello.rank);
    return refuse(std::move(arrival), failure_);
  }
  std::unique_ptr<Member>& place = members_[hello.rank];
  if (place != nullptr && (!place->lost || phase_ != Phase::kGathering)) {
    const std::string reason =
        format("rank %d is taken: %s joined before this one on %s; give every rank its own number",
               member->rank, place->text().c_str(), member->join.host.c_str());
    return refuse(std::move(arrival), {member->rank, gossInvalidUsage, reason});
  }
  if (place == nullptr) ++present_;
  if (first_ == nullptr || first_ == place.get()) first_ = member.get();
  member->channel = std::move(arrival.channel);
  set_liveness(member->channel->socket(), kSilence);
  place = std::move(member);
  find_root_rank();
  send_status(place.get());
  for (size_t i = 1; i < arrival.frames.size(); ++i) handle(place.get(), arrival.frames[i]);
}

void RootServer::expect_ranks(uint32_t nranks) {
  nranks_ = nranks;
  members_.resize(nranks_);
  gate_.set_limit(kStrangers + nranks_);
}

// It proved itself and ended before it could join. Unless it tries again at once, it has died.
void RootServer::note_silent_end(Arrival arrival) {
  if (phase_ != Phase::kGathering) return;
  if (nranks_ == 0) expect_ranks(arrival.hello.nranks);
  if (arrival.hello.nranks != nranks_ || members_[arrival.hello.rank] != nullptr) return;
  auto member = std::make_unique<Member>();
  member->rank = static_cast<int>(arrival.hello.rank);
  member->channel = std::move(arrival.channel);
  ++present_;
  lose(member.get());
  members_[arrival.hello.rank] = std::move(member);
}

// Facts of the hello that can be wrong in this one rank only; sets failure_ unless the job has one.
bool RootServer::acceptable(const Arrival& arrival) {
  const Hello& hello = arrival.hello;
  const int rank = static_cast<int>(hello.rank);
  Failure failure{rank, gossInvalidUsage, ""};
  if (hello.version != kWireVersion) {
    failure.reason = format(
        "rank %d speaks version %d of the start-up protocol, the root version "
        "%d: use one version of Gossamer everywhere",
        rank, hello.version, kWireVersion);
  } else if (hello.nranks < 1 || hello.nranks > kMaxRanks || hello.rank >= hello.nranks) {
    failure.reason = format("rank %u of %u ranks: ranks run from 0 to nranks-1, at most %d ranks",
                            hello.rank, hello.nranks, kMaxRanks);
  } else {
    return true;
  }
  if (phase_ != Phase::kFailed) failure_ = failure;
  return false;
}

// What must be equal everywhere, compared with the first rank; sets failure_ when it differs.
bool RootServer::agrees(const Member& member, uint32_t nranks) {
  const std::string first = first_ == nullptr ? "a rank that has ended" : first_->text();
  if (nranks != nranks_) {
    failure_ = {member.rank, gossInvalidUsage,
                format("the ranks disagree on their number: %s has nranks=%u, %s has nranks=%u; "
                       "start all with the same number",
                       first.c_str(), nranks_, member.text().c_str(), nranks)};
    return false;
  }
  if (first_ == nullptr || member.join.hello == first_->join.hello) return true;
  failure_ = {member.rank, gossInvalidUsage,
              format("the ranks differ in version or settings: %s has [%s], %s has [%s]",
                     first.c_str(), first_->join.hello_text.c_str(), member.text().c_str(),
                     member.join.hello_text.c_str())};
  return false;
}

void RootServer::refuse(Arrival arrival, const Failure& failure) {
  arrival.channel->queue(FrameType::kFailed, failure.encode());
  parting_.push_back(std::move(arrival.channel));
}

void RootServer::read_members() {
  std::vector<pollfd> fds;
  std::vector<Member*> owners;
  for (const auto& member : members_) {
    if (member == nullptr || member->lost) continue;
    fds.push_back({member->channel->socket().get(), POLLIN, 0});
    owners.push_back(member.get());
  }
  if (fds.empty() || ::poll(fds.data(), fds.size(), 0) <= 0) return;
  std::vector<Frame> frames;
  for (size_t i = 0; i < fds.size(); ++i) {
    if (fds[i].revents == 0) continue;
    frames.clear();
    const bool open = owners[i]->channel->receive(&frames);
    for (const Frame& frame : frames) handle(owners[i], frame);
    if (!open) lose(owners[i]);
  }
}

void RootServer::handle(Member* member, const Frame& frame) {
  if (frame.type == FrameType::kConnected) member->connected = true;
  if (frame.type == FrameType::kGiveUp) {
    give_up(static_cast<uint32_t>(member->rank), member->text(), frame);
  }
}

void RootServer::give_up(uint32_t rank, const std::string& who, const Frame& frame) {
  std::optional<Failure> failure = Failure::decode(frame.payload);
  if (!failure) return;
  told_.insert(rank);
  if (failure->code != gossTimeout) failure->code = gossRemoteError;
  if (failure->rank < 0) failure->rank = static_cast<int>(rank);
  // Who is missing is known here, now; a rank that has no link to a neighbour knows more.
  const bool knows_less =
      is_here(rank) &&
      (phase_ == Phase::kGathering || (phase_ == Phase::kLinking && members_[rank]->connected));
  if (failure->code == gossTimeout && knows_less) {
    const std::vector<int> ranks = missing();
    if (!ranks.empty()) failure->rank = ranks.front();
    const double waited = std::chrono::duration<double>(now_ - members_[rank]->joined_at).count();
    failure->reason = format(
        "%s gave up %.1f s after it had joined, still waiting for %s%s; raise GOSS_INIT_TIMEOUT if "
        "they need longer to start",
        who.c_str(), waited, phase_ == Phase::kLinking ? "all connections of " : "",
        missing_text().c_str());
  } else {
    failure->reason = who + " gave up: " + failure->reason;
  }
  if (phase_ == Phase::kGathering || phase_ == Phase::kLinking) fail_job(*failure);
}

bool RootServer::is_here(uint32_t rank) const {
  return rank < members_.size() && members_[rank] != nullptr && !members_[rank]->lost;
}

void RootServer::lose(Member* member) {
  member->lost = true;
  member->lost_at = now_;
  // Once complete, or failed, ranks may close at will.
  if (phase_ == Phase::kComplete) return;
  if (phase_ == Phase::kFailed) {
    told_.insert(static_cast<uint32_t>(member->rank));
  } else if (phase_ == Phase::kLinking) {
    fail_job({member->rank, gossRemoteError,
              member->text() + " died during start-up (" + member->channel->ending() + ")"});
  }
}

void RootServer::fail_job(const Failure& failure) {
  if (phase_ == Phase::kFailed) return;
  log(LogLevel::kInfo, "start-up failed: %s", failure.reason.c_str());
  failure_ = failure;
  phase_ = Phase::kFailed;
  failed_at_ = now_;
  linger_until_ = now_ + kLinger;
  const std::string bytes = failure_.encode();
  for (const auto& member : members_) {
    if (member == nullptr) continue;
    const bool later = member->join.process == process_;
    if (!member->lost && !later) member->channel->queue(FrameType::kFailed, bytes);
    told_.insert(static_cast<uint32_t>(member->rank));
  }
}

// Their process may end as soon as they know.
void RootServer::tell_own_process() {
  const bool others_know =
      parting_.empty() && std::all_of(members_.begin(), members_.end(), [this](const auto& member) {
        return member == nullptr || member->lost || member->join.process == process_;
      });
  if (own_told_ || (!others_know && now_ - failed_at_ < kOthersFirst)) return;
  own_told_ = true;
  for (const auto& member : members_) {
    if (member == nullptr || member->lost || member->join.process != process_) continue;
    member->channel->queue(FrameType::kFailed, failure_.encode());
  }
}

void RootServer::advance_phase() {
  if (phase_ == Phase::kGathering) {
    bool all = nranks_ > 0 && present_ == nranks_;
    for (const auto& member : members_) {
      if (member == nullptr || !member->lost) continue;
      all = false;
      if (now_ - member->lost_at < kReplacement) continue;
      fail_job({member->rank, gossRemoteError,
                member->text() + " died during start-up (" + member->channel->ending() + ")"});
      break;
    }
    if (all && phase_ == Phase::kGathering) send_tables();
  }
  if (phase_ == Phase::kLinking && missing().empty()) {
    phase_ = Phase::kComplete;
    linger_until_ = now_ + kLinger;
    for (const auto& member : members_) member->channel->queue(FrameType::kComplete, "");
    flush();
  }
  if (phase_ == Phase::kFailed) tell_own_process();
  const bool told_all =
      phase_ == Phase::kComplete || (own_told_ && nranks_ > 0 && told_.size() >= nranks_);
  const bool ending = phase_ == Phase::kComplete || phase_ == Phase::kFailed;
  if (ending && ((told_all && drained()) || now_ >= linger_until_)) {
    if (gate_.refused() > 0) {
      log(LogLevel::kInfo, "start-up: %llu connections were refused or said nothing in time",
          static_cast<unsigned long long>(gate_.refused()));
    }
    phase_ = Phase::kFinished;
    gate_.close();
    members_.clear();
    parting_.clear();
  }
}

void RootServer::send_tables() {
  Table table;
  table.root_rank = root_rank_;
  if (const Status random = fill_random(table.salt.data(), table.salt.size()); !random.ok()) {
    return fail_job({root_rank_, gossSystemError, random.message()});
  }
  phase_ = Phase::kLinking;
  for (const auto& member : members_) {
    table.contacts.clear();
    for (const int peer : neighbours_of(member->rank, static_cast<int>(nranks_))) {
      const Join& join = members_[static_cast<size_t>(peer)]->join;
      table.contacts.push_back({peer, join.mesh, join.host});
    }
    member->channel->queue(FrameType::kTable, table.encode());
  }
}

// When the root's process dies its connections end: the ranks then name the rank it belonged to.
void RootServer::find_root_rank() {
  for (const auto& member : members_) {
    if (member == nullptr || member->join.process != process_) continue;
    if (member->rank == root_rank_) return;
    root_rank_ = member->rank;
    return send_status(nullptr);
  }
}

void RootServer::send_status(Member* only) {
  const Waiting waiting{root_rank_, missing_text()};
  const std::string bytes = waiting.encode();
  if (only != nullptr) return only->channel->queue(FrameType::kWaiting, bytes);
  last_status_ = now_;
  for (const auto& member : members_) {
    // A stopped rank needs no second one.
    if (member == nullptr || member->lost || !member->channel->idle()) continue;
    member->channel->queue(FrameType::kWaiting, bytes);
  }
}

std::string RootServer::missing_text() const {
  const std::vector<int> ranks = missing();
  return rank_list(ranks) + format(" (%zu of %u)", ranks.size(), nranks_);
}

// Ranks that have not come, or once all have, that have not got all their links.
std::vector<int> RootServer::missing() const {
  std::vector<int> ranks;
  for (uint32_t rank = 0; rank < members_.size(); ++rank) {
    const bool done = is_here(rank) && (phase_ == Phase::kGathering || members_[rank]->connected);
    if (!done) ranks.push_back(static_cast<int>(rank));
  }
  return ranks;
}

void RootServer::flush() {
  for (const auto& member : members_) {
    if (member != nullptr && !member->lost) member->channel->flush();
  }
  for (const auto& channel : parting_) channel->flush();
  parting_.erase(std::remove_if(parting_.begin(), parting_.end(),
                                [](const auto& channel) { return channel->idle(); }),
                 parting_.end());
}

bool RootServer::drained() const {
  return parting_.empty() && std::all_of(members_.begin(), members_.end(), [](const auto& member) {
           return member == nullptr || member->lost || member->channel->idle();
         });
}

void RootServer::pollfds(std::vector<pollfd>* fds) const {
  gate_.pollfds(fds);
  for (const auto& member : members_) {
    if (member == nullptr || member->lost) continue;
    fds->push_back({member->channel->socket().get(), member->channel->poll_mask(), 0});
  }
  for (const auto& channel : parting_) fds->push_back({channel->socket().get(), POLLOUT, 0});
}

Result<std::unique_ptr<Root>> make_root(const UniqueId& id, UniqueId* bound) {
  Address address;
  address.storage = id.address;
  address.bytes = id.address_bytes;
  GOSS_TRY(check_crypto());
  GOSS_TRY_ASSIGN(Socket listener, listen_at(address));
  GOSS_TRY_ASSIGN(const Address actual, local_address(listener));
  if (bound != nullptr) {
    *bound = id;
    bound->address = actual.storage;
    bound->address_bytes = actual.bytes;
    bound->root_listens = true;
  }
  GOSS_TRY_ASSIGN(const ProcessToken process, process_token());
  return std::unique_ptr<Root>(std::make_unique<RootServer>(std::move(listener), id, process));
}

}  // namespace

Result<std::unique_ptr<Root>> Root::create(UniqueId* id) {
  UniqueId fresh;
  GOSS_TRY(fill_random(fresh.secret.data(), fresh.secret.size()));
  GOSS_TRY(fill_random(fresh.job.data(), fresh.job.size()));
  GOSS_TRY_ASSIGN(const Address address, choose_address());
  fresh.address = address.storage;
  fresh.address_bytes = address.bytes;
  return make_root(fresh, id);
}

Result<std::unique_ptr<Root>> Root::create_at(const UniqueId& id) { return make_root(id, nullptr); }

}  // namespace goss::bootstrap
