// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "transport/ucx/socket_watch.h"

#include <arpa/inet.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <fstream>

namespace goss::ucx {

namespace {

constexpr std::chrono::milliseconds kInterval{250};
// UCX sends something at least every second (KEEPALIVE_INTERVAL), so a host that has not answered
// for so long is not just idle; 5 s are promised.
constexpr unsigned kSilentMs = 3000;
// Of the same packet, in a row: a lost packet is none of our business.
constexpr unsigned kRetransmits = 3;
// Of a closed window, in a row and unanswered: an answered one is a process that does not read.
constexpr unsigned kProbes = 2;

// What epoll descriptor `fd` waits for.
std::vector<int> members(int fd) {
  std::vector<int> found;
  std::ifstream file("/proc/self/fdinfo/" + std::to_string(fd));
  for (std::string word; file >> word;) {
    int member = -1;
    if (word == "tfd:" && file >> member) found.push_back(member);
  }
  return found;
}

bool silent(int socket) {
  tcp_info info{};
  socklen_t bytes = sizeof(info);
  if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &bytes) != 0) return false;
  if (info.tcpi_last_ack_recv < kSilentMs) return false;
  return info.tcpi_retransmits >= kRetransmits || info.tcpi_probes >= kProbes;
}

std::string far_end(int socket) {
  sockaddr_storage address{};
  socklen_t bytes = sizeof(address);
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&address), &bytes) != 0) return "?";
  char text[INET6_ADDRSTRLEN] = "?";
  if (address.ss_family == AF_INET) {
    const auto* const ip = reinterpret_cast<const sockaddr_in*>(&address);
    ::inet_ntop(AF_INET, &ip->sin_addr, text, sizeof(text));
    return std::string(text) + ":" + std::to_string(ntohs(ip->sin_port));
  }
  const auto* const ip = reinterpret_cast<const sockaddr_in6*>(&address);
  ::inet_ntop(AF_INET6, &ip->sin6_addr, text, sizeof(text));
  return std::string(text) + ":" + std::to_string(ntohs(ip->sin6_port));
}

}  // namespace

std::vector<std::string> SocketWatch::check() {
  std::vector<std::string> ends;
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return ends;
  next_ = now + kInterval;
  for (const int inner : members(epoll_fd_)) {
    for (const int socket : members(inner)) {
      if (!silent(socket)) continue;
      ends.push_back(far_end(socket));
      ::shutdown(socket, SHUT_RDWR);
    }
  }
  return ends;
}

}  // namespace goss::ucx
