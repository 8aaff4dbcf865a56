// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "options.h"

#include <gossamer/compression.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

namespace goss::train {

namespace {

const std::map<std::string, gossBatchMode_t> kModes = {
    {"fixed", gossBatchFixed},         {"adaptive", gossBatchAdaptive},
    {"sizes-random", gossBatchRandom}, {"reversed", gossBatchReversed},
    {"sorted", gossBatchSorted},       {"growth", gossBatchGrowth},
    {"infobatch", gossBatchInfoBatch}};
const std::map<std::string, gossLrRule_t> kLrRules = {
    {"linear", gossLrLinear}, {"sqrt", gossLrSqrt}, {"constant", gossLrConstant}};
const std::map<std::string, gossPrecisionRule_t> kPrecisionRules = {
    {"combined", gossPrecisionCombined},
    {"level", gossPrecisionLevel},
    {"flatness", gossPrecisionFlatness},
    {"epochs", gossPrecisionEpochs}};

const std::map<std::string, Options::Bounds> kBounds = {{"off", Options::Bounds::kOff},
                                                        {"measure", Options::Bounds::kMeasure},
                                                        {"apply", Options::Bounds::kApply}};
const std::map<std::string, gossGossipTopology_t> kTopologies = {
    {"hypercube", gossHypercube}, {"dissemination", gossDissemination},
    {"random", gossRandomPair},   {"ring", gossRing},
    {"radix", gossMixedRadix},    {"fold", gossFold}};
const std::map<std::string, gossGossipCompression_t> kCompressions = {
    {"none", gossGossipFull}, {"modulo", gossGossipModulo}, {"edge", gossGossipEdgeDifference}};
const std::map<std::string, MixOrder> kOrders = {{"cta", MixOrder::kCombineThenAdapt},
                                                 {"atc", MixOrder::kAdaptThenCombine},
                                                 {"layerwise", MixOrder::kLayerwise}};

// Flags as written, before they are translated.
struct Raw {
  std::string mode = "adaptive";
  std::string lr_rule = "linear";
  std::string schedule = "cosine";
  std::string bounds = "off";
  std::string precision = "off";
  std::string sync = "allreduce";
  std::string topology = "hypercube";
  std::string compression = "none";
  std::string order = "atc";
  std::vector<int> batches = {32, 64, 256};
  std::vector<double> shares = {.25, .25, .5};
};

template <typename Map>
std::vector<std::string> names_of(const Map& map, std::vector<std::string> names = {}) {
  for (const auto& entry : map) names.push_back(entry.first);
  return names;
}

void add_data_flags(CLI::App& app, Options& o) {
  const std::string group = "Data";
  app.add_option("--data", o.data.name,
                 "generated: glyphs (digits), glyphs47, textures; files: idx, cifar10, cifar100")
      ->check(CLI::IsMember({"glyphs", "glyphs47", "textures", "idx", "cifar10", "cifar100"}))
      ->group(group);
  app.add_option("--data-folder", o.data.folder, "where the files are")->group(group);
  app.add_option("--data-cache", o.data.cache, "keep generated data here, as IDX files")
      ->group(group);
  app.add_option("--data-seed", o.data.seed, "of generated data and of label noise")->group(group);
  app.add_option("--train", o.data.train, "training samples; 0: all (files)")->group(group);
  app.add_option("--validation", o.data.validation, "samples held out of them")
      ->check(CLI::Range(1u, 1u << 30))
      ->group(group);
  app.add_option("--test", o.data.test, "test samples; 0: all (files)")->group(group);
  app.add_option("--label-noise", o.data.label_noise, "share of wrong training labels")
      ->check(CLI::Range(0.0, 1.0))
      ->group(group);
}

void add_training_flags(CLI::App& app, Options& o, Raw& raw) {
  const std::string group = "Training";
  app.add_option("--network", o.network, "mlp, lenet, lenet-large, cnn, resnet8")->group(group);
  app.add_option("--seed", o.seed, "of initial weights and order of samples")->group(group);
  app.add_option("--epochs", o.epochs)->check(CLI::Range(1, 1 << 20))->group(group);
  app.add_option("--lr", o.schedule.rate, "learning rate of the reference batch")
      ->check(CLI::PositiveNumber)
      ->group(group);
  app.add_option("--lr-rule", raw.lr_rule, "how it follows the batch")
      ->check(CLI::IsMember(names_of(kLrRules, {"adascale"})))
      ->group(group);
  app.add_option("--schedule", raw.schedule, "over the samples of the run")
      ->check(CLI::IsMember({"cosine", "constant"}))
      ->group(group);
  app.add_option("--warmup", o.schedule.warmup, "share of the run in which the rate rises")
      ->check(CLI::Range(0.0, 0.9))
      ->group(group);
  app.add_option("--optimizer", o.optimizer.name, "sgd, adam")->group(group);
  app.add_option("--momentum", o.optimizer.momentum)->check(CLI::Range(0.0, 0.9999))->group(group);
  app.add_option("--weight-decay", o.optimizer.weight_decay)
      ->check(CLI::NonNegativeNumber)
      ->group(group);
  app.add_option("--micro-batch", o.micro_batch, "samples computed at a time; 0: the whole share")
      ->group(group);
  app.add_option("--bucket-kib", o.bucket_kib,
                 "parts of the gradient exchanged while the rest is computed; 0: all after it")
      ->group(group);
}

void add_batch_flags(CLI::App& app, Options& o, Raw& raw) {
  const std::string group = "Batches (docs/adaptive.md)";
  app.add_option("--mode", raw.mode)->check(CLI::IsMember(names_of(kModes)))->group(group);
  app.add_option("--batch", o.batches.referenceBatch,
                 "batch that --lr is for, of fixed and of warm-up; 0: the first of --batches")
      ->check(CLI::NonNegativeNumber)
      ->group(group);
  app.add_option("--batches", raw.batches, "sizes of the buckets, such as 32,64,256")
      ->delimiter(',')
      ->group(group);
  app.add_option("--shares", raw.shares, "their shares of the samples, hardest first")
      ->delimiter(',')
      ->group(group);
  app.add_option("--batch-warmup", o.batches.warmupEpochs, "epochs before buckets are formed")
      ->group(group);
  app.add_option("--batch-max", o.batches.batchMax, "bound of all batches; 0: none")->group(group);
  app.add_option("--batch-min", o.batches.batchMin, "smaller batches become so large")
      ->group(group);
  app.add_option("--bounds", raw.bounds,
                 "measure once which shares of a batch fit into memory and which are computed "
                 "efficiently: off, measure (for the log), apply (to all batches)")
      ->check(CLI::IsMember(names_of(kBounds)))
      ->group(group);
  app.add_option("--trim", o.batches.trim, "share with the highest losses in the last bucket")
      ->group(group);
  app.add_option("--loss-decay", o.batches.lossDecay, "share of the loss before")->group(group);
  app.add_option("--guard", o.batches.guardPatience, "epochs of patience; 0: no guard")
      ->group(group);
  app.add_option("--growth-every", o.batches.growthEvery, "epochs")->group(group);
  app.add_option("--growth-factor", o.batches.growthFactor)->group(group);
  app.add_option("--info-prune", o.batches.infoPrune)->group(group);
  app.add_option("--info-full", o.batches.infoFull)->group(group);
}

void add_gossip_flags(CLI::App& app, Options& o, Raw& raw) {
  const std::string group = "Gossip (docs/gossip.md)";
  app.add_option("--sync", raw.sync, "sum gradients, or mix models with one other rank per step")
      ->check(CLI::IsMember({"allreduce", "gossip"}))
      ->group(group);
  app.add_option("--gossip-topology", raw.topology, "who mixes with whom")
      ->check(CLI::IsMember(names_of(kTopologies)))
      ->group(group);
  app.add_option("--gossip-order", raw.order,
                 "combine then adapt, adapt then combine, or that layer by layer")
      ->check(CLI::IsMember(names_of(kOrders)))
      ->group(group);
  app.add_option("--gossip-global-every", o.gossip_config.globalEvery,
                 "an exact mean every so many steps; 0: never")
      ->check(CLI::NonNegativeNumber)
      ->group(group);
  app.add_option("--gossip-compression", raw.compression, "of the models that are sent")
      ->check(CLI::IsMember(names_of(kCompressions)))
      ->group(group);
  app.add_option("--gossip-bits", o.gossip_config.bits, "of compressed models")
      ->check(CLI::Range(3, 8))
      ->group(group);
  app.add_flag("--gossip-rotate", o.gossip_config.rotate, "other partners in every period")
      ->group(group);
  app.add_flag("--gossip-deterministic", o.gossip_config.deterministic,
               "never go on without a living partner: the same bits in every run")
      ->group(group);
}

void translate_gossip(const CLI::App& app, const Raw& raw, Options& o) {
  o.gossip = raw.sync == "gossip";
  o.gossip_config.topology = kTopologies.at(raw.topology);
  o.gossip_config.compression = kCompressions.at(raw.compression);
  o.gossip_config.seed = o.seed;
  o.mix_order = kOrders.at(raw.order);
  if (!o.gossip) {
    for (const CLI::Option* flag : app.get_options()) {
      if (flag->count() != 0 && flag->get_name().starts_with("--gossip")) {
        throw Failure(flag->get_name() + " says nothing without --sync gossip");
      }
    }
    return;
  }
  if (o.watch_precision) {
    throw Failure(
        "--precision with --sync gossip: the controller decides bits of gradients, down to 2, and "
        "gossip sends models, which have no error feedback: they need 3 bits or more, the same for "
        "the whole run (--gossip-compression, --gossip-bits)");
  }
  if (o.ada_scale) {
    throw Failure(
        "--lr-rule adascale with --sync gossip: it compares each rank's gradient with the mean of "
        "all, and no rank has that");
  }
  if (o.gossip_config.deterministic != 0 && o.gossip_config.compression != gossGossipFull &&
      !o.checkpoint.empty()) {
    throw Failure(
        "--gossip-deterministic with --gossip-compression and --checkpoint: what partners know of "
        "one another's models is not in a checkpoint, so a resumed run would not have the same "
        "bits; leave one of them out");
  }
}

void add_precision_flags(CLI::App& app, Options& o, Raw& raw) {
  const std::string group = "Precision (docs/compression.md)";
  app.add_option(
         "--codec", o.codec.wish,
         "of gradients: none, int8, int4, error=0.02, ..., or adaptive: as many bits as the "
         "controller asks for (--precision)")
      ->group(group);
  app.add_option("--feedback", o.codec.feedback,
                 "what a codec takes away is added to the next gradient; how it is kept until then")
      ->check(CLI::IsMember({"float32", "int8", "none"}))
      ->group(group);
  app.add_option("--precision", raw.precision,
                 "what the controller's bits follow; they are logged, and used by --codec adaptive")
      ->check(CLI::IsMember(names_of(kPrecisionRules, {"off"})))
      ->group(group);
}

void check_codec(const CLI::App& app, const Options& o) {
  const std::string& wish = o.codec.wish;
  if (wish == "none") {
    if (app.count("--feedback") != 0) throw Failure("--feedback says nothing without --codec");
    return;
  }
  if (o.gossip) {
    throw Failure("--codec with --sync gossip: gossip sends models; see --gossip-compression");
  }
  if (o.ada_scale) {
    throw Failure(
        "--codec with --lr-rule adascale: gradients travel multiplied by the learning rate, which "
        "adascale knows only when their sum has arrived");
  }
  if (wish == "adaptive") {
    if (!o.watch_precision) {
      throw Failure("--codec adaptive needs --precision: combined, level, flatness or epochs");
    }
    return;
  }
  const std::string name = wish.substr(0, wish.find_first_of("/+="));
  size_t bytes = 0;  // only a codec has a size
  if (name == "error" || gossEncodedSize(name.c_str(), 1, &bytes) == gossSuccess) return;
  throw Failure("--codec " + wish + ": " + gossGetLastError(nullptr));
}

void add_file_flags(CLI::App& app, Options& o) {
  const std::string group = "Files";
  app.add_option("--log", o.log,
                 "write this file, JSON lines, for goss-report; --resume goes on in it")
      ->group(group);
  app.add_option("--checkpoint", o.checkpoint, "folder, written after every epoch and on SIGTERM")
      ->group(group);
  app.add_option("--checkpoint-every", o.checkpoint_every, "and every so many steps")->group(group);
  app.add_flag("--resume", o.resume, "go on from the last good checkpoint, if there is one")
      ->needs("--checkpoint")
      ->group(group);
  app.add_flag("--quiet", o.quiet, "print the last line only");
}

void translate_batches(const Raw& raw, Options& o) {
  if (raw.batches.size() != raw.shares.size() || raw.batches.size() > GOSS_MAX_BUCKETS) {
    throw Failure("--batches has " + std::to_string(raw.batches.size()) + " sizes, --shares " +
                  std::to_string(raw.shares.size()) + " shares: give as many of both, at most " +
                  std::to_string(GOSS_MAX_BUCKETS));
  }
  o.batches.mode = kModes.at(raw.mode);
  o.bounds = kBounds.at(raw.bounds);
  o.batches.buckets = static_cast<int>(raw.batches.size());
  for (size_t b = 0; b < raw.batches.size(); ++b) {
    o.batches.batch[b] = raw.batches[b];
    o.batches.share[b] = raw.shares[b];
  }
  o.batches.seed = o.seed;
  o.codec.seed = o.seed;
  o.batches.epochs = o.epochs;
  if (!o.ada_scale) o.batches.lrRule = kLrRules.at(raw.lr_rule);
  const bool buckets = o.batches.mode != gossBatchFixed && o.batches.mode != gossBatchGrowth &&
                       o.batches.mode != gossBatchInfoBatch;
  o.precision.buckets = buckets ? o.batches.buckets : 1;
  o.precision.warmupEpochs = o.batches.warmupEpochs;
}

template <typename Map>
std::string name_in(const Map& map, typename Map::mapped_type value) {
  for (const auto& [name, entry] : map) {
    if (entry == value) return name;
  }
  return "?";
}

}  // namespace

std::optional<Options> parse_options(int argc, char** argv) {
  Options options;
  Raw raw;
  CLI::App app("Trains a network on all ranks: alone, or under mpirun, torchrun or srun.");
  app.set_version_flag("--version", std::to_string(GOSS_MAJOR) + "." + std::to_string(GOSS_MINOR) +
                                        "." + std::to_string(GOSS_PATCH));
  app.option_defaults()->always_capture_default();
  add_data_flags(app, options);
  add_training_flags(app, options, raw);
  add_batch_flags(app, options, raw);
  add_gossip_flags(app, options, raw);
  add_precision_flags(app, options, raw);
  add_file_flags(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    app.exit(success);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    throw Failure(error.what());
  }
  options.ada_scale = raw.lr_rule == "adascale";
  if (options.ada_scale && options.optimizer.name == "adam") {
    throw Failure("--lr-rule adascale is a rule for sgd: its gain says nothing about adam's steps");
  }
  options.schedule.cosine = raw.schedule == "cosine";
  options.watch_precision = raw.precision != "off";
  if (options.watch_precision) options.precision.rule = kPrecisionRules.at(raw.precision);
  if (options.ada_scale) options.bucket_kib = 0;  // the norm of the own gradient comes first
  translate_batches(raw, options);
  translate_gossip(app, raw, options);
  check_codec(app, options);
  return options;
}

nlohmann::json to_json(const Options& o) {
  const int buckets = o.batches.buckets;
  nlohmann::json json = {
      {"data", o.data.name},
      {"data_seed", o.data.seed},
      {"train", o.data.train},
      {"validation", o.data.validation},
      {"test", o.data.test},
      {"label_noise", o.data.label_noise},
      {"network", o.network},
      {"seed", o.seed},
      {"epochs", o.epochs},
      {"lr", o.schedule.rate},
      {"lr_rule", o.ada_scale ? "adascale" : name_in(kLrRules, o.batches.lrRule)},
      {"schedule", o.schedule.cosine ? "cosine" : "constant"},
      {"warmup", o.schedule.warmup},
      {"optimizer", o.optimizer.name},
      {"momentum", o.optimizer.momentum},
      {"weight_decay", o.optimizer.weight_decay},
      {"micro_batch", o.micro_batch},
      {"bucket_kib", o.bucket_kib},
      {"mode", name_in(kModes, o.batches.mode)},
      {"batch", o.batches.referenceBatch},
      {"batches", std::vector<int>(o.batches.batch, o.batches.batch + buckets)},
      {"shares", std::vector<double>(o.batches.share, o.batches.share + buckets)},
      {"batch_warmup", o.batches.warmupEpochs},
      {"batch_max", o.batches.batchMax},
      {"batch_min", o.batches.batchMin},
      {"bounds", name_in(kBounds, o.bounds)},
      {"trim", o.batches.trim},
      {"loss_decay", o.batches.lossDecay},
      {"guard", o.batches.guardPatience},
      {"growth_every", o.batches.growthEvery},
      {"growth_factor", o.batches.growthFactor},
      {"info_prune", o.batches.infoPrune},
      {"info_full", o.batches.infoFull},
      {"precision", o.watch_precision ? name_in(kPrecisionRules, o.precision.rule) : "off"},
      {"sync", o.gossip ? "gossip" : "allreduce"},
      {"codec", o.codec.wish},
      {"feedback", o.codec.wish == "none" ? "none" : o.codec.feedback},
  };
  if (o.gossip) {
    json["gossip_topology"] = name_in(kTopologies, o.gossip_config.topology);
    json["gossip_order"] = name_in(kOrders, o.mix_order);
    json["gossip_global_every"] = o.gossip_config.globalEvery;
    json["gossip_compression"] = name_in(kCompressions, o.gossip_config.compression);
    json["gossip_bits"] = o.gossip_config.bits;
    json["gossip_rotate"] = o.gossip_config.rotate;
    json["gossip_deterministic"] = o.gossip_config.deterministic;
  }
  return json;
}

}  // namespace goss::train
