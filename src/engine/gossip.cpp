// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/gossip.h"

#include <algorithm>

#include "base/log.h"
#include "engine/job.h"
#include "engine/span.h"

namespace goss::engine {

using collectives::AliveSet;
using collectives::GossipOptions;
using collectives::GossipSchedule;
using collectives::Topology;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kFloor{200};
constexpr milliseconds kCrowdedFloor{1000};
constexpr int kFirstPatience = 10;  // times the floor, as long as a partner is hardly known

// Averages all living ranks exactly in one step, for any number of them.
GossipOptions global_options(const GossipOptions& options) {
  GossipOptions global;
  global.topology = Topology::kFold;
  global.seed = options.seed;
  return global;
}

float median(std::vector<float>* values) {
  const auto middle = values->begin() + static_cast<std::ptrdiff_t>(values->size() / 2);
  std::nth_element(values->begin(), middle, values->end());
  return *middle;
}

}  // namespace

void PartnerHistory::add(milliseconds waited) {
  waits_[count_++ % kKept] = static_cast<float>(waited.count());
}

milliseconds PartnerHistory::patience(milliseconds floor) const {
  if (count_ < kEnough) return kFirstPatience * floor;
  std::vector<float> values(waits_.begin(),
                            waits_.begin() + static_cast<std::ptrdiff_t>(std::min(count_, kKept)));
  const float usual = median(&values);
  for (float& value : values) value = std::abs(value - usual);
  return std::max(floor, milliseconds(static_cast<int64_t>(usual + 8 * median(&values))));
}

Gossip::Gossip(const Communicator& comm, const GossipSettings& settings, GossipSchedule schedule,
               GossipSchedule global)
    : waiter(comm.crowded()),
      parts_(comm.parts()),
      settings_(settings),
      crowded_(comm.crowded()),
      schedule_(std::move(schedule)),
      global_(std::move(global)),
      membership_(comm.nranks()),
      fingerprint_(collectives::fingerprint(settings.options)),
      alive_hash_(schedule_->alive().hash()),
      histories_(static_cast<size_t>(comm.nranks())) {
  waiter.add_bell({parts_.segment, parts_.rank, nullptr});
}

Result<std::unique_ptr<Gossip>> Gossip::create(const Communicator& comm,
                                               const GossipSettings& settings, uint64_t instance) {
  const int n = comm.nranks();
  if (!comm.compute().host_memory()) {
    return fail(gossInvalidUsage,
                "gossip: device %d has no host memory; this version mixes models "
                "in host memory",
                comm.settings().device);
  }
  if (comm.span() != nullptr) {
    return fail(gossInvalidUsage,
                "gossip: the ranks of communicator '%s' are on %d hosts; this version gossips in "
                "shared memory. Split it into one communicator for each host",
                comm.settings().name.c_str(), comm.span()->hosts().count());
  }
  constexpr int kMostStale =
      shm::kGossipSlots / 2 - 1;  // of what is taken back when it is not read
  if (settings.deterministic && settings.options.push_sum &&
      settings.options.staleness > kMostStale) {
    return fail(gossInvalidArgument,
                "gossip: maxStale is %d; with deterministic at most %d, as no more messages wait "
                "for a rank",
                settings.options.staleness, kMostStale);
  }
  if (settings.min_alive < 1 || settings.min_alive > n) {
    return fail(gossInvalidArgument, "gossip: minAlive is %d; give 1 to %d, the number of ranks",
                settings.min_alive, n);
  }
  const AliveSet all = AliveSet::all(n);
  GOSS_TRY_ASSIGN(GossipSchedule schedule, GossipSchedule::create(settings.options, all));
  GOSS_TRY_ASSIGN(GossipSchedule global,
                  GossipSchedule::create(global_options(settings.options), all));
  std::unique_ptr<Gossip> gossip(
      new Gossip(comm, settings, std::move(schedule), std::move(global)));
  GOSS_TRY_ASSIGN(gossip->mail_,
                  GossipMail::create(comm.parts(), instance, settings.options.push_sum));
  return gossip;
}

std::string Gossip::name_of(int rank) const {
  return format("rank %d (%s)", rank,
                parts_.job->place_of(parts_.job_ranks[static_cast<size_t>(rank)]).c_str());
}

Result<uint32_t> Gossip::enter(uint64_t step) {
  if (step_ && step < *step_) {
    return fail(gossInvalidArgument, "gossip: step %llu after step %llu; steps do not go back",
                static_cast<unsigned long long>(step), static_cast<unsigned long long>(*step_));
  }
  if (step_ && step == *step_) return ++part_;
  hear(step);
  come_back(step);
  if (!step_ || step >= schedule_->next_boundary(*step_)) GOSS_TRY(adopt());
  step_ = step;
  part_ = 0;
  mail_->publish(step, alive_hash_);
  if (membership_.living() < settings_.min_alive) {
    return fail(gossRemoteError,
                "gossip: %d of %d ranks are left, and minAlive is %d: this part of the job stops",
                membership_.living(), parts_.nranks, settings_.min_alive);
  }
  return part_;
}

void Gossip::hear(uint64_t step) {
  bool changed = mail_->hear(&membership_);
  for (int r = 0; r < parts_.nranks; ++r) {
    if (r != parts_.rank && membership_.is_alive(r) && mail_->place(r).gone_in(step)) {
      changed |= membership_.suspect(r);
    }
  }
  if (changed) mail_->publish(membership_);
}

// A rank that others take for dead contradicts once it is where they are. Before that its letters
// would be late, and they would wait for it again.
void Gossip::come_back(uint64_t step) {
  if (membership_.is_alive(parts_.rank) || step < newest_step()) return;
  membership_.admit(parts_.rank);
  mail_->publish(membership_);
  log(LogLevel::kWarn, "gossip: %s had been given up by others and is back in step %llu",
      name_of(parts_.rank).c_str(), static_cast<unsigned long long>(step));
}

void Gossip::suspect(int rank) {
  if (!membership_.suspect(rank)) return;
  stats.suspicions += 1;
  mail_->publish(membership_);
  log(LogLevel::kWarn, "gossip: %s goes on without %s", name_of(parts_.rank).c_str(),
      name_of(rank).c_str());
}

// The schedule among those that live now. A rank that is taken for dead mixes with nobody.
Status Gossip::adopt() {
  Result<AliveSet> living = membership_.alive();
  std::vector<int> alone{parts_.rank};
  Result<AliveSet> self = AliveSet::of(parts_.nranks, alone);
  const bool out = !living.ok() || !living.value().contains(parts_.rank);
  AliveSet alive = out ? self.take() : living.take();
  if (alive == schedule_->alive()) return {};
  GOSS_TRY_ASSIGN(GossipSchedule schedule, schedule_->remapped(alive));
  GOSS_TRY_ASSIGN(GossipSchedule global, global_->remapped(alive));
  compression.forget_edges();
  const std::lock_guard<std::mutex> lock(mutex_);
  schedule_ = std::move(schedule);
  global_ = std::move(global);
  alive_hash_ = alive.hash();
  return {};
}

milliseconds Gossip::patience(int rank) const {
  if (settings_.timeout.count() > 0) return settings_.timeout;
  return histories_[static_cast<size_t>(rank)].patience(crowded_ ? kCrowdedFloor : kFloor);
}

GossipCompression::EdgeKey Gossip::edge_key(uint64_t step, uint32_t part) const {
  return {part, static_cast<int>(step % static_cast<uint64_t>(schedule_->period()))};
}

Status Gossip::check_patience(int peer, milliseconds waited) {
  const Settings& limits = parts_.settings;
  const auto what = [&] {
    return format("gossip of communicator '%s', step %llu: %s has waited %lld ms for %s",
                  limits.name.c_str(), static_cast<unsigned long long>(step_.value_or(0)),
                  name_of(parts_.rank).c_str(), static_cast<long long>(waited.count()),
                  name_of(peer).c_str());
  };
  if (limits.timeout.count() > 0 && waited >= limits.timeout) {
    return fail(gossTimeout, "%s. Raise GOSS_TIMEOUT if this is normal", what().c_str());
  }
  if (waited < limits.warn_after) next_warning_ = limits.warn_after;
  if (limits.warn_after.count() > 0 && waited >= next_warning_) {
    log(LogLevel::kWarn, "%s", what().c_str());
    next_warning_ = 2 * waited;
  }
  return {};
}

shm::GossipHeader Gossip::header(uint64_t step, uint32_t part) const {
  shm::GossipHeader header;
  header.step = step;
  header.part = part;
  header.alive = alive_hash_;
  header.seed = settings_.options.seed;
  header.options = fingerprint_;
  header.topology = static_cast<uint8_t>(settings_.options.topology);
  return header;
}

void Gossip::note_weight() {
  weight_.store(push_sum.weight(), std::memory_order_relaxed);
  const collectives::PushSumAccount& account = push_sum.account();
  stats.weight_sent.store(account.sent.value(), std::memory_order_relaxed);
  stats.weight_received.store(account.received.value(), std::memory_order_relaxed);
  stats.weight_returned.store(account.returned.value(), std::memory_order_relaxed);
}

GossipSchedule Gossip::schedule() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return *schedule_;
}

std::vector<int> Gossip::living() const {
  const GossipSchedule now = schedule();
  std::vector<int> ranks;
  for (int i = 0; i < now.alive().size(); ++i) ranks.push_back(now.alive().rank_at(i));
  return ranks;
}

uint64_t Gossip::newest_step() const {
  uint64_t newest = 0;
  for (int r = 0; r < parts_.nranks; ++r) {
    const GossipMail::Place place = mail_->place(r);
    if (place.here && !place.dead && place.steps > 0) newest = std::max(newest, place.steps - 1);
  }
  return newest;
}

}  // namespace goss::engine
