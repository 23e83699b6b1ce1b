# shellcheck shell=bash
# The development root: a Debian tree that holds everything Portal builds with, made once by
# mmdebstrap and cached under a key of its package list. Sourced by tools/test, tools/demo and
# tools/shell; it defines functions and runs nothing by itself.

portal_top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
portal_cache=${PORTAL_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/portal}
portal_suite=forky

portal_die() {
	printf '%s: %s\n' "$(basename "$0")" "$*" >&2
	exit 1
}

portal_say() {
	printf '\033[1m==> %s\033[0m\n' "$*" >&2
}

# Prints the names in a package list, one a line, without comments.
portal_packages() {
	sed 's/#.*//' "$@" | tr -s ' \t' '\n' | sed '/^$/d'
}

portal_apt_options=(
	# A mirror's index of a suite in development can be older than its validity date.
	--aptopt='Acquire::Check-Valid-Until "false"'
	--aptopt='APT::Install-Recommends "false"'
	--aptopt='Acquire::Retries "3"'
)

# Can this user make a mount namespace, and how. Sets the array portal_unshare.
portal_find_privilege() {
	if [ "$(id -u)" = 0 ]; then
		portal_unshare=(unshare)
		portal_mode=root
	elif unshare --user --map-root-user --map-auto true 2>/dev/null; then
		portal_unshare=(unshare --user --map-root-user --map-auto)
		portal_mode=unshare
	else
		portal_die "needs root, or user namespaces with sub-ids for $(id -un):" \
			"add a line for this user to /etc/subuid and /etc/subgid (package uidmap)," \
			"or run it as root"
	fi
}

# Does this machine itself have what the root would bring?
portal_native() {
	[ -z "${PORTAL_FORCE_ROOT:-}" ] &&
		command -v dpkg-query >/dev/null &&
		[ "$(id -u)" = 0 ] &&
		portal_packages "$portal_top/tools/packages/root.list" |
			xargs dpkg-query -W -f '${db:Status-Status}\n' >/dev/null 2>&1
}

portal_need_mmdebstrap() {
	command -v mmdebstrap >/dev/null && return
	[ "$(id -u)" = 0 ] || portal_die "mmdebstrap is missing: install it (apt install mmdebstrap uidmap)"
	command -v apt-get >/dev/null || portal_die "mmdebstrap is missing, and there is no apt-get to install it with"
	portal_say "installing mmdebstrap"
	{ apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install mmdebstrap; } \
		>/dev/null || portal_die "could not install mmdebstrap with apt-get"
}

# portal_make_tree NAME LIST...: a cached Debian tree; prints its path.
# The cache is locked, so that two runs at once make it once; a broken one is never left under the
# final name.
portal_make_tree() {
	local name=$1 key tree include
	shift
	key=$({ echo "$portal_suite"; portal_packages "$@"; } | sha256sum | cut -c1-16)
	tree=$portal_cache/$name-$key
	mkdir -p "$portal_cache"
	(
		flock 9
		[ -e "$tree/.complete" ] && exit 0
		portal_need_mmdebstrap
		portal_say "making $tree (some minutes, once)"
		rm -rf --one-file-system "$tree" "$tree.new"
		include=$(portal_packages "$@" | paste -sd,)
		TMPDIR=/tmp mmdebstrap --mode="$portal_mode" --variant=apt --include="$include" "${portal_apt_options[@]}" \
			"$portal_suite" "$tree.new" >&2 ||
			portal_die "mmdebstrap failed: see above; is the package mirror reachable?"
		# The wake-up of the package manager's services has no place in a build root.
		rm -f "$tree.new/etc/resolv.conf"
		"${portal_unshare[@]}" -- touch "$tree.new/.complete"
		mv "$tree.new" "$tree"
	) 9>"$portal_cache/$name.lock" || exit 1
	echo "$tree"
}

portal_root() {
	portal_make_tree root "$portal_top/tools/packages/root.list"
}

# portal_enter BINDS -- COMMAND ARG...: runs a command in the root, in its own mount and process
# namespace: the checkout and the cache at their own paths, an overlay so that the cached tree
# stays as it was made, private /tmp, /dev/pts and runtime directory. Whatever the command leaves
# running ends with it.
portal_enter() {
	local binds=() root
	while [ "$1" != -- ]; do
		binds+=("$1")
		shift
	done
	shift
	portal_find_privilege
	if portal_native; then
		root=/
	else
		root=$(portal_root) || exit 1
	fi
	exec "${portal_unshare[@]}" --mount --pid --fork --kill-child -- \
		bash "$portal_top/tools/lib/enter.sh" "$root" "$portal_top" "$portal_cache" "$PWD" \
		"${#binds[@]}" "${binds[@]}" "$@"
}
