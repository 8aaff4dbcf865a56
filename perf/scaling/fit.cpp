// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "scaling/fit.h"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <string>

namespace goss::scaling {

Result<Line> fit_line(const std::vector<Sample>& samples) {
  double weight = 0, x = 0, y = 0, xx = 0, xy = 0;
  for (const Sample& s : samples) {
    if (!(s.time_us > 0) || !(s.bytes >= 0) || !std::isfinite(s.time_us)) {
      return fail(gossInvalidArgument, "fit: %g bytes in %g us; times must be positive", s.bytes,
                  s.time_us);
    }
    const double w = 1 / (s.time_us * s.time_us);
    weight += w;
    x += w * s.bytes;
    y += w * s.time_us;
    xx += w * s.bytes * s.bytes;
    xy += w * s.bytes * s.time_us;
  }
  const double determinant = weight * xx - x * x;
  if (samples.size() < 2 || determinant <= 1e-12 * weight * xx) {
    return fail(gossInvalidArgument, "fit: %zu samples; at least two sizes are needed",
                samples.size());
  }
  const double us_per_byte = (weight * xy - x * y) / determinant;
  if (us_per_byte <= 0) {
    return fail(gossInvalidArgument,
                "fit: the times do not grow with the bytes; measure larger messages too");
  }
  return Line{std::max(0.0, (y - us_per_byte * x) / weight), 1 / us_per_byte};
}

Result<std::vector<Sample>> read_samples(std::istream& in) {
  std::vector<Sample> samples;
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    std::replace(line.begin(), line.end(), ',', ' ');
    if (line.find_first_not_of(" \t\r") == std::string::npos || line[0] == '#' ||
        std::isalpha(static_cast<unsigned char>(line[0]))) {
      continue;
    }
    std::istringstream fields(line);
    Sample sample;
    if (!(fields >> sample.bytes >> sample.time_us)) {
      return fail(gossInvalidArgument, "fit: line %d is not \"bytes,time_us\": %s", number,
                  line.c_str());
    }
    samples.push_back(sample);
  }
  return samples;
}

}  // namespace goss::scaling
