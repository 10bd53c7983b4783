#!/usr/bin/env bats
# ps, inspect, logs, wait, start, stop, kill, rm: what is done to workspaces from outside.

load ../lib/common

setup()
{
	common_setup
	probe small subids
	ws=$(new_name)
}

# start NAME COMMAND...: in the background, and kept.
start()
{
	local name=$1

	shift
	berth run -d --name "$name" --rootfs "$BERTH_TEST_SMALL:O" -- "$@" >/dev/null
}

ups() { [ "$(grep -c up "$(entry "$ws")/log")" = "$1" ]; }
gone() { ! kill -0 "$1" 2>/dev/null; }

# entry NAME: its directory.
entry() { printf '%s/berth/%s\n' "${XDG_RUNTIME_DIR:-/run}" "$1"; }

# field NAME KEY: a number or a word of what inspect prints.
field() { berth inspect "$1" | sed -n "s/^ *\"$2\": \"\{0,1\}\([^\",]*\).*/\1/p"; }

@test "ps lists what runs, ps -a the rest too" {
	start "$ws-a" sleep 1000
	start "$ws-b" sh -c 'exit 3'
	berth wait "$ws-b"
	run berth ps
	assert_status 0
	assert_has "$ws-a"
	[[ $output != *"$ws-b"* ]]
	run berth ps -a
	assert_has "Exited (3)"
	run berth ps -aq
	assert_has "$ws-a"$'\n'"$ws-b"
	run berth ps --format json -a
	assert_has '"exit_code": 3'
}

@test "inspect tells of each, and of those it does not find" {
	start "$ws" sleep 1000
	run berth inspect "$ws" "$ws-none"
	assert_status 125
	assert_has "no workspace '$ws-none'"
	assert_has '"status": "running"'
	assert_equal "$(field "$ws" alive)" true
	assert_equal "$(field "$ws" command)" "sleep 1000"
	# Its own, not ours.
	[ "$(field "$ws" user)" -gt 0 ]
	[ "$(field "$ws" user)" != "$(stat -Lc %i /proc/self/ns/user)" ]
	[ -d "/proc/$(field "$ws" init)" ]
}

@test "logs, its end, and following it" {
	# Of two pipes nobody knows which is read first: each line waits for the one before.
	mkdir said
	berth run -d --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" -v "$PWD/said:/said:ro" -- sh -c '
		await() { until [ -e "/said/$1" ]; do sleep 0.1; done; }
		echo one; await one; echo two >&2; await two; sleep 1; echo three' >/dev/null
	wait_until 10 grep -q one "$(entry "$ws")/log"
	touch said/one
	wait_until 10 grep -q two "$(entry "$ws")/log"
	run berth logs --tail 1 "$ws"
	assert_output "two"
	touch said/two
	run berth logs -f "$ws"
	assert_output "one"$'\n'"two"$'\n'"three"
	run berth logs "$ws"
	assert_output "one"$'\n'"two"$'\n'"three"
}

@test "the log of a talkative workspace is bounded, and followed to its end" {
	start "$ws" sh -c 'seq 1 700000; echo END'
	run bash -c '"$BERTH" logs -f "$0" | tail -n 1' "$ws"
	assert_output "END"
	[ "$(cat "$(entry "$ws")"/log* | wc -c)" -le 2097152 ]
	run bash -c '"$BERTH" logs "$0" | tail -n 2' "$ws"
	assert_output "700000"$'\n'"END"
}

@test "logs -f ends when its reader does" {
	start "$ws" sleep 1000
	in_cgroup timeout 20 "$BERTH" logs -f "$ws" | head -c 0
	[ "${PIPESTATUS[0]}" -ne 124 ]
}

@test "wait prints the exit code, from before and from after the end" {
	start "$ws" sh -c 'sleep 0.5; exit 42'
	run berth wait "$ws"
	assert_output 42
	assert_status 0
	run berth wait --exit "$ws"
	assert_output 42
}

@test "wait --ready fails for what has ended, wait --timeout when the time is over" {
	start "$ws" sleep 1000
	berth wait --ready "$ws"
	run berth wait --timeout 1 "$ws"
	assert_status 1
	assert_has "the time is over"
	berth stop "$ws"
	run berth wait --ready "$ws"
	assert_status 1
	assert_has "it is not running"
}

@test "health answers at once: ready, stopped, of a supervisor that hangs, of none" {
	start "$ws" sleep 1000
	run berth health "$ws"
	assert_output ready
	run berth health --ready "$ws"
	assert_output ready
	supervisor=$(field "$ws" supervisor)
	kill -STOP "$supervisor"
	run berth health --timeout 1 "$ws"
	kill -CONT "$supervisor"
	assert_status 1
	assert_has "berth: health: workspace '$ws': its supervisor does not answer"
	run berth health --ready "$ws"
	assert_output ready
	berth stop -t 0 "$ws"
	run berth health "$ws"
	assert_status 1
	assert_has "it does not run"
	run berth health no-such-workspace
	assert_status 1
	assert_has "no workspace 'no-such-workspace'"
	run berth health "$ws" "$ws"
	assert_status 125
}

@test "stop, start and stop again" {
	start "$ws" sh -c 'trap "exit 7" TERM; echo up; while :; do sleep 0.1; done'
	wait_until 5 grep -q up "$(entry "$ws")/log"
	run berth stop "$ws"
	assert_output "$ws"
	run berth wait "$ws"
	assert_output 7
	berth stop "$ws" # has ended: nothing to do
	run berth start "$ws"
	assert_output "$ws"
	run berth start "$ws"
	assert_status 125
	assert_has "is running"
	wait_until 5 ups 2
	berth stop -t 5 "$ws"
}

@test "stop -t 0 kills who does not listen" {
	start "$ws" sh -c 'trap "" TERM; echo up; while :; do sleep 0.1; done'
	wait_until 5 grep -q up "$(entry "$ws")/log"
	run berth stop -t 0 "$ws"
	assert_status 0
	run berth wait "$ws"
	assert_output 137
}

@test "kill sends the signal asked for, and refuses what is none" {
	start "$ws" sh -c 'trap "exit 9" USR1; echo up; while :; do sleep 0.1; done'
	wait_until 5 grep -q up "$(entry "$ws")/log"
	run berth kill -s SIGFOO "$ws"
	assert_status 125
	assert_has "'SIGFOO' is not a signal"
	berth kill -s USR1 "$ws"
	run berth wait "$ws"
	assert_output 9
	run berth kill "$ws"
	assert_status 125
	assert_has "it is not running"
}

@test "rm removes what has ended, -f what runs" {
	start "$ws" sleep 1000
	run berth rm "$ws"
	assert_status 125
	assert_has "is running"
	assert_has "hint: 'berth stop $ws' first, or 'berth rm -f $ws'"
	berth rm -f "$ws"
	[ ! -e "$(entry "$ws")" ]
	run berth rm "$ws"
	assert_status 125
	assert_has "no workspace '$ws'"
	berth rm -f "$ws"
}

@test "rm removes upper layers that belong to subordinate IDs" {
	berth run --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" --state "$PWD/upper" -- \
		sh -c 'mkdir -p /d/e; echo x >/d/e/f; chown -R 7:7 /d; chmod 700 /d'
	berth rm "$ws"
	[ -z "$(ls -A upper)" ]
}

@test "a name is taken until rm" {
	start "$ws" true
	berth wait "$ws"
	run berth run --name "$ws" --rootfs "$BERTH_TEST_SMALL" -- true
	assert_status 125
	assert_has "the name '$ws' is taken"
	assert_has "'berth rm $ws' removes it"
	berth rm "$ws"
	berth run --rm --name "$ws" --rootfs "$BERTH_TEST_SMALL" -- true
}

@test "a supervisor that was killed: exit code 137, and --rm leaves nothing by itself" {
	start "$ws" sleep 1000
	kill -KILL "$(field "$ws" supervisor)"
	run berth wait "$ws"
	assert_output 137
	run berth ps -a
	assert_has "Exited (137)"

	berth run -d --rm --name "$ws-rm" --rootfs "$BERTH_TEST_SMALL" -- sleep 1000
	kill -KILL "$(field "$ws-rm" supervisor)"
	wait_until 10 test ! -e "$(entry "$ws-rm")"
}

@test "a workspace whose processes were all killed is tidied up by the next command" {
	local supervisor warden

	berth run -d --rm --name "$ws" --rootfs "$BERTH_TEST_SMALL" -- sleep 1000
	supervisor=$(field "$ws" supervisor)
	warden=$(pgrep -P "$supervisor")
	kill -STOP "$supervisor"
	kill -KILL "$warden" "$supervisor"
	wait_until 10 gone "$supervisor"
	[ -e "$(entry "$ws")" ]
	run berth ps -aq
	[[ $output != *"$ws"* ]]
	[ ! -e "$(entry "$ws")" ]
}

@test "the control socket refuses the same user in another user namespace" {
	probe tool:unshare
	start "$ws" sleep 1000
	run in_cgroup unshare -Ur "$BERTH" kill "$ws"
	assert_status 125
	assert_has "peer is in another user namespace"
	run in_cgroup unshare -Ur "$BERTH" stop "$ws"
	assert_status 125
	# The same without: accepted.
	berth kill "$ws"
}

@test "options that are mistaken are quoted, and the nearest is named" {
	run berth ps --al
	assert_status 125
	assert_has "unknown option '--al', did you mean '--all'?"
	assert_has "hint: 'berth ps --help' lists the options"
	run berth logs
	assert_status 125
	assert_has "the name of a workspace is missing"
	run berth rm ../etc
	assert_status 125
	assert_has "'../etc' is no name for a workspace"
}

# meant WORD... = TEXT: what is said to a command that there is not.
meant()
{
	local words=()

	while [ "$1" != = ]; do
		words+=("$1")
		shift
	done
	run -125 "$BERTH" "${words[@]}"
	assert_has "$2"
	assert_has $'\nhint: '
}

@test "who mistakes a command is told what he may have meant" {
	meant rum = "no command 'rum', did you mean 'run'?"
	meant inspct = "no command 'inspct', did you mean 'inspect'?"
	meant restart = "'berth stop NAME', then 'berth start NAME'"
	meant list = "'berth ps' lists workspaces"
	meant images = "'berth image ls' lists them"
	meant attach = "'berth exec -it NAME sh' enters it"
	meant xyzzy = $'no command \'xyzzy\': Invalid argument\nhint: \'berth --help\' lists them'
	meant policy lint = "'berth policy validate' reads one"
	meant policy explian x = "no verb 'explian', did you mean 'explain'?"
	meant image pul x = "no verb 'pul', did you mean 'pull'?"
	meant policy xyzzy = "'berth policy --help' lists them"
	meant run --best-effort memry -- true = "'memry' is no limit, did you mean 'memory'?"
	meant run --best-effort cpus,sead -- true = "'sead' is no limit, did you mean 'seed'?"
	meant run --best-effort xyzzy -- true = "device, seed, storage, stores and ulimit count as such"
	meant run --stop-signal FOO -- true = "TERM, SIGUSR1 or RTMIN+3"
	meant kill -s FOO x = "TERM, SIGUSR1 or RTMIN+3"
	meant run -v /tmp -- true = "hint: behind SRC:DST may stand :ro, :rw, :U, :own or :seed"
}

@test "who has stopped is named, with what starts it again" {
	start "$ws" sleep 1000
	berth stop -t 0 "$ws"
	run -125 "$BERTH" exec "$ws" true
	assert_has "berth: join: join '$ws': it is not running"
	assert_has "hint: 'berth start $ws' starts it"
	run -125 "$BERTH" kill "$ws"
	assert_has "hint: 'berth start $ws' starts it"
	run -125 "$BERTH" stats "$ws"
	assert_has "hint: 'berth start $ws' starts it"
	run -125 "$BERTH" exec "$ws-none" true
	assert_has "berth: join: no workspace '$ws-none'"
	# Nothing on standard output, which is JSON's.
	run -125 --separate-stderr "$BERTH" inspect "$ws-none"
	assert_output ""
	[[ $stderr == *"no workspace '$ws-none'"* ]]
	run -125 --separate-stderr "$BERTH" inspect "$ws-none" "$ws"
	jq -e 'length == 1' <<<"$output"
}

@test "each command has a --help" {
	for command in ps inspect logs health wait start stop kill rm entrypoint; do
		run berth "$command" --help
		assert_status 0
		assert_has "usage: berth $command"
	done
}
