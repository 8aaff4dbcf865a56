// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// SocketWatch: notices that the host at the other end of a TCP connection has fallen silent. UCX
// leaves that to TCP keepalive, which rests while data is on the way, and TCP's own patience with
// unanswered data is a quarter of an hour. TCP_USER_TIMEOUT is no help: it would also end the
// connection to a process that is stopped, whose kernel still answers.
//
// The sockets are those that the worker's descriptor waits for (/proc/self/fdinfo). A silent one is
// shut down, which UCX reports as the failure of its endpoint.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace goss::ucx {

class SocketWatch {
 public:
  // `epoll_fd`: the worker's; its sockets are in it, or in epoll descriptors in it.
  explicit SocketWatch(int epoll_fd) : epoll_fd_(epoll_fd) {}

  // Look, if it is time. The far ends of connections that have been shut down ("10.0.0.1:45713").
  std::vector<std::string> check();

 private:
  const int epoll_fd_;
  std::chrono::steady_clock::time_point next_{};
};

}  // namespace goss::ucx
