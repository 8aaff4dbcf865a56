#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""Ranks that torchrun starts, with nothing but ctypes.

  torchrun --nproc-per-node 4 torchrun_start.py

GOSS_LIBRARY names the library if the loader does not find it. A port next to torchrun's own is used,
so nothing has to be set.
"""

import ctypes
import os
import sys

FLOAT, SUM = 7, 0  # of gossDataType_t and gossRedOp_t

goss = ctypes.CDLL(os.environ.get("GOSS_LIBRARY", "libgossamer.so.0"))
goss.gossGetLastError.restype = ctypes.c_char_p
goss.gossAllReduce.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int,
                               ctypes.c_void_p, ctypes.c_void_p]


def check(code):
    if code != 0:
        sys.exit(goss.gossGetLastError(None).decode())


def main():
    comm = ctypes.c_void_p()
    check(goss.gossCommInitEnv(ctypes.byref(comm), None))
    rank, nranks = ctypes.c_int(), ctypes.c_int()
    check(goss.gossCommUserRank(comm, ctypes.byref(rank)))
    check(goss.gossCommCount(comm, ctypes.byref(nranks)))
    x = (ctypes.c_float * 3)(rank.value, 1, 0.5)
    check(goss.gossAllReduce(x, x, len(x), FLOAT, SUM, comm, None))
    print(f"rank {rank.value} of {nranks.value}: {x[0]:g} {x[1]:g} {x[2]:g}", flush=True)
    check(goss.gossCommDestroy(comm))


if __name__ == "__main__":
    main()
