# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""Several "hosts" on one machine, whose links are slow: as tests/support/network.h. A host is a
process that does nothing but hold namespaces of its own: network, host name, mounts. They hang on a
switch, a bridge in one more. Nothing has a name in the system, and all of it ends with the processes,
which end with this one, however it ends."""
import ctypes
import os
import shutil
import signal
import subprocess

DEVICE = "eth0"  # of every host
TOOLS = ("ip", "tc", "unshare", "nsenter")
PR_SET_PDEATHSIG = 1


def missing():
    """Why there can be no hosts here; empty when there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for tool in TOOLS:
        if not shutil.which(tool):
            return f"{tool} is not installed (iproute2, util-linux)"
    done = subprocess.run(["unshare", "--net", "--uts", "--mount", "true"], capture_output=True,
                          check=False)
    return "" if done.returncode == 0 else "network namespaces are not permitted here"


def address(host):
    return f"10.77.0.{host + 1}"


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Hosts:
    """`count` hosts with links of `rate` (in tc's words), for a with statement."""

    def __init__(self, count, rate):
        self.processes = []
        self.count = count
        try:
            self.switch = self.start("switch")
            self.run_in(self.switch, "ip", "link", "add", "bridge", "type", "bridge")
            self.run_in(self.switch, "ip", "link", "set", "bridge", "up")
            self.pids = [self.start(f"host{host}") for host in range(count)]
            for host in range(count):
                self.connect(host, rate)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()
        self.processes = []

    def start(self, name):
        script = (f"hostname {name} && mount --make-rslave / && "
                  "(umount -l /sys; mount -t sysfs sysfs /sys) && echo ready && exec sleep infinity")
        process = subprocess.Popen(  # pylint: disable=consider-using-with
            ["unshare", "--net", "--uts", "--mount", "sh", "-c", script], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, start_new_session=True,
            preexec_fn=die_with_parent)  # pylint: disable=subprocess-popen-preexec-fn
        self.processes.append(process)
        if process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"no namespaces for {name}: {process.stderr.read().strip()}")
        return process.pid

    @staticmethod
    def enter(pid):
        """What to put before a command, so that it runs there."""
        return ["nsenter", f"--target={pid}", "--net", "--uts", "--mount", "--"]

    def run_in(self, pid, *command):
        done = subprocess.run(["nsenter", f"--target={pid}", "--net", "--", *command],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")

    def connect(self, host, rate):
        home, plug = self.pids[host], f"port{host}"
        self.run_in(self.switch, "ip", "link", "add", plug, "type", "veth", "peer", "name", DEVICE,
                    "netns", str(home))
        self.run_in(self.switch, "ip", "link", "set", plug, "master", "bridge", "up")
        self.run_in(home, "ip", "addr", "add", f"{address(host)}/24", "dev", DEVICE)
        self.run_in(home, "ip", "link", "set", DEVICE, "up")
        self.run_in(home, "ip", "link", "set", "lo", "up")
        for pid, device in ((home, DEVICE), (self.switch, plug)):
            self.run_in(pid, "tc", "qdisc", "replace", "dev", device, "root", "tbf", "rate", rate,
                        "burst", "256kb", "latency", "20ms")
