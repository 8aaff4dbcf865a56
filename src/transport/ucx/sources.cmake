# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
# Sources of the module of src/transport/ucx, relative to src/.
set(GOSS_UCX_SOURCES
  transport/ucx/context.cpp
  transport/ucx/module.cpp
  transport/ucx/quiet.cpp
  transport/ucx/socket_watch.cpp
  transport/ucx/ucx_messenger.cpp
)
