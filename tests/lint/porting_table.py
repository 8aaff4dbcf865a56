#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""The functions of NCCL, and what becomes of each here: the one source of docs/porting-from-nccl.md.

Without arguments prints the page; --write ROOT writes it. --check ROOT LIBRARY: the page is up to date, the
table covers the functions of NCCL and no others, what works is declared and exported, what does not is
not, and nothing is refused but the functions of NCCL's device API.
"""

import pathlib
import re
import subprocess
import sys

# Since which version NCCL has what: its host functions, read from its tags up to 2.31.
FUNCTIONS = {
    "2.3": "GetVersion GetUniqueId CommInitRank CommInitAll CommDestroy GetErrorString CommCount CommCuDevice "
           "CommUserRank Reduce Bcast Broadcast AllReduce ReduceScatter AllGather GroupStart GroupEnd",
    "2.4": "CommGetAsyncError CommAbort",
    "2.7": "Send Recv",
    "2.11": "RedOpCreatePreMulSum RedOpDestroy",
    "2.13": "GetLastError",
    "2.14": "CommInitRankConfig CommFinalize",
    "2.18": "CommSplit",
    "2.19": "CommRegister CommDeregister MemAlloc MemFree",
    "2.22": "GroupSimulateEnd",
    "2.23": "CommInitRankScalable",
    "2.24": "ResetDebugInit",
    "2.27": "CommShrink CommWindowRegister CommWindowDeregister",
    "2.28": "AlltoAll Gather Scatter",
    "2.28.7": "CommRevoke",
    "2.29": "CommGetUniqueId CommGrow PutSignal Signal WaitSignal WinGetUserPtr",
    "2.29.7": "CommSuspend CommResume CommMemStats",
    "2.30.4": "ParamBind ParamGetI8 ParamGetI16 ParamGetI32 ParamGetI64 ParamGetU8 ParamGetU16 ParamGetU32 "
              "ParamGetU64 ParamGetStr ParamGet ParamGetParameter ParamGetAllParameterKeys ParamDumpAll",
    "2.31": "AllReduceConfig BroadcastConfig ReduceConfig AllGatherConfig ReduceScatterConfig AlltoAllConfig "
            "GatherConfig ScatterConfig",
}
# Host functions that prepare kernels of the caller which communicate by themselves. Since 2.28.
DEVICE_API = ("DevCommCreate DevCommDestroy CommQueryProperties GetLsaMultimemDevicePointer "
              "GetMultimemDevicePointer GetLsaDevicePointer GetPeerDevicePointer TeamWorld TeamLsa TeamRail "
              "TeamRankToWorld TeamRankToLsa LsaBarrierCreateRequirement GinBarrierCreateRequirement "
              "GinOutboxCreateRequirement GinInboxA2ACreateRequirement LLA2ACalcSlots LLA2ACreateRequirement")
DEVICE_REASON = "there are no GPUs in this version whose kernels could communicate"

# What differs. A function without an entry is used as in NCCL.
DIFFERENCES = {
    "GetVersion": "Gossamer's version: `GOSS_VERSION_CODE`",
    "GetErrorString": "other phrases",
    "GetLastError": "of one communicator, or of the calling thread with NULL; NCCL has one text per process",
    "CommInitRank": "several ranks per thread, process and host; `*comm` is set before the others have come",
    "CommInitAll": "`devlist` NULL: host memory",
    "CommDestroy": "does not wait for other ranks",
    "CommAbort": "bounded time; the other ranks get `gossRemoteError`",
    "CommCuDevice": "`GOSS_DEVICE_HOST` for host memory",
    "CommInitRankConfig": "`gossConfig_t` has fields of its own; NCCL's about GPU kernels and networks are missing",
    "CommSplit": "not on a communicator that has failed or was revoked: shrink it",
    "CommInitRankScalable": "the first id is used",
    "AllReduce": "fp16, bf16 and fp8 are summed in fp32 and rounded once; ranks that disagree get "
                 "`gossInvalidUsage`, both named",
    "Reduce": "as all-reduce",
    "ReduceScatter": "as all-reduce",
    "AlltoAll": "in place is refused",
    "Bcast": "not deprecated",
    "Send": "up to about 64 KiB complete before the receiver takes them",
    "Recv": "counts and types are compared with the sender's",
    "RedOpCreatePreMulSum": "products rounded to the type, then summed as above; on host memory "
                            "`gossScalarDevice` is host memory",
    "CommRegister": "`gossMemAlloc` memory is made known to peers; of other memory nothing is done",
    "MemAlloc": "host memory that peers on the host use in place",
    "GroupSimulateEnd": "a rough model",
    "ResetDebugInit": "reads `GOSS_LOG` and `GOSS_LOG_FILE`",
    "CommShrink": "works after deaths; `gossCommGetLostRanks` says whom to leave out; with "
                  "`GOSS_SHRINK_ABORT` the parent has failed afterwards",
    "CommRevoke": "ends the calls of the other ranks as well",
    "CommGrow": "the grown communicator is a job of its own",
    "CommWindowRegister": "memory of `gossMemAlloc` only; sizes may differ between ranks; all flags mean the same",
    "CommWindowDeregister": "local",
    "PutSignal": "`localbuff` need not be in a window; 16 sigIdx and 4 ctx, without configuration",
    "Signal": "needs no window",
    "CommSuspend": "of staging memory; a barrier",
    "CommMemStats": "bytes of host memory",
    "AllReduceConfig": "the config names codec, error feedback and a report of errors: `gossamer/compression.h`",
    **{name: "as all-reduce with a config" for name in FUNCTIONS["2.31"].split()[1:]},
    "ParamBind": "keys are the variables of docs/environment.md, with or without `GOSS_`",
    "ParamGetI64": "of durations the milliseconds",
    "ParamGetStr": "of a secret only whether it is set",
}

# Not there yet. An entry must go when the header declares the function.
MISSING = set()

EXTENSIONS = """
## What RCCL adds

| RCCL | here |
|---|---|
| `ncclAllToAll` | `gossAlltoAll` |
| `ncclAllToAllv` | `gossAlltoAllv`, counts compared per pair |
| `ncclAllReduceWithBias`, `mscclLoadAlgo`, `mscclRunAlgo`, `mscclUnloadAlgo`, `ncclCommDump` | nothing; \
`GOSS_DUMP` writes the last operations of a failed communicator |

## What Gossamer adds

`gossBarrier`, `gossAllGatherv`, `gossReduceScatterv`, `gossAlltoAllv`; streams and events on host memory
(`gossStreamCreate`, `gossEventCreate`, ...); `gossCommInitEnv`, `gossCommInitMpi`; `gossCommGetLostRanks`;
`gossCommGetStats`, `gossExplain`, `gossExplainPeer`; compression (`gossamer/compression.h`): codecs, errors that can be
read, error feedback.
"""

HEAD = """# Porting from NCCL

Generated from [porting_table.py](../tests/lint/porting_table.py) by `scripts/gen_env_doc.sh`; a test checks it against
header and library. Include `gossamer/gossamer.h` instead of `nccl.h`, write `goss` instead of `nccl` and
`GOSS_` instead of `NCCL_`; arguments, enumerators and codes are the same, `gossStream_t` takes the place of
`cudaStream_t`. A stream that is NULL is *synchronous*: the call returns when the work is done. What else differs:

| NCCL | since | here | difference |
|---|---|---|---|
"""


def rows():
    """(name, since, state, difference) of every function."""
    for since, names in FUNCTIONS.items():
        for name in names.split():
            state = "not yet" if name in MISSING else "works"
            yield name, since, state, DIFFERENCES.get(name, "")
    for name in DEVICE_API.split():
        yield name, "2.28", "refused", DEVICE_REASON


def page():
    lines = [f"| `nccl{name}` | {since} | {state} | {difference} |\n" for name, since, state, difference in rows()]
    return HEAD + "".join(lines) + EXTENSIONS


def check(root, library):
    header = "".join(path.read_text() for path in sorted((root / "include/gossamer").glob("*.h")))
    declared = set(re.findall(r"^GOSS_API\b[^;]*?\bgoss(\w+)\(", header, re.MULTILINE))
    output = subprocess.run(["nm", "--dynamic", "--defined-only", "--format=posix", library], check=True,
                            capture_output=True, text=True).stdout
    exported = {line.split()[0].split("@")[0].removeprefix("goss") for line in output.splitlines()}
    problems = []
    names = [name for name, _, _, _ in rows()]
    problems += [f"{name} is listed twice" for name in sorted(set(names)) if names.count(name) > 1]
    problems += [f"{name} has a difference, but is no function of NCCL" for name in sorted(DIFFERENCES.keys() - names)]
    problems += [f"{name} is missing, but is no function of NCCL" for name in sorted(MISSING - set(names))]
    for name, _, state, _ in rows():
        there = name in declared and name in exported
        if state == "works" and not there:
            problems.append(f"goss{name} works, says the table, but is not declared and exported")
        if state != "works" and (name in declared or name in exported):
            problems.append(f"goss{name} is declared or exported, but the table says '{state}'")
    for name in re.findall(r"`goss(\w+)`", EXTENSIONS):
        if name not in declared:
            problems.append(f"goss{name} is named on the page, but not declared")
    if (root / "docs/porting-from-nccl.md").read_text() != page():
        problems.append("docs/porting-from-nccl.md is stale: run scripts/gen_env_doc.sh")
    print("\n".join(problems) if problems else f"{len(names)} functions")
    return 1 if problems else 0


def main():
    arguments = sys.argv[1:]
    if arguments[:1] == ["--check"]:
        return check(pathlib.Path(arguments[1]), arguments[2])
    if arguments[:1] == ["--write"]:
        (pathlib.Path(arguments[1]) / "docs/porting-from-nccl.md").write_text(page())
        return 0
    print(page(), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
