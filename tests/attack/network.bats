# Root inside against the gateway: what is set there holds, whatever is done to eth0.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/own_pod

setup()
{
	common_setup
	probe small pod_network
	# shellcheck disable=SC2034 # in_pod hands it on
	name=$(new_name)
}

@test "a new queue, a larger MTU and another namespace change nothing about the rate" {
	probe debian
	run --separate-stderr in_pod '
		serve python3 "$here/pump.py" 192.0.2.1 9000 9001
		"$BERTH" run --rm --name "$name" --rootfs "$1:O" --net relay --rate-down 10mbit -- sh -c "
			ip link set eth0 mtu 65000
			tc qdisc replace dev eth0 root pfifo limit 10000
			tc qdisc show | grep -c tbf
			unshare -n sleep 60 & sleep 1
			ip link set eth0 netns \$!
			nsenter -n -t \$! sh -c \"
				ip addr add 198.18.240.2/30 dev eth0; ip link set eth0 up
				ip route add default via 198.18.240.1
				python3 - <<EOF
import socket, time
s = socket.create_connection((\\\"192.0.2.1\\\", 9000))
def take(seconds):
    n, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        n += len(s.recv(65536))
    return n
take(2)
print(\\\"percent\\\", take(6) * 8 * 100 // 60000000)
EOF
\"" ' "$BERTH_TEST_ROOTFS"
	assert_status 0
	assert_equal "${lines[0]}" 0
	[[ $output =~ percent\ ([0-9]+) ]] || fail "$output"
	# Payload is less than what the interface counts.
	[ "${BASH_REMATCH[1]}" -le 103 ] && [ "${BASH_REMATCH[1]}" -ge 50 ] || fail "$output"
}

@test "packets from other addresses than the planned one get nowhere" {
	run --separate-stderr in_pod '
		serve python3 "$here/pump.py" 192.0.2.1 9000 9001
		workspace --net relay -- sh -c "
			nc -w 3 192.0.2.1 9001 </dev/null && echo own
			ip addr add 198.18.240.9/32 dev eth0
			ip addr add 192.0.2.77/32 dev eth0
			for from in 198.18.240.9 192.0.2.77; do
				ip route replace default via 198.18.240.1 src \$from || echo no route
				nc -w 3 192.0.2.1 9001 </dev/null && echo \$from
			done
			true" 2>/dev/null'
	assert_status 0
	assert_output own
}

@test "eth0 may be deleted: the workspace goes on without it, and leaves nothing" {
	run --separate-stderr in_pod '
		before=$(ip -o link | wc -l)
		workspace --net relay -- sh -c "ip link del eth0; echo on"
		[ "$(ip -o link | wc -l)" = "$before" ]
		! pgrep -x berth-relay'
	assert_status 0
	assert_output on
}

@test "no namespace of the gateway is in reach from inside" {
	run --separate-stderr in_pod '
		workspace --net relay -- sh -c "
			ls /proc/1/ns >/dev/null && for p in /proc/[0-9]*; do readlink \$p/ns/net; done | sort -u | wc -l
			nsenter -n -t 1 ip -o link | grep -c berth0"'
	[[ ${lines[0]} == 1 && ${lines[1]} == 0 ]] || fail "$output"
}
