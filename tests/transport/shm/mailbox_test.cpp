// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Mailboxes of one process that write to one another, and strangers that write to them.
#include "transport/shm/mailbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <filesystem>
#include <random>

namespace goss::shm {
namespace {

Mailbox make(const std::string& key) {
  Result<Mailbox> box = Mailbox::create(key);
  EXPECT_TRUE(box.ok()) << box.status().message();
  return box.take();
}

UniqueFd memory() {
  UniqueFd fd(::memfd_create("letter", MFD_CLOEXEC));
  EXPECT_EQ(::ftruncate(fd.get(), 4096), 0);
  return fd;
}

bool same_file(int a, int b) {
  struct stat x = {};
  struct stat y = {};
  return ::fstat(a, &x) == 0 && ::fstat(b, &y) == 0 && x.st_ino == y.st_ino && x.st_dev == y.st_dev;
}

std::optional<Letter> receive(Mailbox* box, uint64_t topic) {
  Result<std::optional<Letter>> letter = box->receive_segment(topic);
  EXPECT_TRUE(letter.ok()) << letter.status().message();
  return letter.take();
}

size_t open_descriptors() {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                                           std::filesystem::directory_iterator()));
}

// Somebody on this host who knows the address and no key.
class Stranger {
 public:
  Stranger() : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {}

  bool send(const std::string& address, const std::string& text, const std::vector<int>& fds) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, address.data(), address.size());
    std::string copy = text;
    iovec part{copy.data(), copy.size()};
    std::vector<char> control(CMSG_SPACE(fds.size() * sizeof(int)));
    msghdr message{};
    message.msg_name = &name;
    message.msg_namelen = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size());
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (!fds.empty()) {
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
      std::memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
    }
    return ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
  }

 private:
  UniqueFd socket_;
};

TEST(Mailbox, PassesADescriptorToAnother) {
  Mailbox a = make("key");
  Mailbox b = make("key");
  const UniqueFd fd = memory();
  Result<bool> sent = a.send(b.address(), Purpose::kSegment, 17, 4096, fd.get());
  ASSERT_TRUE(sent.ok());
  EXPECT_TRUE(sent.value());
  std::optional<Letter> letter = receive(&b, 17);
  ASSERT_TRUE(letter.has_value());
  EXPECT_EQ(letter->topic, 17u);
  EXPECT_EQ(letter->bytes, 4096u);
  EXPECT_TRUE(same_file(letter->fd.get(), fd.get()));
  EXPECT_NE(::fcntl(letter->fd.get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_FALSE(receive(&b, 17).has_value()) << "a letter is handed out once";
}

TEST(Mailbox, HandsOutLettersByTopicInAnyOrder) {
  Mailbox a = make("key");
  Mailbox b = make("key");
  const UniqueFd fds[3] = {memory(), memory(), memory()};
  for (uint64_t topic = 0; topic < 3; ++topic) {
    ASSERT_TRUE(
        a.send(b.address(), Purpose::kSegment, topic, 100 + topic, fds[topic].get()).value());
  }
  for (uint64_t topic : {2, 0, 1}) {
    std::optional<Letter> letter = receive(&b, topic);
    ASSERT_TRUE(letter.has_value()) << topic;
    EXPECT_EQ(letter->bytes, 100 + topic);
    EXPECT_TRUE(same_file(letter->fd.get(), fds[topic].get()));
  }
  EXPECT_FALSE(receive(&b, 5).has_value());
}

TEST(Mailbox, KeepsSegmentsAndMemoryApart) {
  Mailbox a = make("key");
  Mailbox b = make("key");
  const UniqueFd fd = memory();
  ASSERT_TRUE(a.send(b.address(), Purpose::kMemory, 1, 100, fd.get()).value());
  ASSERT_TRUE(a.send(b.address(), Purpose::kSegment, 1, 200, fd.get()).value());
  ASSERT_TRUE(a.send(b.address(), Purpose::kMemory, 2, 300, fd.get()).value());
  std::optional<Letter> segment = receive(&b, 1);
  ASSERT_TRUE(segment.has_value());
  EXPECT_EQ(segment->bytes, 200u);
  Result<std::vector<Letter>> memories = b.receive_memory();
  ASSERT_TRUE(memories.ok());
  ASSERT_EQ(memories.value().size(), 2u);
  EXPECT_EQ(memories.value()[0].bytes, 100u);
  EXPECT_EQ(memories.value()[1].bytes, 300u);
  EXPECT_TRUE(b.receive_memory().value().empty()) << "a letter is handed out once";
}

TEST(Mailbox, SaysThatALetterWasLostForWantOfDescriptors) {
  Mailbox a = make("key");
  Mailbox b = make("key");
  const UniqueFd fd = memory();
  ASSERT_TRUE(a.send(b.address(), Purpose::kMemory, 1, 100, fd.get()).value());
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{0, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const Result<std::vector<Letter>> lost = b.receive_memory();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_FALSE(lost.ok());
  EXPECT_EQ(lost.status().code(), gossSystemError);
  EXPECT_NE(lost.status().message().find("file descriptor"), std::string::npos);
  EXPECT_FALSE(b.receive_segment(7).ok()) << "nobody may wait for it";
}

TEST(Mailbox, DropsLettersUnderAnotherKey) {
  Mailbox friendly = make("key");
  Mailbox foreign = make("kez");
  Mailbox b = make("key");
  const UniqueFd fd = memory();
  const size_t before = open_descriptors();
  ASSERT_TRUE(foreign.send(b.address(), Purpose::kSegment, 1, 4096, fd.get()).value());
  ASSERT_TRUE(friendly.send(b.address(), Purpose::kSegment, 2, 4096, fd.get()).value());
  EXPECT_FALSE(receive(&b, 1).has_value());
  EXPECT_TRUE(receive(&b, 2).has_value());
  EXPECT_EQ(open_descriptors(), before) << "what came with a dropped letter is closed";
}

TEST(Mailbox, SurvivesGarbageAndKeepsNoneOfItsDescriptors) {
  Mailbox b = make("key");
  Mailbox a = make("key");
  Stranger stranger;
  std::mt19937 random(3);
  const UniqueFd fd = memory();
  const size_t before = open_descriptors();
  for (int i = 0; i < 300; ++i) {
    std::string text(random() % 200, '\0');
    for (char& c : text) c = static_cast<char>(random());
    if (i % 3 == 0 && text.size() >= 8) std::memcpy(text.data(), "liamssog", 8);  // the magic
    const std::vector<int> fds(static_cast<size_t>(i % 5), fd.get());
    ASSERT_TRUE(stranger.send(b.address(), text, fds)) << std::strerror(errno);
    ASSERT_FALSE(receive(&b, 0).has_value());
  }
  EXPECT_EQ(open_descriptors(), before) << "a stranger can use up our descriptors";
  ASSERT_TRUE(a.send(b.address(), Purpose::kSegment, 9, 1, fd.get()).value());
  EXPECT_TRUE(receive(&b, 9).has_value()) << "real letters still arrive";
}

TEST(Mailbox, SaysWhenTheQueueOfTheReceiverIsFullAndGoesOnLater) {
  Mailbox a = make("key");
  Mailbox b = make("key");
  const UniqueFd fd = memory();
  int sent = 0;
  while (sent < 100'000) {
    Result<bool> result =
        a.send(b.address(), Purpose::kSegment, 1, static_cast<uint64_t>(sent), fd.get());
    ASSERT_TRUE(result.ok()) << result.status().message();
    if (!result.value()) break;
    ++sent;
  }
  ASSERT_LT(sent, 100'000) << "the queue has no end";
  for (int i = 0; i < sent && i < 1000; ++i) {
    std::optional<Letter> letter = receive(&b, 1);
    ASSERT_TRUE(letter.has_value());
    EXPECT_EQ(letter->bytes, static_cast<uint64_t>(i));
  }
  EXPECT_TRUE(a.send(b.address(), Purpose::kSegment, 2, 0, fd.get()).value());
  EXPECT_TRUE(receive(&b, 2).has_value());
}

TEST(Mailbox, LeavesAReceiverThatHasGoneToTheWatch) {
  Mailbox a = make("key");
  std::string address;
  {
    Mailbox b = make("key");
    address = b.address();
  }
  const UniqueFd fd = memory();
  Result<bool> sent = a.send(address, Purpose::kSegment, 1, 1, fd.get());
  ASSERT_TRUE(sent.ok()) << sent.status().message();
  EXPECT_TRUE(sent.value());
}

TEST(Mailbox, RefusesAnAddressThatIsNoAddress) {
  Mailbox a = make("key");
  const UniqueFd fd = memory();
  EXPECT_FALSE(a.send(std::string(500, 'x'), Purpose::kSegment, 1, 1, fd.get()).ok());
}

TEST(Mailbox, HasANameThatIsInNoFileSystem) {
  const Mailbox a = make("key");
  const Mailbox b = make("key");
  ASSERT_FALSE(a.address().empty());
  EXPECT_EQ(a.address()[0], '\0');
  EXPECT_NE(a.address(), b.address());
}

}  // namespace
}  // namespace goss::shm
