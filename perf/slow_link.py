#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""Gossamer beside Open MPI and Gloo between hosts whose links are slow, and beside what one TCP
stream carries: alternately, in one run.

Needs root (or CAP_SYS_ADMIN and CAP_NET_ADMIN in the machine's own name space) to make network
namespaces, iproute2 (ip, tc with the tbf queue) and util-linux (unshare, nsenter); all hosts are
processes of this machine and share its CPUs, so fast links with many hosts are bound by those. The
stream is iperf3's where that is installed, otherwise one of this script's own. Programs must have
been built. The networks end with the script, also when it is interrupted.
"""
import argparse
import csv
import datetime
import io
import json
import os
import pathlib
import secrets
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from compare import (COLLECTIVES, PERF, ROOT, Unavailable, commit, end, machine, parse_sizes,
                     size_text, time_text)
from slow_hosts import DEVICE, Hosts, address, missing

PROGRAMS = ("gossamer", "openmpi", "gloo")
SKIPPED = 77  # exit status
BASE_PORT = 23400
# Bytes that each host must at least send or receive, in sizes of the table.
WIRE = {"all_reduce": lambda n: 2 * (n - 1) / n, "broadcast": lambda n: 1, "reduce": lambda n: 1,
        "all_gather": lambda n: (n - 1) / n, "reduce_scatter": lambda n: (n - 1) / n,
        "alltoall": lambda n: (n - 1) / n, "gather": lambda n: (n - 1) / n,
        "scatter": lambda n: (n - 1) / n, "sendrecv": lambda n: 1}


# ---- one TCP stream -------------------------------------------------------------------------------


def serve_stream(port):
    """Takes one connection and prints how many bytes a second came."""
    listener = socket.create_server(("", port))
    print("ready", flush=True)
    peer, _ = listener.accept()
    room = bytearray(1 << 20)
    count, began = 0, time.monotonic()
    while got := peer.recv_into(room):
        count += got
    print(count / (time.monotonic() - began))


def send_stream(host, port, seconds):
    data = bytes(1 << 20)
    with socket.create_connection((host, port)) as peer:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            peer.sendall(data)


def stream_rate(hosts, options):
    """Bytes per second from the first host to the second, as a program sees them."""
    there, here = hosts.enter(hosts.pids[1]), hosts.enter(hosts.pids[0])
    seconds = str(options.stream_seconds)
    if options.iperf:
        server, client = ([options.iperf, "-s", "-1", "-p", "5201"],
                          [options.iperf, "-c", address(1), "-p", "5201", "-t", seconds, "-J"])
    else:
        script = [sys.executable, str(pathlib.Path(__file__).resolve())]
        server, client = (script + ["--serve-stream", "5201"],
                          script + ["--send-stream", f"{address(1)}:5201:{seconds}"])
    with start(there + server, options) as serving:
        try:
            if options.iperf:
                time.sleep(0.3)
            else:
                serving.stdout.readline()
            out = finish(start(here + client, options), options)
            rate = finish(serving, options)
        except BaseException:
            end(serving)
            raise
    if options.iperf:
        return json.loads(out)["end"]["sum_received"]["bits_per_second"] / 8
    return float(rate)


# ---- running the programs -------------------------------------------------------------------------


def start(command, options, env=None):
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env=env, start_new_session=True)


def finish(process, options):
    """What it printed."""
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


def built(options, name):
    binary = options.build / "perf" / name
    if not os.access(binary, os.X_OK):
        raise Unavailable(f"{binary} is not built")
    return str(binary)


def timing(options):
    return ["--reps", str(options.reps), "--block-ms", str(options.block_ms)]


class Result:
    """Times in us by bytes, and of a codec what it did to the numbers."""

    def __init__(self, us, compression=None):
        self.us, self.compression = us, compression or {}


def run_gossamer(hosts, options, codec=None):
    binary = built(options, f"{options.collective}_perf")
    place = "in_place" if options.collective == "broadcast" else "out_of_place"
    nranks = hosts.count * options.per_host
    options.port += 1
    secret = secrets.token_hex(32)
    processes = []
    with tempfile.TemporaryDirectory(prefix="goss-slow-link-") as folder:
        file = os.path.join(folder, "result.json")
        try:
            for rank in range(nranks):
                host = rank // options.per_host
                env = dict(os.environ, GOSS_RANK=str(rank), GOSS_NRANKS=str(nranks),
                           GOSS_ADDR=address(0), GOSS_PORT=str(options.port), GOSS_SECRET=secret,
                           GOSS_HOSTID=f"host{host}", GOSS_IFNAME=DEVICE, UCX_TLS="tcp",
                           UCX_NET_DEVICES=DEVICE)
                command = [binary, "--sizes", ",".join(map(str, options.sizes)), "--pin", "0",
                           "-a", "3", *timing(options), *options.flags.split()]
                command += ["-J", file] if rank == 0 else []
                command += ["--codec", codec] if codec else []
                processes.append(start(hosts.enter(hosts.pids[host]) + command, options, env))
            for process in processes:
                finish(process, options)
        finally:
            for process in processes:
                if process.poll() is None:
                    end(process)
        with open(file, encoding="utf-8") as text:
            results = json.load(text)["results"]
    wrong = sum(float(one[place]["nwrong"] or 0) for one in results)
    if wrong:
        raise Unavailable(f"{wrong:.0f} wrong elements")
    return Result({size: float(one[place]["time"]) for size, one in zip(options.sizes, results)},
                  {size: one[f"{place}_compression"] for size, one in zip(options.sizes, results)
                   if f"{place}_compression" in one})


def parse_rows(out, options):
    header = out.find("program,")
    rows = list(csv.DictReader(io.StringIO(out[header:]))) if header >= 0 else []
    if len(rows) != len(options.sizes):
        raise Unavailable("printed no result")
    if any(int(row["wrong"]) for row in rows):
        raise Unavailable("wrong elements")
    return Result({size: float(row["time_us"]) for size, row in zip(options.sizes, rows)})


def harness_flags(options):
    return ["--collective", options.collective.replace("_", ""), "--pin", "0",
            "--sizes", ",".join(map(str, options.sizes)), *timing(options), "--csv"]


# mpirun reaches other hosts by a program like ssh.
AGENT = """#!/bin/sh
while [ "${1#-}" != "$1" ]; do shift; done
host=$1; shift
case $host in
%s
esac
exec nsenter --target=$pid --net --uts --mount -- sh -c "$*"
"""


def run_openmpi(hosts, options):
    mpirun = shutil.which("mpirun.openmpi") or shutil.which("mpirun")
    if not mpirun:
        raise Unavailable("Open MPI is not installed")
    binary = built(options, "openmpi_perf")
    with tempfile.TemporaryDirectory(prefix="goss-slow-link-") as folder:
        agent = pathlib.Path(folder) / "agent"
        cases = [f"  {address(host)}) pid={pid};;" for host, pid in enumerate(hosts.pids)]
        agent.write_text(AGENT % "\n".join(cases), encoding="utf-8")
        agent.chmod(0o700)
        places = ",".join([f"host0:{options.per_host}"] +
                          [f"{address(h)}:{options.per_host}" for h in range(1, hosts.count)])
        local = ",vader" if options.per_host > 1 else ""
        command = [mpirun, "-np", str(hosts.count * options.per_host), "--host", places,
                   "--bind-to", "none", "--oversubscribe"]
        for name, value in (("plm_rsh_agent", str(agent)), ("plm_rsh_no_tree_spawn", "1"),
                            ("oob_tcp_if_include", DEVICE), ("btl_tcp_if_include", DEVICE),
                            ("pml", "ob1"), ("btl", f"tcp,self{local}")):
            command += ["--mca", name, value]
        env = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
        command = hosts.enter(hosts.pids[0]) + command + [binary] + harness_flags(options)
        return parse_rows(finish(start(command, options, env), options), options)


def run_gloo(hosts, options):
    if options.collective not in COLLECTIVES[:3]:
        raise Unavailable("has no such collective")
    spaces = [str(pid) for pid in hosts.pids for _ in range(options.per_host)]
    command = [built(options, "gloo_perf"), "--ranks", str(len(spaces)),
               "--spaces", ",".join(spaces), "--interface", DEVICE] + harness_flags(options)
    return parse_rows(finish(start(command, options), options), options)


RUN = {"gossamer": run_gossamer, "openmpi": run_openmpi, "gloo": run_gloo}


def run(program, hosts, options):
    """`program`: one of PROGRAMS, or a codec with which Gossamer compresses."""
    if program in RUN:
        return RUN[program](hosts, options)
    return run_gossamer(hosts, options, program)


# ---- the comparison -------------------------------------------------------------------------------


def measure(count, gbits, options):
    """One row per size. The programs alternate, and begin in another order each round."""
    streams, times, compression, skipped = [], {}, {}, {}
    programs = options.programs + options.codecs
    with Hosts(count, f"{gbits}gbit") as hosts:
        for number in range(options.rounds):
            streams.append(stream_rate(hosts, options))
            first = number % len(programs)
            for program in programs[first:] + programs[:first]:
                if program in skipped:
                    continue
                try:
                    result = run(program, hosts, options)
                except Unavailable as reason:
                    skipped[program] = str(reason)
                    print(f"{program} left out ({count} hosts, {gbits} Gbit/s): {reason}",
                          file=sys.stderr)
                    continue
                for size, us in result.us.items():
                    times.setdefault(size, {}).setdefault(program, []).append(us)
                for size, figures in result.compression.items():
                    compression.setdefault(size, {})[program] = figures
    rate = statistics.median(streams)
    rows = []
    for size in options.sizes:
        samples = times.get(size, {})
        medians = {program: statistics.median(us) for program, us in samples.items()}
        wire = WIRE.get(options.collective, lambda n: 0)(count) * size
        rows.append({"hosts": count, "per_host": options.per_host, "gbits": gbits, "bytes": size,
                     "stream_bytes_per_s": rate, "bound_us": wire / rate * 1e6,
                     "median_us": medians, "samples_us": samples,
                     "compression": compression.get(size, {}), "skipped": skipped})
    return rows


def table(rows, options):
    lines, previous = [], None
    for row in rows:
        block = (row["hosts"], row["gbits"])
        if block != previous:
            previous = block
            ranks = row["hosts"] * row["per_host"]
            lines += ["", f"{options.collective}, {row['hosts']} hosts, {ranks} ranks, links of "
                      f"{row['gbits']} Gbit/s; a stream carries "
                      f"{row['stream_bytes_per_s'] * 8 / 1e9:.2f} Gbit/s",
                      f"{'size':>9}{'bound':>12}" + "".join(f"{p:>12}" for p in options.programs) +
                      f"{'part of bound':>15}{'over best peer':>24}"]
        medians = row["median_us"]
        ours = medians.get("gossamer")
        best = best_peer(row)
        cells = "".join(f"{time_text(medians[p]) if p in medians else '-':>12}"
                        for p in options.programs)
        part = f"{row['bound_us'] / ours:.3f}" if ours and row["bound_us"] else "-"
        over = f"{medians[best] / ours:.2f}x ({best})" if ours and best else "-"
        lines.append(f"{size_text(row['bytes']):>9}{time_text(row['bound_us']):>12}{cells}"
                     f"{part:>15}{over:>24}")
    return "\n".join(lines)


def best_peer(row):
    peers = {p: row["median_us"][p] for p in PROGRAMS[1:] if p in row["median_us"]}
    return min(peers, key=peers.get) if peers else None


def codec_table(rows, options):
    """What each codec made of it. The bound is what the stream needs for the bytes that the first
    rank sends, for all that ranks of its host send."""
    lines = [f"{'size':>9}{'codec':>12}{'wire bytes':>12}{'bound':>12}{'time':>12}{'part of bound':>15}"
             f"{'over exact':>12}{'over best peer':>24}{'max error':>12}{'its bound':>12}{'NMSE':>10}"]
    for row in rows:
        medians = row["median_us"]
        best = best_peer(row)
        for codec in options.codecs:
            if codec not in medians:
                continue
            us = medians[codec]
            exact = f"{medians['gossamer'] / us:.2f}x" if "gossamer" in medians else "-"
            over = f"{medians[best] / us:.2f}x ({best})" if best else "-"
            cells = f"{'-':>12}{'-':>12}{time_text(us):>12}{'-':>15}{exact:>12}{over:>24}"
            if figures := row["compression"].get(codec):
                wire = figures["wire_bytes"] * row["per_host"]
                bound = wire / row["stream_bytes_per_s"] * 1e6
                cells = (f"{wire:>12}{time_text(bound):>12}{time_text(us):>12}{bound / us:>15.3f}"
                         f"{exact:>12}{over:>24}{figures['max_error']:>12.3g}{figures['bound']:>12.3g}"
                         f"{figures['nmse']:>10.2g}")
            lines.append(f"{size_text(row['bytes']):>9}{codec:>12}{cells}")
    return "\n".join(lines)


def parse_arguments():
    head, _, rest = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(description=head, epilog=rest)
    parser.add_argument("--hosts", default="2,4", help="numbers of hosts (%(default)s)")
    parser.add_argument("--rates", default="1,5,10", help="links, in Gbit/s (%(default)s)")
    parser.add_argument("--per-host", type=int, default=1, help="ranks of a host (%(default)s)")
    parser.add_argument("--sizes", default="8,64K,1M,64M", help="bytes (%(default)s)")
    parser.add_argument("--collective", default="all_reduce", choices=COLLECTIVES)
    parser.add_argument("--programs", default=",".join(PROGRAMS), help="(%(default)s)")
    parser.add_argument("--codecs", default="",
                        help="also Gossamer with these codecs, such as int8,int4")
    parser.add_argument("--flags", default="", help="more flags for Gossamer's tool, such as -d half")
    parser.add_argument("--rounds", type=int, default=3, help="samples per point (%(default)s)")
    parser.add_argument("--block-ms", type=float, default=50,
                        help="length of a timed block, at least 5 operations (%(default)s)")
    parser.add_argument("--reps", type=int, default=1, help="blocks per sample (%(default)s)")
    parser.add_argument("--stream-seconds", type=int, default=1,
                        help="length of the TCP stream (%(default)s)")
    parser.add_argument("--timeout", type=float, default=60, help="seconds per sample")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build",
                        help="build folder (%(default)s)")
    parser.add_argument("--out", type=pathlib.Path, default=PERF / "results",
                        help="where the JSON file goes (%(default)s)")
    parser.add_argument("--serve-stream", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--send-stream", help=argparse.SUPPRESS)
    options = parser.parse_args()
    try:
        options.hosts = [int(n) for n in options.hosts.split(",")]
        options.rates = [float(n) if "." in n else int(n) for n in options.rates.split(",")]
        options.sizes = parse_sizes(options.sizes)
    except ValueError as error:
        parser.error(str(error))
    if min(options.hosts) < 2 or options.per_host < 1:
        parser.error("--hosts: at least 2; --per-host: at least 1")
    options.programs = options.programs.split(",")
    options.codecs = options.codecs.split(",") if options.codecs else []
    unknown = set(options.programs) - set(PROGRAMS)
    if unknown:
        parser.error(f"--programs: no such program: {', '.join(sorted(unknown))}")
    if options.collective == "barrier":
        options.sizes = [0]
    options.iperf = shutil.which("iperf3")
    options.port = BASE_PORT
    return options


def main():
    options = parse_arguments()
    if options.serve_stream:
        serve_stream(options.serve_stream)
        return 0
    if options.send_stream:
        host, port, seconds = options.send_stream.split(":")
        send_stream(host, int(port), float(seconds))
        return 0
    reason = missing()
    if reason:
        print(f"slow_link: skipped: {reason}", file=sys.stderr)
        return SKIPPED
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # through the ends of all blocks
    rows = []
    try:
        for gbits in options.rates:
            for count in options.hosts:
                rows += (block := measure(count, gbits, options))
                print(table(block, options), flush=True)
                if options.codecs:
                    print(codec_table(block, options), flush=True)
    except KeyboardInterrupt:
        print("slow_link: interrupted", file=sys.stderr)
        return 130
    except RuntimeError as failure:
        print(f"slow_link: {failure}", file=sys.stderr)
        return 1
    if not any(row["median_us"] for row in rows):
        print("slow_link: no program gave a result; build the perf tools first", file=sys.stderr)
        return 1
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / f"slow_link_{options.collective}.json"
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    document = {"date": now, "commit": commit(), "machine": machine(), "load": os.getloadavg()[0],
                "stream": "iperf3" if options.iperf else "own", "arguments": sys.argv[1:],
                "rows": rows}
    file.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
