// SPDX-License-Identifier: BSD-3-Clause
#include "tests/sim/explorer.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/sim/strategy.h"
#include "workqueue/base/sim/scheduler.h"

namespace uwq::sim {
namespace {

constexpr int64_t kRandomExecutions = 2000;
constexpr int64_t kExhaustiveExecutions = 2000000;

int64_t schedules_run = 0;
// The children of death tests inherit the count and must not print it as well.
const pid_t main_process = getpid();

void PrintSchedules() {
  if (getpid() != main_process) return;
  printf("sim schedules: %ld\n", static_cast<long>(schedules_run));
  fflush(stdout);
}

std::string Describe(const testing::TestPartResult& result) {
  return absl::StrCat("GoogleTest failure at ",
                      result.file_name() == nullptr ? "?" : result.file_name(), ":",
                      result.line_number(), ": ", result.message());
}

// A failed assertion in a body ends the execution.  GoogleTest calls this with
// its own lock held, so the execution must be left later.
class FailureListener : public testing::EmptyTestEventListener {
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (result.failed()) NoteFailure(Describe(result));
  }
};

// The results that the current test has so far; listeners are silent in the
// child processes of death tests, the results are not.
int NrTestParts() {
  const testing::TestInfo* test = testing::UnitTest::GetInstance()->current_test_info();
  return test == nullptr ? 0 : test->result()->total_part_count();
}

void FailOnTestPartsSince(int nr_parts, RunResult* run) {
  for (int i = nr_parts; i < NrTestParts() && run->ok; ++i) {
    const testing::TestPartResult& part =
        testing::UnitTest::GetInstance()->current_test_info()->result()->GetTestPartResult(i);
    if (!part.failed()) continue;
    run->ok = false;
    run->failure = Describe(part);
  }
}

void SetUpOnce() {
  static const bool once = [] {
    atexit(&PrintSchedules);
    testing::UnitTest::GetInstance()->listeners().Append(new FailureListener);
    return true;
  }();
  (void)once;
}

// What the environment asks for.  A value that is no number is an error of the
// person at the keyboard: it ends the process rather than test something else.
struct Environment {
  std::optional<uint64_t> seed;
  std::optional<std::string> path;
  bool trace = false;
  int64_t executions = 0;
  int64_t factor = 1;
  uint64_t salt = 0;
};

template <typename T>
T NumberOrExit(const char* name, const char* text) {
  T value = 0;
  if (!absl::SimpleAtoi(text, &value) || (value == 0 && text[0] != '0')) {
    fprintf(stderr, "%s=%s: not a number\n", name, text);
    exit(2);
  }
  return value;
}

Environment ReadEnvironment() {
  Environment env;
  if (const char* text = getenv("UWQ_SIM_SEED")) {
    env.seed = NumberOrExit<uint64_t>("UWQ_SIM_SEED", text);
  }
  if (const char* text = getenv("UWQ_SIM_PATH")) env.path = text;
  const char* trace = getenv("UWQ_SIM_TRACE");
  env.trace = trace != nullptr && trace[0] == '1';
  if (const char* text = getenv("UWQ_SIM_EXECUTIONS")) {
    if (text[0] == 'x') {
      env.factor = NumberOrExit<int64_t>("UWQ_SIM_EXECUTIONS", text + 1);
    } else {
      env.executions = NumberOrExit<int64_t>("UWQ_SIM_EXECUTIONS", text);
    }
  }
  if (const char* text = getenv("UWQ_SIM_SALT")) {
    env.salt = NumberOrExit<uint64_t>("UWQ_SIM_SALT", text);
  }
  return env;
}

// One exploration under way.
class Exploration {
 public:
  Exploration(const Options& options, const std::function<void()>& body)
      : options_(options), body_(body), env_(ReadEnvironment()) {}

  Result Run() {
    if (options_.exhaustive) {
      RunExhaustive();
    } else {
      RunRandom();
    }
    if (!result_.ok) Report();
    return std::move(result_);
  }

 private:
  RunResult RunOnce(Strategy* strategy, bool release_points, bool trace) {
    RunOptions run;
    run.cpus = options_.cpus;
    run.max_steps = options_.max_steps;
    run.release_points = release_points || options_.release_points;
    run.time_races = options_.time_races;
    run.trace = trace;
    ++schedules_run;
    ++result_.executions;
    const int nr_parts = NrTestParts();
    RunResult result = sim::Run(run, strategy, body_);
    FailOnTestPartsSince(nr_parts, &result);
    return result;
  }

  RunResult RunSeed(uint64_t seed, bool trace) {
    RandomStrategy strategy(seed);
    return RunOnce(&strategy, strategy.wants_release_points(), trace);
  }

  bool Failed(const RunResult& run, const std::string& replay) {
    if (run.ok) return false;
    result_.ok = false;
    result_.failure = run.failure;
    result_.replay = replay;
    return true;
  }

  // `again` runs the first execution once more.  The very first one may differ,
  // as it initialises what lives as long as the process; later ones may not.
  template <typename Again>
  bool CheckDeterministic(const RunResult& first, const std::string& replay, const Again& again) {
    RunResult second = again();
    if (Failed(second, replay)) return false;
    if (second.hash == first.hash) return true;
    const RunResult third = again();
    if (Failed(third, replay)) return false;
    if (third.hash == second.hash) return true;
    result_.ok = false;
    result_.failure = absl::StrCat(
        "the body is not deterministic: the same schedule twice took ", second.steps, " and ",
        third.steps, " steps, or other decisions. Look for state that outlives the body,",
        " for addresses in comparisons and hashes, and for the real clock.");
    result_.replay = replay;
    return false;
  }

  uint64_t SeedOf(int64_t execution) const {
    Random random(options_.seed * 0x9e3779b97f4a7c15u + env_.salt * 0xda942042e4dd58b5u +
                  static_cast<uint64_t>(execution));
    return random.Next();
  }

  static std::string SeedReplay(uint64_t seed) { return absl::StrCat("UWQ_SIM_SEED=", seed); }

  void RunRandom() {
    const uint64_t first_seed = SeedOf(0);
    const bool replaying = env_.seed.has_value();
    if (!replaying && env_.path.has_value()) return;  // the replay is about another exploration
    // A replay runs the first execution as well: it warms up what outlives bodies.
    const RunResult first =
        RunSeed(first_seed, replaying && env_.trace && *env_.seed == first_seed);
    if (Failed(first, SeedReplay(first_seed))) return;
    if (replaying) {
      if (*env_.seed == first_seed) return;
      (void)Failed(RunSeed(*env_.seed, env_.trace), SeedReplay(*env_.seed));
      return;
    }
    if (!CheckDeterministic(first, SeedReplay(first_seed),
                            [&] { return RunSeed(first_seed, false); })) {
      return;
    }
    const int64_t limit = Limit(kRandomExecutions);
    for (int64_t i = 1; i < limit; ++i) {
      const uint64_t seed = SeedOf(i);
      if (Failed(RunSeed(seed, false), SeedReplay(seed))) return;
    }
  }

  RunResult RunPath(DfsStrategy* strategy, bool trace) {
    strategy->Rewind();
    return RunOnce(strategy, false, trace);
  }

  static std::string PathReplay(const DfsStrategy& strategy) {
    return absl::StrCat("UWQ_SIM_PATH=", strategy.Path());
  }

  void RunExhaustive() {
    DfsStrategy strategy(options_.preemption_bound);
    if (env_.path.has_value()) {
      ReplayPath(&strategy);
      return;
    }
    if (env_.seed.has_value()) return;  // the replay is about another exploration
    const RunResult first = RunPath(&strategy, false);
    if (Failed(first, PathReplay(strategy))) return;
    if (!CheckDeterministic(first, "UWQ_SIM_PATH=0:0", [&] {
          strategy.Restart();
          return RunPath(&strategy, false);
        })) {
      return;
    }
    result_.executions = 1;  // the check is no further schedule
    const int64_t limit = std::max(Limit(kExhaustiveExecutions), env_.executions);
    while (strategy.Advance()) {
      if (result_.executions >= limit) return;
      if (Failed(RunPath(&strategy, false), PathReplay(strategy))) return;
    }
    result_.complete = true;
  }

  void ReplayPath(DfsStrategy* strategy) {
    const RunResult warm_up = RunPath(strategy, env_.trace && *env_.path == "0:0");
    if (Failed(warm_up, PathReplay(*strategy)) || *env_.path == "0:0") return;
    if (!strategy->SetPath(*env_.path)) {
      fprintf(stderr, "UWQ_SIM_PATH=%s: not a path\n", env_.path->c_str());
      exit(2);
    }
    (void)Failed(RunPath(strategy, env_.trace), absl::StrCat("UWQ_SIM_PATH=", *env_.path));
  }

  int64_t Limit(int64_t default_executions) const {
    int64_t limit = options_.max_executions > 0 ? options_.max_executions : default_executions;
    if (env_.executions > 0 && !options_.exhaustive) limit = env_.executions;
    return limit * env_.factor;
  }

  void Report() const {
    const testing::TestInfo* test = testing::UnitTest::GetInstance()->current_test_info();
    fprintf(stderr, "sim: FAILED in execution %ld: %s\n", static_cast<long>(result_.executions),
            result_.failure.c_str());
    fprintf(stderr, "sim: to see it again: %s UWQ_SIM_TRACE=1", result_.replay.c_str());
    if (test != nullptr) {
      fprintf(stderr, " and --gtest_filter=%s.%s", test->test_suite_name(), test->name());
    }
    fprintf(stderr, "\n");
  }

  const Options options_;
  const std::function<void()>& body_;
  const Environment env_;
  Result result_;
};

}  // namespace

Result Explore(const Options& options, const std::function<void()>& body) {
  SetUpOnce();
  return Exploration(options, body).Run();
}

Result ExploreOrFail(const Options& options, const std::function<void()>& body) {
  Result result = Explore(options, body);
  if (!result.ok) ADD_FAILURE() << result.failure << "\n  replay: " << result.replay;
  return result;
}

int64_t SchedulesRun() { return schedules_run; }

}  // namespace uwq::sim
