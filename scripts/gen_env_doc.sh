#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
#
# Writes docs/environment.md, docs/porting-from-nccl.md and the table in docs/algorithms.md from the
# tables in the source.
# gen_env_doc.sh [build folder, default build]
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1-build}

cmake --build "$build" --target doc_text
python3 tests/lint/check_generated.py "$build/tests/lint/doc_text" . --write
python3 tests/lint/porting_table.py --write .
