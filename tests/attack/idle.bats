#!/usr/bin/env bats
#
# Root inside against --idle-stop: but for the processor, nothing that he does is use, and nothing
# delays the end.

load ../lib/common

setup()
{
	common_setup
	probe small subids tool:jq
	ws=$(new_name)
}

# until_idle AT_MOST: it ends, idle, after 3 seconds and before so many.
until_idle()
{
	local lived

	run in_cgroup timeout 60 "$BERTH" wait --exit "$ws"
	assert_status 0
	run berth inspect "$ws"
	[[ $(jq -r '.[0].reason' <<<"$output") == "idle for 3s: "* ]] || fail "$output"
	lived=$(jq '.[0].finished_ms - .[0].started_ms' <<<"$output")
	if [ "$lived" -lt 3000 ] || [ "$lived" -ge "$1"000 ]; then fail "it lived $lived ms"; fi
}

workspace()
{
	berth run -d --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" --idle-stop 3 --idle-cpu 25 --stop-timeout 1 "$@"
}

@test "what a session left behind holds nothing of it" {
	workspace -- sleep 1000
	# All that it inherited stays open in it; it takes part in no group, session or stream.
	berth exec "$ws" sh -c 'setsid sleep 1000 </dev/null >/dev/null 2>&1 & setsid sleep 1000 </dev/null >/dev/null 2>&1 &'
	# Its streams, and the directory that is listed.
	run berth exec "$ws" ls /proc/self/fd
	assert_output $'0\n1\n2\n3'
	until_idle 7
}

@test "a terminal, connections and files of his own are no use" {
	workspace -- sh -c '
		nc -l -p 80 & nc -l -p 81 -s 127.0.0.1 & sleep 0.2
		sleep 1000 | nc 127.0.0.1 80 & sleep 1000 | nc 127.0.0.1 81 &
		while sleep 0.1; do echo x; echo x >/tmp/file; echo x >/proc/self/comm; done'
	until_idle 7
}

@test "who stops all processes, or does not listen, ends in time" {
	workspace -- sh -c 'trap "" TERM INT HUP; while :; do sleep 1000; done'
	berth exec --unattended "$ws" sh -c 'kill -STOP -1' || true
	until_idle 8
}
