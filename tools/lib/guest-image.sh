#!/bin/bash
# guest-image.sh BUILD
# Inside the root: makes what the guests of tools/demo and of the VM tests start from, out of
# PORTAL_KERNEL_TREE, PORTAL_GUEST_TREE and the programs in the build directory, and leaves it as
# BUILD/guest/kernel, BUILD/guest/initrd and BUILD/guest/root.img.
#
# The root image depends on the package list alone, and lies in the cache. The build's programs
# travel in the initramfs, so a changed agent costs a second, not a new image.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
build=$1
cache=$PORTAL_CACHE
kernel_tree=${PORTAL_KERNEL_TREE:?}
guest_tree=${PORTAL_GUEST_TREE:?}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# pack DIRECTORY: prints it as an initramfs archive owned by root. Uncompressed: an emulated
# processor needs longer to unpack it than QEMU to hand it over.
pack() {
	(cd "$1" && find . -print0 | LC_ALL=C sort -z |
		cpio --null --quiet --create --format=newc --owner=0:0 --reproducible)
}

# module_files VERSION: the listed modules of that kernel, and those they need, as paths.
module_files() {
	local module
	for module in $(sed 's/#.*//' "$top/tools/packages/guest-modules.list"); do
		modprobe -d "$kernel_tree/usr" -S "$1" --show-depends "$module" || {
			echo "guest-image: kernel $1 has no module $module" >&2
			return 1
		}
	done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | sort -u
}

# make_initramfs OUT: busybox, tools/guest/init and the modules.
make_initramfs() {
	local dir=$work/initramfs version file name modules
	version=$(basename "$kernel_tree"/usr/lib/modules/*)
	modules=$dir/lib/modules/$version
	mkdir -p "$dir"/{bin,dev,proc,sys} "$modules"
	cp /bin/busybox "$dir/bin/busybox"
	cp "$top/tools/guest/init" "$dir/init"
	# The whole tree's index says what a module needs; the archive then gets an index of its own.
	[ -e "$kernel_tree/usr/lib/modules/$version/modules.dep" ] ||
		depmod -b "$kernel_tree/usr" "$version"
	cp "$kernel_tree/usr/lib/modules/$version"/modules.{builtin,builtin.modinfo,order} "$modules/"
	for file in $(module_files "$version"); do
		name=$(basename "$file")
		case $name in
		*.xz) xz -dc "$file" >"$modules/${name%.xz}" ;;
		*.zst) zstd -qdc "$file" >"$modules/${name%.zst}" ;;
		*) cp "$file" "$modules/" ;;
		esac
	done
	depmod -b "$dir" "$version"
	pack "$dir" >"$1"
}

# make_root_image OUT: the tree as an ext4 image; only ever read, hence without a journal.
make_root_image() {
	local kib
	kib=$(du -sk --apparent-size "$guest_tree" | cut -f1)
	truncate -s "$((kib * 5 / 4 + 65536))K" "$1"
	mkfs.ext4 -q -m 0 -O ^has_journal -L portal-root -d "$guest_tree" "$1"
}

# make_programs OUT: the layer over the root image: the build as `meson install` puts it, and
# tools/guest/rootfs.
make_programs() {
	local layer=$work/programs/project
	mkdir -p "$layer"
	meson install -C "$build" --destdir "$layer" --no-rebuild --quiet --strip
	cp -a "$top/tools/guest/rootfs/." "$layer/"
	pack "$work/programs" >"$1"
}

# make OUT COMMAND: runs COMMAND OUT unless OUT is there; half of one never stays under that name,
# and two runs at once make it once.
make() {
	(
		flock 9
		[ ! -e "$1" ] || exit 0
		echo "==> making $1" >&2
		"$2" "$1.new"
		mv "$1.new" "$1"
	) 9>"$1.lock"
}

key=$(cat "$top/tools/guest/init" "$top/tools/packages/guest-modules.list" \
	"${BASH_SOURCE[0]}" <(echo "$kernel_tree") | sha256sum | cut -c1-16)
initramfs=$cache/initramfs-$key.cpio
make "$initramfs" make_initramfs
make "$guest_tree.img" make_root_image

mkdir -p "$build/guest"
make_programs "$work/programs.cpio"
cat "$initramfs" "$work/programs.cpio" >"$build/guest/initrd.new"
mv "$build/guest/initrd.new" "$build/guest/initrd"
ln -sf "$guest_tree.img" "$build/guest/root.img"
# Debian keeps the kernel with its modules now, and in /boot before.
for file in "$kernel_tree"/usr/lib/modules/*/vmlinuz "$kernel_tree"/boot/vmlinuz-*; do
	[ ! -e "$file" ] || ln -sf "$file" "$build/guest/kernel"
done
