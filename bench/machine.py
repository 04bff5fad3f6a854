# SPDX-License-Identifier: BSD-3-Clause
"""What the benchmark has to know about the machine that it runs on."""

import json
import os
import pathlib
import platform
import re
import resource
import subprocess
import time

CPUS = len(os.sched_getaffinity(0))
TICK = 1 / os.sysconf("SC_CLK_TCK")  # s


def busy_seconds():
    """CPU time of the whole machine that was not idle, since boot; with steal."""
    fields = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[:8])
    return (user + nice + system + irq + softirq + steal) * TICK


def children_seconds():
    """CPU time of all children that have ended."""
    use = resource.getrusage(resource.RUSAGE_CHILDREN)
    return use.ru_utime + use.ru_stime


def load():
    return pathlib.Path("/proc/loadavg").read_text().split()[:3]


class Patience:
    """Waits for quiet moments, and for no longer than `seconds` in all."""

    def __init__(self, seconds):
        self.left = seconds

    def await_quiet(self):
        """Returns once 100 ms went by with the machine 90 % idle, or after 2 s at most."""
        deadline = time.monotonic() + min(2.0, self.left)
        while (now := time.monotonic()) < deadline:
            before = busy_seconds()
            time.sleep(0.1)
            self.left -= time.monotonic() - now
            if busy_seconds() - before <= 0.01 * CPUS:
                return


def _first_line(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return (done.stdout.splitlines() or ["unknown"])[0]


def _read(path):
    try:
        return pathlib.Path(path).read_text().strip()
    except OSError:
        return "unknown"


def _cpu_model():
    for line in _read("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _shared_cache():
    """The CPUs that share the last level of cache with the first of ours."""
    first = min(os.sched_getaffinity(0))
    caches = sorted(pathlib.Path(f"/sys/devices/system/cpu/cpu{first}/cache").glob("index*"))
    return _read(caches[-1] / "shared_cpu_list") if caches else "unknown"


ROOT = pathlib.Path(__file__).resolve().parent.parent


def peer_packages():
    """As tools/setup names them; libevent is what the library itself stands on."""
    table = _read(ROOT / "tools" / "setup")
    return ["libevent-dev", *re.findall(r"^bench +(\S+) +peer:", table, re.MULTILINE)]


def _peers():
    packages = peer_packages()
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}, ", *packages],
                          capture_output=True, text=True, check=False)
    return done.stdout.rstrip(", ").replace("-dev ", " ") or "peers of unknown versions"


def describe():
    """The head of every table."""
    return {
        "cpu": _cpu_model(),
        "cpus": CPUS,
        "kernel": platform.release(),
        "virtual": " hypervisor" in _read("/proc/cpuinfo"),
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "clock": _read("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        "libc": " ".join(platform.libc_ver()),
        "commit": _first_line(["git", "-C", ROOT, "describe", "--always", "--dirty"]),
        "shared_cache": _shared_cache(),
        "peers": _peers(),
        "compiler": _first_line([os.environ.get("CC", "gcc"), "--version"]),
        "load_before": load(),
    }


def costs(programs):
    """The machine's own primitives, in ns; {} if the program is not there."""
    if not programs:
        return {}
    done = subprocess.run([programs[0]], capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else {}
