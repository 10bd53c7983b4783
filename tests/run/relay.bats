#!/usr/bin/env bats
#
# What programs in a workspace see of the network, through the relay. Python runs inside, on
# the pod's own root.

load ../lib/common
load ../lib/network

setup()
{
	common_setup
	probe subids tool:python3 tool:ip tool:nsenter
	pod_up
	cp "$BATS_TEST_DIRNAME"/../lib/relay_*.py "$BATS_TEST_TMPDIR"
	chmod -R a+rX "$BATS_TEST_TMPDIR"
}

teardown()
{
	pod_down # a workspace in it hears nobody from outside
	common_teardown
}

# inside TRY...: relay_client.py in a workspace; $patience is its PATIENCE
inside()
{
	run berth_in_pod run --name "$(new_name)" --net relay -e PATIENCE="${patience:-10}" -v "$BATS_TEST_TMPDIR:/client:ro" -- \
		python3 /client/relay_client.py "$@"
	assert_status 0
}

@test "a connection stands when the other side's does, IPv4 and IPv6" {
	peer_up
	inside connect 10.9.0.2
	assert_output "hello from 10.9.0.1"
	inside connect fd09::2
	assert_output "hello from fd09::1"
}

@test "a refused port is refused, IPv4 and IPv6" {
	inside connect 10.9.0.2 81
	assert_output ECONNREFUSED
	inside connect fd09::2 81
	assert_output ECONNREFUSED
}

@test "an unreachable host is unreachable" {
	in_pod ip route add unreachable 192.0.2.0/24
	in_pod ip route add unreachable 2001:db8::/64
	inside connect 192.0.2.1
	assert_output EHOSTUNREACH
	inside connect 2001:db8::1
	assert_output EHOSTUNREACH
}

@test "a host that says nothing is silence" {
	probe tool:nft
	at_peer nft "add table inet t; add chain inet t c { type filter hook input priority 0; }; add rule inet t c tcp dport 81 drop"
	patience=1.5 inside connect 10.9.0.2 81
	assert_output timeout
}

@test "the pod's own loopback, and the cloud's metadata are forbidden" {
	serve loopback.log in_pod python3 relay_peer.py 127.0.0.1 ::1
	at_peer ip addr add 169.254.169.254/32 dev lo
	at_peer ip addr add fd00:ec2::254/128 dev lo
	serve metadata.log at_peer python3 relay_peer.py 169.254.169.254 fd00:ec2::254
	inside connect 169.254.169.254
	assert_output EHOSTUNREACH
	inside connect fd00:ec2::254
	assert_output EACCES
	# The workspace's own loopback, where nobody listens.
	for address in 127.0.0.1 ::1; do
		inside connect "$address"
		assert_output ECONNREFUSED
	done
}

@test "root inside does not reach the pod's loopback by its own routes" {
	serve loopback.log in_pod python3 relay_peer.py 127.0.0.1
	run berth_in_pod run --name "$(new_name)" --net relay -v "$BATS_TEST_TMPDIR:/client:ro" -- sh -c '
		sysctl -qw net.ipv4.conf.all.route_localnet=1 net.ipv4.conf.eth0.route_localnet=1
		ip addr del 127.0.0.1/8 dev lo
		ip route add 127.0.0.0/8 via "$(ip route | sed -n "s/default via \([^ ]*\).*/\1/p")" ||
			ip route replace table local 127.0.0.1 via "$(ip route | sed -n "s/default via \([^ ]*\).*/\1/p")"
		python3 /client/relay_client.py connect 127.0.0.1'
	assert_status 0
	[[ $output != *hello* ]]
	assert_has EHOSTUNREACH
}

@test "the gateway has no port but that for names" {
	run berth_in_pod run --name "$(new_name)" --net relay -v "$BATS_TEST_TMPDIR:/client:ro" -- sh -c '
		gateway=$(ip route | sed -n "s/default via \([^ ]*\).*/\1/p")
		for port in 1 22 80; do
			python3 /client/relay_client.py connect "$gateway" $port
			python3 /client/relay_client.py datagram "$gateway" $port
		done'
	assert_status 0
	assert_output "$(yes ECONNREFUSED | head -n 6)"
}

@test "who has sent his last byte still gets the answer" {
	peer_up
	inside half-close
	assert_output "got 3000000"
}

@test "a reset comes through in both directions, behind the bytes before it" {
	peer_up
	inside reset-from-outside
	assert_output "reset after 100000"
	inside reset-from-inside
	wait_until 5 grep -qx reset peer.log
	inside end-from-inside
	wait_until 5 grep -qx end peer.log
}

@test "bytes are the same ones, both ways at once" {
	peer_up
	inside echo 10.9.0.2
	assert_output same
	inside echo fd09::2
	assert_output same
}

@test "peers that never read hold up their own connections only" {
	peer_up
	inside never-read
	assert_output "bounded, then hello"
}

# The relay of the workspace: it alone is in the pod's network by this name.
relay_pid()
{
	local pid

	for pid in $(pgrep -x berth-relay); do
		[ "$(in_pod readlink "/proc/$pid/ns/net")" = "$(in_pod readlink /proc/self/ns/net)" ] &&
			echo "$pid"
	done
	true # the last one may be another's
}

start_many()
{
	mkfifo go
	exec 9<>go
	berth_in_pod run --name "$1" --net relay -i -v "$BATS_TEST_TMPDIR:/client:ro" -- \
		python3 /client/relay_client.py many 10.9.0.2 "$2" <&9 >many.out 2>&1 &
	test_processes+=("$!")
	wait_until 60 grep -q open many.out
}

@test "2000 connections at a time, in little memory" {
	# Two descriptors each in the relay, and some for pipes.
	probe nofile:12000
	ulimit -n "$(ulimit -Hn)"
	peer_up
	start_many "$(new_name)" 2000
	relay=$(relay_pid)
	[ -n "$relay" ]
	kib=$(in_pod sed -n 's/^RssAnon:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$relay/status")
	echo "$kib KiB"
	# With sanitizers it is another program, which keeps what was freed for a while.
	[ "$BERTH_TEST_BUILD" = build-asan ] || [ "$kib" -le $((1024 + 2 * 2000)) ]
	echo >&9
	wait_until 20 grep -q 'of 2000' many.out
	assert_equal "$(tail -n1 many.out)" "2000 of 2000"
}

probe_nofile() { [ "$(ulimit -Hn)" = unlimited ] || [ "$(ulimit -Hn)" -ge "$1" ] || fail "no more than $(ulimit -Hn) open files"; }

@test "datagrams of all sizes, IPv4 and IPv6" {
	peer_up
	inside datagram 10.9.0.2 7
	assert_output all
	inside datagram fd09::2 7
	assert_output all
	inside burst 10.9.0.2
	assert_output 1000
	inside burst fd09::2
	assert_output 1000
}

# sockets_are LEAST MOST: how many descriptors the relay has
sockets() { in_pod sh -c "ls /proc/$(relay_pid)/fd | wc -l"; }
sockets_are() { local n; n=$(sockets) && [ "$n" -ge "$1" ] && [ "$n" -le "$2" ]; }

@test "more flows than are kept: the newest is answered, descriptors are bounded, and who is idle is forgotten" {
	local ws before flows=128

	peer_up
	ws=$(new_name)
	# The relay keeps a quarter of its descriptors for flows.
	ulimit -n $((flows * 4))
	berth_in_pod run -d --name "$ws" --net relay -v "$BATS_TEST_TMPDIR:/client:ro" -- sleep 600
	wait_until 5 has_relay
	before=$(sockets)
	# From the peer on nothing comes back.
	run berth_in_pod exec "$ws" -- python3 /client/relay_client.py silent-flows 192.0.2.1 300
	assert_output sent
	wait_until 10 sockets_are $((before + flows - 20)) $((before + flows))
	run berth_in_pod exec "$ws" -- python3 /client/relay_client.py datagram 10.9.0.2 7
	assert_output all
	sockets_are "$before" $((before + flows)) || fail "$(sockets), of $before"
	# Half a minute without an answer; the answered one has longer.
	wait_until 50 sockets_are "$before" $((before + 1))
	run berth_in_pod exec "$ws" -- python3 /client/relay_client.py answered-flows 10.9.0.2 300
	assert_output 300
	sockets_are $((before + flows - 20)) $((before + flows)) || fail "$(sockets), of $before"
}

@test "connections are kept alive on both sides of the relay" {
	local ws warden

	peer_up
	ws=$(new_name)
	start_many "$ws" 1
	warden=$(in_pod pgrep -x berth-warden -P "$(berth_in_pod inspect "$ws" | sed -n 's/^ *"supervisor": \([0-9]*\),$/\1/p')")
	wait_until 10 is_kept_alive in_pod dst 10.9.0.2
	wait_until 10 is_kept_alive in_gateway src 10.9.0.2
	echo >&9
}

in_gateway() { in_pod nsenter -t "$warden" -U -n -S 0 -G 0 -- "$@"; }

# is_kept_alive WHERE FILTER...: the only connection there waits for the time to ask the other side
is_kept_alive()
{
	local seen

	seen=$("$1" ss -Htno state established "${@:2}" 'sport = :94 or dport = :94')
	[[ $seen =~ ^[^$'\n']*timer:\(keepalive,(1min[0-9.]*(sec|ms)?|[0-9.]+sec), ]] || { echo "$seen"; return 1; }
}

@test "a datagram to a closed port is refused" {
	inside datagram 10.9.0.2 9
	assert_output ECONNREFUSED
	inside datagram fd09::2 9
	assert_output ECONNREFUSED
}

@test "names come from the pod's nameserver on its loopback, by UDP and TCP" {
	probe tool:dnsmasq tool:dig file:/etc/resolv.conf
	pod_resolver 127.0.0.53
	names_up in_pod 127.0.0.53
	run berth_in_pod run --name "$(new_name)" --net relay -- sh -c '
		dig +short +tries=1 db.test; dig +short +tries=1 +tcp db.test; getent ahostsv4 db.test | head -n1'
	assert_status 0
	assert_output "10.1.2.3
10.1.2.3
10.1.2.3        STREAM db.test"
}

@test "names come from a name server at a link-local address, by UDP and TCP, and nothing else of it" {
	probe tool:dnsmasq tool:dig file:/etc/resolv.conf
	peer_up 169.254.20.10
	pod_resolver 169.254.20.10
	names_up at_peer 169.254.20.10
	run in_pod python3 relay_client.py connect 169.254.20.10
	assert_output "hello from 10.9.0.1"
	run berth_in_pod run --name "$(new_name)" --net relay -v "$BATS_TEST_TMPDIR:/client:ro" -- sh -c '
		cat /etc/resolv.conf
		dig +short +tries=1 db.test; dig +short +tries=1 +tcp db.test
		python3 /client/relay_client.py connect 169.254.20.10'
	assert_status 0
	[[ ${lines[0]} == "nameserver "* && ${lines[0]} != *169.254* ]] || fail "$output"
	assert_equal "${lines[*]:1}" "10.1.2.3 10.1.2.3 EHOSTUNREACH"
}

@test "ping comes back where the pod has ping sockets, and is filtered elsewhere" {
	probe tool:busybox
	in_pod sysctl -qw "net.ipv4.ping_group_range=1 0"
	run berth_in_pod run --name "$(new_name)" --net relay -- busybox ping -c1 -W1 10.9.0.2
	assert_status 1
	in_pod sysctl -qw "net.ipv4.ping_group_range=0 65535"
	run berth_in_pod run --name "$(new_name)" --net relay -- busybox ping -c1 -W5 -s 8000 10.9.0.2
	assert_status 0
	run berth_in_pod run --name "$(new_name)" --net relay -- busybox ping -c1 -W5 fd09::2
	assert_status 0
}

@test "half-open connections in masses do not keep out an honest one" {
	probe tool:nft
	peer_up
	at_peer nft "add table inet t; add chain inet t c { type filter hook input priority 0; }; add rule inet t c tcp dport 9 drop"
	inside flood
	assert_output hello
}

@test "a sender that is not the workspace is not heard" {
	probe tool:nft
	peer_up
	at_peer nft "add table inet t; add chain inet t c { type filter hook input priority 0; }; add rule inet t c udp dport 7 counter"
	inside spoof
	run at_peer nft list chain inet t c
	assert_has "counter packets 0 bytes 0"
	inside datagram 10.9.0.2 7
	run at_peer nft list chain inet t c
	[[ $output != *"counter packets 0 bytes 0"* ]]
}

@test "the relay is confined: capabilities, filter, root and descriptors" {
	peer_up
	start_many "$(new_name)" 1
	relay=$(relay_pid)
	[ -n "$relay" ]
	run in_pod cat "/proc/$relay/status"
	net_admin=$(printf '%016x' $((1 << 12)))
	for line in CapEff CapPrm CapBnd CapInh CapAmb; do
		case $line in
		CapEff | CapPrm) wanted=$net_admin ;;
		CapInh | CapAmb) wanted=0000000000000000 ;;
		*) continue ;;
		esac
		[[ $output =~ $line:[[:space:]]*$wanted ]] || fail "$line: $output"
	done
	[[ $output =~ Seccomp:[[:space:]]*2 ]]
	[[ $output =~ NoNewPrivs:[[:space:]]*1 ]]
	[[ $(in_pod readlink "/proc/$relay/root") == */fdinfo ]]
	run in_pod find "/proc/$relay/fd" -type l -printf '%l\n'
	assert_status 0
	[ "${#lines[@]}" -ge 7 ]
	for line in "${lines[@]}"; do
		case $line in
		socket:* | pipe:* | anon_inode:\[eventpoll\] | /dev/null) ;;
		*) fail "has '$line'" ;;
		esac
	done
	echo >&9
}

@test "a workspace whose relay was killed ends, and says why" {
	berth_in_pod run --name "$(new_name)" --net relay -- sleep 1000 >out 2>&1 &
	berth=$!
	test_processes+=("$berth")
	wait_until 10 has_relay
	in_pod kill -KILL "$(relay_pid)"
	run wait "$berth"
	[ "$status" -ne 0 ]
	run cat out
	assert_has "the relay was killed"
}

has_relay() { [ -n "$(relay_pid)" ]; }

@test "a nameserver of the other family is asked when the first one is silent, or refuses" {
	probe tool:dnsmasq tool:dig file:/etc/resolv.conf
	names_up at_peer fd09::2
	# Nobody answers for 192.0.2.1; at 10.9.0.2 nobody listens.
	at_peer ip route add blackhole 192.0.2.0/24
	pod_resolver fd09::2
	for first in 192.0.2.1 10.9.0.2; do
		printf 'nameserver %s\nnameserver fd09::2\n' "$first" >"$BATS_TEST_TMPDIR/resolv.conf"
		run berth_in_pod run --rm --name "$(new_name)" --net relay -- \
			sh -c 'dig +short +time=1 +tries=4 db.test | tail -n1'
		assert_status 0
		assert_output 10.1.2.3
	done
}

# bats test_tags=long
@test "a relay that cannot accept waits, and does not use the processor up" {
	probe without
	peer_up
	ws=$(new_name)
	# shellcheck disable=SC2153 # the environment's
	ASAN_OPTIONS=detect_leaks=0 in_cgroup nsenter -t "$pod_pid" -U -n -m -S 0 -G 0 --wd="$PWD" -- \
		"$BERTH_TEST_WITHOUT" accept4 -- "$BERTH" run --name "$ws" --net relay -- \
		sh -c 'nc -w 60 10.9.0.2 80 & nc -w 60 fd09::2 80 & sleep 60' &
	test_processes+=("$!")
	wait_until 10 has_relay
	sleep 1
	before=$(ticks)
	sleep 2
	after=$(ticks)
	# Of 200 ticks.
	[ $((after - before)) -le 20 ] || fail "$((after - before)) ticks"
}

has_relay() { [ -n "$(relay_pid)" ]; }
ticks() { in_pod awk '{ print $14 + $15 }' "/proc/$(relay_pid)/stat"; }

# run_again ARG...: berth in the pod; and again as long as the workspace's own namespace is what lacks,
# because the kernel has not yet given back one that has ended.
run_again()
{
	for _ in {1..20}; do
		run berth_in_pod run --rm --name "$(new_name)" "$@"
		[[ $output == *"start the init"* ]] || break
		sleep 0.5
	done
}

@test "--net auto goes on without a network where no gateway can be made, and says so" {
	peer_up
	# Where pasta could be taken the relay is tried first, in a namespace that the kernel is slow to give
	# back.
	[ ! -d /dev/net ] || in_pod mount --bind "$BATS_TEST_TMPDIR" /dev/net
	# The pod and the peer have one each, and the workspace needs two.
	in_pod sh -c 'echo 3 >/proc/sys/user/max_net_namespaces'
	run_again --net auto -v "$BATS_TEST_TMPDIR:/client:ro" -- \
		sh -c 'ls /sys/class/net; python3 /client/relay_client.py connect 10.9.0.2'
	assert_status 0
	assert_has "make the gateway's network namespace"
	assert_has ENETUNREACH
	[[ $output != *eth0* ]]
	run_again --net relay -- true
	assert_status 125
	assert_has "make the gateway's network namespace"
	in_pod sh -c 'echo 20 >/proc/sys/user/max_net_namespaces'
	run berth_in_pod run --rm --name "$(new_name)" --net auto -v "$BATS_TEST_TMPDIR:/client:ro" -- \
		sh -c 'ls /sys/class/net; python3 /client/relay_client.py connect 10.9.0.2'
	assert_status 0
	assert_has eth0
	assert_has "hello from 10.9.0.1"
}

@test "the relay's work counts for the workspace's group, which shows nothing of it" {
	probe cgroup
	ws=$(new_name)
	berth_in_pod run -d --name "$ws" --net relay -- sleep 60
	wait_until 10 has_relay
	[[ $(grep ^0: "/proc/$(relay_pid)/cgroup") == */berth-$ws/relay ]]
	run berth_in_pod exec "$ws" -- sh -c 'ls -d /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/*relay*'
	assert_has /sys/fs/cgroup/cgroup.procs
	[[ $output != *relay$'\n'* ]]
	assert_has "*relay*"
	berth_in_pod rm -f "$ws"
}

# bats test_tags=long
@test "a kernel without tproxy or nfqueue: the relay is refused, auto goes on without, and check says so" {
	local words

	probe without tool:jq
	peer_up
	# Or pasta would be taken.
	[ ! -d /dev/net ] || in_pod mount --bind "$BATS_TEST_TMPDIR" /dev/net
	# The kernel's answer to an expression or a target that it does not know.
	for words in tproxy=ENOENT "queue=ENOENT NFQUEUE=ENOENT"; do
		# shellcheck disable=SC2086 # several
		lacking $words -- run --rm --name "$(new_name)" --net relay -- true
		assert_status 125
		assert_has "berth: uplink: "
		assert_has "hint: the kernel lacks nft_tproxy, or both nft_queue and xt_NFQUEUE"
		# shellcheck disable=SC2086
		lacking $words -- run --rm --name "$(new_name)" --net auto -v "$BATS_TEST_TMPDIR:/client:ro" -- \
			python3 /client/relay_client.py connect 10.9.0.2
		assert_status 0
		assert_has "No such file or directory, going on without it"
		# Nothing answers, so there is no route: who connects hears it at once, and localhost works.
		assert_has ENETUNREACH
		# shellcheck disable=SC2086
		lacking $words -- run --rm --name "$(new_name)" --net auto -- \
			sh -c 'ls /sys/class/net; ip -4 -o addr show lo; ip route'
		assert_equal "$(sed /^berth:/d <<<"$output" | wc -l)" 2
		assert_has 127.0.0.1/8
		# shellcheck disable=SC2086
		lacking $words -- check --format json
		assert_equal "$(jq -r '.checks[] | select(.name == "relay") | .result' <<<"$output")" no
		# shellcheck disable=SC2086
		lacking $words -- plan --net auto -- true
		assert_has "note: the kernel lacks what berth's relay needs, and pasta cannot be used, so the workspace has no network"
	done
	# It is not the filter: where another thing lacks it is as ever.
	lacking no-such-word -- run --rm --name "$(new_name)" --net relay -v "$BATS_TEST_TMPDIR:/client:ro" -- \
		python3 /client/relay_client.py connect 10.9.0.2
	assert_has "hello from 10.9.0.1"
	lacking no-such-word -- check --format json
	assert_equal "$(jq -r '.checks[] | select(.name == "relay") | .result' <<<"$output")" yes
}
