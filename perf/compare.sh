#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
#
# Gossamer beside limit, Open MPI, MPICH and Gloo; see "Comparison" in README.md. Builds nothing.
exec python3 "$(dirname "$0")/compare.py" "$@"
