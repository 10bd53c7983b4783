#!/usr/bin/env bats
# SIGKILL of any of berth's processes, at any moment: everything ends by the kernel's hand, and
# what is left on disk is removed by the survivor or by the next command.

load ../lib/common
load ../lib/leavings

export BATS_TEST_TIMEOUT=400

setup()
{
	probe small subids
	common_setup
	nap=$((1000000 + BASHPID * 100 + RANDOM % 100))
	payload=(sh -c "sleep $nap & exec sleep $nap")
}

teardown()
{
	[ -z "${nap:-}" ] || pkill -KILL -f "sleep $nap" || true
	common_teardown
}

# launch ARG...: a workspace $name with the payload; what belongs to it is noted.
launch()
{
	name=$(new_name)
	mkdir -p "mark-$name"
	berth run -d --name "$name" --rootfs "$BERTH_TEST_SMALL:O" -v "$PWD/mark-$name:/mnt" "$@" \
		-- "${payload[@]}" >/dev/null
	wait_until 10 two_sleep
	note "$(processes_of "^sleep $nap" | head -n 1)"
}

# Whether the payload has come to its end: both of its processes sleep. A busybox does so
# without an execve() in between.
two_sleep() { [ "$(processes_of "^(sh -c )?sleep $nap" | wc -l)" -eq 2 ] && [ -n "$(processes_of "^sleep $nap")" ]; }

# note PID: of a process in it that we may look at, unlike berth's own init.
note()
{
	supervisor=$(pid_of supervisor)
	init=$(pid_of init)
	warden=$(child_named berth-warden "$supervisor")
	mapfile -t namespaces < <(namespaces_of "$1")

	# Each of the looks below has to see something now, or it would see nothing later.
	[ "${#namespaces[@]}" -ge 6 ]
	[ -n "$(mounts_of "mark-$name")" ]
	[ -n "$(in_use "${namespaces[@]}")" ]
	[ -z "${BERTH_TEST_CGROUP:-}" ] || [ -n "$(groups_of "$name")" ]
}

pid_of() { "$BERTH" inspect "$name" | sed -n "s/^ *\"$1\": \([0-9]*\),\?$/\1/p"; }

child_named()
{
	local child

	for child in $(pgrep -P "$2"); do
		[ "$(<"/proc/$child/comm")" != "$1" ] || echo "$child"
	done
}

# What the kernel sees to.
nothing_runs()
{
	left=$(processes_of "$name" "sleep $nap"; mounts_of "mark-$name"; in_use "${namespaces[@]}")
	[ -z "$left" ]
}

# What the survivor sees to.
nothing_on_disk() { [ -z "$(groups_of "$name")" ] && status_is exited; }

status_is() { grep -q "\"status\": \?\"$1\"" "$(state_dir)/$name/state.json"; }

# The next command finds it dead, and removes it like any other.
next_command_tidies()
{
	run berth ps -a
	[[ $output =~ $name\ .*Exited ]]
	[[ $output != *"$name"*Up* ]]
	[ -z "$(groups_of "$name")" ]
	run berth rm "$name"
	assert_status 0
	nothing_left "$name" "sleep $nap"
}

@test "the supervisor: the warden ends everything and cleans up" {
	launch
	kill -KILL "$supervisor"
	wait_until 10 nothing_runs
	wait_until 10 nothing_on_disk
	next_command_tidies
}

# The other tests give a busy machine its time: what does not end by itself never does.
@test "everything ends within a second" {
	for _ in 1 2 3; do
		launch
		kill -KILL "$supervisor"
		! wait_until 1 nothing_runs || return 0
		wait_until 10 nothing_runs
	done
	fail "not once in three times"
}

# bats test_tags=long
@test "the warden: everything below ends, the supervisor cleans up" {
	launch
	kill -KILL "$warden"
	wait_until 10 nothing_runs
	wait_until 10 nothing_on_disk
	run berth wait "$name"
	assert_output 137
	run berth inspect "$name"
	assert_has "the warden was killed"
	next_command_tidies
}

# bats test_tags=long
@test "the payload's init: the workspace ends with 137" {
	launch
	kill -KILL "$init"
	wait_until 10 nothing_runs
	wait_until 10 nothing_on_disk
	run berth wait "$name"
	assert_output 137
	next_command_tidies
}

# bats test_tags=long
@test "the payload's init as a command of its own" {
	launch --init none
	kill -KILL "$init"
	wait_until 10 nothing_runs
	run berth wait "$name"
	assert_output 137
	next_command_tidies
}

# bats test_tags=long
@test "supervisor and warden: the next command cleans up" {
	launch
	kill -STOP "$warden" # so that it has no time to be the survivor
	kill -KILL "$supervisor" "$warden"
	wait_until 10 nothing_runs
	next_command_tidies
}

# bats test_tags=long
@test "a stopped supervisor that is killed" {
	launch
	kill -STOP "$supervisor"
	kill -KILL "$supervisor"
	wait_until 10 nothing_runs
	wait_until 10 nothing_on_disk
	next_command_tidies
}

@test "with --rm the survivor leaves nothing at all" {
	launch --rm
	kill -KILL "$supervisor"
	wait_until 10 nothing_runs
	wait_until 10 nothing_left "$name" "sleep $nap"
}

@test "with --rm and both killed, the next command leaves nothing" {
	launch --rm
	kill -STOP "$warden"
	kill -KILL "$supervisor" "$warden"
	wait_until 10 nothing_runs
	run berth ps -a
	[[ $output != *"$name"* ]]
	nothing_left "$name" "sleep $nap"
}

@test "upper layers of --state go with rm after a kill" {
	mkdir store
	launch --state "$PWD/store"
	kill -KILL "$supervisor"
	wait_until 10 nothing_runs
	next_command_tidies
	run ls -A store
	assert_output ""
}

# bats test_tags=long
@test "an exec in it ends, too" {
	launch
	in_cgroup "$BERTH" exec "$name" -- sh -c "echo in >/tmp/in; sleep $nap" 3>&- &
	client=$!
	wait_until 10 berth exec "$name" -- test -e /tmp/in
	kill -KILL "$supervisor"
	wait_until 10 nothing_runs
	status=0
	wait "$client" || status=$?
	assert_status 137
}

@test "the client of an exec: its command ends, the workspace does not" {
	launch
	# shellcheck disable=SC2016 # for the inner shell
	in_cgroup sh -c 'echo $$ >pid; exec "$@"' sh "$BERTH" exec "$name" -- \
		sh -c 'echo in >/tmp/in; exec sleep 98765432' 3>&- &
	wait_until 10 berth exec "$name" -- test -e /tmp/in
	kill -KILL "$(<pid)"
	wait_until 10 sh -c '! pgrep -f "^sleep 98765432"'
	run berth ps
	[[ $output =~ $name\ .*Up ]]
}

# An init that wants to survive: clears its PDEATHSIG, ignores what it can, has a child in
# a session of its own.
survivor='trap "" HUP INT QUIT TERM USR1 USR2
setsid setpriv --pdeathsig clear sleep "$0" &
touch /tmp/armed
while :; do sleep "$0"; done'

# bats test_tags=debian
@test "an init that cleared its PDEATHSIG" {
	probe debian
	for victim in supervisor warden both; do
		name=$(new_name)
		mkdir "mark-$name"
		berth run -d --name "$name" --rootfs "$BERTH_TEST_ROOTFS:O" --init none \
			-v "$PWD/mark-$name:/mnt" -- setpriv --pdeathsig clear bash -c "$survivor" "$nap" >/dev/null
		wait_until 10 berth exec "$name" -- test -e /tmp/armed
		note "$(pid_of init)"
		case $victim in
		both)
			kill -STOP "$warden"
			kill -KILL "$supervisor" "$warden"
			;;
		*) kill -KILL "${!victim}" ;;
		esac
		wait_until 10 nothing_runs
		next_command_tidies
	done
}

# kill_during NAME MS VICTIM: starts a launch, and kills VICTIM of it after so many ms: of
# berth's own start, or of its first child's where that is the victim.
kill_during()
{
	local name=$1 ms=$2 victim=$3 pid children delay

	# A read that nobody answers sleeps without a process, which would take as long as a launch.
	printf -v delay '0.%03d' "$ms"
	# Stopped first, so that the time runs from a moment we know.
	# Its uplink by name: a look for what there is may have a first child of its own.
	# shellcheck disable=SC2016 # for the inner shell
	in_cgroup sh -c 'echo $$ >pid; kill -STOP $$; exec "$@"' sh "$BERTH" run --name "$name" --net relay \
		--rootfs "$BERTH_TEST_SMALL:O" -v "$PWD/mark-$name:/mnt" \
		-- sh -c "echo >/mnt/ran; sleep $nap & exec sleep $nap" >/dev/null 2>&1 3>&- &
	wait_until 10 stopped
	pid=$(<pid)
	kill -CONT "$pid"
	# The warden, and at times a helper for the ID map, which is not ours to kill.
	if [ "$victim" = warden ]; then
		until children_of "$pid" || [ ! -d "/proc/$pid" ]; do :; done
	fi
	[ "$ms" -eq 0 ] || read -rt "$delay" <>"$BATS_TEST_TMPDIR/fifo" || true
	children_of "$pid" || true
	# shellcheck disable=SC2086 # a list
	case $victim in
	supervisor) kill -KILL "$pid" ;;
	warden) kill -KILL $children 2>/dev/null || true; wait_until 5 gone "$pid" ;;
	both) kill -KILL "$pid" $children 2>/dev/null || true ;;
	esac
	rm pid
}

# Sets $children, without starting a process for it; fails where there is none.
children_of()
{
	children=
	read -r children 2>/dev/null <"/proc/$1/task/$1/children" || true # there is no newline
	[ -n "$children" ]
}

stopped() { [ -s pid ] && grep -q '^State:.T' "/proc/$(<pid)/status"; }

gone() { ! kill -0 "$1" 2>/dev/null || grep -q '^State:.Z' "/proc/$1/status"; }

no_launch_left() { [ -z "$(processes_of "$1" "sleep $nap")" ] && [ -z "$(mounts_of "mark-$1")" ]; }

# killed_from_start_to_end VICTIM: with growing delays, until the launch was over at last.
killed_from_start_to_end()
{
	local victim=$1 ms=0 round=0 early=0 late=0 name

	mkfifo fifo
	while [ "$round" -lt 13 ] || [ "$late" -eq 0 ]; do
		[ "$ms" -lt 1000 ] || fail "no launch within $ms ms"
		name=$(new_name)
		mkdir "mark-$name"
		kill_during "$name" "$ms" "$victim"
		wait_until 10 no_launch_left "$name" || fail "$victim killed after $ms ms"
		# Whatever it had come to, the next command copes with it.
		berth ps >/dev/null
		[ -z "$(groups_of "$name")" ] || fail "a cgroup, $victim killed after $ms ms"
		berth rm -f "$name" >/dev/null
		nothing_left "$name" "sleep $nap" || fail "$victim killed after $ms ms"
		if [ -e "mark-$name/ran" ]; then
			late=$((late + 1))
		else
			early=$((early + 1))
		fi
		round=$((round + 1))
		ms=$((ms + 1 + ms / 4))
	done
	[ "$early" -gt 0 ] || fail "none of them during the launch"
}

# bats test_tags=long
@test "the supervisor, at any moment of the launch" { killed_from_start_to_end supervisor; }

# bats test_tags=long
@test "the warden, at any moment of the launch" { killed_from_start_to_end warden; }

# bats test_tags=long
@test "both, at any moment of the launch" { killed_from_start_to_end both; }

@test "a caller that waits for a detached launch is told" {
	name=$(new_name)
	run berth run -d --name "$name" --rootfs "$BERTH_TEST_SMALL:O" -v "$PWD/nowhere:/mnt" -- true
	assert_status 125
	nothing_left "$name"
}

# bats test_tags=debian
@test "a whole system: supervisor, warden, init" {
	probe debian cgroup
	for victim in supervisor warden init; do
		name=$(new_name)
		mkdir "mark-$name"
		berth run -d --name "$name" --rootfs "$BERTH_TEST_ROOTFS:O" -v "$PWD/mark-$name:/mnt" >/dev/null
		timeout 100 "$BERTH" wait --ready "$name"
		note "$(pid_of init)"
		kill -KILL "${!victim}"
		wait_until 10 nothing_runs
		wait_until 10 nothing_on_disk
		next_command_tidies
	done
}
