#!/usr/bin/env bats
#
# Root inside against published ports: they lead from clients to him, and nowhere else.

load ../lib/common
load ../lib/network

setup()
{
	common_setup
	probe subids tool:python3 tool:ip tool:nsenter
	pod_up
	cp "$BATS_TEST_DIRNAME"/../lib/ports_*.py "$BATS_TEST_TMPDIR"
	chmod -R a+rX "$BATS_TEST_TMPDIR"
	ws=$(new_name)
}

teardown()
{
	pod_down
	common_teardown
}

# inside OPTION... -- COMMAND...: a workspace with the tests in /tests
inside()
{
	berth_in_pod run --name "$ws" --net relay -v "$BATS_TEST_TMPDIR:/tests:ro" "$@"
}

served() { berth_in_pod logs "$ws" | grep -qx ready; }

@test "what is published on the pod's loopback is not reached from inside, and neither is the pod's own" {
	serve pod.log in_pod python3 ports_server.py tcp:7000@127.0.0.1
	inside -d -p 127.0.0.1:8080:80 -p 8081:80 -- python3 /tests/ports_server.py tcp:80
	wait_until 10 served
	run in_pod python3 ports_client.py tcp 127.0.0.1 7000
	assert_has "from 127.0.0.1" # it is there
	for place in "127.0.0.1 7000" "10.9.0.1 7000" "198.18.240.1 7000" "127.0.0.1 8080" "10.9.0.1 8080" \
		"198.18.240.1 8080" "198.18.240.1 8081" "198.18.240.1 80"; do
		# shellcheck disable=SC2086 # two words
		run berth_in_pod exec "$ws" -- python3 /tests/ports_client.py tcp $place
		[[ $output = refused || $output = reset ]] || fail "$place: $output"
	done
	# The way round by the pod is open, and leads back to himself.
	run berth_in_pod exec "$ws" -- python3 /tests/ports_client.py tcp 10.9.0.1 8081
	assert_has "from 10.9.0.1"
}

@test "answers for somebody else's connection get nowhere" {
	# The client talks to a server that never reads; root inside tries to speak on its behalf to
	# another client, from the published port.
	inside -d -p 8080:80 -- python3 /tests/ports_server.py deaf:80
	wait_until 10 served
	at_peer python3 -c '
import socket
listener = socket.create_server(("10.9.0.2", 9999)); print("ready", flush=True)
listener.settimeout(4)
try:
    print("got", listener.accept()[1], flush=True)
except TimeoutError:
    print("nobody", flush=True)' >peer.log 2>&1 3>&- &
	test_processes+=("$!")
	wait_until 5 grep -q ready peer.log
	berth_in_pod exec "$ws" -- python3 -c '
import socket, struct
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
def sum16(b):
    s = sum(struct.unpack("!%dH" % (len(b) // 2), b))
    return ~((s & 0xffff) + (s >> 16)) & 0xffff
a, b = socket.inet_aton("198.18.240.2"), socket.inet_aton("10.9.0.2")
for flags in 0x12, 0x10, 0x18:
    tcp = struct.pack("!HHIIBBHHH", 80, 9999, 1, 1, 0x50, flags, 1000, 0, 0)
    tcp = tcp[:16] + struct.pack("!H", sum16(a + b + struct.pack("!HH", 6, 20) + tcp)) + tcp[18:]
    raw.sendto(struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 1, 0, 64, 6, 0, a, b) + tcp, ("10.9.0.2", 0))'
	wait_until 8 grep -q -e nobody -e got peer.log
	run cat peer.log
	assert_has nobody
	run at_peer timeout 5 python3 ports_client.py leave 10.9.0.1 8080
	assert_output "done"
}

@test "-p auto: a thousand listeners, and none outside the list" {
	inside -d -p 127.0.0.1:auto --publish-allow 3000-3999 --publish-deny 3007 -- python3 -c '
import resource, socket, time
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096)) if resource.getrlimit(resource.RLIMIT_NOFILE)[1] >= 4096 else None
socks = [socket.create_server(("", port)) for port in [*range(2900, 3400), *range(4000, 4100)]]
print("ready", flush=True)
time.sleep(60)'
	wait_until 20 served
	wait_until 10 has_128
	sleep 1
	run in_pod ss -Hltn
	[ "$(wc -l <<<"$output")" = 128 ]
	run in_pod ss -Hltn '( sport < 3000 or sport > 3999 or sport = 3007 )'
	assert_output ""
	run berth_in_pod logs "$ws"
	assert_has "is not published: more than 128 automatic ports"
	# The supervisor has time for others.
	run timeout 5 nsenter -t "$pod_pid" -U -n -m -S 0 -G 0 --wd="$PWD" -- "$BERTH" exec "$ws" -- echo here
	assert_output here
}

has_128() { [ "$(in_pod ss -Hltn | wc -l)" = 128 ]; }

@test "-p auto: twenty thousand sockets hold up nobody, and a real port is found" {
	inside -d -p 127.0.0.1:auto --publish-allow 1-65535,1-65535/udp -- sleep 1000
	# At their own ports and many at one; where nobody outside reaches them, and where he does.
	cat >many.py <<-'END'
		import resource, socket, sys, time
		kind, address, first, n = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
		resource.setrlimit(resource.RLIMIT_NOFILE, 2 * (resource.getrlimit(resource.RLIMIT_NOFILE)[1],))
		socks = []
		for i in range(n):
		    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
		    socks.append(sock)
		    if kind == "same": sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
		    sock.bind((address, first if kind == "same" else first + i))
		    if kind != "udp": sock.listen(1)
		print(kind, "there", flush=True)
		time.sleep(1000)
	END
	for part in 'tcp 127.0.0.1 20000' 'tcp 127.0.0.2 20000' 'udp 127.0.0.1 20000' 'same 0.0.0.0 70' 'same 127.0.0.1 7000'; do
		# shellcheck disable=SC2086 # three words
		berth_in_pod exec -d "$ws" -- python3 /tests/many.py $part 4000
	done
	wait_until 60 all_there
	berth_in_pod exec -d "$ws" -- python3 /tests/ports_server.py tcp:80
	# Meanwhile others are answered, each at once, and it works a small part of the time only.
	supervisor=$(berth_in_pod inspect "$ws" | sed -n 's/^ *"supervisor": \([0-9]*\),$/\1/p')
	worked=$(awk '{ print $14 + $15 }' "/proc/$supervisor/stat") begun=$(date +%s%N)
	longest=0
	for _ in {1..20}; do
		before=$(date +%s%N)
		berth_in_pod port "$ws" >list
		took=$((($(date +%s%N) - before) / 1000000))
		[ "$took" -le "$longest" ] || longest=$took
		sleep 0.1
	done
	[ "$longest" -lt 2000 ] || fail "somebody waited $longest ms"
	worked=$((($(awk '{ print $14 + $15 }' "/proc/$supervisor/stat") - worked) * 1000 / $(getconf CLK_TCK)))
	lasted=$((($(date +%s%N) - begun) / 1000000))
	[ "$worked" -lt "$((lasted / 4))" ] || fail "it worked $worked ms of $lasted"
	wait_until 20 lists_80
}

all_there() { [ "$(berth_in_pod exec "$ws" -- sh -c 'cat /proc/net/sockstat' | awk '/^(TCP|UDP):/ { n += $3 } END { print n }')" -ge 20000 ]; }
lists_80() { berth_in_pod port "$ws" | grep -qF "80/tcp -> 127.0.0.1:80"; }

@test "listeners that come and go all the time leave nothing behind" {
	inside -d -p auto --publish-allow 3000-3099 -- python3 -c '
import socket, time
print("ready", flush=True)
end = time.monotonic() + 5
while time.monotonic() < end:
    socks = [socket.create_server(("", port)) for port in range(3000, 3020)]
    time.sleep(0.05)
    [sock.close() for sock in socks]
print("over", flush=True)
time.sleep(60)'
	wait_until 30 is_over
	wait_until 10 has_none
	open=("/proc/$(berth_in_pod inspect "$ws" | sed -n 's/^ *"supervisor": \([0-9]*\),$/\1/p')/fd"/*)
	[ "${#open[@]}" -gt 5 ] && [ "${#open[@]}" -lt 64 ]
	run berth_in_pod port "$ws"
	assert_output ""
}

is_over() { berth_in_pod logs "$ws" | grep -qx over; }
has_none() { [ -z "$(in_pod ss -Hltn)" ]; }

@test "without routes, with others, and without eth0 he serves worse, and only himself" {
	inside -d -p 8080:80 -- python3 /tests/ports_server.py tcp:80
	wait_until 10 served
	berth_in_pod exec "$ws" -- ip route del default
	run at_peer timeout 20 python3 ports_client.py tcp 10.9.0.1 8080
	assert_has "from 198.18.240.1 " # the gateway is on the link
	berth_in_pod exec "$ws" -- ip route add blackhole 10.9.0.0/24
	run at_peer timeout 20 python3 ports_client.py tcp 10.9.0.1 8080
	assert_has "from 198.18.240.1 "
	berth_in_pod exec "$ws" -- ip link set eth0 down
	run at_peer timeout 3 python3 ports_client.py tcp 10.9.0.1 8080
	[[ $output != *from* ]]
	berth_in_pod exec "$ws" -- ip link set eth0 up
	wait_until 40 answered
}

answered() { at_peer timeout 5 python3 ports_client.py tcp 10.9.0.1 8080 | grep -q from; }

@test "the relay and the warden hold no more for published ports than they need" {
	inside -d -p 8080:80 -p 8080:80/udp -- python3 /tests/ports_server.py tcp:80
	wait_until 10 served
	run at_peer timeout 20 python3 ports_client.py tcp 10.9.0.1 8080
	assert_has "from 10.9.0.2"
	supervisor=$(berth_in_pod inspect "$ws" | sed -n 's/^ *"supervisor": \([0-9]*\),$/\1/p')
	warden=$(pgrep -P "$supervisor" -x berth-warden)
	relay=$(pgrep -P "$warden" -x berth-relay)
	grep -qx "CapEff:.0000000000001000" "/proc/$relay/status" # NET_ADMIN
	grep -qx "CapEff:.0000000000000002" "/proc/$warden/status" # DAC_OVERRIDE
	grep -qx "Seccomp:.2" "/proc/$warden/status"
	grep -qx "Seccomp:.2" "/proc/$relay/status"
	# Pod side: the two ports are the relay's alone, so that they are free when it is gone.
	for protocol in t u; do
		run in_pod ss "-Hln${protocol}p" sport = 8080
		assert_has "berth-relay"
		[[ $output != *supervisor* && $(grep -o 'pid=' <<<"$output" | wc -l) = 1 ]] || fail "$output"
	done
}

@test "forged answers of the kernel do not reach who asks it, and nobody dies of them" {
	cat >forge.py <<'END'
# Forged answers to every netlink socket of this network namespace, again and again.
import socket, struct, time
own = {protocol: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol) for protocol in (0, 4)}
for sock in own.values():
    sock.bind((0, 0))
def others():
    with open("/proc/net/netlink") as table:
        rows = [line.split() for line in list(table)[1:]]
    return [(int(row[1]), int(row[2])) for row in rows if int(row[1]) in own and int(row[2]) and
            int(row[2]) != own[int(row[1])].getsockname()[0]]
# NLMSG_ERROR with NLM_F_ACK_TLVS, for a request of nearly 4 GiB, with words; and the end of a list.
words = struct.pack("=HH4s", 8, 1, b"abc\0")
ends = struct.pack("=IHHIIi", 20, 3, 2, 1, 0, 0)
lies = [struct.pack("=IHHIIiIHHII", 36 + len(words), 2, 0x200, seq, 0, -1, 0xfffffff0, 16, 5, seq, 0) + words
        for seq in (1, 2)]
refused = set()
print("ready", flush=True)
while True:
    for protocol, port in others():
        for message in (*lies, ends):
            try:
                own[protocol].sendto(message, socket.MSG_DONTWAIT, (port, 0))
                print(f"{protocol} took it", flush=True)
            except ConnectionRefusedError:
                if (protocol, port) not in refused:
                    print(f"{protocol} refused it", flush=True)
                refused.add((protocol, port))
            except BlockingIOError:
                print(f"{protocol} is full", flush=True)
    time.sleep(0.0005)
END
	inside -d -p auto --publish-allow 3000-3099 -p 8080:80 -- python3 /tests/forge.py
	wait_until 10 served
	# All that we ask with is in use: the MTU, listeners, the way to a client.
	berth_in_pod update "$ws" --rate-down 10mbit --rate-up 10mbit
	berth_in_pod update "$ws" --rate-down 400mbit --rate-up 400mbit
	berth_in_pod exec -d "$ws" -- python3 /tests/ports_server.py echo:3000 tcp:80
	wait_until 10 listens_at_3000
	run at_peer timeout 20 python3 ports_client.py tcp 10.9.0.1 8080
	assert_has "from 10.9.0.2"
	berth_in_pod update "$ws" --rate-down 10mbit --rate-up 10mbit
	run berth_in_pod exec "$ws" -- cat /sys/class/net/eth0/mtu
	assert_output 1500
	# He did reach them: two of rtnetlink and one of sock_diag, and each refused.
	run berth_in_pod logs "$ws"
	[[ $output != *took* && $output != *full* ]] || fail "$(sort <<<"$output" | uniq -c)"
	assert_equal "$(grep -c "^0 refused it" <<<"$output")" 2
	assert_equal "$(grep -c "^4 refused it" <<<"$output")" 1
}

listens_at_3000() { [ -n "$(in_pod ss -Hltn sport = 3000)" ]; }
