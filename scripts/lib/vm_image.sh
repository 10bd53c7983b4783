# shellcheck shell=bash disable=SC2034,SC2154 # start.sh brings these files together
# Makes the guest of tests/vm: Debian 13 with its own kernel, cgroup v2, AppArmor and container
# engines, and the workspaces' root file systems in it.

# What it is made of, besides Debian's minbase.
vm_packages=(
	systemd systemd-sysv dbus libpam-systemd dbus-user-session kmod linux-image-cloud-amd64
	apparmor podman crun runc conmon containers-storage uidmap bats jq python3-minimal
	python3-yaml iproute2 nftables iptables procps strace util-linux libcap2-bin bubblewrap
	busybox-static
	apache2-utils docker-registry git openssl skopeo # what pods pull from, and clone
	nfs-kernel-server # for tests/vm/nfs.bats
	passt # the other way out, for tests/run/pasta_rate.bats
)

# vm_make: REPLY is a directory with vmlinuz, initrd and root.ext4 afterwards.
vm_make()
{
	local guest debian

	[ "$(dpkg --print-architecture)" = amd64 ] || die "the guest of tests/vm is made for amd64 only"
	cache_make guest .tar "$(cat "$top/scripts/lib/rootfs.sh")" rootfs_debian trixie "${vm_packages[@]}"
	guest=$REPLY
	rootfs_make workspace # a bookworm that has more
	debian=$REPLY
	rootfs_make small
	cache_make vm '' "$(cat "$top/tests/vm/image/"*)" vm_image "$guest" "$debian" "$REPLY"
}

# vm_image GUEST-TAR DEBIAN-TAR SMALL-TAR OUT: as root of a user namespace where we are not root,
# since the files keep their owners.
vm_image()
{
	local as_root=()

	[ "$(id -u)" -eq 0 ] || as_root=(unshare --user --map-auto --map-root-user --)
	at_exit "${as_root[@]}" rm -rf "$work/guest"
	quietly "$work/image.log" "${as_root[@]}" "$top/tests/vm/image/build" "$work/guest" "$@"
	"${as_root[@]}" rm -rf "$work/guest"
}
