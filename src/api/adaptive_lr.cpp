// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The entry points of adaptive.h about learning rates: check arguments, call, catch.
#include <cmath>

#include "adaptive/ada_scale.h"
#include "adaptive/lr_scale.h"
#include "api/adaptive.h"
#include "gossamer/adaptive.h"

using goss::fail;
using goss::Status;
using goss::api::check_pointer;
using goss::api::check_size;
using goss::api::guarded;

namespace {

bool is_positive(double number) {  // false for NaN
  return number > 0 && std::isfinite(number);
}

Status check_estimate(const char* function, const gossAdaScale_t* estimate) {
  GOSS_TRY(check_size(function, "estimate", estimate));
  const bool finite = std::isfinite(estimate->signal) && std::isfinite(estimate->variance);
  if (estimate->weight >= 0 && estimate->weight <= 1 && finite) return {};
  return fail(gossInvalidArgument,
              "%s : an estimate of weight %g (0 to 1), signal %g, variance %g (finite): start from "
              "GOSS_ADASCALE_INITIALIZER",
              function, estimate->weight, estimate->signal, estimate->variance);
}

Status check_norms(const gossGradientNorms_t& norms) {
  if (norms.parts < 2) {
    return fail(gossInvalidArgument,
                "gossAdaScaleUpdate : parts = %d (2 or more; one rank takes the gradients of its "
                "last two steps)",
                norms.parts);
  }
  for (const double squares : {norms.part_squares, norms.mean_squares}) {
    if (squares >= 0 && std::isfinite(squares)) continue;
    return fail(gossInvalidArgument,
                "gossAdaScaleUpdate : part_squares = %g, mean_squares = %g (finite, 0 or more): "
                "the training has diverged",
                norms.part_squares, norms.mean_squares);
  }
  if (is_positive(norms.batch_ratio)) return {};
  return fail(gossInvalidArgument, "gossAdaScaleUpdate : batch_ratio = %g (above 0)",
              norms.batch_ratio);
}

}  // namespace

extern "C" {

gossResult_t gossLrScale(gossLrRule_t rule, uint64_t batch, uint64_t reference, double* scale) {
  return guarded([&]() -> Status {
    GOSS_TRY(check_pointer("gossLrScale", "scale", scale));
    const auto number = static_cast<int>(rule);
    if (number < gossLrLinear || number > gossLrConstant) {
      return fail(gossInvalidArgument, "gossLrScale : rule = %d (0 to %d)", number, gossLrConstant);
    }
    if (batch == 0 || reference == 0) {
      return fail(gossInvalidArgument,
                  "gossLrScale : batch of %llu, reference of %llu samples (both "
                  "above 0)",
                  static_cast<unsigned long long>(batch),
                  static_cast<unsigned long long>(reference));
    }
    const double ratio = static_cast<double>(batch) / static_cast<double>(reference);
    *scale = goss::adaptive::lr_scale_of(rule, ratio);
    return {};
  });
}

gossResult_t gossAdaScaleUpdate(gossAdaScale_t* estimate, const gossGradientNorms_t* norms) {
  return guarded([&]() -> Status {
    GOSS_TRY(check_estimate("gossAdaScaleUpdate", estimate));
    GOSS_TRY(check_pointer("gossAdaScaleUpdate", "norms", norms));
    GOSS_TRY(check_norms(*norms));
    goss::adaptive::take_in(*estimate, *norms);
    return {};
  });
}

gossResult_t gossAdaScaleGain(const gossAdaScale_t* estimate, double batch_ratio, double* gain) {
  return guarded([&]() -> Status {
    GOSS_TRY(check_estimate("gossAdaScaleGain", estimate));
    GOSS_TRY(check_pointer("gossAdaScaleGain", "gain", gain));
    if (!is_positive(batch_ratio)) {
      return fail(gossInvalidArgument, "gossAdaScaleGain : batch_ratio = %g (above 0)",
                  batch_ratio);
    }
    *gain = goss::adaptive::gain(*estimate, batch_ratio);
    return {};
  });
}

}  // extern "C"
