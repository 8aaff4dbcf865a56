#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""Proves that every rule of check_layers.py bites: a small house with one violation each."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

LINT = pathlib.Path(__file__).with_name("check_layers.py")
SPDX = "// SPDX-License-Identifier: Apache-2.0\n// SPDX-FileCopyrightText: The Gossamer authors\n"
DOC = "".join(f" * {word}   text\n" for word in
              ("Shapes", "Units", "Alias", "Order", "Exact", "Errors"))

CLEAN = {
    "include/gossamer/gossamer.h":
        f"{SPDX}#include <stddef.h>\n\n/**\n * Sum.\n *\n{DOC} */\n"
        "GOSS_API int gossAllReduce(int);\nGOSS_API int gossAllReduceToo(int);\n",
    "src/base/env.h": f"{SPDX}#include <string>\n",
    "src/base/env.cpp": f'{SPDX}#include "base/env.h"\nauto a = getenv("A");\n',
    "src/base/sources.cmake": f"{SPDX.replace('//', '#')}base/env.cpp\n",
    "src/engine/plan.h":
        f'{SPDX}#include "base/env.h"\n'
        "std::shared_ptr<int> p;  // shared: with the test\n// abort() and getenv() in words\n",
    "tests/base/env_test.cpp": f'{SPDX}#include "base/env.h"\n',
    "tests/base/CMakeLists.txt":
        f"{SPDX.replace('//', '#')}goss_test(base SOURCES env_test.cpp b_test.cpp new_test.cpp)\n",
    "tests/lint/untested.txt": "# none\n",
}


def lint(changes):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in {**CLEAN, **changes}.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        done = subprocess.run([sys.executable, LINT, root], capture_output=True, text=True)
        return done.returncode, done.stdout


class EveryRuleBites(unittest.TestCase):
    def assert_refused(self, name, text, expected, changes=None):
        code, output = lint({name: text, **(changes or {})})
        self.assertEqual(code, 1, output)
        self.assertIn(expected, output)
        self.assertIn("1 violations", output)

    def test_a_clean_house_passes(self):
        code, output = lint({})
        self.assertEqual(code, 0, output)
        self.assertIn("longest files: ", output)

    def test_no_sources_is_a_failure(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([sys.executable, LINT, folder], capture_output=True, text=True)
            self.assertEqual(done.returncode, 1)

    def test_a_lower_layer_may_not_include_a_higher_one(self):
        self.assert_refused("src/base/log.h", f'{SPDX}#include "engine/plan.h"\n',
                            "src/base/log.h:3: layers: may not include engine/plan.h (allowed: base")

    def test_siblings_may_not_include_each_other(self):
        for folder in ("collectives", "reduce", "transport/shm"):
            self.assert_refused(f"src/{folder}/a.h", f'{SPDX}#include "quant/codec.h"\n', "layers",
                                {"src/quant/codec.h": SPDX})

    def test_a_transport_may_not_include_another(self):
        self.assert_refused("src/transport/shm/a.h", f'{SPDX}#include "transport/ucx/b.h"\n',
                            "layers", {"src/transport/ucx/b.h": SPDX})

    def test_the_engine_may_not_see_sockets(self):
        self.assert_refused("src/engine/a.h", f'{SPDX}#include "transport/bootstrap/socket.h"\n',
                            "layers", {"src/transport/bootstrap/socket.h": SPDX})

    def test_tools_see_only_public_headers(self):
        for folder in ("perf", "trainer"):
            self.assert_refused(f"{folder}/a.cpp", f'{SPDX}#include "base/env.h"\n', "layers")

    def test_the_training_loop_does_not_see_libtorch(self):
        self.assert_refused("trainer/loop.cpp", f"{SPDX}#include <torch/torch.h>\n",
                            "outside headers")

    def test_a_test_sees_what_its_subject_sees(self):
        self.assert_refused("tests/base/b_test.cpp", f'{SPDX}#include "engine/plan.h"\n', "layers")

    def test_quoted_includes_are_ours(self):
        self.assert_refused("src/base/a.h", f'{SPDX}#include "env.h"\n', "includes")

    def test_the_public_header_includes_nothing_else(self):
        self.assert_refused("include/gossamer/b.h", f"{SPDX}#include <stdio.h>\n", "public headers")

    def test_outside_headers_have_their_places(self):
        for header in ("hwy/highway.h", "mpi.h", "openssl/evp.h", "immintrin.h", "ucp/api/ucp.h"):
            self.assert_refused("src/base/a.h", f"{SPDX}#include <{header}>\n", "outside headers")

    def test_collectives_are_pure(self):
        self.assert_refused("src/collectives/a.h", f"{SPDX}#include <chrono>\n", "purity")

    def test_headers_do_not_go_round(self):
        self.assert_refused("src/base/a.h", f'{SPDX}#include "base/b.h"\n', "cycles",
                            {"src/base/b.h": f'{SPDX}#include "base/a.h"\n'})

    def test_only_env_cpp_reads_the_environment(self):
        self.assert_refused("src/base/a.h", f'{SPDX}auto a = std::getenv("X");\n', "environment")

    def test_only_base_ends_the_process(self):
        for call in ("std::abort();", "if (x) ::exit(1);", "  abort();", "{ exit(2); }"):
            self.assert_refused("src/engine/a.h", f"{SPDX}{call}\n", "exit")

    def test_a_member_called_abort_is_no_end_of_the_process(self):
        code, output = lint({"src/engine/a.h": f"{SPDX}void abort();\nvoid A::abort() {{}}\n"
                                               "void f() { comm->abort(); this->abort(); }\n"})
        self.assertEqual(code, 0, output)

    def test_shared_ptr_names_its_second_owner(self):
        self.assert_refused("src/engine/a.h", f"{SPDX}std::shared_ptr<int> p;\n", "shared_ptr")

    def test_no_using_namespace_in_headers(self):
        self.assert_refused("src/engine/a.h", f"{SPDX}using namespace std;\n", "using namespace")

    def test_lines_and_files_have_a_limit(self):
        self.assert_refused("src/base/a.h", f"{SPDX}// {'x' * 98}\n", "columns")
        self.assert_refused("src/base/a.h", SPDX + "\n" * 600, "length")

    def test_spdx_lines_are_wanted(self):
        self.assert_refused("src/base/a.h", "int a;\n", "SPDX")
        self.assert_refused("scripts/a.sh", "true\n", "SPDX")

    def test_public_functions_are_documented(self):
        header = CLEAN["include/gossamer/gossamer.h"]
        self.assert_refused("include/gossamer/gossamer.h", header + "\nGOSS_API int gossNew(void);\n",
                            "documentation: gossNew")
        self.assert_refused("include/gossamer/gossamer.h", header.replace(" * Alias   text\n", ""),
                            "documentation: gossAllReduce")

    def test_every_source_has_a_test_or_a_reason(self):
        listed = {"src/base/sources.cmake": CLEAN["src/base/sources.cmake"] + "base/new.cpp\n"}
        self.assert_refused("src/base/new.cpp", SPDX, "tests: has no test", listed)
        excuse = {"tests/lint/untested.txt": "src/base/new.cpp only calls the system\n"}
        code, output = lint({"src/base/new.cpp": SPDX, **listed, **excuse})
        self.assertEqual(code, 0, output)

    def test_an_excuse_needs_a_reason_and_a_file(self):
        self.assert_refused("tests/lint/untested.txt", "src/base/gone.cpp was here\n",
                            "does not exist")
        self.assert_refused("tests/lint/untested.txt", "src/base/env.cpp tested\n",
                            "has a test now")

    def test_every_source_is_built(self):
        self.assert_refused("src/base/new.cpp", SPDX, "build: is in no list",
                            {"tests/base/new_test.cpp": SPDX})

    def test_every_test_is_built(self):
        self.assert_refused("tests/base/other_test.cpp", SPDX, "build: is not in")


if __name__ == "__main__":
    unittest.main()
