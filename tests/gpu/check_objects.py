#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""Looks at the kernels that were compiled for devices: check_objects.py FILE..

Every output has every kernel. In assembly of AMD (*.s) no kernel of a single codec keeps numbers in
memory instead of registers (scratch) beyond a few words that did not fit, or calls a function.
Prints a line per file; exits 1 when something is missing.
"""

import pathlib
import re
import sys

# Of each source: kernels with how many instances.
KERNELS = {
    "encode": {"encode_kernel": 17},
    "decode": {"decode_kernel": 17},
    "hop": {"hop_kernel": 17, "hop_of_two_codecs_kernel": 1, "hop_to_sign_kernel": 1,
            "combine_kernel": 1},
}
LOOKS_UP_CODECS = ("hop_of_two_codecs_kernel", "hop_to_sign_kernel", "combine_kernel")
FEW_BYTES = 64


def kernels_of(text):
    """Mangled names of kernels in assembly or in the symbols of an object."""
    return set(re.findall(r"_ZN4goss5quant3gpu\w*?\d+(?:encode|decode|hop\w*?|combine)_kernel\w+", text))


def check_assembly(text, problems):
    most_registers = 0
    for entry in re.split(r"\n  - \.a", text[text.index(".amdgpu_metadata"):])[1:]:
        name = re.search(r"\.name: +(\w+)", entry).group(1)
        registers = int(re.search(r"\.vgpr_count: +(\d+)", entry).group(1))
        scratch = int(re.search(r"\.private_segment_fixed_size: +(\d+)", entry).group(1))
        if any(word in name for word in LOOKS_UP_CODECS):
            continue
        most_registers = max(most_registers, registers)
        if scratch > FEW_BYTES:
            problems.append(f"{name} uses {scratch} bytes of scratch (allowed: {FEW_BYTES})")
    return f", at most {most_registers} registers"


def main():
    failures = 0
    for path in map(pathlib.Path, sys.argv[1:]):
        problems = []
        text = path.read_bytes().decode("latin-1") if path.exists() else ""
        names = kernels_of(text)
        note = ""
        for kernel, wanted in KERNELS[path.name.split(".")[0]].items():
            found = len({name for name in names if re.search(rf"\d{kernel}(?:I|E)", name)})
            if found < wanted:
                problems.append(f"{found} of {wanted} {kernel}")
        if path.suffix == ".s" and text:
            note = check_assembly(text, problems)
        print(f"{path.name}: {len(names)} kernels{note}")
        for problem in problems:
            print(f"  FAILED: {problem}")
        failures += len(problems)
    return 1 if failures or len(sys.argv) < 2 else 0


if __name__ == "__main__":
    sys.exit(main())
