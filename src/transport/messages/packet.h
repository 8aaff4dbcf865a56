// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Packet: what MessageProtocol gives to its wire at a time: a header and a piece of a message.
// Short pieces are copied into the packet. Longer ones are read where they lie, at the moment when
// the wire writes the packet out, so that the piece of a cancelled message is never read again.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "transport/messages/list.h"
#include "transport/messenger.h"

namespace goss::transport {

enum class PacketKind : uint8_t {
  kHello,     // nothing but a reason to connect
  kFirst,     // a message begins: key, total, and its first bytes
  kMore,      // further bytes, in order
  kGrant,     // its receiver has a buffer: send all of it
  kStop,      // its receiver wants no more of it
  kAbandon,   // its sender has cancelled it
  kCredit,    // nothing but credit; or a struck out piece: of `total` bytes and `message` messages
  kBye,       // a rank leaves: nothing of it follows but kFarewell
  kFarewell,  // all before the kBye has arrived
  kCount
};

struct PacketHeader {
  uint16_t sender = 0;
  PacketKind kind = PacketKind::kHello;
  uint8_t unsolicited = 0;  // 1: the payload was not granted and counts against the window
  uint32_t sequence = 0;    // of packets from this sender to this receiver
  uint32_t received = 0;    // packets of the receiver that have arrived at the sender
  // Of what the receiver has sent without being asked, bytes and messages that this rank does not
  // keep any more.
  uint32_t credit_bytes : 20 = 0;
  uint32_t credit_messages : 12 = 0;
  uint64_t message = 0;  // its number, given by the sender of the message
  uint64_t total = 0;    // kFirst: bytes of the message. kMore: bytes before this piece
  MessageKey key;        // kFirst only
};
static_assert(sizeof(PacketHeader) == 48, "it travels, and all its bytes are defined");

struct Outgoing;
class MessageProtocol;

struct Packet {
  static constexpr size_t kInlineBytes = 976;

  PacketHeader header;
  std::byte inlined[kInlineBytes];  // directly behind the header
  const std::byte* data = nullptr;  // the payload, or null: it is in `inlined`
  size_t bytes = 0;                 // of payload
  bool struck = false;              // the payload is zeros
  Outgoing* message = nullptr;      // whose memory `data` is
  int peer = 0;
  MessageProtocol* owner = nullptr;
  Link<Packet> link;  // with the wire

  size_t wire_bytes() const { return sizeof(header) + bytes; }
  // In one piece in memory, header first.
  bool contiguous() const { return data == nullptr; }
  // The message was cancelled: send something harmless of the same length.
  void strike() {
    header.total = header.unsolicited != 0 ? bytes : 0;
    header.message = header.kind == PacketKind::kFirst ? 1 : 0;
    header.unsolicited = 0;
    header.kind = PacketKind::kCredit;
    data = nullptr;
    message = nullptr;
    struck = true;
  }
  // Its bytes from `offset`, at most `capacity`; how many.
  size_t write(size_t offset, std::byte* out, size_t capacity) const {
    const size_t end = std::min(wire_bytes(), offset + capacity);
    size_t at = offset;
    if (at < sizeof(header)) {
      const size_t part = std::min(end, sizeof(header)) - at;
      std::memcpy(out, reinterpret_cast<const std::byte*>(&header) + at, part);
      at += part;
    }
    if (at < end) {
      const std::byte* payload = data != nullptr ? data : inlined;
      if (struck) {
        std::memset(out + (at - offset), 0, end - at);
      } else {
        std::memcpy(out + (at - offset), payload + (at - sizeof(header)), end - at);
      }
    }
    return end - offset;
  }
};
static_assert(offsetof(Packet, inlined) == sizeof(PacketHeader));

}  // namespace goss::transport
