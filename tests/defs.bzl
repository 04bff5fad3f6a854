"""What the tests of the heart link with, and how a file of scenarios becomes two tests."""

# Debian's GoogleTest and Abseil, in the order that static linking asks for.
GTEST = [
    "-lgtest",
    "-lgtest_main",
    "-labsl_time",
    "-labsl_statusor",
    "-labsl_status",
    "-labsl_cord",
    "-labsl_cord_internal",
    "-labsl_cordz_info",
    "-labsl_strings",
    "-labsl_throw_delegate",
    "-labsl_raw_logging_internal",
    "-labsl_base",
    "-lpthread",
]

SCENARIO_COPTS = ["-Wno-missing-field-initializers"]  # BodyOptions{.schedules = 5}

def scenario_tests(names, deps = [], sim_deps = []):
    """For each NAME_test.cc: NAME_test on real threads, NAME_sim_test under the explorer.

    Args:
      names: the files, without _test.cc.
      deps: what they need besides the core and tests/conformance/core:env.
      sim_deps: the same for the simulated build.
    """
    for name in names:
        native.cc_test(
            name = name + "_test",
            size = "medium",
            srcs = [name + "_test.cc"],
            copts = SCENARIO_COPTS,
            linkopts = GTEST,
            deps = deps + [
                "//tests/conformance/core:env",
                "//workqueue/base",
                "//workqueue/core",
            ],
        )
        native.cc_test(
            name = name + "_sim_test",
            size = "medium",
            srcs = [name + "_test.cc"],
            copts = SCENARIO_COPTS,
            linkopts = GTEST,
            tags = [
                "no-tsan",
                "sim",
            ],
            deps = sim_deps + [
                "//tests/conformance/core:env_sim",
                "//workqueue/base:base_sim",
                "//workqueue/core:core_sim",
            ],
        )
