// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "collectives/gossip_push_sum.h"

#include <cmath>

namespace goss::collectives {

void CompensatedSum::add(double term) {
  const double sum = sum_ + term;
  correction_ += std::abs(sum_) >= std::abs(term) ? (sum_ - sum) + term : (term - sum) + sum_;
  sum_ = sum;
}

double PushSumAccount::held() const {
  CompensatedSum held = created;
  held.add(received.value());
  held.add(returned.value());
  held.add(-sent.value());
  return held.value();
}

double PushSum::send(int parts, int total) {
  const double leaves = weight_ * parts / total;
  weight_ -= leaves;
  account_.sent.add(leaves);
  return leaves;
}

bool PushSum::receive(double weight) {
  if (!std::isfinite(weight) || weight <= 0) return false;
  weight_ += weight;
  account_.received.add(weight);
  return true;
}

void PushSum::take_back(double weight) {
  weight_ += weight;
  account_.returned.add(weight);
}

void PushSum::reset() {
  account_.created.add(1 - weight_);
  weight_ = 1;
}

}  // namespace goss::collectives
