# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
set(GOSS_COLLECTIVES_SOURCES
  collectives/all_gather.cpp
  collectives/all_reduce.cpp
  collectives/all_to_all.cpp
  collectives/barrier.cpp
  collectives/broadcast.cpp
  collectives/forwarding_schedules.cpp
  collectives/gather_scatter.cpp
  collectives/gossip.cpp
  collectives/gossip_alive.cpp
  collectives/gossip_matrix.cpp
  collectives/gossip_membership.cpp
  collectives/gossip_options.cpp
  collectives/gossip_permutation.cpp
  collectives/gossip_push_sum.cpp
  collectives/message_all_reduce.cpp
  collectives/message_movement.cpp
  collectives/message_schedule.cpp
  collectives/reduce.cpp
  collectives/reduce_scatter.cpp
  collectives/registry.cpp
  collectives/schedule.cpp)
