// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/gossip_mail.h"

#include <algorithm>
#include <cstring>

#include "engine/job.h"

namespace goss::engine {

using shm::GossipBoard;
using shm::GossipPair;
using shm::GossipSlot;

namespace {

constexpr uint64_t pack(uint64_t generation, LetterState state) {
  return generation << shm::kLetterStateBits | static_cast<uint64_t>(state);
}
constexpr LetterState state_of(uint64_t word) {
  return static_cast<LetterState>(word & ((1u << shm::kLetterStateBits) - 1));
}
constexpr uint64_t generation_of(uint64_t word) { return word >> shm::kLetterStateBits; }
constexpr bool is_open(LetterState state) {
  return state == LetterState::kReady || state == LetterState::kReading;
}

void store_header(GossipSlot* slot, const GossipHeader& header) {
  uint64_t words[shm::kGossipHeaderWords];
  std::memcpy(words, &header, sizeof(words));
  for (size_t i = 0; i < shm::kGossipHeaderWords; ++i) {
    slot->header[i].store(words[i], std::memory_order_relaxed);
  }
}

GossipHeader load_header(const GossipSlot& slot) {
  uint64_t words[shm::kGossipHeaderWords];
  for (size_t i = 0; i < shm::kGossipHeaderWords; ++i) {
    words[i] = slot.header[i].load(std::memory_order_relaxed);
  }
  GossipHeader header;
  std::memcpy(&header, words, sizeof(words));
  return header;
}

size_t index_of(int rank) { return static_cast<size_t>(rank); }

}  // namespace

GossipMail::GossipMail(const Communicator::Parts& parts, uint64_t instance, bool late)
    : parts_(parts),
      instance_(instance),
      late_(late),
      next_slot_(index_of(parts.nranks)),
      can_send_(index_of(parts.nranks)),
      can_receive_(index_of(parts.nranks)),
      heard_(index_of(parts.nranks), 0) {}

Result<std::unique_ptr<GossipMail>> GossipMail::create(const Communicator::Parts& parts,
                                                       uint64_t instance, bool late) {
  GOSS_TRY(parts.segment->allocate_gossip_boards());
  std::unique_ptr<GossipMail> mail(new GossipMail(parts, instance, late));
  GossipBoard& board = parts.segment->gossip_board(parts.rank);
  board.steps.store(0, std::memory_order_relaxed);
  for (int r = 0; r < parts.nranks; ++r) {
    board.versions[r].store(0, std::memory_order_relaxed);
  }
  board.instance.store(instance, std::memory_order_release);  // pairs with place()
  mail->changed();
  return mail;
}

GossipMail::~GossipMail() {
  for (const Outgoing& out : outgoing_) withdraw(out.sent);
  settle();
  for (const Payload& payload : payloads_) {
    // A reader that has been stopped in the middle must find its bytes when it goes on.
    if (payload.users == 0) static_cast<void>(device::free_shared(payload.memory->data()));
  }
  // Pairs with place(): whoever sees it sees all letters too.
  parts_.segment->gossip_board(parts_.rank).left.store(instance_, std::memory_order_release);
  changed();
}

void GossipMail::changed() { ring_doorbells_if_dozing(*parts_.segment); }

bool GossipMail::is_dead(int peer) const {
  return parts_.job->dead_among({parts_.job_ranks[index_of(peer)]}) >= 0;
}

// ---- sending ------------------------------------------------------------------------------------

std::atomic<uint64_t>& GossipMail::state(const Sent& sent) const {
  return parts_.segment->gossip_pair(parts_.rank, sent.peer).states[sent.slot];
}

// Payloads of letters that have ended are free.
void GossipMail::settle() {
  std::erase_if(outgoing_, [&](const Outgoing& out) {
    const LetterState now = fate(out.sent);
    // The dead do not go on reading.
    const bool over = !is_open(now) || (now == LetterState::kReading && is_dead(out.sent.peer));
    if (over) --payloads_[out.payload].users;
    return over;
  });
}

Result<size_t> GossipMail::new_payload(size_t bytes) {
  settle();
  size_t found = payloads_.size();
  for (size_t i = 0; i < payloads_.size(); ++i) {
    if (payloads_[i].users > 0) continue;
    if (found == payloads_.size()) found = i;
    const size_t here = payloads_[i].memory->bytes();
    const size_t best = payloads_[found].memory->bytes();
    // The smallest that is large enough, else the largest, to be replaced.
    if (here >= bytes ? here < best || best < bytes : best < bytes && here > best) found = i;
  }
  if (found == payloads_.size() || payloads_[found].memory->bytes() < bytes) {
    GOSS_TRY_ASSIGN(void* base, device::allocate_shared(std::max<size_t>(bytes, 4096)));
    if (found == payloads_.size()) {
      payloads_.push_back({});
    } else {
      GOSS_TRY(device::free_shared(payload(found)));
    }
    payloads_[found].memory = device::find_shared(base, 1);
  }
  payloads_[found].users = 1;
  return found;
}

void GossipMail::drop_payload(size_t index) { --payloads_[index].users; }

Status GossipMail::open_pair(int sender, int receiver, std::vector<bool>* opened) {
  const int peer = sender == parts_.rank ? receiver : sender;
  if ((*opened)[index_of(peer)]) return {};
  GOSS_TRY(parts_.segment->allocate_gossip_pair(sender, receiver));
  (*opened)[index_of(peer)] = true;
  return {};
}

Result<bool> GossipMail::post(int peer, const GossipHeader& header, size_t payload, Sent* sent) {
  GOSS_TRY(open_pair(parts_.rank, peer, &can_send_));
  GossipPair& pair = parts_.segment->gossip_pair(parts_.rank, peer);
  // In turn, so that the end of a letter can be seen for long.
  int& next = next_slot_[index_of(peer)];
  int tried = 0;
  uint64_t word = 0;
  for (; tried < shm::kGossipSlots; ++tried, next = (next + 1) % shm::kGossipSlots) {
    word = pair.states[next].load(std::memory_order_acquire);  // pairs with release()
    if (!is_open(state_of(word))) break;
  }
  if (tried == shm::kGossipSlots) {
    settle();
    return false;
  }
  const int slot = next;
  const device::SharedMemoryPtr& memory = payloads_[payload].memory;
  GOSS_TRY_ASSIGN(const int full,
                  parts_.job->announce({parts_.job_ranks[index_of(peer)]}, memory));
  if (full >= 0) return false;
  GossipHeader complete = header;
  complete.instance = instance_;
  store_header(&pair.slots[slot], complete);
  pair.slots[slot].memory_id.store(memory->id(), std::memory_order_relaxed);
  *sent = {peer, slot, generation_of(word) + 1};
  // Pairs with letters() and take().
  pair.states[slot].store(pack(sent->generation, LetterState::kReady), std::memory_order_release);
  next = (slot + 1) % shm::kGossipSlots;
  ++payloads_[payload].users;
  outgoing_.push_back({*sent, payload, header.step});
  changed();
  return true;
}

LetterState GossipMail::fate(const Sent& sent) const {
  if (sent.peer < 0) return LetterState::kWithdrawn;
  const uint64_t word = state(sent).load(std::memory_order_acquire);  // pairs with release()
  // A slot is used again only when its letter has ended well enough for its owner.
  return generation_of(word) == sent.generation ? state_of(word) : LetterState::kTaken;
}

LetterState GossipMail::withdraw(const Sent& sent) {
  if (sent.peer < 0) return LetterState::kWithdrawn;
  uint64_t expected = pack(sent.generation, LetterState::kReady);
  // Against take(): one of the two wins.
  if (state(sent).compare_exchange_strong(expected,
                                          pack(sent.generation, LetterState::kWithdrawn),
                                          std::memory_order_acq_rel, std::memory_order_acquire)) {
    return LetterState::kWithdrawn;
  }
  return fate(sent);
}

void GossipMail::make_room(int peer) {
  for (const Outgoing& out : outgoing_) {
    if (out.sent.peer == peer && withdraw(out.sent) == LetterState::kWithdrawn) break;
  }
  settle();
}

GossipHeader GossipMail::answer(const Sent& sent) const {
  return parts_.segment->gossip_pair(parts_.rank, sent.peer).slots[sent.slot].answer;
}

void GossipMail::close() {
  parts_.segment->gossip_board(parts_.rank).closing.store(instance_, std::memory_order_release);
}

bool GossipMail::all_read() {
  settle();
  return std::all_of(outgoing_.begin(), outgoing_.end(), [&](const Outgoing& out) {
    const Place there = place(out.sent.peer);
    const bool past = !late_ && there.steps > out.step + 1;
    return fate(out.sent) == LetterState::kReady && (there.gone() || there.closing || past);
  });
}

const std::byte* GossipMail::sent_payload(const Sent& sent) const {
  for (const Outgoing& out : outgoing_) {
    if (out.sent.peer == sent.peer && out.sent.slot == sent.slot &&
        out.sent.generation == sent.generation) {
      return payload(out.payload);
    }
  }
  return nullptr;
}

// ---- receiving ----------------------------------------------------------------------------------

std::span<const GossipMail::Letter> GossipMail::letters(int peer) {
  seen_.clear();
  if (!can_receive_[index_of(peer)]) {
    if (!open_pair(peer, parts_.rank, &can_receive_).ok()) return seen_;
  }
  const GossipPair& pair = parts_.segment->gossip_pair(peer, parts_.rank);
  for (int slot = 0; slot < shm::kGossipSlots; ++slot) {
    const uint64_t word = pair.states[slot].load(std::memory_order_acquire);  // pairs with post()
    if (state_of(word) != LetterState::kReady) continue;
    const GossipSlot& from = pair.slots[slot];
    Letter letter{peer, slot, generation_of(word),
                  from.memory_id.load(std::memory_order_relaxed), load_header(from)};
    std::atomic_thread_fence(std::memory_order_acquire);  // what was read stays above the next one
    if (pair.states[slot].load(std::memory_order_relaxed) != word) continue;
    if (letter.header.instance == instance_) seen_.push_back(letter);
  }
  return seen_;
}

Result<const std::byte*> GossipMail::find_payload(const Letter& letter) {
  GOSS_TRY_ASSIGN(const device::SharedMemoryPtr memory, parts_.job->peer_memory(letter.memory_id));
  if (memory == nullptr) return nullptr;
  if (letter.header.bytes > memory->bytes()) {
    return fail(gossInternalError, "gossip: a letter of rank %d of %llu bytes in memory of %zu",
                letter.peer, static_cast<unsigned long long>(letter.header.bytes),
                memory->bytes());
  }
  return memory->data();
}

std::atomic<uint64_t>& GossipMail::state(const Letter& letter) const {
  return parts_.segment->gossip_pair(letter.peer, parts_.rank).states[letter.slot];
}

bool GossipMail::take(const Letter& letter) {
  uint64_t expected = pack(letter.generation, LetterState::kReady);
  // Against withdraw(): one of the two wins. Acquire pairs with post().
  return state(letter).compare_exchange_strong(
      expected, pack(letter.generation, LetterState::kReading), std::memory_order_acq_rel,
      std::memory_order_relaxed);
}

void GossipMail::release(const Letter& letter, LetterState how) {
  // Pairs with fate() and post(): what was read of the payload was read before.
  state(letter).store(pack(letter.generation, how), std::memory_order_release);
  changed();
}

void GossipMail::refuse(const Letter& letter, const GossipHeader& answer) {
  parts_.segment->gossip_pair(letter.peer, parts_.rank).slots[letter.slot].answer = answer;
  release(letter, LetterState::kRefused);
}

// ---- boards -------------------------------------------------------------------------------------

GossipMail::Place GossipMail::place(int peer) const {
  const GossipBoard& board = parts_.segment->gossip_board(peer);
  Place place;
  const uint64_t there = board.instance.load(std::memory_order_acquire);  // pairs with create()
  const uint64_t left = board.left.load(std::memory_order_acquire);       // ~GossipMail()
  const bool comm_left = parts_.segment->area(peer).state.load(std::memory_order_acquire) ==
                         shm::RankState::kLeft;  // pairs with Communicator::leave()
  place.left = left >= instance_ || there > instance_ || comm_left;
  place.here = there == instance_ && !place.left;
  place.closing = board.closing.load(std::memory_order_acquire) >= instance_;  // close()
  place.dead = !place.left && is_dead(peer);
  if (there != instance_) return place;
  place.steps = board.steps.load(std::memory_order_acquire);  // pairs with publish()
  place.alive = board.alive.load(std::memory_order_relaxed);
  place.beats = board.beats.load(std::memory_order_relaxed);
  return place;
}

void GossipMail::publish(uint64_t step, uint64_t alive) {
  GossipBoard& board = parts_.segment->gossip_board(parts_.rank);
  board.alive.store(alive, std::memory_order_relaxed);
  board.steps.store(step + 1, std::memory_order_release);  // pairs with place()
  changed();
}

void GossipMail::publish(const collectives::Membership& membership) {
  GossipBoard& board = parts_.segment->gossip_board(parts_.rank);
  const std::span<const uint32_t> versions = membership.versions();
  for (size_t r = 0; r < versions.size(); ++r) {
    board.versions[r].store(versions[r], std::memory_order_relaxed);
  }
  board.news.fetch_add(1, std::memory_order_release);  // pairs with hear()
}

void GossipMail::publish_beat() {
  parts_.segment->gossip_board(parts_.rank).beats.fetch_add(1, std::memory_order_relaxed);
}

bool GossipMail::hear(collectives::Membership* membership) {
  bool changed = false;
  std::vector<uint32_t> versions(index_of(parts_.nranks));
  for (int r = 0; r < parts_.nranks; ++r) {
    const GossipBoard& board = parts_.segment->gossip_board(r);
    if (r == parts_.rank) continue;
    const uint64_t news = board.news.load(std::memory_order_acquire);  // pairs with publish()
    if (news == heard_[index_of(r)]) continue;
    if (board.instance.load(std::memory_order_acquire) != instance_) continue;
    for (size_t i = 0; i < versions.size(); ++i) {
      versions[i] = board.versions[i].load(std::memory_order_relaxed);
    }
    heard_[index_of(r)] = news;
    Result<bool> merged = membership->merge(versions);
    changed = changed || (merged.ok() && merged.value());
  }
  return changed;
}

}  // namespace goss::engine
