#!/usr/bin/env bats
#
# The other way out: pasta(1), with its tap in the gateway. What a workspace may, and what it gets, is as
# with the relay; where that is another thing, it is said here.

load ../lib/common
load ../lib/network
load ../lib/egress

setup()
{
	common_setup
	probe subids tool:pasta tool:python3 tool:ip tool:nsenter tool:nc tool:jq
	probe file:/dev/net/tun
	pod_up
	probe tun_in_pod
	# pasta takes IPv6 where the pod's interface has a link-local address that is its own.
	wait_until 5 is_settled
	cp "$BATS_TEST_DIRNAME"/../lib/relay_*.py "$BATS_TEST_TMPDIR"
	chmod -R a+rX "$BATS_TEST_TMPDIR"
	name=$(new_name)
	export net=pasta
}

teardown()
{
	pod_down
	common_teardown
}

# pings ADDRESS OPTION...
pings()
{
	probe small
	run berth_in_pod run --rm --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --net pasta "${@:2}" -- \
		ping -c1 -W3 "$1"
}

@test "what the pod reaches: both families, datagrams, a refused port, and echo requests" {
	peer_up
	inside -- connect
	assert_output "hello from 10.9.0.1"
	inside -- connect fd09::2
	assert_output "hello from fd09::1"
	patience=1.5 inside -- connect 10.9.0.2 81
	# That of March 2023 sends a RST that no client takes for one.
	[[ $output == ECONNREFUSED || $output == timeout ]] || fail "$output"
	inside -- datagram 10.9.0.2 7
	assert_output all
	inside -- datagram fd09::2 7
	assert_output all
	in_pod sysctl -qw "net.ipv4.ping_group_range=0 65535"
	pings 10.9.0.2
	assert_status 0
}

@test "names are asked at the far end of the tap, by UDP and TCP, and nothing else is there" {
	probe tool:dnsmasq tool:dig file:/etc/resolv.conf
	names_up at_peer 10.9.0.2
	pod_resolver 10.9.0.2
	run berth_in_pod run --rm --name "$name" --net pasta --egress-default deny -- sh -c '
		cat /etc/resolv.conf
		dig +short +time=2 +tries=1 db.test
		dig +short +time=2 +tries=1 +tcp db.test
		timeout 3 nc -z 198.18.240.5 80; echo "nc $?"'
	assert_status 0
	assert_equal "${lines[0]}" "nameserver 198.18.240.5"
	assert_equal "${lines[1]}" 10.1.2.3
	assert_equal "${lines[2]}" 10.1.2.3
	[[ ${lines[3]} == "nc "* && ${lines[3]} != "nc 0" ]]
}

@test "a name server at the pod's loopback answers, and nothing else of that loopback" {
	probe tool:dnsmasq tool:dig file:/etc/resolv.conf
	names_up in_pod 127.0.0.53
	pod_resolver 127.0.0.53
	serve pod.log in_pod python3 relay_peer.py 127.0.0.1
	run berth_in_pod run --rm --name "$name" --net pasta -e PATIENCE=1.5 -v "$BATS_TEST_TMPDIR:/client:ro" -- sh -c '
		dig +short +time=2 +tries=1 db.test
		for to in 198.18.240.1 198.18.240.5 198.18.240.6; do
			python3 /client/relay_client.py connect $to
		done
		ip route add 127.0.0.0/8 via 198.18.240.1
		ip route del local 127.0.0.0/8 table local; ip route del local 127.0.0.1 table local
		python3 /client/relay_client.py connect 127.0.0.1 2>&1 | tail -n1'
	assert_equal "${lines[0]}" 10.1.2.3
	[ "${#lines[@]}" = 5 ] || fail "$output"
	[[ $output != *hello* ]] || fail "$output"
}

@test "rules hold as with the relay, by address, port, protocol and family, and are logged" {
	peer_up 10.8.1.1
	in_pod ip route add 10.8.0.0/16 via 10.9.0.2
	inside --egress deny:10.8.1.0/24 -- connect 10.8.1.1
	assert_output EHOSTUNREACH
	[[ $run_log == *"egress: tcp 10.8.1.1:80 denied by deny:10.8.1.0/24"* ]] || fail "$run_log"
	inside --egress allow:10.9.0.2,80/tcp --egress deny:any -- connect
	assert_output "hello from 10.9.0.1"
	inside --egress allow:10.9.0.2,80/tcp --egress deny:any -- connect 10.9.0.2 81
	assert_output EHOSTUNREACH
	inside --egress deny:fd09::/64 -- connect fd09::2
	assert_output EACCES
	[[ $run_log == *"tcp [fd09::2]:80 denied by deny:fd09::/64"* ]] || fail "$run_log"
	inside --egress deny:any,7/udp -- datagram 10.9.0.2 7
	assert_output EHOSTUNREACH
	[[ $run_log == *"egress: udp 10.9.0.2:7 denied by deny:any,7/udp"* ]] || fail "$run_log"
	inside --egress deny:any,7/tcp -- datagram 10.9.0.2 7
	assert_output all
	in_pod sysctl -qw "net.ipv4.ping_group_range=0 65535"
	pings 10.9.0.2 --egress deny:any,icmp
	assert_status 1
	pings fd09::2 --egress deny:any,icmp
	assert_status 1
	# A rule with ports is not about echo requests.
	pings 10.9.0.2 --egress deny:any,1-65535
	assert_status 0
}

@test "metadata is for who names it" {
	peer_up 169.254.169.254 fd00:ec2::254
	in_pod ip route add 169.254.169.254 via 10.9.0.2
	inside --egress allow:any -- connect 169.254.169.254
	assert_output EHOSTUNREACH
	[[ $run_log == *"tcp 169.254.169.254:80 denied, since no rule names this place of metadata"* ]]
	inside --egress allow:169.254.169.254,80/tcp -- connect 169.254.169.254
	assert_output "hello from 10.9.0.1"
	inside -- connect fd00:ec2::254
	assert_output EACCES
	inside --egress allow:fd00:ec2::254 -- connect fd00:ec2::254
	assert_output "hello from fd09::1"
}

@test "no minute has more connections than are allowed, and half of them may begin at once" {
	peer_up
	berth_in_pod run --name "$name" --net pasta --connections-per-minute 6 -d -- sleep 60
	run berth_in_pod exec "$name" -- sh -c 'for i in 1 2 3 4 5; do
		timeout 2 nc -z 10.9.0.2 80 && echo yes || echo no; done'
	assert_output $'yes\nyes\nyes\nno\nno'
	[ "$(berth_in_pod inspect "$name" | jq '.[0].network.egress_limited')" -ge 2 ]
	[ "$(berth_in_pod inspect "$name" | jq '.[0].network.egress_denied')" = 0 ]
}

@test "denials are counted, logged no faster than is of use, and none is lost between the two" {
	berth_in_pod run --name "$name" --net pasta --egress deny:10.9.0.2 -d -- sleep 600
	berth_in_pod exec "$name" -- python3 -c '
import socket, time
for port in range(1, 301):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect(("10.9.0.2", port))
    s.send(b"x")
    s.close()
    time.sleep(0.001)
'
	counted=$(berth_in_pod inspect "$name" | jq '.[0].network.egress_denied')
	assert_equal "$counted" 300
	berth_in_pod stop -t 0 "$name"
	berth_in_pod logs "$name" >denials
	told=$(grep -c "denied by deny:10.9.0.2" denials)
	[ "$told" -ge 20 ] && [ "$told" -le 60 ] || fail "$told"
	more=$(sed -n 's/.*egress: \([0-9]*\) more denied meanwhile/\1/p' denials | paste -sd+ | bc)
	assert_equal "$((told + more))" "$counted"
}

@test "packets from other addresses, and what belongs to no connection, get nowhere" {
	peer_up
	run berth_in_pod run --rm --name "$name" --net pasta -v "$BATS_TEST_TMPDIR:/client:ro" -- sh -c '
		ip addr add 198.18.240.6/32 dev eth0
		ip route replace default via 198.18.240.1 src 198.18.240.6
		PATIENCE=3 python3 /client/relay_client.py connect; echo end $?'
	[[ $output != *hello* && $output == *"end "* ]] || fail "$output"
	# The tap cannot be seen, and the outside cannot begin anything.
	run berth_in_pod run --rm --name "$name" --net pasta -- sh -c 'ip -o link | cut -d: -f2'
	assert_output $' lo\n eth0@if100'
	berth_in_pod run --name "$name" --net pasta -d -- python3 -m http.server 8000
	run in_pod ss -Hltn
	assert_output ""
}

@test "rates are kept and counted in both directions, and change while it runs" {
	serve pump.log at_peer python3 "$BATS_TEST_DIRNAME/../lib/pump.py" 10.9.0.2 9000 9001
	berth_in_pod run --name "$name" --net pasta --rate-down 20mbit --rate-up 20mbit -d -- \
		sh -c 'nc 10.9.0.2 9000 >/dev/null & nc 10.9.0.2 9001 </dev/zero >/dev/null & sleep 60'
	sleep 2
	rates_are 2500000
	berth_in_pod update "$name" --rate-down 200mbit --rate-up 200mbit
	sleep 1
	rates_are 25000000
}

@test "of a low rate the bytes of streams are most, not what is sent again" {
	serve pump.log at_peer python3 "$BATS_TEST_DIRNAME/../lib/pump.py" 10.9.0.2 9000 9001
	berth_in_pod run --name "$name" --net pasta -d -- sleep 100
	# A rate that comes later counts for connections that begin then.
	berth_in_pod update "$name" --rate-down 20mbit
	run berth_in_pod exec "$name" -- sh -c 'ip route show default; ip -6 route show default'
	assert_equal "$(grep -c 'window 49152' <<<"$output") of ${#lines[@]}" "2 of 2"
	for streams in 1 6; do
		bytes=$(berth_in_pod exec "$name" -- sh -c "for i in \$(seq $streams); do
			timeout 4 nc 10.9.0.2 9000 & done | wc -c")
		[ "$bytes" -ge 5000000 ] || fail "$streams streams: $bytes bytes of 10000000"
		sleep 1
	done
}

# rates_are BYTES: a second, over three of them; never more.
rates_are()
{
	local before after begun took way rate

	begun=$(date +%s%N)
	before=$(berth_in_pod inspect "$name")
	sleep 3
	after=$(berth_in_pod inspect "$name")
	took=$(($(date +%s%N) - begun))
	for way in download upload; do
		rate=$(jq -n --argjson a "$before" --argjson b "$after" --arg way "$way" --argjson took $took \
			'($b[0].network[$way].bytes - $a[0].network[$way].bytes) / $took * 1e9 | floor')
		if [ "$rate" -gt $(($1 * 105 / 100)) ] || [ "$rate" -lt $(($1 * 30 / 100)) ]; then
			fail "$way: $rate of $1"
		fi
	done
}

# It may have replaced itself by a build for this processor.
pasta_pid()
{
	pgrep -P "$(pgrep -x berth-warden -P "$(berth_in_pod inspect "$1" | jq '.[0].pids.supervisor')")" '^pas[st]'
}

@test "pasta is confined, holds no descriptor of ours, and is in the workspace's group" {
	berth_in_pod run --name "$name" --net pasta -d -- sleep 100
	pasta=$(pasta_pid "$name")
	[ -n "$pasta" ]
	run in_pod cat "/proc/$pasta/status"
	[[ $output =~ Seccomp:[[:space:]]*2 ]] || fail "$output"
	[[ $output =~ NoNewPrivs:[[:space:]]*1 ]] || fail "$output"
	run in_pod ls -A "/proc/$pasta/root/"
	assert_output ""
	run in_pod find "/proc/$pasta/fd" -type l -printf '%l\n'
	[[ $output != *berth* ]] || fail "$output"
	run berth_in_pod policy verify "$name"
	assert_status 0
}

@test "a workspace whose pasta ended ends, and says why; and pasta ends with it" {
	berth_in_pod run --name "$name" --net pasta -- sleep 1000 >out 2>&1 &
	berth=$!
	test_processes+=("$berth")
	wait_until 10 runs "$name"
	in_pod kill -KILL "$(pasta_pid "$name")"
	status=0
	wait "$berth" || status=$?
	[ "$status" -ne 0 ]
	run cat out
	assert_has "pasta ended: the workspace ends, since its connections are lost"
	berth_in_pod rm "$name"
	berth_in_pod run --name "$name" --net pasta -d -- sleep 1000
	pasta=$(pasta_pid "$name")
	kill -KILL "$(berth_in_pod inspect "$name" | jq '.[0].pids.supervisor')"
	wait_until 10 is_gone "$pasta"
}

runs() { [ -n "$(pasta_pid "$1" 2>/dev/null)" ]; }
is_gone() { ! [ -e "/proc/$1" ]; }

@test "without the program, the device or a way to serve: what lacks and what to do" {
	in_pod mount --bind /dev/null /dev/net/tun
	run berth_in_pod run --rm --name "$name" --net pasta -- true
	assert_status 125
	assert_has "pasta ended"
	in_pod umount /dev/net/tun
	in_pod mount --bind "$BATS_TEST_TMPDIR" /dev/net
	run berth_in_pod run --rm --name "$name" --net pasta -- true
	assert_status 125
	assert_has "berth: net: --net 'pasta': open the device '/dev/net/tun': No such file or directory"
	assert_has "hint: give the pod that device, readable and writable, or use --net relay"
	in_pod umount /dev/net
	in_pod mount --bind /dev/null "$(command -v pasta)"
	run berth_in_pod run --rm --name "$(new_name)" --net pasta -- true
	assert_status 125
	assert_has "berth: net: --net 'pasta': there is no program 'pasta'"
	assert_has "hint: install it (Debian: passt), or use --net relay"
}

@test "--net auto takes pasta where the relay cannot run, says so, and takes the relay where it can" {
	probe without
	peer_up
	lacking tproxy -- plan --net auto -- true
	assert_has "pasta          $(command -v pasta), tap berth-out (198.18.240.6/30"
	assert_has "note: the kernel lacks what berth's relay needs, so pasta carries the workspace's connections"
	lacking tproxy -- run --rm --name "$name" -v "$BATS_TEST_TMPDIR:/client:ro" -- \
		python3 /client/relay_client.py connect
	assert_has "hello from 10.9.0.1"
	lacking tproxy -- run --rm --name "$name" -p 8080:80 -- true
	assert_status 0
	run berth_in_pod plan --net auto -- true
	assert_has "and the relay serves"
	# Neither: it goes on without.
	lacking tproxy masq -- run --rm --name "$name" -v "$BATS_TEST_TMPDIR:/client:ro" -- \
		python3 /client/relay_client.py connect
	assert_has "uplink: begin with nf_tables: Operation not supported, going on without it"
	assert_has ENETUNREACH
	lacking masq -- run --rm --name "$name" --net pasta -- true
	assert_status 125
	assert_has "the kernel lacks"
	lacking log -- run --name "$name" --net pasta --egress deny:any -v "$BATS_TEST_TMPDIR:/client:ro" -- \
		python3 /client/relay_client.py connect
	assert_has EHOSTUNREACH
}

@test "without a sysctl that can be written there is no IPv6, and the plan says so" {
	in_pod mount --bind -o ro /proc/sys /proc/sys
	in_pod mount -o remount,bind,ro /proc/sys
	peer_up
	run berth_in_pod plan --net pasta -- true
	assert_has "note: /proc/sys is read-only here, so IPv6 cannot be forwarded to pasta"
	inside -- connect
	assert_has "hello from 10.9.0.1"
	run --separate-stderr berth_in_pod run --rm --name "$name" --net pasta -- ip -6 route show default
	assert_output ""
}

@test "berth check tells of each part" {
	run berth_in_pod check --format json
	for row in tun pasta forwarding; do
		assert_equal "$(jq -r --arg row $row '.checks[] | select(.name == $row) | .result' <<<"$output")" yes
	done
}

@test "permissive: calls pass and are told, and the network is there; rules, which deny for good, do not go with it" {
	local try

	peer_up
	try='import ctypes, os, platform, socket
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall(250 if platform.machine() == "x86_64" else 219, -1, 0, 0, 0, 0) # keyctl
print(os.strerror(ctypes.get_errno()))
print(socket.create_connection(("10.9.0.2", 80)).recv(100).decode())'
	run berth_in_pod run --rm --name "$name" --net pasta --audit-log "$PWD/log" --audit-permissive -- python3 -c "$try"
	assert_has "Operation not supported"
	assert_has "hello from 10.9.0.1"
	assert_equal "$(jq -c 'select(.event == "syscall-refused") | [.call, .permitted]' log | sort -u)" '["keyctl",true]'
	# The control: without it the call is refused, and the network the same.
	run berth_in_pod run --rm --name "$name" --net pasta -- python3 -c "$try"
	assert_has "Function not implemented"
	assert_has "hello from 10.9.0.1"
	run berth_in_pod run --rm --name "$name" --net pasta --egress deny:10.0.0.0/8 --audit-log "$PWD/log" --audit-permissive -- true
	assert_status 125
	assert_has "--audit-permissive with --egress and --net pasta"
}
