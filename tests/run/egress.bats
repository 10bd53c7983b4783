#!/usr/bin/env bats
#
# Where a workspace may go: curl, nc and dig in it, and somebody outside whom they reach where no
# rule is in the way.

load ../lib/common
load ../lib/network
load ../lib/egress

setup()
{
	common_setup
	probe subids tool:python3 tool:ip tool:nsenter tool:nc
	pod_up
	cp "$BATS_TEST_DIRNAME"/../lib/relay_*.py "$BATS_TEST_TMPDIR"
	chmod -R a+rX "$BATS_TEST_TMPDIR"
	name=$(new_name)
	export net=relay
}

teardown()
{
	# A supervisor that a test stopped ends by nothing but SIGKILL.
	[ ! "${stopped-}" ] || in_pod kill -CONT "$stopped" 2>/dev/null || true
	pod_down
	common_teardown
}

@test "a rule denies its network, and the one beside it stays" {
	peer_up 10.8.1.1 10.8.2.1
	in_pod ip route add 10.8.0.0/16 via 10.9.0.2
	inside --egress deny:10.8.1.0/24 -- connect 10.8.1.1
	assert_output EHOSTUNREACH
	[[ $run_log == *"egress: tcp 10.8.1.1:80 denied by deny:10.8.1.0/24"* ]]
	inside --egress deny:10.8.1.0/24 -- connect 10.8.2.1
	assert_output "hello from 10.9.0.1"
	[[ $run_log != *egress:* ]]
}

@test "the first rule that meets decides" {
	peer_up
	inside --egress allow:10.9.0.2,80/tcp --egress deny:any -- connect 10.9.0.2
	assert_output "hello from 10.9.0.1"
	inside --egress deny:any --egress allow:10.9.0.2,80/tcp -- connect 10.9.0.2
	assert_has EHOSTUNREACH
	assert_has "'allow:10.9.0.2,80/tcp' never counts: 'deny:any' stands before it"
	# A port that is not allowed, though its host is.
	inside --egress allow:10.9.0.2,80/tcp --egress deny:any -- connect 10.9.0.2 81
	assert_output EHOSTUNREACH
	inside -- connect 10.9.0.2 81
	assert_output ECONNREFUSED
}

@test "IPv6 has rules of its own" {
	peer_up
	inside --egress deny:fd09::/64 -- connect fd09::2
	assert_output EACCES
	[[ $run_log == *"tcp [fd09::2]:80 denied by deny:fd09::/64"* ]]
	inside --egress deny:0.0.0.0/0 -- connect fd09::2
	assert_output "hello from fd09::1"
	inside --egress deny:0.0.0.0/0 -- connect 10.9.0.2
	assert_output EHOSTUNREACH
}

@test "an IPv4 address written as IPv6 is judged as what it is" {
	peer_up
	inside --egress deny:10.9.0.2 -- connect ::ffff:10.9.0.2
	assert_output EHOSTUNREACH
	inside --egress deny:10.9.0.3 -- connect ::ffff:10.9.0.2
	assert_output "hello from 10.9.0.1"
}

@test "datagrams are denied by the gateway, told by ICMP and logged" {
	peer_up
	inside -- datagram 10.9.0.2 7
	assert_output all
	inside --egress deny:any,7/udp -- datagram 10.9.0.2 7
	assert_output EHOSTUNREACH
	[[ $run_log == *"egress: udp 10.9.0.2:7 denied by deny:any,7/udp"* ]]
	inside --egress deny:any,7/udp -- datagram fd09::2 7
	assert_output EACCES
	inside --egress deny:any,7/tcp -- datagram 10.9.0.2 7
	assert_output all
}

@test "extension headers of IPv6 hide nothing: denied and logged, allowed and carried" {
	peer_up
	inside --egress deny:any,7/udp -- extended-datagram fd09::2 7
	assert_output EACCES
	[[ $run_log == *"egress: udp [fd09::2]:7 denied by deny:any,7/udp"* ]]
	inside --egress deny:any,80/tcp -- extended-connect fd09::2 80
	assert_output EACCES
	[[ $run_log == *"egress: tcp [fd09::2]:80 denied by deny:any,80/tcp"* ]]
	inside -- extended-datagram fd09::2 7
	assert_output all
	inside -- extended-connect fd09::2 80
	assert_output "hello from fd09::1"
}

@test "ping follows the rules" {
	probe small
	in_pod sysctl -qw "net.ipv4.ping_group_range=0 65535"
	run berth_in_pod run --rm --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --net relay \
		--egress deny:any,tcp -- ping -c1 -W5 10.9.0.2
	assert_status 0
	run berth_in_pod run --rm --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --net relay \
		--egress deny:any,icmp -- ping -c1 -W2 10.9.0.2
	assert_status 1
}

@test "curl and nc see a denial at once, and dig still asks the gateway" {
	probe tool:curl tool:dig tool:dnsmasq
	peer_up
	pod_resolver 10.9.0.2
	names_up at_peer 10.9.0.2
	run berth_in_pod run --rm --name "$name" --net relay --egress-default deny -- sh -c '
		dig +short +time=2 +tries=1 db.test
		dig +short +time=2 +tries=1 +tcp db.test
		dig +short +time=2 +tries=1 @10.9.0.2 db.test || echo "no server"
		curl -sS -m 5 http://10.9.0.2/ 2>&1 || echo "curl $?"
		timeout 5 nc -z 10.9.0.2 80; echo "nc $?"'
	assert_status 0
	assert_equal "${lines[0]}" 10.1.2.3
	assert_equal "${lines[1]}" 10.1.2.3
	assert_has "no server"
	assert_has "curl 7"
	assert_has "nc 1"
	run berth_in_pod run --rm --name "$name" --net relay --egress-default deny \
		--egress allow:10.9.0.0/24 -- sh -c '
		dig +short +time=2 +tries=1 @10.9.0.2 db.test
		timeout 5 nc -z 10.9.0.2 80; echo "nc $?"'
	assert_status 0
	assert_output $'10.1.2.3\nnc 0'
}

@test "metadata is for who names it, and loopback for nobody" {
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
	run berth_in_pod run --name "$name" --net relay --egress allow:127.0.0.1 -- true
	assert_status 125
	assert_has "'allow:127.0.0.1' cannot be allowed"
}

# bats test_tags=long
@test "no minute has more connections than are allowed" {
	peer_up
	probe tool:jq
	local seven='for i in 1 2 3 4 5 6 7; do timeout 2 nc -z 10.9.0.2 80 && echo yes || echo no; done'

	run berth_in_pod run --name "$name" --net relay -- sh -c "$seven"
	assert_output $'yes\nyes\nyes\nyes\nyes\nyes\nyes'
	berth_in_pod rm "$name"
	run berth_in_pod run --name "$name" --net relay --connections-per-minute 5 -d -- sleep 60
	assert_status 0
	run berth_in_pod exec "$name" -- sh -c "$seven"
	assert_output $'yes\nyes\nyes\nyes\nyes\nno\nno'
	[ "$(berth_in_pod inspect "$name" | jq '.[0].network.egress_limited')" -ge 2 ]
	[ "$(berth_in_pod inspect "$name" | jq '.[0].network.egress_denied')" = 0 ]
	berth_in_pod rm -f "$name"
}

all_are_told()
{
	local more

	counted=$(berth_in_pod inspect "$name" | jq '.[0].network.egress_denied')
	berth_in_pod logs "$name" >denials
	told=$(grep -c "denied by deny:10.9.0.2" denials)
	more=$(sed -n 's/.*egress: \([0-9]*\) more denied meanwhile/\1/p' denials | paste -sd+ | bc)
	[ "$counted" -ge 250 ] && [ "$((told + more))" -eq "$counted" ]
}

@test "denials are counted, and logged no faster than is of use" {
	probe tool:jq
	run berth_in_pod run --name "$name" --net relay --egress deny:10.9.0.2 -d -- sleep 600
	assert_status 0
	run berth_in_pod exec "$name" -- python3 -c '
import socket, time
for port in range(1, 301):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect(("10.9.0.2", port))
    s.send(b"x")
    s.close()
    time.sleep(0.001)
'
	assert_status 0
	# None is lost between the two: what was not told by itself is told as a number, later.
	wait_until 10 all_are_told
	[ "$counted" -le 300 ] || fail "$counted denials"
	[ "$told" -ge 20 ] && [ "$told" -le 60 ] || fail "$told were told by themselves"
	berth_in_pod rm -f "$name"
}

@test "a policy's rules come behind those of the options, and start keeps them" {
	peer_up
	cat >base.json <<-'END'
		{ "network": { "uplink": "relay", "egress": [ "deny:10.9.0.0/24" ], "egress_default": "deny" } }
	END
	cat >more.json <<-'END'
		{ "extends": "./base.json", "network": { "egress": [ "allow:10.9.0.2,80/tcp" ] } }
	END
	run berth_in_pod run --rm --name "$name" --policy ./base.json -- timeout 5 nc -z 10.9.0.2 80
	assert_status 1
	run berth_in_pod run --rm --name "$name" --policy ./more.json -- timeout 5 nc -z 10.9.0.2 80
	assert_status 0
	run berth_in_pod run --rm --name "$name" --policy ./base.json --egress allow:10.9.0.2 -- \
		timeout 5 nc -z 10.9.0.2 80
	assert_status 0
	run berth_in_pod plan --name "$name" --policy ./more.json -- true
	assert_has "egress allow:10.9.0.2,80/tcp deny:10.9.0.0/24 deny:any"
	assert_has "more.json:1"
	run "$BERTH" policy diff ./base.json ./more.json
	assert_has "+ network.egress: 'allow:10.9.0.2,80/tcp'"
	run "$BERTH" policy diff ./more.json ./base.json
	assert_has "- network.egress: no longer 'allow:10.9.0.2,80/tcp'"
	# The words that start says again.
	run berth_in_pod run --name "$name" --policy ./base.json -- timeout 5 nc -z 10.9.0.2 80
	assert_status 1
	run berth_in_pod start "$name"
	assert_status 0
	run berth_in_pod wait --exit "$name"
	assert_output 1
}

@test "what is no rule is refused with the value and what to write" {
	run "$BERTH" plan --net relay --egress deny:10.0.0.1/8 -- true
	assert_status 125
	assert_has "'deny:10.0.0.1/8' has bits behind its prefix"
	assert_has "the network is 10.0.0.0/8"
	run "$BERTH" plan --net relay --egress deny:10.0.0.0/8,99999 -- true
	assert_status 125
	assert_has "'deny:10.0.0.0/8,99999' is no egress rule"
	run "$BERTH" plan --net relay --egress-default maybe -- true
	assert_status 125
	assert_has "'maybe' is not allow or deny"
	run "$BERTH" plan --net relay --connections-per-minute 0 -- true
	assert_status 125
	echo '{ "network": { "egress": [ "deny:any", "deny:300.0.0.0/8" ] } }' >bad.json
	run "$BERTH" policy validate ./bad.json
	assert_status 125
	assert_has "bad.json:1:"
	assert_has "'deny:300.0.0.0/8' is no egress rule"
}

@test "the pod's own network has no rules, so a policy refuses it" {
	for option in "--egress deny:any,25" "--egress-default deny" "--connections-per-minute 5"; do
		# shellcheck disable=SC2086 # two words
		run "$BERTH" run --rm --name "$name" --net host $option -- true
		assert_status 125
		assert_has "${option/ / \'}' with --net host"
		assert_has "use --net relay"
	done
	run "$BERTH" run --rm --name "$name" --net none --egress deny:any -- true
	assert_status 0
	assert_has "without a network nothing goes out"
}

@test "the strict profile: nothing nested, no raw packets, nothing outside but what a rule allows" {
	probe debian
	peer_up
	tries='unshare -Ur true 2>&1; perl -e "socket(my \$s, 2, 3, 1) or print \"raw: \$!\n\""
		perl -MIO::Socket::INET -e "print IO::Socket::INET->new(PeerAddr => q(10.9.0.2:80), Timeout => 9) ? 1 : 0, qq( connection\n)"'
	run -0 --separate-stderr in_pod "$BERTH" run --rm --policy strict --rootfs "$BERTH_TEST_ROOTFS:O" -- sh -c "$tries"
	assert_output $'unshare: unshare failed: Operation not permitted\nraw: Operation not permitted\n0 connection'
	run -0 --separate-stderr in_pod "$BERTH" run --rm --policy strict --egress allow:10.9.0.2,80/tcp \
		--rootfs "$BERTH_TEST_ROOTFS:O" -- sh -c "$tries"
	assert_has "1 connection"
	run -0 --separate-stderr in_pod "$BERTH" run --rm --rootfs "$BERTH_TEST_ROOTFS:O" -- sh -c "$tries"
	assert_output "1 connection"
}

@test "permissive: what rules deny is told and let through, but for credentials and the pod's own" {
	probe debian
	peer_up 10.8.1.1
	tries='use IO::Socket::INET; for (@ARGV) { print "$_ ", IO::Socket::INET->new(PeerAddr => $_, Timeout => 5) ? "open" : "closed", "\n" }'
	run -0 --separate-stderr in_pod "$BERTH" run --rm --net relay --egress deny:10.9.0.0/24,tcp --egress-default deny \
		--audit-log "$PWD/log" --audit-permissive --rootfs "$BERTH_TEST_ROOTFS:O" -- perl -e "$tries" 10.9.0.2:80 169.254.169.254:80
	assert_output $'10.9.0.2:80 open\n169.254.169.254:80 closed'
	run -0 jq -c 'select(.event == "egress-denied") | [.to, .rule, .permitted]' "$PWD/log"
	assert_has '["10.9.0.2:80","deny:10.9.0.0/24,tcp",true]'
	assert_has '["169.254.169.254:80",null,false]'
	run -0 "$BERTH" policy suggest "$PWD/log"
	assert_has '"allow:10.9.0.2,80/tcp"'
	assert_has '// allow:169.254.169.254,80/tcp is where clouds keep credentials, and is not suggested'
	# Under what is suggested the same run goes as it went, and metadata stay where they are.
	in_pod "$BERTH" run --rm --net relay --egress deny:10.9.0.2,80/tcp --audit-log "$PWD/log3" --audit-permissive \
		--rootfs "$BERTH_TEST_ROOTFS:O" -- perl -e "$tries" 10.9.0.2:80 >/dev/null 2>&1
	"$BERTH" policy suggest "$PWD/log3" >suggested.json
	run -0 --separate-stderr in_pod "$BERTH" run --rm --net relay --policy ./suggested.json \
		--rootfs "$BERTH_TEST_ROOTFS:O" -- perl -e "$tries" 10.9.0.2:80 10.8.1.1:80 169.254.169.254:80
	assert_output $'10.9.0.2:80 open\n10.8.1.1:80 open\n169.254.169.254:80 closed'
	# What was let through is not counted as denied.
	berth_in_pod run -d --name "$name" --net relay --egress deny:10.9.0.0/24,tcp --audit-log "$PWD/log2" \
		--audit-permissive --rootfs "$BERTH_TEST_ROOTFS:O" -- sleep 600
	berth_in_pod exec "$name" -- perl -e "$tries" 10.9.0.2:80 10.9.0.2:80 169.254.169.254:80
	run berth_in_pod inspect "$name"
	assert_equal "$(jq -c '.[0].network | [.egress_denied, .egress_permitted]' <<<"$output")" "[1,2]"
	berth_in_pod rm -f "$name"
	# Control: without the option it is denied.
	run -0 --separate-stderr in_pod "$BERTH" run --rm --net relay --egress deny:10.9.0.0/24,tcp \
		--rootfs "$BERTH_TEST_ROOTFS:O" -- perl -e "$tries" 10.9.0.2:80
	assert_output "10.9.0.2:80 closed"
}

@test "what was denied just before the end is in the audit log, before the end" {
	local supervisor

	peer_up
	mkdir client
	run -0 --separate-stderr berth_in_pod run -d --name "$name" --net relay --egress deny:any --audit-log "$PWD/log" \
		-v "$PWD/client:/client" --rootfs "$BERTH_TEST_SMALL:O" -- sh -c 'until [ -e /client/go ]; do sleep 0.02; done
			nc -w 5 10.9.0.2 80; touch /client/done'
	supervisor=$(berth_in_pod inspect "$name" | jq '.[0].pids.supervisor')
	stopped=$supervisor
	in_pod kill -STOP "$supervisor"
	touch client/go
	wait_until 20 test -e client/done
	in_pod kill -CONT "$supervisor"
	run berth_in_pod wait "$name"
	berth_in_pod rm "$name"
	run -0 jq -r .event log
	assert_output $'start\negress-denied\nexit'
}

# gateway COMMAND...: in the gateway's network namespace, from the pod, which owns it
gateway()
{
	local pid

	for pid in $(pgrep -x berth-warden); do
		[ "$(in_pod readlink "/proc/$pid/root")" ] || continue
		[ "$(ps -o ppid= -p "$pid" | tr -d ' ')" = "$supervisor" ] || continue
		in_pod nsenter -t "$pid" -n -- "$@"
	done
}

@test "the gateway's own rules deny what the relay would not be asked for" {
	probe tool:nft tool:jq
	peer_up
	berth_in_pod run --name "$name" --net relay --egress deny:any,7/udp -d \
		-v "$BATS_TEST_TMPDIR:/client:ro" -- sleep 60
	supervisor=$(berth_in_pod inspect "$name" | jq '.[0].pids.supervisor')
	run gateway nft list chain inet berth_relay egress
	assert_status 0
	[[ $output == *"udp dport 7 counter packets 0 bytes 0 goto denied"* || \
		$output == *"th dport 7 counter packets 0 bytes 0 goto denied"* ]] || fail "$output"
	run berth_in_pod exec "$name" -- python3 /client/relay_client.py datagram 10.9.0.2 7
	assert_output EHOSTUNREACH
	run gateway nft list chain inet berth_relay egress
	[[ $output == *"dport 7 counter packets "[1-9]*" goto denied"* ]] || fail "$output"
	# And nothing of it can be seen from inside.
	run berth_in_pod exec "$name" -- nft list ruleset
	[[ $output != *berth_relay* ]]
	berth_in_pod rm -f "$name"
}
