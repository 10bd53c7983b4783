# shellcheck shell=bash disable=SC2034,SC2154 # start.sh brings these files together
# Which distribution packages each part needs, and how they get here.

packages_build=(
	autoconf autoconf-archive automake gcc libc6-dev make pkg-config
	libcap-dev libcgroup-dev libmicrohttpd-dev libmnl-dev libnftnl-dev libseccomp-dev libyajl-dev
	libyaml-dev
)
packages_run=(uidmap util-linux)
packages_rootfs=(debian-archive-keyring mmdebstrap)
packages_vm=(cpio e2fsprogs qemu-system-x86 uidmap xz-utils) # besides packages_rootfs
packages_test=(
	apache2-utils attr bats bind9-dnsutils binutils bubblewrap busybox chromium clang-format
	codespell crun curl dnsmasq-base docker-registry git iperf3 iproute2 jq libcmocka-dev
	man-db netcat-openbsd nftables nginx-light openssh-client openssh-server openssl passt
	procps prometheus python3 python3-jsonschema python3-websockets python3-yaml shellcheck
	skopeo strace tzdata umoci
)

# Whose kubectl it is does not matter.
command -v kubectl >/dev/null || packages_test+=(kubernetes-client)

# packages_missing NAME...: prints those that are not installed, one a line.
packages_missing()
{
	local name installed

	# shellcheck disable=SC2016 # dpkg's own variables
	installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null) ||
		true # it does not know some of them
	for name; do
		grep -qxF "installed $name" <<<"$installed" || printf '%s\n' "$name"
	done
}

# packages_install NAME...: installs what is missing; without the right to, says what that is.
packages_install()
{
	local missing as_root=()

	command -v dpkg-query >/dev/null ||
		die "this needs Debian or Ubuntu; elsewhere install what these packages hold: $*"

	mapfile -t missing < <(packages_missing "$@")
	if [ "${#missing[@]}" -eq 0 ]; then
		say "all $# packages are here"
		return
	fi

	if [ "$(id -u)" -ne 0 ]; then
		as_root=(sudo)
		[ -t 0 ] || as_root=(sudo -n)
		if ! command -v sudo >/dev/null || ! "${as_root[@]}" true; then
			printf '%s: some packages are missing; as root, run:\n\napt-get install %s\n' \
				"${0##*/}" "${missing[*]}" >&2
			exit 1
		fi
	fi

	say "installing: ${missing[*]}"
	quietly "$work/apt.log" "${as_root[@]}" apt-get update
	quietly "$work/apt.log" "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y --no-install-recommends "${missing[@]}"
}
