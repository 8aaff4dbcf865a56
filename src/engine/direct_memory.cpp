// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/direct_memory.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/log.h"
#include "engine/job.h"

namespace goss::engine {

namespace {

// A rank that stores a chunk needs less than a millisecond unless it has lost its CPU.
constexpr std::chrono::milliseconds kWriterPatience{20};

}  // namespace

void DirectMemory::offer(const Communicator& comm, const Operation& operation,
                         const Program* program) {
  own_ = {};
  active_ = false;
  if (program == nullptr || comm.nranks() == 1) return;
  const size_t n = static_cast<size_t>(comm.nranks());
  input_bytes_ = operation.bytes() * (program->input_blocks ? n : 1);
  output_bytes_ = operation.bytes() * (program->output_blocks ? n : 1);
  // How many extents there are is local; how many calls were aggregated is the same on all ranks.
  active_ = operation.calls == 1 && std::max(input_bytes_, output_bytes_) >= kSmallest;
  if (!active_ || !program->publishes || !comm.compute().host_memory()) return;
  own_output_ = operation.buffer.output;
  const bool in_place = operation.buffer.input == operation.buffer.output;
  if (!in_place || !program->overwrites_input) {
    own_.input = device::find_shared(operation.buffer.input, input_bytes_);
  }
  if (!program->publishes_results) return;
  own_.output = device::find_shared(own_output_, output_bytes_);
  own_.writable = own_.output != nullptr && own_.output->can_cut_off(own_output_, output_bytes_);
  // Results that leave the caches anyway and go to peers with a shared cache: for those who copy
  // them, a copy in a cell costs less than to fetch lines of the output in order to write them.
  if (!own_.writable && !comm.far && output_bytes_ >= kStreamOutputBytes) own_.output = nullptr;
}

void DirectMemory::start(const Communicator& comm) {
  told_ = false;
  readers_ = 0;
  peers_.assign(static_cast<size_t>(comm.nranks()), Peer());
  memory_.clear();
}

Result<int> DirectMemory::announce(Communicator& comm) const {
  for (const device::SharedMemoryPtr& memory : {own_.input, own_.output}) {
    if (memory == nullptr) continue;
    GOSS_TRY_ASSIGN(const int full, comm.parts().job->announce(comm.parts().job_ranks, memory));
    if (full >= 0) return full;
  }
  return -1;
}

namespace {

// What an announcement refers to; null while it is on the way.
struct Located {
  device::SharedMemoryPtr memory;
  std::byte* address = nullptr;
  bool known() const { return memory != nullptr; }
};

Result<Located> locate(Communicator& comm, int peer, uint64_t id, uint64_t offset, size_t bytes) {
  Located located;
  GOSS_TRY_ASSIGN(located.memory, comm.parts().job->peer_memory(id));
  if (!located.known()) return located;
  const size_t held = located.memory->bytes();
  if (offset > held || bytes > held - offset) {
    return fail(gossInternalError, "rank %d announced memory out of range", peer);
  }
  located.address = located.memory->data() + offset;
  return located;
}

}  // namespace

Result<bool> DirectMemory::meet(Communicator& comm, int peer, uint64_t signature) {
  const Communicator::Placement placement = comm.placement(peer, signature);
  Located input;
  Located output;
  if (placement.input_id != 0) {
    GOSS_TRY_ASSIGN(input,
                    locate(comm, peer, placement.input_id, placement.input_offset, input_bytes_));
    if (!input.known()) return false;
  }
  if (placement.output_id != 0) {
    GOSS_TRY_ASSIGN(
        output, locate(comm, peer, placement.output_id, placement.output_offset, output_bytes_));
    if (!output.known()) return false;
  }
  peers_[static_cast<size_t>(peer)] = {input.address, output.address,
                                       placement.writable ? output.address : nullptr};
  if (!placement.writable) ++readers_;
  for (Located* located : {&input, &output}) {
    if (located->known()) memory_.push_back(std::move(located->memory));
  }
  return true;
}

DirectMemory::Writing::Writing(Communicator& comm) : comm_(comm) {
  comm.mine().writing.store(1, std::memory_order_relaxed);
  // Pairs with the fence in withdraw(): one of the two sees what the other has stored.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  allowed_ = !comm.faults().any();
}

DirectMemory::Writing::~Writing() {
  // Pairs with the acquire in withdraw(): what was stored comes before the end of storing.
  comm_.mine().writing.store(0, std::memory_order_release);
}

int DirectMemory::finish(Communicator& comm) {
  if (!std::exchange(told_, true)) {
    comm.mine().flags.direct_done.store(comm.direct_turn, std::memory_order_release);
    ring_doorbells_if_dozing(comm.segment());
  }
  if (own_.input == nullptr && own_.output == nullptr) return -1;
  for (int r = 0; r < comm.nranks(); ++r) {
    if (r == comm.rank()) continue;
    // Pairs with the store above on the other rank: it uses nothing of this one any more.
    if (comm.area(r).flags.direct_done.load(std::memory_order_acquire) < comm.direct_turn) return r;
  }
  return -1;
}

void DirectMemory::release() {
  own_ = {};
  memory_.clear();
}

void DirectMemory::withdraw(Communicator& comm) {
  if (!own_.writable) return release();
  comm.faults().raise(fail(gossRemoteError, "%s gave up", comm.name_of(comm.rank()).c_str()));
  std::atomic_thread_fence(std::memory_order_seq_cst);  // pairs with the fence in Writing
  const Job& job = *comm.parts().job;
  const auto give_up_at = Waiter::Clock::now() + kWriterPatience;
  bool cut = false;
  for (int r = 0; r < comm.nranks(); ++r) {
    const int peer = comm.parts().job_ranks[static_cast<size_t>(r)];
    const bool thread = job.same_process(job.rank(), peer);
    // Threads of this process get on; a process may have been stopped. Pairs with the release in
    // ~Writing.
    while (comm.area(r).writing.load(std::memory_order_acquire) != 0 &&
           job.dead_among({peer}) < 0) {
      if (!thread && !cut && Waiter::Clock::now() > give_up_at) cut = cut_off(comm, r);
      if (!thread && cut) break;
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  }
  release();
}

bool DirectMemory::cut_off(Communicator& comm, int peer) {
  const Status status = own_.output->cut_off(own_output_, output_bytes_);
  if (status.ok()) return true;
  if (!std::exchange(told_cut_, true)) {
    log(LogLevel::kWarn, "%s has stopped while it was storing a result, and %s",
        comm.name_of(peer).c_str(), status.message().c_str());
  }
  return false;
}

}  // namespace goss::engine
