// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "json.h"

#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

namespace goss::perf {

namespace {

using Json = nlohmann::ordered_json;

constexpr int kLayoutVersion = 2;  // of nccl-tests

// nccl-tests writes truth as text.
Json truth(bool value) { return value ? "true" : "false"; }

Json number(double value) { return std::isnan(value) ? Json("nan") : Json(value); }

// Settings that explain a result, and never a secret: the file is made to be passed on.
Json environment() {
  Json list = Json::array();
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const bool ours = text.rfind("GOSS_", 0) == 0 || text.rfind("NCCL_", 0) == 0;
    if (ours && text.rfind("GOSS_SECRET", 0) != 0) list.push_back(text);
  }
  return list;
}

Json per_iter(const Timing& timing) {
  const Statistics& s = *timing.stats;
  Json json = {{"min_us", s.min * 1e6},         {"max_us", s.max * 1e6},
               {"avg_us", s.average * 1e6},     {"p50_us", s.p50 * 1e6},
               {"p95_us", s.p95 * 1e6},         {"p99_us", s.p99 * 1e6},
               {"stdev_us", s.deviation * 1e6}, {"cv_pct", s.variation_percent()}};
  Json times = Json::array();
  for (const double t : timing.per_iter) times.push_back(t * 1e6);
  json["times_us"] = std::move(times);
  return json;
}

Json half_json(const Options& options, const Half& half) {
  Json json;
  const char* time = options.report_cputime ? "cpu_time" : "time";
  if (!half.measured) {
    for (const char* key : {time, "alg_bw", "bus_bw", "nwrong"}) json[key] = nullptr;
    return json;
  }
  json[time] = number(half.time_us);
  json["alg_bw"] = number(half.alg_bw);
  json["bus_bw"] = number(half.bus_bw);
  json["nwrong"] = half.wrong ? Json(static_cast<double>(*half.wrong)) : Json(nullptr);
  json["operations"] = half.timing.operations;
  if (half.timing.stats) {
    json["p50"] = half.timing.stats->p50 * 1e6;
    json["p99"] = half.timing.stats->p99 * 1e6;
  }
  if (options.block_ms > 0) {
    const Statistics blocks = summarise(half.timing.blocks);
    json["blocks"] = {{"count", half.timing.blocks.size()},
                      {"min_us", blocks.min * 1e6},
                      {"p50_us", half.timing.seconds * 1e6},
                      {"p99_us", blocks.p99 * 1e6}};
  }
  return json;
}

Json overlap_json(const Overlap& o) {
  return {{"collective_us", o.collective_s * 1e6},
          {"computing_us", o.computing_s * 1e6},
          {"both_us", o.both_s * 1e6},
          {"computing_beside_us", o.computing_beside_s * 1e6},
          {"hidden", o.hidden()},
          {"slowdown", o.slowdown()}};
}

// Makes the file without overwriting one; the path that was free in *path.
FILE* claim(std::string* path) {
  const std::string wanted = *path;
  for (int i = 0;; ++i) {
    FILE* file = std::fopen(path->c_str(), "wx");
    if (file != nullptr) return file;
    if (errno != EEXIST) {
      throw Failure("-J " + wanted + ": " + std::strerror(errno));
    }
    *path = wanted + "." + std::to_string(i);
  }
}

}  // namespace

struct JsonFile::Document {
  Json root = Json::object();
  FILE* file = nullptr;
};

JsonFile::JsonFile(const std::string& path, const Options& options)
    : document_(std::make_unique<Document>()) {
  std::string free_path = path;
  document_->file = claim(&free_path);
  std::printf("# Writing JSON output to %s\n", free_path.c_str());
  int library = 0;
  gossGetVersion(&library);
  Json& root = document_->root;
  root["version"] = kLayoutVersion;
  root["start_time"] = time_of_day();
  root["args"] = options.arguments;
  root["env"] = environment();
  root["nccl_version"] = library;  // the place where readers look for the library's version
  root["gossamer_version"] = library;
}

JsonFile::~JsonFile() {
  bool written = false;
  try {
    Json& root = document_->root;
    root["end_time"] = time_of_day();
    // Names of hosts and processors may hold any bytes.
    const std::string text = root.dump(1, ' ', false, Json::error_handler_t::replace);
    written = std::fwrite(text.data(), 1, text.size(), document_->file) == text.size() &&
              std::fputc('\n', document_->file) != EOF;
  } catch (const std::exception&) {
    errno = ENOMEM;  // what else could be wrong with a document that has been built
  }
  if (std::fclose(document_->file) != 0 || !written) {
    std::fprintf(stderr, "the JSON file could not be written: %s\n", std::strerror(errno));
  }
}

void JsonFile::add_config(const Options& options, const std::vector<RankInfo>& ranks) {
  Json config = {{"nthreads", options.threads},
                 {"ngpus", options.ranks_per_thread},
                 {"minimum_bytes", options.min_bytes},
                 {"maximum_bytes", options.max_bytes}};
  if (options.step_factor > 1) {
    config["step_factor"] = options.step_factor;
  } else {
    config["step_bytes"] = options.step_bytes;
  }
  config["warmup_iters"] = options.warmup_iters;
  config["iterations"] = options.iters;
  config["aggregated_iterations"] = options.agg_iters;
  config["validation"] = options.check;
  config["graph"] = 0;
  config["blocking_collectives"] = truth(options.blocking != 0);
  config["per_iter_timing"] = truth(options.per_iter_timing);
  config["per_iter_skip"] = options.per_iter_skip;
  config["parallel_init"] = truth(options.parallel_init);
  config["nranks"] = ranks.size();
  config["procs"] = ranks.size() / static_cast<size_t>(options.ranks_per_process());
  config["stream"] = truth(options.stream);
  config["registered"] = truth(options.local_register != 0);
  config["rewrite"] = truth(options.rewrite);
  config["block_ms"] = options.block_ms;
  config["reps"] = options.reps;
  config["vary_count"] = truth(options.vary_count);
  Json devices = Json::array();
  for (const RankInfo& info : ranks) {
    devices.push_back({{"rank", info.rank},
                       {"group", info.group},
                       {"pid", info.pid},
                       {"hostname", info.host},
                       {"device", GOSS_DEVICE_HOST},
                       {"device_hex", "0000:00:00"},
                       {"device_info", info.device},
                       {"cpu", info.cpu}});
  }
  config["devices"] = std::move(devices);
  document_->root["config"] = std::move(config);
  document_->root["results"] = Json::array();
}

void JsonFile::add_row(const Options& options, const Row& row, const char* program) {
  char root_text[16];
  std::snprintf(root_text, sizeof root_text, "%6i", row.work.root);  // as in the table
  Json json = {{"size", row.work.bytes()},
               {"count", row.work.count},
               {"type", type_name(row.work.type)},
               {"redop", op_name(row.work.op)},
               {"root", root_text}};
  if (!row.codec.empty()) json["codec"] = row.codec;
  constexpr const char* kNames[] = {"out_of_place", "in_place"};
  for (int i = 0; i < 2; ++i) {
    const Half& half = row.halves[i];
    json[kNames[i]] = half_json(options, half);
    if (half.timing.stats) json[std::string(kNames[i]) + "_per_iter"] = per_iter(half.timing);
    const gossErrorReport_t& report = half.compression.report;
    if (report.codec[0] == '\0') continue;
    json[std::string(kNames[i]) + "_compression"] = {
        {"codec", report.codec},
        {"algorithm", report.algorithm},
        {"wire_bytes", report.sentBytes},
        {"plain_bytes", report.plainBytes},
        {"bound", number(report.bound)},
        {"expected_rms", number(report.expectedRms)},
        {"max_error", number(half.compression.largest_error)},
        {"nmse", number(half.compression.nmse())}};
  }
  if (row.overlap) json["overlap"] = overlap_json(*row.overlap);
  json["actual_iterations"] = options.iters;
  json["experiment_name"] = program;
  document_->root["results"].push_back(std::move(json));
}

void JsonFile::add_footer(const Footer& footer) {
  document_->root["out_of_bounds"] = {{"count", footer.failed_checks},
                                      {"okay", truth(footer.failed_checks == 0)}};
  document_->root["average_bus_bandwidth"] = {
      {"bandwidth", number(footer.average_bus_bw)},
      {"okay", footer.minimum_bus_bw ? truth(footer.bandwidth_good()) : Json("unchecked")}};
  document_->root["errors"] = Json::array();
}

void JsonFile::add_error(const std::string& text) { document_->root["errors"].push_back(text); }

}  // namespace goss::perf
