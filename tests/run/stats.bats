# What a running workspace uses, and other rates for it while it runs. Somebody outside sends and
# takes as fast as he can.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/network

setup()
{
	common_setup
	probe subids tool:python3 tool:ip tool:nsenter tool:jq
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

# load_for SECONDS: down- and upload
load_for()
{
	berth_in_pod exec "$name" -- sh -c "
		python3 /test/load.py 9000 $1 & python3 /test/load.py 9001 $1; wait"
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

# rates DOWN UP: seen under load, after the burst of its beginning
rates()
{
	local job status=0

	load_for 13 &
	job=$!
	sleep 2
	seen "$@" || status=$?
	end_load
	wait "$job" || true
	return "$status"
}

@test "stats shows what the kernel counts, by direction" {
	begin --rate-down 20mbit --rate-up 10mbit
	rates 20 10
	assert_equal "$(jq '.[0].network.download.rate_limit' stats.json)" 2500000
	[ "$(jq '.[0].network.upload.delayed' stats.json)" -gt 0 ]
	[ "$(berth_in_pod inspect "$name" | jq '.[0].network.download.bytes')" -gt 2000000 ]
	# Nobody sends any more: it is the current rate, not that since the start.
	berth_in_pod stats --format json "$name" >after.json
	[ "$(jq '.[0].network.download.bytes_per_second' after.json)" -lt 10000 ]
	run berth_in_pod stats "$name"
	assert_status 0
	[[ ${lines[0]} == NAME*CPU*THROTTLED*MEMORY*PIDS*DOWNLOAD*UPLOAD*DROPPED ]]
	[[ ${lines[1]} == "$name"*bit/s*bit/s* ]]
}

@test "stats says why there is nothing, and watches" {
	in_cgroup "$BERTH" run -d --net none --name "$name" -- sleep 100 >/dev/null
	run in_cgroup "$BERTH" stats "$name"
	assert_status 0
	assert_has "$name: no network: it has no network"
	timeout 4 "$BERTH" stats --watch "$name" >watched || [ $? = 124 ]
	[ "$(grep -c NAME watched)" -ge 2 ]
	in_cgroup "$BERTH" rm -f "$name"
	run in_cgroup "$BERTH" stats "$name"
	assert_status 125
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
	load_for 15 &
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
