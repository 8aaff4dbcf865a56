// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The work of limit and all_reduce_perf done by Gloo over TCP, the only transport for host memory
// that Gloo has: on the loopback interface, or between network namespaces (slow_link.sh). Starts
// its ranks by fork; they meet in a directory of their own, which is removed at the end.
#include <gloo/allreduce.h>
#include <gloo/barrier.h>
#include <gloo/broadcast.h>
#include <gloo/math.h>
#include <gloo/rendezvous/context.h>
#include <gloo/rendezvous/file_store.h>
#include <gloo/transport/tcp/device.h>

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <memory>

#include "common/buffer.h"
#include "common/children.h"
#include "common/harness.h"

namespace goss::perf {
namespace {

class GlooBackend {
 public:
  GlooBackend(size_t bytes, int rank, int nranks, const std::string& directory,
              const std::string& interface)
      : rank_(rank),
        nranks_(nranks),
        send_(Buffer::Kind::kPrivate, bytes),
        recv_(Buffer::Kind::kPrivate, bytes) {
    gloo::transport::tcp::attr address;
    if (interface.empty()) address.hostname = "127.0.0.1";
    address.iface = interface;
    gloo::rendezvous::FileStore store(directory);
    auto context = std::make_shared<gloo::rendezvous::Context>(rank, nranks);
    auto device = gloo::transport::tcp::CreateDevice(address);
    context->connectFullMesh(store, device);
    context_ = std::move(context);
    send_.touch();
    recv_.touch();
  }

  int rank() const { return rank_; }
  int nranks() const { return nranks_; }
  const char* name() const { return "gloo"; }
  const char* variant(Collective, size_t) const { return "tcp"; }
  float* send() const { return send_.floats(); }
  float* recv() const { return recv_.floats(); }
  void set_distance(double) {}

  void allreduce(size_t count) {
    gloo::AllreduceOptions options(context_);
    options.setInput(send(), count);
    options.setOutput(recv(), count);
    options.setReduceFunction(
        static_cast<void (*)(void*, const void*, const void*, size_t)>(&gloo::sum<float>));
    gloo::allreduce(options);
  }
  void broadcast(size_t count) {
    gloo::BroadcastOptions options(context_);
    options.setOutput(recv(), count);
    options.setRoot(0);
    gloo::broadcast(options);
  }
  void barrier() {
    gloo::BarrierOptions options(context_);
    gloo::barrier(options);
  }

 private:
  int rank_, nranks_;
  Buffer send_, recv_;
  std::shared_ptr<gloo::Context> context_;
};

// A new directory, removed with all in it by remove(), or else by the process that made it.
class TemporaryDirectory {
 public:
  TemporaryDirectory() : owner_(getpid()) {
    std::string name = (std::filesystem::temp_directory_path() / "gloo_perf_XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make " + name);
    name_ = name;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    if (getpid() == owner_) remove();
  }
  void remove() const {
    std::error_code ignored;
    std::filesystem::remove_all(name_, ignored);
  }
  const std::string& name() const { return name_; }

 private:
  pid_t owner_;
  std::string name_;
};

void enter_network(int pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/ns/net";
  const int space = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (space < 0 || ::setns(space, CLONE_NEWNET) != 0) {
    throw std::runtime_error("cannot enter " + path);
  }
  ::close(space);
}

int run(int argc, char** argv) {
  // Each rank has a thread for its connections, which waits for the CPU of a bound rank: bound,
  // small messages took up to ten times as long.
  PeerOptions defaults;
  defaults.pin = false;
  const PeerOptions options = parse_peer_options(argc, argv, defaults);
  if (options.help) {
    print_usage("gloo_perf", "Gloo over TCP on the loopback interface");
    return 0;
  }
  if (options.ranks > kMaxRanks) throw std::runtime_error("too many --ranks");
  const Cpus cpus;
  const TemporaryDirectory directory;
  SharedPage page = SharedPage::create();
  return run_children(options.ranks, [&](int rank) {
    page.join(rank, options.ranks);
    if (!options.spaces.empty()) enter_network(options.spaces.at(static_cast<size_t>(rank)));
    if (options.pin) cpus.pin(rank);
    GlooBackend backend(*std::max_element(options.sizes.begin(), options.sizes.end()), rank,
                        options.ranks, directory.name(), options.interface);
    page.barrier();
    if (rank == 0) directory.remove();  // all are connected; a killed parent leaves nothing
    const int code = Harness(&backend, &page, cpus, options).run() == 0 ? 0 : 1;
    page.barrier();  // nobody closes connections that others still use
    return code;
  });
}

}  // namespace
}  // namespace goss::perf

int main(int argc, char** argv) {
  try {
    return goss::perf::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gloo_perf: %s\n", error.what());
    return 2;
  }
}
