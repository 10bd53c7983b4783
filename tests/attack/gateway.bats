#!/usr/bin/env bats
# Root inside against the gateway's own kernel.

load ../lib/common
load ../lib/network

setup()
{
	common_setup
	probe subids tool:ip tool:nsenter tool:jq
	pod_up
	name=$(new_name)
}

teardown()
{
	berth_in_pod rm -f "$name" 2>/dev/null || true
	pod_down
	common_teardown
}

# What a router says who wants to be one; to ADDRESS, from the interface NAME.
advertise='
	use Socket qw(:DEFAULT inet_pton pack_sockaddr_in6 AF_INET6 SOCK_RAW);
	my ($interface, $to) = @ARGV;
	socket(my $s, AF_INET6, SOCK_RAW, 58) or die "socket: $!";
	setsockopt($s, 41, 16, pack "i", 255) or die "hop limit: $!";
	setsockopt($s, 41, 7, pack "i", 2); # IPV6_CHECKSUM is the kernel of ICMPv6 own
	my ($own) = `ip -6 -o addr show dev $interface scope link` =~ /inet6 ([^\/]+)/;
	my ($index) = `ip -o link show dev $interface` =~ /^(\d+):/;
	# Only when nobody else has the address.
	for (1 .. 100) {
		last if bind($s, pack_sockaddr_in6(0, inet_pton(AF_INET6, $own), $index));
		$_ < 100 or die "bind: $!";
		select undef, undef, undef, 0.1;
	}
	# A lifetime, the MTU 1280, and a prefix to make addresses of.
	my $words = pack("CCn CCn NN", 134, 0, 0, 64, 0, 1800, 0, 0) . pack("CCnN", 5, 1, 0, 1280) .
		pack("CCCCNNN", 3, 4, 64, 0xc0, 86400, 14400, 0) . inet_pton(AF_INET6, "2001:db8:bad::");
	send($s, $words, 0, pack_sockaddr_in6(0, inet_pton(AF_INET6, $to))) or die "send: $!" for 1 .. 3;'

# learned WHERE INTERFACE: what its kernel knows of addresses, routes and MTU
learned() { "$1" sh -c "ip -6 addr show dev $2; ip -6 route; cat /proc/sys/net/ipv6/conf/$2/mtu"; }
has_learned() { [[ $(learned at_peer peer0) == *db8:bad*"proto ra"*1280 ]]; }

in_gateway() { in_pod nsenter -t "$warden" -U -n -- "$@"; }

# Packets of IPv6 that the gateway's end has taken, before any rule.
arrived() { in_gateway awk '$1 == "Ip6InReceives" { print $2 }' /proc/net/dev_snmp6/berth0; }
has_arrived() { [ "$(arrived)" -ge "$1" ]; }

@test "no router inside teaches the gateway addresses, routes or an MTU" {
	local before

	probe debian tool:perl
	# The control: somebody without rules learns all three of it.
	in_pod perl -e "$advertise" pod0 fd09::2
	wait_until 10 has_learned
	berth_in_pod run -d --name "$name" --rootfs "$BERTH_TEST_ROOTFS:O" --net relay -- sleep 600
	warden=$(in_pod pgrep -P "$(berth_in_pod inspect "$name" | sed -n 's/^ *"supervisor": \([0-9]*\),$/\1/p')" | head -n 1)
	gateway=$(berth_in_pod exec "$name" ip -6 route show default | sed 's/^default via \([^ ]*\).*/\1/')
	before=$(arrived)
	berth_in_pod exec "$name" perl -e "$advertise" eth0 "$gateway"
	wait_until 10 has_arrived $((before + 3))
	# Its kernel, which has them, would have learned by now.
	run -0 learned in_gateway berth0
	assert_has "berth0"
	[[ $output != *db8:bad* && $output != *"proto ra"* && $output != *1280* ]] || fail "$output"
}
