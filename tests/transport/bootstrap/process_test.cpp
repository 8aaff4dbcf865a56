// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The start-up and the mesh with real processes: many at once, killed at any moment, stopped, with
// forked children that outlive them.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <random>

#include "local_job.h"
#include "support/test_scale.h"

namespace goss::bootstrap {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = Mesh::Event::Kind;

constexpr seconds kPromise{1 * support::sanitizer_factor()};  // until all have heard of a death

// What a rank's process reports; small enough for a pipe to carry it in one piece.
struct Report {
  enum class What : int { kStarted, kFailed, kLost, kDone };
  What what;
  int rank;
  int code;
  int lost;
  Clock::time_point when;
  char message[400];
};

struct Pipe {
  int ends[2] = {-1, -1};
  Pipe() { EXPECT_EQ(::pipe(ends), 0); }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    ::close(ends[0]);
    ::close(ends[1]);
  }
};

// One job whose ranks are processes; rank 0's process holds the root.
class Processes {
 public:
  // After the start-up: leave in good order, or stay until a death; or first fork a sleeping child.
  enum class Then { kLeave, kStay, kForkAndStay };

  Processes(int nranks, Then then, milliseconds timeout = seconds(10), std::vector<int> absent = {})
      : nranks_(nranks),
        then_(then),
        timeout_(timeout * support::sanitizer_factor()),
        pids_(static_cast<size_t>(nranks), -1) {
    Pipe id_pipe;
    for (int rank = 0; rank < nranks; ++rank) {
      if (std::find(absent.begin(), absent.end(), rank) != absent.end()) continue;
      const pid_t pid = ::fork();
      if (pid == 0) child(rank, id_pipe.ends[1]);
      pids_[static_cast<size_t>(rank)] = pid;
      if (rank > 0) continue;
      EXPECT_EQ(::read(id_pipe.ends[0], &id_, sizeof(id_)), ssize_t{sizeof(id_)});
    }
  }
  Processes(const Processes&) = delete;
  Processes& operator=(const Processes&) = delete;
  ~Processes() {
    for (const pid_t pid : pids_) {
      if (pid <= 0) continue;
      ::kill(pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
    }
  }

  void signal(int rank, int number) { ::kill(pids_[static_cast<size_t>(rank)], number); }
  void kill(int rank) {
    signal(rank, SIGKILL);
    ::waitpid(pids_[static_cast<size_t>(rank)], nullptr, 0);
    pids_[static_cast<size_t>(rank)] = -1;
  }

  // `count` reports of one of the given kinds, or what came within the limit, which is longer under
  // a sanitizer.
  std::vector<Report> collect(size_t count, const std::vector<Report::What>& kinds,
                              milliseconds limit) {
    return collect_exactly(count, kinds, limit * support::sanitizer_factor());
  }
  bool silent_for(milliseconds time, Report::What kind) {
    return collect_exactly(1, {kind}, time).empty();
  }

 private:
  std::vector<Report> collect_exactly(size_t count, const std::vector<Report::What>& kinds,
                                      milliseconds limit) {
    std::vector<Report> reports;
    const auto end = Clock::now() + limit;
    while (reports.size() < count) {
      const auto left = std::chrono::duration_cast<milliseconds>(end - Clock::now()).count();
      pollfd fd{reports_.ends[0], POLLIN, 0};
      if (left <= 0 || ::poll(&fd, 1, static_cast<int>(left)) <= 0) break;
      Report report;
      if (::read(reports_.ends[0], &report, sizeof(report)) != ssize_t{sizeof(report)}) break;
      if (std::find(kinds.begin(), kinds.end(), report.what) != kinds.end()) {
        reports.push_back(report);
      }
    }
    return reports;
  }

  [[noreturn]] void child(int rank, int id_out) {
    ::alarm(60);  // never outlive a broken test
    ::setenv("GOSS_IFNAME", "lo", 1);
    std::unique_ptr<Root> root;
    if (rank == 0) {
      Result<std::unique_ptr<Root>> made = Root::create(&id_);
      if (made.ok()) root = made.take();
      (void)!::write(id_out, &id_, sizeof(id_));
    }
    const Status status = run(rank, root.get());
    if (!status.ok()) report(Report::What::kFailed, rank, -1, status);
    // A failed rank's root tells the others before it goes.
    const auto end = Clock::now() + milliseconds(300);
    while (root != nullptr && !root->finished() && Clock::now() < end) {
      root->poll();
      ::usleep(1000);
    }
    ::_exit(0);
  }

  void report(Report::What what, int rank, int lost, const Status& status) {
    Report report{what, rank, status.code(), lost, Clock::now(), {}};
    std::strncpy(report.message, status.message().c_str(), sizeof(report.message) - 1);
    (void)!::write(reports_.ends[1], &report, sizeof(report));
  }

  static void wait(const Root* root, const Bootstrap* rank, const Mesh* mesh) {
    std::vector<pollfd> fds;
    if (root != nullptr) root->pollfds(&fds);
    if (rank != nullptr) rank->pollfds(&fds);
    if (mesh != nullptr) mesh->pollfds(&fds);
    ::poll(fds.data(), fds.size(), 5);
  }

  Status run(int rank, Root* root) {
    Options options;
    options.id = id_;
    options.rank = rank;
    options.nranks = nranks_;
    options.timeout = timeout_;
    GOSS_TRY_ASSIGN(const std::unique_ptr<Bootstrap> start, Bootstrap::create(options));
    while (true) {
      if (root != nullptr) root->poll();
      GOSS_TRY_ASSIGN(const bool connected, start->connect());
      if (connected) break;
      wait(root, start.get(), nullptr);
    }
    std::vector<std::string> all;
    for (int round = 0; round < 3; ++round) {
      while (true) {
        if (root != nullptr) root->poll();
        GOSS_TRY_ASSIGN(const bool gathered, start->allgather(std::string(200, 'x'), &all));
        if (gathered) break;
        wait(root, start.get(), nullptr);
      }
    }
    if (then_ == Then::kForkAndStay && ::fork() == 0) {
      ::alarm(3);
      ::pause();
      ::_exit(0);
    }
    report(Report::What::kStarted, rank, -1, {});
    serve(rank, root, start->take_mesh().get());
    return {};
  }

  // As the engine does: the first death that a rank hears of it tells all the others.
  void serve(int rank, Root* root, Mesh* mesh) {
    std::vector<Mesh::Event> events;
    if (then_ == Then::kLeave) mesh->leave();
    int lost = -1;
    while (then_ != Then::kLeave && lost < 0) {
      if (root != nullptr) root->poll();
      mesh->poll(Clock::now(), &events);
      for (const Mesh::Event& event : events) {
        if (lost >= 0) break;
        if (event.kind == Kind::kLost) lost = event.rank;
        if (event.kind == Kind::kMessage) lost = std::atoi(event.payload.c_str());
      }
      events.clear();
      if (lost < 0) wait(root, nullptr, mesh);
    }
    if (lost >= 0) {
      mesh->flood(std::to_string(lost));
      report(Report::What::kLost, rank, lost, {});
      mesh->leave();
    }
    const auto end = Clock::now() + seconds(1);
    while (!mesh->flushed() && Clock::now() < end) mesh->poll(Clock::now(), &events);
    if (then_ == Then::kLeave) report(Report::What::kDone, rank, -1, {});
  }

  int nranks_;
  Then then_;
  milliseconds timeout_;
  UniqueId id_;
  Pipe reports_;
  std::vector<pid_t> pids_;
};

TEST(Processes, SixtyFourStartWithinFiveSeconds) {
  const int n = test_scale(64, 16);
  const auto began = Clock::now();
  Processes job(n, Processes::Then::kLeave);
  const std::vector<Report> reports = job.collect(
      static_cast<size_t>(n), {Report::What::kDone, Report::What::kFailed}, seconds(20));
  const auto took = std::chrono::duration_cast<milliseconds>(Clock::now() - began);
  ASSERT_EQ(reports.size(), static_cast<size_t>(n));
  for (const Report& report : reports) {
    EXPECT_EQ(report.what, Report::What::kDone) << report.message;
  }
  EXPECT_LT(took, seconds(5) * support::sanitizer_factor());
  std::printf("%d processes started, gathered three times and left in %lld ms\n", n,
              static_cast<long long>(took.count()));
}

// True when the report lays the blame on `victim`.
bool blames(const Report& report, int victim) {
  if (report.what == Report::What::kLost) return report.lost == victim;
  const std::string message = report.message;
  const std::string name = format("rank %d ", victim);
  if (report.code == gossRemoteError && message.find(name) != std::string::npos) return true;
  // The root was in rank 0's process. Who had not joined yet cannot know that.
  const bool root_gone = message.find("nobody listens") != std::string::npos ||
                         message.find("the process that gathered the ranks") != std::string::npos;
  if (report.code == gossRemoteError && victim == 0 && root_gone) return true;
  // Killed before it had joined: nobody heard of it.
  return report.code == gossTimeout &&
         message.find(format("rank %d (", victim)) != std::string::npos;
}

TEST(Processes, KilledAtAnyMomentOfTheStartAreNamedByAllOthers) {
  std::mt19937 random(5);
  const int rounds = test_scale(40, 8);
  int slow = 0;
  for (int round = 0; round < rounds; ++round) {
    const int n = 2 + round % 7;
    const int victim = static_cast<int>(random() % static_cast<unsigned>(n));
    Processes job(n, Processes::Then::kStay, milliseconds(1500));
    ::usleep(static_cast<useconds_t>(random() % 25'000));
    const auto killed = Clock::now();
    job.kill(victim);
    const std::vector<Report> reports = job.collect(
        static_cast<size_t>(n - 1), {Report::What::kFailed, Report::What::kLost}, seconds(4));
    std::vector<Report> others;
    EXPECT_EQ(reports.size(), static_cast<size_t>(n - 1)) << "n=" << n << " victim " << victim;
    for (const Report& report : reports) {
      EXPECT_TRUE(blames(report, victim))
          << "n=" << n << " victim " << victim << ": rank " << report.rank << " says lost "
          << report.lost << ", " << report.message;
      const bool late = report.when - killed > kPromise;
      slow += late ? 1 : 0;
      EXPECT_TRUE(!late || report.code == gossTimeout) << report.message;
    }
  }
  std::printf("%d reports came by time limit, as the victim had not joined\n", slow);
}

TEST(Processes, KilledAfterTheStartAreNamedByAllOthersWithinASecond) {
  for (int victim = 0; victim < 9; ++victim) {
    Processes job(9, Processes::Then::kStay);
    ASSERT_EQ(job.collect(9, {Report::What::kStarted}, seconds(5)).size(), 9u);
    const auto killed = Clock::now();
    job.kill(victim);
    const std::vector<Report> reports = job.collect(8, {Report::What::kLost}, seconds(2));
    EXPECT_EQ(reports.size(), 8u);
    for (const Report& report : reports) {
      EXPECT_EQ(report.lost, victim);
      EXPECT_LT(report.when - killed, kPromise);
    }
  }
}

TEST(Processes, KilledWithASleepingForkedChildAreNamedAllTheSame) {
  Processes job(4, Processes::Then::kForkAndStay);
  ASSERT_EQ(job.collect(4, {Report::What::kStarted}, seconds(5)).size(), 4u);
  job.kill(2);
  const std::vector<Report> reports = job.collect(3, {Report::What::kLost}, seconds(1));
  EXPECT_EQ(reports.size(), 3u);
  for (const Report& report : reports) EXPECT_EQ(report.lost, 2);
}

TEST(Processes, ThatNeverArriveAreNamed) {
  Processes job(4, Processes::Then::kStay, milliseconds(1500), {2});
  const std::vector<Report> reports = job.collect(3, {Report::What::kFailed}, seconds(4));
  ASSERT_EQ(reports.size(), 3u);
  for (const Report& report : reports) {
    EXPECT_EQ(report.code, gossTimeout);
    EXPECT_NE(std::strstr(report.message, "rank 2 (1 of 4)"), nullptr) << report.message;
  }
}

TEST(Processes, ThatAreStoppedAreLateAndNotDead) {
  Processes job(4, Processes::Then::kStay);
  ASSERT_EQ(job.collect(4, {Report::What::kStarted}, seconds(5)).size(), 4u);
  job.signal(1, SIGSTOP);
  EXPECT_TRUE(job.silent_for(seconds(6), Report::What::kLost));
  job.signal(1, SIGCONT);
  EXPECT_TRUE(job.silent_for(milliseconds(300), Report::What::kLost));
  job.kill(3);
  EXPECT_EQ(job.collect(3, {Report::What::kLost}, seconds(1)).size(), 3u);
}

TEST(Processes, ThatAreStoppedDuringTheStartAreLateAndNotDead) {
  Processes job(3, Processes::Then::kLeave);
  job.signal(2, SIGSTOP);
  EXPECT_TRUE(job.silent_for(seconds(1), Report::What::kFailed));
  job.signal(2, SIGCONT);
  const std::vector<Report> reports = job.collect(3, {Report::What::kDone}, seconds(3));
  EXPECT_EQ(reports.size(), 3u);
}

}  // namespace
}  // namespace goss::bootstrap
