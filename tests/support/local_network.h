// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// LocalNetwork: messengers between ranks of one process, so that everything above a messenger is
// tested without a network. Messages can be late, and a rank can be cut off.
#pragma once

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <vector>

#include "base/unique_fd.h"
#include "transport/messenger.h"

namespace goss::test {

class LocalNetwork : public std::enable_shared_from_this<LocalNetwork> {
 public:
  using Clock = std::chrono::steady_clock;
  using Messenger = transport::Messenger;
  using MessageKey = transport::MessageKey;
  using MessageRequest = transport::MessageRequest;

  // Every message takes between 0 and `most`.
  void set_delay(std::chrono::microseconds most) {
    const std::lock_guard<std::mutex> lock(mutex_);
    delay_ = most;
  }
  // From now on nothing is heard of `rank` of the job that came last. `noticed`: others are told.
  void cut_off(int rank, bool noticed) {
    const std::lock_guard<std::mutex> lock(mutex_);
    (noticed ? lost_ : silent_)[latest_[rank]] = true;
  }
  uint64_t messages() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return messages_;
  }

  // For a rank of some job.
  transport::MessengerPtr connect(int rank) {
    int port = 0;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      port = latest_[rank] = next_port_++;
    }
    return std::make_unique<Port>(shared_from_this(), port);
  }

 private:
  struct Message {
    MessageKey key;
    std::vector<std::byte> bytes;
    Clock::time_point arrives;
  };
  struct Posted {
    int peer;
    MessageKey key;
    std::span<std::byte> buffer;
    MessageRequest* request;
  };

  class Port final : public Messenger {
   public:
    Port(std::shared_ptr<LocalNetwork> network, int port)
        : network_(std::move(network)), port_(port), address_(std::to_string(port)) {
      event_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
      const std::lock_guard<std::mutex> lock(network_->mutex_);
      network_->bells_[port_] = event_.get();
    }
    ~Port() override {
      const std::lock_guard<std::mutex> lock(network_->mutex_);
      network_->bells_.erase(port_);
    }

    const std::string& address() const override { return address_; }
    Status connect(std::vector<std::string> addresses) override {
      for (const std::string& address : addresses) peers_.push_back(std::stoi(address));
      return {};
    }

    void send(int peer, const MessageKey& key, std::span<const std::byte> data,
              MessageRequest* request) override {
      const std::lock_guard<std::mutex> lock(network_->mutex_);
      *request = {};
      if (network_->lost_.count(peer_at(peer)) != 0) return fail_request(request);
      network_->deliver(port_, peer_at(peer), {key, {data.begin(), data.end()}, Clock::now()});
      sent_ += data.size();
      // As with a real one, it has not ended when this returns, mostly.
      if (network_->random_() % 4 == 0) {
        request->state = MessageRequest::State::kDone;
        return;
      }
      request->state = MessageRequest::State::kPosted;
      sends_.push_back(request);
    }

    void receive(int peer, const MessageKey& key, std::span<std::byte> buffer,
                 MessageRequest* request) override {
      const std::lock_guard<std::mutex> lock(network_->mutex_);
      *request = {};
      request->state = MessageRequest::State::kPosted;
      receives_.push_back({peer, key, buffer, request});
    }

    bool cancel(MessageRequest* request) override {
      const std::lock_guard<std::mutex> lock(network_->mutex_);
      std::erase(sends_, request);
      std::erase_if(receives_, [&](const Posted& p) { return p.request == request; });
      request->failure = fail(gossInvalidUsage, "cancelled");
      request->state = MessageRequest::State::kFailed;
      return true;
    }

    void forget(uint64_t communicator) override {
      const std::lock_guard<std::mutex> lock(network_->mutex_);
      for (auto& [ports, inbox] : network_->inboxes_) {
        if (ports.second != port_) continue;
        std::erase_if(inbox, [&](const Message& m) { return m.key.communicator == communicator; });
      }
    }

    bool progress() override {
      const std::lock_guard<std::mutex> lock(network_->mutex_);
      bool moved = !sends_.empty();
      for (MessageRequest* request : std::exchange(sends_, {})) {
        request->state = MessageRequest::State::kDone;
      }
      std::vector<std::pair<int, MessageKey>> blocked;  // an earlier one waits
      std::erase_if(receives_, [&](const Posted& posted) {
        const std::pair<int, MessageKey> which{posted.peer, posted.key};
        if (std::find(blocked.begin(), blocked.end(), which) != blocked.end()) return false;
        if (take(posted)) return moved = true;
        if (network_->lost_.count(peer_at(posted.peer)) != 0) {
          fail_request(posted.request);
          return moved = true;
        }
        blocked.push_back(which);
        return false;
      });
      return moved;
    }

    int fd() const override { return event_.get(); }
    bool arm() override {
      const std::lock_guard<std::mutex> lock(network_->mutex_);
      uint64_t count = 0;
      return ::read(event_.get(), &count, sizeof(count)) < 0;
    }
    void leave(bool) override {}
    Status fate(int peer) const override {
      const std::lock_guard<std::mutex> lock(network_->mutex_);
      if (network_->lost_.count(peer_at(peer)) == 0) return {};
      return fail(gossRemoteError, "the connection was lost");
    }
    std::string describe(int) const override { return "a local network"; }
    uint64_t sent_bytes() const override { return sent_; }

   private:
    int peer_at(int rank) const { return peers_[static_cast<size_t>(rank)]; }

    static void fail_request(MessageRequest* request) {
      request->failure = fail(gossRemoteError, "the connection was lost");
      request->state = MessageRequest::State::kFailed;
    }

    bool take(const Posted& posted) {
      std::deque<Message>& inbox = network_->inboxes_[{peer_at(posted.peer), port_}];
      const auto found = std::find_if(inbox.begin(), inbox.end(),
                                      [&](const Message& m) { return m.key == posted.key; });
      if (found == inbox.end() || found->arrives > Clock::now()) return false;
      posted.request->bytes = found->bytes.size();
      if (found->bytes.size() > posted.buffer.size()) {
        posted.request->failure =
            fail(gossInvalidUsage, "a message of %zu bytes came where %zu were expected",
                 found->bytes.size(), posted.buffer.size());
        posted.request->state = MessageRequest::State::kFailed;
      } else {
        if (!found->bytes.empty()) {
          std::memcpy(posted.buffer.data(), found->bytes.data(), found->bytes.size());
        }
        posted.request->state = MessageRequest::State::kDone;
      }
      inbox.erase(found);
      return true;
    }

    std::shared_ptr<LocalNetwork> network_;  // shared: a job may end after the test
    int port_;
    std::string address_;
    std::vector<int> peers_;  // ports of the ranks
    UniqueFd event_;
    std::vector<MessageRequest*> sends_;
    std::vector<Posted> receives_;
    uint64_t sent_ = 0;
  };

  // With mutex_ held.
  void deliver(int from, int to, Message message) {
    if (silent_.count(from) != 0 || silent_.count(to) != 0) return;
    if (delay_.count() > 0) {
      const auto most = static_cast<uint64_t>(delay_.count());
      message.arrives += std::chrono::microseconds(random_() % most);
    }
    ++messages_;
    inboxes_[{from, to}].push_back(std::move(message));
    const auto bell = bells_.find(to);
    const uint64_t one = 1;
    if (bell != bells_.end()) static_cast<void>(!::write(bell->second, &one, sizeof(one)));
  }

  mutable std::mutex mutex_;
  std::map<std::pair<int, int>, std::deque<Message>> inboxes_;  // from, to
  std::map<int, int> latest_;                                   // rank -> port
  int next_port_ = 0;
  std::map<int, int> bells_;  // by port
  std::map<int, bool> lost_;
  std::map<int, bool> silent_;
  std::chrono::microseconds delay_{0};
  std::minstd_rand random_;
  uint64_t messages_ = 0;
};

}  // namespace goss::test
