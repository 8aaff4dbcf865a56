// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/join.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstring>

#include "base/isa.h"
#include "base/log.h"
#include "engine/messengers.h"
#include "engine/reach.h"
#include "engine/reactor.h"
#include "transport/hmac.h"

namespace goss::engine {

namespace {

// A host that does not answer is to be reported within 5 s: this is counted in whole heartbeats of
// the kernel, and the news has to go round.
constexpr std::chrono::milliseconds kSilence{3'000};

// 16 bytes that only the ranks of this job can compute.
std::string derive_nonce(const std::string& key, const std::string& label) {
  return std::string(view(hmac_sha256(key, {label})).substr(0, 16));
}

}  // namespace

namespace {

Hosts hosts_of(const Job& job, const std::vector<int>& ranks) {
  std::vector<std::string> ids;
  std::vector<int> reaches;
  for (int r : ranks) {
    ids.push_back(job.host_of(r));
    reaches.push_back(job.member(r).reach);
  }
  return Hosts(ids, reaches);
}

uint64_t topic_of(const std::string& nonce) {
  uint64_t topic = 0;
  std::memcpy(&topic, nonce.data(), sizeof(topic));
  return topic;
}

}  // namespace

SegmentSetup::SegmentSetup(JobPtr job, std::vector<int> everyone, int rank, std::string nonce,
                           Limit limit)
    : job_(std::move(job)),
      everyone_(std::move(everyone)),
      rank_(rank),
      hosts_(hosts_of(*job_, everyone_)),
      self_(hosts_.index(rank)),
      nonce_(std::move(nonce)),
      host_nonce_(nonce_),
      limit_(limit) {
  for (int r : hosts_.host(rank)) members_.push_back(everyone_[static_cast<size_t>(r)]);
  if (hosts_.count() > 1) {
    const int host = hosts_.host_of[static_cast<size_t>(rank)];
    host_nonce_ = derive_nonce(job_->key(), format("host %d of ", host) + nonce_);
  }
}

SegmentSetup::~SegmentSetup() {
  if (complete_) {
    if (communicating_) return;
    // Pairs with has_left(): the others have it, and would wait for this rank in their first call.
    segment_->area(self_).state.store(shm::RankState::kLeft, std::memory_order_release);
    ring_doorbells(*segment_);
    if (hosts_.count() > 1) {
      News news;
      news.kind = News::Kind::kLeft;
      news.communicator = topic();
      job_->tell(news);
    }
    return;
  }
  if (!job_->given_up(topic()).ok()) return;
  job_->give_up(topic(), failure_.ok() ? fail(gossRemoteError, "it was aborted") : failure_);
}

uint64_t SegmentSetup::topic() const { return topic_of(nonce_); }
uint64_t SegmentSetup::host_topic() const { return topic_of(host_nonce_); }

// The first member makes the segment. One rank of every other process receives its descriptor, the
// others of that process find what that one has mapped.
Result<bool> SegmentSetup::obtain() {
  // Across hosts each rank has two areas: see Span.
  const int n = static_cast<int>(members_.size()) * (hosts_.count() > 1 ? 2 : 1);
  if (self_ == 0) {
    GOSS_TRY_ASSIGN(segment_, shm::Segment::create(n, host_nonce_));
    return true;
  }
  segment_ = shm::Segment::find(host_nonce_);
  if (segment_ != nullptr) return true;
  const int me = members_[static_cast<size_t>(self_)];
  const auto first = std::find_if(members_.begin(), members_.end(),
                                  [&](int r) { return job_->same_process(r, me); });
  if (*first != me) return false;
  GOSS_TRY_ASSIGN(auto letter, job_->receive_segment(host_topic()));
  if (!letter) return false;
  GOSS_TRY_ASSIGN(segment_, shm::Segment::attach(std::move(letter->fd), n, host_nonce_));
  return true;
}

Result<bool> SegmentSetup::advance() {
  Result<bool> result = step();
  if (!result.ok()) failure_ = result.status();
  if (result.ok() && result.value()) complete_ = true;
  return result;
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
  const int dead = job_->dead_among(everyone_);
  if (dead >= 0) {
    return fail(gossRemoteError, "rank %d (%s) died while a communicator was being made", dead,
                job_->place_of(dead).c_str());
  }
  const auto waited = std::chrono::steady_clock::now() - limit_.began;
  if (limit_.timeout.count() == 0 || waited < limit_.timeout) return {};
  const int absent = first_absent();
  const int rank = absent >= 0 ? members_[static_cast<size_t>(absent)] : first_host_absent();
  if (rank < 0) return {};
  return fail(gossTimeout,
              "after %.1f s rank %d (%s)%s has not taken part in making the communicator; raise "
              "GOSS_INIT_TIMEOUT if it needs longer",
              std::chrono::duration<double>(waited).count(), rank, job_->place_of(rank).c_str(),
              absent >= 0 ? "" : ", or another rank of its host,");
}

Result<bool> SegmentSetup::step() {
  // Complete is complete, even if a rank has left and ended since.
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
    GOSS_TRY_ASSIGN(sent_, job_->send_segment(members_, host_topic(), segment_->bytes(),
                                              segment_->fd(), &send_next_));
    if (!sent_) return false;
  }
  return complete();
}

// The first rank of each host tells the other hosts when all of its own are there.
bool SegmentSetup::complete() {
  if (segment_ == nullptr || first_absent() >= 0) return false;
  if (hosts_.count() == 1) return true;
  if (self_ == 0 && !std::exchange(told_, true)) job_->ready(topic());
  return first_host_absent() < 0;
}

// A member of another host, all of which have not told that they are there.
int SegmentSetup::first_host_absent() const {
  for (const std::vector<int>& host : hosts_.members) {
    const int first = everyone_[static_cast<size_t>(host.front())];
    if (first != members_.front() && !job_->is_ready(topic(), first)) return first;
  }
  return -1;
}

std::unique_ptr<Communicator> SegmentSetup::communicator(const Settings& settings) {
  Communicator::Parts parts;
  parts.rank = rank_;
  parts.nranks = static_cast<int>(everyone_.size());
  parts.settings = settings;
  parts.segment = segment_;
  parts.job = job_;
  parts.job_ranks = everyone_;
  parts.id = topic();
  if (parts.settings.name.empty()) {
    parts.settings.name = format("%08x", static_cast<unsigned>(topic() & 0xffffffffu));
  }
  std::unique_ptr<Span> span;
  if (hosts_.count() > 1) span = std::make_unique<Span>(hosts_, job_, parts.id);
  auto made = std::make_unique<Communicator>(std::move(parts), std::move(span));
  communicating_ = true;
  return made;
}

namespace {

std::string reached_by(const Communicator& comm) {
  if (comm.span() == nullptr) return "all ranks by shared memory";
  const Hosts& hosts = comm.span()->hosts();
  return format("%zu ranks by shared memory, those of %d other hosts by messages",
                hosts.host(comm.rank()).size(), hosts.count() - 1);
}

}  // namespace

void announce(const Communicator& comm) {
  log(LogLevel::kInfo,
      "communicator '%s': rank %d of %d, gossamer %d.%d.%d, %s, kernels %s, %d usable CPUs",
      comm.settings().name.c_str(), comm.rank(), comm.nranks(), GOSS_MAJOR, GOSS_MINOR, GOSS_PATCH,
      reached_by(comm).c_str(), chosen_isa().name,
      comm.parts().job->usable_cpus(comm.parts().job_ranks));
}

const char* transport_name(Transport transport) {
  switch (transport) {
    case Transport::kAuto: return "auto";
    case Transport::kShm: return "shm";
    case Transport::kMessages: return "ucx";
  }
  return "?";
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
    if (members_.empty()) {
      std::vector<std::string> all;
      GOSS_TRY_ASSIGN(const bool gathered, bootstrap_->allgather(self_, &all));
      if (!gathered) return false;
      GOSS_TRY(meet(all));
    }
    if (messenger_ != nullptr) {
      std::vector<std::string> addresses;
      GOSS_TRY_ASSIGN(const bool gathered, bootstrap_->allgather(address_, &addresses));
      if (!gathered) return false;
      GOSS_TRY(unpack_reaches(&addresses, &members_));
      GOSS_TRY(messenger_->connect(std::move(addresses)));
    }
    if (setup_ == nullptr) make_job();
    GOSS_TRY_ASSIGN(const bool ready, setup_->advance());
    if (!ready) return false;
    communicator_ = setup_->communicator(options_.settings);
    announce(*communicator_);
    return true;
  }

 private:
  // Who the ranks are, and whether all of them share memory.
  Status meet(const std::vector<std::string>& all) {
    for (const std::string& bytes : all) {
      GOSS_TRY_ASSIGN(Member member, Member::parse(bytes));
      const std::string pretended = pretended_host(static_cast<int>(members_.size()));
      if (!pretended.empty()) member.host_id = pretended;
      members_.push_back(std::move(member));
    }
    if (options_.settings.transport == Transport::kMessages) {
      // Every rank is a host of its own.
      for (size_t r = 0; r < members_.size(); ++r) members_[r].host_id += format(" rank %zu", r);
    }
    const auto other = std::find_if(members_.begin(), members_.end(), [&](const Member& m) {
      return m.host_id != members_[0].host_id;
    });
    if (other == members_.end()) return {};
    if (options_.settings.transport == Transport::kShm) {
      return fail(gossInvalidUsage,
                  "rank 0 is on host %s (id %s) and rank %td on host %s (id %s): with "
                  "GOSS_TRANSPORT=shm all ranks must be on one host; the id of a host is "
                  "GOSS_HOSTID, else that of its boot",
                  members_[0].host.c_str(), members_[0].host_id.c_str(), other - members_.begin(),
                  other->host.c_str(), other->host_id.c_str());
    }
    GOSS_TRY_ASSIGN(messenger_, make_messenger(options_.rank, options_.nranks));
    GOSS_TRY_ASSIGN(const std::string reaches, reaches_to_tell(members_, options_.rank));
    address_ = pack_reaches(reaches, messenger_->address());
    return {};
  }

  void make_job() {
    const bootstrap::Secret secret = bootstrap_->session_key();
    std::string key(secret.begin(), secret.end());
    std::vector<int> everyone(members_.size());
    for (size_t r = 0; r < everyone.size(); ++r) everyone[r] = static_cast<int>(r);
    auto job = std::make_shared<Job>(options_.rank,
                                     members_,  // shared: communicators split from one another
                                     std::move(mailbox_), key);
    job->attach_mesh(bootstrap_->take_mesh());
    job->attach_messenger(std::move(messenger_));
    if (options_.nranks > 1) Reactor::get().watch(job);
    setup_ = std::make_unique<SegmentSetup>(
        job, std::move(everyone), options_.rank, derive_nonce(key, "communicator"),
        SegmentSetup::Limit{options_.settings.init_timeout, began_});
  }

  JoinOptions options_;
  shm::Mailbox mailbox_;
  std::string self_;
  std::unique_ptr<bootstrap::Bootstrap> bootstrap_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  bool connected_ = false;
  std::vector<Member> members_;
  transport::MessengerPtr messenger_;
  std::string address_;  // and what goes with it
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
  boot.silence = kSilence;
  boot.hello_text = format(
      "gossamer %d.%d, shared memory layout 3, %s-endian, GOSS_ALGO=%s, GOSS_TRANSPORT=%s, "
      "GOSS_VERIFY=%d",
      GOSS_MAJOR, GOSS_MINOR, std::endian::native == std::endian::little ? "little" : "big",
      forced_name(options.settings.forced), transport_name(options.settings.transport),
      options.settings.verify ? 1 : 0);
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
