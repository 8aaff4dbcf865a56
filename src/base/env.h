// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The one table of environment variables. Nobody else calls getenv. docs/environment.md is
// generated from this table (scripts/gen_env_doc.sh) and a test fails when it is stale.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"

namespace goss {

enum class Env {
  kAddr,
  kAlgo,
  kCodec,
  kCpuIsa,
  kDump,
  kHostId,
  kIfname,
  kInitTimeout,
  kInsecure,
  kLog,
  kLogFile,
  kModuleDir,
  kNranks,
  kPort,
  kRank,
  kSecret,
  kSecretFile,
  kStores,
  kTimeout,
  kTopologyFile,
  kTransport,
  kVerify,
  kWarnAfter,
};

struct EnvEntry {
  Env id;
  const char* name;
  const char* values;    // what may stand there
  const char* fallback;  // what holds when it is unset
  const char* help;      // one or two sentences
};

// In alphabetical order of the names.
std::span<const EnvEntry> env_table();
const char* env_name(Env id);

// The value, or nothing when unset or empty.
std::optional<std::string> env_text(Env id);
// A whole number within [low, high]; gossInvalidUsage names the variable, its value and the range.
Result<int> env_int(Env id, int fallback, int low, int high);
// 0 or 1.
Result<bool> env_flag(Env id, bool fallback);
// A duration such as "30", "30s", "1500ms", "10m", or "0"; a plain number is seconds.
Result<std::chrono::milliseconds> env_duration(Env id, std::chrono::milliseconds fallback);
// The same of a text that is not in the environment.
Result<std::chrono::milliseconds> parse_duration(Env id, const std::string& text);

// Variables that launchers set (OMPI_COMM_WORLD_RANK, SLURM_PROCID, ...), which are not ours to
// document as settings.
std::optional<std::string> launcher_text(const char* name);

// Adds variables to the environment of the process for as long as it lives, where the user has set
// none of the name: for libraries that read their settings when they are loaded. Other threads may
// read the environment meanwhile. A thread that changes it may lose its change, or keep ours.
// One thread at a time has overlays, several within one another; others wait.
class EnvOverlay {
 public:
  // "NAME=value", which outlive the overlay: string literals.
  explicit EnvOverlay(std::span<const char* const> additions);
  ~EnvOverlay();
  EnvOverlay(const EnvOverlay&) = delete;
  EnvOverlay& operator=(const EnvOverlay&) = delete;

 private:
  std::unique_lock<std::recursive_mutex> turn_;
  char** before_;
  char** during_;
};

// The table as the text of docs/environment.md.
std::string env_markdown();

}  // namespace goss
