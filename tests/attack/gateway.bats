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

@test "no router inside teaches the gateway addresses, routes or an MTU" {
	probe debian
	berth_in_pod run -d --name "$name" --rootfs "$BERTH_TEST_ROOTFS:O" --net relay -- sleep 600
	berth_in_pod exec "$name" perl -e '
		use Socket qw(:DEFAULT inet_pton pack_sockaddr_in6 AF_INET6 SOCK_RAW);
		my ($gateway) = `ip -6 route` =~ /^default via (\S+)/m or die "no gateway of IPv6";
		socket(my $s, AF_INET6, SOCK_RAW, 58) or die "socket: $!";
		setsockopt($s, 41, 16, pack "i", 255) or die "hop limit: $!";
		setsockopt($s, 41, 7, pack "i", 2); # IPV6_CHECKSUM is the kernel of ICMPv6 own
		my ($own) = `ip -6 -o addr show dev eth0 scope link` =~ /inet6 ([^\/]+)/;
		my $index = (split " ", `cat /sys/class/net/eth0/ifindex`)[0];
		# Only when nobody else has the address.
		for (1 .. 100) {
			last if bind($s, pack_sockaddr_in6(0, inet_pton(AF_INET6, $own), $index));
			$_ < 100 or die "bind: $!";
			select undef, undef, undef, 0.1;
		}
		# A lifetime, the MTU 1280, and a prefix to make addresses of.
		my $words = pack("CCn CCn NN", 134, 0, 0, 64, 0, 1800, 0, 0) . pack("CCnN", 5, 1, 0, 1280) .
			pack("CCCCNNN", 3, 4, 64, 0xc0, 86400, 14400, 0) . inet_pton(AF_INET6, "2001:db8:bad::");
		send($s, $words, 0, pack_sockaddr_in6(0, inet_pton(AF_INET6, $gateway))) or die "send: $!" for 1 .. 3;'
	warden=$(in_pod pgrep -P "$(berth_in_pod inspect "$name" | sed -n 's/^ *"supervisor": \([0-9]*\),$/\1/p')" | head -n 1)
	run -0 in_pod nsenter -t "$warden" -U -n sh -c 'ip -6 addr show dev berth0; ip -6 route; cat /proc/sys/net/ipv6/conf/berth0/mtu'
	assert_has "berth0"
	[[ $output != *db8:bad* && $output != *"proto ra"* && $output != *1280* ]] || fail "$output"
}
