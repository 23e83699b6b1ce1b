#!/bin/sh
# run.sh FUZZER DIRECTORY CORPUS [OPTION...]: fuzzes from a committed corpus. What is found, new
# inputs and failing ones alike, goes into DIRECTORY; the corpus stays as it is.
set -eu
fuzzer=$1 directory=$2 corpus=$3
shift 3
mkdir -p "$directory/new" "$directory/failed"
# libFuzzer's status of a finding is 77, which Meson takes for "skipped".
"$fuzzer" -artifact_prefix="$directory/failed/" -print_final_stats=1 "$@" \
	"$directory/new" "$corpus" || exit 1
