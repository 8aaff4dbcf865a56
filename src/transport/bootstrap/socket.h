// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Non-blocking TCP: addresses, an owned socket, listen, connect, accept and partial I/O. Every
// descriptor is CLOEXEC and non-blocking, every send MSG_NOSIGNAL. Used by the rest of this folder.
// Each Socket belongs to one thread at a time.
#pragma once

#include <sys/socket.h>

#include <chrono>
#include <string>
#include <utility>

#include "base/result.h"
#include "transport/bootstrap/fork_guard.h"
#include "transport/bootstrap/wire.h"

namespace goss::bootstrap {

struct Address {
  sockaddr_storage storage{};
  socklen_t bytes = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  int port() const;
  void set_port(int port);
  std::string text() const;  // "192.0.2.7:4711", "[2001:db8::7]:4711"
};

constexpr size_t kAddressBytes = 24;  // family, zero, port, scope, 16 bytes
void encode(const Address& address, Writer* out);
bool decode(Reader* in, Address* address);  // false unless IPv4 or IPv6

class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : Socket(opened([fd] { return fd; })) {}
  // Owns the descriptor that `open` returns, if any. No fork comes in between.
  template <class Open>
  static Socket opened(Open open) {
    Socket socket;
    ForkGuard guard;
    socket.fd_ = open();
    if (socket.valid()) guard.add(socket.fd_);
    return socket;
  }
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Socket() { reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  void reset();

 private:
  int fd_ = -1;
};

Result<Socket> listen_at(const Address& address);
Result<Address> local_address(const Socket& socket);

// Starts to connect; *error and later connect_error() are 0 (connected), EINPROGRESS, or why it
// failed.
Socket start_connect(const Address& address, int* error);
int connect_error(const Socket& socket);

// One pending connection; *error is 0, EAGAIN (none), or why not (EMFILE and the like).
Socket accept_one(const Socket& listener, int* error);

// The kernel ends a connection whose other host does not answer for about `silence`. It answers
// for a stopped process, which is therefore late and not dead.
void set_liveness(const Socket& socket, std::chrono::milliseconds silence);

struct Moved {
  enum class State { kMoved, kBlocked, kEnded };
  State state;
  size_t bytes;
  int error;  // errno behind kEnded; 0 = the peer closed in good order
};
std::string error_text(int error);  // of an errno value
Moved receive_some(const Socket& socket, void* data, size_t bytes);
Moved send_some(const Socket& socket, const void* data, size_t bytes);

}  // namespace goss::bootstrap
