// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Nothing is left behind, however a job ends: no file, no shared memory with a name, no socket, no
// process. Other programs use this machine too, so everything is looked for by what the ranks held.
#include <fstream>
#include <set>
#include <sstream>

#include "faults/ranks.h"
#include "support/free_port.h"

namespace goss::faults {
namespace {

namespace fs = std::filesystem;

// What a running process holds that could outlive it.
struct Holdings {
  std::set<std::string> socket_inodes;
  std::set<std::string> paths;  // open or mapped, under /dev/shm or in a temporary directory
  std::set<std::string> children;

  void add(const std::string& target) {
    if (target.rfind("socket:[", 0) == 0) {
      socket_inodes.insert(target.substr(8, target.size() - 9));
    }
    for (const char* place : {"/dev/shm/", "/tmp/", "/var/tmp/", "/run/"}) {
      if (target.rfind(place, 0) == 0) paths.insert(target);
    }
  }
  void add_process(pid_t pid) {
    const fs::path proc = "/proc/" + std::to_string(pid);
    std::error_code gone;
    for (const auto& entry : fs::directory_iterator(proc / "fd", gone)) {
      add(fs::read_symlink(entry.path(), gone).string());
    }
    std::ifstream maps(proc / "maps");
    for (std::string line; std::getline(maps, line);) {
      const size_t slash = line.find('/');
      if (slash != std::string::npos) add(line.substr(slash));
    }
    for (const auto& task : fs::directory_iterator(proc / "task", gone)) {
      std::ifstream list(task.path() / "children");
      for (std::string child; list >> child;) children.insert(child);
    }
  }
};

// What the ranks hold and the test did not give them.
Holdings of_ranks(Ranks& ranks) {
  Holdings of_test;
  of_test.add_process(::getpid());
  Holdings held;
  for (int r = 0; r < ranks.size(); ++r) held.add_process(ranks.process(r).pid());
  std::erase_if(held.paths, [&](const auto& path) { return of_test.paths.count(path) != 0; });
  return held;
}

std::set<std::string> gossamer_names_in(const std::string& directory) {
  std::set<std::string> names;
  std::error_code gone;
  for (const auto& entry : fs::directory_iterator(directory, gone)) {
    const std::string name = entry.path().filename();
    if (name.find("goss") != std::string::npos && name.rfind("goss-test-", 0) != 0) {
      names.insert(name);
    }
  }
  return names;
}

// Inodes of all sockets that exist, whoever holds them.
std::set<std::string> sockets_of_the_machine() {
  std::set<std::string> inodes;
  const auto read = [&](const char* path, size_t column) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    while (std::getline(file, line)) {
      std::istringstream words(line);
      std::string word;
      for (size_t i = 0; i <= column && words >> word; ++i) {
      }
      inodes.insert(word);
    }
  };
  read("/proc/net/unix", 6);
  read("/proc/net/tcp", 9);
  read("/proc/net/tcp6", 9);
  return inodes;
}

class LeftBehindTest : public ::testing::Test {
 protected:
  LeftBehindTest() {
    // Orphans of the ranks become children of the test, which then sees them.
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  }
  ~LeftBehindTest() override { ::prctl(PR_SET_CHILD_SUBREAPER, 0); }

  // Runs a job of 3 ranks in an empty directory until all are at work, ends it by `end`, and looks.
  void run(const Ranks::Body& body, const std::function<void(Ranks&)>& end) {
    const support::TemporaryDirectory directory;
    Ranks ranks(3, [&](Rank& rank) {
      if (::chdir(directory.path().c_str()) != 0) std::exit(8);
      body(rank);
    });
    ASSERT_TRUE(ranks.all_complete(30));
    Holdings held = of_ranks(ranks);
    EXPECT_GE(held.socket_inodes.size(), 6u) << "the test does not see the sockets of the ranks";
    EXPECT_TRUE(held.children.empty()) << "the library has started a process";
    end(ranks);
    look(held, directory.path());
  }

  void look(const Holdings& held, const std::string& directory) {
    EXPECT_TRUE(fs::is_empty(directory)) << "files in the working directory";
    std::set<std::string> sockets;
    // Connections may take a moment to end.
    EXPECT_TRUE(support::eventually(kPatience, [&] {
      sockets = sockets_of_the_machine();
      for (const std::string& inode : held.socket_inodes) {
        if (sockets.count(inode) != 0) return false;
      }
      return true;
    })) << "a socket is left";
    for (const std::string& path : held.paths) {
      EXPECT_FALSE(fs::exists(path)) << path << " is left";
    }
    for (const char* place : {"/dev/shm", "/tmp"}) {
      EXPECT_EQ(gossamer_names_in(place), before_[place]) << "in " << place;
    }
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a process is left";
    EXPECT_EQ(errno, ECHILD);
  }

 private:
  std::map<std::string, std::set<std::string>> before_{{"/dev/shm", gossamer_names_in("/dev/shm")},
                                                       {"/tmp", gossamer_names_in("/tmp")}};
};

TEST_F(LeftBehindTest, AfterNormalExitThereIsNothing) {
  run(work_and_leave, [](Ranks& ranks) {
    ranks.board().last_round = ranks.report(0).rounds + 20;
    ranks.expect_clean_end(kPatience);
  });
}

TEST_F(LeftBehindTest, AfterAbortThereIsNothing) {
  run(
      [](Rank& rank) {
        if (rank.failed(rank.join())) std::exit(3);
        MixedWork work(&rank);
        if (rank.rank == 1) {
          for (uint64_t i = 0; i < 31; ++i) {
            work.round(rank.comm, i);
            rank.report.rounds = i + 1;
          }
          rank.wait_for_go(1);
        } else {
          rank.failed(work.run());
        }
        abort_and_exit(rank);
      },
      [](Ranks& ranks) {
        ranks.board().go = 1;
        ranks.expect_clean_end(kPatience);
      });
}

TEST_F(LeftBehindTest, AfterKillOfAllThereIsNothing) {
  run(work_and_leave, [](Ranks& ranks) {
    for (int r = 0; r < 3; ++r) ranks.kill(r);
    for (int r = 0; r < 3; ++r) EXPECT_TRUE(ranks.process(r).ended_within(kPatience));
  });
}

TEST_F(LeftBehindTest, AfterKillDuringInitThereIsNothing) {
  const int times = test_scale(8, 3);
  for (int i = 0; i < times; ++i) {
    const support::TemporaryDirectory directory;
    Moment moment;
    Holdings held;
    {
      Ranks ranks(3, [&](Rank& rank) {
        if (::chdir(directory.path().c_str()) != 0) std::exit(8);
        rank.failed(rank.join());
        support::sleep_for(kPatience);
      });
      moment.sleep_up_to(milliseconds(40));
      held = of_ranks(ranks);
    }
    SCOPED_TRACE("seed " + std::to_string(moment.seed()));
    look(held, directory.path());
  }
}

std::vector<pid_t> pids_in(const std::string& directory) {
  std::vector<pid_t> pids;
  std::error_code gone;
  for (const auto& entry : fs::directory_iterator(directory, gone)) {
    pids.push_back(std::atoi(entry.path().filename().c_str()));
  }
  return pids;
}

TEST_F(LeftBehindTest, AfterControlCUnderMpirunThereIsNothing) {
  const char* const kMpirun = "/usr/bin/mpirun.openmpi";
  if (::access(kMpirun, X_OK) != 0) GTEST_SKIP() << kMpirun << " is not installed";
  const support::TemporaryDirectory work;
  const support::TemporaryDirectory at_work;  // one file per rank that has done some rounds
  support::Process mpirun(
      {kMpirun, "-np", "4", "--oversubscribe", GOSS_FAULTS_WORKER, at_work.path()},
      {"OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1", "GOSS_SECRET=of this test",
       "GOSS_PORT=" + std::to_string(support::free_port())},
      [&] {
        ::setsid();  // a terminal's Ctrl-C goes to a process group
        if (::chdir(work.path().c_str()) != 0) ::_exit(8);
      });
  ASSERT_TRUE(support::eventually(
      3 * kPatience, [&] { return pids_in(at_work.path()).size() == 4 || mpirun.ended(); }));
  ASSERT_FALSE(mpirun.ended()) << "mpirun ended with " << mpirun.code();
  const std::vector<pid_t> pids = pids_in(at_work.path());
  Holdings held;
  for (const pid_t pid : pids) held.add_process(pid);
  held.paths.clear();  // those of Open MPI and of the build; names are looked at below
  EXPECT_GE(held.socket_inodes.size(), 8u);
  ::kill(-mpirun.pid(), SIGINT);
  ASSERT_TRUE(mpirun.ended_within(3 * kPatience)) << "mpirun does not end";
  for (const pid_t pid : pids) {
    EXPECT_TRUE(support::eventually(kPatience,
                                    [pid] {
                                      ::waitpid(pid, nullptr, WNOHANG);  // where it became ours
                                      return ::kill(pid, 0) != 0;
                                    }))
        << "rank with pid " << pid << " still runs";
  }
  look(held, work.path());
}

}  // namespace
}  // namespace goss::faults
