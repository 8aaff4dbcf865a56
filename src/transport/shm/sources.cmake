# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
set(GOSS_SHM_SOURCES
  transport/shm/mailbox.cpp
  transport/shm/segment.cpp)
