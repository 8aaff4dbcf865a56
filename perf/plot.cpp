// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "plot.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>

#include "table.h"

namespace goss::perf {

namespace {

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() > end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// Whether `program` is in the PATH.
bool installed(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "/usr/bin:/bin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    folder.append("/").append(program);
    if (::access(folder.c_str(), X_OK) == 0) return true;
  }
  return false;
}

// Runs a program with `input` as its standard input; no shell sees the file's name.
void run_with_input(std::vector<std::string> command, const std::string& input) {
  char name[] = "/tmp/gossamer-plot-XXXXXX";
  const int fd = ::mkostemp(name, O_CLOEXEC);
  if (fd < 0) throw Failure(std::string("--plot: no temporary file: ") + std::strerror(errno));
  ::unlink(name);
  const bool stored = ::write(fd, input.data(), input.size()) == static_cast<ssize_t>(input.size());
  ::lseek(fd, 0, SEEK_SET);
  std::vector<char*> arguments;
  for (std::string& word : command) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fd, 0);
  pid_t pid = -1;
  const int error =
      ::posix_spawnp(&pid, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  if (error == 0) {
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
  }
  ::close(fd);
  if (!stored || error != 0 || status != 0) {
    throw Failure("--plot: " + command[0] + " could not make the picture");
  }
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) throw Failure("--plot " + path + ": " + std::strerror(errno));
}

// What the rows differ in besides the size.
std::string series_name(const Row& row) {
  const Work& work = row.work;
  std::string name = type_name(work.type);
  if (work.op != kCopy) name += std::string(" ") + op_name(work.op);
  if (work.root > 0) name += " root " + std::to_string(work.root);
  if (!row.codec.empty()) name += " " + row.codec;
  return name;
}

}  // namespace

void check_plot_file(const std::string& path) {
  if (ends_with(path, ".svg")) return;
  if (!ends_with(path, ".png")) {
    throw std::invalid_argument("--plot " + path + ": expected a name that ends in .svg or .png");
  }
  if (!installed("rsvg-convert") && !installed("gnuplot")) {
    throw std::invalid_argument("--plot " + path +
                                ": a PNG needs rsvg-convert (package librsvg2-bin) or gnuplot "
                                "(package gnuplot-nox); neither is installed. SVG needs nothing");
  }
}

Figure make_figure(const std::string& title, const std::string& subtitle,
                   const std::vector<Row>& rows) {
  Figure figure{title, subtitle, {{"Time per operation", true, {}}, {"Bus bandwidth", false, {}}}};
  std::map<std::string, int> colours;
  std::map<std::string, size_t> places;
  constexpr const char* kModes[] = {"out of place", "in place"};
  for (const Row& row : rows) {
    const std::string kind = series_name(row);
    const int colour = colours.emplace(kind, static_cast<int>(colours.size())).first->second;
    for (int mode = 0; mode < 2; ++mode) {
      if (!row.halves[mode].measured) continue;
      const std::string name = kind + ", " + kModes[mode];
      const auto [place, fresh] = places.emplace(name, figure.panels[0].series.size());
      if (fresh) {
        for (Panel& panel : figure.panels) {
          panel.series.push_back({name, mode == 1, colour % kPaletteSize, {}});
        }
      }
      const auto size = static_cast<double>(row.work.bytes());
      const Half& half = row.halves[mode];
      if (size <= 0 || half.time_us <= 0) continue;
      figure.panels[0].series[place->second].points.push_back({size, half.time_us});
      figure.panels[1].series[place->second].points.push_back({size, half.bus_bw});
    }
  }
  return figure;
}

void write_plot(const std::string& path, const Figure& figure) {
  if (ends_with(path, ".svg")) {
    write_file(path, render_svg(figure));
  } else if (installed("rsvg-convert")) {
    run_with_input({"rsvg-convert", "--zoom=2", "--output", path}, render_svg(figure));
  } else {
    run_with_input({"gnuplot", "-"}, render_gnuplot(figure, path));
  }
}

// As many as there are types. The first eight are those of Okabe and Ito, which also the
// colour-blind can tell apart.
const char* palette(int colour) {
  constexpr const char* kColours[kPaletteSize] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                  "#e69f00", "#56b4e9", "#8a7f00", "#000000",
                                                  "#7a3fa0", "#8c5a2b", "#888888", "#c2185b"};
  return kColours[colour];
}

std::string size_label(double bytes) {
  constexpr const char* kUnits[] = {"", "K", "M", "G", "T"};
  int unit = 0;
  while (bytes >= 1024 && unit < 4) {
    bytes /= 1024;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof text, "%.3g%s", bytes, kUnits[unit]);
  return text;
}

}  // namespace goss::perf
