# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
set(GOSS_TOPOLOGY_SOURCES
  topology/cpu_set.cpp
  topology/hwloc_machine.cpp
  topology/order.cpp
  topology/placement.cpp
  topology/read.cpp
  topology/xml_check.cpp)
