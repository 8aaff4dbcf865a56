// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Job: the ranks of this launch, each a process, as goss-info sees them. Throws std::runtime_error.
#pragma once

#include <gossamer/gossamer.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace goss::tools {

class Job {
 public:
  Job();  // by MPI where its mpirun has started us, else by the environment
  ~Job();
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  int rank() const { return rank_; }
  int nranks() const { return nranks_; }
  // What every rank says, in rank order. Collective.
  std::vector<nlohmann::json> gather(const nlohmann::json& own);
  // Exchanges messages with everybody, and then says how. Collective.
  nlohmann::json peers();
  std::string explain(const char* collective, size_t count);

 private:
  gossComm_t comm_ = nullptr;
  int rank_ = 0;
  int nranks_ = 1;
};

}  // namespace goss::tools
