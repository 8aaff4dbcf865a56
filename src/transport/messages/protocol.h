// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// MessageProtocol: the rules by which a rank's messages become packets and packets messages again.
// Matching, order, cancelling, and the bounds on memory are here, for every wire alike.
//
// A message begins with kFirst, which names its key. Its bytes follow without being asked for as
// long as the window of the receiver lasts (kWindowBytes for all messages of a pair of ranks
// together); the rest waits for kGrant, which the receiver sends when it knows where the message
// goes. So what nobody has asked for yet is bounded, and a message whose receiver is early flows
// without a pause.
//
// A request to send is done when the message arrives without further progress of this rank. A wire
// may keep the end of the last packet that it took until there is room (TCP sockets), so what may
// not have fitted is done when a later packet was taken; if need be, one is sent for that.
//
// One thread at a time; the wire calls back from within its own progress.
#pragma once

#include <deque>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/status.h"
#include "transport/messages/free_list.h"
#include "transport/messages/match_table.h"
#include "transport/messages/packet.h"
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

struct Receive : Posting {
  std::span<std::byte> buffer;
  Incoming* message = nullptr;  // null: none has come yet
  Receive* next_match = nullptr;
};

struct Outgoing : Posting {
  std::span<const std::byte> data;
  uint64_t number = 0;  // of the messages to this peer
  size_t handed = 0;    // bytes that are in packets, or were
  int pending = 0;      // packets that the wire still has
  bool started = false;
  bool granted = false;
  bool ready = false;  // in the list of those that may go on
};

struct Incoming {
  int peer = 0;
  MessageKey key;
  uint64_t number = 0;
  size_t total = 0;
  size_t received = 0;
  Receive* receive = nullptr;    // null: unexpected, or unwanted
  bool unwanted = false;         // what comes is dropped
  std::vector<std::byte> stash;  // what has come unexpectedly
  Incoming* next_match = nullptr;
};

class MessageProtocol {
 public:
  static constexpr size_t kWindowBytes = 256 << 10;

  // `fragment_bytes`: the longest payload of a packet.
  MessageProtocol(int rank, int nranks, size_t fragment_bytes, Wire* wire);
  MessageProtocol(const MessageProtocol&) = delete;
  MessageProtocol& operator=(const MessageProtocol&) = delete;

  // As in Messenger.
  void send(int peer, const MessageKey& key, std::span<const std::byte> data, MessageRequest* request);
  void receive(int peer, const MessageKey& key, std::span<std::byte> buffer, MessageRequest* request);
  // Always at once. The peer, or -1 when it had ended before.
  int cancel(MessageRequest* request);
  void forget(uint64_t communicator);
  const Status& fate(int peer) const { return peers_[static_cast<size_t>(peer)].fate; }
  uint64_t sent_bytes() const { return sent_bytes_; }

  // Before it nothing is handed to the wire.
  void start() { started_ = true; }
  // Hand to the wire what it takes. Whether there was anything.
  bool pump();
  // Whether pump() would do something.
  bool has_work() const { return started_ && (!busy_.empty() || !loopback_.empty()); }
  // Requests that have ended so far.
  uint64_t ended() const { return ended_; }
  // Tell every peer that was talked to that this rank leaves.
  void say_bye();
  // Whether packets are on their way to the wire of `peer`.
  bool pending(int peer) const { return !peers_[static_cast<size_t>(peer)].pending.empty(); }

  // From the wire.
  void arrived(const PacketHeader& header, std::span<const std::byte> payload);
  void transmitted(Packet* packet);
  // Nothing comes from or goes to `peer` any more. The first reason stays.
  void lost(int peer, const Status& reason);

 private:
  struct Control {
    PacketKind kind;
    uint64_t message;
  };
  struct Peer {
    Status fate;
    bool opened = false;
    bool busy = false;  // in busy_
    uint32_t next_sequence = 0;
    uint32_t awaited_sequence = 0;
    uint64_t cost = 0;          // of all packets that the wire took: room in its buffers
    uint64_t arrived_cost = 0;  // of those that are known to have arrived
    uint32_t probe_sequence = 0;  // when this packet has arrived,
    uint64_t probe_cost = 0;      // so has all of this cost
    uint64_t next_message = 0;
    size_t window = kWindowBytes;   // unsolicited bytes that may still be sent
    size_t returned = 0;            // unsolicited bytes to tell the peer that they are gone
    size_t held = 0;                // unsolicited bytes of the peer in stashes
    std::vector<Packet*> pending;   // with the wire
    std::vector<Control> controls;  // to be sent
    std::deque<Outgoing*> queue;    // not started
    std::deque<Outgoing*> ready;    // started, with more to hand to the wire now
    std::unordered_map<uint64_t, Outgoing*> outgoing;  // started, by number
    std::vector<Outgoing*> proving;  // the wire took all packets, but may keep the end of the last
    std::unordered_map<uint64_t, Incoming*> incoming;  // by number: incomplete, or not taken
  };

  Peer& at(int peer) { return peers_[static_cast<size_t>(peer)]; }
  void open(int peer);
  void mark_busy(int peer);
  void control(int peer, PacketKind kind, uint64_t message);
  void finish(Posting* posting, Status failure, size_t bytes);
  void release(Posting* posting);
  void gone(int peer, size_t unsolicited_bytes);

  // Sending: protocol_send.cpp.
  bool pump_peer(int peer);
  bool send_inline(int peer, const MessageKey& key, std::span<const std::byte> data,
                   MessageRequest* request);
  Outgoing* make_outgoing(int peer, const MessageKey& key, std::span<const std::byte> data,
                          MessageRequest* request);
  void hand_piece(Outgoing* message);
  Packet* new_packet(int peer, PacketKind kind, uint64_t message);
  bool transmit(Packet* packet);
  void taken(Packet* packet);
  void prove(Peer* peer);
  void hear_of_arrival(Peer* peer, uint32_t packets);
  void strike_pending(Outgoing* message);
  void end_sending(Outgoing* message);
  bool run_loopback();

  // Receiving: protocol_receive.cpp.
  Status accept(const PacketHeader& header, std::span<const std::byte> payload);
  Status first(const PacketHeader& header, std::span<const std::byte> payload);
  Status more(const PacketHeader& header, std::span<const std::byte> payload);
  Status keep(Incoming* message, std::span<const std::byte> payload);
  void granted(Outgoing* message);
  void abandoned(int sender, uint64_t number);
  void drop_stash(Incoming* message);
  void bind(Incoming* message, Receive* receive);
  void reject(Incoming* message);
  void discard(Incoming* message);
  void settle(Incoming* message);

  const int rank_;
  const size_t fragment_bytes_;
  Wire* const wire_;
  bool started_ = false;
  std::vector<Peer> peers_;
  std::vector<int> busy_;  // peers for which there is something to do
  std::vector<int> turn_;  // those of them that pump() is at
  std::deque<Packet*> loopback_;  // to this rank itself
  MatchTable<Receive> posted_;
  MatchTable<Incoming> unexpected_;
  std::unordered_set<uint64_t> forgotten_;  // communicators
  FreeList<Packet> packets_;
  FreeList<Receive> receives_;
  FreeList<Outgoing> outgoings_;
  FreeList<Incoming> incomings_;
  uint64_t sent_bytes_ = 0;
  uint64_t ended_ = 0;
};

}  // namespace goss::transport
