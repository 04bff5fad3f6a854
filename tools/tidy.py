#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Checks the text of the sources against the rules that no compiler knows.

  tools/tidy.py [--root DIR] [FILE...]     exit 0: clean, 1: findings, 2: usage

Each finding is one line, `file:line: rule: message`.  The rules are the functions
named check_*; tools/tidy_test.py shows for each of them that it fires.  What is
allowed to break a rule stands in EXEMPT, with the reason, and nowhere else.
"""

import argparse
import collections
import fnmatch
import os
import pathlib
import re
import subprocess
import sys

LINES_MAX = 620
LIBEVENT_FILES_MAX = 2

# The layers of docs/architecture.md: which zone a file belongs to (first match
# wins), and which zones each zone may include besides itself.
ZONES = (
    ("*_test.cc", "top"),
    ("*_test.c", "top"),
    ("*_bench.cc", "top"),
    ("workqueue/base/*", "base"),
    ("workqueue/core/*", "core"),
    ("workqueue/event/*", "event"),
    ("delayed/delayed_work.*", "api"),  # the C++ face of delayed items
    ("delayed/*", "delayed"),
    ("kup_bridge/kup_abi.h", "ring"),
    ("kup_bridge/kup_atomics.h", "ring"),
    ("kup_bridge/ring*", "ring"),
    ("workqueue/linux/*", "linux"),
    ("workqueue/c/*", "c"),
    ("workqueue/*", "api"),
    ("kup_bridge/kernel/test/*", "top"),
    ("kup_bridge/*", "kup"),
    ("drivers/*", "top"),
    ("tests/*", "top"),
    ("bench/*", "top"),
    ("tools/*", "top"),
)
_LOWER = ("base", "core", "event", "delayed", "ring")
MAY_INCLUDE = {
    "base": (),
    "core": ("base",),
    "event": ("base", "core"),
    "delayed": ("base", "core", "event"),
    "ring": ("base",),  # so that it can be fuzzed, model-checked and shared with a kernel module
    "api": _LOWER,
    "c": _LOWER + ("api",),
    "kup": _LOWER + ("api", "c"),
    "linux": _LOWER + ("api", "c", "kup"),  # <linux/interrupt.h> is fed by a KUP channel
}
LAYER = {"base": 0, "core": 1, "event": 2, "delayed": 2, "ring": 2, "api": 3, "c": 3, "kup": 4,
         "linux": 4, "top": 5}

# rule, files, reason.  A folder may be named by a pattern.
EXEMPT = (
    ("sync", "workqueue/base/*", "is the door itself"),
    ("sync", "workqueue/core/lock_check.cc", "a checker adds no scheduling points to what the"
     " simulator explores"),
    ("sync", "workqueue/core/object_life.cc", "likewise"),
    ("sync", "bench/*", "measures peers, which bring their own threads"),
    ("sync", "*_bench.cc", "likewise"),
    ("sync", "kup_bridge/examples/*", "programs that show a device thread of their own"),
    ("clock", "kup_bridge/*_test.cc", "budgets of tests with two processes"),
    ("clock", "drivers/hdmi_example/demo/*", "the device process, which is not ours to serve"),
    ("sync", "kup_bridge/*_test.cc", "device threads and producers outside the library"),
    ("sync", "kup_bridge/test_peer.h", "likewise"),
    ("sync", "kup_bridge/bridge_fixture.h", "likewise"),
    ("sync", "tests/*", "producers and device processes that stand outside the library"),
    ("sync", "kup_bridge/ring*", "std::atomic_ref on memory that another process or the kernel"
     " shares; the atomics are a template parameter for relacy"),
    ("sync", "kup_bridge/kup_atomics.h", "the same for C, shared with the kernel module"),
    ("sync", "kup_bridge/bpf/*", "a BPF program: its machine's own atomics"),
    ("sync", "workqueue/linux/linux/*", "C headers whose atomic_t and READ_ONCE must be inline"),
    ("sync", "workqueue/linux/asm/*", "as above"),
    ("sync", "kup_bridge/kernel/*", "kernel code: the kernel's own primitives"),
    ("clock", "workqueue/base/*", "is the door itself"),
    ("clock", "bench/*", "measures"),
    ("clock", "*_bench.cc", "measures"),
    ("clock", "kup_bridge/kup_bench_util.h", "likewise"),
    ("clock", "tests/*", "budgets of stress runs and device processes"),
    ("clock", "kup_bridge/examples/*", "a user's program, which says how old a stamp is"),
    ("sleep", "workqueue/base/*", "is the door itself"),
    ("sleep", "tests/conformance/core/env.cc", "the workload of items, never a wait for a result"),
    ("sleep", "tests/runtime/process_test.cc", "watches idle threads for a while"),
    ("sleep", "tests/stress/stress_test.cc", "runs for a given time; sleeping is its items' workload"),
    ("sleep", "tests/hdmi/*", "other processes on the real clock, which nobody can notify"),
    ("sleep", "drivers/hdmi_example/demo/demo.cc", "the show's own clock between steps"),
    ("licence", "tests/docs/first_program.cc", "shown whole in README"),
    ("sleep", "bench/*", "measures sleepers"),
    ("sleep", "*_bench.cc", "measures: the reporting thread keeps off the CPU"),
    ("base-back-end", "workqueue/base/*", "the two back ends and their own sources"),
    ("base-back-end", "tests/sim/*", "the explorer drives the simulated back end"),
    ("base-back-end", "workqueue/linux/linux/*", "C headers"),
    ("include-style", "*.c", "may be built into a kernel module, which has no include root of ours"),
    ("include-style", "kup_bridge/*.h", "C headers shared with the kernel module, likewise"),
    ("include-style", "tests/conformance/linux/*", "likewise"),
    ("header-guard", "kup_bridge/kernel/*", "kernel code"),
    ("clock", "kup_bridge/kernel/test/*", "a program in the guest, outside the library"),
    ("sleep", "kup_bridge/kernel/test/*", "looks again for what the kernel or another process does"),
)

C_FAMILY = (".c", ".cc", ".cpp", ".h", ".hpp")
SOURCES = C_FAMILY + (".py", ".sh", ".pml")
LICENCES = ("BSD-3-Clause", "GPL-2.0-only OR BSD-3-Clause")
PUBLIC_HEADERS = ("workqueue/*.h", "workqueue/c/*.h", "workqueue/linux/linux/*.h", "delayed/*.h",
                  "kup_bridge/*.h")

Finding = collections.namedtuple("Finding", "path line rule message")


class Source:
    """A file's text, with and without comments and literals."""

    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.lines = text.splitlines()
        self.is_c_family = path.endswith(C_FAMILY)
        self.is_source = path.endswith(SOURCES) or text.startswith("#!")
        # Same line numbers as `lines`.
        self.code = blank_comments_and_strings(text).splitlines() if self.is_c_family else self.lines


_C_TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"([^()\\ ]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-zA-Z_])\'(?:\\.|[^\'\\\n])+\'',
    re.DOTALL)


def blank_comments_and_strings(text):
    """Replaces comments and the inside of literals by nothing, keeping the lines.

    The names of #include "..." stay, since the include rules read them.
    """

    def blank(match):
        token = match.group(0)
        if token.startswith('"'):
            before = text[text.rfind("\n", 0, match.start()) + 1:match.start()]
            if re.fullmatch(r"\s*#\s*include(_next)?\s*", before):
                return token
            return '""'
        return "\n" * token.count("\n") or " "

    return _C_TOKEN.sub(blank, text)


def exempt(rule, path):
    return any(rule == r and fnmatch.fnmatch(path, pattern) for r, pattern, _ in EXEMPT)


def zone_of(path):
    for pattern, zone in ZONES:
        if fnmatch.fnmatch(path, pattern):
            return zone
    return None


def is_test(path):
    return path.startswith("tests/") or re.search(r"_test\.(c|cc|py|sh)$", path) is not None


_INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')


def check_include_direction(source, tree):
    """Includes point down (docs/architecture.md)."""
    zone = zone_of(source.path)
    if not source.is_c_family or zone is None:
        return
    for number, line in enumerate(source.code, 1):
        match = _INCLUDE.match(line)
        if not match or not match.group(1):
            continue
        name = match.group(1)
        target = name
        if name not in tree:
            target = os.path.normpath(os.path.join(os.path.dirname(source.path), name))
            if target not in tree:
                continue
            if not exempt("include-style", source.path):
                yield number, "include-style", f'write "{target}", from the root of the tree'
        other = zone_of(target)
        if zone == "top" or other in (None, zone) or other in MAY_INCLUDE[zone]:
            continue
        yield number, "include-direction", (
            f"{zone} (layer {LAYER[zone]}) must not include {target} of {other}"
            f" (layer {LAYER[other]})")


def check_base_back_end(source, _tree):
    """Only sync.h chooses between the real and the simulated back end."""
    if not source.is_c_family or exempt("base-back-end", source.path):
        return
    for number, line in enumerate(source.code, 1):
        match = _INCLUDE.match(line)
        if match and re.fullmatch(r"workqueue/base/sync_(real|sim)\.h", match.group(1) or ""):
            yield number, "base-back-end", "include workqueue/base/sync.h, which picks the back end"


_SYNC = re.compile(
    r"\bstd::(thread|jthread|this_thread|mutex|timed_mutex|recursive_\w*mutex|shared_\w*mutex"
    r"|condition_variable\w*|atomic\w*|async|call_once|counting_semaphore|binary_semaphore|latch"
    r"|barrier|lock_guard|unique_lock|scoped_lock|shared_lock|promise|future)\b"
    r"|\babsl::(Mutex|MutexLock|CondVar|Notification|BlockingCounter|Barrier)\b"
    r"|\b(SYS_futex|__NR_futex|FUTEX_\w+|_Atomic)\b"
    r"|\b(__atomic_|__sync_|__c11_atomic_)\w+"
    r"|\bpthread_(create|mutex_\w+|cond_\w+|rwlock_\w+|spin_\w+|barrier_\w+)\b"
    r"|\b(sem_wait|sem_post|sem_init|thrd_create|mtx_lock|cnd_wait)\b"
    r"|<(thread|mutex|shared_mutex|condition_variable|semaphore|latch|barrier|future"
    r"|stdatomic\.h|threads\.h|linux/futex\.h)>")


def check_sync(source, _tree):
    """workqueue/base/sync.h is the only door to threads, locks and atomics.

    The header <atomic> is not: std::memory_order comes from there.
    """
    if not source.is_c_family or exempt("sync", source.path):
        return
    for number, line in enumerate(source.code, 1):
        match = _SYNC.search(line)
        if match:
            yield number, "sync", f"{match.group(0)} outside workqueue/base; use base/sync.h"


_CLOCK = re.compile(
    r"\b(clock_gettime|gettimeofday|timespec_get|absl::Now|absl::GetCurrentTimeNanos)\s*\("
    r"|\b(steady|system|high_resolution)_clock\b|\bstd::time\s*\(")


def check_clock(source, _tree):
    """The machine's clocks are read through base::Now(), which the simulator replaces."""
    if not source.is_c_family or exempt("clock", source.path):
        return
    for number, line in enumerate(source.code, 1):
        match = _CLOCK.search(line)
        if match:
            yield number, "clock", f"{match.group(0).strip()} outside workqueue/base; use base::Now()"


_SLEEP = re.compile(
    r"\b(sleep_for|sleep_until|usleep|nanosleep|clock_nanosleep|absl::SleepFor)\b"
    r"|(?<![\w.>:])(::)?sleep\s*\(\s*[^)\s]")
_SCRIPT_SLEEP = re.compile(r"^\s*sleep\s+[\d.$]|[;&|]\s*sleep\s+[\d.$]|\btime\.sleep\s*\(")


def check_sleep(source, _tree):
    """Nothing sleeps for a time, tests least of all: they wait for a condition."""
    if exempt("sleep", source.path):
        return
    if source.is_c_family:
        pattern = _SLEEP
    elif is_test(source.path) and source.is_source:
        pattern = _SCRIPT_SLEEP
    else:
        return
    for number, line in enumerate(source.code, 1):
        match = pattern.search(line)
        if match:
            yield number, "sleep", f"{match.group(0).strip()}: wait for a condition instead"


_LIBEVENT = re.compile(r"^\s*#\s*include\s*[<\"](event2/[^>\"]+|event\.h|evutil\.h)[>\"]")


def check_libevent(tree):
    """libevent stays behind two .cc files; tests and benchmarks use it as a peer."""
    users = []
    for source in tree.values():
        if not source.is_c_family or source.path.startswith(("tests/", "bench/")):
            continue
        if is_test(source.path) or source.path.endswith("_bench.cc"):
            continue
        for number, line in enumerate(source.code, 1):
            if _LIBEVENT.match(line):
                if not source.path.endswith(".cc"):
                    yield Finding(source.path, number, "libevent", "libevent headers belong in .cc files")
                else:
                    users.append((source.path, number))
                break
    for path, number in sorted(users)[LIBEVENT_FILES_MAX:]:
        yield Finding(path, number, "libevent",
                      f"a third file that includes libevent; {LIBEVENT_FILES_MAX} are allowed")


def check_length(source, _tree):
    """A file can be read in one sitting."""
    if source.is_source and len(source.lines) > LINES_MAX:
        yield LINES_MAX + 1, "length", f"{len(source.lines)} lines, more than {LINES_MAX}"


# Put together from halves, so that this file does not find itself.
_MARK = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK")) + r")\b")
_MACHINE_PATH = re.compile(r"(?<![\w.~}])/(" + "|".join(("wo" + "rk", "ro" + "ot", "ho" + "me")) + r")/")


def check_marks(source, _tree):
    """No marks of unfinished work."""
    for number, line in enumerate(source.lines, 1):
        match = _MARK.search(line)
        if match:
            yield number, "unfinished", f"mark of unfinished work: {match.group(0)}"


def check_machine_paths(source, _tree):
    """No path that exists on one machine only."""
    for number, line in enumerate(source.lines, 1):
        match = _MACHINE_PATH.search(line)
        if match:
            yield number, "machine-path", f"absolute path of one machine: {match.group(0)}..."


_SPDX = re.compile(r"SPDX-License-Identifier:\s*(.+?)\s*(\*/)?\s*$")


def check_licence(source, _tree):
    """Each source names its licence in its first lines."""
    if not source.is_source or exempt("licence", source.path):
        return
    for number, line in enumerate(source.lines[:3], 1):
        match = _SPDX.search(line)
        if match:
            if match.group(1) not in LICENCES:
                yield number, "licence", f"{match.group(1)} is none of: {', '.join(LICENCES)}"
            return
    if source.text.strip():
        yield 1, "licence", "no SPDX-License-Identifier in the first three lines"


_IFNDEF = re.compile(r"^\s*#\s*ifndef\s+(\w+)")
_DEFINE = re.compile(r"^\s*#\s*define\s+(\w+)\s*$")


def guard_of(source):
    """(line, name) of the include guard, or (line of the offence, None)."""
    directives = [(n, l) for n, l in enumerate(source.code, 1) if l.lstrip().startswith("#")]
    if len(directives) < 2:
        return 1, None
    opening, defining = _IFNDEF.match(directives[0][1]), _DEFINE.match(directives[1][1])
    if not opening or not defining or opening.group(1) != defining.group(1):
        return directives[0][0], None
    return directives[0][0], opening.group(1)


def check_header_guards(tree):
    """Each header has a guard of ours, named after it, that no other header has."""
    seen = {}
    for source in tree.values():
        if not source.path.endswith((".h", ".hpp")) or exempt("header-guard", source.path):
            continue
        line, guard = guard_of(source)
        ending = re.sub(r"\W", "_", os.path.basename(source.path)).upper() + "_"
        if guard is None:
            yield Finding(source.path, line, "header-guard", "no include guard around everything")
        elif not (guard.startswith("UWQ_") and guard.endswith(ending)):
            yield Finding(source.path, line, "header-guard", f"{guard} is not UWQ_..._{ending}")
        elif guard in seen:
            yield Finding(source.path, line, "header-guard", f"{guard} is {seen[guard]}'s")
        else:
            seen[guard] = source.path


_PROMISE = re.compile(r"\[(UWQ-[A-Z0-9]+(?:-[A-Z0-9]+)*)\]")
_CITATION = re.compile(r"\bUWQ-[A-Z0-9]+(?:-[A-Z0-9]+)*\b")


def check_promises(tree):
    """Each promise of a public header is cited by a test, and no test cites another."""
    promised = {}
    cited = {}
    for source in tree.values():
        if is_test(source.path):
            if source.path.startswith("tests/compile_fail/") or source.path.startswith("tools/"):
                continue
            for number, line in enumerate(source.lines, 1):
                for identity in _CITATION.findall(line):
                    cited.setdefault(identity, (source.path, number))
        elif any(pathlib.PurePosixPath(source.path).match(p) for p in PUBLIC_HEADERS):
            for number, line in enumerate(source.lines, 1):
                for identity in _PROMISE.findall(line):
                    promised.setdefault(identity, (source.path, number))
    for identity in sorted(promised.keys() - cited.keys()):
        yield Finding(*promised[identity], "promise", f"[{identity}] is cited by no test")
    for identity in sorted(cited.keys() - promised.keys()):
        yield Finding(*cited[identity], "promise", f"{identity} is promised by no public header")


FILE_RULES = (check_include_direction, check_base_back_end, check_sync, check_clock, check_sleep,
              check_length, check_marks, check_machine_paths, check_licence)
TREE_RULES = (check_libevent, check_header_guards, check_promises)


def check(files):
    """All findings over `files`, a dictionary of path (from the root) to text."""
    tree = {path: Source(path, text) for path, text in sorted(files.items())}
    findings = []
    for source in tree.values():
        for rule in FILE_RULES:
            findings += [Finding(source.path, *found) for found in rule(source, tree)]
    for rule in TREE_RULES:
        findings += list(rule(tree))
    return sorted(findings)


def list_files(root):
    """Tracked and new files; a tree without git is walked."""
    listing = subprocess.run(
        ["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True, check=False)
    if listing.returncode == 0:
        return [name for name in listing.stdout.decode().split("\0") if name]
    names = []
    for folder, folders, entries in os.walk(root):
        folders[:] = [f for f in folders
                      if not f.startswith("bazel-") and f not in (".git", "__pycache__")]
        names += [os.path.relpath(os.path.join(folder, entry), root) for entry in entries]
    return names


def read_tree(root):
    files = {}
    for name in list_files(root):
        path = os.path.join(root, name)
        if not os.path.isfile(path) or os.path.islink(path):
            continue
        with open(path, "rb") as stream:
            content = stream.read()
        if b"\0" not in content[:4096]:  # binary: pictures, corpora
            files[name] = content.decode("utf-8", errors="replace")
    return files


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", default=os.path.join(os.path.dirname(__file__), ".."))
    parser.add_argument("files", nargs="*", help="report only these (paths from the root)")
    arguments = parser.parse_args()
    files = read_tree(os.path.abspath(arguments.root))
    if not files:
        print(f"tidy.py: no file in {arguments.root}", file=sys.stderr)
        return 2
    unknown = [name for name in arguments.files if name not in files]
    if unknown:
        print(f"tidy.py: not in the tree: {' '.join(unknown)}", file=sys.stderr)
        return 2
    findings = [f for f in check(files) if not arguments.files or f.path in arguments.files]
    for finding in findings:
        print(f"{finding.path}:{finding.line}: {finding.rule}: {finding.message}")
    print(f"tidy: {len(files)} files, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
