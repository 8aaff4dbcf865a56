#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
#
# Everything that must hold before a change lands: the release suite, then the same tests under
# AddressSanitizer + UndefinedBehaviorSanitizer and under ThreadSanitizer, at smaller scale.
#   test.sh                 all three
#   test.sh --release-only  the first
#   test.sh --fast          the first, its sweeps as small as under the sanitizers
# Ends with "N passed, N failed, N skipped"; fails when a test failed or none ran.
set -euo pipefail
cd "$(dirname "$0")/.."

suites=(release asan tsan)
for option in "$@"; do
    case $option in
        --release-only) suites=(release) ;;
        --fast)
            suites=(release)
            export GOSS_TEST_SCALE=10
            ;;
        *)
            echo "usage: test.sh [--release-only | --fast]" >&2
            exit 2
            ;;
    esac
done
if ((EUID == 0)); then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
declare -A folder=([release]=build [asan]=build/asan [tsan]=build/tsan)
jobs=$(nproc)
broken=0
results=()

took() { printf '==== %-22s %4d s\n' "$1" $((SECONDS - $2)); }

mkdir -p build
start=$SECONDS
scripts/setup.sh </dev/null
took "setup" "$start"

for suite in "${suites[@]}"; do
    result=$PWD/${folder[$suite]}/results.xml
    rm -f "$result"
    start=$SECONDS
    if cmake --preset "$suite" >build/configure.log 2>&1 &&
        cmake --build --preset "$suite" -j "$jobs"; then
        took "$suite build" "$start"
        start=$SECONDS
        ctest --preset "$suite" --output-junit "$result" --timeout 300 </dev/null || broken=1
        took "$suite tests" "$start"
    else
        cat build/configure.log
        echo "==== $suite does not build"
        broken=1
    fi
    results+=("$result")
done

took "all" 0
python3 scripts/count_results.py "${results[@]}" || broken=1
exit "$broken"
