#!/usr/bin/env bats
#
# The rate of uploads where the kernel has no ifb: the relay keeps it by what it reads.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/network

setup()
{
	common_setup
	probe subids without tool:python3 tool:ip tool:nsenter tool:jq
	pod_up
	name=$(new_name)
	# Counts what comes in 6 s after 2 s, as packets of MTU 1500 would be counted: percent of RATE.
	cat >sink.py <<-'END'
		import select, socket, sys, time
		kind, rate = sys.argv[1], float(sys.argv[2]) * 1e6
		if kind == "tcp":
		    s = socket.create_server(("10.9.0.2", 9001))
		    print("ready", flush=True)
		    s = [s.accept()[0] for _ in range(3)]
		    wire = (1448 + 66) / 1448
		else:
		    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		    s.bind(("10.9.0.2", 9001))
		    print("ready", flush=True)
		    s.recv(65536)
		    s, wire = [s], (1200 + 42) / 1200
		begun, total, counted, last = time.monotonic(), 0, None, 0
		while (now := time.monotonic()) < begun + 8:
		    for one in select.select(s, [], [], 0.1)[0]:
		        total += len(one.recv(1 << 20))
		    if counted is None and now > begun + 2:
		        counted, last = total, time.monotonic() # behind the reads: they may take a while
		print(round((total - counted) * 8 * wire / (now - last) / rate * 100), flush=True)
	END
	cat >source.py <<-'END'
		import socket, sys, threading, time
		def stream():
		    s = socket.create_connection(("10.9.0.2", 9001))
		    try:
		        while True: s.send(bytes(65536))
		    except OSError: pass
		if sys.argv[1] == "tcp":
		    for _ in range(3): threading.Thread(target=stream, daemon=True).start()
		else:
		    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		    s.connect(("10.9.0.2", 9001))
		end = time.monotonic() + float(sys.argv[2])
		while time.monotonic() < end:
		    if sys.argv[1] == "udp":
		        try:
		            for _ in range(10): s.send(bytes(1200))
		        except OSError: pass
		    time.sleep(0.002)
	END
	chmod -R a+rX .
}

teardown()
{
	pod_down
	common_teardown
}

# Messages about an ifb are refused, as a kernel without it would.
berth_without_ifb()
{
	in_cgroup nsenter -t "$pod_pid" -U -n -m -S 0 -G 0 --wd="$PWD" -- \
		"$BERTH_TEST_WITHOUT" netlink:ifb -- "$BERTH" "$@" 3>&-
}

begin()
{
	berth_without_ifb run -d --name "$name" --net relay -v "$PWD:/test:ro" "$@" -- sleep 600 >/dev/null
}

# keeps KIND RATE: what is sent inside arrives at this rate, in Mbit/s, within 3 %. A machine that
# is busy may be slower for once; nothing makes it faster.
keeps()
{
	local percent

	for _ in 1 2 3; do
		: >sink.log
		at_peer timeout 30 python3 sink.py "$1" "$2" >sink.log &
		test_processes+=("$!")
		wait_until 10 grep -q ready sink.log
		berth_in_pod exec "$name" -- timeout 30 python3 /test/source.py "$1" 10
		wait_until 10 has_result
		percent=$(tail -n 1 sink.log)
		[ "$percent" -le 103 ] || fail "$1: $percent % of $2 Mbit/s" || return
		[ "$percent" -lt 97 ] || return 0
	done
	fail "$1: $percent % of $2 Mbit/s"
}

has_result() { [ "$(wc -l <sink.log)" = 2 ]; }

# bats test_tags=long
@test "it is in the plan, and streams and datagrams keep the rate" {
	run berth_without_ifb plan --net relay --rate-down 20mbit --rate-up 10mbit -- true
	assert_status 0
	assert_has "upload 10mbit, by the relay"
	assert_has "kept by what the relay reads, since the kernel has no ifb"
	[[ $output != *"download 20mbit, by"* ]] || fail "$output"
	run berth_in_pod plan --net relay --rate-up 10mbit -- true
	[[ $output != *"by the relay"* ]] || fail "$output"
	begin --rate-down 20mbit --rate-up 10mbit
	keeps tcp 10
	keeps udp 10
	berth_in_pod update "$name" --rate-up 4mbit
	keeps tcp 4
	run berth_in_pod inspect "$name"
	assert_equal "$(jq -c '.[0].network | [.download.rate_limit, .upload.rate_limit]' <<<"$output")" "[2500000,500000]"
}

# bats test_tags=long
@test "a workspace that gets its rate later: streams share it, and answers of published ports count" {
	begin -p 9003:9003/udp
	berth_in_pod update "$name" --rate-up 10mbit
	keeps tcp 10
	berth_in_pod exec -d "$name" -- python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", 9003))
while True:
    data, who = s.recvfrom(100)
    for _ in range(5000): s.sendto(bytes(1200), who)'
	# 48 Mbit at once: more than the rate carries in the time would come without it.
	run at_peer timeout 20 python3 -c '
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(0.5); s.connect(("10.9.0.1", 9003))
n = 0
while n == 0:
    s.send(b"x"); begun = time.monotonic()
    try:
        while True: n += len(s.recv(2000)); last = time.monotonic()
    except OSError: pass
print(n * 8 <= 10e6 * (last - begun + 0.1))'
	assert_output True
}

@test "check says who keeps the rate" {
	run berth_without_ifb check
	assert_has "uploads by the relay's reads: no ifb"
	run berth_in_pod check
	[[ $output != *"uploads by the relay's reads"* ]] || fail "$output"
}
