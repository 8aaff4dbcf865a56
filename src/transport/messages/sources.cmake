# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
# Sources of src/transport/messages, relative to src/.
set(GOSS_MESSAGES_SOURCES
  transport/messages/protocol.cpp
  transport/messages/protocol_receive.cpp
  transport/messages/protocol_send.cpp
)
