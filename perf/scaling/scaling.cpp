// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// scaling: what all-reduce and gossip cost n ranks by a model of the network, as CSV. plot.py draws
// it.
//
//   scaling --latency-us 50 --bandwidth-gbs 0.125 --bytes 1M --csv model.csv
//   scaling --fit pingpong.csv --ranks 2,4,8 --ranks-per-host 4
#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <memory>

#include "scaling/algorithms.h"
#include "scaling/fit.h"

namespace {

using namespace goss::scaling;

constexpr double kBytesPerUsInGBs = 1000;

struct Arguments {
  Network network{{50, 125, 1}, {0.5, 10'000, 0.2}, 1, 10'000};  // 1 Gbit/s; shared memory
  std::string fit_file;
  std::vector<size_t> sizes{1 << 20};
  std::vector<int> ranks{2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096};
  std::vector<std::string> names;
  std::string csv_file;
};

void add_link(CLI::App& app, const std::string& prefix, const std::string& what, Link& link) {
  app.add_option("--" + prefix + "latency-us", link.latency_us, "latency " + what)
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option_function<double>(
         "--" + prefix + "bandwidth-gbs",
         [&link](double gbs) { link.bytes_per_us = gbs * kBytesPerUsInGBs; },
         "bandwidth " + what + " in GB/s [" + std::to_string(link.bytes_per_us / kBytesPerUsInGBs) +
             "]")
      ->check(CLI::PositiveNumber);
  app.add_option("--" + prefix + "overhead-us", link.overhead_us, "time of the sender per message")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
}

void add_options(CLI::App& app, Arguments& arguments) {
  add_link(app, "", "between hosts", arguments.network.remote);
  add_link(app, "local-", "inside a host", arguments.network.local);
  app.add_option("--fit", arguments.fit_file,
                 "latency and bandwidth between hosts from a file of lines \"bytes,time_us\"")
      ->check(CLI::ExistingFile);
  app.add_option_function<double>(
         "--reduce-gbs",
         [&arguments](double gbs) {
           arguments.network.reduce_bytes_per_us = gbs * kBytesPerUsInGBs;
         },
         "bytes that arithmetic reads per time, GB/s; 0: it is free [10]")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--ranks-per-host", arguments.network.ranks_per_host, "they share the host's port")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--ranks", arguments.ranks, "numbers of ranks")
      ->delimiter(',')
      ->check(CLI::Range(1, 65536));
  app.add_option("--bytes", arguments.sizes, "sizes of the model, e.g. 256K,1M")
      ->delimiter(',')
      ->transform(CLI::AsSizeValue(false));
  std::string all;
  std::vector<std::string> names;
  for (const Algorithm& a : algorithms()) {
    all += "\n  " + a.name + ": " + a.what;
    names.push_back(a.name);
  }
  app.add_option("--algorithms", arguments.names, "which of these [all]:" + all)
      ->delimiter(',')
      ->check(CLI::IsMember(names));
  app.add_option("--csv", arguments.csv_file, "where to write; standard output if not given");
}

int fit(const std::string& path, Link& link) {
  std::ifstream in(path);
  auto samples = read_samples(in);
  if (samples.ok()) {
    auto line = fit_line(samples.value());
    if (line.ok()) {
      link.latency_us = line.value().latency_us;
      link.bytes_per_us = line.value().bytes_per_us;
      link.overhead_us = 0;  // is in the measured latency
      std::fprintf(stderr, "%s: latency %.3g us, bandwidth %.4g GB/s\n", path.c_str(),
                   link.latency_us, link.bytes_per_us / kBytesPerUsInGBs);
      return 0;
    }
    std::fprintf(stderr, "%s: %s\n", path.c_str(), line.status().message().c_str());
    return 2;
  }
  std::fprintf(stderr, "%s: %s\n", path.c_str(), samples.status().message().c_str());
  return 2;
}

bool wanted(const Arguments& arguments, const std::string& name) {
  return arguments.names.empty() ||
         std::find(arguments.names.begin(), arguments.names.end(), name) != arguments.names.end();
}

void write_rows(const Arguments& arguments, std::FILE* out) {
  const Network& network = arguments.network;
  std::fprintf(out,
               "algorithm,nranks,ranks_per_host,bytes,latency_us,bandwidth_gbs,time_us,messages,"
               "sent_bytes,chunk_bytes,achieved_gbs\n");
  for (const size_t bytes : arguments.sizes) {
    for (const Algorithm& algorithm : algorithms()) {
      if (!wanted(arguments, algorithm.name)) continue;
      for (const int n : arguments.ranks) {
        if (!algorithm.applies(network, n)) continue;
        const Cost cost = algorithm.run(network, n, static_cast<double>(bytes));
        std::fprintf(out, "%s,%d,%d,%zu,%g,%g,%.6g,%.6g,%.9g,%.9g,%.6g\n", algorithm.name.c_str(),
                     n, network.ranks_per_host, bytes, network.remote.latency_us,
                     network.remote.bytes_per_us / kBytesPerUsInGBs, cost.time_us, cost.messages,
                     cost.bytes, cost.chunk_bytes(),
                     cost.achieved_bytes_per_us() / kBytesPerUsInGBs);
        std::fflush(out);
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Time, messages and bytes of all-reduce and gossip by a model of the network.");
  add_options(app, arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (!arguments.fit_file.empty()) {
    if (const int code = fit(arguments.fit_file, arguments.network.remote); code != 0) return code;
  }
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Close> file;
  if (!arguments.csv_file.empty()) {
    file.reset(std::fopen(arguments.csv_file.c_str(), "w"));
    if (!file) {
      std::fprintf(stderr, "%s: cannot be written\n", arguments.csv_file.c_str());
      return 2;
    }
  }
  write_rows(arguments, file ? file.get() : stdout);
  return 0;
}
