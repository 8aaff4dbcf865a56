// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include <gossamer/compression.h>

#include <cmath>
#include <map>

#include "check.h"
#include "checkpoint.h"
#include "sync.h"

namespace goss::train {

namespace {

constexpr const char* kSaved = "feedback@";  // and where the part begins: its name in a snapshot

// Sums the gradients of all ranks, as they are.
class AllReduce : public Sync {
 public:
  AllReduce(const Ranks& ranks, const Flat& flat, bool overlap)
      : flat_(flat), comm_(ranks.gradients()) {
    if (overlap) check(gossStreamCreate(&stream_), "gossStreamCreate");
    start_ = statistics();
  }
  ~AllReduce() override { gossStreamDestroy(stream_); }
  AllReduce(const AllReduce&) = delete;
  AllReduce& operator=(const AllReduce&) = delete;

  void begin(const StepPlan&, const Update& update) override { update_ = &update; }

  void post(Part part) override { reduce(part, nullptr); }

  void finish() override {
    check(wait(), "gossAllReduce", comm_);
    (*update_)({0, flat_.weights.size()});  // the same step on all ranks
  }

  double samples(const gossBatch_t& batch) const override {
    return static_cast<double>(batch.real);
  }

  SyncCounters counters() const override {
    const gossCommStats_t now = statistics();
    return {now.operations - start_.operations, now.payload_bytes - start_.payload_bytes,
            now.sent_bytes - start_.sent_bytes};
  }

 protected:
  void reduce(Part part, gossCollConfig_t* config) {
    float* data = flat_.gradient.data() + part.begin;
    check(gossAllReduceConfig(data, data, part.size(), gossFloat, gossSum, comm_, stream_, config),
          "gossAllReduce", comm_);
  }

  // For what was posted.
  gossResult_t wait() { return stream_ != nullptr ? gossStreamSynchronize(stream_) : gossSuccess; }

  Flat flat_;

 private:
  gossCommStats_t statistics() const {
    gossCommStats_t stats{};
    stats.size = sizeof stats;
    check(gossCommGetStats(comm_, &stats), "gossCommGetStats", comm_);
    return stats;
  }

  gossComm_t comm_;
  gossStream_t stream_ = nullptr;
  const Update* update_ = nullptr;
  gossCommStats_t start_{};  // making the control communicator was an operation too
};

// Sums them compressed. What a codec takes away from a part of the gradient is added to the same
// part of a later batch, which may have another size and another learning rate: so gradients travel
// in units of weights (StepPlan::unit), in which nothing is weighed anew.
class CompressedAllReduce : public AllReduce {
 public:
  CompressedAllReduce(const Ranks& ranks, const Flat& flat, bool overlap,
                      const GradientCodec& codec)
      : AllReduce(ranks, flat, overlap), codec_(codec) {}
  ~CompressedAllReduce() override {
    wait();  // after an exception; what is on its way uses the parts
    for (auto& [begin, part] : parts_) gossFeedbackDestroy(part.feedback);
  }
  CompressedAllReduce(const CompressedAllReduce&) = delete;
  CompressedAllReduce& operator=(const CompressedAllReduce&) = delete;

  void begin(const StepPlan& plan, const Update& update) override {
    AllReduce::begin(plan, update);
    plan_ = plan;
    wish_ = codec_.wish;
    if (wish_ == "adaptive") wish_ = plan.bits > 8 ? "none" : "int" + std::to_string(plan.bits);
  }

  void post(Part part) override {
    for (float& element : flat_.gradient.subspan(part.begin, part.size())) element *= plan_.unit;
    CompressedPart& mine = part_at(part.begin, part.size());
    gossCollConfig_t config = GOSS_COLL_CONFIG_INITIALIZER;
    config.codec = wish_.c_str();
    config.feedback = mine.feedback;
    config.seed = codec_.seed + part.begin;  // parts of a step are not rounded alike
    config.step = plan_.step;
    config.report = &mine.report;
    reduce(part, &config);
  }

  // The first step of a warm-up has the rate 0, and an update of 0.
  double samples(const gossBatch_t& batch) const override {
    return AllReduce::samples(batch) * (plan_.unit > 0 ? plan_.unit : 1);
  }

  double error() const override {
    double noise = 0;
    double squares = 0;
    for (const auto& [begin, part] : parts_) {
      const gossErrorReport_t& report = part.report;
      // Not compressed, all zero, or NaN somewhere.
      if (!(report.expectedNmse > 0) || !std::isfinite(report.expectedRms)) continue;
      const double here =
          report.expectedRms * report.expectedRms * static_cast<double>(report.elements);
      noise += here;
      squares += here / report.expectedNmse;
    }
    return squares > 0 ? noise / squares : 0;
  }

  void save(Snapshot& snapshot) const override {
    for (const auto& [name, bytes] : saved_) snapshot.bytes[name] = bytes;
    for (const auto& [begin, part] : parts_) {
      if (part.feedback == nullptr) continue;
      size_t size = 0;
      check(gossFeedbackSize(part.feedback, &size), "gossFeedbackSize");
      std::vector<uint8_t>& bytes = snapshot.bytes[kSaved + std::to_string(begin)];
      bytes.resize(size);
      check(gossFeedbackSave(part.feedback, bytes.data(), size), "gossFeedbackSave");
    }
  }

  void restore(const Snapshot& snapshot) override {
    for (const auto& [name, bytes] : snapshot.bytes) {
      if (name.starts_with(kSaved)) saved_[name] = bytes;
    }
  }

 private:
  struct CompressedPart {
    gossFeedback_t feedback = nullptr;
    gossErrorReport_t report{};
  };

  // The loop posts the same parts in every step; it is here that they become known.
  CompressedPart& part_at(size_t begin, size_t count) {
    const auto [found, is_new] = parts_.try_emplace(begin);
    CompressedPart& part = found->second;
    if (!is_new) return part;
    part.report.size = sizeof part.report;
    if (codec_.feedback == "none") return part;
    const gossFeedbackStorage_t storage =
        codec_.feedback == "int8" ? gossFeedbackInt8 : gossFeedbackFloat32;
    check(gossFeedbackCreate(&part.feedback, count, storage), "gossFeedbackCreate");
    const auto saved = saved_.extract(kSaved + std::to_string(begin));
    if (!saved.empty()) {
      check(gossFeedbackRestore(part.feedback, saved.mapped().data(), saved.mapped().size()),
            "gossFeedbackRestore");
    }
    return part;
  }

  GradientCodec codec_;
  StepPlan plan_;
  std::string wish_;
  std::map<size_t, CompressedPart> parts_;             // by where they begin
  std::map<std::string, std::vector<uint8_t>> saved_;  // of a checkpoint, until the part is posted
};

}  // namespace

std::unique_ptr<Sync> make_all_reduce(const Ranks& ranks, const Flat& flat, bool overlap,
                                      const GradientCodec& codec) {
  if (codec.wish == "none") return std::make_unique<AllReduce>(ranks, flat, overlap);
  if (codec.wish != "adaptive") {
    // A mistake in the wish is found now, and not when the first gradient is there.
    gossCollConfig_t config = GOSS_COLL_CONFIG_INITIALIZER;
    config.codec = codec.wish.c_str();
    check(gossAllReduceConfig(nullptr, nullptr, 0, gossFloat, gossSum, ranks.gradients(), nullptr,
                              &config),
          "--codec", ranks.gradients());
  }
  return std::make_unique<CompressedAllReduce>(ranks, flat, overlap, codec);
}

}  // namespace goss::train
