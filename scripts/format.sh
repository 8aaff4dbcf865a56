#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
#
# Formats every C and C++ file with clang-format 14; --check only says which ones differ.
set -euo pipefail
cd "$(dirname "$0")/.."

folders=()
for folder in include src tests perf tools bindings examples trainer; do
    if [[ -d $folder ]]; then folders+=("$folder"); fi
done
mapfile -d '' files < <(find "${folders[@]}" \( -name '*.h' -o -name '*.c' -o -name '*.cpp' \) -print0)
if [[ ${1-} != --check ]]; then
    clang-format-14 --style=file -i "${files[@]}"
    exit 0
fi
# Many files a process: starting one takes longer than reading a file.
if printf '%s\0' "${files[@]}" |
    xargs -0 -P "$(nproc)" -n 50 clang-format-14 --style=file --dry-run --Werror --ferror-limit=1; then
    echo "${#files[@]} files, all formatted"
else
    echo "${#files[@]} files, not all formatted (scripts/format.sh does it)"
    exit 1
fi
