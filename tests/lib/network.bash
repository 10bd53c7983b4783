# shellcheck shell=bash
# For tests of the network, beside common.bash: a pod of our own, and somebody outside it,
# both network namespaces of the test. Whoever uses it calls pod_up in setup and pod_down in
# teardown.
#
#	pod    10.9.0.1 fd09::1, default route to
#	peer   10.9.0.2 fd09::2

pod_up()
{
	test_processes=()
	unshare --user --map-root-user --map-auto --net --mount sleep 3600 3>&- &
	pod_pid=$!
	test_processes+=("$pod_pid")
	wait_until 5 runs_sleep "$pod_pid"
	nsenter -t "$pod_pid" -U -n -m -S 0 -G 0 -- unshare --net sleep 3600 3>&- &
	peer_pid=$!
	test_processes+=("$peer_pid")
	wait_until 5 runs_sleep "$peer_pid"
	in_pod ip link set lo up
	at_peer ip link set lo up
	in_pod ip link add pod0 mtu "${1:-65520}" type veth peer name peer0 mtu "${1:-65520}" \
		netns "$peer_pid"
	in_pod ip addr add 10.9.0.1/24 dev pod0
	in_pod ip addr add fd09::1/64 dev pod0 nodad
	in_pod ip link set pod0 up
	at_peer ip addr add 10.9.0.2/24 dev peer0
	at_peer ip addr add fd09::2/64 dev peer0 nodad
	at_peer ip link set peer0 up
	in_pod ip route add default via 10.9.0.2
	in_pod ip route add default via fd09::2
}

# What ran in the pod's namespaces ends too: they would stay as long as it does. Workspaces first:
# a supervisor that is on its way out there refuses who comes from elsewhere.
pod_down()
{
	local pid entry

	for entry in "${XDG_RUNTIME_DIR:-/run}/berth/$test_prefix"-*; do
		[ ! -e "$entry" ] || berth_in_pod rm -f "${entry##*/}" >/dev/null 2>&1 || true
	done
	for pid in $(pgrep -u "$(id -u)" --ns "$pod_pid" --nslist mnt); do
		[ "$pid" = "$pod_pid" ] || kill "$pid" 2>/dev/null
	done
	# A server there may have mounts of its own.
	for pid in $(pgrep -u "$(id -u)" --ns "$peer_pid" --nslist net); do
		kill "$pid" 2>/dev/null
	done
	# Of nobody in particular, wait is for all: bats' own clock, too.
	[ "${#test_processes[@]}" -gt 0 ] || return 0
	kill "${test_processes[@]}" 2>/dev/null
	wait "${test_processes[@]}" 2>/dev/null || true
}

runs_sleep() { [ "$(cat "/proc/$1/comm")" = sleep ]; }

# in_pod COMMAND..., at_peer COMMAND...: there, as root of the pod.
in_pod() { in_namespaces_of "$pod_pid" "$@"; }
at_peer() { in_namespaces_of "$peer_pid" "$@"; }
in_namespaces_of() { nsenter -t "$1" -U -n -m -S 0 -G 0 --wd="$PWD" -- "${@:2}" 3>&-; }

# pod_resolver ADDRESS: whom the pod asks for names
pod_resolver()
{
	echo "nameserver $1" >"$BATS_TEST_TMPDIR/resolv.conf"
	in_pod mount --bind "$BATS_TEST_TMPDIR/resolv.conf" "$(readlink -f /etc/resolv.conf)"
}

# On some machines the device that pasta takes is root's alone.
probe_tun_in_pod() { in_pod sh -c ': <>/dev/net/tun' 2>/dev/null; }

is_settled() { [ -z "$(in_pod ip -6 addr show tentative)" ]; }

# names_up WHERE ADDRESS: a name server there that knows db.test
names_up()
{
	echo "10.1.2.3 db.test" >hosts
	"$1" dnsmasq --keep-in-foreground --listen-address "$2" --bind-interfaces --no-resolv \
		--no-hosts --addn-hosts="$PWD/hosts" --user=root --group=root --pid-file="$PWD/pid" 3>&- &
	test_processes+=("$!")
	wait_until 5 test -e pid
}

# peer_up [ADDRESS...]: who says hello at port 80 and gives datagrams back at port 7; also at
# these addresses
peer_up()
{
	local address

	for address; do
		at_peer ip addr add "$address" dev lo
	done
	serve peer.log at_peer python3 relay_peer.py 10.9.0.2 fd09::2 "$@"
}

# serve LOG WHERE COMMAND...: in the background, until "ready" stands in LOG.
serve()
{
	local log=$1

	shift
	: >"$log" # who was there before may have been ready
	"$@" >"$log" 2>&1 &
	test_processes+=("$!")
	wait_until 10 grep -q ready "$log"
}

# berth_in_pod ARG...: the binary under test.
berth_in_pod() { in_cgroup nsenter -t "$pod_pid" -U -n -m -S 0 -G 0 --wd="$PWD" -- "$BERTH" "$@"; }

# lacking WORD... -- ARG...: berth in a pod whose kernel refuses messages of netlink with these words
lacking()
{
	local words=()

	while [ "$1" != -- ]; do
		words+=("netlink:$1")
		shift
	done
	shift
	# shellcheck disable=SC2153 # the environment's
	ASAN_OPTIONS=detect_leaks=0 run in_cgroup nsenter -t "$pod_pid" -U -n -m -S 0 -G 0 --wd="$PWD" -- \
		"$BERTH_TEST_WITHOUT" -n "${words[@]}" -- "$BERTH" "$@"
}
