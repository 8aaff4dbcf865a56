// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/error_report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <numeric>

namespace goss::engine {

namespace {

using collectives::Layout;

struct Elements {
  size_t input;  // 0 where this rank has no such buffer
  size_t output;
};
Elements elements_of(const Operation& operation, int rank, int nranks) {
  const collectives::KindFacts& facts = collectives::facts(operation.kind);
  const auto n = static_cast<size_t>(nranks);
  Elements all{operation.count * (facts.input == Layout::kBlocks ? n : 1),
               operation.count * (facts.output == Layout::kBlocks ? n : 1)};
  if (operation.block_counts != nullptr) {
    const size_t* counts = operation.block_counts;
    all.output = facts.output == Layout::kBlocks ? std::accumulate(counts, counts + n, size_t{0})
                                                 : counts[rank];
  }
  if (!facts.rooted || rank == operation.root) return all;
  const bool from_root = operation.kind == collectives::Kind::kBroadcast ||
                         operation.kind == collectives::Kind::kScatter;
  if (from_root) {
    all.input = 0;
  } else {
    all.output = 0;
  }
  return all;
}

}  // namespace

size_t result_elements(const Operation& operation, int rank, int nranks) {
  return elements_of(operation, rank, nranks).output;
}

namespace {

// Calls visit(numbers, elements) for stretches of a buffer as doubles.
template <class Visit>
void for_doubles(const std::byte* buffer, const std::byte* other, DataType type, size_t count,
                 Visit visit) {
  const auto load = [&](const std::byte* from, size_t first, size_t length, double* to) {
    if (from == nullptr) return;
    from += first * type_size(type);
    if (type == gossFloat64) {
      std::memcpy(to, from, length * sizeof(double));
      return;
    }
    float wide[quant::kTile];
    quant::widen(from, type, length, wide);
    std::copy(wide, wide + length, to);
  };
  double a[quant::kTile];
  double b[quant::kTile];
  for (size_t first = 0; first < count; first += quant::kTile) {
    const size_t length = std::min(quant::kTile, count - first);
    load(buffer, first, length, a);
    load(other, first, length, b);
    for (size_t i = 0; i < length; ++i) visit(a[i], b[i]);
  }
}

}  // namespace

void copy_report(const gossErrorReport_t& from, gossErrorReport_t* to) {
  const size_t size = to->size;
  std::memcpy(static_cast<void*>(to), &from, std::min(size, sizeof(from)));
  to->size = size;
}

gossErrorReport_t plain_report(size_t elements) {
  gossErrorReport_t report{};
  report.size = sizeof(report);
  std::snprintf(report.codec, sizeof(report.codec), "none");
  report.elements = elements;
  report.expectedNmse = report.measuredMax = report.measuredNmse = -1;
  return report;
}

gossErrorReport_t report_of(const CompressedOutcome& outcome, const CodecChoice& how) {
  gossErrorReport_t report = plain_report(outcome.elements);
  std::snprintf(report.codec, sizeof(report.codec), "%s", describe(how).c_str());
  std::snprintf(report.algorithm, sizeof(report.algorithm), "%s",
                collectives::row(how.algorithm).name);
  report.bound = outcome.figures.bound;
  const double elements = std::max(1.0, static_cast<double>(report.elements));
  report.expectedRms = std::sqrt(outcome.figures.noise / elements);
  report.sentBytes = outcome.sent_bytes;
  report.plainBytes = outcome.plain_bytes;
  report.operation = outcome.operation;
  return report;
}

double expected_nmse(const CompressedOutcome& outcome, const void* result, DataType type) {
  double squares = 0;
  for_doubles(static_cast<const std::byte*>(result), nullptr, type, outcome.elements,
              [&](double x, double) {
                if (std::isfinite(x)) squares += x * x;
              });
  return squares > 0 ? outcome.figures.noise / squares : -1;
}

void ErrorReporter::begin(Communicator& comm, const Operation& operation, bool compressed) {
  const CallOptions* options = operation.options;
  wanted_ = options != nullptr && options->report != nullptr;
  measures_ = wanted_ && compressed && options->measure;
  if (!wanted_) return;
  operation_ = operation;
  report_ = plain_report(elements_of(operation, comm.rank(), comm.nranks()).output);
  if (!measures_) return;
  static const CallOptions* const kPlain = [] {
    auto* plain = new CallOptions;
    plain->wish.emplace();  // none
    return plain;
  }();
  const Elements elements = elements_of(operation, comm.rank(), comm.nranks());
  const size_t element = type_size(operation.type);
  input_.resize(elements.input * element);
  output_.resize(elements.output * element);
  if (!input_.empty()) {
    comm.compute().copy(input_.data(), operation.buffer.input, input_.size(),
                        reduce::Store::kCached);
  }
  exact_ = operation;
  exact_.options = kPlain;
  exact_.buffer = {input_.data(), output_.data(), operation.count};
}

void ErrorReporter::add(Communicator& comm, const CompressedOutcome& outcome,
                        const Operation& operation, const CodecChoice& how) {
  const gossErrorReport_t report = report_of(outcome, how);
  comm.set_last_report(report);
  if (!wanted_) return;
  report_ = report;
  if (!comm.compute().host_memory()) return;
  report_.expectedNmse = expected_nmse(outcome, operation.buffer.output, operation.type);
}

void ErrorReporter::measure(const Communicator& comm) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const size_t count = elements_of(operation_, comm.rank(), comm.nranks()).output;
  double largest = 0;
  double noise = 0;
  double squares = 0;
  for_doubles(operation_.buffer.output, output_.data(), operation_.type, count,
              [&](double got, double exact) {
                if (!std::isfinite(exact)) return;  // whatever came of it
                const double error = std::isfinite(got) ? std::abs(got - exact) : kInfinity;
                largest = std::max(largest, error);
                noise += error * error;
                squares += exact * exact;
              });
  report_.measuredMax = largest;
  report_.measuredNmse = squares > 0 ? noise / squares : (noise > 0 ? kInfinity : 0);
  measures_ = false;
  input_ = {};
  output_ = {};
}

void ErrorReporter::finish() {
  if (!wanted_) return;
  copy_report(report_, operation_.options->report);
  wanted_ = false;
}

}  // namespace goss::engine
