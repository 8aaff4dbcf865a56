// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "collectives/registry.h"

#include "collectives/all_gather.h"
#include "collectives/all_reduce.h"
#include "collectives/all_to_all.h"
#include "collectives/barrier.h"
#include "collectives/broadcast.h"
#include "collectives/forwarding_schedules.h"
#include "collectives/gather_scatter.h"
#include "collectives/message_algorithms.h"
#include "collectives/reduce.h"
#include "collectives/reduce_scatter.h"

namespace goss::collectives {

namespace {

constexpr const char* kAnyN = "any n";
constexpr const char* kSameBits = "same bits as all-reduce, lower rank left";
constexpr const char* kCopied = "bytes copied";

int one_of_each_peer(const Shape& s) { return s.nranks - 1; }
int by_the_root(const Shape& s) { return s.rank == s.root ? s.nranks - 1 : 0; }

const Row kRows[] = {
    {Algorithm::kAllReduceOneShot, Kind::kAllReduce, "oneshot", all_reduce_one_shot, "1", "(n-1) S",
     "same bits on all ranks, lower rank left", kAnyN,
     "flat exchange; e.g. Hensgen, Finkel, Manber 1988 for the barrier form",
     [](const Shape& s) { return s.nranks - 1; }},
    {Algorithm::kAllReduceTwoShot, Kind::kAllReduce, "twoshot", all_reduce_two_shot, "2",
     "2 (n-1)/n S", "same bits on all ranks, lower rank left", kAnyN,
     "reduce-scatter + all-gather, Rabenseifner 2004, by direct exchange",
     [](const Shape& s) { return 2 * (s.nranks - 1); }},
    {Algorithm::kBroadcastFlat, Kind::kBroadcast, "flat", broadcast_flat, "1", "S", "bytes copied",
     kAnyN, "single writer, many readers", [](const Shape& s) { return s.rank == s.root ? 0 : 1; }},
    {Algorithm::kBarrierFlat, Kind::kBarrier, "flat", barrier_flat, "1", "0", "does not apply",
     kAnyN, "one flag per rank", [](const Shape&) { return 0; }},
    {Algorithm::kReduceFlat, Kind::kReduce, "flat", reduce_flat, "1", "(n-1) S at the root, else 0",
     kSameBits, kAnyN, "linear reduction", by_the_root},
    {Algorithm::kReduceTwoShot, Kind::kReduce, "twoshot", reduce_two_shot, "2",
     "(n-1)/n S, at the root 2 (n-1)/n S", kSameBits, kAnyN,
     "reduce-scatter + gather, Rabenseifner 2004, by direct exchange",
     [](const Shape& s) { return (s.rank == s.root ? 2 : 1) * (s.nranks - 1); }},
    {Algorithm::kAllGatherFlat, Kind::kAllGather, "flat", all_gather_flat, "1", "(n-1) S", kCopied,
     kAnyN, "direct exchange", one_of_each_peer},
    {Algorithm::kReduceScatterFlat, Kind::kReduceScatter, "flat", reduce_scatter_flat, "1",
     "(n-1) S", kSameBits, kAnyN, "direct exchange", one_of_each_peer},
    {Algorithm::kAllToAllFlat, Kind::kAllToAll, "flat", all_to_all_flat, "1", "(n-1) S", kCopied,
     kAnyN, "direct exchange", one_of_each_peer},
    {Algorithm::kGatherFlat, Kind::kGather, "flat", gather_flat, "1", "(n-1) S at the root, else 0",
     kCopied, kAnyN, "direct exchange", by_the_root},
    {Algorithm::kScatterFlat, Kind::kScatter, "flat", scatter_flat, "1", "S, at the root 0",
     kCopied, kAnyN, "direct exchange", [](const Shape& s) { return s.rank == s.root ? 0 : 1; }},
};

const Row kForwardingRows[] = {
    {Algorithm::kAllReduceRing, Kind::kAllReduce, "ring", forwarding_all_reduce_ring, "2 (n-1)",
     "2 (n-1)/n S", "same bits on all ranks, summed in the order of the ring", kAnyN,
     "Patarasuk, Yuan 2009; with codecs, bytes of results are passed on as they are",
     [](const Shape& s) { return 2 * (s.nranks - 1); }},
    {Algorithm::kBroadcastTwoShot, Kind::kBroadcast, "twoshot", forwarding_broadcast, "2",
     "S, at the root 0", "bytes copied", kAnyN, "scatter + all-gather, van de Geijn 1994",
     [](const Shape& s) { return s.rank == s.root ? 0 : s.nranks; }},
};

template <Schedule (*kMake)(const Shape&)>
MessageSchedule direct(const Shape& shape) {
  return as_messages(kMake(shape));
}

constexpr const char* kRounded = "same bits on all ranks; narrow floats rounded at every step";

const MessageRow kMessageRows[] = {
    {MessageAlgorithm::kAllReduceOneShot, Kind::kAllReduce, "oneshot", direct<all_reduce_one_shot>,
     "1", "(n-1) S", kSameBits, true, "flat exchange"},
    {MessageAlgorithm::kAllReduceTwoShot, Kind::kAllReduce, "twoshot", direct<all_reduce_two_shot>,
     "2", "2 (n-1)/n S", kSameBits, true, "Rabenseifner 2004, by direct exchange"},
    {MessageAlgorithm::kAllReduceRing, Kind::kAllReduce, "ring", all_reduce_ring, "2 (n-1)",
     "2 (n-1)/n S", kRounded, true, "Patarasuk, Yuan 2009"},
    {MessageAlgorithm::kAllReduceDoubling, Kind::kAllReduce, "doubling",
     all_reduce_recursive_doubling, "l, 2 more unless n = 2^l", "l S", kRounded, true,
     "Thakur, Rabenseifner, Gropp 2005"},
    {MessageAlgorithm::kAllReduceHalving, Kind::kAllReduce, "halving", all_reduce_halving_doubling,
     "2 l, 2 more unless n = 2^l", "2 (n-1)/n S, up to S more unless n = 2^l", kRounded, true,
     "Rabenseifner 2004"},
    {MessageAlgorithm::kBroadcastFlat, Kind::kBroadcast, "flat", direct<broadcast_flat>, "1",
     "(n-1) S at the root, else 0", kCopied, true, "direct exchange"},
    {MessageAlgorithm::kBroadcastBinomial, Kind::kBroadcast, "binomial", broadcast_binomial, "l",
     "l S at the root", kCopied, true, "Thakur, Rabenseifner, Gropp 2005"},
    {MessageAlgorithm::kBarrierDissemination, Kind::kBarrier, "dissemination",
     barrier_dissemination, "l", "0", "does not apply", true, "Hensgen, Finkel, Manber 1988"},
    {MessageAlgorithm::kReduceFlat, Kind::kReduce, "flat", direct<reduce_flat>, "1",
     "S, at the root 0", kSameBits, true, "linear reduction"},
    {MessageAlgorithm::kReduceTwoShot, Kind::kReduce, "twoshot", direct<reduce_two_shot>, "2",
     "S, at the root (n-1)/n S", kSameBits, true, "Rabenseifner 2004, by direct exchange"},
    {MessageAlgorithm::kReduceBinomial, Kind::kReduce, "binomial", reduce_binomial, "l",
     "S, at the root 0", kRounded, true, "Thakur, Rabenseifner, Gropp 2005"},
    {MessageAlgorithm::kAllGatherFlat, Kind::kAllGather, "flat", direct<all_gather_flat>, "1",
     "(n-1) S", kCopied, true, "direct exchange"},
    {MessageAlgorithm::kAllGatherRing, Kind::kAllGather, "ring", all_gather_ring, "n-1", "(n-1) S",
     kCopied, true, "Thakur, Rabenseifner, Gropp 2005"},
    {MessageAlgorithm::kAllGatherBruck, Kind::kAllGather, "bruck", all_gather_bruck, "l", "(n-1) S",
     kCopied, false, "Bruck et al. 1997"},
    {MessageAlgorithm::kReduceScatterFlat, Kind::kReduceScatter, "flat",
     direct<reduce_scatter_flat>, "1", "(n-1) S", kSameBits, true, "direct exchange"},
    {MessageAlgorithm::kReduceScatterRing, Kind::kReduceScatter, "ring", reduce_scatter_ring, "n-1",
     "(n-1) S", kRounded, true, "Patarasuk, Yuan 2009"},
    {MessageAlgorithm::kAllToAllPairwise, Kind::kAllToAll, "pairwise", all_to_all_pairwise, "1",
     "(n-1) S", kCopied, true, "Thakur, Rabenseifner, Gropp 2005"},
    {MessageAlgorithm::kAllToAllBruck, Kind::kAllToAll, "bruck", all_to_all_bruck, "l", "l n/2 S",
     kCopied, false, "Bruck et al. 1997"},
    {MessageAlgorithm::kGatherFlat, Kind::kGather, "flat", direct<gather_flat>, "1",
     "S, at the root 0", kCopied, true, "direct exchange"},
    {MessageAlgorithm::kScatterFlat, Kind::kScatter, "flat", direct<scatter_flat>, "1",
     "(n-1) S at the root, else 0", kCopied, true, "direct exchange"},
};

constexpr Layout kVector = Layout::kVector;
constexpr Layout kBlocks = Layout::kBlocks;

const KindFacts kFacts[kNumKinds] = {
    {"all_reduce", true, false, kVector, kVector},
    {"broadcast", false, true, kVector, kVector},
    {"barrier", false, false, kVector, kVector},
    {"reduce", true, true, kVector, kVector},
    {"all_gather", false, false, kVector, kBlocks},
    {"reduce_scatter", true, false, kBlocks, kVector},
    {"all_to_all", false, false, kBlocks, kBlocks},
    {"gather", false, true, kVector, kBlocks},
    {"scatter", false, true, kBlocks, kVector},
};

}  // namespace

std::span<const Row> registry() { return kRows; }

std::span<const Row> forwarding_registry() { return kForwardingRows; }

const Row& row(Algorithm algorithm) {
  const auto index = static_cast<size_t>(algorithm);
  return index < std::size(kRows) ? kRows[index] : kForwardingRows[index - std::size(kRows)];
}

std::span<const MessageRow> message_registry() { return kMessageRows; }

const MessageRow& row(MessageAlgorithm algorithm) {
  return kMessageRows[static_cast<size_t>(algorithm)];
}

const KindFacts& facts(Kind kind) { return kFacts[static_cast<size_t>(kind)]; }

}  // namespace goss::collectives
