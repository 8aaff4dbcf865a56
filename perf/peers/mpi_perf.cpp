// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The work of limit and of Gossamer's tools done by an MPI: built once with each MPI that is there,
// as openmpi_perf and mpich_perf. MPI_PERF_NAME is the name in the rows. All ranks on one host.
#include <mpi.h>

#include <cstdio>
#include <exception>
#include <optional>
#include <utility>

#include "common/buffer.h"
#include "common/harness.h"

namespace goss::perf {
namespace {

class MpiBackend {
 public:
  MpiBackend(size_t bytes, int rank, int nranks)
      : rank_(rank),
        nranks_(nranks),
        send_(Buffer::Kind::kPrivate, bytes),
        recv_(Buffer::Kind::kPrivate, bytes) {
    send_.touch();
    recv_.touch();
  }

  int rank() const { return rank_; }
  int nranks() const { return nranks_; }
  const char* name() const { return MPI_PERF_NAME; }
  const char* variant(Collective, size_t) const { return "default"; }
  float* send() const { return send_.floats(); }
  float* recv() const { return recv_.floats(); }
  void set_distance(double) {}

  void allreduce(size_t count) {
    MPI_Allreduce(send(), recv(), static_cast<int>(count), MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
  }
  void broadcast(size_t count) {
    MPI_Bcast(recv(), static_cast<int>(count), MPI_FLOAT, 0, MPI_COMM_WORLD);
  }
  void barrier() { MPI_Barrier(MPI_COMM_WORLD); }

  // `count` of a block where there are blocks.
  void other(Collective collective, size_t count) {
    const MPI_Comm world = MPI_COMM_WORLD;
    const int n = static_cast<int>(count);
    switch (collective) {
      case Collective::kReduce: MPI_Reduce(send(), recv(), n, MPI_FLOAT, MPI_SUM, 0, world); break;
      case Collective::kAllGather:
        MPI_Allgather(send(), n, MPI_FLOAT, recv(), n, MPI_FLOAT, world);
        break;
      case Collective::kReduceScatter:
        MPI_Reduce_scatter_block(send(), recv(), n, MPI_FLOAT, MPI_SUM, world);
        break;
      case Collective::kAlltoAll:
        MPI_Alltoall(send(), n, MPI_FLOAT, recv(), n, MPI_FLOAT, world);
        break;
      case Collective::kGather:
        MPI_Gather(send(), n, MPI_FLOAT, recv(), n, MPI_FLOAT, 0, world);
        break;
      case Collective::kScatter:
        MPI_Scatter(send(), n, MPI_FLOAT, recv(), n, MPI_FLOAT, 0, world);
        break;
      case Collective::kSendRecv:
        MPI_Sendrecv(send(), n, MPI_FLOAT, (rank_ + 1) % nranks_, 0, recv(), n, MPI_FLOAT,
                     (rank_ + nranks_ - 1) % nranks_, 0, world, MPI_STATUS_IGNORE);
        break;
      case Collective::kAllReduce:
      case Collective::kBroadcast:
      case Collective::kBarrier: break;  // have functions of their own
    }
  }

 private:
  int rank_, nranks_;
  Buffer send_, recv_;
};

// Rank 0 makes the page; MPI tells the others where it is.
SharedPage share_page(int rank, int nranks) {
  std::optional<SharedPage> created;
  int address[2] = {0, -1};
  if (rank == 0) {
    created.emplace(SharedPage::create());
    address[0] = created->address().pid;
    address[1] = created->address().fd;
  }
  MPI_Bcast(address, 2, MPI_INT, 0, MPI_COMM_WORLD);
  SharedPage page = rank == 0 ? std::move(*created) : SharedPage::open({address[0], address[1]});
  page.join(rank, nranks);
  MPI_Barrier(MPI_COMM_WORLD);  // rank 0 is alive until all have opened the page
  return page;
}

int run(int argc, char** argv, const Cpus& cpus) {
  int rank = 0;
  int nranks = 1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &nranks);
  PeerOptions defaults;
  defaults.all_collectives = true;
  const PeerOptions options = parse_peer_options(argc, argv, defaults);
  if (options.help) {
    if (rank == 0) print_usage(MPI_PERF_NAME "_perf", "run it with mpirun; --ranks means nothing");
    return 0;
  }
  if (nranks > kMaxRanks) throw std::runtime_error("too many ranks");
  if (options.pin) cpus.pin(rank);
  SharedPage page = share_page(rank, nranks);
  MpiBackend backend(*std::max_element(options.sizes.begin(), options.sizes.end()), rank, nranks);
  return Harness(&backend, &page, cpus, options).run() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace goss::perf

int main(int argc, char** argv) {
  int code = 2;
  try {
    const goss::perf::Cpus cpus;  // before MPI may bind the process
    MPI_Init(&argc, &argv);
    code = goss::perf::run(argc, argv, cpus);
  } catch (const std::exception& error) {
    std::fprintf(stderr, MPI_PERF_NAME "_perf: %s\n", error.what());
    MPI_Abort(MPI_COMM_WORLD, 2);
  }
  MPI_Finalize();
  return code;
}
