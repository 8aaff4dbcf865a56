#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""Sums result files of ctest (JUnit): what failed and how, why tests were skipped, then one line.

Fails when a test failed, a file is missing, or no test ran.
"""

import collections
import pathlib
import re
import sys
import xml.etree.ElementTree


def reason(case):
    """What a skipped test said last, shortened."""
    output = case.findtext("system-out") or ""
    said = [line.strip() for line in output.splitlines()
            if line.strip() and not re.match(r"\s*(\[|Note:|Running main)", line)]
    return said[-1][:120] if said else "no reason given"


def complaint(case, most=12):
    """What a failed test complained of: from its first complaint on, or its last lines."""
    lines = [line.rstrip()[:160] for line in (case.findtext("system-out") or "").splitlines()
             if line.strip()]
    complaints = [i for i, line in enumerate(lines)
                  if re.search(r": Failure|ERROR: |WARNING: ThreadSanitizer|runtime error: ", line)]
    return lines[complaints[0]:][:most] if complaints else lines[-most:]


def main():
    passed = failed = skipped = 0
    reasons = collections.Counter()
    for name in sys.argv[1:]:
        path = pathlib.Path(name)
        if not path.exists():
            print(f"no results: {name}")
            failed += 1
            continue
        for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
            if case.get("status") == "fail":
                failed += 1
                print(f"FAILED  {path.parent.name}: {case.get('name')}")
                for line in complaint(case):
                    print(f"        {line}")
            elif case.get("status") == "run":
                passed += 1
            else:
                skipped += 1
                reasons[reason(case)] += 1
    for text, number in reasons.most_common():
        print(f"skipped {number}: {text}")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
