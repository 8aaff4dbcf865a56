# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
set(GOSS_DEVICE_SOURCES
  device/shared_memory.cpp)
