// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// goss-train. Exit codes: 0 trained, 1 an error, 2 a wrong command line, 3 stopped by SIGTERM with
// a checkpoint to go on from, 4 stopped by SIGTERM without one.
#include <csignal>
#include <cstdio>

#include "trainer.h"

namespace {

std::atomic<bool> stop_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler sets it");

void request_stop(int) { stop_requested = true; }

int train(const goss::train::Options& options) {
  using namespace goss::train;
  Ranks ranks(options.gossip);
  std::signal(SIGTERM, request_stop);
  try {
    const Splits data = load_data(options.data);
    NetworkOptions network;
    network.name = options.network;
    network.shape = data.train.shape;
    network.classes = data.train.classes;
    network.seed = options.seed;
    network.bucket_elements = options.bucket_kib * 1024 / sizeof(float);
    network.micro_batch = options.micro_batch;
    Trainer trainer(options, ranks, data, make_model(network));
    const bool complete = trainer.run(stop_requested);
    ranks.finalize();
    if (complete) return 0;
    if (!options.checkpoint.empty()) return 3;
    std::fprintf(stderr, "goss-train: rank %d: stopped; without --checkpoint nothing is kept\n",
                 ranks.first_rank());
    return 4;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "goss-train: rank %d: %s\n", ranks.first_rank(), error.what());
    std::fflush(nullptr);
    std::_Exit(1);  // MPI_Finalize would wait for ranks that go on; mpirun ends them
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::optional<goss::train::Options> options;
  try {
    options = goss::train::parse_options(argc, argv);
    if (!options) return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "goss-train: %s\nTry --help.\n", error.what());
    return 2;
  }
  try {
    return train(*options);
  } catch (const std::exception& error) {  // no communicator
    std::fprintf(stderr, "goss-train: %s\n", error.what());
    return 1;
  }
}
