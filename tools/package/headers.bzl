# SPDX-License-Identifier: BSD-3-Clause
"""The headers that C++ libraries are compiled with, as files for other rules."""

def _library_headers_impl(ctx):
    files = depset(transitive = [dep[CcInfo].compilation_context.headers for dep in ctx.attr.deps])
    return [DefaultInfo(files = files, runfiles = ctx.runfiles(transitive_files = files))]

library_headers = rule(
    implementation = _library_headers_impl,
    attrs = {"deps": attr.label_list(providers = [CcInfo])},
)
