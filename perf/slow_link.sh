#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
#
# Gossamer, Open MPI and Gloo between hosts with slow links; see "Slow links" in README.md. Builds
# nothing.
exec python3 "$(dirname "$0")/slow_link.py" "$@"
