// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// How a job is named and met: unique ids, the environment of a launcher, all ranks in one process.
#include <arpa/inet.h>
#include <netdb.h>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "base/env.h"
#include "engine/calls.h"
#include "engine/group.h"
#include "engine/reactor.h"
#include "transport/hmac.h"

namespace goss::engine {

namespace {

// A rendezvous that this process serves.
class Serving final : public Watched {
 public:
  Serving(std::unique_ptr<bootstrap::Root> root, const JobName& job)
      : root_(std::move(root)), job_(job) {}
  void pollfds(std::vector<pollfd>* fds) override { root_->pollfds(fds); }
  void poll() override { root_->poll(); }
  bool finished() override { return root_->finished(); }
  bool serves(const JobName& job) const override { return job == job_; }

 private:
  std::unique_ptr<bootstrap::Root> root_;
  JobName job_;
};

// Rank and size as launchers tell them, ours first. One launcher may start another, as srun starts
// torchrun: the inner one comes first here, for the outer one counts its own children only.
struct Launcher {
  const char* rank;
  const char* nranks;
};
constexpr Launcher kLaunchers[] = {
    {"GOSS_RANK", "GOSS_NRANKS"},
    {"RANK", "WORLD_SIZE"},  // torchrun
    {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
    {"PMI_RANK", "PMI_SIZE"},
    {"SLURM_PROCID", "SLURM_NTASKS"},
};

Result<int> parse_int(const char* name, const std::string& text, int low, int high) {
  char* end = nullptr;
  const long value = std::strtol(text.c_str(), &end, 10);
  if (*end != '\0' || value < low || value > high) {
    return fail(gossInvalidUsage, "%s=%s: expected a whole number from %d to %d", name,
                text.c_str(), low, high);
  }
  return static_cast<int>(value);
}

Status find_rank(int* rank, int* nranks) {
  *rank = 0;
  *nranks = 1;
  for (const Launcher& launcher : kLaunchers) {
    const auto rank_text = launcher_text(launcher.rank);
    const auto nranks_text = launcher_text(launcher.nranks);
    if (!rank_text && !nranks_text) continue;
    if (!rank_text || !nranks_text) {
      if (&launcher != kLaunchers) continue;  // not for us: salloc sets SLURM_NTASKS alone
      return fail(gossInvalidUsage, "%s is set but %s is not: set both",
                  rank_text ? launcher.rank : launcher.nranks,
                  rank_text ? launcher.nranks : launcher.rank);
    }
    GOSS_TRY_ASSIGN(*nranks, parse_int(launcher.nranks, *nranks_text, 1, 65536));
    GOSS_TRY_ASSIGN(*rank, parse_int(launcher.rank, *rank_text, 0, *nranks - 1));
    return {};
  }
  return {};
}

// What the launcher calls this launch, the inner one first; nothing without one.
std::string launch_name() {
  if (const auto torchrun = launcher_text("TORCHELASTIC_RUN_ID")) return *torchrun;
  if (const auto pmix = launcher_text("PMIX_NAMESPACE")) return *pmix;
  const auto job = launcher_text("SLURM_JOB_ID");
  const auto step = launcher_text("SLURM_STEP_ID");
  return job && step ? *job + "." + *step : "";
}

// Every rank computes the same name; other jobs that share the port, even with the same secret,
// compute another. It is sent in clear, and tells nothing of a random secret.
void name_job(int nranks, bootstrap::UniqueId* id) {
  const std::array<uint32_t, 2> numbers{htonl(static_cast<uint32_t>(nranks)), htonl(::getuid())};
  const std::string_view bytes(reinterpret_cast<const char*>(numbers.data()), sizeof(numbers));
  const Digest name = hmac_sha256(view(id->secret), {"gossamer job", bytes, launch_name()});
  std::copy_n(name.begin(), id->job.size(), id->job.begin());
}

Result<int> find_port() {
  if (env_text(Env::kPort)) return env_int(Env::kPort, 0, 1, 65535);
  constexpr int kDefaultPort = 29511;
  const auto master = launcher_text("MASTER_PORT");
  if (!master) return kDefaultPort;
  // torchrun's own store listens on MASTER_PORT itself.
  GOSS_TRY_ASSIGN(const int port, parse_int("MASTER_PORT", *master, 1, 65534));
  return port + 1;
}

Result<std::string> find_secret() {
  if (const auto text = env_text(Env::kSecret)) return *text;
  const auto path = env_text(Env::kSecretFile);
  if (!path) return std::string();
  struct stat info = {};
  if (::stat(path->c_str(), &info) != 0) {
    return fail_errno(errno, "GOSS_SECRET_FILE=%s", path->c_str());
  }
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return fail(gossInvalidUsage, "GOSS_SECRET_FILE=%s can be read by others: make it mode 0600",
                path->c_str());
  }
  if (S_ISDIR(info.st_mode)) {
    return fail(gossInvalidUsage, "GOSS_SECRET_FILE=%s is a directory", path->c_str());
  }
  std::ifstream file(*path);
  if (!file) return fail_errno(errno, "GOSS_SECRET_FILE=%s", path->c_str());
  std::string secret((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  while (!secret.empty() && (secret.back() == '\n' || secret.back() == '\r')) secret.pop_back();
  if (secret.empty()) return fail(gossInvalidUsage, "GOSS_SECRET_FILE=%s is empty", path->c_str());
  return secret;
}

bool is_loopback(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    return (ntohl(v4.sin_addr.s_addr) >> 24) == 127;
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr) != 0;
}

Status resolve(const std::string& host, int port, bootstrap::UniqueId* id) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error != 0) {
    return fail(gossInvalidUsage, "GOSS_ADDR=%s: %s", host.c_str(), ::gai_strerror(error));
  }
  std::memcpy(&id->address, found->ai_addr, found->ai_addrlen);
  id->address_bytes = found->ai_addrlen;
  ::freeaddrinfo(found);
  return {};
}

}  // namespace

Status unique_id(gossUniqueId* id) {
  bootstrap::UniqueId made;
  GOSS_TRY_ASSIGN(auto root, bootstrap::Root::create(&made));
  *id = made.serialize();
  Reactor::get().serve(std::make_unique<Serving>(std::move(root), made.job));
  return {};
}

Status init_from_environment(gossComm** out, const Settings& settings) {
  JoinOptions options;
  options.settings = settings;
  GOSS_TRY(find_rank(&options.rank, &options.nranks));
  if (options.nranks == 1) {
    // Nobody else will come, so no port has to be agreed.
    GOSS_TRY(bootstrap::fill_random(options.id.secret.data(), options.id.secret.size()));
    return init_rank(out, options);
  }
  GOSS_TRY_ASSIGN(const int port, find_port());
  const std::string host =
      env_text(Env::kAddr).value_or(launcher_text("MASTER_ADDR").value_or("127.0.0.1"));
  GOSS_TRY(resolve(host, port, &options.id));
  GOSS_TRY_ASSIGN(const std::string secret, find_secret());
  if (secret.empty() && !is_loopback(options.id.address)) {
    GOSS_TRY_ASSIGN(const bool insecure, env_flag(Env::kInsecure, false));
    if (!insecure) {
      return fail(gossInvalidUsage,
                  "GOSS_ADDR=%s is not a loopback address and there is no secret: set "
                  "GOSS_SECRET_FILE, or GOSS_INSECURE=1 on a network that you trust",
                  host.c_str());
    }
  }
  options.id.secret = bootstrap::secret_from_text(secret);
  name_job(options.nranks, &options.id);
  if (options.rank == 0) {
    GOSS_TRY_ASSIGN(auto root, bootstrap::Root::create_at(options.id));
    Reactor::get().serve(std::make_unique<Serving>(std::move(root), options.id.job));
  }
  return init_rank(out, options);
}

Status init_all(gossComm** out, int ndev, const int* devices) {
  gossUniqueId bytes;
  JoinOptions options;
  options.nranks = ndev;
  GOSS_TRY_ASSIGN(options.settings, Settings::from(nullptr));
  GOSS_TRY(unique_id(&bytes));
  GOSS_TRY_ASSIGN(options.id, bootstrap::UniqueId::parse(bytes));
  group_start();
  Status status;
  for (int r = 0; r < ndev && status.ok(); ++r) {
    options.rank = r;
    if (devices != nullptr) options.settings.device = devices[r];
    status = init_rank(&out[r], options);
    if (!status.ok()) group_failed(status);
  }
  const bool begun = status.ok();
  status = group_end();
  if (!begun || !status.ok()) Reactor::end_serving(options.id.job);  // nobody else has this id
  return status;
}

}  // namespace goss::engine
