// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "transport/bootstrap/socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace goss::bootstrap {

namespace {

// sockaddr_storage is the kernel's own union; its members are reached by copy, not by cast.
template <class T>
T as(const Address& address) {
  T value;
  std::memcpy(&value, &address.storage, sizeof(value));
  return value;
}

template <class T>
void set(Address* address, const T& value) {
  address->storage = {};
  std::memcpy(&address->storage, &value, sizeof(value));
  address->bytes = sizeof(value);
}

void set_option(int fd, int level, int name, int value) {
  // Failure costs speed or a later detection, never correctness.
  (void)::setsockopt(fd, level, name, &value, sizeof(value));
}

Socket new_socket(int family, int* error) {
  Socket socket = Socket::opened([&] {
    const int fd = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    *error = fd < 0 ? errno : 0;
    return fd;
  });
  if (socket.valid()) set_option(socket.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  return socket;
}

}  // namespace

int Address::port() const {
  const bool v6 = storage.ss_family == AF_INET6;
  return ntohs(v6 ? as<sockaddr_in6>(*this).sin6_port : as<sockaddr_in>(*this).sin_port);
}

void Address::set_port(int port) {
  const auto wire_port = htons(static_cast<uint16_t>(port));
  if (storage.ss_family == AF_INET6) {
    auto value = as<sockaddr_in6>(*this);
    value.sin6_port = wire_port;
    set(this, value);
  } else {
    auto value = as<sockaddr_in>(*this);
    value.sin_port = wire_port;
    set(this, value);
  }
}

std::string Address::text() const {
  char buffer[INET6_ADDRSTRLEN] = "?";
  if (storage.ss_family == AF_INET6) {
    const auto value = as<sockaddr_in6>(*this);
    ::inet_ntop(AF_INET6, &value.sin6_addr, buffer, sizeof(buffer));
    return format("[%s]:%d", buffer, port());
  }
  const auto value = as<sockaddr_in>(*this);
  ::inet_ntop(AF_INET, &value.sin_addr, buffer, sizeof(buffer));
  return format("%s:%d", buffer, port());
}

void encode(const Address& address, Writer* out) {
  const bool v6 = address.storage.ss_family == AF_INET6;
  const auto value4 = as<sockaddr_in>(address);
  const auto value6 = as<sockaddr_in6>(address);
  out->u8(v6 ? 6 : 4);
  out->u8(0);
  out->u16(static_cast<uint16_t>(address.port()));
  out->u32(v6 ? value6.sin6_scope_id : 0);
  if (v6) {
    out->raw(&value6.sin6_addr, 16);
  } else {
    out->raw(&value4.sin_addr, 4);
    out->zeros(12);
  }
}

bool decode(Reader* in, Address* address) {
  const int version = in->u8();
  const int zero = in->u8();
  const uint16_t port = in->u16();
  const uint32_t scope = in->u32();
  const std::string_view bytes = in->raw(16);
  if (!in->ok() || zero != 0 || (version != 4 && version != 6)) return false;
  if (version == 6) {
    sockaddr_in6 value{};
    value.sin6_family = AF_INET6;
    value.sin6_port = htons(port);
    value.sin6_scope_id = scope;
    std::memcpy(&value.sin6_addr, bytes.data(), 16);
    set(address, value);
  } else {
    sockaddr_in value{};
    value.sin_family = AF_INET;
    value.sin_port = htons(port);
    std::memcpy(&value.sin_addr, bytes.data(), 4);
    set(address, value);
  }
  return true;
}

void Socket::reset() {
  if (fd_ < 0) return;
  ForkGuard guard;
  guard.remove(fd_);
  ::close(fd_);
  fd_ = -1;
}

Result<Socket> listen_at(const Address& address) {
  int error = 0;
  Socket socket = new_socket(address.storage.ss_family, &error);
  if (!socket.valid()) return fail_errno(error, "cannot open a TCP socket");
  // A port in TIME_WAIT from the last run may be taken again; one that is listened at may not.
  set_option(socket.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (::bind(socket.get(), address.get(), address.bytes) != 0 ||
      ::listen(socket.get(), SOMAXCONN) != 0) {
    return fail_errno(errno, "cannot listen at %s", address.text().c_str());
  }
  return socket;
}

Result<Address> local_address(const Socket& socket) {
  Address address;
  address.bytes = sizeof(address.storage);
  if (::getsockname(socket.get(), address.get(), &address.bytes) != 0) {
    return fail_errno(errno, "cannot read the address of a socket");
  }
  return address;
}

Socket start_connect(const Address& address, int* error) {
  Socket socket = new_socket(address.storage.ss_family, error);
  if (!socket.valid()) return socket;
  const bool connected = ::connect(socket.get(), address.get(), address.bytes) == 0;
  // An interrupted connect goes on in the kernel.
  *error = connected ? 0 : errno == EINTR ? EINPROGRESS : errno;
  return socket;
}

int connect_error(const Socket& socket) {
  int error = 0;
  socklen_t bytes = sizeof(error);
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &bytes) != 0) return errno;
  if (error != 0) return error;
  Address peer;
  peer.bytes = sizeof(peer.storage);
  if (::getpeername(socket.get(), peer.get(), &peer.bytes) == 0) return 0;
  return errno == ENOTCONN ? EINPROGRESS : errno;
}

Socket accept_one(const Socket& listener, int* error) {
  Socket socket = Socket::opened([&] {
    int fd = -1;
    do {
      fd = ::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
    *error = fd < 0 ? errno : 0;
    return fd;
  });
  if (socket.valid()) set_option(socket.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  return socket;
}

void set_liveness(const Socket& socket, std::chrono::milliseconds silence) {
  const int silence_ms = static_cast<int>(std::clamp<long long>(silence.count(), 1000, 3'600'000));
  const int interval_s = std::max(1, silence_ms / 4000);
  set_option(socket.get(), SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(socket.get(), IPPROTO_TCP, TCP_KEEPIDLE, interval_s);
  set_option(socket.get(), IPPROTO_TCP, TCP_KEEPINTVL, interval_s);
  set_option(socket.get(), IPPROTO_TCP, TCP_KEEPCNT, 3);
  // The kernel looks at keep-alive ticks: half a second less than the limit meets its last tick.
  set_option(socket.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, silence_ms - 500);
}

std::string error_text(int error) {
  char buffer[128];
  // The GNU strerror_r, which may return a constant instead of the buffer.
  return strerror_r(error, buffer, sizeof(buffer));
}

Moved receive_some(const Socket& socket, void* data, size_t bytes) {
  ssize_t moved = 0;
  do {
    moved = ::recv(socket.get(), data, bytes, 0);
  } while (moved < 0 && errno == EINTR);
  if (moved > 0) return {Moved::State::kMoved, static_cast<size_t>(moved), 0};
  if (moved == 0) return {Moved::State::kEnded, 0, 0};
  if (errno == EAGAIN || errno == EWOULDBLOCK) return {Moved::State::kBlocked, 0, 0};
  return {Moved::State::kEnded, 0, errno};
}

Moved send_some(const Socket& socket, const void* data, size_t bytes) {
  ssize_t moved = 0;
  do {
    moved = ::send(socket.get(), data, bytes, MSG_NOSIGNAL);
  } while (moved < 0 && errno == EINTR);
  if (moved >= 0) return {Moved::State::kMoved, static_cast<size_t>(moved), 0};
  if (errno == EAGAIN || errno == EWOULDBLOCK) return {Moved::State::kBlocked, 0, 0};
  return {Moved::State::kEnded, 0, errno};
}

}  // namespace goss::bootstrap
