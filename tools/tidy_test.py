#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Shows that each rule of tools/tidy.py fires where it should, and only there."""

import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True
import tidy  # noqa: E402

SPDX = "// SPDX-License-Identifier: BSD-3-Clause\n"
MARK = "TO" + "DO"
NAP = "sl" + "eep"  # tidy.py reads this file too
MACHINE = "/" + "home" + "/someone/x"


def found(files):
    """{(path, line, rule)} over a tree in which every file has its licence line."""
    tree = {path: (text if path.startswith("raw/") else SPDX + text) for path, text in files.items()}
    return {(f.path, f.line, f.rule) for f in tidy.check(tree)}


def guarded(path, body=""):
    guard = "UWQ_" + "".join(c if c.isalnum() else "_" for c in path).upper() + "_"
    return f"#ifndef {guard}\n#define {guard}\n{body}#endif\n"


def headers(*paths):
    return {path: guarded(path) for path in paths}


class IncludeDirection(unittest.TestCase):
    ALL = headers(
        "workqueue/base/list.h", "workqueue/core/pool.h", "workqueue/event/loop.h", "delayed/wheel.h",
        "kup_bridge/ring.h", "kup_bridge/kup_abi.h", "workqueue/c/uwq.h", "workqueue/workqueue.h",
        "workqueue/linux/linux/list.h", "kup_bridge/bridge.h", "drivers/hdmi/hw.h", "tests/env.h")

    def check(self, path, included):
        return found({**self.ALL, path: f'#include "{included}"\n'})

    def test_upward_includes_are_found(self):
        for path, included in (
            ("workqueue/base/x.cc", "workqueue/core/pool.h"),
            ("workqueue/core/x.cc", "workqueue/event/loop.h"),
            ("workqueue/core/x.cc", "delayed/wheel.h"),
            ("workqueue/event/x.cc", "delayed/wheel.h"),
            ("delayed/x.cc", "workqueue/workqueue.h"),
            ("kup_bridge/ring_x.cc", "workqueue/core/pool.h"),
            ("kup_bridge/ring_x.cc", "kup_bridge/bridge.h"),
            ("workqueue/x.cc", "workqueue/c/uwq.h"),
            ("workqueue/x.cc", "kup_bridge/bridge.h"),
            ("workqueue/c/x.cc", "workqueue/linux/linux/list.h"),
            ("kup_bridge/x.cc", "workqueue/linux/linux/list.h"),
            ("kup_bridge/x.cc", "drivers/hdmi/hw.h"),
            ("workqueue/linux/x.cc", "tests/env.h"),
        ):
            with self.subTest(path=path, included=included):
                self.assertEqual(self.check(path, included), {(path, 2, "include-direction")})

    def test_downward_includes_are_fine(self):
        for path, included in (
            ("workqueue/core/x.cc", "workqueue/base/list.h"),
            ("delayed/x.cc", "workqueue/event/loop.h"),
            ("kup_bridge/ring_x.cc", "kup_bridge/kup_abi.h"),
            ("workqueue/c/x.cc", "workqueue/workqueue.h"),
            ("workqueue/linux/x.cc", "kup_bridge/bridge.h"),
            ("workqueue/core/x_test.cc", "tests/env.h"),
            ("tests/x.cc", "drivers/hdmi/hw.h"),
        ):
            with self.subTest(path=path, included=included):
                self.assertEqual(self.check(path, included), set())

    def test_name_without_folder_is_found_and_judged(self):
        self.assertEqual(
            self.check("workqueue/core/x.cc", "../event/loop.h"),
            {("workqueue/core/x.cc", 2, "include-style"),
             ("workqueue/core/x.cc", 2, "include-direction")})

    def test_commented_include_is_no_include(self):
        self.assertEqual(
            found({**self.ALL, "workqueue/base/x.cc": '// #include "workqueue/core/pool.h"\n'}), set())


class BackEnd(unittest.TestCase):
    def test_only_sync_h_picks_it(self):
        tree = headers("workqueue/base/sync_real.h")
        line = '#include "workqueue/base/sync_real.h"\n'
        self.assertEqual(found({**tree, "workqueue/core/x.cc": line}),
                         {("workqueue/core/x.cc", 2, "base-back-end")})
        self.assertEqual(found({**tree, "workqueue/base/x.cc": line}), set())


class Door(unittest.TestCase):
    BANNED = (
        "std::thread t;", "std::mutex m;", "std::atomic<int> a;", "std::atomic_ref<int> a(b);",
        "std::condition_variable c;", "syscall(SYS_futex, p);", "pthread_create(&t, 0, f, 0);",
        "pthread_mutex_lock(&m);", "absl::Mutex m;", "__atomic_load_n(p, 0);", "#include <mutex>",
        "std::this_thread::yield();", "_Atomic int a;", "std::lock_guard l(m);")

    def test_every_way_round_it_is_found(self):
        for code in self.BANNED:
            with self.subTest(code=code):
                self.assertEqual(found({"delayed/x.cc": f"int before;\n{code}\n"}),
                                 {("delayed/x.cc", 3, "sync")})

    def test_unit_tests_beside_sources_use_the_door_too(self):
        self.assertEqual(found({"delayed/x_test.cc": "std::thread t;\n"}),
                         {("delayed/x_test.cc", 2, "sync")})

    def test_exempt_places_and_plain_words(self):
        for path in ("workqueue/base/x.cc", "bench/x.cc", "kup_bridge/ring.cc", "tests/stress/x.cc"):
            self.assertEqual(found({path: "std::atomic<int> a;\n"}), set())
        for text in ("// not a std::mutex\n", "/* std::thread\n std::mutex */\n",
                     'const char* s = "std::mutex \\" std::thread";\n',
                     'auto s = R"(std::mutex\n)";\n', "std::memory_order_acquire;\n",
                     "pthread_setname_np(t);\n", "#include <atomic>\n"):
            with self.subTest(text=text):
                self.assertEqual(found({"delayed/x.cc": text}), set())

    def test_text_after_a_literal_is_still_code(self):
        self.assertEqual(found({"delayed/x.cc": "char c = '\"'; std::mutex m; char d = '\"';\n"}),
                         {("delayed/x.cc", 2, "sync")})
        self.assertEqual(found({"delayed/x.cc": "long n = 1'000; std::mutex m; long k = 1'000;\n"}),
                         {("delayed/x.cc", 2, "sync")})

    def test_clocks(self):
        for code in ("clock_gettime(CLOCK_MONOTONIC, &t);", "std::chrono::steady_clock::now();",
                     "absl::Now();", "gettimeofday(&t, 0);"):
            with self.subTest(code=code):
                self.assertEqual(found({"delayed/x.cc": code}), {("delayed/x.cc", 2, "clock")})
        self.assertEqual(found({"workqueue/base/x.cc": "clock_gettime(1, &t);"}), set())


class Sleep(unittest.TestCase):
    def test_found_in_sources_and_tests(self):
        for path in ("delayed/x.cc", "tests/stress/x.cc", "delayed/x_test.cc", "tests/c/x.c"):
            for code in ("usleep(10);", "nanosleep(&t, 0);", "sleep(1);", "::sleep(1);",
                         "absl::SleepFor(d);"):
                with self.subTest(path=path, code=code):
                    self.assertIn((path, 2, "sleep"), found({path: f"{code}\n"}))

    def test_found_in_test_scripts(self):
        spdx = "# SPDX-License-Identifier: BSD-3-Clause\n"
        self.assertEqual(
            {(f.path, f.line, f.rule) for f in tidy.check({
                "tests/a.sh": spdx + f"start & {NAP} 1\n",
                "tests/b.py": spdx + f"time.{NAP}(1)\n",
                "tools/c.sh": spdx + f"{NAP} 1\n",
            })},
            {("tests/a.sh", 2, "sleep"), ("tests/b.py", 2, "sleep")})

    def test_similar_names_are_fine(self):
        for code in ("usleep_range(1, 2);", "msleep(3);", "worker->sleep();", "bool sleep = false;",
                     "void sleep();", "// usleep(3)"):
            with self.subTest(code=code):
                self.assertEqual(found({"drivers/x.c": f"{code}\n"}), set())


class Libevent(unittest.TestCase):
    def test_third_file_and_header_are_found(self):
        line = "#include <event2/event.h>\n"
        two = {"workqueue/event/a.cc": line, "workqueue/event/b.cc": line, "tests/t.cc": line,
               "workqueue/event/a_test.cc": line}
        self.assertEqual(found(two), set())
        self.assertEqual(found({**two, "workqueue/z.cc": line}), {("workqueue/z.cc", 2, "libevent")})
        self.assertEqual(found({"delayed/x.h": guarded("delayed/x.h", line)}),
                         {("delayed/x.h", 4, "libevent")})


class Text(unittest.TestCase):
    def test_length(self):
        self.assertEqual(found({"delayed/x.cc": "int a;\n" * (tidy.LINES_MAX - 1)}), set())
        self.assertEqual(found({"delayed/x.cc": "int a;\n" * tidy.LINES_MAX}),
                         {("delayed/x.cc", tidy.LINES_MAX + 1, "length")})

    def test_marks_in_any_text_file(self):
        self.assertEqual(found({"docs/a.md": f"{MARK}: more\n", "delayed/x.cc": f"// {MARK}(me)\n"}),
                         {("docs/a.md", 2, "unfinished"), ("delayed/x.cc", 2, "unfinished")})
        self.assertEqual(found({"raw/x": "mktemp /tmp/a.XXXXXX\n"}), set())

    def test_machine_paths(self):
        self.assertEqual(found({"raw/a.md": f"see {MACHINE}\n"}), {("raw/a.md", 1, "machine-path")})
        for text in ("$HOME/x", "a/work/b", "https://example.org/home/x", "/dev/kup-x"):
            with self.subTest(text=text):
                self.assertEqual(found({"raw/a.md": text + "\n"}), set())


class Licence(unittest.TestCase):
    def rules(self, path, text):
        return {(f.line, f.rule) for f in tidy.check({path: text})}

    def test_missing_late_or_foreign_line_is_found(self):
        self.assertEqual(self.rules("delayed/x.cc", "int a;\n"), {(1, "licence")})
        self.assertEqual(self.rules("delayed/x.cc", "\n\n\n" + SPDX), {(1, "licence")})
        self.assertEqual(self.rules("delayed/x.cc", "// SPDX-License-Identifier: MIT\n"),
                         {(1, "licence")})
        self.assertEqual(self.rules("tools/x", "#!/bin/sh\nexit 0\n"), {(1, "licence")})

    def test_both_licences_and_no_source(self):
        self.assertEqual(self.rules("delayed/x.cc", SPDX), set())
        self.assertEqual(self.rules(
            "kup_bridge/x.c", "/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */\n"), set())
        self.assertEqual(self.rules("docs/a.md", "text\n"), set())


class HeaderGuard(unittest.TestCase):
    def test_missing_mismatched_foreign_and_shared_guards(self):
        path = "delayed/x.h"
        for text in ("#pragma once\n", "int a;\n", "#ifndef UWQ_X_H_\n#define UWQ_Y_H_\n#endif\n",
                     "#ifndef FOO_X_H_\n#define FOO_X_H_\n#endif\n",
                     "#ifndef UWQ_DELAYED_Y_H_\n#define UWQ_DELAYED_Y_H_\n#endif\n"):
            with self.subTest(text=text):
                self.assertEqual({rule for _, _, rule in found({path: text})}, {"header-guard"})
        shared = "#ifndef UWQ_X_H_\n#define UWQ_X_H_\n#endif\n"
        self.assertEqual(found({"delayed/x.h": shared, "workqueue/x.h": shared}),
                         {("workqueue/x.h", 2, "header-guard")})
        self.assertEqual(found(headers(path)), set())


class Promise(unittest.TestCase):
    PUBLIC = {"workqueue/workqueue.h": guarded("workqueue/workqueue.h", "// [UWQ-FLUSH-1] waits\n")}

    def test_promise_without_test(self):
        self.assertEqual(found(self.PUBLIC), {("workqueue/workqueue.h", 4, "promise")})

    def test_cited_promise_is_fine(self):
        self.assertEqual(found({**self.PUBLIC, "tests/conformance/f_test.cc": "// UWQ-FLUSH-1\n"}),
                         set())
        self.assertEqual(found({**self.PUBLIC, "workqueue/core/f_test.cc": "// UWQ-FLUSH-1\n"}), set())

    def test_mention_outside_tests_does_not_count(self):
        self.assertIn(("workqueue/workqueue.h", 4, "promise"),
                      found({**self.PUBLIC, "workqueue/core/f.cc": "// UWQ-FLUSH-1\n"}))

    def test_longer_id_does_not_count(self):
        self.assertIn(("workqueue/workqueue.h", 4, "promise"),
                      found({**self.PUBLIC, "tests/f_test.cc": "// UWQ-FLUSH-11\n"}))

    def test_citation_of_nothing(self):
        self.assertEqual(found({"tests/f_test.cc": "// UWQ-FLUSH-9\n"}),
                         {("tests/f_test.cc", 2, "promise")})


class Table(unittest.TestCase):
    def test_every_exemption_names_a_rule_and_a_reason(self):
        with open(os.path.join(HERE, "tidy.py"), encoding="utf-8") as stream:
            text = stream.read()
        for rule, pattern, reason in tidy.EXEMPT:
            with self.subTest(rule=rule, pattern=pattern):
                self.assertIn(f'exempt("{rule}", ', text)
                self.assertGreater(len(reason), 5)

    def test_zones_are_complete(self):
        zones = {zone for _, zone in tidy.ZONES}
        self.assertEqual(zones, set(tidy.LAYER))
        self.assertEqual(zones - {"top"}, set(tidy.MAY_INCLUDE))
        for zone, allowed in tidy.MAY_INCLUDE.items():
            for other in allowed:
                self.assertLessEqual(tidy.LAYER[other], tidy.LAYER[zone])


class CommandLine(unittest.TestCase):
    def run_on(self, files, *arguments):
        with tempfile.TemporaryDirectory() as root:
            for path, text in files.items():
                os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as stream:
                    stream.write(text)
            return subprocess.run(
                [sys.executable, os.path.join(HERE, "tidy.py"), "--root", root, *arguments],
                capture_output=True, text=True, check=False)

    def test_prints_path_line_and_message_and_fails(self):
        result = self.run_on({"delayed/x.cc": SPDX + "std::mutex m;\n"})
        self.assertEqual(result.returncode, 1)
        self.assertIn("delayed/x.cc:2: sync: std::mutex", result.stdout)

    def test_clean_tree_passes_and_empty_or_unknown_is_an_error(self):
        self.assertEqual(self.run_on({"delayed/x.cc": SPDX}).returncode, 0)
        self.assertEqual(self.run_on({}).returncode, 2)
        self.assertEqual(self.run_on({"delayed/x.cc": SPDX}, "delayed/y.cc").returncode, 2)


if __name__ == "__main__":
    unittest.main()
