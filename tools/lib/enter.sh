#!/bin/bash
# Inside the new mount and process namespace of portal_enter: builds the view of the file system,
# then becomes the command.
# enter.sh ROOT CHECKOUT CACHE DIRECTORY NBINDS BIND... COMMAND ARG...
set -eu

root=$1 checkout=$2 cache=$3 directory=$4 nbinds=$5
shift 5
binds=("${@:1:nbinds}")
shift "$nbinds"

mount --make-rprivate /

# The session that this was called from, so that `portal` can run nested in it: its Wayland socket as
# a path, and what proves to its X server that it may.
wayland=${WAYLAND_DISPLAY:-}
case $wayland in
"" | /*) ;;
*) wayland=${XDG_RUNTIME_DIR:-}/$wayland ;;
esac
[ -S "$wayland" ] || wayland=
unset WAYLAND_DISPLAY
authority=${XAUTHORITY:-${HOME:-}/.Xauthority}
[ -n "${DISPLAY:-}" ] && [ -r "$authority" ] || authority=

if [ "$root" != / ]; then
	work=$cache/mnt
	mkdir -p "$work"
	mount -t tmpfs -o mode=755 portal "$work"
	mkdir "$work/upper" "$work/work" "$work/root"
	if ! mount -t overlay -o "lowerdir=$root,upperdir=$work/upper,workdir=$work/work" \
		portal "$work/root" 2>/dev/null; then
		# No overlayfs: the cached tree itself, which the command may then change.
		mount --bind "$root" "$work/root"
	fi
	new=$work/root
	mkdir -p "$new/proc" "$new/sys" "$new/dev" "$new/tmp" "$new/run"
	mount --rbind /dev "$new/dev"
	mount --rbind /sys "$new/sys"
	if [ -e /etc/resolv.conf ]; then
		cp -L /etc/resolv.conf "$new/etc/resolv.conf" 2>/dev/null || true
	fi
	[ ! -e /etc/hosts ] || cp -L /etc/hosts "$new/etc/hosts" 2>/dev/null || true
	mount -t tmpfs -o mode=1777 tmp "$new/tmp"
	mount -t tmpfs -o mode=755 run "$new/run"
	for dir in "$checkout" "$cache" ${binds+"${binds[@]}"}; do
		mkdir -p "$dir" "$new$dir"
		mount --rbind "$dir" "$new$dir"
	done
	if [ -n "$wayland" ]; then
		mkdir -p "$new/run/host"
		touch "$new/run/host/wayland"
		mount --bind "$wayland" "$new/run/host/wayland"
		wayland=/run/host/wayland
	fi
	if [ -n "$authority" ]; then
		mkdir -p "$new/run/host"
		cp "$authority" "$new/run/host/xauthority"
		authority=/run/host/xauthority
	fi
	if [ -n "${DISPLAY:-}" ] && [ -d /tmp/.X11-unix ]; then
		mkdir -p "$new/tmp/.X11-unix"
		mount --rbind /tmp/.X11-unix "$new/tmp/.X11-unix"
	fi
else
	new=
fi
[ -z "$wayland" ] || export WAYLAND_DISPLAY=$wayland
unset XAUTHORITY
[ -z "$authority" ] || export XAUTHORITY=$authority

mount -t proc proc "$new/proc"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$new/dev/pts" 2>/dev/null ||
	mount -t devpts -o newinstance,ptmxmode=0666 devpts "$new/dev/pts"
[ "$new" = "" ] || mount --bind "$new/dev/pts/ptmx" "$new/dev/ptmx" 2>/dev/null || true

# Where guests' memory lies as files; what a run leaves there ends with it.
mount -t tmpfs -o mode=1777 shm "$new/dev/shm"

export XDG_RUNTIME_DIR=/run/portal-session
mkdir -p "$new$XDG_RUNTIME_DIR" "$new/run/lock"
chmod 700 "$new$XDG_RUNTIME_DIR"
# In the machine's own /tmp a name that others know is not safe.
home=/tmp/home
[ -n "$new" ] || home=$XDG_RUNTIME_DIR/home
export HOME=${PORTAL_HOME:-$home} TMPDIR=/tmp LANG=C.UTF-8 LC_ALL=C.UTF-8
export PORTAL_CACHE=$cache PORTAL_IN_ROOT=1
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# The first process of the namespace is a shell that stays: it takes in the orphans of daemons, some
# of whose parents wait for them to be gone.
first='mkdir -p "$HOME"; cd "$1" 2>/dev/null || cd /; shift; "$@"; exit $?'
if [ -n "$new" ]; then
	# By chroot alone the kernel makes no user namespaces, in which passt for one confines itself.
	# What is itself run in a chroot has no other choice.
	cd "$new"
	mkdir -p mnt
	if pivot_root . mnt 2>/dev/null; then
		umount -l /mnt
	else
		exec chroot . /bin/bash -c "$first" portal "$directory" "$@"
	fi
fi
exec /bin/bash -c "$first" portal "$directory" "$@"
