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
differ=0
for file in "${files[@]}"; do
    if ! clang-format-14 --style=file "$file" | cmp --quiet - "$file"; then
        echo "not formatted: $file"
        differ=$((differ + 1))
    fi
done
echo "${#files[@]} files, $differ not formatted (scripts/format.sh)"
((differ == 0))
