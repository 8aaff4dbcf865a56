// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "job.h"

#include <cstdlib>
#include <sstream>
#include <stdexcept>

#ifdef GOSS_TOOLS_MPI
#include <gossamer/gossamer_mpi.h>
#endif

namespace goss::tools {

using nlohmann::json;

namespace {

void must(gossResult_t code, const char* call) {
  if (code == gossSuccess) return;
  throw std::runtime_error(std::string(call) + ": " + gossGetLastError(nullptr));
}

#ifdef GOSS_TOOLS_MPI
#if defined(OPEN_MPI)
constexpr const char* kSizeVariable = "OMPI_COMM_WORLD_SIZE";
#else
constexpr const char* kSizeVariable = "PMI_SIZE";
#endif

bool join_by_mpi(gossComm_t* comm) {
  // The variables of our own start, where they are set, are meant.
  if (std::getenv(kSizeVariable) == nullptr || std::getenv("GOSS_NRANKS") != nullptr) return false;
  if (MPI_Init(nullptr, nullptr) != MPI_SUCCESS) throw std::runtime_error("MPI_Init failed");
  must(gossCommInitMpi(comm, MPI_COMM_WORLD, nullptr), "gossCommInitMpi");
  return true;
}
void leave_mpi() {
  int initialised = 0;
  MPI_Initialized(&initialised);
  if (initialised != 0) MPI_Finalize();
}
#else
bool join_by_mpi(gossComm_t*) { return false; }
void leave_mpi() {}
#endif

}  // namespace

Job::Job() {
  if (!join_by_mpi(&comm_)) must(gossCommInitEnv(&comm_, nullptr), "gossCommInitEnv");
  must(gossCommUserRank(comm_, &rank_), "gossCommUserRank");
  must(gossCommCount(comm_, &nranks_), "gossCommCount");
}

Job::~Job() {
  gossCommDestroy(comm_);
  leave_mpi();
}

std::vector<json> Job::gather(const json& own) {
  const std::string text = own.dump();
  const auto n = static_cast<size_t>(nranks_);
  std::vector<uint64_t> lengths(n);
  const uint64_t length = text.size();
  must(gossAllGather(&length, lengths.data(), 1, gossUint64, comm_, nullptr), "gossAllGather");
  std::vector<size_t> counts(lengths.begin(), lengths.end());
  std::vector<size_t> places(n);
  for (size_t r = 1; r < n; ++r) places[r] = places[r - 1] + counts[r - 1];
  std::vector<char> all(places.back() + counts.back());
  must(gossAllGatherv(text.data(), all.data(), counts.data(), places.data(), gossChar, comm_,
                      nullptr),
       "gossAllGatherv");
  std::vector<json> gathered;
  for (size_t r = 0; r < n; ++r) {
    const char* const begin = all.data() + places[r];
    gathered.push_back(json::parse(begin, begin + counts[r]));
  }
  return gathered;
}

json Job::peers() {
  const auto n = static_cast<size_t>(nranks_);
  std::vector<int32_t> to(n, rank_);
  std::vector<int32_t> from(n);
  must(gossAlltoAll(to.data(), from.data(), 1, gossInt32, comm_, nullptr), "gossAlltoAll");
  json peers = json::array();
  for (int peer = 0; peer < nranks_; ++peer) {
    std::vector<char> text(8192);
    must(gossExplainPeer(comm_, peer, text.data(), text.size()), "gossExplainPeer");
    json said{{"rank", peer}};
    std::istringstream lines(text.data());
    for (std::string line; std::getline(lines, line);) {
      const size_t colon = line.find(": ");
      if (colon != std::string::npos) said[line.substr(0, colon)] = line.substr(colon + 2);
    }
    peers.push_back(std::move(said));
  }
  return peers;
}

std::string Job::explain(const char* collective, size_t count) {
  std::vector<char> text(8192);
  must(gossExplain(comm_, collective, count, gossFloat, text.data(), text.size()), "gossExplain");
  return text.data();
}

}  // namespace goss::tools
