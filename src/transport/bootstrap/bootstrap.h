// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Bootstrap: how the ranks of a job find and authenticate each other over TCP, and the mesh of
// connections that is kept afterwards to hear of deaths.
//
//   Root       listens at the address in the unique id; gathers (rank, address) of all, tells each
//              about its neighbours, and judges failures until all are connected. Served by
//              whoever polls it (the library's thread).
//   Bootstrap  one rank's side: root, then links to rank +- 2^k (dissemination: 2 log2 n links, so
//              the mesh stays connected when ranks die, rank 0 included), then all-gathers over
//              them (Bruck, log2 n rounds).
//   Mesh       the links afterwards: floods small messages to all ranks, notices lost ones.
//
// Nothing here blocks: advance() and poll() do what can be done and return; pollfds() says what to
// wait for. A stranger who connects can neither join, stall nor crash a start-up: docs/security.md.
// Each object belongs to one thread at a time.
#pragma once

#include <poll.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "transport/bootstrap/unique_id.h"

namespace goss::bootstrap {

using Clock = std::chrono::steady_clock;

class Root {
 public:
  // Listens on the interface of GOSS_IFNAME or the first usable one, any port; fills *id.
  static Result<std::unique_ptr<Root>> create(UniqueId* id);
  // Listens at id.address (environment start). Fails with gossSystemError when it is in use.
  static Result<std::unique_ptr<Root>> create_at(const UniqueId& id);
  virtual ~Root() = default;

  virtual void poll() = 0;            // accept, read, answer; never blocks, never fails
  virtual bool finished() const = 0;  // every rank is connected, or the job has ended
  virtual void pollfds(std::vector<pollfd>* fds) const = 0;
  virtual uint64_t refused() const = 0;  // connections closed because they proved nothing
};

class Mesh {
 public:
  struct Event {
    enum class Kind {
      kMessage,  // `payload` flooded by `rank`
      kLost,     // the link to neighbour `rank` ended, its host does not answer for too long, or
                 // its death stopped the start-up of another rank; once per rank
      kLeft,     // `rank` closed its side in good order
    };
    Kind kind;
    int rank;
    std::string payload;
  };

  virtual ~Mesh() = default;  // closes the links at once, as a dying process would
  // Queue `payload` (<= 4 KiB) for every other rank; each receives it once, whatever rank dies,
  // as long as the living ones stay connected.
  virtual void flood(const std::string& payload) = 0;
  // Tell the neighbours that this rank leaves in good order. flood() and poll() may not follow,
  // except poll() until flushed().
  virtual void leave() = 0;
  virtual bool flushed() const = 0;  // all that was queued has been handed to the kernel
  // Moves bytes, sends heartbeats when they are due, appends what happened. Never blocks.
  virtual void poll(Clock::time_point now, std::vector<Event>* events) = 0;
  virtual void pollfds(std::vector<pollfd>* fds) const = 0;
};

struct Options {
  UniqueId id;
  int rank = 0;
  int nranks = 1;
  std::string hello;       // versions and settings that must be equal on all ranks
  std::string hello_text;  // the same for people; the error names both hosts and both texts
  std::chrono::milliseconds timeout{120'000};  // from create() to the last all-gather; 0 = never
  std::chrono::milliseconds heartbeat{250};
  // A link is lost when the other host's kernel does not answer for this long. It answers for a
  // stopped process, which is late and not dead.
  std::chrono::milliseconds silence{4'000};
};

class Bootstrap {
 public:
  static Result<std::unique_ptr<Bootstrap>> create(Options options);
  virtual ~Bootstrap() = default;

  // True when all ranks are connected. Fails with gossTimeout (naming missing ranks as far as
  // known), gossInvalidUsage (nranks or hello differ, rank taken), gossRemoteError,
  // gossSystemError.
  virtual Result<bool> connect() = 0;
  // All-gather of one byte string (<= 64 KiB) per rank. Call with the same `mine` until true;
  // then *all has nranks entries. Several may follow one another.
  virtual Result<bool> allgather(const std::string& mine, std::vector<std::string>* all) = 0;
  // Also call connect() again every few milliseconds: attempts pause without a descriptor.
  virtual void pollfds(std::vector<pollfd>* fds) const = 0;
  // The links, once the last all-gather is done. The Bootstrap is spent afterwards.
  virtual std::unique_ptr<Mesh> take_mesh() = 0;
  // Key shared by the ranks of this job, derived from the secret: authenticates other channels.
  virtual Secret session_key() const = 0;
};

}  // namespace goss::bootstrap
