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
	elif unshare --user --map-root-user --map-auto true 2>/dev/null; then
		portal_unshare=(unshare --user --map-root-user --map-auto)
	else
		portal_die "needs root, or user namespaces with sub-ids for $(id -un):" \
			"add a line for this user to /etc/subuid and /etc/subgid (package uidmap)," \
			"or run it as root"
	fi
}

# Does this machine itself have what the root would bring? Only dpkg is asked, and only root can do there
# what the tests do. Nothing is installed: on a machine that lacks a package the root is made.
portal_native() {
	local states
	[ -z "${PORTAL_FORCE_ROOT:-}" ] &&
		command -v dpkg-query >/dev/null &&
		[ "$(id -u)" = 0 ] &&
		states=$(portal_packages "$portal_top/tools/packages/root.list" |
			xargs dpkg-query -W -f '${db:Status-Status}\n' 2>/dev/null) &&
		# dpkg knows also those of which only the configuration is left.
		[ "$(sort -u <<<"$states")" = installed ]
}

portal_need_mmdebstrap() {
	command -v mmdebstrap >/dev/null && return
	[ "$(id -u)" = 0 ] || portal_die "mmdebstrap is missing: install it (apt install mmdebstrap uidmap)"
	command -v apt-get >/dev/null || portal_die "mmdebstrap is missing, and there is no apt-get to install it with"
	portal_say "installing mmdebstrap"
	{ apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install mmdebstrap; } \
		>/dev/null || portal_die "could not install mmdebstrap with apt-get"
}

# portal_tree NAME PACKAGE...: where the cached tree of that name lies, made or not.
portal_tree() {
	local key
	key=$({ echo "$portal_suite"; printf '%s\n' "${@:2}"; } | sha256sum | cut -c1-16)
	echo "$portal_cache/$1-$key"
}

# portal_make_tree NAME OPTION... -- PACKAGE...: a cached Debian tree, made by mmdebstrap with these
# options; prints its path. NAME goes with the options, so the packages alone are the key.
# The cache is locked, so that two runs at once make it once; a broken one is never left under the
# final name.
portal_make_tree() {
	local name=$1 tree options=()
	shift
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	tree=$(portal_tree "$name" "$@")
	mkdir -p "$portal_cache"
	(
		flock 9
		[ -e "$tree/.complete" ] && exit 0
		portal_need_mmdebstrap
		portal_say "making $tree (once; some minutes at most)"
		# The tree belongs to the namespace's root, who without privileges is one of our sub-ids.
		"${portal_unshare[@]}" -- rm -rf --one-file-system "$tree" "$tree.new"
		# In our own namespace, whose root later enters the tree: mmdebstrap's own would give the
		# files to other ids.
		TMPDIR=/tmp "${portal_unshare[@]}" --mount -- mmdebstrap --mode=root --include="$(IFS=,; echo "$*")" \
			"${options[@]}" "${portal_apt_options[@]}" "$portal_suite" "$tree.new" >&2 ||
			portal_die "mmdebstrap failed, for the reason that it gives above: a package's name" \
				"that Debian $portal_suite does not have, or a package mirror that does not answer"
		# The wake-up of the package manager's services has no place in a build root.
		"${portal_unshare[@]}" -- rm -f "$tree.new/etc/resolv.conf"
		"${portal_unshare[@]}" -- touch "$tree.new/.complete"
		mv "$tree.new" "$tree"
	) 9>"$portal_cache/$name.lock" || exit 1
	echo "$tree"
}

# Prints the names in a package list of tools/packages, separated by blanks.
portal_list() {
	portal_packages "$portal_top/tools/packages/$1.list" | paste -sd' '
}

portal_root() {
	# shellcheck disable=SC2046 # words
	portal_make_tree root --variant=apt -- $(portal_list root)
}

# portal_guest_trees PACKAGE...: makes what the images of guests consist of, with further packages
# in them, and exports their paths as PORTAL_KERNEL_TREE and PORTAL_GUEST_TREE. PORTAL_HOST_TREE and
# PORTAL_BOOT_TREE are exported with them: it is where portal_host_tree and portal_boot_tree make one.
portal_guest_trees() {
	portal_find_privilege
	# shellcheck disable=SC2046
	PORTAL_HOST_TREE=$(portal_tree host $(portal_list host))
	# shellcheck disable=SC2046
	PORTAL_BOOT_TREE=$(portal_tree boot $(portal_list boot))
	# shellcheck disable=SC2046
	PORTAL_KERNEL_TREE=$(portal_make_tree kernel --variant=extract -- $(portal_list kernel)) || exit 1
	# shellcheck disable=SC2046
	PORTAL_GUEST_TREE=$(portal_make_tree guest --variant=apt \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--customize-hook='chroot "$1" /usr/sbin/groupadd --system portal' \
		--customize-hook='chroot "$1" /usr/sbin/useradd -mU -s /bin/bash user' \
		--customize-hook='chroot "$1" /usr/sbin/usermod -G portal,video,input,dialout user' \
		-- $(portal_list guest) "$@") || exit 1
	export PORTAL_KERNEL_TREE PORTAL_GUEST_TREE PORTAL_HOST_TREE PORTAL_BOOT_TREE
}

# A whole Debian host that tests boot, at PORTAL_HOST_TREE. It is large, and few need it.
portal_host_tree() {
	portal_find_privilege
	# shellcheck disable=SC2046
	PORTAL_HOST_TREE=$(portal_make_tree host --variant=apt \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--customize-hook='chroot "$1" /usr/sbin/useradd -mU -s /bin/bash user' \
		-- $(portal_list host)) || exit 1
	export PORTAL_HOST_TREE
}

# A Debian system with boot loaders, that tests start from a disk of its own, at PORTAL_BOOT_TREE.
portal_boot_tree() {
	portal_find_privilege
	# shellcheck disable=SC2046
	PORTAL_BOOT_TREE=$(portal_make_tree boot --variant=apt \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		-- $(portal_list boot)) || exit 1
	export PORTAL_BOOT_TREE
}

# portal_enter BINDS -- COMMAND ARG...: runs a command in the root, in its own mount and process
# namespace: the checkout and the cache at their own paths, an overlay so that the cached tree
# stays as it was made, private /tmp, /dev/pts and runtime directory. Where the machine is the root,
# /tmp is its own. Whatever the command leaves running ends with it.
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
	# With --fork unshare would ignore SIGTERM, and what runs inside would go on: the fork is this
	# shell's, and its child dies with it.
	exec "${portal_unshare[@]}" --mount --pid -- bash -c 'setpriv --pdeathsig KILL "$@"; exit $?' \
		portal bash "$portal_top/tools/lib/enter.sh" "$root" "$portal_top" "$portal_cache" \
		"$PWD" "${#binds[@]}" "${binds[@]}" "$@"
}
