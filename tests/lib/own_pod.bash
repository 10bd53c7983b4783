# shellcheck shell=bash
# A pod whose network is the test's own and has no way out, in one script. network.bash has a peer too.

probe_pod_network()
{
	probe_tool ip && probe_tool python3 && probe_subids || return
	unshare -U --map-auto --map-root-user -n -m -p -f --mount-proc true ||
		fail "no user, network and PID namespace for us"
}

# in_pod SCRIPT [WORD...]: bash runs SCRIPT as root of a pod with 192.0.2.1 and fd01::1, whose name
# server is 127.0.0.53. All it starts ends with it. $BERTH, $small and $name are what they say.
in_pod()
{
	local script=$1
	shift
	printf 'nameserver 127.0.0.53\nsearch example.test\n' >resolv.conf
	small=$BERTH_TEST_SMALL name=$name here=$BATS_TEST_DIRNAME/../lib \
		timeout 120 unshare -U --map-auto --map-root-user -n -m -p -f --kill-child \
		--mount-proc bash -euo pipefail -c '
			ip link set lo up
			ip link add pod0 type veth peer name pod1
			# No address that becomes another one a second later, when nobody else has it.
			ip link set pod0 addrgenmode none
			ip link set pod1 addrgenmode none
			ip link set pod0 up
			ip link set pod1 up
			ip addr add 192.0.2.1/24 dev pod0
			ip addr add fd01::1/64 dev pod0 nodad
			mount --bind resolv.conf /etc/resolv.conf
			workspace() { "$BERTH" run --rm --name "$name" --rootfs "$small:O" "$@"; }
			# serve PROGRAM...: in the background, once it says "ready".
			serve()
			{
				local line
				exec 9< <(exec "$@")
				read -r line <&9
				[ "$line" = ready ]
			}
			'"$script" pod "$@" 3>&-
}
