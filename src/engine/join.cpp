// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/join.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstring>

#include "base/log.h"
#include "engine/reactor.h"
#include "transport/hmac.h"

namespace goss::engine {

namespace {

// 16 bytes that only the ranks of this job can compute.
std::string derive_nonce(const std::string& key, const std::string& label) {
  return std::string(view(hmac_sha256(key, {label})).substr(0, 16));
}

}  // namespace

SegmentSetup::SegmentSetup(JobPtr job, std::vector<int> members, int self, std::string nonce,
                           Limit limit)
    : job_(std::move(job)),
      members_(std::move(members)),
      self_(self),
      nonce_(std::move(nonce)),
      limit_(limit) {}

SegmentSetup::~SegmentSetup() {
  if (complete_) {
    if (communicating_) return;
    // Pairs with has_left(): the others have it, and would wait for this rank in their first call.
    segment_->area(self_).state.store(shm::RankState::kLeft, std::memory_order_release);
    ring_doorbells(*segment_);
    return;
  }
  if (!job_->given_up(topic()).ok()) return;
  job_->give_up(topic(), failure_.ok() ? fail(gossRemoteError, "it was aborted") : failure_);
}

uint64_t SegmentSetup::topic() const {
  uint64_t topic = 0;
  std::memcpy(&topic, nonce_.data(), sizeof(topic));
  return topic;
}

// The first member makes the segment. One rank of every other process receives its descriptor, the
// others of that process find what that one has mapped.
Result<bool> SegmentSetup::obtain() {
  const int n = static_cast<int>(members_.size());
  if (self_ == 0) {
    GOSS_TRY_ASSIGN(segment_, shm::Segment::create(n, nonce_));
    return true;
  }
  segment_ = shm::Segment::find(nonce_);
  if (segment_ != nullptr) return true;
  const int me = members_[static_cast<size_t>(self_)];
  const auto first = std::find_if(members_.begin(), members_.end(),
                                  [&](int r) { return job_->same_process(r, me); });
  if (*first != me) return false;
  GOSS_TRY_ASSIGN(auto letter, job_->receive_segment(topic()));
  if (!letter) return false;
  GOSS_TRY_ASSIGN(segment_, shm::Segment::attach(std::move(letter->fd), n, nonce_));
  return true;
}

Result<bool> SegmentSetup::advance() {
  Result<bool> result = step();
  if (!result.ok()) failure_ = result.status();
  if (result.ok() && result.value()) complete_ = true;
  return result;
}

std::string SegmentSetup::name_of(int member) const {
  const int rank = members_[static_cast<size_t>(member)];
  return format("rank %d (%s)", rank, job_->place_of(rank).c_str());
}

// The first member that is not here; the one that makes the segment while that is not here either.
int SegmentSetup::first_absent() const {
  if (segment_ == nullptr) return 0;
  for (size_t r = 0; r < members_.size(); ++r) {
    const shm::RankArea& area = segment_->area(static_cast<int>(r));
    // Pairs with the release in step(): the rank is there for good.
    if (area.state.load(std::memory_order_acquire) == shm::RankState::kAbsent) {
      return static_cast<int>(r);
    }
  }
  return -1;
}

Status SegmentSetup::check_peers() const {
  // A rank that gives up may end at once: its reason goes before its end.
  GOSS_TRY(job_->given_up(topic()));
  const int dead = job_->dead_among(members_);
  if (dead >= 0) {
    return fail(gossRemoteError, "rank %d (%s) died while a communicator was being made", dead,
                job_->place_of(dead).c_str());
  }
  const auto waited = std::chrono::steady_clock::now() - limit_.began;
  if (limit_.timeout.count() == 0 || waited < limit_.timeout || first_absent() < 0) return {};
  return fail(gossTimeout,
              "after %.1f s %s has not taken part in making the communicator; raise "
              "GOSS_INIT_TIMEOUT if it needs longer",
              std::chrono::duration<double>(waited).count(), name_of(first_absent()).c_str());
}

Result<bool> SegmentSetup::step() {
  // Complete is complete, even if a rank has left and ended since.
  const auto complete = [&] { return segment_ != nullptr && first_absent() < 0; };
  if (complete()) return true;
  Status trouble = check_peers();
  // Looked at again: a rank that came and then died has come, for all others as well.
  if (!trouble.ok()) return complete() ? Result<bool>(true) : Result<bool>(std::move(trouble));
  if (segment_ == nullptr) {
    GOSS_TRY_ASSIGN(const bool obtained, obtain());
    if (!obtained) return false;
    shm::RankArea& mine = segment_->area(self_);
    // Pairs with the acquire in first_absent(): the area is initialised (by the first member)
    // before anyone attaches.
    mine.state.store(shm::RankState::kAttached, std::memory_order_release);
  }
  if (self_ == 0 && !sent_) {
    GOSS_TRY_ASSIGN(sent_, job_->send_segment(members_, topic(), segment_->bytes(), segment_->fd(),
                                              &send_next_));
    if (!sent_) return false;
  }
  return first_absent() < 0;
}

std::unique_ptr<Communicator> SegmentSetup::communicator(const Settings& settings) {
  Communicator::Parts parts;
  parts.rank = self_;
  parts.nranks = static_cast<int>(members_.size());
  parts.settings = settings;
  parts.segment = segment_;
  parts.job = job_;
  parts.job_ranks = members_;
  parts.id = topic();
  if (parts.settings.name.empty()) {
    parts.settings.name = format("%08x", static_cast<unsigned>(topic() & 0xffffffffu));
  }
  auto made = std::make_unique<Communicator>(std::move(parts));
  communicating_ = true;
  return made;
}

namespace {

const char* forced_name(Forced forced) {
  switch (forced) {
    case Forced::kAuto: return "auto";
    case Forced::kInline: return "inline";
    case Forced::kOneShot: return "oneshot";
    case Forced::kTwoShot: return "twoshot";
  }
  return "?";
}

}  // namespace

void announce(const Communicator& comm) {
  log(LogLevel::kInfo,
      "communicator '%s': rank %d of %d, gossamer %d.%d.%d, all ranks by shared memory, "
      "kernels %s, %d usable CPUs",
      comm.settings().name.c_str(), comm.rank(), comm.nranks(), GOSS_MAJOR, GOSS_MINOR, GOSS_PATCH,
      reduce::isa_name(), comm.parts().job->usable_cpus(comm.parts().job_ranks));
}

std::unique_ptr<SegmentSetup> setup_within(const Communicator& parent,
                                           const std::vector<int>& members,
                                           const std::string& label,
                                           std::chrono::milliseconds timeout) {
  const auto self = std::find(members.begin(), members.end(), parent.rank());
  const int rank = static_cast<int>(self - members.begin());
  std::vector<int> job_ranks;
  for (int r : members) job_ranks.push_back(parent.parts().job_ranks[static_cast<size_t>(r)]);
  const JobPtr& job = parent.parts().job;
  return std::make_unique<SegmentSetup>(job, std::move(job_ranks), rank,
                                        derive_nonce(job->key(), label),
                                        SegmentSetup::Limit{timeout});
}

namespace {

class Joining final : public Making {
 public:
  Joining(const JoinOptions& options, shm::Mailbox mailbox, const Member& self,
          std::unique_ptr<bootstrap::Bootstrap> bootstrap)
      : options_(options),
        mailbox_(std::move(mailbox)),
        self_(self.serialize()),
        bootstrap_(std::move(bootstrap)) {}

  void pollfds(std::vector<pollfd>* fds) override {
    if (setup_ == nullptr) bootstrap_->pollfds(fds);
  }

  Result<bool> advance() override {
    if (!connected_) {
      GOSS_TRY_ASSIGN(connected_, bootstrap_->connect());
      if (!connected_) return false;
    }
    if (setup_ == nullptr) {
      std::vector<std::string> all;
      GOSS_TRY_ASSIGN(const bool gathered, bootstrap_->allgather(self_, &all));
      if (!gathered) return false;
      GOSS_TRY(make_job(all));
    }
    GOSS_TRY_ASSIGN(const bool ready, setup_->advance());
    if (!ready) return false;
    communicator_ = setup_->communicator(options_.settings);
    announce(*communicator_);
    return true;
  }

 private:
  Status make_job(const std::vector<std::string>& all) {
    std::vector<Member> members;
    for (const std::string& bytes : all) {
      GOSS_TRY_ASSIGN(Member member, Member::parse(bytes));
      members.push_back(std::move(member));
    }
    for (size_t r = 1; r < members.size(); ++r) {
      if (members[r].host_id == members[0].host_id) continue;
      return fail(gossInvalidUsage,
                  "rank 0 is on host %s (id %s) and rank %zu on host %s (id %s): this version "
                  "connects ranks by shared memory only. Start all ranks on one host; the id of a "
                  "host is GOSS_HOSTID, to be unset or equal on all ranks, else that of its boot",
                  members[0].host.c_str(), members[0].host_id.c_str(), r, members[r].host.c_str(),
                  members[r].host_id.c_str());
    }
    const bootstrap::Secret secret = bootstrap_->session_key();
    std::string key(secret.begin(), secret.end());
    std::vector<int> everyone(members.size());
    for (size_t r = 0; r < everyone.size(); ++r) everyone[r] = static_cast<int>(r);
    auto job = std::make_shared<Job>(
        options_.rank, std::move(members),  // shared: communicators split from one another
        std::move(mailbox_), key);
    job->attach_mesh(bootstrap_->take_mesh());
    if (options_.nranks > 1) Reactor::get().watch(job);
    setup_ = std::make_unique<SegmentSetup>(
        job, std::move(everyone), options_.rank, derive_nonce(key, "communicator"),
        SegmentSetup::Limit{options_.settings.init_timeout, began_});
    return {};
  }

  JoinOptions options_;
  shm::Mailbox mailbox_;
  std::string self_;
  std::unique_ptr<bootstrap::Bootstrap> bootstrap_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  bool connected_ = false;
  std::unique_ptr<SegmentSetup> setup_;
};

class Splitting final : public Making {
 public:
  Splitting(Communicator* parent, int color, int key, const Settings& settings)
      : parent_(parent),
        settings_(settings),
        color_(color),
        exchange_(parent, "splitting", own_entry(*parent, color, key)) {}

  Result<bool> advance() override {
    if (!exchange_.started()) number_ = parent_->splits++;
    if (setup_ == nullptr) {
      GOSS_TRY_ASSIGN(const bool exchanged, exchange_.advance());
      if (!exchanged) return false;
      if (color_ != GOSS_SPLIT_NOCOLOR) begin_setup();
      exchange_.settle();
      if (setup_ == nullptr) return true;
    }
    if (abandoned_) {
      setup_.reset();  // which tells the other ranks
      return true;
    }
    Result<bool> ready = setup_->advance();
    if (!ready.ok()) return ready;
    if (!ready.value()) {
      if (parent_->aborting()) return fail(gossInvalidUsage, "the parent was aborted in a split");
      GOSS_TRY(parent_->faults().any() ? parent_->faults().status() : Status());
      return false;
    }
    communicator_ = setup_->communicator(settings_);
    announce(*communicator_);
    return true;
  }

  void pollfds(std::vector<pollfd>*) override {}
  void abandon() override { abandoned_ = true; }

 private:
  // Everybody's pair of colour and key has its place.
  static std::vector<int64_t> own_entry(const Communicator& parent, int color, int key) {
    std::vector<int64_t> table(2 * static_cast<size_t>(parent.nranks()), 0);
    const size_t self = static_cast<size_t>(parent.rank());
    table[2 * self] = color;
    table[2 * self + 1] = key;
    return table;
  }

  void begin_setup() {
    const std::vector<int64_t>& table = exchange_.table();
    std::vector<int> members;  // ranks of the parent
    for (int r = 0; r < parent_->nranks(); ++r) {
      if (table[2 * static_cast<size_t>(r)] == color_) members.push_back(r);
    }
    std::stable_sort(members.begin(), members.end(), [&](int a, int b) {
      return table[2 * static_cast<size_t>(a) + 1] < table[2 * static_cast<size_t>(b) + 1];
    });
    const std::string label =
        format("split %llu %u %lld", static_cast<unsigned long long>(parent_->parts().id), number_,
               static_cast<long long>(color_));
    setup_ = setup_within(*parent_, members, label, settings_.init_timeout);
  }

  Communicator* parent_;
  Settings settings_;
  int64_t color_;
  uint32_t number_ = 0;  // of this split on the parent, on all its ranks
  ParentExchange exchange_;
  bool abandoned_ = false;
  std::unique_ptr<SegmentSetup> setup_;
};

}  // namespace

Result<std::unique_ptr<Making>> make_join(const JoinOptions& options) {
  bootstrap::Options boot;
  boot.id = options.id;
  boot.rank = options.rank;
  boot.nranks = options.nranks;
  boot.timeout = options.settings.init_timeout;
  boot.hello_text =
      format("gossamer %d.%d, shared memory layout 2, %s-endian, GOSS_ALGO=%s", GOSS_MAJOR,
             GOSS_MINOR, std::endian::native == std::endian::little ? "little" : "big",
             forced_name(options.settings.forced));
  boot.hello = boot.hello_text;
  GOSS_TRY_ASSIGN(auto bootstrap, bootstrap::Bootstrap::create(boot));
  const bootstrap::Secret secret = bootstrap->session_key();
  GOSS_TRY_ASSIGN(shm::Mailbox mailbox,
                  shm::Mailbox::create(std::string(secret.begin(), secret.end())));
  GOSS_TRY_ASSIGN(const Member self, Member::self(mailbox));
  return std::unique_ptr<Making>(
      new Joining(options, std::move(mailbox), self, std::move(bootstrap)));
}

std::unique_ptr<Making> make_split(Communicator* parent, int color, int key,
                                   const Settings& settings) {
  return std::make_unique<Splitting>(parent, color, key, settings);
}

}  // namespace goss::engine
