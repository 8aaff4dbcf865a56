// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The parts of the start-up one by one: unique ids, HMAC, fields, frames, handshake, interfaces.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "support/processes.h"
#include "support/scoped_env.h"
#include "transport/bootstrap/allgather.h"
#include "transport/bootstrap/bootstrap.h"
#include "transport/bootstrap/handshake.h"
#include "transport/bootstrap/interface.h"
#include "transport/bootstrap/messages.h"
#include "transport/bootstrap/process_token.h"

namespace goss::bootstrap {
namespace {

std::string hex(const Digest& digest) {
  std::string text;
  for (const uint8_t byte : digest) text += format("%02x", byte);
  return text;
}

std::pair<Socket, Socket> socket_pair() {
  int fds[2] = {-1, -1};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
  return {Socket(fds[0]), Socket(fds[1])};
}

ChannelKeys swapped(const ChannelKeys& keys) { return {keys.receive, keys.send}; }

const char* const kRfc4231Case6 =
    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54";

TEST(Hmac, AgreesWithKnownVectors) {
  // RFC 4231, cases 2, 1 and 6.
  EXPECT_EQ(hex(hmac_sha256("Jefe", {"what do ya want ", "for nothing?"})),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hex(hmac_sha256(std::string(20, '\x0b'), {"Hi There"})),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hex(sha256({"a", "", "bc"})),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex(hmac_sha256(std::string(131, '\xaa'),
                            {"Test Using Larger Than Block-Size Key - Hash Key First"})),
            kRfc4231Case6);
}

TEST(Hmac, StillWorksAfterOpensslHasCleanedUpAtExit) {
  const Secret key = secret_from_text("key");
  const Digest before = hmac_sha256(view(key), {"message"});
  const pid_t child = ::fork();
  if (child == 0) {
    ::OPENSSL_cleanup();
    ::_exit(hmac_sha256(view(key), {"message"}) == before ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(UniqueIds, SurviveSerialisation) {
  const test::ScopedEnv interface("GOSS_IFNAME", "lo");
  UniqueId id;
  ASSERT_TRUE(Root::create(&id).ok());
  const Result<UniqueId> parsed = UniqueId::parse(id.serialize());
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  EXPECT_EQ(parsed.value().secret, id.secret);
  EXPECT_EQ(parsed.value().job, id.job);
  EXPECT_TRUE(parsed.value().root_listens);
  ASSERT_EQ(parsed.value().address_bytes, id.address_bytes);
  EXPECT_EQ(std::memcmp(&parsed.value().address, &id.address, id.address_bytes), 0);
}

TEST(UniqueIds, AreRefusedWhenAnyByteIsDamaged) {
  const test::ScopedEnv interface("GOSS_IFNAME", "lo");
  UniqueId id;
  ASSERT_TRUE(Root::create(&id).ok());
  for (size_t i = 0; i < GOSS_UNIQUE_ID_BYTES; ++i) {
    gossUniqueId bytes = id.serialize();
    bytes.internal[i] = static_cast<char>(bytes.internal[i] ^ 0x40);
    EXPECT_EQ(UniqueId::parse(bytes).status().code(), gossInvalidArgument) << "byte " << i;
  }
  EXPECT_EQ(UniqueId::parse(gossUniqueId{}).status().code(), gossInvalidArgument);
}

TEST(Interfaces, AreChosenByName) {
  {
    const test::ScopedEnv interface("GOSS_IFNAME", "lo");
    const Result<Address> address = choose_address();
    ASSERT_TRUE(address.ok());
    EXPECT_EQ(address.value().text(), "127.0.0.1:0");
  }
  const test::ScopedEnv interface("GOSS_IFNAME", "nosuch0");
  const Result<Address> address = choose_address();
  EXPECT_EQ(address.status().code(), gossSystemError);
  EXPECT_NE(address.status().message().find("GOSS_IFNAME=nosuch0"), std::string::npos);
  EXPECT_NE(address.status().message().find("lo"), std::string::npos);
}

TEST(Messages, DecodeOnlyWhatIsWhole) {
  Join join;
  join.host = "host";
  join.hello = std::string("a\0b", 3);
  join.hello_text = "text";
  const std::string bytes = join.encode();
  ASSERT_TRUE(Join::decode(bytes).has_value());
  EXPECT_EQ(Join::decode(bytes)->hello, join.hello);
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(Join::decode(bytes.substr(0, length)).has_value()) << length;
  }
  EXPECT_FALSE(Join::decode(bytes + "x").has_value());
}

TEST(Messages, NameRanksInRuns) {
  EXPECT_EQ(rank_list({3}), "rank 3");
  EXPECT_EQ(rank_list({0, 1, 2, 5, 6, 9}), "ranks 0-2, 5, 6, 9");
}

TEST(Neighbours, AreMutual) {
  for (int n = 1; n <= 70; ++n) {
    for (int rank = 0; rank < n; ++rank) {
      for (const int peer : neighbours_of(rank, n)) {
        EXPECT_NE(peer, rank);
        const std::vector<int> back = neighbours_of(peer, n);
        EXPECT_TRUE(std::find(back.begin(), back.end(), rank) != back.end());
      }
    }
  }
}

TEST(Gathers, RefuseBlocksThatMakeNoSense) {
  const auto block = [](uint32_t number, int origin, const std::string& bytes) {
    Writer out;
    out.u32(number);
    out.i32(origin);
    out.text(bytes);
    return out.take();
  };
  Gather gather(1, 4);
  gather.start("mine");
  EXPECT_TRUE(gather.accept(block(0, 2, "two")));
  EXPECT_FALSE(gather.accept(block(0, 2, "again")));
  EXPECT_FALSE(gather.accept(block(0, 1, "as me")));
  EXPECT_FALSE(gather.accept(block(0, 4, "no such rank")));
  EXPECT_FALSE(gather.accept(block(0, -1, "no such rank")));
  EXPECT_FALSE(gather.accept(block(2, 3, "two ahead")));
  EXPECT_FALSE(gather.accept(block(0, 3, std::string(kMaxBlockBytes + 1, 'x'))));
  EXPECT_FALSE(gather.accept("short"));
  EXPECT_TRUE(gather.accept(block(1, 3, "one ahead")));
}

TEST(Channels, DeliverFramesOfEverySizeInOrder) {
  auto [left, right] = socket_pair();
  const ChannelKeys keys{secret_from_text("a"), secret_from_text("b")};
  Channel sender(std::move(left), keys);
  Channel receiver(std::move(right), swapped(keys));
  std::vector<std::string> sent;
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{15}, size_t{5000}, kMaxPayloadBytes}) {
    sent.push_back(std::string(bytes, 'x'));
    sender.queue(FrameType::kFlood, sent.back());
  }
  std::vector<Frame> frames;
  for (int i = 0; i < 10'000 && frames.size() < sent.size(); ++i) {
    sender.flush();
    ASSERT_TRUE(receiver.receive(&frames));
  }
  ASSERT_EQ(frames.size(), sent.size());
  for (size_t i = 0; i < sent.size(); ++i) EXPECT_EQ(frames[i].payload, sent[i]);
  EXPECT_TRUE(sender.idle());
}

// What a channel writes, as bytes.
std::string recorded_frames(const ChannelKeys& keys, int count) {
  auto [left, right] = socket_pair();
  Channel sender(std::move(left), keys);
  for (int i = 0; i < count; ++i) sender.queue(FrameType::kFlood, "payload " + std::to_string(i));
  sender.flush();
  char buffer[4096];
  const Moved moved = receive_some(right, buffer, sizeof(buffer));
  return std::string(buffer, moved.bytes);
}

// Frames that a channel accepts of `bytes`, and whether it then still stands.
std::pair<size_t, bool> accepted(const std::string& bytes, const ChannelKeys& keys) {
  auto [left, right] = socket_pair();
  Channel receiver(std::move(right), keys);
  EXPECT_EQ(send_some(left, bytes.data(), bytes.size()).bytes, bytes.size());
  std::vector<Frame> frames;
  const bool open = receiver.receive(&frames);
  return {frames.size(), open};
}

TEST(Channels, EndOnAnyAlteredByte) {
  const ChannelKeys keys{secret_from_text("a"), secret_from_text("b")};
  const std::string good = recorded_frames(keys, 1);
  EXPECT_EQ(accepted(good, swapped(keys)), std::pair(size_t{1}, true));
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    // A longer length makes it wait for more; it never accepts.
    EXPECT_EQ(accepted(bad, swapped(keys)).first, 0u) << "byte " << i;
  }
}

TEST(Channels, EndOnRepeatedMissingMirroredAndOversizedFrames) {
  const ChannelKeys keys{secret_from_text("a"), secret_from_text("b")};
  const std::string two = recorded_frames(keys, 2);
  const size_t half = two.size() / 2;
  const std::string first = two.substr(0, half);
  EXPECT_EQ(accepted(two, swapped(keys)), std::pair(size_t{2}, true));
  EXPECT_EQ(accepted(first + first, swapped(keys)), std::pair(size_t{1}, false));
  EXPECT_EQ(accepted(two.substr(half), swapped(keys)), std::pair(size_t{0}, false));
  EXPECT_EQ(accepted(first, keys), std::pair(size_t{0}, false));
  EXPECT_EQ(accepted(std::string(8, '\xff'), swapped(keys)), std::pair(size_t{0}, false));
}

struct Shaken {
  Progress client = Progress::kRunning;
  Progress server = Progress::kRunning;
  ChannelKeys client_keys, server_keys;
};

Shaken shake(const Secret& client_secret, const Hello& hello, const Secret& server_secret,
             const Hello& expected) {
  auto [left, right] = socket_pair();
  ClientHandshake client(client_secret, hello);
  ServerHandshake server(server_secret, expected);
  Shaken result;
  for (int i = 0; i < 4; ++i) {
    if (result.client == Progress::kRunning) result.client = client.advance(left);
    if (result.server == Progress::kRunning) result.server = server.advance(right);
    if (result.server == Progress::kFailed) right.reset();
  }
  result.client_keys = client.keys();
  result.server_keys = server.keys();
  return result;
}

TEST(Handshakes, GiveBothSidesTheSameFreshKeys) {
  const Secret secret = secret_from_text("s");
  const Hello hello;
  const Shaken first = shake(secret, hello, secret, hello);
  EXPECT_EQ(first.client, Progress::kDone);
  EXPECT_EQ(first.server, Progress::kDone);
  EXPECT_EQ(first.client_keys.send, first.server_keys.receive);
  EXPECT_EQ(first.client_keys.receive, first.server_keys.send);
  EXPECT_NE(first.client_keys.send, first.client_keys.receive);
  EXPECT_NE(first.client_keys.send, shake(secret, hello, secret, hello).client_keys.send);
}

TEST(Handshakes, FailWithAnotherSecretJobPurposeOrPeer) {
  const Secret secret = secret_from_text("s");
  const Hello hello;
  EXPECT_EQ(shake(secret_from_text("t"), hello, secret, hello).client, Progress::kFailed);
  Hello other = hello;
  other.job[0] = 1;
  EXPECT_EQ(shake(secret, other, secret, hello).server, Progress::kFailed);
  other = hello;
  other.purpose = Purpose::kLink;
  EXPECT_EQ(shake(secret, other, secret, hello).server, Progress::kFailed);
  other = hello;
  other.peer = 3;
  EXPECT_EQ(shake(secret, other, secret, hello).server, Progress::kFailed);
}

TEST(ForkGuard, ClosesSocketsInForkedChildren) {
  auto [left, right] = socket_pair();
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  left.reset();
  // The child needs a moment to get there.
  const auto end = Clock::now() + std::chrono::seconds(2) * support::sanitizer_factor();
  char byte = 0;
  while (receive_some(right, &byte, 1).state != Moved::State::kEnded && Clock::now() < end) {
    ::usleep(1000);
  }
  EXPECT_LT(Clock::now(), end) << "the sleeping child holds the connection open";
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST(ForkGuard, LeavesNoSocketInChildrenForkedWhileAnotherThreadOpensAndCloses) {
  std::atomic<bool> over{false};
  std::thread worker([&] {
    Address nowhere;
    nowhere.storage.ss_family = AF_INET;
    nowhere.bytes = sizeof(sockaddr_in);
    int error = 0;
    while (!over) start_connect(nowhere, &error);
  });
  int found = 0;
  for (int i = 0; i < 300; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      struct stat info = {};
      for (int fd = 3; fd < 64; ++fd) {
        if (::fstat(fd, &info) == 0 && S_ISSOCK(info.st_mode)) ::_exit(1);
      }
      ::_exit(0);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    found += status != 0 ? 1 : 0;
  }
  over = true;
  worker.join();
  EXPECT_EQ(found, 0);
}

TEST(StartConnect, SaysWhyThereIsNoSocket) {
  Address address;
  address.storage.ss_family = AF_INET;
  address.bytes = sizeof(sockaddr_in);
  rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{0, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  int error = 0;
  const Socket socket = start_connect(address, &error);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_FALSE(socket.valid());
  EXPECT_EQ(error, EMFILE);
}

TEST(ProcessToken, IsEqualWithinAProcessAndDiffersInAForkedChild) {
  const ProcessToken mine = process_token().value();
  EXPECT_EQ(process_token().value(), mine);
  EXPECT_NE(mine, ProcessToken{});
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    const ProcessToken child = process_token().value();
    ::_exit(::write(ends[1], child.data(), child.size()) == ssize_t{sizeof(child)} ? 0 : 1);
  }
  ProcessToken child{};
  EXPECT_EQ(::read(ends[0], child.data(), child.size()), ssize_t{sizeof(child)});
  EXPECT_NE(child, mine);
  EXPECT_EQ(::waitpid(pid, nullptr, 0), pid);
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace goss::bootstrap
