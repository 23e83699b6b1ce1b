#!/bin/sh
# planted.sh FUZZER DIRECTORY CORPUS RUNS: fuzzes a program with a planted bug from a committed
# corpus, at most RUNS inputs; it has to be found. What is written is only for whoever looks.
set -eu
fuzzer=$1 directory=$2 corpus=$3 runs=$4
rm -rf "$directory"
mkdir -p "$directory/new" "$directory/failed"
if "$fuzzer" -artifact_prefix="$directory/failed/" -runs="$runs" -seed=1 -print_final_stats=1 \
	"$directory/new" "$corpus" 2>"$directory/log"; then
	tail -n 20 "$directory/log"
	echo "the planted bug was not found in $runs inputs"
	exit 1
fi
grep -E '(ERROR|runtime error|Assertion|number_of_executed_units)' "$directory/log"
# A finding, not a program that does not start: libFuzzer has kept the input.
ls "$directory/failed/" | grep -q '^crash-' || {
	tail -n 20 "$directory/log"
	exit 1
}
