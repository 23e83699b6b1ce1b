#!/bin/bash
# Inside the root: builds and tests. run-tests.sh CHECKOUT ALL MESON-TEST-ARG...
set -u
top=$1 all=$2
shift 2
cd "$top" || exit 1

logs=()
status=0

# run BUILDDIR "SETUP OPTIONS" TEST-ARG...: configures once, builds, tests.
run() {
	local build=$1 options=$2
	shift 2
	if [ ! -e "$build/build.ninja" ]; then
		# shellcheck disable=SC2086 # the options are words
		meson setup "$build" --fatal-meson-warnings -Dwerror=true $options || exit 1
	fi
	meson compile -C "$build" || exit 1
	meson test -C "$build" --no-rebuild --print-errorlogs "$@" || status=1
	logs+=("$build/meson-logs/testlog.json")
}

if [ "$all" = yes ]; then
	run build "" "$@"
	# Sanitized programs run some times slower, and virtual machines that are emulated anyway would
	# show nothing that the same tests with a local guest do not.
	CC=clang CC_LD=lld run build-asan \
		"-Db_sanitize=address,undefined -Db_lundef=false -Dfuzzers=true" \
		--no-suite vm --timeout-multiplier 4 "$@"
else
	run build "" --no-suite long "$@"
fi

python3 tools/lib/count-tests.py tests/skips.list "${logs[@]}" || status=1
exit $status
