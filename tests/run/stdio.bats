#!/usr/bin/env bats
# Standard streams and terminals of "berth run" and "berth exec".

load ../lib/common

setup()
{
	common_setup
	probe small subids
	ws=$(new_name)
}

# start COMMAND...: one command in a workspace, in the foreground.
start() { berth run --rm --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" -- "$@"; }

# on_terminal SCRIPT: runs it with a terminal of its own, prints what that shows.
# $run and $exec are the beginnings of berth's lines.
on_terminal()
{
	export run="$BERTH run --rm --name $ws --rootfs $BERTH_TEST_SMALL:O"
	export exec="$BERTH exec" ws
	# "script" copies its own input: it must not end before the program does.
	printf '%s\n' "$1" >on_terminal
	in_cgroup timeout 50 script -qec "bash on_terminal" /dev/null < <(exec sleep 40 2>/dev/null 3>&-) |
		tr -d '\r'
}

@test "10 MB pass unchanged through run -i" {
	head -c 10000000 /dev/urandom >data
	berth run --rm --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" -i -- cat <data >copy
	cmp data copy
}

@test "without -i run reads the end of file" {
	run start wc -c <<<"text"
	assert_output "0"
}

@test "run keeps the two outputs apart" {
	start sh -c 'echo out; echo err >&2; exit 5' >out 2>err || status=$?
	assert_status 5
	assert_equal "$(cat out)/$(cat err)" "out/err"
}

@test "run with closed streams" {
	# shellcheck disable=SC2016
	run in_cgroup sh -c '"$BERTH" run --rm --name "$0" --rootfs "$BERTH_TEST_SMALL:O" -- echo out <&-' "$ws"
	assert_output "out"
	start sh -c 'echo out; echo err >&2; exit 6' >&- 2>&- || status=$?
	assert_status 6
}

@test "a reader that goes away ends run" {
	probe tool:timeout
	run timeout 20 bash -c '"$BERTH" run --rm --name "$0" --rootfs "$BERTH_TEST_SMALL:O" -- yes | head -n 1' "$ws"
	assert_status 0
	assert_output "y"
}

@test "what was written before the end arrives, also at a slow reader" {
	start head -c 3000000 /dev/zero | (sleep 1; wc -c) >count
	assert_equal "$(cat count)" 3000000
}

@test "the caller's descriptions keep their flags" {
	probe tool:script
	# shellcheck disable=SC2016
	run on_terminal '$run -it -- true; sed -n "s/^flags:\t//p" /proc/self/fdinfo/0 /proc/self/fdinfo/1'
	[ "${#lines[@]}" -eq 2 ]
	for line in "${lines[@]}"; do
		[ $((0$line & 04000)) -eq 0 ] || fail "O_NONBLOCK in $line"
	done
}

@test "-it without a terminal is refused before anything starts" {
	run start true </dev/null
	assert_status 0
	run berth run --rm --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" -it -- true </dev/null
	assert_status 125
	assert_has "the input device is not a TTY"
	run berth ps -a
	[[ $output != *"$ws"* ]]
}

@test "-t without -i gives a terminal to the command alone" {
	run berth run --rm --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" -t -- tty </dev/null
	assert_status 0
	assert_has "/dev/pts/"
}

@test "the terminal is the workspace's own, with our window size" {
	probe tool:script
	# shellcheck disable=SC2016
	run on_terminal 'stty rows 33 cols 101
		$run -d -- sleep 100 >/dev/null
		$exec -it $ws tty
		$exec -it $ws stty size
		$exec $ws tty
		$exec -it $ws sh -c "echo from the terminal >/dev/tty"
		$BERTH rm -f $ws >/dev/null'
	assert_output $'/dev/pts/0\n33 101\nnot a tty\nfrom the terminal'
}

@test "run -it has our window size, and follows it" {
	probe tool:script
	# shellcheck disable=SC2016
	run on_terminal 'stty rows 33 cols 101
		(until $BERTH exec $ws test -e /tmp/armed 2>/dev/null; do sleep 0.1; done; stty rows 40 cols 90 </dev/tty) &
		$run -it -- sh -c "stty size; trap \"stty size; exit 4\" WINCH; >/tmp/armed; while :; do sleep 0.1; done"
		echo status $?'
	assert_output $'33 101\n40 90\nstatus 4'
}

@test "the terminal is restored at the end, after a failure and after a signal" {
	probe tool:script
	# shellcheck disable=SC2016
	run on_terminal 'before=$(stty -g)
		same() { [ "$(stty -g)" = "$before" ] && echo "$1: same" || { echo "$1: changed"; stty "$before"; }; }
		$run -it -- true; same end
		$run -it -- no-such-command 2>/dev/null; same failure
		$run -d -- sleep 100 >/dev/null
		$exec -it $ws sh -c "kill -9 \$\$"; same "killed command"
		$exec -it $ws no-such-command 2>/dev/null; same "exec failure"
		for signal in TERM INT HUP; do
			sh -c "(sleep 1; kill -$signal \$\$) & exec $exec -it $ws sleep 50" 2>/dev/null
			same "$signal"
		done
		$BERTH rm -f $ws >/dev/null'
	assert_output "end: same
failure: same
killed command: same
exec failure: same
TERM: same
INT: same
HUP: same"
}

@test "in between the terminal is raw: what is typed is the command's" {
	probe tool:script
	# shellcheck disable=SC2016
	run on_terminal '$run -it -- true
		(for i in $(seq 100); do
			case $(stty -a </dev/tty) in *" -icanon"*) echo raw >raw; break ;; esac
			sleep 0.1
		done) &
		$run -it -- sleep 2
		wait'
	assert_equal "$(cat raw)" raw
}

@test "in the background of a terminal it neither stops nor takes it" {
	probe tool:script
	# shellcheck disable=SC2016
	run on_terminal 'set -m
		before=$(stty -g)
		$run -it -- sh -c "sleep 1; exit 9" </dev/tty &
		sleep 0.5
		[ "$(stty -g)" = "$before" ] && echo untouched
		wait $!
		echo status $?'
	assert_output $'untouched\nstatus 9'
}
