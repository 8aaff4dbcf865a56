// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include <bit>

#include "collectives/message_algorithms.h"

namespace goss::collectives {

namespace {

constexpr Spot input(int part) { return MessageBuilder::input(part); }
constexpr Spot output(int part) { return MessageBuilder::output(part); }

// The first half of a ring: `part` goes round from rank part + shift on; each rank adds its own.
// The last, rank part + shift - 1, has the sum. The lower rank is the left operand: the partial
// sum, until it has come round to rank 0.
void ring_reduce(MessageBuilder* plan, const Shape& shape, int shift, Spot result) {
  const int n = shape.nranks;
  const int me = shape.rank;
  const auto part_at = [&](int step) { return (2 * n + me - shift - step) % n; };
  Spot partial = input(part_at(0));
  for (int s = 0; s < n - 1; ++s) {
    plan->send(plan->peer(1), partial, one(part_at(s)));
    const int part = part_at(s + 1);
    const bool last = s == n - 2;
    const Spot received = plan->scratch();
    plan->receive(plan->peer(-1), received, one(part));
    partial = last ? result : received;
    const int first = (part + shift) % n;
    if (first < me) {
      plan->reduce(partial, one(part), {received, input(part)}, last);
    } else {
      plan->reduce(partial, one(part), {input(part), received}, last);
    }
  }
}

// The second half: this rank has part `first` and passes on what it gets.
void ring_gather(MessageBuilder* plan, const Shape& shape, int first) {
  const int n = shape.nranks;
  for (int s = 0; s < n - 1; ++s) {
    const int given = (n + first - s) % n;
    const int taken = (2 * n + first - s - 1) % n;
    plan->send(plan->peer(1), output(given), one(given));
    plan->receive(plan->peer(-1), output(taken), one(taken));
  }
}

// Ranks beyond a power of two hand their input to a neighbour and get the result from it.
class Folded {
 public:
  explicit Folded(const Shape& shape)
      : rank_(shape.rank),
        ranks_(static_cast<int>(std::bit_floor(static_cast<unsigned>(shape.nranks)))),
        extra_(shape.nranks - ranks_) {}

  int ranks() const { return ranks_; }  // that take part, a power of two
  bool paired() const { return rank_ < 2 * extra_; }
  bool out() const { return paired() && rank_ % 2 == 0; }
  int id() const { return paired() ? rank_ / 2 : rank_ - extra_; }  // of one that takes part
  int rank_of(int id) const { return id < extra_ ? 2 * id + 1 : id + extra_; }

  // Before: where this rank's operand lies then.
  Spot begin(MessageBuilder* plan, Parts whole) const {
    if (out()) {
      plan->send(rank_ + 1, input(0), whole);
      plan->receive(rank_ + 1, output(0), whole);
    } else if (paired()) {
      const Spot theirs = plan->scratch(whole.size());
      plan->receive(rank_ - 1, theirs, whole);
      plan->reduce(output(0), whole, {theirs, input(0)}, false);
      return output(0);
    }
    return input(0);
  }
  void end(MessageBuilder* plan, Parts whole) const {
    if (paired() && !out()) plan->send(rank_ - 1, output(0), whole);
  }

 private:
  int rank_;
  int ranks_;
  int extra_;
};

void combine(MessageBuilder* plan, Parts parts, Spot mine, Spot theirs, bool mine_is_lower,
             bool final) {
  if (mine_is_lower) {
    plan->reduce(output(parts.first), parts, {mine, theirs}, final);
  } else {
    plan->reduce(output(parts.first), parts, {theirs, mine}, final);
  }
}

MessageSchedule alone(MessageBuilder plan) {
  plan.reduce(output(0), one(0), {input(0)});
  return plan.finish();
}

}  // namespace

MessageSchedule all_reduce_ring(const Shape& shape) {
  const int n = shape.nranks;
  MessageBuilder plan(shape, n);
  if (n == 1) return alone(std::move(plan));
  const int own = (shape.rank + 1) % n;
  ring_reduce(&plan, shape, 0, output(own));
  ring_gather(&plan, shape, own);
  return plan.finish();
}

MessageSchedule reduce_scatter_ring(const Shape& shape) {
  MessageBuilder plan(shape, shape.nranks, Layout::kBlocks, Layout::kVector);
  if (shape.nranks == 1) return alone(std::move(plan));
  ring_reduce(&plan, shape, 1, output(0));
  return plan.finish();
}

MessageSchedule all_gather_ring(const Shape& shape) {
  MessageBuilder plan(shape, shape.nranks, Layout::kVector, Layout::kBlocks);
  plan.copy(output(shape.rank), one(shape.rank), input(0));
  ring_gather(&plan, shape, shape.rank);
  return plan.finish();
}

MessageSchedule all_reduce_recursive_doubling(const Shape& shape) {
  const Parts whole = one(0);
  MessageBuilder plan(shape, 1);
  if (shape.nranks == 1) return alone(std::move(plan));
  const Folded folded(shape);
  Spot mine = folded.begin(&plan, whole);
  if (folded.out()) return plan.finish();
  for (int d = 1; d < folded.ranks(); d *= 2) {
    const int partner = folded.rank_of(folded.id() ^ d);
    const Spot theirs = plan.scratch();
    plan.send(partner, mine, whole);
    plan.receive(partner, theirs, whole);
    combine(&plan, whole, mine, theirs, shape.rank < partner, 2 * d == folded.ranks());
    mine = output(0);
  }
  folded.end(&plan, whole);
  return plan.finish();
}

MessageSchedule all_reduce_halving_doubling(const Shape& shape) {
  const Folded folded(shape);
  const Parts whole{0, folded.ranks()};
  MessageBuilder plan(shape, folded.ranks());
  if (shape.nranks == 1) return alone(std::move(plan));
  Spot mine = folded.begin(&plan, whole);
  if (folded.out()) return plan.finish();
  Parts kept = whole;
  const auto at = [&](int part) { return Spot{mine.place, part}; };
  for (int d = folded.ranks() / 2; d > 0; d /= 2) {
    const int partner = folded.rank_of(folded.id() ^ d);
    const int middle = kept.first + d;
    const bool lower = (folded.id() & d) == 0;
    const Parts given = lower ? Parts{middle, kept.last} : Parts{kept.first, middle};
    kept = lower ? Parts{kept.first, middle} : Parts{middle, kept.last};
    const Spot theirs = plan.scratch(d);
    plan.send(partner, at(given.first), given);
    plan.receive(partner, theirs, kept);
    combine(&plan, kept, at(kept.first), theirs, shape.rank < partner, d == 1);
    mine = output(0);
  }
  for (int d = 1; d < folded.ranks(); d *= 2) {
    const int partner = folded.rank_of(folded.id() ^ d);
    const bool lower = (folded.id() & d) == 0;
    const Parts theirs =
        lower ? Parts{kept.last, kept.last + d} : Parts{kept.first - d, kept.first};
    plan.send(partner, output(kept.first), kept);
    plan.receive(partner, output(theirs.first), theirs);
    kept = lower ? Parts{kept.first, theirs.last} : Parts{theirs.first, kept.last};
  }
  folded.end(&plan, whole);
  return plan.finish();
}

}  // namespace goss::collectives
