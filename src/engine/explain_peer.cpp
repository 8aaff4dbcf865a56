// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include <algorithm>

#include "engine/calls.h"
#include "engine/job.h"
#include "engine/reach.h"
#include "engine/span.h"
#include "topology/placement.h"
#include "topology/read.h"

namespace goss::engine {

namespace {

using topology::CpuSet;
using topology::Machine;

// What the CPUs of two ranks of this host have in common.
std::string shared_by(const Machine& machine, const Member& a, const Member& b) {
  const CpuSet both = CpuSet::from_mask(a.cpus) | CpuSet::from_mask(b.cpus);
  const std::string common = describe(machine, topology::common(machine, both));
  const bool anywhere = both.includes(machine.cpus) && machine.cpus.count() > 1;
  return common + (anywhere ? " (not bound to CPUs)" : "");
}

std::string why_no_memory(const Communicator& comm, const Member& here, const Member& there) {
  if (comm.settings().transport == Transport::kMessages) {
    return "GOSS_TRANSPORT=ucx keeps shared memory out";
  }
  return format("the hosts have different ids (%s and %s), so the ranks share no memory",
                here.host_id.c_str(), there.host_id.c_str());
}

// Of what UCX uses to reach a rank.
bool is_tcp(const std::string& lanes) { return lanes.compare(0, 4, "tcp/") == 0; }

std::string why_this_network(const std::string& lanes, const Machine& machine) {
  std::string rdma;
  for (const topology::Device& adapter : machine.adapters) {
    if (adapter.rdma) rdma += (rdma.empty() ? "" : ", ") + adapter.name();
  }
  if (!is_tcp(lanes)) return "";
  if (rdma.empty()) return "; TCP because this host has no RDMA adapter";
  return "; TCP although this host has " + rdma +
         ": see UCX_TLS and UCX_NET_DEVICES, and `ucx_info -d` on both hosts";
}

}  // namespace

std::string explain_peer(gossComm* handle, int peer) {
  const Communicator& comm = *handle->comm;
  const Job& job = *comm.parts().job;
  const auto job_rank = [&](int r) { return comm.parts().job_ranks[static_cast<size_t>(r)]; };
  const Member& here = job.member(job_rank(comm.rank()));
  const Member& there = job.member(job_rank(peer));
  std::string text =
      format("peer: rank %d on host %s, pid %d\n", peer, there.host.c_str(), there.pid);
  if (peer == comm.rank()) return text + "by: nothing\nwhy: it is this rank itself\n";
  const Result<const Machine*> machine = topology::this_machine();
  if (!comm.remote(peer)) {
    const bool process = job.same_process(job_rank(comm.rank()), job_rank(peer));
    text += format("by: shared memory\nover: %s\nshares: %s\n",
                   process ? "the memory of one process" : "a segment of memory on one host",
                   machine.ok() ? shared_by(*machine.value(), here, there).c_str()
                                : machine.status().message().c_str());
    return text + "why: nothing is faster between buffers in the memory of a host\n";
  }
  const std::string lanes = comm.span()->messenger()->describe(job_rank(peer));
  return text + format("by: messages\nover: %s\nwhy: %s%s\n",
                       lanes.empty() ? "UCX, not connected yet" : ("UCX, " + lanes).c_str(),
                       why_no_memory(comm, here, there).c_str(),
                       machine.ok() ? why_this_network(lanes, *machine.value()).c_str() : "");
}

}  // namespace goss::engine
