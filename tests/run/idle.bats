#!/usr/bin/env bats
#
# --idle-stop: who is not used is stopped. Ends are waited for; how long it took is in the record.

load ../lib/common
load ../lib/network

setup()
{
	common_setup
	probe small subids tool:jq
	ws=$(new_name)
}

teardown()
{
	[ -z "${pod_pid:-}" ] || pod_down
	common_teardown
}

# workspace OPTION... -- COMMAND...: one in the background
workspace() { berth run -d --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" "$@"; }

told() { berth logs "$ws" | grep -qF -- "$1"; }
record() { berth inspect "$ws" | jq -r ".[0].$1"; }

# ended AT_LEAST AT_MOST: idle, after so many seconds.
ended()
{
	local lived

	run in_cgroup timeout 40 "$BERTH" wait --exit "$ws"
	assert_status 0
	assert_equal "$(record status)" exited
	assert_equal "$(record reason)" \
		"idle for 2s: no terminal, session or connection, and less than 10 % of a processor"
	lived=$(($(record finished_ms) - $(record started_ms)))
	if [ "$lived" -lt "$1"000 ] || [ "$lived" -gt "$2"999 ]; then fail "it lived $lived ms"; fi
}

# bats test_tags=long
@test "nobody uses it: it is stopped in time, with status 0 and its reason in every place" {
	workspace --idle-stop 2s --idle-cpu 10 --audit-log "$PWD/audit" -- sleep 1000
	ended 2 4
	assert_equal "$(record exit_code)" 0
	run berth ps -a
	[[ $output =~ "$ws".*"Exited (0)".*" ago, idle" ]] || fail "$output"
	told "berth: idle for 2s: no terminal, session or connection"
	assert_equal "$(jq -r .event audit | paste -sd' ')" "start idle-stop exit"
	assert_equal "$(jq -c 'select(.event == "idle-stop").idle_s' audit)" 2
	assert_equal "$(jq -r 'select(.event == "exit").reason' audit)" "$(record reason)"

	# The next start has the same, and nobody who waits for it gets another status.
	run berth start "$ws"
	assert_status 0
	ended 2 4
}

@test "the command that waits for it has status 0, and is told why" {
	run -0 --separate-stderr berth run --rm --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" --idle-stop 1 \
		--idle-cpu 10 -- sh -c 'trap "exit 7" TERM; sleep 1000 & wait'
	[[ $stderr == *"berth: idle for 1s: no terminal, session or connection"* ]] || fail "$stderr"
}

# bats test_tags=long
@test "the processor is use, by whomever" {
	workspace --idle-stop 2s --idle-cpu 10 -- sh -c 'timeout 4 sh -c "while :; do :; done"; exec sleep 1000'
	ended 6 9
	berth rm "$ws"
	# Also what was not born of its init.
	workspace --idle-stop 2s --idle-cpu 10 -- sleep 1000
	berth exec -d "$ws" timeout 4 sh -c 'while :; do :; done'
	ended 6 9
}

# bats test_tags=long
@test "berth exec is use until it ends, but for -d and --unattended" {
	workspace --idle-stop 2s --idle-cpu 10 -- sleep 1000
	berth exec "$ws" sleep 4
	ended 6 8
	berth start "$ws"
	berth exec -d "$ws" sleep 1000
	run berth exec --unattended "$ws" sleep 1000
	assert_status 137
	ended 2 4
	# Who only looks does not use it.
	berth start "$ws"
	while [ "$(record status)" = running ]; do
		berth health "$ws" >/dev/null || true
		berth logs "$ws" >/dev/null
		berth stats "$ws" >/dev/null || true
	done
	ended 2 6
}

@test "several sessions: until the last one ends, however it does" {
	local pid

	workspace --idle-stop 2s --idle-cpu 10 -- sleep 1000
	berth exec "$ws" sleep 1000 &
	pid=$!
	wait_until 5 has_sleeps 2
	berth exec "$ws" sleep 3
	assert_equal "$(record status)" running
	# In a group of its own there is a shell around it.
	pkill -KILL -P "$pid" || kill -KILL "$pid"
	wait "$pid" || true
	ended 5 8
}
has_sleeps() { [ "$(berth exec --unattended "$ws" ps | grep -c '[s]leep 1000')" = "$1" ]; }

@test "the terminal of run -t is use" {
	printf '%s\n' "\"$BERTH\" run -it --name $ws --rootfs $BERTH_TEST_SMALL:O --idle-stop 1 --idle-cpu 10 -- sh -c \
		'sleep 4; echo by itself; exit 5'" 'echo "status $?"' >on_terminal
	run in_cgroup timeout 50 script -qec "bash on_terminal" /dev/null < <(exec sleep 20 2>/dev/null 3>&-)
	assert_has "by itself"
	assert_has "status 5"
	run berth plan --rootfs "$BERTH_TEST_SMALL" --idle-stop 1 -t -- true
	assert_has "the terminal of -t is use as long as this command runs"
}

# bats test_tags=long
@test "a warning before, with a script inside, and who comes then stays" {
	# shellcheck disable=SC2016 # the shell inside
	echo 'echo "$(id -u) has $BERTH_IDLE_LEFT s"' >script
	workspace --idle-stop 20 --idle-cpu 50 --idle-warn script -u 1000 --audit-log "$PWD/audit" -- sleep 1000
	wait_until 30 told "berth: idle: nobody has used the workspace for 18s: it stops in 2s"
	berth exec "$ws" true
	wait_until 5 told "berth: idle: the workspace is used again, and goes on"
	run in_cgroup timeout 40 "$BERTH" wait --exit "$ws"
	assert_status 0
	run berth logs --idle-warn "$ws"
	assert_output $'1000 has 2 s\n1000 has 2 s'
	assert_equal "$(jq -r .event audit | paste -sd' ')" "start idle-warn exec exec idle-warn exec idle-stop exit"
	assert_equal "$(jq -c 'select(.event == "idle-warn") | [.idle_s, .left_s]' audit | sort -u)" "[18,2]"
}

# bats test_tags=long
@test "a connection to a published port is use, however silent" {
	probe tool:python3 tool:ip tool:nsenter
	pod_up
	cp "$BATS_TEST_DIRNAME"/../lib/ports_server.py .
	chmod -R a+rX "$BATS_TEST_TMPDIR"
	berth_in_pod run -d --name "$ws" --net relay -v "$PWD:/tests:ro" -p 8022:22 -p 8080:80 -p 8053:53/udp \
		--idle-stop 5 --idle-cpu 25 --idle-ports 22,53/udp -- python3 /tests/ports_server.py deaf:22 deaf:80 udp:53
	wait_until 10 served
	at_peer python3 -c 'import socket, time
s = socket.create_connection(("10.9.0.1", 8022)); time.sleep(8)'
	assert_equal "$(berth_in_pod inspect "$ws" | jq -r '.[0].status')" running
	# As is a datagram now and then,
	at_peer python3 -c 'import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(8): time.sleep(1); s.sendto(b"?", ("10.9.0.1", 8053))'
	assert_equal "$(berth_in_pod inspect "$ws" | jq -r '.[0].status')" running
	# and not one to a port that was not named.
	at_peer python3 -c 'import socket
s = socket.create_connection(("10.9.0.1", 8080)); s.recv(1)' &
	test_processes+=("$!")
	run in_cgroup timeout 20 nsenter -t "$pod_pid" -U -n -m -S 0 -G 0 -- "$BERTH" wait --exit "$ws"
	assert_status 0
}
served() { berth_in_pod logs "$ws" | grep -qx ready; }

@test "what cannot be: errors that quote it" {
	local words text

	while IFS='|' read -r words text; do
		# shellcheck disable=SC2086 # words
		run berth run --rm --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" $words -- true
		assert_status 125
		assert_has "$text"
	done <<-'EOF'
		--idle-stop 30min|option '--idle-stop': '30min' is not a time (as 45s, 30m or 1h30m)
		--idle-stop 9999h|'9999h' is not in 0s..8760h
		--idle-cpu 5|--idle-cpu without --idle-stop
		--idle-warn x|--idle-warn without --idle-stop
		--idle-stop 1m --idle-cpu 0|'0' is not in 1..102400
		--idle-stop 1m --idle-ports 22|--idle-ports '22' without -p
		--idle-stop 1m --idle-ports x -p 1:1|'x'
		--idle-stop 1m --idle-warn no-such|no-such': No such file
		--idle-stop 1m --idle-warn /dev/null|'/dev/null' is no regular file
	EOF
	run berth plan --rootfs "$BERTH_TEST_SMALL" --idle-stop 90m --idle-cpu 7 -- true
	assert_has "after 1h30m without a terminal, berth exec, "
	run berth plan --rootfs "$BERTH_TEST_SMALL" --idle-stop 0 --idle-cpu 7 -- true
	assert_status 0
	[[ $output != *"after 0s"* ]]
}
