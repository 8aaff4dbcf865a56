# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
# Sources of src/transport/bootstrap, relative to src/.
set(GOSS_BOOTSTRAP_SOURCES
  transport/bootstrap/allgather.cpp
  transport/bootstrap/bootstrap.cpp
  transport/bootstrap/dialer.cpp
  transport/bootstrap/fork_guard.cpp
  transport/bootstrap/frame.cpp
  transport/bootstrap/gate.cpp
  transport/bootstrap/handshake.cpp
  transport/bootstrap/interface.cpp
  transport/bootstrap/mesh.cpp
  transport/bootstrap/messages.cpp
  transport/bootstrap/process_token.cpp
  transport/bootstrap/root.cpp
  transport/bootstrap/socket.cpp
  transport/bootstrap/unique_id.cpp
)
