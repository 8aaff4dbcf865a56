# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
set(GOSS_API_SOURCES
  api/adaptive.cpp
  api/adaptive_lr.cpp
  api/adaptive_precision.cpp
  api/c_api.cpp
  api/compression.cpp
  api/gossip.cpp
  api/last_error.cpp
  api/parameters.cpp
  api/point_to_point.cpp
  api/recovery.cpp
  api/reduction_ops.cpp
  api/varied_counts.cpp
  api/window.cpp)
