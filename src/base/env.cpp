// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "base/env.h"

#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

namespace goss {

namespace {

constexpr EnvEntry kTable[] = {
    {Env::kAddr, "GOSS_ADDR", "host or address", "MASTER_ADDR, else 127.0.0.1",
     "Where rank 0 listens when a communicator is made from the environment."},
    {Env::kAlgo, "GOSS_ALGO",
     "auto, inline, oneshot, twoshot; between hosts also flat, ring, doubling, halving, binomial, "
     "bruck, pairwise",
     "auto",
     "Forces the algorithm of the collectives that have one of this name. Must be equal on all "
     "ranks."},
    {Env::kCodec, "GOSS_CODEC", "`[collective:]codec[/codec][+option..][@low-high], ..`", "none",
     "Which calls on floating-point data are compressed, and how: docs/compression.md. The first "
     "rule "
     "that fits holds; without a range it begins at 64K. Must be equal on all ranks."},
    {Env::kCpuIsa, "GOSS_CPU_ISA", "auto, scalar, avx2, avx512", "auto",
     "The most capable instruction set that kernels may use. Results do not depend on it."},
    {Env::kDump, "GOSS_DUMP", "path prefix", "unset",
     "When an operation fails, the last 64 operations of the communicator are written to "
     "`<prefix>.<pid>.<rank>` and as a warning to the log."},
    {Env::kHostId, "GOSS_HOSTID", "any text", "the id of the host's boot",
     "What tells hosts apart: ranks with different values do not share memory even on one host."},
    {Env::kIfname, "GOSS_IFNAME", "interface name",
     "rank: the one that reaches the root; unique id: first that is up, IPv4 first, bridges of "
     "containers late, loopback last",
     "The network interface whose address others are told to connect to."},
    {Env::kInitTimeout, "GOSS_INIT_TIMEOUT", "duration", "120s",
     "How long initialisation waits for the other ranks; 0 waits for ever."},
    {Env::kInsecure, "GOSS_INSECURE", "0, 1", "0",
     "1 allows the environment start beyond loopback without a secret."},
    {Env::kLog, "GOSS_LOG", "none, error, warn, info, debug", "warn",
     "What is written to the log. `info` adds one line per communicator, and failures with the "
     "operations before them."},
    {Env::kLogFile, "GOSS_LOG_FILE", "path; %h host, %p process", "standard error",
     "Where the log goes."},
    {Env::kModuleDir, "GOSS_MODULE_DIR", "path", "`gossamer` beside the library",
     "Folder of the module `libgossamer_ucx.so`, which is loaded when ranks exchange messages "
     "over a network."},
    {Env::kNranks, "GOSS_NRANKS", "1..65536", "from the launcher, else 1",
     "Number of ranks of the environment start; this version connects at most 1,024. Needs "
     "GOSS_RANK."},
    {Env::kPort, "GOSS_PORT", "1..65535", "MASTER_PORT + 1, else 29511",
     "Port on which rank 0 listens for the environment start. Jobs that run at once on one host "
     "need "
     "a port each; those of different launchers or secrets are told apart if they meet."},
    {Env::kRank, "GOSS_RANK", "0..GOSS_NRANKS-1", "from the launcher, else 0",
     "This rank of the environment start. Needs GOSS_NRANKS. Without both, the first complete pair "
     "of RANK and WORLD_SIZE (torchrun), OMPI_COMM_WORLD_RANK and _SIZE, PMI_RANK and PMI_SIZE, "
     "SLURM_PROCID and SLURM_NTASKS counts."},
    {Env::kSecret, "GOSS_SECRET", "text", "unset",
     "Secret of the environment start, equal on all ranks. Other users of the machine may see a "
     "process's environment: prefer GOSS_SECRET_FILE."},
    {Env::kSecretFile, "GOSS_SECRET_FILE", "path", "unset",
     "File that holds the secret. Must not be readable by others."},
    {Env::kStores, "GOSS_STORES", "auto, cached, stream", "auto",
     "How a rank writes what others read next: through the caches, or past them as is best when "
     "the "
     "CPUs share none. auto measures the distance. Local; changes no result."},
    {Env::kTimeout, "GOSS_TIMEOUT", "duration", "600s",
     "How long an operation waits for a rank before it fails; 0 waits for ever."},
    {Env::kTopologyFile, "GOSS_TOPOLOGY_FILE", "path", "unset: this machine",
     "What hosts are made of is read from this file, which lstopo of hwloc 2 has written "
     "(`lstopo machine.xml`)."},
    {Env::kTransport, "GOSS_TRANSPORT", "auto, shm, ucx", "auto",
     "How ranks reach each other: auto by shared memory on one host and by UCX between hosts, shm "
     "by shared memory only, ucx by UCX also on one host. Must be equal on all ranks."},
    {Env::kVerify, "GOSS_VERIFY", "0, 1", "0",
     "After every all-reduce, all-gather and broadcast on host memory the ranks compare hashes of "
     "their results; a difference is gossInternalError and names the ranks. The comparison is an "
     "operation with a number of its own, which stochastic rounding without a step follows. Must "
     "be equal on all ranks."},
    {Env::kWarnAfter, "GOSS_WARN_AFTER", "duration", "30s",
     "How long an operation waits before a warning names the missing rank; repeated with "
     "doubled intervals."},
};

Status bad_value(Env id, const std::string& value, const char* expected) {
  return fail(gossInvalidUsage, "%s=%s: expected %s", env_name(id), value.c_str(), expected);
}

}  // namespace

std::span<const EnvEntry> env_table() { return kTable; }

const char* env_name(Env id) {
  for (const EnvEntry& entry : kTable) {
    if (entry.id == id) return entry.name;
  }
  GOSS_ASSERT(false, "an environment variable is missing from the table");
  return "";
}

std::optional<std::string> env_text(Env id) { return launcher_text(env_name(id)); }

std::optional<std::string> launcher_text(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return std::string(value);
}

Result<int> env_int(Env id, int fallback, int low, int high) {
  const std::optional<std::string> text = env_text(id);
  if (!text) return fallback;
  char* end = nullptr;
  errno = 0;
  const long value = std::strtol(text->c_str(), &end, 10);
  if (errno != 0 || *end != '\0' || value < low || value > high) {
    return bad_value(id, *text, format("a whole number from %d to %d", low, high).c_str());
  }
  return static_cast<int>(value);
}

Result<bool> env_flag(Env id, bool fallback) {
  GOSS_TRY_ASSIGN(const int value, env_int(id, fallback ? 1 : 0, 0, 1));
  return value == 1;
}

Result<std::chrono::milliseconds> env_duration(Env id, std::chrono::milliseconds fallback) {
  const std::optional<std::string> text = env_text(id);
  if (!text) return fallback;
  return parse_duration(id, *text);
}

Result<std::chrono::milliseconds> parse_duration(Env id, const std::string& text) {
  // Not strtod, which expects the decimal sign of the application's locale.
  double value = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, value);
  const std::string_view unit(end, static_cast<size_t>(last - end));
  double factor = 0;
  if (unit.empty() || unit == "s") factor = 1000;
  if (unit == "ms") factor = 1;
  if (unit == "m") factor = 60'000;
  constexpr double kDay = 86'400'000;
  if (error != std::errc() || factor == 0 || !(value >= 0) || value * factor > 30 * kDay) {
    return bad_value(id, text, "a duration such as 30s, 1500ms, 10m or 0");
  }
  return std::chrono::milliseconds(static_cast<long long>(value * factor));
}

namespace {

// Never freed: other threads may still be reading it.
char** make_environment(size_t entries) {
  struct Kept {
    std::mutex mutex;
    std::vector<std::unique_ptr<char*[]>> arrays;
  };
  static Kept* const kept = new Kept;
  const std::lock_guard lock(kept->mutex);
  return kept->arrays.emplace_back(new char*[entries + 1]).get();
}

// Overlays of two threads could not be taken away in the order in which they came.
std::recursive_mutex& overlay_turn() {
  static std::recursive_mutex* const mutex = new std::recursive_mutex;
  return *mutex;
}

}  // namespace

// One store of a pointer: a reader sees the one environment or the other.
EnvOverlay::EnvOverlay(std::span<const char* const> additions)
    : turn_(overlay_turn()), before_(environ) {
  size_t count = 0;
  while (before_ != nullptr && before_[count] != nullptr) ++count;
  char** at = during_ = make_environment(count + additions.size());
  for (size_t i = 0; i < count; ++i) *at++ = before_[i];
  for (const char* const addition : additions) {
    const std::string name(addition, std::strcspn(addition, "="));
    if (std::getenv(name.c_str()) == nullptr) *at++ = const_cast<char*>(addition);
  }
  *at = nullptr;
  environ = during_;
}

EnvOverlay::~EnvOverlay() {
  if (environ == during_) environ = before_;
}

std::string env_markdown() {
  std::string text =
      "# Environment variables\n\n"
      "Generated from the table in `src/base/env.cpp` by `scripts/gen_env_doc.sh`; a test fails "
      "when it is stale.\nDurations are written `30s`, `1500ms`, `10m`; a plain number is "
      "seconds.\n\n| name | values | default | meaning |\n|---|---|---|---|\n";
  for (const EnvEntry& entry : kTable) {
    text +=
        format("| `%s` | %s | %s | %s |\n", entry.name, entry.values, entry.fallback, entry.help);
  }
  return text;
}

}  // namespace goss
