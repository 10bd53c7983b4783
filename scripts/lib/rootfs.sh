# shellcheck shell=bash disable=SC2034,SC2154 # start.sh brings these files together
# Makes root file systems, once each: the cache key is a hash of this file and the arguments.

# What a workspace is made of, besides Debian's minbase.
rootfs_packages=(
	systemd systemd-sysv dbus docker.io iproute2 iptables procps ca-certificates
	bubblewrap uidmap sudo inotify-tools python3-minimal util-linux
	libpam-systemd dbus-user-session libyajl2 libyaml-0-2 # a user's manager, and berth in berth
	crun # containers where no cgroup can be written: runc refuses that
	systemd-resolved # masked, until tests/run/resolved.bats turns it on
)

# Split off docker.io from Debian 13 on.
rootfs_packages_trixie=(docker-cli docker-compose docker-buildx)

# What a developer needs besides, and what fetches and unpacks images: for tests/pod/workspace.bats.
rootfs_packages_workspace=(docker-compose git libc6-dev make skopeo tcc umoci)

# What nobody reads in a workspace.
rootfs_excluded=(
	'/usr/share/doc/*' '/usr/share/info/*' '/usr/share/lintian/*' '/usr/share/locale/*'
	'/usr/share/man/*'
)

# rootfs_make KIND: KIND is a Debian suite, "workspace", Debian 12 with a developer's tools, "base-SUITE", what
# the image debian:SUITE is, or "small". REPLY is the tar afterwards.
rootfs_make()
{
	local make=(rootfs_debian "$1" "${rootfs_packages[@]}")

	case $1 in
	base-*) make=(rootfs_debian "${1#base-}") ;;
	small) make=(rootfs_small) ;;
	workspace) make=(rootfs_debian bookworm "${rootfs_packages[@]}" "${rootfs_packages_workspace[@]}") ;;
	trixie) make+=("${rootfs_packages_trixie[@]}") ;;
	esac
	cache_make "$1" .tar "$(cat "${BASH_SOURCE[0]}"; dpkg --print-architecture)" "${make[@]}"
}

# rootfs_mirror LABEL DEFAULT: where this machine gets Debian (or Debian-Security) from.
rootfs_mirror()
{
	local uri

	# shellcheck disable=SC2016 # apt's own variables
	uri=$(apt-get indextargets --format '$(ORIGIN)/$(LABEL) $(REPO_URI)' \
		'Created-By: Packages' 2>/dev/null |
		sed -n "s#^Debian/$1 \(https\?://[^ ]*\)\$#\1#p" | head -n 1)
	printf '%s' "${uri:-$2}"
}

# rootfs_debian SUITE PACKAGE... OUT: minbase with these packages as a tar. The array
# rootfs_options has more options for mmdebstrap, where it is set.
rootfs_debian()
{
	local suite=$1 out=${*: -1} main security path options=(${rootfs_options[@]+"${rootfs_options[@]}"})

	shift
	set -- "${@:1:$#-1}"
	main=$(rootfs_mirror Debian http://deb.debian.org/debian)
	security=$(rootfs_mirror Debian-Security http://deb.debian.org/debian-security)
	[ $# -eq 0 ] || options+=("--include=$(IFS=,; echo "$*")")
	for path in "${rootfs_excluded[@]}"; do
		options+=("--dpkgopt=path-exclude=$path")
	done
	options+=('--dpkgopt=path-include=/usr/share/doc/*/copyright')

	# How this machine reaches its mirror; the workspace is not told.
	apt-config dump | grep -E '^Acquire::(http|https|Retries|Check-|ForceIPv)' >"$work/apt.conf" ||
		: >"$work/apt.conf" # nothing set

	# The hooks leave out what mmdebstrap copies from this machine; device nodes cannot be
	# unpacked by a user, and a workspace gets its own.
	# shellcheck disable=SC2016 # for the hook's shell
	mmdebstrap --variant=minbase --format=tar --skip=output/dev \
		--aptopt="$work/apt.conf" "${options[@]}" \
		--customize-hook='rm -f "$1/etc/apt/apt.conf.d/99mmdebstrap" "$1/etc/resolv.conf" "$1/etc/.resolv.conf.systemd-resolved.bak"' \
		--customize-hook='! [ -e "$1/usr/bin/systemctl" ] || chroot "$1" systemctl --quiet mask systemd-resolved.service' \
		--customize-hook='echo workspace >"$1/etc/hostname"' \
		--customize-hook='echo "127.0.0.1 localhost workspace" >"$1/etc/hosts"' \
		"$suite" "$out" \
		"deb $main $suite main" \
		"deb $main $suite-updates main" \
		"deb $security $suite-security main"
}

# A root file system of one program, busybox, for tests that start in milliseconds; the same
# tar is an image for "docker import".
rootfs_small()
{
	local out=$1 dir=$work/small busybox applet

	mkdir -p "$dir/package"
	(cd "$dir" && quietly "$work/busybox.log" apt-get download busybox-static &&
		dpkg-deb -x busybox-static_*.deb package)
	busybox=$(dpkg-deb -c "$dir"/*.deb | sed -n 's#.* \./\(.*bin/busybox\)$#\1#p')
	busybox=$dir/package/$busybox
	mkdir -p "$dir/root"/{bin,dev,etc,home,mnt,proc,root,run,sys,tmp,usr,var/tmp}
	cp "$busybox" "$dir/root/bin/busybox"
	for applet in $("$busybox" --list); do
		[ "$applet" = busybox ] || ln -s busybox "$dir/root/bin/$applet"
	done
	ln -s bin "$dir/root/sbin"
	ln -s ../bin "$dir/root/usr/bin"
	ln -s ../bin "$dir/root/usr/sbin"
	chmod 1777 "$dir/root/tmp" "$dir/root/var/tmp"
	chmod 0700 "$dir/root/root"
	printf '%s\n' 'root:x:0:0:root:/root:/bin/sh' 'dev:x:1000:1000:dev:/home/dev:/bin/sh' \
		'nobody:x:65534:65534:nobody:/:/bin/false' >"$dir/root/etc/passwd"
	printf '%s\n' 'root:x:0:' 'dev:x:1000:' 'games:x:60:dev' 'nogroup:x:65534:' \
		>"$dir/root/etc/group"
	mkdir "$dir/root/home/dev"
	tar -C "$dir/root" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf "$out" .
}
