# A network of the workspace's own: --net relay and its rates. The pod's network is one that each
# test makes; nothing leaves it.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/own_pod

setup()
{
	common_setup
	probe small pod_network
	name=$(new_name)
}

@test "--net relay reaches what the pod reaches, by IPv4, IPv6 and name" {
	run --separate-stderr in_pod '
		serve python3 "$here/names.py"
		echo hello >index
		python3 -m http.server --bind :: 8000 >/dev/null 2>&1 &
		while ! (: </dev/tcp/192.0.2.1/8000) 2>/dev/null; do sleep 0.1; done
		workspace --net relay -- sh -c "
			wget -q -O - http://192.0.2.1:8000/index
			wget -q -O - http://[fd01::1]:8000/index
			wget -q -O - http://www:8000/index
			cat /etc/resolv.conf"'
	assert_status 0
	assert_output $'hello\nhello\nhello\nnameserver 198.18.240.1\nsearch example.test'
}

@test "--net relay does not lie: a refused port is refused, and the pod's loopback is out of reach" {
	run --separate-stderr in_pod '
		serve python3 "$here/pump.py" 127.0.0.1 9000 9001
		workspace --net relay -- sh -c "exec 2>&1 # two streams have no order
			nc 192.0.2.1 9 </dev/null; echo closed \$?
			nc 198.18.240.1 9000 </dev/null; echo gateway \$?
			nc 169.254.169.254 80 </dev/null; echo metadata \$?"'
	assert_status 0
	assert_has $'(192.0.2.1): Connection refused\nclosed 1'
	assert_has $'gateway 1'
	assert_has $'(169.254.169.254): No route to host\nmetadata 1'
}

@test "what the gateway does is in the plan, and the pod keeps its network" {
	run --separate-stderr in_pod '
		before=$(ip addr; ip rule; ip route show table all)
		"$BERTH" plan --net relay --rate-up 10mbit --rootfs "$small" -- true
		workspace --net relay -- sh -c "ip -o link; ip route; ip neigh"
		[ "$(ip addr; ip rule; ip route show table all)" = "$before" ]'
	assert_status 0
	assert_has 'veth           berth0 (198.18.240.1/30 fd62:6572:7468::1/64) to eth0 inside, MTU 1500'
	assert_has 'shape          upload 10mbit'
	assert_has 'default via 198.18.240.1 dev eth0'
	assert_has 'mtu 65520'
	grep -q '^198.18.240.1 dev eth0 lladdr 02:be:72:74:68:01.* PERMANENT' <<<"$output" || fail "$output"
	grep -q '^fd62:6572:7468::1 dev eth0 lladdr 02:be:72:74:68:01.* PERMANENT' <<<"$output" || fail "$output"
}

@test "a workspace in a workspace has a network that does not meet the outer one" {
	run --separate-stderr in_pod '
		ip addr add 198.18.240.2/30 dev pod0
		workspace --net relay -- ip route'
	assert_status 0
	assert_has 'default via 198.18.240.5 dev eth0'
}

@test "without IPv6 in the pod there is none in the workspace" {
	run --separate-stderr in_pod '
		ip addr del fd01::1/64 dev pod0
		workspace --net relay -- sh -c "ip -6 route; cat /proc/net/if_inet6"'
	assert_status 0
	[[ $output != *fd62* ]] || fail "$output"
}

@test "--rate-down and --rate-up are refused where there is no gateway" {
	for mode in none host; do
		run berth run --rm --name "$name" --net $mode --rate-up 1mbit \
			--rootfs "$BERTH_TEST_SMALL" -- true
		assert_status 125
		assert_has "'1mbit' with --net $mode"
		assert_has '--net relay'
	done
}

# rates RATE BITS: what is kept of the rate in both directions at once, in percent.
rates()
{
	run --separate-stderr in_pod '
		serve python3 "$here/pump.py" 192.0.2.1 9000 9001
		workspace --net relay --rate-down "$1" --rate-up "$1" -- sh -c "
			nc 192.0.2.1 9000 >/dev/null &
			nc 192.0.2.1 9001 </dev/zero & sleep 60" >/dev/null &
		until warden=$(pgrep -x berth-warden); do sleep 0.1; done
		bash "$here/shapers.sh" "$warden" "$2" berth0 berth-up' "$1" "$2"
	assert_status 0
	echo "$output"
}

# bats test_tags=long
@test "rates are kept in both directions" {
	local word bits least down up
	while read -r word bits least; do
		read -r down up <<<"$(rates "$word" "$bits")"
		# A machine that is busy with other things may be slower; nothing makes it faster.
		[ "$down" -le 103 ] && [ "$down" -ge "$least" ] || fail "$word: download $down %"
		[ "$up" -le 103 ] && [ "$up" -ge "$least" ] || fail "$word: upload $up %"
	done <<-'END'
		1mbit 1000000 90
		10mbit 10000000 80
		50mbit 50000000 30
	END
}

@test "the relay's death ends the workspace, with a word" {
	run in_pod '
		workspace --net relay -- sleep 60 & berth=$!
		until relay=$(pgrep -x berth-relay); do sleep 0.1; done
		until "$BERTH" inspect "$name" 2>/dev/null | grep -q "\"status\": \"running\""; do sleep 0.1; done
		kill -KILL "$relay"
		wait "$berth" && echo no failure || echo "status $?"
		! pgrep -x sleep'
	assert_status 0
	assert_has 'the relay was killed: the workspace ends'
	assert_has 'status 137'
}

@test "the relay holds nothing that it does not need" {
	run --separate-stderr in_pod '
		workspace --net relay -- sleep 60 &
		until relay=$(pgrep -x berth-relay); do sleep 0.1; done
		until grep -q "^Seccomp:.2" "/proc/$relay/status"; do sleep 0.1; done
		grep -E "^(CapPrm|CapEff|CapBnd|CapInh|CapAmb|NoNewPrivs|Seccomp):" "/proc/$relay/status"
		ls "/proc/$relay/root/" | grep -vE "^[0-9]+$" || true
		find "/proc/$relay/fd" -type l -printf "%l\n" | sed "s/:.*//" | sort -u
		[ "$(readlink "/proc/$relay/ns/net")" = "$(readlink /proc/self/ns/net)" ] && echo network
		[ "$(readlink "/proc/$relay/ns/user")" != "$(readlink /proc/self/ns/user)" ] && echo own user'
	assert_status 0
	# CAP_NET_ADMIN is bit 12.
	for set in CapPrm CapEff; do
		assert_has "$set:"$'\t'0000000000001000
	done
	for set in CapInh CapAmb; do
		assert_has "$set:"$'\t'0000000000000000
	done
	assert_has $'NoNewPrivs:\t1'
	[[ $output != *$'\netc'* && $output != *$'\nproc'* ]] || fail "$output"
	assert_has network
	assert_has 'own user'
}
