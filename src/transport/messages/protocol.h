// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// MessageProtocol: the rules by which a rank's messages become packets and packets messages again.
// Matching, order, cancelling, and the bounds on memory are here, for every wire alike.
//
// A message begins with kFirst, which names its key. Its bytes follow without being asked for as
// long as the window of the receiver lasts (kWindowBytes for all messages of a pair of ranks
// together); the rest waits for kGrant, which the receiver sends when it knows where the message
// goes. No more than kWindowMessages of a pair begin before they are asked for. So what nobody has
// asked for yet is bounded, and a message whose receiver is early flows without a pause.
//
// A request to send is done when the message arrives without further progress of this rank. A wire
// may keep the end of the last packet that it took until there is room (TCP sockets), so what may
// not have fitted is done when a later packet was taken; if need be, one is sent for that. If the
// peer leaves meanwhile, its last packet says what it has.
//
// Where there is no memory, send() and receive() throw and have done nothing. What the wire calls,
// and everything that ends requests, needs none, or loses the peer for want of it.
//
// One thread at a time; the wire calls back from within its own progress.
#pragma once

#include <span>
#include <vector>

#include "base/status.h"
#include "transport/messages/free_list.h"
#include "transport/messages/list.h"
#include "transport/messages/match_table.h"
#include "transport/messages/packet.h"
#include "transport/messages/recent.h"
#include "transport/messenger.h"

namespace goss::transport {

// Carries packets to other ranks, in the order given for each. Never asked to carry to its own.
class Wire {
 public:
  virtual ~Wire() = default;
  // True: done with the packet. False: reports transmitted() later, even when the peer is lost.
  // Does not call the protocol back.
  virtual bool transmit(int peer, Packet* packet) = 0;
};

// What is known of a request while it is posted.
struct Posting {
  bool sending = false;
  int peer = 0;
  MessageKey key;
  MessageRequest* request = nullptr;
};

struct Incoming;
struct Outgoing;

struct Receive : Posting {
  std::span<std::byte> buffer;
  Incoming* message = nullptr;  // null: none has come yet
  Receive* next_match = nullptr;
};

// A message's place in the table of those that have a number: of (peer, number).
template <class Message>
struct Numbered {
  int peer = 0;
  MessageKey key;
  Message* message = nullptr;
  Numbered* next_match = nullptr;
};

// A packet without content that is to be sent, about a message.
struct Control {
  PacketKind kind = PacketKind::kHello;
  uint64_t message = 0;
  Outgoing* ended = nullptr;  // to be given back when it has been sent
  Link<Control> link;
};

struct Outgoing : Posting {
  std::span<const std::byte> data;
  uint64_t number = 0;  // of the messages to this peer
  size_t handed = 0;    // bytes that are in packets, or were
  int pending = 0;      // packets that the wire still has
  bool started = false;
  bool granted = false;
  uint32_t last_sequence = 0;  // of the packets handed to the wire
  Link<Outgoing> link;         // in one of its peer's lists, or in none
  Numbered<Outgoing> numbered;
  Control abandon;
};

struct Incoming {
  int peer = 0;
  MessageKey key;
  uint64_t number = 0;
  size_t total = 0;
  size_t received = 0;
  Receive* receive = nullptr;    // null: unexpected, or unwanted
  bool unwanted = false;         // what comes is dropped
  bool unasked = true;           // counts against the window
  std::vector<std::byte> stash;  // what has come unexpectedly
  Incoming* next_match = nullptr;
  Numbered<Incoming> numbered;
  Control answer;  // kGrant or kStop
};

class MessageProtocol {
 public:
  static constexpr size_t kWindowBytes = 256 << 10;
  static constexpr size_t kWindowMessages = 1024;

  // `fragment_bytes`: the longest payload of a packet.
  MessageProtocol(int rank, int nranks, size_t fragment_bytes, Wire* wire);
  MessageProtocol(const MessageProtocol&) = delete;
  MessageProtocol& operator=(const MessageProtocol&) = delete;

  // As in Messenger.
  void send(int peer, const MessageKey& key, std::span<const std::byte> data,
            MessageRequest* request);
  void receive(int peer, const MessageKey& key, std::span<std::byte> buffer,
               MessageRequest* request);
  // Always at once. The peer, or -1 when it had ended before.
  int cancel(MessageRequest* request) noexcept;
  void forget(uint64_t communicator);
  const Status& fate(int peer) const { return peers_[static_cast<size_t>(peer)].fate; }
  uint64_t sent_bytes() const { return sent_bytes_; }

  // Before it nothing is handed to the wire.
  void start() { started_ = true; }
  // Hand to the wire what it takes. Whether there was anything.
  bool pump() noexcept;
  // Whether pump() would do something.
  bool has_work() const {
    return started_ && (!busy_.empty() || !peers_[static_cast<size_t>(rank_)].pending.empty());
  }
  // Requests that have ended so far.
  uint64_t ended() const { return ended_; }
  // Tell every peer that was talked to that this rank leaves.
  void say_bye() noexcept;
  // Whether packets are on their way to the wire of `peer`.
  bool pending(int peer) const { return !peers_[static_cast<size_t>(peer)].pending.empty(); }
  // After say_bye(): whether `peer` has yet to say that it has everything.
  bool awaits_farewell(int peer) const {
    const Peer& p = peers_[static_cast<size_t>(peer)];
    return p.opened && p.fate.ok() && !p.answered && peer != rank_;
  }

  // From the wire.
  void arrived(const PacketHeader& header, std::span<const std::byte> payload) noexcept;
  void transmitted(Packet* packet) noexcept;
  // Nothing comes from or goes to `peer` any more. The first reason stays.
  void lost(int peer, const Status& reason) noexcept;

 private:
  struct Peer {
    Status fate;
    bool opened = false;
    bool busy = false;  // in busy_
    bool hello_due = false;
    bool credit_due = false;
    bool bye_due = false;
    bool farewell_due = false;
    bool answered = false;  // it has said farewell
    uint32_t next_sequence = 0;
    uint32_t awaited_sequence = 0;
    uint32_t heard_sequence = 0;  // all of this rank's packets before it are known to have arrived
    uint64_t cost = 0;            // of all packets that the wire took: room in its buffers
    uint64_t arrived_cost = 0;    // of those that are known to have arrived
    uint32_t probe_sequence = 0;  // when this packet has arrived,
    uint64_t probe_cost = 0;      // so has all of this cost
    uint64_t next_message = 0;
    size_t window = kWindowBytes;              // bytes that may still be sent without being asked
    size_t window_messages = kWindowMessages;  // likewise
    size_t held = 0;  // of what the peer has sent without being asked, here
    size_t held_messages = 0;
    size_t returned = 0;  // and gone again, which the peer is to be told
    size_t returned_messages = 0;
    List<Packet> pending;    // with the wire; to this rank itself: in order
    List<Control> controls;  // to be sent
    List<Outgoing> queue;    // not started
    List<Outgoing> ready;    // started, with more to hand to the wire now
    List<Outgoing> proving;  // the wire took all packets, but may keep the end of the last

    bool may_begin() const { return !queue.empty() && window_messages > 0; }
  };

  Peer& at(int peer) { return peers_[static_cast<size_t>(peer)]; }
  void open(int peer);
  void mark_busy(int peer) noexcept;
  void tell(int peer, Control* control, PacketKind kind, uint64_t message) noexcept;
  void finish(Posting* posting, Status failure, size_t bytes) noexcept;
  void conclude(MessageRequest* request, Status failure, size_t bytes) noexcept;
  void release(Posting* posting) noexcept;
  void gone(int peer, size_t bytes, size_t messages) noexcept;
  void offer_credit(int peer) noexcept;

  // Sending: protocol_send.cpp.
  bool pump_turn(int peer) noexcept;
  bool pump_peer(int peer);
  bool send_controls(int peer);
  bool send_inline(int peer, const MessageKey& key, std::span<const std::byte> data,
                   MessageRequest* request);
  Outgoing* make_outgoing(int peer, const MessageKey& key, std::span<const std::byte> data,
                          MessageRequest* request);
  void begin(Outgoing* message, uint64_t number) noexcept;
  void hand_piece(Outgoing* message);
  Packet* new_packet(int peer, PacketKind kind, uint64_t message);
  bool transmit(Packet* packet) noexcept;
  void taken(Packet* packet) noexcept;
  void prove(Peer* peer) noexcept;
  bool has_arrived(const Outgoing& message) const noexcept;
  void hear_of_arrival(Peer* peer, uint32_t packets) noexcept;
  void strike_pending(Outgoing* message) noexcept;
  void end_sending(Outgoing* message) noexcept;
  void abandon(Outgoing* message) noexcept;
  bool run_loopback() noexcept;

  // Receiving: protocol_receive.cpp.
  Status accept(const PacketHeader& header, std::span<const std::byte> payload);
  Status take_credit(const PacketHeader& header);
  Status first(const PacketHeader& header, std::span<const std::byte> payload);
  Status more(const PacketHeader& header, std::span<const std::byte> payload);
  Status keep(Incoming* message, std::span<const std::byte> payload);
  void granted(Outgoing* message) noexcept;
  Status pour(Incoming* message, const PacketHeader& header,
              std::span<const std::byte> payload) noexcept;
  void abandoned(int sender, uint64_t number) noexcept;
  void drop_stash(Incoming* message) noexcept;
  void asked_for(Incoming* message) noexcept;
  void bind(Incoming* message, Receive* receive) noexcept;
  void reject(Incoming* message) noexcept;
  void discard(Incoming* message) noexcept;
  void settle(Incoming* message) noexcept;
  Outgoing* find_outgoing(int peer, uint64_t number) const;
  Incoming* find_incoming(int peer, uint64_t number) const;

  // Messages of a communicator come late for as long as others have not noticed its end.
  static constexpr size_t kMostForgotten = 4096;

  const int rank_;
  const size_t fragment_bytes_;
  Wire* const wire_;
  bool started_ = false;
  std::vector<Peer> peers_;
  std::vector<int> busy_;  // peers for which there is something to do
  std::vector<int> turn_;  // those of them that pump() is at
  MatchTable<Receive> posted_;
  MatchTable<Incoming> unexpected_;
  MatchTable<Numbered<Outgoing>> outgoing_;  // started
  MatchTable<Numbered<Incoming>> incoming_;  // incomplete, or not taken
  Recent forgotten_{kMostForgotten};         // communicators
  FreeList<Packet> packets_;
  FreeList<Receive> receives_;
  FreeList<Outgoing> outgoings_;
  FreeList<Incoming> incomings_;
  uint64_t sent_bytes_ = 0;
  uint64_t ended_ = 0;
};

}  // namespace goss::transport
