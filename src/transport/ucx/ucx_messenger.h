// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// UcxMessenger: the Messenger on UCP active messages. MessageProtocol makes the packets; here they
// become active messages of one UCT packet each, endpoints are opened when first used, and UCX's
// errors become fates. Any thread; one lock around everything.
//
// A packet whose payload is user memory goes to UCX as a "generic" datatype: UCX asks for its bytes
// at the moment when it writes them into its own packet. Until then the protocol can strike them
// out, which no other way of sending in UCP allows.
#pragma once

#include <sys/types.h>

#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "transport/messages/protocol.h"
#include "transport/messenger.h"
#include "transport/ucx/context.h"
#include "transport/ucx/socket_watch.h"

namespace goss::ucx {

class UcxMessenger final : public transport::Messenger, private transport::Wire {
 public:
  static Result<transport::MessengerPtr> create(const transport::MessengerOptions& options,
                                                bool alone);
  ~UcxMessenger() override;

  const std::string& address() const override { return address_; }
  Status connect(std::vector<std::string> addresses) override;
  void send(int peer, const transport::MessageKey& key, std::span<const std::byte> data,
            transport::MessageRequest* request) override;
  void receive(int peer, const transport::MessageKey& key, std::span<std::byte> buffer,
               transport::MessageRequest* request) override;
  bool cancel(transport::MessageRequest* request) override;
  void forget(uint64_t communicator) override;
  bool progress() override;
  int fd() const override { return fd_; }
  bool arm() override;
  void leave(bool hurry) override;
  Status fate(int peer) const override;
  std::string describe(int peer) const override;
  uint64_t sent_bytes() const override;

 private:
  // Owns a datatype of UCX.
  class PacketType {
   public:
    explicit PacketType(ucp_datatype_t handle) : handle_(handle) {}
    ~PacketType() { ucp_dt_destroy(handle_); }
    PacketType(const PacketType&) = delete;
    PacketType& operator=(const PacketType&) = delete;
    ucp_datatype_t get() const { return handle_; }

   private:
    const ucp_datatype_t handle_;
  };
  struct Peer {
    UcxMessenger* messenger = nullptr;
    int rank = 0;
    std::string address;
    ucp_ep_h endpoint = nullptr;
    bool failed = false;    // is or was in failed_
    bool impaired = false;  // a message to or from it was cancelled: leaving does not wait for it
  };
  struct Failed {
    int rank;
    Status reason;
  };

  UcxMessenger(const transport::MessengerOptions& options, Worker worker, std::string address,
               size_t packet_bytes, ucp_datatype_t packet_type);

  bool transmit(int peer, transport::Packet* packet) noexcept override;
  Status open(Peer* peer);
  template <class Say>
  void note_failure(Peer* peer, Say say) noexcept;
  void bury_failed();
  void close(Peer* peer);
  void collect_closed();
  bool move();
  void watch_sockets();
  void wake_others();
  void end(std::unique_lock<std::mutex>* lock, bool hurry);

  // Called by UCX, which is C.
  static ucs_status_t on_packet(void* self, const void* header, size_t header_bytes, void* data,
                                size_t bytes, const ucp_am_recv_param_t* param) noexcept;
  static void on_transmitted(void* request, ucs_status_t status, void* packet) noexcept;
  static void on_error(void* peer, ucp_ep_h endpoint, ucs_status_t status) noexcept;

  const pid_t pid_;
  const int rank_;
  mutable std::mutex mutex_;  // guards what follows
  const std::string address_;
  const PacketType packet_type_;
  int fd_ = -1;
  std::optional<SocketWatch> sockets_;
  bool left_ = false;    // or is about to
  bool closed_ = false;  // there are no connections any more
  int idle_rounds_ = 0;  // progress that moved nothing, since the sockets were looked at
  transport::MessageProtocol protocol_;
  std::vector<Peer> peers_;
  std::vector<Failed> failed_;  // with room for all peers
  std::vector<ucs_status_ptr_t> closing_;
  std::vector<std::thread::id> sleepers_;  // since arm()
  uint64_t ended_seen_ = 0;                // protocol_.ended() that sleepers have been told of
  Worker worker_;                          // last, so that its end may still call back
};

}  // namespace goss::ucx
