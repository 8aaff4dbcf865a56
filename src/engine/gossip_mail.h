// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// GossipMail: letters between the ranks of one gossip object, over shared memory
// (transport/shm/gossip_area.h). A letter is either taken by its receiver or taken back by its
// sender, never both, and nothing of it is written into the receiver's memory. It does not fail
// when ranks die: letters of the dead can be read, letters to them taken back.
//
// Never blocks. One thread at a time, but for publish_beat().
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "collectives/gossip_membership.h"
#include "engine/communicator.h"

namespace goss::engine {

using shm::GossipHeader;
using shm::LetterState;

class GossipMail {
 public:
  // One that this rank has posted.
  struct Sent {
    int peer = -1;  // none
    int slot = 0;
    uint64_t generation = 0;
  };
  // One that has been seen, not taken yet.
  struct Letter {
    int peer = -1;
    int slot = 0;
    uint64_t generation = 0;
    uint64_t memory_id = 0;
    GossipHeader header;
  };
  // What another rank says about itself.
  struct Place {
    bool here = false;  // it has the same gossip object, and has not left
    bool left = false;  // it had, and has left after the end of its calls
    bool dead = false;  // its process, and it had not left
    bool closing = false;  // it makes no more calls
    uint64_t steps = 0;  // 1 + the step that it is in; 0: none yet
    uint64_t alive = 0;
    uint64_t beats = 0;
    bool gone() const { return left || dead; }
    // A rank that has left has done the steps up to its last.
    bool gone_in(uint64_t step) const { return dead || (left && steps <= step); }
  };

  // `instance`: the same on all ranks. `late`: letters are read after their step as well.
  static Result<std::unique_ptr<GossipMail>> create(const Communicator::Parts& parts,
                                                    uint64_t instance, bool late);
  // Takes back what nobody has taken, and says that this rank has left.
  ~GossipMail();
  GossipMail(const GossipMail&) = delete;
  GossipMail& operator=(const GossipMail&) = delete;

  // Memory for a payload, which belongs to the caller until it has been posted to at least one rank
  // or is dropped; then until all its letters have ended.
  Result<size_t> new_payload(size_t bytes);
  std::byte* payload(size_t index) const { return payloads_[index].memory->data(); }
  void drop_payload(size_t index);
  // False: there is no room at the moment; call again.
  Result<bool> post(int peer, const GossipHeader& header, size_t payload, Sent* sent);
  LetterState fate(const Sent& sent) const;
  // kWithdrawn: nobody has read it, nobody will. Otherwise as fate().
  LetterState withdraw(const Sent& sent);
  // Take back the letter to `peer` that was posted first of those nobody has taken.
  void make_room(int peer);
  // This rank will read nothing more; what it has sent can still be read.
  void close();
  // Whether nobody will read any of the letters any more.
  bool all_read();
  // Of a letter that was kRefused.
  GossipHeader answer(const Sent& sent) const;
  // What has been kept of a letter that nobody has taken, or that was taken back just now.
  const std::byte* sent_payload(const Sent& sent) const;

  // All letters from `peer` to this object that nobody has taken yet.
  std::span<const Letter> letters(int peer);
  // Where the payload is, or null while it is on the way; it may be read once take() was true.
  Result<const std::byte*> find_payload(const Letter& letter);
  // False: its sender has taken it back.
  bool take(const Letter& letter);
  void release(const Letter& letter, LetterState how);
  void refuse(const Letter& letter, const GossipHeader& answer);

  Place place(int peer) const;
  void publish(uint64_t step, uint64_t alive);
  void publish(const collectives::Membership& membership);
  void publish_beat();
  // What the others believe, merged; whether that changed anything.
  bool hear(collectives::Membership* membership);

 private:
  struct Payload {
    device::SharedMemoryPtr memory;
    int users = 0;  // letters that have not ended, and its owner
  };
  struct Outgoing {
    Sent sent;
    size_t payload;
    uint64_t step;
  };

  GossipMail(const Communicator::Parts& parts, uint64_t instance, bool late);
  std::atomic<uint64_t>& state(const Letter& letter) const;
  std::atomic<uint64_t>& state(const Sent& sent) const;
  void settle();
  bool is_dead(int peer) const;
  Status open_pair(int sender, int receiver, std::vector<bool>* opened);
  void changed();

  Communicator::Parts parts_;
  uint64_t instance_;
  bool late_;
  std::vector<Payload> payloads_;
  std::vector<Outgoing> outgoing_;  // in the order in which they were posted
  std::vector<int> next_slot_;      // [rank]: to be tried first
  std::vector<bool> can_send_;      // [rank]: pages are there
  std::vector<bool> can_receive_;
  std::vector<Letter> seen_;
  std::vector<uint64_t> heard_;     // [rank]: its news when it was last read
};

}  // namespace goss::engine
