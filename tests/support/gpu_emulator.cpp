// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "support/gpu_emulator.h"

#include <boost/context/detail/fcontext.hpp>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace gpu_emulator {

namespace {

namespace context = boost::context::detail;

constexpr unsigned kTeam = 32;
constexpr size_t kStackBytes = 256 << 10;

// AddressSanitizer is told which stack is in use. `fake` keeps what it needs to come back; without
// one the stack that is left will never be used again.
struct Stack {
  const void* bottom = nullptr;
  size_t bytes = 0;
  void* fake = nullptr;
};
#if defined(__SANITIZE_ADDRESS__)
void before_switch(void** fake, const Stack& to) {
  __sanitizer_start_switch_fiber(fake, to.bottom, to.bytes);
}
void after_switch(void* fake, Stack* from) {
  __sanitizer_finish_switch_fiber(fake, &from->bottom, &from->bytes);
}
void forget(std::byte* memory) { __asan_unpoison_memory_region(memory, kStackBytes); }
#else
void before_switch(void**, const Stack&) {}
void after_switch(void*, Stack*) {}
void forget(std::byte*) {}
#endif

struct Wait {
  Meeting meeting;
  unsigned argument;
  int line;
  bool operator==(const Wait&) const = default;
};

std::string name_of(const Wait& wait) {
  switch (wait.meeting) {
    case Meeting::kExchange:
      return goss::format("team_exchange<%u> of line %d", wait.argument, wait.line);
    case Meeting::kValueOf: return goss::format("team_value_of of line %d", wait.line);
    case Meeting::kBallot: return goss::format("team_ballot of line %d", wait.line);
    case Meeting::kBarrier: return goss::format("gpu_barrier of line %d", wait.line);
  }
  return "";
}

enum class State { kReady, kWaiting, kLeft };

struct Fiber {
  std::unique_ptr<std::byte[]> memory;
  Stack stack;
  context::fcontext_t context = nullptr;
  State state = State::kReady;
  Wait wait = {};
};

// Threads that wait for each other. A thread may begin the next exchange while others have not read
// the values of the last one, but not the one after that: two sets of values are enough.
struct Team {
  unsigned arrived = 0;
  unsigned round = 0;
  uint64_t values[2][kTeam] = {};
};

class Machine {
 public:
  void run(unsigned blocks, unsigned threads, const std::function<void()>& kernel) {
    kernel_ = &kernel;
    threads_ = threads;
    while (fibers_.size() < threads) {
      fibers_.emplace_back().memory = std::make_unique_for_overwrite<std::byte[]>(kStackBytes);
    }
    for (block_ = 0; block_ < blocks; ++block_) run_block();
  }

  const uint64_t* meet_team(const Wait& wait, uint64_t value) {
    const unsigned first = thread_ / kTeam * kTeam;
    Team& team = teams_[thread_ / kTeam];
    uint64_t* values = team.values[team.round % 2];
    values[thread_ - first] = value;
    if (++team.arrived < kTeam) {
      wait_for_others(wait);
    } else {
      fibers_[thread_].wait = wait;
      release(first, first + kTeam);
      team.arrived = 0;
      ++team.round;
    }
    return values;
  }

  void meet_block(const Wait& wait) {
    if (++arrived_ < threads_) {
      wait_for_others(wait);
    } else {
      fibers_[thread_].wait = wait;
      arrived_ = 0;
      release(0, threads_);
    }
  }

  unsigned thread() const { return thread_; }
  unsigned block() const { return block_; }
  Order order = Order::kAscending;

 private:
  void run_block() {
    teams_.assign((threads_ + kTeam - 1) / kTeam, {});
    arrived_ = left_ = 0;
    failure_ = nullptr;
    for (unsigned i = 0; i < threads_; ++i) prepare(i);
    while (left_ < threads_) {
      bool moved = false;
      for (unsigned n = 0; n < threads_; ++n) {
        const unsigned i = order == Order::kAscending ? n : threads_ - 1 - n;
        if (fibers_[i].state != State::kReady) continue;
        resume(i);
        moved = true;
        if (failure_ != nullptr) std::rethrow_exception(failure_);
      }
      if (!moved) throw Misuse("block " + std::to_string(block_) + ": " + stuck());
    }
  }

  void prepare(unsigned i) {
    Fiber& fiber = fibers_[i];
    forget(fiber.memory.get());  // a kernel that failed was left in the middle
    // Stacks begin at different places, so that they do not share cache sets.
    const size_t bytes = kStackBytes - i % 32 * 576;
    fiber.stack = {fiber.memory.get(), bytes, nullptr};
    fiber.context = context::make_fcontext(fiber.memory.get() + bytes, bytes, &Machine::enter);
    fiber.state = State::kReady;
  }

  void resume(unsigned i) {
    thread_ = i;
    void* fake = nullptr;
    before_switch(&fake, fibers_[i].stack);
    fibers_[i].context = context::jump_fcontext(fibers_[i].context, this).fctx;
    Stack left;
    after_switch(fake, &left);
  }

  static void enter(context::transfer_t from) {
    auto* machine = static_cast<Machine*>(from.data);
    after_switch(nullptr, &machine->scheduler_stack_);
    machine->scheduler_ = from.fctx;
    machine->run_thread();
    before_switch(nullptr, machine->scheduler_stack_);
    context::jump_fcontext(machine->scheduler_, nullptr);
  }
  void run_thread() {
    try {
      (*kernel_)();
    } catch (...) {
      failure_ = std::current_exception();
    }
    fibers_[thread_].state = State::kLeft;
    ++left_;
  }

  void wait_for_others(const Wait& wait) {
    Fiber& fiber = fibers_[thread_];
    fiber.wait = wait;
    fiber.state = State::kWaiting;
    before_switch(&fiber.stack.fake, scheduler_stack_);
    scheduler_ = context::jump_fcontext(scheduler_, nullptr).fctx;
    after_switch(fiber.stack.fake, &scheduler_stack_);
  }

  // All threads of a range have arrived, the running one last.
  void release(unsigned first, unsigned end) {
    for (unsigned i = first; i < end; ++i) {
      if (fibers_[i].wait != fibers_[thread_].wait) {
        throw Misuse(goss::format("block %u: thread %u is at %s, thread %u at %s", block_, i,
                                  name_of(fibers_[i].wait).c_str(), thread_,
                                  name_of(fibers_[thread_].wait).c_str()));
      }
      fibers_[i].state = State::kReady;
    }
  }

  std::string stuck() const {
    std::string text;
    const Fiber* last = nullptr;
    for (unsigned i = 0; i < threads_; ++i) {
      const Fiber& fiber = fibers_[i];
      if (last != nullptr && last->state == fiber.state && last->wait == fiber.wait) continue;
      last = &fiber;
      text += goss::format(
          "%sthread %u %s", text.empty() ? "" : ", ", i,
          fiber.state == State::kLeft ? "has left" : ("waits at " + name_of(fiber.wait)).c_str());
      if (text.size() > 400) return text + ", ..";
    }
    return text;
  }

  const std::function<void()>* kernel_ = nullptr;
  unsigned threads_ = 0, block_ = 0, thread_ = 0;
  unsigned arrived_ = 0;  // at the block's barrier
  unsigned left_ = 0;
  std::exception_ptr failure_;
  context::fcontext_t scheduler_ = nullptr;
  Stack scheduler_stack_;
  std::vector<Fiber> fibers_;
  std::vector<Team> teams_;
};

Machine& machine() {
  static thread_local Machine one;
  return one;
}

}  // namespace

void set_order(Order order) { machine().order = order; }
void run(unsigned blocks, unsigned threads, const std::function<void()>& kernel) {
  machine().run(blocks, threads, kernel);
}
unsigned thread() { return machine().thread(); }
unsigned block() { return machine().block(); }
const uint64_t* meet_team(Meeting meeting, unsigned argument, int line, uint64_t value) {
  return machine().meet_team({meeting, argument, line}, value);
}
void meet_block(int line) { machine().meet_block({Meeting::kBarrier, 0, line}); }

}  // namespace gpu_emulator

const char* gpuGetErrorString(gpuError_t error) {
  return error == gpuSuccess ? "no error" : "out of memory";
}
gpuError_t gpuGetDeviceCount(int* count) {
  *count = 1;
  return gpuSuccess;
}
gpuError_t gpuMalloc(void** memory, size_t bytes) {
  constexpr size_t kAlignment = 256;  // of devices
  if (posix_memalign(memory, kAlignment, std::max<size_t>(bytes, 1)) != 0) return gpuErrorMemory;
  std::memset(*memory, 0xcd, bytes);
  return gpuSuccess;
}
gpuError_t gpuFree(void* memory) {
  std::free(memory);
  return gpuSuccess;
}
gpuError_t gpuMemcpy(void* to, const void* from, size_t bytes, gpuMemcpyKind) {
  if (bytes > 0) std::memcpy(to, from, bytes);
  return gpuSuccess;
}
gpuError_t gpuStreamSynchronize(gpuStream_t) { return gpuSuccess; }
