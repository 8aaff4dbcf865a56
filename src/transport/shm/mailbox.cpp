// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "transport/shm/mailbox.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "transport/hmac.h"

namespace goss::shm {

namespace {

constexpr uint64_t kMagic = 0x676f73736d61696cULL;  // "gossmail"

struct Wire {
  uint64_t magic;
  Purpose purpose;
  uint64_t topic;
  uint64_t bytes;
  uint8_t mac[32];
};

void sign(const std::string& key, const Wire& wire, uint8_t mac[32]) {
  const std::string_view bytes(reinterpret_cast<const char*>(&wire), offsetof(Wire, mac));
  const Digest digest = hmac_sha256(key, {bytes});
  std::copy(digest.begin(), digest.end(), mac);
}

struct Message {
  Wire wire{};
  iovec part{&wire, sizeof(wire)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(ucred))]{};
  sockaddr_un name{};
  msghdr header{};

  Message() {
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof(control);
  }
};

}  // namespace

Result<Mailbox> Mailbox::create(const std::string& key) {
  Mailbox box;
  box.key_ = key;
  box.socket_ = UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!box.socket_.valid()) return fail_errno(errno, "cannot make a local socket");
  const int on = 1;
  if (::setsockopt(box.socket_.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0) {
    return fail_errno(errno, "cannot ask for credentials on a local socket");
  }
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  // Binding to the bare family lets the kernel choose an abstract name.
  if (::bind(box.socket_.get(), reinterpret_cast<sockaddr*>(&name), sizeof(sa_family_t)) != 0) {
    return fail_errno(errno, "cannot name a local socket");
  }
  socklen_t length = sizeof(name);
  if (::getsockname(box.socket_.get(), reinterpret_cast<sockaddr*>(&name), &length) != 0) {
    return fail_errno(errno, "cannot read the name of a local socket");
  }
  box.address_.assign(name.sun_path, length - offsetof(sockaddr_un, sun_path));
  return box;
}

Result<bool> Mailbox::send(const std::string& address, Purpose purpose, uint64_t topic,
                           uint64_t bytes, int fd) {
  Message message;
  message.wire = {kMagic, purpose, topic, bytes, {}};
  sign(key_, message.wire, message.wire.mac);
  message.name.sun_family = AF_UNIX;
  if (address.size() > sizeof(message.name.sun_path)) {
    return fail(gossSystemError, "a local socket's name of %zu bytes is too long", address.size());
  }
  std::memcpy(message.name.sun_path, address.data(), address.size());
  message.header.msg_name = &message.name;
  message.header.msg_namelen =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size());
  message.header.msg_controllen = CMSG_SPACE(sizeof(int));
  cmsghdr* control = CMSG_FIRSTHDR(&message.header);
  control->cmsg_level = SOL_SOCKET;
  control->cmsg_type = SCM_RIGHTS;
  control->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(control), &fd, sizeof(int));
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(socket_.get(), &message.header, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
  // A receiver that has gone is for the liveness watch to report, with its rank.
  if (sent < 0 && (errno == ECONNREFUSED || errno == ENOENT)) return true;
  if (sent < 0) return fail_errno(errno, "cannot pass shared memory to another process");
  return true;
}

Status Mailbox::take_in() {
  for (;;) {
    Message message;
    message.header.msg_controllen = sizeof(message.control);
    const ssize_t length = ::recvmsg(socket_.get(), &message.header, MSG_CMSG_CLOEXEC);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return {};
    if (length < 0) return fail_errno(errno, "cannot receive shared memory");
    UniqueFd fd;
    bool same_user = false;
    for (cmsghdr* c = CMSG_FIRSTHDR(&message.header); c != nullptr;
         c = CMSG_NXTHDR(&message.header, c)) {
      if (c->cmsg_level != SOL_SOCKET) continue;
      if (c->cmsg_type == SCM_RIGHTS) {
        // A stranger may send several. All of them are ours now: each assignment closes the last.
        const size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; ++i) {
          int received = -1;
          std::memcpy(&received, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
          fd = UniqueFd(received);
        }
      }
      if (c->cmsg_type == SCM_CREDENTIALS) {
        ucred sender{};
        std::memcpy(&sender, CMSG_DATA(c), sizeof(sender));
        same_user = sender.uid == ::geteuid();
      }
    }
    uint8_t mac[32];
    sign(key_, message.wire, mac);
    const bool genuine = length == sizeof(Wire) && message.wire.magic == kMagic && same_user &&
                         equal_digests(mac, message.wire.mac, sizeof(mac));
    if (!genuine) continue;
    if (!fd.valid() || (message.header.msg_flags & MSG_CTRUNC) != 0) {
      // The letter cannot be asked for again.
      failure_ = fail(gossSystemError,
                      "shared memory of another process could not be received: this process has no "
                      "free file descriptor (see ulimit -n)");
      continue;
    }
    waiting_.push_back(
        {message.wire.purpose, message.wire.topic, message.wire.bytes, std::move(fd)});
  }
}

Result<std::optional<Letter>> Mailbox::receive_segment(uint64_t topic) {
  GOSS_TRY(take_in());
  for (auto letter = waiting_.begin(); letter != waiting_.end(); ++letter) {
    if (letter->purpose != Purpose::kSegment || letter->topic != topic) continue;
    std::optional<Letter> found(std::move(*letter));
    waiting_.erase(letter);
    return found;
  }
  GOSS_TRY(Status(failure_));
  return std::optional<Letter>();
}

Result<std::vector<Letter>> Mailbox::receive_memory() {
  GOSS_TRY(take_in());
  std::vector<Letter> found;
  for (Letter& letter : waiting_) {
    if (letter.purpose == Purpose::kMemory) found.push_back(std::move(letter));
  }
  std::erase_if(waiting_, [](const Letter& letter) { return letter.purpose == Purpose::kMemory; });
  if (found.empty()) GOSS_TRY(Status(failure_));
  return found;
}

}  // namespace goss::shm
