#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""Gossamer beside what else there is: the same work done by all programs, alternately, in one run.

limit is the same collective written by hand on bare shared memory: the bound. Virtual machines
have states between which results differ up to eightfold (see common/distance.h), so every sample
carries the distance of two CPUs before and after it, and medians and ratios are of one state.
"""
import argparse
import csv
import datetime
import io
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile

from compare_plot import draw

PERF = pathlib.Path(__file__).resolve().parent
ROOT = PERF.parent
PEERS = ("openmpi", "mpich", "gloo")
PROGRAMS = ("gossamer", "limit") + PEERS
# All programs have the first three, the others Gossamer and the MPIs.
COLLECTIVES = ("all_reduce", "broadcast", "barrier", "reduce", "all_gather", "reduce_scatter",
               "alltoall", "gather", "scatter", "sendrecv")
IN_BLOCKS = ("all_gather", "reduce_scatter", "alltoall", "gather", "scatter")
BLOCK_UNIT = 16  # bytes, of which a rank's block is a multiple in the tools of nccl-tests
VARIANTS = {  # not measured unless named
    "gossamer-direct": ["-R", "1"],  # the user's buffers are in shared memory
    "limit-direct": ["--direct"],
    "gossamer-varied": ["--vary-count"],  # another count at every call
    "gossamer-group": ["-m", "64"],  # 64 operations in a group; the time is of one
}
BOUND = {"gossamer": "limit", "gossamer-direct": "limit-direct"}
STATES = ("near", "far", "unknown", "mixed", "busy")
LEFT_OUT = ("mixed", "busy")  # no like to compare these with
NEAR_BELOW_NS = 100  # kNearBelowNs of common/distance.h
BUSY_ABOVE_NS = 600  # no CPUs are so far apart: other processes ran on them
TOLERANCE = 1.10  # --check: worse than the best recorded by more than this is reported
HISTORY_FIELDS = ["date", "commit", "machine", "collective", "ranks", "bytes", "state", "program",
                  "median_us", "samples", "part_of_limit"]


class Unavailable(Exception):
    """A program that gives no result; the comparison goes on without it."""


def parse_sizes(text):
    """Sizes like 8,64K,1M: binary multiples."""
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    return [int(s[:-1]) * units[s[-1].upper()] if s[-1].upper() in units else int(s)
            for s in text.split(",")]


def size_text(size):
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= unit and size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} B"


def time_text(us):
    return f"{us / 1000:.2f} ms" if us >= 1000 else f"{us:.2f} us" if us < 100 else f"{us:.0f} us"


def state_of(before, after):
    """As state_of in common/distance.h, and busy."""
    if before <= 0 or after <= 0:
        return "unknown"
    if max(before, after) > BUSY_ABOVE_NS:
        return "busy"
    if (before < NEAR_BELOW_NS) != (after < NEAR_BELOW_NS):
        return "mixed"
    return "near" if before < NEAR_BELOW_NS else "far"


# ---- running the programs -----------------------------------------------------------------------


def end(process):
    """Asks first: mpirun passes the request on to its ranks, and could not pass on a kill."""
    for request in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, request)
            process.communicate(timeout=5)
            return
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            pass


def execute(command, options, env=None):
    """Runs a command; returns what it printed."""
    if not os.access(command[0], os.X_OK):
        raise Unavailable(f"{command[0]} is not built")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env=env, start_new_session=True) as process:
        try:
            out, err = process.communicate(timeout=options.timeout)
        except subprocess.TimeoutExpired as late:
            end(process)
            raise Unavailable(f"no result within {options.timeout:.0f} s") from late
        except BaseException:
            end(process)
            raise
    if process.returncode != 0:
        lines = (err.strip() or out.strip()).splitlines() or ["no message"]
        raise Unavailable(f"exit status {process.returncode}: {lines[-1]}")
    return out


def mpi_command(launcher, ranks, crowded):
    """The launcher's part of a command, and its environment."""
    path = shutil.which(launcher)
    if not path:
        raise Unavailable(f"{launcher} is not installed")
    env = dict(os.environ)
    if os.geteuid() == 0:
        env["OMPI_ALLOW_RUN_AS_ROOT"] = env["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1"
    # The ranks bind themselves, one to a CPU in turn as those of limit do: a launcher that binds
    # them hides the other CPUs, and with them the distance.
    openmpi = launcher.endswith("openmpi")
    command = [path, "-np", str(ranks), "--bind-to" if openmpi else "-bind-to", "none"]
    if crowded and openmpi:
        command.append("--oversubscribe")
    return command, env


def run_harness(program, ranks, size, options):
    """One point of limit or a peer: all have the flags of common/options.h and print CSV."""
    env, launcher = None, []
    if program in ("openmpi", "mpich"):
        launcher, env = mpi_command(f"mpirun.{program}", ranks, ranks > options.cpus)
    limit = program.startswith("limit")
    binary = options.build / "perf" / ("limit" if limit else f"{program}_perf")
    if not binary.exists():  # mpirun would say it in many words
        raise Unavailable(f"{binary} is not built")
    arguments = ["--collective", options.collective.replace("_", ""), "--ranks", str(ranks),
                 "--sizes", str(size), "--reps", str(options.reps),
                 "--block-ms", str(options.block_ms), "--csv"]
    arguments += VARIANTS.get(program, [])
    out = execute(launcher + [str(binary)] + arguments, options, env)
    header = out.find("program,")
    rows = list(csv.DictReader(io.StringIO(out[header:]))) if header >= 0 else []
    if not rows:
        raise Unavailable("printed no result")
    row = rows[0]
    if int(row["wrong"]) != 0:
        raise Unavailable(f"{row['wrong']} wrong elements")
    return float(row["time_us"]), float(row["before_ns"]), float(row["after_ns"])


def distance(options):
    """Ns of a cache line between two CPUs; 0 where it cannot be measured."""
    try:
        printed = execute([str(options.build / "perf" / "limit"), "--distance"], options)
        return float(printed.split()[0])
    except (Unavailable, ValueError, IndexError):
        return 0.0


def run_gossamer(program, ranks, size, options):
    """One point of Gossamer through its nccl-tests look-alike, timed as the harness times: as many
    blocks of the same length, a block's time that of the slowest rank (-a 3)."""
    binary = options.build / "perf" / f"{options.collective}_perf"
    # MPI_Bcast and gloo::broadcast have one buffer; a reduction out of place has two everywhere.
    place = "in_place" if options.collective == "broadcast" else "out_of_place"
    with tempfile.TemporaryDirectory(prefix="goss-compare-") as folder:
        file = os.path.join(folder, "result.json")
        command = [str(binary), "--procs", str(ranks), "--pin", "1", "--sizes", str(size),
                   "--reps", str(options.reps), "--block-ms", str(options.block_ms), "-a", "3",
                   "-J", file, *VARIANTS.get(program, [])]
        before = distance(options)
        execute(command, options)
        after = distance(options)
        with open(file, encoding="utf-8") as text:
            results = json.load(text)["results"]
    half = results[0][place]
    if float(half["nwrong"] or 0) != 0:
        raise Unavailable(f"{half['nwrong']} wrong elements")
    return float(half["time"]), before, after


def sample(program, ranks, size, options):
    run = run_gossamer if program.startswith("gossamer") else run_harness
    us, before, after = run(program, ranks, size, options)
    return {"program": program, "collective": options.collective, "ranks": ranks, "bytes": size,
            "us": us, "before_ns": before, "after_ns": after, "state": state_of(before, after)}


def collect(options):
    """All samples, and the reason for each (program, ranks, size) that failed. Programs alternate,
    and begin in another order each round, so that whatever changes with time meets all of them."""
    samples, skipped = [], {}
    points = [(ranks, size) for ranks in options.ranks for size in options.sizes]
    for number in range(options.rounds):
        for ranks, size in points:
            first = number % len(options.programs)
            for program in options.programs[first:] + options.programs[:first]:
                if (program, ranks, size) in skipped:
                    continue
                try:
                    one = sample(program, ranks, size, options)
                except Unavailable as reason:
                    skipped[program, ranks, size] = str(reason)
                    continue
                samples.append({"round": number, **one})
        print(f"round {number + 1} of {options.rounds} done", file=sys.stderr)
    reasons = {}
    for (program, ranks, size), reason in skipped.items():
        reasons.setdefault((program, reason), []).append(f"{ranks} x {size_text(size)}")
    for (program, reason), where in reasons.items():
        places = "everywhere" if len(where) == len(points) else ", ".join(where)
        print(f"{program} left out ({places}): {reason}", file=sys.stderr)
    return samples, skipped


# ---- from samples to ratios ---------------------------------------------------------------------


def summarise(samples):
    """One row per (ranks, bytes, state): the programs' medians and how Gossamer stands."""
    groups = {}
    for one in samples:
        key = (one["collective"], one["ranks"], STATES.index(one["state"]), one["bytes"])
        groups.setdefault(key, {}).setdefault(one["program"], []).append(one["us"])
    rows = []
    for (collective, ranks, state, size), programs in sorted(groups.items()):
        medians = {p: statistics.median(t) for p, t in programs.items()}
        row = {"collective": collective, "ranks": ranks, "state": STATES[state], "bytes": size,
               "median_us": medians, "samples": {p: len(t) for p, t in programs.items()},
               "part_of_limit": {}, "over_best_peer": None, "best_peer": None}
        ours = medians.get("gossamer")
        peers = {p: medians[p] for p in PEERS if p in medians}
        for program, bound in BOUND.items():
            if program in medians and bound in medians:
                row["part_of_limit"][program] = medians[bound] / medians[program]
        if peers:
            row["best_peer"] = min(peers, key=peers.get)
            row["over_best_peer"] = peers[row["best_peer"]] / ours if ours else None
        rows.append(row)
    return rows


def table(rows, programs):
    """The summary as text, one block per number of ranks and state."""
    lines, previous, left_out = [], None, 0
    for row in rows:
        if row["state"] in LEFT_OUT:
            left_out += sum(row["samples"].values())
            continue
        block = (row["collective"], row["ranks"], row["state"])
        if block != previous:
            lines += ["", f"{block[0]}, {block[1]} ranks, CPUs {block[2]}: median time (samples)",
                      f"{'size':>9}" + "".join(f"{p:>16}" for p in programs) +
                      f"{'part of limit':>16}{'over best peer':>24}"]
            previous = block
        cells = []
        for program in programs:
            us = row["median_us"].get(program)
            cells.append(f"{time_text(us)} ({row['samples'][program]})" if us else "-")
        parts = [f"{part:.2f}" for part in row["part_of_limit"].values()]
        over = row["over_best_peer"]
        peer = f"{over:.2f}x ({row['best_peer']})" if over else "-"
        lines.append(f"{size_text(row['bytes']):>9}" + "".join(f"{c:>16}" for c in cells) +
                     f"{', '.join(parts) or '-':>16}{peer:>24}")
    if left_out:
        lines += ["", f"{left_out} samples left out: meanwhile the CPUs were moved, or busy"]
    return "\n".join(lines)


# ---- files --------------------------------------------------------------------------------------


def machine():
    """Model and number of the CPUs: history of one machine says nothing about another."""
    model = "unknown"
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        for line in info:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip().replace(",", "")
                break
    return f"{model} x{len(os.sched_getaffinity(0))}"


def commit():
    """The commit of the sources, "-dirty" appended when they differ from it; "unknown" outside a
    repository. What is recorded already in the history is no source."""
    def git(*arguments):
        return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True,
                              check=True).stdout.strip()
    try:
        changes = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!perf/history")
        return git("rev-parse", "--short", "HEAD") + ("-dirty" if changes else "")
    except (OSError, subprocess.CalledProcessError):  # no git here, or no repository
        return "unknown"


def write_results(samples, rows, options):
    options.out.mkdir(parents=True, exist_ok=True)
    base = options.out / options.collective
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    document = {"date": now, "commit": options.commit, "machine": machine(),
                "arguments": sys.argv[1:], "summary": rows, "samples": samples}
    base.with_suffix(".json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    with open(base.with_suffix(".csv"), "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(samples[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(samples)
    drawn = [row for row in rows if row["state"] not in LEFT_OUT]
    base.with_suffix(".svg").write_text(draw(drawn, options.programs), encoding="utf-8")
    for suffix in (".json", ".csv", ".svg"):
        print(f"wrote {base.with_suffix(suffix)}")


def history_file(collective):
    return PERF / "history" / f"{collective.replace('_', '')}.csv"


def read_history(collective):
    if not history_file(collective).exists():
        return []
    with open(history_file(collective), newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def record(rows, options):
    """Appends the medians; the file only ever grows."""
    path = history_file(options.collective)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = not path.exists()
    common = {"date": datetime.date.today().isoformat(), "commit": options.commit,
              "machine": machine(), "collective": options.collective}
    with open(path, "a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=HISTORY_FIELDS, lineterminator="\n")
        if fresh:
            writer.writeheader()
        for row in (one for one in rows if one["state"] not in LEFT_OUT):
            for program, us in row["median_us"].items():
                part = row["median_us"].get(BOUND.get(program, "limit"), 0) / us
                writer.writerow({**common, "ranks": row["ranks"], "bytes": row["bytes"],
                                 "state": row["state"], "program": program,
                                 "median_us": f"{us:.4f}", "samples": row["samples"][program],
                                 "part_of_limit": f"{part:.3f}" if part else ""})
    print(f"recorded in {path}")


def best_recorded(history, here, options):
    """{(ranks, bytes, state): row}: Gossamer's best on this machine at the points asked for."""
    best = {}
    for old in history:
        ranks, size = int(old["ranks"]), int(old["bytes"])
        asked = ranks in options.ranks and size in options.sizes
        if old["program"] == "gossamer" and old["machine"] == here and asked:
            key = (ranks, size, old["state"])
            best[key] = min(best.get(key, old), old, key=lambda one: float(one["median_us"]))
    return best


def check(rows, skipped, best):
    """Prints what is wrong with Gossamer; returns how many points that are."""
    ours = {(row["ranks"], row["bytes"], row["state"]): row["median_us"]["gossamer"]
            for row in rows if "gossamer" in row["median_us"]}
    failed = {(ranks, size): reason for (program, ranks, size), reason in skipped.items()
              if program == "gossamer"}
    found = [f"FAILED: {ranks} ranks, {size_text(size)}: {reason}"
             for (ranks, size), reason in failed.items()]
    for (ranks, size, state), old in best.items():
        point = f"{ranks} ranks, {size_text(size)}, {state}"
        then = float(old["median_us"])
        us = ours.get((ranks, size, state))
        if us and us > TOLERANCE * then:
            found.append(f"WORSE: {point}: {time_text(us)}, {time_text(then)} at {old['commit']}")
        elif us or (ranks, size) in failed:
            continue
        elif any(key[:2] == (ranks, size) for key in ours):
            print(f"not compared: {point}: the machine was not in this state")
        else:
            found.append(f"MISSING: {point}: recorded, and not measured")
    if not best:
        print("nothing is recorded for these points on this machine")
    print("\n".join(found + [f"{len(best)} recorded points, {len(found)} found wrong"]))
    return len(found)


# ---- command line -------------------------------------------------------------------------------


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--ranks", default="2,4", help="numbers of ranks (%(default)s)")
    parser.add_argument("--sizes", default="8,8K,1M,64M",
                        help="bytes (%(default)s); where the data is a block for each rank, those "
                        "of all blocks, and at least 16 for each")
    parser.add_argument("--rounds", type=int, default=5, help="samples per point (%(default)s)")
    parser.add_argument("--collective", default="all_reduce", choices=COLLECTIVES)
    parser.add_argument("--programs", help=f"({','.join(PROGRAMS)}; where limit and gloo lack the "
                        f"collective, without them); there are also {', '.join(VARIANTS)}")
    parser.add_argument("--quick", action="store_true", help="one short round, 64M left out")
    parser.add_argument("--block-ms", type=float, default=10,
                        help="length of a timed block, at least 5 operations (%(default)s)")
    parser.add_argument("--reps", type=int, default=9, help="blocks per sample (%(default)s)")
    parser.add_argument("--timeout", type=float, default=60, help="seconds per sample")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build",
                        help="build folder (%(default)s)")
    parser.add_argument("--out", type=pathlib.Path, default=PERF / "results",
                        help="where JSON, CSV and SVG go (%(default)s)")
    parser.add_argument("--record", action="store_true", help="append the medians to the history")
    parser.add_argument("--check", action="store_true",
                        help="fail if Gossamer fails or is over 10 %% worse than recorded")
    options = parser.parse_args()
    options.commit = commit()
    try:
        options.ranks = [int(n) for n in options.ranks.split(",")]
        options.sizes = parse_sizes(options.sizes)
    except ValueError as error:
        parser.error(str(error))
    everywhere = options.collective in COLLECTIVES[:3]
    default = PROGRAMS if everywhere else ("gossamer", "openmpi", "mpich")
    options.programs = options.programs.split(",") if options.programs else list(default)
    unknown = set(options.programs) - set(PROGRAMS) - set(VARIANTS)
    if unknown:
        parser.error(f"--programs: no such program: {', '.join(sorted(unknown))}")
    if options.quick:
        options.rounds, options.block_ms, options.reps = 1, 4, 5
        options.sizes = [size for size in options.sizes if size <= 1 << 20]
    if options.collective == "barrier":
        options.sizes = [0]
    if options.collective in IN_BLOCKS:
        least = BLOCK_UNIT * max(options.ranks)
        options.sizes = sorted({max(size, least) for size in options.sizes})
    if options.check and "gossamer" not in options.programs:
        parser.error("--check: gossamer is not among the --programs")
    if options.record and (options.commit.endswith("-dirty") or options.commit == "unknown"):
        parser.error("--record: commit first, or the figures would belong to no commit")
    options.cpus = len(os.sched_getaffinity(0))
    return options


def main():
    options = parse_arguments()
    samples, skipped = collect(options)
    if not samples:
        print("compare: no program gave a result; build the perf tools first", file=sys.stderr)
        return 1
    rows = summarise(samples)
    print(table(rows, options.programs))
    write_results(samples, rows, options)
    status = 0
    if options.check:
        best = best_recorded(read_history(options.collective), machine(), options)
        status = 1 if check(rows, skipped, best) else 0
    if options.record:
        record(rows, options)
    return status


if __name__ == "__main__":
    sys.exit(main())
