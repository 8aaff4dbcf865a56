# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
set(GOSS_ENGINE_SOURCES
  engine/calls.cpp
  engine/communicator.cpp
  engine/compute.cpp
  engine/direct_memory.cpp
  engine/execution.cpp
  engine/explain.cpp
  engine/faults.cpp
  engine/group.cpp
  engine/handle.cpp
  engine/inline_execution.cpp
  engine/job.cpp
  engine/join.cpp
  engine/lanes.cpp
  engine/makings.cpp
  engine/mapped_execution.cpp
  engine/mapped_movement.cpp
  engine/operation.cpp
  engine/pair_execution.cpp
  engine/plan.cpp
  engine/reactor.cpp
  engine/settings.cpp
  engine/start.cpp
  engine/stream.cpp
  engine/waiter.cpp
  engine/work.cpp)
