# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
set(GOSS_COLLECTIVES_SOURCES
  collectives/all_reduce.cpp
  collectives/barrier.cpp
  collectives/broadcast.cpp
  collectives/registry.cpp
  collectives/schedule.cpp)
