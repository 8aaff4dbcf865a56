// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "base/isa.h"
#include "engine/calls.h"
#include "engine/span.h"

namespace goss::engine {

namespace {

const char* path_text(Path path) {
  switch (path) {
    case Path::kNothing: return "nothing is moved";
    case Path::kInline: return "shared memory, payload behind its flag";
    case Path::kMapped:
      return "shared memory, read in place from staging cells or gossMemAlloc memory";
    case Path::kPairs:
    case Path::kCompressed: return "shared memory inside hosts, messages between pairs of ranks";
    case Path::kHosts: return "shared memory inside hosts, messages between them";
  }
  return "?";
}

// Bytes that the messages of this rank have, headers left out.
std::string compressed_text(const gossComm& handle, const Operation& operation, CodecChoice how,
                            const char* reason) {
  std::string transport = path_text(Path::kCompressed);
  const Span* span = handle.comm->span();
  if (span != nullptr && works_inside_hosts(operation, span->hosts())) {
    const SpanChoice between =
        choose_across_hosts(operation, span->hosts(), handle.settings.forced);
    Operation share = operation;
    share.count = share_between_hosts(operation, span->hosts());
    how.algorithm = compressed_algorithm(share, span->hosts().count(), how);
    transport = format(
        "exact in the shared memory of each of %d hosts, compressed between them, "
        "%s",
        span->hosts().count(), between.reason);
  }
  const collectives::Row& row = collectives::row(how.algorithm);
  const size_t plain = operation.bytes();
  const size_t wire = quant::encoded_bytes(how.reduce, operation.count);
  std::string text = format(
      "%s of %zu %s (%zu bytes) on %d ranks: compressed as %s because %s: S = %zu bytes encoded, "
      "%.2f times fewer; algorithm %s; transport: %s; steps %s; encoded bytes received per rank %s",
      kind_name(operation.kind), operation.count, type_name(operation.type), plain, handle.nranks,
      describe(how).c_str(), reason, wire, static_cast<double>(plain) / static_cast<double>(wire),
      row.name, transport.c_str(), row.steps, row.bytes);
  if (collectives::facts(operation.kind).reduces) text += "; gossProd goes uncompressed";
  return text + format("; codecs %s", chosen_isa().name);
}

// Who sends for each host where not all do; the root does for its own.
std::string speakers(const Hosts& hosts) {
  std::string ranks;
  for (const int rank : hosts.speaker) ranks += format("%s%d", ranks.empty() ? "" : ", ", rank);
  return format(" (a root for its own, else ranks %s, nearest to the network)", ranks.c_str());
}

std::string explain_across_hosts(const Communicator& comm, const Operation& operation) {
  const Hosts& hosts = comm.span()->hosts();
  const SpanChoice choice = choose_across_hosts(operation, hosts, comm.settings().forced);
  const collectives::MessageRow& row = collectives::row(choice.messages.algorithm);
  return format(
      "%s of %zu %s (%zu bytes) on %d ranks of %d hosts: %s%s; between hosts algorithm %s because "
      "%s; "
      "transport: %s; steps %s; bytes sent %s; exactness: %s; kernels %s; source: %s",
      kind_name(operation.kind), operation.count, type_name(operation.type), operation.bytes(),
      comm.nranks(), hosts.count(), choice.reason,
      choice.way == SpanChoice::Way::kLeaders ? speakers(hosts).c_str() : "", row.name,
      choice.messages.reason, path_text(Path::kHosts), row.steps, row.bytes, row.exact,
      chosen_isa().name, row.source);
}

}  // namespace

std::string explain(gossComm* handle, collectives::Kind kind, size_t count, DataType type) {
  Operation operation;
  operation.kind = kind;
  operation.type = type;
  operation.count = count;
  const CodecRules& codecs = handle->settings.codecs;
  const Result<CompressionChoice> compression =
      choose_compression(operation, handle->nranks, codecs);
  if (!compression.ok()) return compression.status().message();
  if (const auto& use = compression.value().use) {
    return compressed_text(*handle, operation, *use, compression.value().reason);
  }
  const std::string uncompressed =
      codecs.empty() ? "" : format("; not compressed because %s", compression.value().reason);
  if (handle->comm->span() != nullptr) {
    return explain_across_hosts(*handle->comm, operation) + uncompressed;
  }
  const Choice choice = choose(operation, handle->nranks, handle->settings.forced);
  const collectives::Row& row = collectives::row(choice.algorithm);
  const std::string text = format(
      "%s of %zu %s (%zu bytes) on %d ranks: algorithm %s because %s; transport: %s; steps %s; "
      "bytes read per rank %s with S = %zu; exactness: %s; kernels %s; CPUs %s; source: %s",
      kind_name(kind), count, type_name(type), operation.bytes(), handle->nranks, row.name,
      choice.reason, path_text(choice.path), row.steps, row.bytes, operation.bytes(), row.exact,
      chosen_isa().name,
      handle->comm->crowded() ? "fewer than ranks (waits yield)" : "enough (waits spin)",
      row.source);
  return text + uncompressed;
}

}  // namespace goss::engine
