#!/bin/bash
# Inside the root: builds and tests. run-tests.sh CHECKOUT ALL MESON-TEST-ARG...
set -u
top=$1 all=$2
shift 2
cd "$top" || exit 1

logs=()
status=0

# build BUILDDIR [SETUP-OPTION...]: configures once, builds.
build() {
	local build=$1
	shift
	if [ ! -e "$build/build.ninja" ]; then
		meson setup "$build" --fatal-meson-warnings -Dwerror=true "$@" || exit 1
	fi
	meson compile -C "$build" || exit 1
}

# run BUILDDIR LOG TEST-ARG...: runs tests, as many at once as there are processors. LOG is what
# these runs' logs are called: one build can have several.
run() {
	local build=$1 log=$2
	shift 2
	rm -f "$build/meson-logs/$log.json"
	meson test -C "$build" --no-rebuild --print-errorlogs --logbase "$log" "$@" || status=1
	# No test of that name in this build: no log.
	[ ! -e "$build/meson-logs/$log.json" ] || logs+=("$build/meson-logs/$log.json")
}

build build
if [ "$all" = no ]; then
	run build testlog --no-suite long "$@"
else
	run build testlog "$@"
	CC=clang CC_LD=lld build build-asan \
		-Db_sanitize=address,undefined -Db_lundef=false -Dfuzzers=true
	# Sanitized programs run some times slower, and virtual machines that are emulated anyway would
	# show nothing that the same tests with a local guest do not.
	if [ $# -gt 0 ]; then
		run build-asan testlog --no-suite vm --timeout-multiplier 4 "$@"
	else
		run build-asan testlog --no-suite vm --no-suite fuzz --timeout-multiplier 4
		# Ten minutes each, of a processor of its own: not beside tests, which would slow it down.
		run build-asan fuzzlog --suite fuzz
	fi
fi

python3 tools/lib/count-tests.py tests/skips.list "${logs[@]}" || status=1
exit $status
