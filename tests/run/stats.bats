# What a running workspace uses, and other rates for it while it runs. Somebody outside sends and
# takes as fast as he can.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/network

setup()
{
	common_setup
	probe subids tool:python3 tool:ip tool:nsenter tool:jq tool:nc
	pod_up
	name=$(new_name)
	cp "$BATS_TEST_DIRNAME/../lib/pump.py" .
	cat >load.py <<-'END'
		import socket, sys, time
		port, seconds = int(sys.argv[1]), float(sys.argv[2])
		s = socket.create_connection(("10.9.0.2", port))
		end = time.monotonic() + seconds
		data = bytes(65536)
		while time.monotonic() < end:
		    s.recv(65536) if port == 9000 else s.send(data)
	END
	chmod -R a+rX "$BATS_TEST_TMPDIR"
}

probe_controller()
{
	[ -n "${BERTH_TEST_CGROUP:-}" ] || fail "no delegated group" || return
	grep -qw "$1" "$BERTH_TEST_CGROUP/cgroup.controllers" || fail "no $1 controller"
}

teardown()
{
	berth_in_pod rm -f "$name" 2>/dev/null || true
	pod_down
	common_teardown
}

# begin OPTION...: a workspace that has nothing to do, and who answers it
begin()
{
	serve pump.log at_peer python3 pump.py 10.9.0.2 9000 9001
	berth_in_pod run -d --name "$name" --net relay -v "$BATS_TEST_TMPDIR:/test:ro" "$@" -- \
		sleep 600
}

# load_for SECONDS [PORT...]: down- and upload, or one of them: 9000 is the download's, 9001 the upload's
load_for()
{
	local seconds=$1

	shift
	[ $# -gt 0 ] || set -- 9000 9001
	# shellcheck disable=SC2016 # the shell inside
	berth_in_pod exec "$name" -- sh -c '
		for port in "$@"; do python3 /test/load.py $port $0 & done; wait' "$seconds" "$@"
}

end_load() { berth_in_pod exec "$name" pkill -f /test/load.py || true; }

# seen DOWN UP: what stats says, in Mbit/s, is never more than 5 % above these, and within 5 % of
# each in one of nine seconds: a busy machine may send less in others. "-" for no rate.
seen()
{
	local verdict=

	for _ in {1..9}; do
		berth_in_pod stats --format json "$name" >stats.json
		jq -r '.[0].network | [.download, .upload] | map(.bytes_per_second / 125000) | join(" ")' \
			stats.json >>samples
		verdict=$(awk -v down="$1" -v up="$2" '
			down != "-" && $1 > down * 1.05 || up != "-" && $2 > up * 1.05 { over = 1 }
			down == "-" || $1 > down * 0.95 { down_seen = 1 }
			up == "-" || $2 > up * 0.95 { up_seen = 1 }
			END { print over ? "over" : down_seen && up_seen ? "near" : "" }' samples)
		[ -z "$verdict" ] || break
	done
	[ "$verdict" = near ] || fail "not $1 and $2:"$'\n'"$(cat samples)" || return
	rm samples
}

# rates DOWN UP: seen under load, after the burst of its beginning. Without a rate there is no load:
# it would take the processors from what is looked at.
rates()
{
	local job status=0 ports=()

	[ "$1" = - ] || ports+=(9000)
	[ "$2" = - ] || ports+=(9001)
	load_for 60 "${ports[@]}" &
	job=$!
	sleep 2
	seen "$@" || status=$?
	end_load
	wait "$job" || true
	return "$status"
}

nothing_comes()
{
	[ "$(berth_in_pod stats --format json "$name" | jq '.[0].network.download.bytes_per_second')" -lt 10000 ]
}

# bats test_tags=long
@test "stats shows what the kernel counts, by direction" {
	begin --rate-down 20mbit --rate-up 10mbit
	rates 20 10
	assert_equal "$(jq '.[0].network.download.rate_limit' stats.json)" 2500000
	[ "$(jq '.[0].network.upload.delayed' stats.json)" -gt 0 ]
	[ "$(berth_in_pod inspect "$name" | jq '.[0].network.download.bytes')" -gt 2000000 ]
	# Nobody sends any more: it is the current rate, not that since the start.
	wait_until 10 nothing_comes
	run berth_in_pod stats "$name"
	assert_status 0
	[[ ${lines[0]} == NAME*CPU*THROTTLED*MEMORY*PIDS*READ/S*WRITTEN/S*WATCHES*DOWNLOAD*UPLOAD*DROPPED ]]
	[[ ${lines[1]} == "$name"*bit/s*bit/s* ]]
}

# bats test_tags=long
@test "stats counts packets, and those that are lost at the rate" {
	begin --rate-down 5mbit --rate-up 5mbit
	load_for 2
	berth_in_pod stats --format json "$name" >before.json
	# Of an Ethernet with this rate; a packet that the kernel splits later counts once.
	jq -e '.[0].network | [.download, .upload] | all(.packets >= 20 and .bytes > 60 * .packets and
		.bytes < 66000 * .packets)' before.json || fail "$(cat before.json)"
	serve burst.log at_peer python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("10.9.0.2", 7001)); print("ready", flush=True)
while True:
    _, to = s.recvfrom(100)
    for _ in range(4000): s.sendto(bytes(1200), to)'
	berth_in_pod exec "$name" -- python3 -c '
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.sendto(b"x", ("10.9.0.2", 7001))
time.sleep(3)'
	# Datagrams know of no rate.
	wait_until 20 loses 100
	run --separate-stderr berth_in_pod stats "$name"
	[[ ${lines[1]} =~ [1-9][0-9]*\ /\ [0-9]+$ ]] || fail "$output"
}

# loses N: of what comes down, more than before
loses()
{
	berth_in_pod stats --format json "$name" >after.json
	jq -en --argjson n "$1" --slurpfile a before.json --slurpfile b after.json \
		'$b[0][0].network.download.drops - $a[0][0].network.download.drops >= $n' >/dev/null
}

looked_twice() { [ "$(grep -c NAME watched)" -ge 2 ]; }

@test "stats says why there is nothing, and watches" {
	in_cgroup "$BERTH" run -d --net none --name "$name" -- sleep 100 >/dev/null
	run in_cgroup "$BERTH" stats "$name"
	assert_status 0
	assert_has "$name: no network: it has no network"
	timeout 30 "$BERTH" stats --watch "$name" >watched 3>&- &
	wait_until 20 looked_twice
	kill "$!"
	in_cgroup "$BERTH" rm -f "$name"
	run in_cgroup "$BERTH" stats "$name"
	assert_status 125
}

@test "stats --watch leaves out who ends, and ends with the last, as it should" {
	in_cgroup "$BERTH" run -d --rm --net none --name "$name" -- sleep 100 >/dev/null
	in_cgroup "$BERTH" run -d --rm --net none --name "$name-b" -- sleep 100 >/dev/null
	timeout 30 "$BERTH" stats --watch "$name" "$name-b" >watched 2>told 3>&- &
	watcher=$!
	wait_until 10 grep -q "^$name-b " watched
	"$BERTH" stop -t 0 "$name"
	: >watched
	wait_until 10 grep -q "^$name-b " watched
	sleep 2.5
	[ "$(grep -c "^$name " watched)" -le 1 ] || fail "$(cat watched)"
	"$BERTH" stop -t 0 "$name-b"
	status=0
	wait "$watcher" || status=$?
	assert_equal "$status" 0
	[ ! -s told ] || fail "$(cat told)"
}

@test "stats has what the workspace's group uses" {
	probe controller:cpu controller:memory controller:pids
	in_cgroup "$BERTH" run -d --name "$name" --cpus 0.2 --memory 256m --pids 50 -- \
		sh -c 'while :; do :; done'
	run in_cgroup "$BERTH" stats "$name"
	assert_status 0
	[[ ${lines[1]} =~ ([0-9]+)\.[0-9]%\ +([0-9]+)\.[0-9]%\ .*\ /\ 256.0\ MiB\ .*\ /\ 50 ]] || fail "$output"
	[ "${BASH_REMATCH[1]}" -ge 15 ] && [ "${BASH_REMATCH[1]}" -le 25 ] || fail "$output"
	[ "${BASH_REMATCH[2]}" -ge 10 ] || fail "$output"
	in_cgroup "$BERTH" rm -f "$name"
}

# bats test_tags=long
@test "update changes the rates in place, and start keeps them" {
	begin --rate-down 20mbit --rate-up 10mbit
	berth_in_pod update "$name" --rate-down 5mbit
	rates 5 10
	berth_in_pod update "$name" --rate-down 40mbit --rate-up 20mbit
	rates 40 20
	berth_in_pod stop -t 1 "$name"
	berth_in_pod start "$name"
	assert_equal "$(berth_in_pod inspect "$name" |
		jq -c '.[0].network | [.download.rate_limit, .upload.rate_limit]')" "[5000000,2500000]"
}

@test "a connection lives through an update" {
	begin --rate-down 5mbit
	load_for 60 9000 &
	job=$!
	sleep 2
	berth_in_pod update "$name" --rate-down 40mbit
	sleep 2
	seen 40 -
	end_load
	wait "$job" || true
}

@test "update gives a rate to a workspace that had none, and nothing is forgotten" {
	begin
	load_for 1
	before=$(berth_in_pod inspect "$name" | jq '.[0].network.upload.bytes')
	[ "$before" -gt 10000000 ]
	berth_in_pod update "$name" --rate-up 100mbit
	[ "$(berth_in_pod inspect "$name" | jq '.[0].network.upload.bytes')" -ge "$before" ]
	rates - 100
}

# Behind a queue of 20 ms each way half of them would take more than 30 ms.
@test "short round trips do not wait behind a full load in both directions" {
	cat >trips.py <<-'END'
		import socket, statistics, sys, time
		if sys.argv[1] == "serve":
		    listener = socket.create_server(("10.9.0.2", 9002))
		    print("ready", flush=True)
		    peer, _ = listener.accept()
		    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
		    while data := peer.recv(1):
		        peer.send(data)
		else:
		    s = socket.create_connection(("10.9.0.2", 9002))
		    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
		    took = []
		    for _ in range(200):
		        begun = time.monotonic()
		        s.send(b"x")
		        assert s.recv(1) == b"x"
		        took.append((time.monotonic() - begun) * 1000)
		    print(round(statistics.median(took)))
	END
	chmod a+r trips.py
	begin --rate-down 10mbit --rate-up 10mbit
	serve trips.log at_peer python3 trips.py serve
	load_for 60 &
	job=$!
	sleep 2
	run --separate-stderr berth_in_pod exec "$name" -- timeout 50 python3 /test/trips.py ask
	end_load
	wait "$job" || true
	assert_status 0
	[ "$output" -le 15 ] || fail "half of them took more than $output ms"
}

# bats test_tags=long
@test "the MTU follows the rate, at both ends, and all traffic with it" {
	begin
	mtu_is 65520
	load_for 60 &
	job=$!
	sleep 1
	berth_in_pod update "$name" --rate-down 40mbit --rate-up 20mbit
	mtu_is 1500
	sleep 2
	seen 40 20
	end_load
	wait "$job" || true
	# Answers of UDP that are larger come in fragments of the new size.
	serve echo.log at_peer python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("10.9.0.2", 7000)); print("ready", flush=True)
while True: s.sendto(*s.recvfrom(65535))'
	echoes
	berth_in_pod update "$name" --rate-down 400mbit --rate-up 200mbit
	mtu_is 65520
	echoes
	# Large packets that wait would never fit into the burst of a slow rate.
	load_for 60 &
	job=$!
	sleep 3
	berth_in_pod update "$name" --rate-down 20mbit --rate-up 10mbit
	mtu_is 1500
	sleep 2
	seen 20 10
	end_load
	wait "$job" || true
	echoes
	berth_in_pod update "$name" --rate-down 400mbit --rate-up 200mbit
	# Whose interface is another one is left alone.
	berth_in_pod exec "$name" -- ip link set eth0 mtu 1400
	berth_in_pod update "$name" --rate-down 10mbit
	mtu_is 1500
	berth_in_pod exec -d "$name" -- sh -c 'unshare -n sleep 500 &
		while [ /proc/$!/ns/net -ef /proc/self/ns/net ]; do sleep 0.1; done; ip link set eth0 netns $!; wait'
	wait_until 10 lacks_eth0
	berth_in_pod update "$name" --rate-down 400mbit
}

lacks_eth0() { ! berth_in_pod exec "$name" -- test -e /sys/class/net/eth0; }

mtu_is() { assert_equal "$(berth_in_pod exec "$name" -- cat /sys/class/net/eth0/mtu)" "$1"; }

echoes()
{
	berth_in_pod exec "$name" -- timeout 10 python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(1)
while True: # the queue may be full of what came before
    s.sendto(b"x" * 9000, ("10.9.0.2", 7000))
    try: assert len(s.recv(65535)) == 9000; break
    except TimeoutError: pass'
}

# bats test_tags=long
@test "of two workspaces one takes all it can, and the other keeps its rate" {
	begin --rate-down 20mbit --rate-up 20mbit
	local other bytes begun took
	other=$(new_name)
	berth_in_pod run -d --name "$other" --net relay --rate-down 20mbit --rate-up 20mbit -v "$BATS_TEST_TMPDIR:/test:ro" -- \
		sleep 600
	berth_in_pod exec "$name" -- sh -c 'for i in 1 2 3 4 5 6 7 8; do
		python3 /test/load.py 9000 60 & python3 /test/load.py 9001 60 & done; wait' 3>&- &
	test_processes+=("$!")
	sleep 2
	for _ in 1 2 3; do # a machine that is busy may be slower for once
		begun=$(date +%s%3N)
		bytes=$(berth_in_pod exec "$other" -- sh -c 'timeout 4 nc 10.9.0.2 9000 | wc -c')
		took=$(($(date +%s%3N) - begun))
		[ "$bytes" -le $((took * 2500 * 105 / 100)) ] || fail "$bytes in $took ms" || return
		[ "$bytes" -lt 6000000 ] || break
	done
	# The other's share of the same queue would be a ninth of 10 MB.
	[ "$bytes" -ge 6000000 ] || fail "$bytes"
	berth_in_pod rm -f "$other"
}

@test "update is refused where there is nothing to change, or no network to change it of" {
	in_cgroup "$BERTH" run -d --net none --name "$name" -- sleep 100 >/dev/null
	run "$BERTH" update "$name"
	assert_status 125
	assert_has "nothing to change"
	run "$BERTH" update "$name" --rate-up fast
	assert_status 125
	assert_has "'fast' is no rate"
	run in_cgroup "$BERTH" update "$name" --rate-up 10mbit
	assert_status 125
	assert_has "the workspace has no network of its own"
	in_cgroup "$BERTH" rm -f "$name"
	run in_cgroup "$BERTH" update "$name" --rate-up 10mbit
	assert_status 125
}
