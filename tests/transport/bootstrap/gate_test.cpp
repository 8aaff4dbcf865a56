// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Gate without descriptors. What strangers do to it is in hostile_test.cpp.
#include "transport/bootstrap/gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "transport/bootstrap/socket.h"

namespace goss::bootstrap {
namespace {

using ::testing::HasSubstr;

Address loopback() {
  Address address;
  auto* in = reinterpret_cast<sockaddr_in*>(&address.storage);
  in->sin_family = AF_INET;
  in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.bytes = sizeof(*in);
  return address;
}

// No descriptor can be opened while it lives.
class NoDescriptors {
 public:
  NoDescriptors() {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    const rlimit none{0, before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;
  ~NoDescriptors() { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before_), 0); }

 private:
  rlimit before_{};
};

class GateTest : public ::testing::Test {
 protected:
  GateTest() {
    Result<Socket> listener = listen_at(loopback());
    EXPECT_TRUE(listener.ok()) << listener.status().message();
    Socket socket = listener.take();
    listener_ = socket.get();
    address_ = local_address(socket).value();
    gate_ = std::make_unique<Gate>(std::move(socket), secret_from_text("secret"), Hello());
  }

  Socket connect() const {
    int error = 0;
    return start_connect(address_, &error);
  }
  void poll() {
    std::vector<Arrival> arrivals;
    gate_->poll(Gate::Clock::now(), &arrivals);
    EXPECT_TRUE(arrivals.empty());
  }
  std::vector<pollfd> pollfds() const {
    std::vector<pollfd> fds;
    gate_->pollfds(&fds);
    return fds;
  }
  bool listens() const {
    const std::vector<pollfd> fds = pollfds();
    return std::any_of(fds.begin(), fds.end(), [&](auto& fd) { return fd.fd == listener_; });
  }

  std::unique_ptr<Gate> gate_;
  int listener_ = -1;
  Address address_;
};

TEST_F(GateTest, WithoutDescriptorsSaysOnceWhyRanksWaitAndLetsThemInLater) {
  const Socket rank = connect();
  ASSERT_TRUE(rank.valid());
  ::testing::internal::CaptureStderr();
  {
    const NoDescriptors shortage;
    poll();
    EXPECT_FALSE(listens()) << "it would be woken all the time";
    poll();
  }
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, HasSubstr("warn ranks that join have to wait: cannot accept a connection: "
                              "Too many open files (raise ulimit -n)"));
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
  EXPECT_EQ(gate_->refused(), 0u);
  poll();
  EXPECT_TRUE(listens());
  EXPECT_EQ(pollfds().size(), 2u) << "the listener, and the rank that waited";
}

TEST_F(GateTest, WithoutDescriptorsGivesUpAConnectionThatHasSaidNothing) {
  const Socket stranger = connect();
  for (int i = 0; i < 1000 && pollfds().size() < 2; ++i) poll();
  ASSERT_EQ(pollfds().size(), 2u);
  const Socket rank = connect();
  ::testing::internal::CaptureStderr();
  {
    const NoDescriptors shortage;
    poll();
  }
  ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(gate_->refused(), 1u);
  EXPECT_TRUE(pollfds().empty());
}

}  // namespace
}  // namespace goss::bootstrap
