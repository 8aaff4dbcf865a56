// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "transport/shm/segment.h"

#include <algorithm>
#include <bit>

#include <cstring>
#include <map>
#include <mutex>
#include <new>

namespace goss::shm {

namespace {

// Ranks that are threads of one process share one mapping, so that they also share addresses: less
// page table, and a race between them is visible to ThreadSanitizer.
struct Known {
  std::mutex mutex;
  std::map<Segment::Nonce, std::weak_ptr<Segment>> by_nonce;
};

Known& known() {
  static Known* const instance = new Known;  // outlives threads that still run at exit
  return *instance;
}

SegmentPtr remember(Segment* segment, const Segment::Nonce& nonce) {
  SegmentPtr owner(segment);
  const std::lock_guard<std::mutex> lock(known().mutex);
  std::erase_if(known().by_nonce, [](const auto& entry) { return entry.second.expired(); });
  known().by_nonce[nonce] = owner;
  return owner;
}

size_t fixed_bytes(int nranks) {
  return sizeof(Header) + static_cast<size_t>(nranks) * sizeof(RankArea);
}

}  // namespace

size_t Segment::bytes_for(int nranks) {
  const auto n = static_cast<size_t>(nranks);
  return fixed_bytes(nranks) + n * (kRingBytes + sizeof(GossipBoard)) +
         n * n * (sizeof(Pair) + sizeof(GossipPair));
}

size_t Segment::ring_offset(int rank) const {
  return fixed_bytes(nranks_) + static_cast<size_t>(rank) * kRingBytes;
}

size_t Segment::pair_offset(int sender, int receiver) const {
  const size_t index =
      static_cast<size_t>(sender) * static_cast<size_t>(nranks_) + static_cast<size_t>(receiver);
  return ring_offset(nranks_) + index * sizeof(Pair);
}

size_t Segment::gossip_offset() const { return pair_offset(nranks_, 0); }

size_t Segment::gossip_pair_offset(int sender, int receiver) const {
  const auto n = static_cast<size_t>(nranks_);
  const size_t index = static_cast<size_t>(sender) * n + static_cast<size_t>(receiver);
  return gossip_offset() + n * sizeof(GossipBoard) + index * sizeof(GossipPair);
}

Result<SegmentPtr> Segment::create(int nranks, const Nonce& nonce) {
  const size_t bytes = bytes_for(nranks);
  GOSS_TRY_ASSIGN(UniqueFd fd, MappedRegion::create_memfd("gossamer", bytes, fixed_bytes(nranks)));
  GOSS_TRY_ASSIGN(MappedRegion region, MappedRegion::map_shared(fd.get(), bytes));
  auto* header = new (region.data()) Header;
  std::memcpy(header->nonce, nonce.data(), sizeof(header->nonce));
  header->nranks = static_cast<uint32_t>(nranks);
  auto* segment = new Segment(std::move(fd), std::move(region), nranks);
  for (int r = 0; r < nranks; ++r) new (&segment->area(r)) RankArea;
  return remember(segment, nonce);
}

Result<SegmentPtr> Segment::attach(UniqueFd fd, int nranks, const Nonce& nonce) {
  const size_t bytes = bytes_for(nranks);
  GOSS_TRY(MappedRegion::check_memfd(fd.get(), bytes));
  GOSS_TRY_ASSIGN(MappedRegion region, MappedRegion::map_shared(fd.get(), bytes));
  const auto* header = reinterpret_cast<const Header*>(region.data());
  if (std::memcmp(header->nonce, nonce.data(), sizeof(header->nonce)) != 0 ||
      header->nranks != static_cast<uint32_t>(nranks)) {
    return fail(gossSystemError, "received shared memory belongs to another communicator");
  }
  return remember(new Segment(std::move(fd), std::move(region), nranks), nonce);
}

SegmentPtr Segment::find(const Nonce& nonce) {
  const std::lock_guard<std::mutex> lock(known().mutex);
  const auto entry = known().by_nonce.find(nonce);
  return entry == known().by_nonce.end() ? nullptr : entry->second.lock();
}

Status Segment::allocate_pair(int sender, int receiver, bool slots) {
  return MappedRegion::allocate_pages(fd_.get(), pair_offset(sender, receiver),
                                      slots ? sizeof(Pair) : kPairControlBytes);
}

Status Segment::allocate_gossip_boards() {
  return MappedRegion::allocate_pages(fd_.get(), gossip_offset(),
                                      static_cast<size_t>(nranks_) * sizeof(GossipBoard));
}

Status Segment::allocate_gossip_pair(int sender, int receiver) {
  return MappedRegion::allocate_pages(fd_.get(), gossip_pair_offset(sender, receiver),
                                      sizeof(GossipPair));
}

Result<size_t> Segment::allocate_cell(int rank, int cell, size_t before, size_t bytes) {
  if (bytes <= before) return before;
  // In powers of two: few system calls even if operations grow little by little.
  const size_t wanted = std::min(kCellBytes, std::bit_ceil(std::max<size_t>(bytes, 4096)));
  GOSS_TRY(MappedRegion::allocate_pages(
      fd_.get(), ring_offset(rank) + static_cast<size_t>(cell) * kCellBytes + before,
      wanted - before));
  return wanted;
}

}  // namespace goss::shm
