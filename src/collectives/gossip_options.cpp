// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "collectives/gossip_options.h"

#include "collectives/gossip_permutation.h"

namespace goss::collectives {

const char* topology_name(Topology topology) {
  switch (topology) {
    case Topology::kHypercube: return "hypercube";
    case Topology::kDissemination: return "dissemination";
    case Topology::kRandomPair: return "random";
    case Topology::kRing: return "ring";
    case Topology::kMixedRadix: return "mixed_radix";
    case Topology::kFold: return "fold";
    case Topology::kCustom: return "custom";
  }
  return "?";
}

const char* compression_name(Compression compression) {
  switch (compression) {
    case Compression::kNone: return "none";
    case Compression::kModulo: return "modulo";
    case Compression::kEdgeDifference: return "edge_difference";
  }
  return "?";
}

namespace {

Status check_numbers(const GossipOptions& options) {
  if (options.global_every < 0) {
    return fail(gossInvalidArgument,
                "gossip: global_every is %d; give a number of steps, or 0 for never",
                options.global_every);
  }
  if (options.staleness < 0) {
    return fail(gossInvalidArgument, "gossip: staleness is %d steps; give 0 or more",
                options.staleness);
  }
  if (options.compression != Compression::kNone &&
      (options.bits < kMinGossipBits || options.bits > kMaxGossipBits)) {
    return fail(gossInvalidArgument,
                "gossip: %d bits per element; %s quantization has %d to %d (with 2 bits the error "
                "exceeds the disagreement, and mixing diverges)",
                options.bits, compression_name(options.compression), kMinGossipBits,
                kMaxGossipBits);
  }
  return {};
}

Status check_topology(const GossipOptions& options) {
  if (options.hypercube_skips && options.topology != Topology::kHypercube) {
    return fail(gossInvalidArgument, "gossip: hypercube_skips belongs to the hypercube, not to %s",
                topology_name(options.topology));
  }
  if (options.topology == Topology::kCustom && options.rotate) {
    return fail(gossInvalidArgument,
                "gossip: a custom list says which rank meets which, and rotation would exchange "
                "the ranks; write the rotated phases into the list");
  }
  if (options.topology != Topology::kCustom && !options.custom.empty()) {
    return fail(gossInvalidArgument, "gossip: a custom list of %zu phases, but topology %s",
                options.custom.size(), topology_name(options.topology));
  }
  return {};
}

Status check_push_sum(const GossipOptions& options) {
  if (options.staleness > 0 && !options.push_sum) {
    return fail(gossInvalidArgument,
                "gossip: staleness %d without push_sum: a share that arrives later than its "
                "sender gave it away changes the mean; turn push_sum on",
                options.staleness);
  }
  if (options.push_sum && options.global_every > 0) {
    return fail(gossInvalidArgument,
                "gossip: push_sum with global_every %d: ranks are in different steps, and an exact "
                "mean needs all of them in one; use one or the other",
                options.global_every);
  }
  if (options.push_sum && options.topology == Topology::kFold) {
    return fail(gossInvalidArgument,
                "gossip: push_sum with fold: ranks beyond the power of two hold no mass while the "
                "others average, so one lost message leaves a rank without a model; use "
                "dissemination or mixed_radix");
  }
  return {};
}

Status check_edge_difference(const GossipOptions& options) {
  if (options.rotate) {
    return fail(gossInvalidArgument,
                "gossip: edge_difference with rotation needs a replica of the model for every "
                "pair of ranks; use modulo, or do not rotate");
  }
  if (options.topology == Topology::kRandomPair) {
    return fail(gossInvalidArgument,
                "gossip: edge_difference with random pairs needs a replica of the model for every "
                "pair of ranks; use modulo");
  }
  if (options.push_sum) {
    return fail(gossInvalidArgument,
                "gossip: edge_difference with push_sum: replicas are right only when every message "
                "arrives, once and in order; push_sum is for when they do not");
  }
  return {};
}

Status check_compression(const GossipOptions& options) {
  if (options.compression == Compression::kNone) return {};
  if (options.topology == Topology::kRing || options.topology == Topology::kMixedRadix ||
      options.topology == Topology::kFold) {
    return fail(gossInvalidArgument,
                "gossip: %s quantization with %s, which mixes with several ranks at a time or to "
                "an exact average; use hypercube, dissemination, random or custom",
                compression_name(options.compression), topology_name(options.topology));
  }
  if (options.compression == Compression::kEdgeDifference) return check_edge_difference(options);
  if (options.push_sum) {
    return fail(gossInvalidArgument,
                "gossip: modulo with push_sum: the bound holds for models, and what push_sum sends "
                "is a model times a weight that differs from rank to rank; send full precision");
  }
  return {};
}

Status check_phase(const CustomPhase& phase, size_t index, int nranks) {
  if (phase.size() != static_cast<size_t>(nranks)) {
    return fail(gossInvalidArgument, "gossip: custom phase %zu names %zu peers, there are %d ranks",
                index, phase.size(), nranks);
  }
  std::vector<int> sender(phase.size(), -1);
  for (int rank = 0; rank < nranks; ++rank) {
    const int to = phase[static_cast<size_t>(rank)];
    if (to < 0 || to >= nranks) {
      return fail(gossInvalidArgument,
                  "gossip: custom phase %zu: rank %d sends to %d; ranks are 0 to %d", index, rank,
                  to, nranks - 1);
    }
    int& other = sender[static_cast<size_t>(to)];
    if (other >= 0) {
      return fail(gossInvalidArgument,
                  "gossip: custom phase %zu: ranks %d and %d both send to rank %d; each rank "
                  "receives once, or the mean is not kept",
                  index, other, rank, to);
    }
    other = rank;
  }
  return {};
}

}  // namespace

Status check_gossip_options(const GossipOptions& options, int nranks) {
  GOSS_TRY(check_numbers(options));
  GOSS_TRY(check_topology(options));
  GOSS_TRY(check_push_sum(options));
  GOSS_TRY(check_compression(options));
  if (options.topology != Topology::kCustom) return {};
  if (options.custom.empty()) {
    return fail(gossInvalidArgument, "gossip: topology custom without a list of phases");
  }
  for (size_t phase = 0; phase < options.custom.size(); ++phase) {
    GOSS_TRY(check_phase(options.custom[phase], phase, nranks));
  }
  return {};
}

uint64_t fingerprint(const GossipOptions& options) {
  uint64_t hash = mix_bits(options.seed);
  const auto add = [&hash](uint64_t value) { hash = mix_bits(hash ^ value); };
  add(static_cast<uint64_t>(options.topology));
  add(static_cast<uint64_t>(options.hypercube_skips) << 1 | static_cast<uint64_t>(options.rotate));
  add(static_cast<uint64_t>(options.global_every));
  add(static_cast<uint64_t>(options.compression));
  add(options.compression == Compression::kNone ? 0 : static_cast<uint64_t>(options.bits));
  add(static_cast<uint64_t>(options.push_sum));
  add(static_cast<uint64_t>(options.staleness));
  for (const CustomPhase& phase : options.custom) {
    add(phase.size());
    for (const int to : phase) add(static_cast<uint64_t>(to));
  }
  return hash;
}

}  // namespace goss::collectives
