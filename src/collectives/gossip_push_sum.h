// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// PushSum: the weight w of one rank, and the account of where mass went. A rank holds (x, w); it
// gives a share of both away and adds what arrives, and x / w tends to the mean whatever is late,
// skipped or unequal. This is the arithmetic of w; vectors x are scaled by the same factors
// (src/mixing). A value; any thread, one at a time.
//
//   sum over living ranks of w + mass in flight + mass lost = ranks that ever joined
#pragma once

#include <cstdint>

namespace goss::collectives {

// A sum that many small terms do not wear away (Neumaier 1974).
class CompensatedSum {
 public:
  void add(double term);
  double value() const { return sum_ + correction_; }

 private:
  double sum_ = 0;
  double correction_ = 0;
};

// Where mass went, since the rank joined. Cumulative, so that the accounts of any set of ranks add.
struct PushSumAccount {
  CompensatedSum created;   // 1 at the start, and what reset() added (it may be negative)
  CompensatedSum sent;      // given away
  CompensatedSum received;  // taken in from others
  CompensatedSum returned;  // given away, but known not to have left, and taken back
  double held() const;      // what the account says the rank has
};

class PushSum {
 public:
  // Below it x / w has lost too many bits: all-reduce and reset().
  static constexpr double kLeastWeight = 1e-3;

  PushSum() { account_.created.add(1); }

  double weight() const { return weight_; }
  bool needs_reset() const { return weight_ < kLeastWeight; }
  const PushSumAccount& account() const { return account_; }

  // Takes parts / total of what the rank holds now; returns the weight that travels. x is split by
  // the same fraction: sent = x * parts / total, kept = x - sent.
  double send(int parts, int total);
  // Adds what arrived. Refuses (false, nothing changed) a weight that no sender can have sent:
  // not positive, or not finite.
  bool receive(double weight);
  // A message that certainly did not leave: its mass comes home.
  void take_back(double weight);
  // After an exact average of x / w over the living: every one of them holds 1 again.
  void reset();

 private:
  double weight_ = 1;
  PushSumAccount account_;
};

}  // namespace goss::collectives
