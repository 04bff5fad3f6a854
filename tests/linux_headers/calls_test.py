#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The documents name every kernel call that the headers have, and every one that they refuse.

  tests/linux_headers/calls_test.py           compares
  tests/linux_headers/calls_test.py --update  writes the tables of docs/linux_calls.md again

docs/linux_calls.md is the complete list, made from the headers; docs/porting_from_linux.md says what differs, by
families, and lists what is refused.
"""
import os
import re
import subprocess
import sys

HEADERS = "workqueue/linux/linux"
LIST = "docs/linux_calls.md"
PORTING = "docs/porting_from_linux.md"
START, END = "<!-- made by tests/linux_headers/calls_test.py --update -->\n", "<!-- end -->\n"


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def preprocessed(header):
    """What a header itself says, comments and its own generators' macros resolved, definitions of macros kept."""
    command = ["gcc", "-std=gnu11", "-E", "-dD", "-I.", "-Iworkqueue/linux", "-xc", "-"]
    include = f"#include <linux/{header}>\n"
    out = subprocess.run(command, input=include, capture_output=True, text=True, check=True).stdout
    ours, lines = False, []
    for line in out.splitlines():
        mark = re.match(r'# \d+ "([^"]*)"', line)
        if mark:
            ours = mark.group(1).endswith(f"{HEADERS}/{header}")
        elif ours:
            lines.append(line)
    # Every inline function at the start of a line, whatever generated it.
    return re.sub(r"\} *static ", "}\nstatic ", "\n".join(lines))


def refused(text):
    """Names that UWQ_UNSUPPORTED() or UWQ_NO_PARAM_() makes unusable."""
    definitions = set(re.findall(r"^#define (\w+)\(\.\.\.\) +UWQ_NO_PARAM_", text, re.M))
    text = re.sub(r"^#.*$", "", text, flags=re.M)
    names = re.findall(r"\b(\w+)\((?:[^()]|\([^()]*\))*\)\s*__attribute__\(\(unavailable", text)
    return set(names) | definitions


def provided(text):
    """Macros, inline functions, types and constants, by the kernel's names."""
    names = set(re.findall(r"^#define (\w+)", text, re.M))
    text = re.sub(r"^#.*$", "", text, flags=re.M)
    plain = re.sub(r"__attribute__\(\(.*?\)\)\)?", " ", text)
    names |= set(re.findall(r"^static inline[^;{=(]*?\b(\w+)\((?:[^()]|\([^()]*\))*\)\s*\{", plain, re.M))
    names |= {"struct " + n for n in re.findall(r"^struct (\w+) \{", text, re.M)}
    names |= set(re.findall(r"^typedef [^;{(]*?\b(\w+);", text, re.M))
    names |= {a or b for a, b in re.findall(r"^typedef [^;{]*\(\*(\w+)\)|^\} (\w+);", text, re.M)}
    for body in re.findall(r"^enum \w* ?\{([^}]*)\}", text, re.M):
        names |= set(re.findall(r"(?:^|,)\s*(\w+)\s*(?==|,|$)", body))
    return {n for n in names if not re.match(r"(struct )?(uwq|UWQ|_)|__|NULL$", n)} - refused(text)


def table():
    lines = ["| header | names |", "|---|---|"]
    for header in sorted(os.listdir(HEADERS)):
        names = sorted(provided(preprocessed(header)), key=lambda n: (n.removeprefix("struct ").lower(), n))
        told = ", ".join(f"`{n}`" for n in names) or "what it includes"
        lines.append(f"| `<linux/{header}>` | {told} |")
    return "\n".join(lines) + "\n"


def families(text):
    """A pattern that matches the names between backquotes: a[_b] is a and a_b, a[_b, _c] one more, a_… whatever follows."""
    text = re.sub(r"```.*?```", "", text, flags=re.S)
    patterns = []
    for token in re.findall(r"`([^`\n]+)`", text):
        if not re.fullmatch(r"[\w.…*\[\], ]+", token) or len(re.sub(r"\W|_", "", token)) < 3:
            continue
        pattern = ""
        for part in re.split(r"(\[[^\]]*\])", token):
            if part.startswith("["):
                pattern += "(?:" + "|".join(re.escape(p.strip()) for p in part[1:-1].split(",")) + ")?"
            else:
                pattern += re.escape(part)
        patterns.append(re.sub(r"\\\*|…|\\\.\\\.\\\.", r"\\w*", pattern))
    return re.compile("|".join(f"(?:{p})" for p in patterns))


# Every call of these is named in the porting guide; the others are the kernel's small change, as is.
BY_CALL = ["workqueue.h", "devm-helpers.h", "kthread.h", "timer.h", "hrtimer.h", "interrupt.h", "sched.h", "delay.h", "cleanup.h"]


# What drivers of the kernel's own tree call (section 4.1 of the reference), today's spellings and those of 6.1.
USED_BY_DRIVERS = """
INIT_WORK queue_work schedule_work cancel_delayed_work_sync cancel_work_sync destroy_workqueue INIT_DELAYED_WORK
schedule_delayed_work queue_delayed_work flush_work cancel_delayed_work flush_workqueue alloc_workqueue to_delayed_work
mod_delayed_work alloc_ordered_workqueue flush_delayed_work create_singlethread_workqueue DECLARE_WORK work_pending
kthread_queue_work from_work disable_work_sync delayed_work_pending devm_delayed_work_autocancel queue_work_on
disable_delayed_work_sync drain_workqueue kthread_run_worker devm_work_autocancel create_workqueue cancel_work
INIT_WORK_ONSTACK current_work enable_work work_busy create_freezable_workqueue enable_delayed_work queue_rcu_work
queue_delayed_work_on devm_alloc_ordered_workqueue disable_delayed_work disable_work work_on_cpu enable_and_queue_work
mod_delayed_work_on queue_work_node schedule_on_each_cpu execute_in_process_context workqueue_congested
workqueue_set_max_active workqueue_set_min_active apply_workqueue_attrs flush_rcu_work flush_scheduled_work
tasklet_schedule system_power_efficient_wq system_dfl_wq system_percpu_wq system_bh_wq system_long_wq
system_freezable_wq system_highpri_wq system_dfl_long_wq system_wq system_bh_highpri_wq system_unbound_wq
WQ_MEM_RECLAIM WQ_PERCPU WQ_UNBOUND WQ_HIGHPRI WQ_FREEZABLE WQ_SYSFS WQ_CPU_INTENSIVE WQ_BH WQ_UNBOUND_MAX_ACTIVE
del_timer del_timer_sync del_singleshot_timer_sync from_timer hrtimer_init kthread_create_worker WORK_CPU_UNBOUND
""".split()


def main():
    document = read(LIST)
    head, rest = document.split(START)
    _, tail = rest.split(END)
    wanted = head + START + table() + END + tail
    if sys.argv[1:] == ["--update"]:
        with open(LIST, "w", encoding="utf-8") as file:
            file.write(wanted)
        return 0
    faults = []
    if wanted != document:
        faults.append(f"{LIST} is not what the headers have; run {sys.argv[0]} --update")
    porting, named = read(PORTING), families(read(PORTING))
    for name in USED_BY_DRIVERS:
        if f"`{name}`" not in document:
            faults.append(f"no header has {name}, which drivers use")
    number = 0
    for header in sorted(os.listdir(HEADERS)):
        text = preprocessed(header)
        number += len(provided(text))
        calls = {n for n in provided(text) if re.search(rf"\b{n}\(", text)} if header in BY_CALL else set()
        for name in sorted(calls | refused(text)):
            if not named.fullmatch(name):
                faults.append(f"{PORTING} does not name {name} of <linux/{header}>")
        if header not in porting and header.replace(".h", "") not in ("workqueue_types", "spinlock_types"):
            faults.append(f"{PORTING} does not name <linux/{header}>")
    for fault in faults:
        print("FAILED:", fault)
    print(f"{number} names, {len(faults)} faults")
    return 1 if faults or number < 800 else 0


if __name__ == "__main__":
    sys.exit(main())
