#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
#
# Formats every C and C++ file with clang-format 14; --check only says which ones differ.
set -euo pipefail
cd "$(dirname "$0")/.."

folders=()
for folder in include src tests perf bindings trainer; do
    if [[ -d $folder ]]; then folders+=("$folder"); fi
done
mode=(-i)
if [[ ${1-} == --check ]]; then mode=(--dry-run --Werror); fi
find "${folders[@]}" \( -name '*.h' -o -name '*.c' -o -name '*.cpp' \) -print0 |
    xargs -0 clang-format-14 --style=file "${mode[@]}"
