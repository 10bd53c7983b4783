#!/usr/bin/env bats
#
# Published ports with --net pasta: the relay serves them beside it. What ports.bats says of the relay's own
# workspaces holds but for what takes its rules, so here is what differs below: who is delivered where.

load ../lib/common
load ../lib/network
load ../lib/ports

setup()
{
	common_setup
	probe tool:pasta file:/dev/net/tun
	ports_setup
	probe tun_in_pod
	# pasta takes IPv6 where the pod's interface has a link-local address that is its own.
	wait_until 5 is_settled
	export net=pasta
}

teardown()
{
	pod_down
	common_teardown
}

@test "the workspace sees the client's address and port, IPv4 and IPv6, TCP and UDP" {
	workspace -p 8080:80 -p 8053:53/udp -- tcp:80 udp:53
	ask at_peer tcp 10.9.0.1 8080 --from 10.9.0.2 40001
	assert_output "from 10.9.0.2 40001"
	ask at_peer tcp fd09::1 8080 --from fd09::2 40002
	assert_output "from fd09::2 40002"
	ask at_peer udp 10.9.0.1 8053 --from 10.9.0.2 40003
	assert_output "from 10.9.0.2 40003"
	ask at_peer udp fd09::1 8053 --from fd09::2 40004
	assert_output "from fd09::2 40004"
	ask in_pod tcp 127.0.0.1 8080
	assert_has "from 198.18.240.1 "
	run berth_in_pod logs "$ws"
	assert_has "port 8080/tcp: client 127.0.0.1 shows inside as the gateway, since it is the pod's loopback"
	run berth_in_pod policy verify "$ws"
	assert_status 0
}

@test "resets, ends of one direction, many connections and many bytes come through" {
	workspace -p 8080:80 -p 8081:81 -p 8082:82 -p 8083:83 -p 8084:84 -- sink:80 reset:81 tell_end:82 echo:83
	ask at_peer half-close 10.9.0.1 8080 3000000
	assert_output "got 3000000"
	ask at_peer reset-us 10.9.0.1 8081
	assert_output "reset after 1000"
	ask at_peer reset-it 10.9.0.1 8082
	wait_until 5 says reset
	ask at_peer tcp 10.9.0.1 8084
	assert_output reset
	ask at_peer many fd09::1 8083 300
	assert_output "300 of 300"
	ask at_peer bulk 10.9.0.1 8083 100000000
	assert_output "got 100000000"
}

@test "datagrams of all sizes, and of many clients" {
	workspace -p 8053:53/udp -- udp:53
	for n in 1 1400 9000 60000; do
		ask at_peer datagram 10.9.0.1 8053 $n
		assert_output "$n"
		ask at_peer datagram fd09::1 8053 $n
		assert_output "$n"
	done
	ask at_peer many-clients 10.9.0.1 8053 200
	assert_output "200 of 200"
}

@test "a policy says where the workspace begins something, not whom it answers, and no answer is a way out" {
	workspace -p 8080:80 -p 8053:53/udp --egress-default deny -- tcp:80 udp:53
	for host in 10.9.0.1 fd09::1; do
		ask at_peer tcp $host 8080
		assert_has "from "
		ask at_peer udp $host 8053
		assert_has "from "
	done
	serve peer.log at_peer python3 ports_server.py udp:53 udp:40013 tcp:40016
	run berth_in_pod exec "$ws" -- python3 /tests/ports_client.py udp 10.9.0.2 53
	[[ $output != *from* ]] || fail "$output"
	# Neither to the client of a published port, from another port than that.
	ask at_peer udp 10.9.0.1 8053 --from 10.9.0.2 40014
	assert_output "from 10.9.0.2 40014"
	serve other.log at_peer python3 ports_server.py udp:40014
	run berth_in_pod exec "$ws" -- python3 /tests/ports_client.py udp 10.9.0.2 40014
	[[ $output != *from* ]] || fail "$output"
	ask at_peer tcp 10.9.0.1 8080 --from 10.9.0.2 40015
	assert_output "from 10.9.0.2 40015"
	run berth_in_pod exec "$ws" -- python3 /tests/ports_client.py tcp 10.9.0.2 40016
	[[ $output != *from* ]] || fail "$output"
	run berth_in_pod exec "$ws" -- sh -c 'ip route add 10.77.0.0/16 via 198.18.240.1
		python3 /tests/ports_client.py tcp 198.18.240.1 8080'
	[[ $output != *from* ]] || fail "$output"
}

@test "ports come and go while it runs, and by -p auto" {
	workspace -- tcp:8081 udp:80
	ask at_peer tcp 10.9.0.1 8081
	assert_output refused
	berth_in_pod port "$ws" --add 8080:8081 --add 8080:80/udp
	ask at_peer tcp 10.9.0.1 8080 --from 10.9.0.2 40008
	assert_output "from 10.9.0.2 40008"
	ask at_peer udp 10.9.0.1 8080 --from 10.9.0.2 40008
	assert_output "from 10.9.0.2 40008"
	berth_in_pod port "$ws" --remove 8080:8081 --add auto
	wait_until 5 lists "8081/tcp -> 0.0.0.0:8081"
	ask at_peer tcp 10.9.0.1 8081 --from 10.9.0.2 40011
	assert_output "from 10.9.0.2 40011"
	ask at_peer tcp 10.9.0.1 8080
	assert_output refused
}

@test "rates hold for who comes by a port, with what the workspace begins" {
	serve pump.log at_peer python3 "$BATS_TEST_DIRNAME/../lib/pump.py" 10.9.0.2 9000 9001
	workspace -p 8080:80 --rate-down 40mbit --rate-up 40mbit -- echo:80
	berth_in_pod exec "$ws" -- sh -c 'timeout 30 nc 10.9.0.2 9001 </dev/zero >/dev/null 2>&1' 3>&- &
	test_processes+=("$!")
	at_peer timeout 30 python3 ports_client.py bulk 10.9.0.1 8080 200000000 >/dev/null 2>&1 &
	test_processes+=("$!")
	sleep 2
	local before after begun took way
	begun=$(date +%s%N)
	before=$(berth_in_pod inspect "$ws")
	sleep 3
	after=$(berth_in_pod inspect "$ws")
	took=$(($(date +%s%N) - begun))
	for way in download upload; do
		rate=$(jq -n --argjson a "$before" --argjson b "$after" --arg way $way --argjson took $took \
			'($b[0].network[$way].bytes - $a[0].network[$way].bytes) / $took * 1e9 | floor')
		[ "$rate" -le 5250000 ] && [ "$rate" -ge 2500000 ] || fail "$way: $rate"
	done
}

@test "a workspace whose relay was killed ends, says why, and pasta ends with it" {
	berth_in_pod run --name "$ws" --net pasta -p 8080:80 -- sleep 1000 >out 2>&1 &
	local berth=$! status=0 warden pasta
	test_processes+=("$berth")
	wait_until 10 serves
	warden=$(pgrep -x berth-warden -P "$(berth_in_pod inspect "$ws" | jq '.[0].pids.supervisor')")
	pasta=$(pgrep -P "$warden" '^pas[st]')
	in_pod kill -KILL "$(pgrep -x berth-relay -P "$warden")"
	wait "$berth" || status=$?
	[ "$status" -ne 0 ]
	run cat out
	assert_has "the relay was killed: the workspace ends, since its connections are lost"
	wait_until 10 is_gone "$pasta"
}

serves() { [ "$(at_peer python3 ports_client.py tcp 10.9.0.1 8080)" = reset ]; }
is_gone() { ! [ -e "/proc/$1" ]; }
