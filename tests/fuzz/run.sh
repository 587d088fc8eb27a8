#!/usr/bin/env bash
# Builds the fuzzers and, given TARGET EXECUTIONS [options of libFuzzer], runs one. What ends it is kept in build/fuzz/found.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$root/build/fuzz

command -v clang++-16 > /dev/null || { echo "no clang++-16: the fuzzers are skipped" >&2 && exit 77; }
mkdir -p "$build/found"
(
  flock 9
  [[ -e $build/build.ninja ]] || cmake -S "$root" --preset fuzz > "$build/configure.log"
  ninja -C "$build" --quiet all
) 9> "$build/.lock"
(($#)) || exit 0

target=$1 executions=$2
shift 2
# What the runs discover is kept beside the seeds of the repository and serves the next run.
mkdir -p "$build/corpus/$target"
# Inputs have at most 16 KiB: a parser that asks for 64 MiB at once believed a number that it read.
exec "$build/tests/fuzz/fuzz_$target" -runs="$executions" -max_len=16384 -malloc_limit_mb=64 -rss_limit_mb=1024 \
  -timeout=60 -print_final_stats=1 -artifact_prefix="$build/found/$target-" "$@" \
  "$build/corpus/$target" "$root/tests/fuzz/corpus/$target"
