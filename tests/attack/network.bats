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

# percent [OPTION...]: in $percent what such a workspace takes of 10 Mbit/s, after what root inside can do.
percent()
{
	run --separate-stderr in_pod '
		serve python3 "$here/pump.py" 192.0.2.1 9000 9001
		"$BERTH" run --rm --name "$name" --rootfs "$1:O" --net relay "${@:2}" -- sh -c "
			ip link set eth0 mtu 65000
			tc qdisc replace dev eth0 root pfifo limit 10000
			tc qdisc show | grep -c tbf
			unshare -n sleep 60 &
			while [ /proc/\$!/ns/net -ef /proc/self/ns/net ]; do sleep 0.1; done
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
\"" ' "$BERTH_TEST_ROOTFS" "$@"
	assert_status 0
	assert_equal "${lines[0]}" 0
	[[ $output =~ percent\ ([0-9]+) ]] || fail "$output"
	percent=${BASH_REMATCH[1]}
}

# bats test_tags=long
@test "a new queue, a larger MTU and another namespace change nothing about the rate" {
	probe debian
	percent --rate-down 10mbit
	# Payload is less than what the interface counts.
	[[ $percent -ge 50 && $percent -le 103 ]] || fail "$output"
	percent # the same where nothing is said, on an emulated machine, too
	[ "$percent" -gt 110 ] || fail "$output"
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

@test "what a policy denies stays denied, whatever root inside does to packets and routes" {
	run --separate-stderr in_pod '
		serve python3 "$here/pump.py" 192.0.2.1 9000 9001
		reach="nc -w 3 192.0.2.1 9001 </dev/null >/dev/null && echo reached"
		workspace --net relay -- sh -c "$reach"
		workspace --net relay --egress deny:192.0.2.1 -- sh -c "
			$reach
			ip addr add 192.0.2.9/32 dev eth0
			ip route add 192.0.2.1/32 via 198.18.240.1 src 192.0.2.9
			$reach
			ip route del 192.0.2.1/32
			for i in 1 2 3 4 5 6 7 8; do nc -w 3 192.0.2.1 9001 </dev/null >/dev/null && echo reached & done
			wait
			$reach
			true" 2>/dev/null'
	assert_status 0
	assert_output reached
}

@test "root inside sees no rule of the gateway, and what he makes there is his own" {
	probe debian
	run --separate-stderr in_pod '
		serve python3 "$here/pump.py" 192.0.2.1 9000 9001
		"$BERTH" run --rm --name "$name" --rootfs "$1:O" --net relay --egress deny:192.0.2.1 -- sh -c "
			iptables-nft-save 2>/dev/null | grep -c berth
			iptables -P OUTPUT ACCEPT; iptables -F; iptables -t mangle -A PREROUTING -j ACCEPT && echo own
			python3 -c \"
import socket
s = socket.socket()
try:
    s.connect((\\\"192.0.2.1\\\", 9001))
    print(\\\"reached\\\")
except OSError as error:
    print(error.errno)
\"" ' "$BERTH_TEST_ROOTFS"
	assert_status 0
	[[ ${lines[0]} == 0 && ${lines[1]} == own && ${lines[2]} == 113 ]] || fail "$output"
}

@test "crafted IPv6 packets to an IPv4 address reach nobody" {
	probe debian
	cat >listen.py <<'END'
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("192.0.2.1", 9))
print("ready", flush=True)
while True:
    data, peer = s.recvfrom(100)
    print(data.decode(), file=open("got", "a"), flush=True)
END
	cat >craft.py <<'END'
import socket, struct, time
own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
own.sendto(b"plain", ("192.0.2.1", 9))
time.sleep(0.2)
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
raw.bind(("eth0", 0x86dd))
def mac(text): return bytes(int(x, 16) for x in text.split(":"))
def address(text): return socket.inet_pton(socket.AF_INET6, text)
here = mac(open("/sys/class/net/eth0/address").read())
there = [mac(line.split()[3]) for line in open("/proc/net/arp").readlines()[1:]][0]
def send(to, data):
    source, to = address("fd62:6572:7468::2"), address(to)
    head = struct.pack(">HHHH", 1000, 9, 8 + len(data), 0)
    words = source + to + struct.pack(">II", len(head + data), 17) + head + data
    words += b"\0" * (len(words) % 2)
    total = sum(struct.unpack(">%dH" % (len(words) // 2), words))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    udp = head[:6] + struct.pack(">H", ~total & 0xffff) + data
    raw.send(there + here + b"\x86\xdd" + struct.pack(">IHBB", 6 << 28, len(udp), 17, 64) + source + to + udp)
send("fd01::1", b"v6") # such a packet arrives, as somebody sees who listens there
for to in "::ffff:192.0.2.1", "::192.0.2.1":
    send(to, b"crafted")
# What was sent is on its way only as long as we are there.
for _ in range(100):
    own.sendto(b"last", ("192.0.2.1", 9))
    if "last" in open("/test/got").read():
        break
    time.sleep(0.1)
END
	run --separate-stderr in_pod '
		sed "s/AF_INET,/AF_INET6,/; s/192.0.2.1/fd01::1/" listen.py >listen6.py
		touch got
		serve python3 listen6.py
		serve python3 listen.py
		"$BERTH" run --rm --name "$name" --rootfs "$1:O" -v "$PWD:/test:ro" --net relay \
			--egress deny:any,10/udp -- python3 /test/craft.py
		sort -u got' "$BERTH_TEST_ROOTFS"
	assert_status 0
	assert_output $'last\nplain\nv6'
}
