// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What a library could change of a process that is none of its business, to be compared.
#pragma once

#include <dirent.h>
#include <fenv.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <clocale>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>

namespace goss::support {

inline std::set<std::string> names_in(const char* directory) {
  std::set<std::string> names;
  DIR* open = ::opendir(directory);
  if (open == nullptr) return names;
  while (const dirent* entry = ::readdir(open)) {
    if (entry->d_name[0] != '.') names.insert(entry->d_name);
  }
  ::closedir(open);
  return names;
}

// The value behind "name:" in a file of /proc.
inline std::string field(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(name + ":", 0) == 0)
      return line.substr(line.find_first_not_of(" \t", name.size() + 1));
  }
  return "";
}

// Everything of a process that belongs to the application.
inline std::map<std::string, std::string> state_of_process() {
  std::map<std::string, std::string> state;
  for (const char* name : {"SigBlk", "SigIgn"}) {
    state[name] = field("/proc/thread-self/status", name);
  }
  for (int s = 1; s < NSIG; ++s) {
    struct sigaction action {};
    ::sigaction(s, nullptr, &action);
    state["handler " + std::to_string(s)] =
        std::to_string(reinterpret_cast<uintptr_t>(action.sa_handler)) + " " +
        std::to_string(action.sa_flags);
  }
  cpu_set_t cpus;
  ::sched_getaffinity(0, sizeof(cpus), &cpus);
  for (int c = 0; c < CPU_SETSIZE; ++c) state["cpus"] += CPU_ISSET(c, &cpus) ? '1' : '0';
  state["scheduler"] = std::to_string(::sched_getscheduler(0));
  state["priority"] = std::to_string(::getpriority(PRIO_PROCESS, 0));
  state["locale"] = std::setlocale(LC_ALL, nullptr);
  state["rounding"] = std::to_string(::fegetround());
  state["exceptions"] = std::to_string(::fegetexcept());
  const mode_t mask = ::umask(0);
  ::umask(mask);
  state["umask"] = std::to_string(mask);
  state["directory"] = std::filesystem::current_path();
  for (char** entry = environ; *entry != nullptr; ++entry) state["environment"] += *entry;
  return state;
}

}  // namespace goss::support
