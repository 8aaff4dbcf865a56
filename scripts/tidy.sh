#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
#
# Runs clang-tidy with the checks of .clang-tidy over src/ and perf/, or over the given files.
# Needs clang-tidy and a configured build folder (build, or $BUILD).
set -euo pipefail
cd "$(dirname "$0")/.."

files=("$@")
if ((${#files[@]} == 0)); then
    mapfile -t files < <(find src perf -name '*.cpp')
fi
printf '%s\0' "${files[@]}" |
    xargs -0 --max-procs=2 --max-args=1 clang-tidy --quiet -p "${BUILD-build}"
