// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Network: several "hosts" on one machine, for tests. A host is a process that does nothing but hold
// namespaces of its own: network, host name, mounts (with a /sys that shows the network). The hosts
// hang on a switch, a bridge in one more namespace. Nothing has a name in the system, and all of it
// ends with the processes, which end with the test, however that ends.
#pragma once

#include <sched.h>
#include <sys/mount.h>

#include <memory>
#include <string>
#include <vector>

#include "support/processes.h"
#include "support/relay.h"

namespace goss::support {

class Network {
 public:
  static constexpr const char* kDevice = "eth0";  // of every host
  enum class Cables { kPlain, kRelays };

  // Why there can be none here; empty when there can.
  static std::string missing() {
    if (::geteuid() != 0) return "network namespaces need root";
    for (const char* tool : {"ip", "tc"}) {
      if (run({tool, "-V"}) != 0) return std::string(tool) + " is not installed (iproute2)";
    }
    if (Process unshared([] { ::_exit(::unshare(CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWNS)); });
        !unshared.ended_within(milliseconds(5000)) || unshared.code() != 0) {
      return "network namespaces are not permitted here";
    }
    return {};
  }

  explicit Network(int nhosts, Cables cables = Cables::kPlain) {
    if (cables == Cables::kRelays && ::access("/dev/net/tun", W_OK) != 0) {
      failure_ = "no /dev/net/tun for relays";
      return;
    }
    switch_ = std::make_unique<Host>("switch");
    in(*switch_, {"ip", "link", "add", "bridge", "type", "bridge"});
    in(*switch_, {"ip", "link", "set", "bridge", "up"});
    for (int host = 0; host < nhosts; ++host) {
      hosts_.push_back(std::make_unique<Host>("host" + std::to_string(host)));
      connect(host, cables);
    }
  }

  // What went wrong; empty when all is there.
  const std::string& failure() const { return failure_; }
  int size() const { return static_cast<int>(hosts_.size()); }
  static std::string address(int host) { return "10.77.0." + std::to_string(host + 1); }

  // Move the calling process, which must have one thread, to `host`.
  void enter(int host) const {
    const std::string folder = std::filesystem::current_path();
    const Host& home = *hosts_[static_cast<size_t>(host)];
    for (const int space : {home.network, home.name, home.mounts}) {
      if (::setns(space, 0) != 0) ::_exit(125);
    }
    std::filesystem::current_path(folder);
    for (const std::string& entry : environment(host)) {
      const size_t equals = entry.find('=');
      ::setenv(entry.substr(0, equals).c_str(), entry.substr(equals + 1).c_str(), 1);
    }
  }
  // With it the ranks of different hosts take each other for strangers, and UCX for far away.
  static std::vector<std::string> environment(int host) {
    return {"GOSS_HOSTID=host" + std::to_string(host), std::string("GOSS_IFNAME=") + kDevice,
            "UCX_TLS=tcp", std::string("UCX_NET_DEVICES=") + kDevice};
  }

  // Limit every cable, both ways, to `rate` in tc's words, such as "1gbit".
  void limit(const std::string& rate) {
    for (int host = 0; host < size(); ++host) {
      for (const auto& [at, device] :
           {std::pair{&home(host), std::string(kDevice)}, std::pair{switch_.get(), port(host)}}) {
        in(*at, {"tc", "qdisc", "replace", "dev", device, "root", "tbf", "rate", rate, "burst",
                 "256kb", "latency", "20ms"});
      }
    }
  }
  // Pull the plug, or put it back: the host itself sees that.
  void set_link(int host, bool up) {
    in(home(host), {"ip", "link", "set", kDevice, up ? "up" : "down"});
  }
  // Cables::kRelays only.
  CableConditions& cable(int host) { return relays_[static_cast<size_t>(host)]->conditions(); }

 private:
  struct Host {
    explicit Host(const std::string& host_name)
        : ready(std::make_unique<Shared<std::atomic<bool>>>()), process([&, this] {
            if (::unshare(CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWNS) != 0) ::_exit(1);
            ::sethostname(host_name.data(), host_name.size());
            ::mount("none", "/", nullptr, MS_REC | MS_SLAVE, nullptr);
            ::umount2("/sys", MNT_DETACH);
            ::mount("sysfs", "/sys", "sysfs", 0, nullptr);
            **ready = true;
            for (;;) ::pause();
          }) {
      eventually(milliseconds(5000), [this] { return (**ready).load(); });
      network = open_space("net");
      name = open_space("uts");
      mounts = open_space("mnt");
    }
    ~Host() {
      for (const int space : {network, name, mounts}) ::close(space);
    }
    int open_space(const char* kind) const {
      const std::string path = "/proc/" + std::to_string(process.pid()) + "/ns/" + kind;
      return ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    }

    std::unique_ptr<Shared<std::atomic<bool>>> ready;
    Process process;
    int network = -1;
    int name = -1;
    int mounts = -1;
  };

  Host& home(int host) { return *hosts_[static_cast<size_t>(host)]; }
  static std::string port(int host) { return "port" + std::to_string(host); }

  static int run(const std::vector<std::string>& command, const std::function<void()>& before = {}) {
    Process process(command, {}, [&] {
      const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
      ::dup2(nowhere, STDOUT_FILENO);
      if (before) before();
    });
    return process.ended_within(milliseconds(20'000)) ? process.code() : -1;
  }
  void in(const Host& at, const std::vector<std::string>& command) {
    const int code = run(command, [&at] {
      if (::setns(at.network, CLONE_NEWNET) != 0) ::_exit(125);
    });
    if (code == 0 || !failure_.empty()) return;
    for (const std::string& word : command) failure_ += word + " ";
    failure_ += "ended with " + std::to_string(code);
  }

  void connect(int host, Cables cables) {
    const std::string plug = port(host);
    if (cables == Cables::kRelays) {
      relays_.push_back(std::make_unique<Relay>(Relay::End{home(host).network, kDevice},
                                                Relay::End{switch_->network, plug.c_str()}));
      if (!relays_.back()->ready()) failure_ = "a relay did not start";
    } else {
      in(*switch_, {"ip", "link", "add", plug, "type", "veth", "peer", "name", kDevice, "netns",
                    std::to_string(home(host).process.pid())});
    }
    in(*switch_, {"ip", "link", "set", plug, "master", "bridge", "up"});
    in(home(host), {"ip", "addr", "add", address(host) + "/24", "dev", kDevice});
    in(home(host), {"ip", "link", "set", kDevice, "up"});
    in(home(host), {"ip", "link", "set", "lo", "up"});
  }

  std::string failure_;
  std::unique_ptr<Host> switch_;
  std::vector<std::unique_ptr<Host>> hosts_;
  std::vector<std::unique_ptr<Relay>> relays_;
};

}  // namespace goss::support
