// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/communicator.h"

#include <algorithm>
#include <bit>
#include <exception>

#include "base/log.h"
#include "engine/compressed_execution.h"
#include "engine/job.h"
#include "engine/span.h"

namespace goss::engine {

using shm::Record;

namespace {

// Ranks of `job_ranks` that share memory.
std::vector<int> on_this_host(const std::vector<int>& job_ranks, int rank, const Span* span) {
  if (span == nullptr) return job_ranks;
  std::vector<int> here;
  for (int r : span->hosts().host(rank)) here.push_back(job_ranks[static_cast<size_t>(r)]);
  return here;
}

// Which area of the segment of its host belongs to a rank of the communicator. Between hosts the
// areas of the ranks here follow those of the communicator inside the host.
int area_of(int rank, const Span* span) {
  if (span == nullptr) return rank;
  const Hosts& hosts = span->hosts();
  return static_cast<int>(hosts.host(rank).size()) + hosts.index(rank);
}

Faults::Agree agree(const Communicator::Parts& parts, bool across_hosts) {
  if (!across_hosts) return {};
  Job* job = parts.job.get();
  return [job, id = parts.id, ranks = parts.job_ranks](const Status& failure, bool wait) {
    job->agree(id, ranks, failure, wait);
  };
}

}  // namespace

Communicator::Communicator(Parts parts) : Communicator(std::move(parts), nullptr) {}

Communicator::Communicator(Parts parts, std::unique_ptr<Span> span)
    : waiter(false),
      parts_(std::move(parts)),
      compute_(find_compute(parts_.settings.device)),
      span_(std::move(span)),
      faults_(parts_.segment.get(), area_of(parts_.rank, span_.get()),
              agree(parts_.outer != nullptr ? parts_.outer->parts() : parts_,
                    span_ != nullptr || parts_.outer != nullptr)),
      plans_(parts_.rank, parts_.nranks),
      next_warning_(parts_.settings.warn_after) {
  const std::vector<int> here = on_this_host(parts_.job_ranks, rank(), span_.get());
  crowded_ = static_cast<int>(here.size()) > parts_.job->usable_cpus(here);
  for (int r = 0; r < nranks(); ++r) {
    shm::RankArea* area = nullptr;
    if (span_ == nullptr || span_->hosts().together(r, rank())) {
      area = &parts_.segment->area(area_of(r, span_.get()));
    } else {
      area = span_->add_told();
    }
    areas_.push_back(area);
  }
  mine_ = areas_[static_cast<size_t>(rank())];
  if (span_ != nullptr) {
    mine_->state.store(shm::RankState::kAttached, std::memory_order_relaxed);
  }
  seen_phase.assign(static_cast<size_t>(nranks()) * shm::kPhases, 0);
  seen_done.assign(static_cast<size_t>(nranks()), 0);
  seen_broadcast_done.assign(static_cast<size_t>(nranks()), 0);
  far = settings().far.value_or(false);
  waiter.set_crowded(crowded_);
  waiter.add_bell(bell());
  if (span_ != nullptr && here.size() > 1) {
    Parts inside = parts_;
    inside.rank = span_->hosts().index(rank());
    inside.nranks = static_cast<int>(here.size());
    inside.job_ranks = here;
    inside.outer = this;
    // What is compressed, and whether results are compared, is decided for all hosts.
    inside.settings.codecs = {};
    inside.settings.verify = false;
    span_->set_local(std::make_unique<Communicator>(std::move(inside)));
  }
  if (parts_.outer == nullptr) parts_.job->add(this);
}

Communicator::~Communicator() {
  if (parts_.outer == nullptr) parts_.job->remove(this);
  leave();
}

CompressedExecution& Communicator::compressed() {
  if (compressed_ == nullptr) compressed_ = std::make_unique<CompressedExecution>();
  return *compressed_;
}

size_t Communicator::compressed_bytes() const {
  return compressed_ == nullptr ? 0 : compressed_->bytes();
}

gossErrorReport_t Communicator::last_report() {
  const std::lock_guard<std::mutex> lock(report_mutex_);
  return report_;
}

void Communicator::set_last_report(const gossErrorReport_t& report) {
  const std::lock_guard<std::mutex> lock(report_mutex_);
  report_ = report;
}

bool Communicator::remote(int peer) const {
  return span_ != nullptr && !span_->hosts().together(peer, rank());
}

int Communicator::place_in_segment(int peer) const {
  return span_ == nullptr ? peer : span_->hosts().index(peer);
}

Waiter::Bell Communicator::bell() const {
  return {parts_.segment, place_in_segment(rank()),
          span_ == nullptr ? nullptr : parts_.job->messenger()};
}

void Communicator::leave() {
  waiter.clear_bells();
  if (span_ != nullptr) parts_.job->tell(left());
  mine_->state.store(shm::RankState::kLeft, std::memory_order_release);  // pairs with check_wait()
  ring_doorbells_if_dozing(segment());
  if (span_ != nullptr) span_->leave(aborting() || faults_.any());
}

News Communicator::left() const {
  News news = doing(-1);
  news.kind = News::Kind::kLeft;
  return news;
}

void Communicator::leave_at_exit() {
  if (span_ != nullptr) parts_.job->tell(left());
  mine_->state.store(shm::RankState::kLeft, std::memory_order_release);  // pairs with check_wait()
  ring_doorbells(segment());
}

uint64_t Communicator::begin_operation(const Operation& operation, int algorithm,
                                       const OwnBuffers& own, uint32_t codecs) {
  const Signature signature = Signature::of(operation, algorithm, codecs);
  // Chained: who differed in an operation that nobody compared, differs in all that follow.
  uint32_t hash = signature.hash();
  if (operation.calls > 1) hash ^= static_cast<uint32_t>(operation.counts.hash >> 32);
  if (operation.block_counts != nullptr) {
    CallCounts blocks;
    for (int r = 0; r < nranks(); ++r) blocks.add(operation.block_counts[r]);
    hash ^= static_cast<uint32_t>(blocks.hash >> 32);
  }
  history_ = (std::rotl(history_, 5) ^ hash) * 0x9e3779b1u;
  const uint64_t number = sequence_.load(std::memory_order_relaxed) + 1;
  sequence_.store(number, std::memory_order_relaxed);
  uint64_t word = number << 32 | history_;
  if (word == 0) word = 1;  // 0 says that there is none
  Record& record = mine_->records[number % shm::kRecords];
  // Readers check the signature before and after they read the rest: it goes first and comes last.
  record.signature.store(0, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);  // pairs with the fence in read_record()
  record.what.store(signature.what, std::memory_order_relaxed);
  record.count.store(signature.count, std::memory_order_relaxed);
  const auto place = [](const device::SharedMemoryPtr& memory, const void* buffer,
                        std::atomic<uint64_t>* id, std::atomic<uint64_t>* offset) {
    id->store(memory == nullptr ? 0 : memory->id(), std::memory_order_relaxed);
    if (memory == nullptr) return;
    const auto* address = static_cast<const std::byte*>(buffer);
    offset->store(static_cast<uint64_t>(address - memory->data()), std::memory_order_relaxed);
  };
  place(own.input, operation.buffer.input, &record.input_id, &record.input_offset);
  place(own.output, operation.buffer.output, &record.output_id, &record.output_offset);
  if (own.writable) {
    record.output_offset.store(
        record.output_offset.load(std::memory_order_relaxed) | Record::kWritable,
        std::memory_order_relaxed);
  }
  record.signature.store(word, std::memory_order_release);  // pairs with agrees() and last_seen()
  if (unpublished_done != 0) {
    mine_->flags.done.store(unpublished_done, std::memory_order_release);  // pairs with ready()
    unpublished_done = 0;
  }
  return word;
}

void Communicator::end_operation(const Operation& operation, bool counts) {
  mine_->completed.store(static_cast<uint32_t>(sequence_.load(std::memory_order_relaxed)),
                         std::memory_order_relaxed);
  if (!counts) return;
  stats.operations += operation.calls;
  const size_t count =
      operation.block_counts != nullptr ? operation.block_counts[rank()] : operation.count;
  stats.payload_bytes += count * type_size(operation.type);
}

namespace {

// A record's signature and content, if they belong together.
bool read_record(const Record& record, uint64_t* word, Signature* signature) {
  *word = record.signature.load(std::memory_order_acquire);  // pairs with begin_operation()
  signature->what = record.what.load(std::memory_order_relaxed);
  signature->count = record.count.load(std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_acquire);  // the reads above stay above the next one
  return *word != 0 && record.signature.load(std::memory_order_relaxed) == *word;
}

bool same_operation(uint64_t a, uint64_t b) { return (a ^ b) >> 32 == 0; }

// Ranks see the last 32 bits of each other's numbers, which begin anew after 2^32 operations. No
// rank can be more than some dozens ahead, so the distance tells which comes first.
uint32_t short_number(uint64_t word) { return static_cast<uint32_t>(word >> 32); }
bool is_before(uint32_t a, uint32_t b) { return static_cast<int32_t>(a - b) < 0; }

// What a rank recorded as operation `number`, if it is still there.
bool read_number(const shm::RankArea& area, uint64_t number, Signature* signature) {
  uint64_t word = 0;
  return read_record(area.records[number % shm::kRecords], &word, signature) &&
         short_number(word) == static_cast<uint32_t>(number);
}

// When a rank that waits tells the other hosts what it is doing, and how seldom at the most.
constexpr std::chrono::milliseconds kFirstNewsAfter{100};
constexpr std::chrono::milliseconds kNewsEvery{5'000};
// By then it is worth looking at more lines than that of the rank waited for.
constexpr std::chrono::milliseconds kCompareAllAfter{10};

}  // namespace

uint64_t Communicator::number_of(uint64_t signature) const {
  const uint64_t current = sequence_.load(std::memory_order_relaxed);
  const uint32_t ahead = short_number(signature) - static_cast<uint32_t>(current);
  return current + static_cast<uint64_t>(static_cast<int64_t>(static_cast<int32_t>(ahead)));
}

void Communicator::count_from(uint64_t operations) {
  sequence_.store(operations, std::memory_order_relaxed);
  mine_->completed.store(static_cast<uint32_t>(operations), std::memory_order_relaxed);
}

bool Communicator::contradicts(int peer, uint64_t signature) {
  const Record& record = area(peer).records[short_number(signature) % shm::kRecords];
  const uint64_t recorded = record.signature.load(std::memory_order_acquire);  // begin_operation()
  return recorded != 0 && recorded != signature &&
         !is_before(short_number(recorded), short_number(signature));
}

bool Communicator::agrees(int peer, uint64_t signature, Status* failure) {
  uint64_t theirs = area(peer).flags.signature.load(std::memory_order_acquire);
  if (theirs == signature) return true;
  if (same_operation(theirs, signature) && !contradicts(peer, signature)) return true;
  // A peer that is ahead has compared signatures itself, or left a record.
  if (!same_operation(theirs, signature)) {
    Signature unused;
    const Record& record = area(peer).records[(signature >> 32) % shm::kRecords];
    if (!read_record(record, &theirs, &unused)) return true;
    if (!same_operation(theirs, signature) || theirs == signature) return true;
  }
  *failure = mismatch(peer, signature);
  return false;
}

bool Communicator::differs(int peer, uint64_t signature) {
  uint64_t theirs = 0;
  Signature unused;
  const Record& record = area(peer).records[(signature >> 32) % shm::kRecords];
  return read_record(record, &theirs, &unused) && same_operation(theirs, signature) &&
         theirs != signature;
}

Status Communicator::mismatch(int peer, uint64_t signature) {
  if (Communicator* outer = parts_.outer) {
    return outer->mismatch(index_in(*outer, peer), outer->signature_in_progress);
  }
  Signature own;
  Signature theirs;
  const uint64_t current = number_of(signature);
  uint64_t number = current;
  const uint64_t oldest = number > shm::kRecords ? number - shm::kRecords + 1 : 1;
  bool known = false;
  // The first that differs is the cause.
  for (uint64_t n = oldest; n <= current; ++n) {
    known = read_number(*mine_, n, &own) && read_number(area(peer), n, &theirs);
    number = n;
    if (known && (own.what != theirs.what || own.count != theirs.count)) break;
  }
  if (!known) read_number(*mine_, number, &own);
  const bool lower = rank() < peer;  // the same text on both sides
  const std::string a = name_of(lower ? rank() : peer);
  const std::string b = name_of(lower ? peer : rank());
  // Differing words for the same call: grouped calls that are as many elements in other portions,
  // other counts below the largest, or the records of the cause have been used again.
  const bool same = known && own.what == theirs.what && own.count == theirs.count;
  const bool grouped = (own.what & Signature::kGrouped) != 0;
  const bool varied = (own.what & Signature::kVaried) != 0;
  std::string own_text = describe(own);
  std::string their_text = known ? describe(theirs) : "another operation";
  if (same && (grouped || varied)) {
    own_text += grouped ? " from calls of some counts" : " with some counts";
    their_text += grouped ? " from calls of other counts" : " with other counts";
  } else if (same) {
    own_text = "one thing earlier";
    their_text = "another thing earlier";
  }
  faults_.raise(fail(gossInvalidUsage,
                     "operation #%llu of communicator '%s' differs between ranks: %s called %s, "
                     "%s called %s. All ranks must make the same calls in the same order",
                     static_cast<unsigned long long>(number), settings().name.c_str(), a.c_str(),
                     (lower ? own_text : their_text).c_str(), b.c_str(),
                     (lower ? their_text : own_text).c_str()));
  return faults_.status();
}

Status Communicator::check_wait(int peer, uint64_t signature, std::chrono::milliseconds waited) {
  Status reason;
  if (interrupted(&reason)) return reason;
  if (peer < 0 || peer >= nranks() || peer == rank()) return {};
  if (Communicator* outer = parts_.outer) {
    return outer->check_wait(index_in(*outer, peer), outer->signature_in_progress, waited);
  }
  tell_waiting(peer, waited);
  // Two ranks that differ may both wait for a third.
  for (int r = 0; r < nranks(); ++r) {
    if (r == rank() || (r != peer && waited < kCompareAllAfter)) continue;
    if (differs(r, signature)) return mismatch(r, signature);
  }
  Signature own;
  uint64_t word = 0;
  const auto what = [&] {
    read_record(mine_->records[(signature >> 32) % shm::kRecords], &word, &own);
    return format("%s #%llu of communicator '%s'", describe(own).c_str(),
                  static_cast<unsigned long long>(number_of(signature)), settings().name.c_str());
  };
  if (has_left(peer) &&
      is_before(area(peer).completed.load(std::memory_order_relaxed), short_number(signature))) {
    faults_.raise(fail(gossRemoteError,
                       "%s left (it destroyed the communicator or exited) while others were in %s",
                       name_of(peer).c_str(), what().c_str()));
    return faults_.status();
  }
  return check_patience(peer, waited, what);
}

// The rank of `outer` that is `peer` here.
int Communicator::index_in(const Communicator& outer, int peer) const {
  return outer.span()->hosts().host(outer.rank())[static_cast<size_t>(peer)];
}

// Ranks of other hosts cannot look: say what this rank is doing, which also asks `peer` to say.
void Communicator::tell_waiting(int peer, std::chrono::milliseconds waited) {
  if (span_ == nullptr) return;
  if (waited < kFirstNewsAfter) next_news_ = kFirstNewsAfter;
  if (waited < next_news_) return;
  next_news_ = std::min(2 * next_news_, waited + kNewsEvery);
  ask(peer);
}

void Communicator::ask(int peer) { parts_.job->tell(doing(peer)); }

bool Communicator::disagrees(int peer, uint64_t signature) const {
  const uint64_t current = number_of(signature);
  const uint64_t oldest = current > shm::kRecords ? current - shm::kRecords + 1 : 1;
  for (uint64_t n = oldest; n <= current; ++n) {
    Signature own;
    Signature theirs;
    const bool known =
        read_number(*mine_, n, &own) && read_number(*areas_[static_cast<size_t>(peer)], n, &theirs);
    if (known && (own.what != theirs.what || own.count != theirs.count)) return true;
  }
  return false;
}

News Communicator::doing(int peer, uint64_t number) const {
  News news;
  news.communicator = parts_.id;
  news.rank = peer;
  news.completed = mine_->completed.load(std::memory_order_relaxed);
  news.waiting = mine_->waiting.load(std::memory_order_relaxed);
  Signature signature;
  if (!read_number(*mine_, number, &signature)) {
    number = sequence_.load(std::memory_order_relaxed);
  }
  const Record& record = mine_->records[number % shm::kRecords];
  if (read_record(record, &news.signature, &signature)) {
    news.what = signature.what;
    news.count = signature.count;
  } else {
    news.signature = 0;
  }
  return news;
}

void Communicator::told_operation(int peer, uint64_t signature, uint64_t what, uint64_t count) {
  if (span_->hosts().together(peer, rank()) || signature == 0) return;
  Record& record = area(peer).records[(signature >> 32) % shm::kRecords];
  record.signature.store(0, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);  // pairs with the fence in read_record()
  record.what.store(what, std::memory_order_relaxed);
  record.count.store(count, std::memory_order_relaxed);
  record.signature.store(signature, std::memory_order_release);  // pairs with read_record()
}

void Communicator::told(int peer, const News& news) {
  if (span_->hosts().together(peer, rank())) return;
  told_operation(peer, news.signature, news.what, news.count);
  shm::RankArea& there = area(peer);
  there.waiting.store(news.waiting, std::memory_order_relaxed);
  there.completed.store(news.completed, std::memory_order_relaxed);
  // Pairs with has_left(): what it completed is known.
  if (news.kind == News::Kind::kLeft) {
    there.state.store(shm::RankState::kLeft, std::memory_order_release);
  }
}

Status Communicator::check_patience(int peer, std::chrono::milliseconds waited,
                                    const std::function<std::string()>& what) {
  if (waited < settings().warn_after) next_warning_ = settings().warn_after;
  if (settings().timeout.count() > 0 && waited >= settings().timeout) {
    faults_.raise(
        fail(gossTimeout, "%s: %s waited %lld ms for %s (%s). Raise GOSS_TIMEOUT if this is normal",
             what().c_str(), name_of(rank()).c_str(), static_cast<long long>(waited.count()),
             name_of(peer).c_str(), last_seen(peer).c_str()));
    return faults_.status();
  }
  if (settings().warn_after.count() > 0 && waited >= next_warning_) {
    log(LogLevel::kWarn, "%s: %s has been waiting for %s for %lld ms (%s)", what().c_str(),
        name_of(rank()).c_str(), name_of(peer).c_str(), static_cast<long long>(waited.count()),
        last_seen(peer).c_str());
    next_warning_ = 2 * std::max(waited, next_warning_);
  }
  return {};
}

bool Communicator::has_left(int peer) {
  // Pairs with leave(): what it did before is visible.
  return area(peer).state.load(std::memory_order_acquire) == shm::RankState::kLeft;
}

std::string Communicator::name_of(int rank) const {
  const auto& job_ranks = parts_.job_ranks;
  return format("rank %d (%s)", rank,
                parts_.job->place_of(job_ranks[static_cast<size_t>(rank)]).c_str());
}

std::string Communicator::last_seen(int rank) {
  const uint32_t waiting = area(rank).waiting.load(std::memory_order_relaxed);
  if (waiting != 0) {
    return format("it is waiting to %s rank %u", waiting % 2 == 0 ? "receive from" : "send to",
                  (waiting - 1) / 2);
  }
  uint64_t newest = 0;
  Signature latest;
  for (const Record& record : area(rank).records) {
    uint64_t word = 0;
    Signature signature;
    if (!read_record(record, &word, &signature)) continue;
    if (newest != 0 && !is_before(short_number(newest), short_number(word))) continue;
    newest = word;
    latest = signature;
  }
  if (newest == 0) return "it has not started any operation";
  const uint32_t completed = area(rank).completed.load(std::memory_order_relaxed);
  const bool over = !is_before(completed, short_number(newest));
  return format("last seen %s %s #%llu", over ? "after" : "in", describe(latest).c_str(),
                static_cast<unsigned long long>(number_of(newest)));
}

std::string Communicator::flight_record() const {
  std::string text = format("communicator '%s', rank %d of %d: last operations\n",
                            settings().name.c_str(), rank(), nranks());
  const uint32_t completed = mine_->completed.load(std::memory_order_relaxed);
  const uint64_t newest = sequence_.load(std::memory_order_relaxed);
  const uint64_t first = newest > shm::kRecords ? newest - shm::kRecords + 1 : 1;
  for (uint64_t s = first; s <= newest; ++s) {
    Signature signature;
    if (!read_number(*mine_, s, &signature)) continue;
    const bool over = !is_before(completed, static_cast<uint32_t>(s));
    text += format("  #%llu %s %s\n", static_cast<unsigned long long>(s),
                   describe(signature).c_str(), over ? "completed" : "not completed");
  }
  return text;
}

void Communicator::abort() {
  aborting_.store(true, std::memory_order_release);  // pairs with aborting()
  if (span_ != nullptr && span_->local() != nullptr) span_->local()->aborting_.store(true);
  faults_.raise_soon(fail(gossRemoteError, "%s aborted communicator '%s'", name_of(rank()).c_str(),
                          settings().name.c_str()));
  ring_doorbells(segment());
}

void Communicator::stop(const Status& here, const Status& elsewhere) {
  faults_.fail_here(here);
  faults_.raise(elsewhere);
  ring_doorbells(segment());
}

void Communicator::release_staging() {
  const int here = place_in_segment(rank());
  segment().release_ring(here);
  cell_bytes.fill(0);
  size_t kept = 0;
  for (int r = 0; r < static_cast<int>(pairs.size()); ++r) {
    PairState& pair = pairs[static_cast<size_t>(r)];
    if (pair.can_send < 2) continue;  // as for ranks of other hosts
    // Pairs with the receiver's store: it has read what is in the slots.
    const int there = place_in_segment(r);
    pair.taken = segment().pair(here, there).taken.load(std::memory_order_acquire);
    if (pair.taken != pair.sent) {
      kept += shm::kPairEntries * shm::kPairSlotBytes;
      continue;
    }
    segment().release_slots(here, there);
    pair.can_send = 1;
  }
  stats.staging_bytes += kept - stats.staging_bytes.value();
  if (span() != nullptr && span()->local() != nullptr) span()->local()->release_staging();
  suspended_.store(true, std::memory_order_relaxed);
}

void Communicator::vote_far(bool looks_far) {
  // The peers are asked in turn, and those on the same CPU are always near: one far vote weighs as
  // much as two near ones, and one interrupted measurement decides nothing.
  if (settings().far) return;
  far_votes_ = std::clamp(far_votes_ + (looks_far ? 2 : -1), 0, 6);
  if (far_votes_ >= 4) far = true;
  if (far_votes_ <= 1) far = false;
}

Communicator::Placement Communicator::placement(int peer, uint64_t signature) {
  const Record& record = area(peer).records[(signature >> 32) % shm::kRecords];
  Placement found;
  // As read_record(): the same number before and after means that what was read belongs to it.
  // Pairs with begin_operation().
  if (record.signature.load(std::memory_order_acquire) != signature) return {};
  found.input_id = record.input_id.load(std::memory_order_relaxed);
  found.input_offset = record.input_offset.load(std::memory_order_relaxed);
  found.output_id = record.output_id.load(std::memory_order_relaxed);
  found.output_offset = record.output_offset.load(std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_acquire);  // the reads above stay above the next one
  if (record.signature.load(std::memory_order_relaxed) != signature) return {};
  found.writable = (found.output_offset & Record::kWritable) != 0;
  found.output_offset &= ~Record::kWritable;
  return found;
}

Status Communicator::lost(const Status& failure) {
  try {
    faults_.raise(fail(failure.code(), "%s cannot go on with communicator '%s': %s",
                       name_of(rank()).c_str(), settings().name.c_str(),
                       failure.message().c_str()));
  } catch (const std::exception&) {  // there is not even memory for the sentence
    faults_.raise(failure);
  }
  return faults_.status();
}

bool Communicator::interrupted(Status* why) {
  if (aborting()) {
    *why = fail(gossInvalidUsage, "the communicator was aborted during this call");
    return true;
  }
  if (!faults_.any()) return false;
  *why = faults_.status();
  return !why->ok();
}

}  // namespace goss::engine
