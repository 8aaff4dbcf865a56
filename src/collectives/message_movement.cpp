// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include <algorithm>

#include "collectives/message_algorithms.h"

namespace goss::collectives {

namespace {

constexpr Spot input(int part) { return MessageBuilder::input(part); }
constexpr Spot output(int part) { return MessageBuilder::output(part); }

// Of a rank in a binomial tree: the bit by which its parent is nearer to the root. The children of
// a rank are at distances of lower bits; the root has all of them.
int parent_bit(int from_root, int nranks) {
  int bit = 1;
  while (bit < nranks && (from_root & bit) == 0) bit *= 2;
  return bit;
}

}  // namespace

MessageSchedule broadcast_binomial(const Shape& shape) {
  const int n = shape.nranks;
  const int from_root = (shape.rank - shape.root + n) % n;
  MessageBuilder plan(shape, 1);
  int bit = parent_bit(from_root, n);
  if (from_root != 0) plan.receive(plan.peer(-bit), output(0), one(0));
  const Spot held = from_root == 0 ? input(0) : output(0);
  for (bit /= 2; bit > 0; bit /= 2) {
    if (from_root + bit < n) plan.send(plan.peer(bit), held, one(0));
  }
  if (from_root == 0) plan.copy(output(0), one(0), input(0));
  return plan.finish();
}

MessageSchedule reduce_binomial(const Shape& shape) {
  const int n = shape.nranks;
  const int from_root = (shape.rank - shape.root + n) % n;
  MessageBuilder plan(shape, 1);
  const int up = parent_bit(from_root, n);
  std::vector<Spot> sources{input(0)};
  for (int bit = 1; bit < up && from_root + bit < n; bit *= 2) {
    sources.push_back(plan.scratch());
    plan.receive(plan.peer(bit), sources.back(), one(0));
  }
  if (from_root == 0) {
    plan.reduce(output(0), one(0), std::move(sources));
  } else if (sources.size() == 1) {
    plan.send(plan.peer(-up), input(0), one(0));
  } else {
    const Spot sum = plan.scratch();
    plan.reduce(sum, one(0), std::move(sources), false);
    plan.send(plan.peer(-up), sum, one(0));
  }
  return plan.finish();
}

MessageSchedule barrier_dissemination(const Shape& shape) {
  MessageBuilder plan(shape, 1);
  Spot heard = input(0);
  for (int d = 1; d < shape.nranks; d *= 2) {
    // A barrier has no elements, so these messages are empty. The scratch memory carries the order:
    // a round is sent when the rounds before it have been received.
    const Spot next = plan.scratch();
    plan.send(plan.peer(d), heard, one(0));
    plan.receive(plan.peer(-d), next, one(0));
    heard = next;
  }
  return plan.finish();
}

MessageSchedule all_gather_bruck(const Shape& shape) {
  const int n = shape.nranks;
  MessageBuilder plan(shape, n, Layout::kVector, Layout::kBlocks);
  const Spot held = plan.scratch(n);  // slot i: block rank + i
  plan.copy(held, one(0), input(0));
  for (int d = 1; d < n; d *= 2) {
    const int blocks = std::min(d, n - d);
    plan.send(plan.peer(-d), held, {0, blocks});
    plan.receive(plan.peer(d), {held.place, held.index + d}, {d, d + blocks});
  }
  for (int i = 0; i < n; ++i) {
    plan.copy(output(plan.peer(i)), one(plan.peer(i)), {held.place, held.index + i});
  }
  return plan.finish();
}

MessageSchedule all_to_all_bruck(const Shape& shape) {
  const int n = shape.nranks;
  MessageBuilder plan(shape, n, Layout::kBlocks, Layout::kBlocks);
  std::vector<Spot> held;  // what is to travel a distance of i still, or has arrived from there
  for (int i = 0; i < n; ++i) held.push_back(input(plan.peer(i)));
  for (int d = 1; d < n; d *= 2) {
    std::vector<int> travel;
    for (int i = d; i < n; ++i) {
      if ((i & d) != 0) travel.push_back(i);
    }
    const int blocks = static_cast<int>(travel.size());
    const Spot given = plan.scratch(blocks);
    const Spot taken = plan.scratch(blocks);
    for (int b = 0; b < blocks; ++b) {
      Spot& block = held[static_cast<size_t>(travel[static_cast<size_t>(b)])];
      plan.copy({given.place, given.index + b}, one(b), block);
      block = {taken.place, taken.index + b};
    }
    plan.send(plan.peer(d), given, {0, blocks});
    plan.receive(plan.peer(-d), taken, {0, blocks});
  }
  for (int i = 0; i < n; ++i) {
    plan.copy(output(plan.peer(-i)), one(plan.peer(-i)), held[static_cast<size_t>(i)]);
  }
  return plan.finish();
}

MessageSchedule all_to_all_pairwise(const Shape& shape) {
  MessageBuilder plan(shape, shape.nranks, Layout::kBlocks, Layout::kBlocks);
  for (int d = 1; d < shape.nranks; ++d) {
    plan.send(plan.peer(d), input(plan.peer(d)), one(plan.peer(d)));
    plan.receive(plan.peer(-d), output(plan.peer(-d)), one(plan.peer(-d)));
  }
  plan.copy(output(shape.rank), one(shape.rank), input(shape.rank));
  return plan.finish();
}

}  // namespace goss::collectives
