#!/usr/bin/env bats
# --bootstrap: a script of the machine, run in the workspace once that is ready.

load ../lib/common

setup()
{
	common_setup
	probe small subids tool:jq
	ws=$(new_name)
}

# workspace OPTION...: one in the background, which does nothing.
workspace()
{
	berth run -d --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" "$@" -- sleep 1000
}
# wrote TEXT: whether its script did. told TEXT: whether its supervisor did.
wrote() { berth logs --bootstrap "$ws" | grep -qxF -- "$1"; }
told() { berth logs "$ws" | grep -qF -- "$1"; }

@test "it runs inside, as the user, with its directory and variables, and none of it is in sight" {
	# shellcheck disable=SC2016 # the shell inside
	printf '%s\n' 'id -u; pwd; echo "$WORD $0"; echo from stderr >&2' 'echo $(tr "\0" " " </proc/$$/cmdline)' ': a-secret' >script
	workspace --bootstrap script -u 1000 -w /tmp -e WORD=given
	wait_until 10 told "bootstrap: the script ended with 0"
	# Of two pipes nobody knows which is read first; every line is written at once.
	berth logs --bootstrap "$ws" >log
	run grep -cxF "from stderr" log
	assert_output 1
	run grep -vxF "from stderr" log
	assert_output $'1000\n/tmp\ngiven /bin/sh\n/bin/sh -s'
	run berth logs "$ws"
	[[ $output != *"from stderr"* ]]
	run berth inspect "$ws"
	[[ $output != *a-secret* ]]
}

@test "it ends by itself only, or with the workspace, and is there again after start" {
	echo 'echo begun; exec sleep 1000' >script
	workspace --bootstrap script
	wait_until 10 wrote begun
	wait_until 5 two_sleep
	berth stop -t 0 "$ws"
	echo 'echo second' >script
	berth start "$ws"
	wait_until 10 wrote second
	wait_until 10 told "bootstrap: the script ended with 0"
	wait_until 5 nobody_is_left
}
two_sleep() { [ "$(berth exec "$ws" sh -c 'ps | grep -c "[s]leep 1000"')" = 2 ]; }
nobody_is_left() { ! pgrep -u "$(id -u)" -f "exec --unattended -i $ws"; }

@test "no, on-failure, on-failure:N and always" {
	echo 'echo run; exit 3' >script
	workspace --bootstrap script
	wait_until 10 told "bootstrap: the script ended with 3"
	sleep 0.5
	assert_equal "$(berth logs --bootstrap "$ws")" run
	berth rm -f "$ws"

	workspace --bootstrap script --bootstrap-restart on-failure:2
	wait_until 10 told "the script ended with 3, and starts again in 0.1 s"
	wait_until 10 told "the script ended with 3, and starts again in 0.2 s"
	wait_until 10 last_end
	assert_equal "$(berth logs --bootstrap "$ws")" $'run\nrun\nrun'
	berth rm -f "$ws"

	echo 'test -e /tmp/once && exit 0; touch /tmp/once; exit 1' >script
	workspace --bootstrap script --bootstrap-restart on-failure
	wait_until 10 told "the script ended with 1, and starts again"
	wait_until 10 told "the script ended with 0"
	berth rm -f "$ws"

	echo 'echo run' >script
	workspace --bootstrap script --bootstrap-restart always
	wait_until 10 three
}
last_end() { berth logs "$ws" | grep -qx 'berth: bootstrap: the script ended with 3'; }
three() { [ "$(berth logs --bootstrap "$ws" | grep -c run)" -ge 3 ]; }

@test "a script that is not there stops the launch; one that goes or changes later is the one that was read" {
	run workspace --bootstrap no-such-script
	assert_status 125
	assert_has "berth: bootstrap: open '$PWD/no-such-script': No such file or directory"
	assert_has "hint: --bootstrap takes a script of the pod"
	mkfifo fifo
	run workspace --bootstrap fifo
	assert_status 125
	assert_has "is no regular file"
	run workspace --bootstrap-restart always
	assert_status 125
	assert_has "--bootstrap-restart 'always' without --bootstrap"
	run workspace --bootstrap fifo --bootstrap-restart sometimes
	assert_status 125
	assert_has "'sometimes' is not no, always, on-failure or on-failure:N"

	echo 'echo run; sleep 0.5; exit 1' >script
	workspace --bootstrap script --bootstrap-restart on-failure:2
	wait_until 10 wrote run
	echo 'echo another' >script
	wait_until 10 told "the script ended with 1, and starts again in 0.1 s"
	rm script
	wait_until 10 last
	assert_equal "$(berth logs --bootstrap "$ws")" $'run\nrun\nrun'
	# The next launch reads it again.
	berth stop -t 0 "$ws"
	run berth start "$ws"
	assert_status 125
	assert_has "open '$PWD/script': No such file or directory"
}
last() { berth logs "$ws" | grep -qx 'berth: bootstrap: the script ended with 1'; }

@test "a stop asks the script first, and init when that has ended; others are served meanwhile" {
	mkdir vol
	echo 'trap "echo asked; until [ -e /mnt/go ]; do sleep 0.1; done; echo done >/mnt/done; exit 0" TERM
		echo begun; while :; do sleep 0.1; done' >script
	stays "cp /mnt/done /mnt/seen; exit 0" -v "$PWD/vol:/mnt" --bootstrap script --bootstrap-restart always
	wait_until 20 wrote begun
	berth stop -t 600 "$ws" 3>&- &
	stop=$!
	wait_until 20 wrote asked
	berth exec "$ws" -- touch /mnt/go
	wait "$stop"
	# It was there when the command was asked.
	assert_equal "$(cat vol/seen)" "done"
	told "bootstrap: the script ended with 0"
	run berth logs "$ws"
	[[ $output != *"starts again"* ]]
}
# stays ACTION OPTION...: a workspace whose command does that at SIGTERM.
stays()
{
	berth run -d --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" "${@:2}" -- \
		sh -c "trap '$1' TERM; echo set; while :; do sleep 0.1; done"
	wait_until 20 told set
}

# bats test_tags=long
@test "a script that ignores SIGTERM leaves init half of the time, and adds nothing to it" {
	echo 'trap "" TERM; echo begun; while :; do sleep 0.1; done' >script
	stays "echo polite; exit 3" --bootstrap script
	wait_until 20 wrote begun
	berth stop -t 4 "$ws"
	told polite
	assert_equal "$(berth inspect "$ws" | jq '.[0].exit_code')" 3
	berth rm -f "$ws"

	stays "" --bootstrap script
	wait_until 20 wrote begun
	SECONDS=0
	berth stop -t 2 "$ws"
	[ "$SECONDS" -ge 1 ] && [ "$SECONDS" -lt 30 ]
	assert_equal "$(berth inspect "$ws" | jq '.[0].exit_code')" 137
	berth rm -f "$ws"

	# Who has no time has none for it.
	stays "" --bootstrap script
	wait_until 20 wrote begun
	berth stop -t 0 "$ws"
	assert_equal "$(berth inspect "$ws" | jq '.[0].exit_code')" 137
}

@test "its log is bounded, and a plan and a policy name it" {
	echo 'yes 0123456789 | head -n 400000; echo end' >script
	workspace --bootstrap script
	wait_until 30 told "the script ended with 0"
	run berth logs -n 1 --bootstrap "$ws"
	assert_output end
	[ "$(berth logs --bootstrap "$ws" | wc -c)" -le 2097152 ]

	printf '{ "bootstrap": { "script": "%s/script", "restart": "always" } }\n' "$PWD" >policy.json
	run berth plan --policy ./policy.json --rootfs "$BERTH_TEST_SMALL:O" -- true
	assert_has "$PWD/script, again: always"
	assert_has "bootstrap.restart always"
}

# bats test_tags=debian
@test "under systemd it runs when the whole system is ready" {
	probe debian cgroup
	echo 'systemctl is-system-running; id -un; cd; pwd' >script
	berth run -d --name "$ws" --rootfs "$BERTH_TEST_ROOTFS:O" --init systemd --user daemon --bootstrap script
	wait_until 90 told "the script ended with 0"
	run berth logs --bootstrap "$ws"
	assert_output $'running\ndaemon\n/usr/sbin'
	# The system is root's all the same.
	run berth exec "$ws" -- ps -o user= -p 1
	assert_output root
}
