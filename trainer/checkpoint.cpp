// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// A rank's file: 8 bytes magic, 8 bytes length of the JSON, the JSON with the names and sizes of
// what follows, these bytes, and the CRC-32 of everything before it. In this machine's byte order.
#include "checkpoint.h"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "data/dataset.h"

namespace goss::train {

namespace {

namespace fs = std::filesystem;

constexpr char kMagic[9] = "GOSSCKP1";
constexpr const char* kManifest = "manifest.json";

uint32_t checksum(std::span<const uint8_t> bytes) {
  return static_cast<uint32_t>(crc32_z(crc32_z(0, nullptr, 0), bytes.data(), bytes.size()));
}

void synchronize(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0 || fsync(file) != 0) {
    const std::string why = std::strerror(errno);
    if (file >= 0) close(file);
    throw Failure(path + ": cannot be written: " + why);
  }
  close(file);
}

// Complete on disk under its name, or not there.
void write_durably(const std::string& path, std::span<const uint8_t> bytes) {
  const std::string temporary = path + ".tmp";
  std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(bytes.data()),
            static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out) throw Failure(temporary + ": cannot be written: is the disk full?");
  synchronize(temporary);
  fs::rename(temporary, path);
  synchronize(fs::path(path).parent_path().string());
}

std::vector<uint8_t> read_all(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw Failure(path + ": cannot be opened: " + std::strerror(errno));
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

template <typename T>
void append(std::vector<uint8_t>& out, const T& value) {
  const auto* raw = reinterpret_cast<const uint8_t*>(&value);
  out.insert(out.end(), raw, raw + sizeof value);
}

}  // namespace

std::span<const uint8_t> Snapshot::sized(const std::string& name, size_t size) const {
  const auto found = bytes.find(name);
  const size_t have = found == bytes.end() ? 0 : found->second.size();
  if (have != size) {
    throw Failure("checkpoint: " + name + " has " + std::to_string(have) + " bytes, not " +
                  std::to_string(size) + ": is it of another network?");
  }
  return found == bytes.end() ? std::span<const uint8_t>{} : found->second;
}

void write_snapshot(const Snapshot& snapshot, const std::string& path) {
  nlohmann::json header = {{"values", snapshot.values}, {"bytes", nlohmann::json::array()}};
  for (const auto& [name, bytes] : snapshot.bytes) header["bytes"].push_back({name, bytes.size()});
  const std::string text = header.dump();
  std::vector<uint8_t> out(kMagic, kMagic + 8);
  append(out, uint64_t{text.size()});
  out.insert(out.end(), text.begin(), text.end());
  for (const auto& [name, bytes] : snapshot.bytes)
    out.insert(out.end(), bytes.begin(), bytes.end());
  append(out, checksum(out));
  write_durably(path, out);
}

Snapshot read_snapshot(const std::string& path) {
  const std::vector<uint8_t> all = read_all(path);
  const auto refuse = [&](const char* why) { throw Failure(path + ": " + why); };
  if (all.size() < 20) refuse("is truncated");
  if (!std::equal(kMagic, kMagic + 8, all.begin())) {
    refuse("is no checkpoint of this version of goss-train");
  }
  uint32_t sum = 0;
  std::memcpy(&sum, &all[all.size() - 4], 4);
  const std::span body(all.data(), all.size() - 4);
  if (checksum(body) != sum) refuse("is damaged: its checksum is wrong");
  uint64_t length = 0;
  std::memcpy(&length, &all[8], 8);
  const auto header = nlohmann::json::parse(body.subspan(16, length));
  Snapshot snapshot;
  snapshot.values = header.at("values");
  size_t at = 16 + length;
  for (const auto& entry : header.at("bytes")) {
    const size_t size = entry.at(1);
    const auto part = body.subspan(at, size);
    snapshot.bytes[entry.at(0)].assign(part.begin(), part.end());
    at += size;
  }
  return snapshot;
}

Checkpoints::Checkpoints(const std::string& folder, Ranks& ranks) : folder_(folder), ranks_(ranks) {
  fs::create_directories(folder);
}

std::string Checkpoints::folder_of(uint64_t step) const {
  char name[32];
  std::snprintf(name, sizeof name, "step-%012llu", static_cast<unsigned long long>(step));
  return (fs::path(folder_) / name).string();
}

void Checkpoints::save(uint64_t step, const std::function<Snapshot()>& snapshot) {
  const fs::path folder = folder_of(step);
  int written = 0;  // files
  ranks_.gather({}, [&](std::span<float>) {
    fs::create_directories(folder);
    write_snapshot(snapshot(), (folder / ("rank-" + std::to_string(ranks_.rank()))).string());
    written = ranks_.count();
  });
  // When rank 0 dies here there is no manifest: this one was begun and not completed.
  if (ranks_.rank() == 0) {
    const nlohmann::json manifest = {{"step", step}, {"ranks", written}};
    const std::string text = manifest.dump() + "\n";
    write_durably((folder / kManifest).string(),
                  {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
    remove_old(step);
  }
  ranks_.max(0);  // nobody goes on before it is complete
}

bool Checkpoints::any() const { return ranks_.max(complete_steps().empty() ? 0 : 1) != 0; }

std::vector<uint64_t> Checkpoints::complete_steps() const {
  std::vector<uint64_t> steps;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    unsigned long long step = 0;
    if (std::sscanf(entry.path().filename().c_str(), "step-%llu", &step) == 1 &&
        fs::exists(entry.path() / kManifest)) {
      steps.push_back(step);
    }
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

// Keeps the newest and the one before it, and nothing that was begun and not completed.
void Checkpoints::remove_old(uint64_t newest) const {
  std::vector<uint64_t> steps = complete_steps();
  const auto previous = std::lower_bound(steps.begin(), steps.end(), newest);
  const uint64_t keep = previous == steps.begin() ? newest : *(previous - 1);
  for (const auto& entry : fs::directory_iterator(folder_)) {
    unsigned long long step = 0;
    if (std::sscanf(entry.path().filename().c_str(), "step-%llu", &step) == 1 && step != newest &&
        step != keep) {
      fs::remove_all(entry.path());
    }
  }
}

std::optional<Snapshot> Checkpoints::load() const {
  std::vector<uint64_t> steps = complete_steps();
  std::string failure;
  // Newest first, all ranks together; -1 where a rank sees no more.
  for (;;) {
    const int64_t mine = steps.empty() ? -1 : static_cast<int64_t>(steps.back());
    const int64_t step = ranks_.max(mine);
    if (step < 0) break;
    const fs::path folder = folder_of(static_cast<uint64_t>(step));
    std::optional<Snapshot> snapshot;
    try {
      const auto manifest = nlohmann::json::parse(read_all((folder / kManifest).string()));
      if (manifest.at("ranks") != ranks_.count()) {
        failure = folder.string() + " is of " + manifest.at("ranks").dump() +
                  " ranks, this run has " + std::to_string(ranks_.count()) +
                  ": start as many, or without --resume";
      } else {
        snapshot = read_snapshot((folder / ("rank-" + std::to_string(ranks_.rank()))).string());
      }
    } catch (const std::exception& error) {
      failure = error.what();
    }
    if (ranks_.min(snapshot.has_value()) == 1) return snapshot;
    if (mine == step) steps.pop_back();
  }
  if (ranks_.max(!failure.empty()) != 0) {
    throw Failure(failure.empty() ? "another rank has no good checkpoint" : failure);
  }
  return std::nullopt;
}

}  // namespace goss::train
