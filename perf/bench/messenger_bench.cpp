// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Latency and bandwidth of messages between two processes of one host through the UCX module, on
// the first two CPUs that this process may use, to be compared with ucx_perftest (-t ucp_am_lat,
// -t ucp_am_bw) over the same UCX_TLS.
//
// One way latency is half a round trip. Bandwidth is of messages in one direction, 16 at a time.
// Each figure is the median of repetitions.
#include <sys/mman.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "affinity.h"
#include "common/children.h"
#include "transport/registry.h"

namespace {

using Clock = std::chrono::steady_clock;
using goss::transport::MessageRequest;
using goss::transport::Messenger;
using State = MessageRequest::State;

constexpr int kRepetitions = 9;
constexpr int kWindow = 16;

struct Board {
  std::atomic<size_t> address_bytes[2];
  char address[2][4096];
};

class Side {
 public:
  Side(Messenger* messenger, int rank) : messenger_(*messenger), peer_(1 - rank) {}

  void send(std::vector<std::byte>& data, MessageRequest* request) {
    messenger_.send(peer_, {1, sent_++}, data, request);
  }
  void receive(std::vector<std::byte>& data, MessageRequest* request) {
    messenger_.receive(peer_, {1, received_++}, data, request);
  }
  bool wait(const MessageRequest& request) {
    while (request.state == State::kPosted) messenger_.progress();
    return request.state == State::kDone;
  }

 private:
  Messenger& messenger_;
  const int peer_;
  uint64_t sent_ = 0;
  uint64_t received_ = 0;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Microseconds one way.
double latency_us(Side& side, int rank, size_t bytes, int rounds) {
  std::vector<std::byte> out(bytes), in(bytes);
  std::vector<double> times;
  for (int repetition = 0; repetition < kRepetitions; ++repetition) {
    const auto began = Clock::now();
    for (int round = 0; round < rounds; ++round) {
      MessageRequest send, receive;
      side.receive(in, &receive);
      if (rank == 0) side.send(out, &send);
      if (!side.wait(receive)) return -1;
      if (rank == 1) side.send(out, &send);
      if (!side.wait(send)) return -1;
    }
    const std::chrono::duration<double, std::micro> time = Clock::now() - began;
    times.push_back(time.count() / rounds / 2);
  }
  return median(times);
}

// GB/s from rank 0 to rank 1.
double bandwidth(Side& side, int rank, size_t bytes, int rounds) {
  std::vector<std::vector<std::byte>> buffers(kWindow, std::vector<std::byte>(bytes, std::byte{1}));
  std::vector<MessageRequest> requests(kWindow);
  std::vector<std::byte> token(1);
  std::vector<double> rates;
  for (int repetition = 0; repetition < kRepetitions; ++repetition) {
    const auto began = Clock::now();
    for (int round = 0; round < rounds; ++round) {
      const auto slot = static_cast<size_t>(round % kWindow);
      if (round >= kWindow && !side.wait(requests[slot])) return -1;
      if (rank == 0) side.send(buffers[slot], &requests[slot]);
      if (rank == 1) side.receive(buffers[slot], &requests[slot]);
    }
    for (MessageRequest& request : requests) {
      if (!side.wait(request)) return -1;
    }
    MessageRequest end;  // so that the last byte counts
    if (rank == 0) side.receive(token, &end);
    if (rank == 1) side.send(token, &end);
    if (!side.wait(end)) return -1;
    const std::chrono::duration<double> time = Clock::now() - began;
    rates.push_back(static_cast<double>(bytes) * rounds / time.count() / 1e9);
  }
  return median(rates);
}

int run(Board& board, int rank) {
  const std::vector<int> cpus = goss::perf::allowed_cpus();
  if (cpus.size() >= 2) goss::perf::pin_to(cpus[static_cast<size_t>(rank)]);
  auto opened = goss::transport::open_messenger({rank, 2});
  if (!opened.ok()) {
    std::fprintf(stderr, "%s\n", opened.status().message().c_str());
    return 1;
  }
  const goss::transport::MessengerPtr messenger = opened.take();
  std::memcpy(board.address[rank], messenger->address().data(), messenger->address().size());
  board.address_bytes[rank] = messenger->address().size();
  std::vector<std::string> addresses;
  for (int peer = 0; peer < 2; ++peer) {
    while (board.address_bytes[peer] == 0) sched_yield();
    addresses.emplace_back(board.address[peer], board.address_bytes[peer]);
  }
  if (!messenger->connect(addresses).ok()) return 1;
  Side side(messenger.get(), rank);
  latency_us(side, rank, 8, 100);  // connections
  if (rank == 0) std::printf("%10s %14s %12s\n", "bytes", "latency (us)", "GB/s");
  for (size_t bytes = 8; bytes <= size_t{16} << 20; bytes *= 8) {
    const double us = latency_us(side, rank, bytes,
                                 bytes <= 4096      ? 2000
                                 : bytes <= 300'000 ? 200
                                                    : 10);
    const int rounds = static_cast<int>(std::clamp<size_t>((size_t{64} << 20) / bytes, 32, 20'000));
    const double rate = bandwidth(side, rank, bytes, rounds);
    if (us < 0 || rate < 0) {
      std::fprintf(stderr, "rank %d: %s\n", rank, messenger->fate(1 - rank).message().c_str());
      return 1;
    }
    if (rank == 0) std::printf("%10zu %14.2f %12.3f\n", bytes, us, rate);
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Latency and bandwidth of messages between two processes through the UCX module");
  std::string modules = GOSS_BENCH_MODULE_DIR;
  app.add_option("--module-dir", modules, "Folder of the module")->capture_default_str();
  app.footer("UCX_TLS picks the transport. Compare with ucx_perftest -t ucp_am_lat and ucp_am_bw.");
  CLI11_PARSE(app, argc, argv);
  ::setenv("GOSS_MODULE_DIR", modules.c_str(), 0);  // what the user has set holds
  void* const memory =
      ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    std::perror("mmap");
    return 1;
  }
  auto* const board = new (memory) Board{};
  return goss::perf::run_children(2, [board](int rank) { return run(*board, rank); });
}
