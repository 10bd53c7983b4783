#!/usr/bin/env bats
#
# Hooks: programs that run outside, before the start, after it and at the end. Root inside against
# them is in attack/hooks.bats.

load ../lib/common

setup()
{
	common_setup
	probe small subids tool:jq
	ws=$(new_name)
	mkdir out
}

# hook NAME [COMMAND...]: a script that leaves its input in out/NAME and goes on with the commands, a line each.
hook()
{
	local name=$1

	shift
	{ printf '#!/bin/sh\ncat >"%s/out/%s"\n' "$PWD" "$name"; printf '%s\n' "$@"; } >"$name"
	chmod 755 "$name"
}

run_with() { run berth run --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" "$@"; }

entry() { printf '%s\n' "${XDG_RUNTIME_DIR:-/run}/berth/$ws"; }

# nothing_left: no entry, no group, and no process that has its name in its words.
nothing_left()
{
	[ ! -e "$(entry)" ] && ! pgrep -f -- "--name $ws " >/dev/null &&
		! find "${BERTH_TEST_CGROUP:-/nonexistent}" -name "berth-$ws" 2>/dev/null | grep .
}

# none_runs WORDS: whoever was killed is gone a moment later.
none_runs() { ! pgrep -u "$(id -u)" -fx "$1"; }

@test "each at its moment, with the state that hooks of OCI get" {
	hook before 'echo before >>order' "cd \"$PWD/out\"" \
		"readlink /proc/\$(jq .pid before)/ns/pid /proc/\$(jq .pid before)/ns/net /proc/self/ns/pid | uniq >spaces" \
		'ls -l /proc/$(jq .pid before)/exe | grep -c berth >exe'
	hook when "berth=\"$BERTH\"; \$berth exec --unattended $ws sh -c 'until [ -s /ran ]; do sleep 0.1; done
		cat /ran; echo >/go' >\"$PWD/out/seen\""
	hook after "[ ! -e /proc/\$(jq .pid \"$PWD/out/when\") ] && echo gone >\"$PWD/out/after.pid\""
	sed -i '/order/d' before
	run_with --init none --hook-poststop "$PWD/after a b" --hook-prestart "$PWD/before" --hook-poststart "$PWD/when" -- \
		sh -c 'echo x >/ran; until [ -e /go ]; do sleep 0.1; done; exit 3'
	assert_status 3
	assert_output ''
	jq -se --arg ws "$ws" --arg root "$BERTH_TEST_SMALL" '
		[.[] | .ociVersion, .id] == ["1.0.2", $ws, "1.0.2", $ws, "1.0.2", $ws] and
		[.[].status] == ["created", "running", "stopped"] and
		[.[].annotations["berth.hook"]] == ["prestart", "poststart", "poststop"] and
		(.[0].pid > 1 and .[0].pid == .[1].pid and (.[2] | has("pid") | not)) and
		all(.[]; .annotations["berth.rootfs"] == $root and .annotations["berth.init"] == "none") and
		[.[].annotations["berth.exit_code"]] == [null, null, "3"]' out/before out/when out/after
	assert_equal "$(jq -r .bundle out/before)" "$(entry)"
	# All namespaces were there, and what runs in them was still our own program.
	assert_equal "$(wc -l <out/spaces)" 3
	assert_equal "$(cat out/exe)" 1
	assert_equal "$(cat out/seen)" x
	assert_equal "$(cat out/after.pid)" gone
}

@test "a clean environment, its words, and no descriptor but its own" {
	# shellcheck disable=SC2016 # for the hook
	hook script 'echo "$# $2"; env | sed "s/=.*//" | sort | paste -sd" "; ls /proc/self/fd | paste -sd" "' \
		'pwd; ps -o sid= -p $$ | grep -qx " *$(ps -o ppid= -p $$ | tr -d " ")" && echo own session' 'tty <&1 || true'
	exec 7<script
	export BERTH_TEST_SECRET=x
	run_with --hook-prestart "$PWD/script  one	two" -- true
	assert_status 0
	run berth logs --hooks "$ws"
	# 4 is the directory that ls reads.
	assert_output "$(printf '%s\n' '2 two' 'HOME PATH PWD XDG_RUNTIME_DIR' '0 1 2 3 4' / 'own session' 'not a tty')"
	berth rm "$ws"
	# A program has no descriptor of its own.
	cp "$(command -v ls)" program
	run_with --hook-prestart "$PWD/program /proc/self/fd" -- true
	run berth logs --hooks "$ws"
	assert_output $'0\n1\n2\n3'
}

@test "one of prestart that fails: nothing starts, and nothing is left" {
	local words

	hook bad 'echo first' 'echo no licence >&2; exit 3'
	hook other
	hook after
	for words in "" -d; do
		run_with $words --hook-prestart "$PWD/bad" --hook-prestart "$PWD/other" --hook-poststart "$PWD/other" \
			--hook-poststop "$PWD/after" -v "$PWD/out:/out" --audit-log "$PWD/audit" -- touch /out/ran
		assert_status 125
		assert_has "berth: hook: the prestart hook '$PWD/bad' ended with 3 ('no licence'): Operation canceled"
		assert_has "hint: "
		nothing_left
		[ ! -e out/ran ]
		[ ! -e out/other ]
		# What the first ones did can be undone.
		assert_equal "$(jq -r '.status, .annotations["berth.exit_code"]' out/after | paste -sd' ')" "stopped 125"
		assert_equal "$(jq -r .event audit | paste -sd' ')" "start hook hook-failed hook failed"
		assert_equal "$(jq -c 'select(.event == "hook-failed") | [.hook, .exit_code]' audit)" '["prestart",3]'
		assert_equal "$(jq -c 'select(.event == "hook") | .command' audit | head -n 1)" "[\"$PWD/bad\"]"
		rm out/* audit
	done
	# The control: it was the exit status.
	hook bad 'exit 0'
	run_with --rm --hook-prestart "$PWD/bad" -v "$PWD/out:/out" -- touch /out/ran
	assert_status 0
	[ -e out/ran ]
}

@test "one of poststart that fails ends the workspace, one of poststop is told" {
	hook bad 'sleep 0.3; echo x; exit 4'
	hook last 'exit 5'
	hook really
	run_with -d --hook-poststart "$PWD/bad" --hook-poststop "$PWD/last" --hook-poststop "$PWD/really" -- sleep 1000
	assert_status 125
	assert_has "berth: hook: the poststart hook '$PWD/bad' ended with 4 ('x')"
	# It ran, so it is kept, as everything that ran is.
	run berth inspect "$ws"
	assert_equal "$(jq -c '.[0] | [.status, .exit_code]' <<<"$output")" '["exited",125]'
	assert_has "poststart hook"
	[ -s out/really ]
	berth rm "$ws"
	run_with --hook-poststop "$PWD/last" --hook-poststop "$PWD/really" -- sh -c 'exit 7'
	assert_status 7
	assert_has "the poststop hook '$PWD/last' ended with 5"
	[[ $(berth logs "$ws") == *"the poststop hook '$PWD/last' ended with 5"* ]]
}

@test "-d returns after those of poststart, stop after those of poststop; each start has its own" {
	hook slow "sleep 0.5; echo x >>\"$PWD/out/slow.n\""
	hook end "sleep 0.5; echo x >>\"$PWD/out/end.n\""
	run_with -d --hook-poststart "$PWD/slow" --hook-poststop "$PWD/end" --hook-timeout 20 -- sleep 1000
	assert_status 0
	assert_equal "$(cat out/slow.n)" x
	berth stop -t 0 "$ws"
	assert_equal "$(cat out/end.n)" x
	berth start "$ws"
	assert_equal "$(wc -l <out/slow.n)" 2
	run berth inspect "$ws"
	berth kill "$ws" || true
	wait_until 10 eval '[ "$(wc -l <out/end.n)" = 2 ]'
	# The command may end before its hook does.
	rm out/*.n
	berth rm -f "$ws"
	run_with -d --hook-poststart "$PWD/slow" --hook-poststop "$PWD/end" -- true
	assert_status 0
	assert_equal "$(cat out/slow.n)" x
}

@test "a reboot inside is an end and a start for them, too" {
	hook before "echo before >>\"$PWD/out/order\""
	hook after "echo after >>\"$PWD/out/order\""
	run_with --init none -v "$PWD/out:/out" --hook-prestart "$PWD/before" --hook-poststop "$PWD/after" -- sh -c '
		echo life >>/out/order; [ "$(grep -c life /out/order)" -ge 2 ] || exec busybox reboot -f'
	assert_status 0
	assert_equal "$(paste -sd' ' out/order)" "before life after before life after"
}

@test "a hook may ask of its workspace, whatever its moment: nobody waits for it" {
	local kind rm

	# As in a pod: no limit of time but that of the hook, after which it would have failed.
	for kind in before early late after; do
		hook "$kind" "[ $kind != late ] || until timeout 10 \"$BERTH\" inspect $ws | jq -e '.[0].pids.init == 0'; do sleep 0.1; done" \
			"timeout 10 \"$BERTH\" inspect $ws >\"$PWD/out/$kind.inspect\"" \
			"timeout 10 \"$BERTH\" ps --format json >\"$PWD/out/$kind.ps\"" "timeout 10 \"$BERTH\" health $ws" \
			"timeout 10 \"$BERTH\" stats --no-stream $ws || true; timeout 10 \"$BERTH\" port $ws || true" \
			"[ $kind = before ] || timeout 10 \"$BERTH\" exec --unattended $ws true 2>\"$PWD/out/$kind.exec\" || [ \$? != 124 ]"
	done
	for rm in "" --rm; do
		run_with $rm -v "$PWD/out:/out:ro" --hook-prestart "$PWD/before" --hook-poststart "$PWD/early" --hook-poststart "$PWD/late" \
			--hook-poststop "$PWD/after" -- sh -c 'until [ -e /out/late ]; do sleep 0.1; done; exit 4'
		assert_status 4
		assert_equal "$(jq -rs '[.[] | .[0] | .status, .alive, .exit_code, .pids.init > 0] | map(tostring) | join(" ")' out/{before,early,late,after}.inspect)" \
			"created true -1 false running true -1 true running true -1 false exited true 4 false"
		assert_equal "$(jq -r '.[0].namespaces.pid' out/after.inspect)" null
		[ "$(jq '.[0].finished_ms' out/after.inspect)" -ge "$(jq '.[0].started_ms' out/after.inspect)" ]
		# It is listed while it lives.
		assert_equal "$(jq -r --arg ws "$ws" '.[] | select(.name == $ws).status' out/after.ps)" exited
		grep -q "it has ended" out/late.exec
		grep -q "it has ended" out/after.exec
		berth rm -f "$ws" 2>/dev/null || true
		rm -r out/*
	done
}

# bats test_tags=long
@test "a stop, and a signal, while hooks of a reboot's end run: there is no other life" {
	local how

	hook after "echo after >>\"$PWD/out/order\"; until [ -e \"$PWD/go\" ]; do sleep 0.1; done; sleep 3"
	for how in stop kill TERM INT; do
		run_with -d --init none -v "$PWD/out:/out" --hook-poststop "$PWD/after" -- \
			sh -c 'echo life >>/out/order; sleep 0.5; exec busybox reboot -f'
		assert_status 0
		wait_until 10 grep -qs after out/order
		run berth inspect "$ws"
		assert_equal "$(jq -c '.[0] | [.status, .reason, .pids.init]' <<<"$output")" '["exited","rebooted",0]'
		# What needs it is told why it cannot be.
		run berth exec "$ws" true
		assert_has "it is between two starts"
		touch go # it waits for no answer to these four, but has time for each to be said
		case $how in
		stop) berth stop "$ws" ;;
		kill) berth kill "$ws" ;;
		*) kill -s $how "$(jq .supervisor "$(entry)/state.json")" ;;
		esac
		berth wait --exit --timeout 10 "$ws"
		assert_equal "$(paste -sd' ' out/order)" "life after"
		run berth inspect "$ws"
		# By itself, and not by the signal's default action, which would leave it for others to bury.
		assert_equal "$(jq -c '.[0] | [.status, .exit_code, .reason, .alive]' <<<"$output")" '["exited",0,"rebooted",false]'
		berth rm "$ws"
		rm out/order go
	done
}

# bats test_tags=long
@test "a signal, or a stop, ends a hook of poststart that outlives the command, and none of poststop" {
	local how pid

	hook slow 'sleep 1004 & sleep 1004'
	hook after 'sleep 1'
	hook last 'sleep 5'
	for how in TERM INT "stop -t 1" "stop -t 1 early"; do
		berth run --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" --hook-timeout 60 --hook-poststart "$PWD/slow" --hook-poststop "$PWD/after" -- \
			sh -c "trap '' TERM; $([[ $how != *early ]] || echo sleep 1005)" 2>told &
		wait_until 10 eval '[ "$(pgrep -u "$(id -u)" -fxc "sleep 1004")" = 2 ]'
		[[ $how == *early ]] || wait_until 10 eval '[ "$(berth inspect "$ws" | jq ".[0].pids.init")" = 0 ]'
		pid=$(jq .supervisor "$(entry)/state.json")
		case $how in
		stop*) run timeout 20 "$BERTH" stop -t 1 "$ws" && assert_status 0 ;;
		*) kill -s "$how" "$pid" ;;
		esac
		wait "$!" || status=$?
		assert_equal "$status" 125
		grep -q "hook: the workspace was stopped while the poststart hook '$PWD/slow' ran" told
		wait_until 5 none_runs 'sleep 1004'
		assert_equal "$(jq -r .status out/after)" stopped
		run berth inspect "$ws"
		assert_equal "$(jq -c '.[0] | [.status, .exit_code, .alive]' <<<"$output")" '["exited",125,false]'
		berth rm "$ws"
		rm out/*
	done
	# Those of the end are waited for, and the exit status is what it was.
	berth run --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" --hook-poststop "$PWD/last" -- sh -c 'exit 9' 2>told &
	wait_until 10 test -s out/last
	kill -TERM "$(jq .supervisor "$(entry)/state.json")"
	wait "$!" || status=$?
	assert_equal "$status" 9
}

@test "one that takes too long is killed with its children, and has failed" {
	hook slow 'sleep 1001 & echo waiting; sleep 1001'
	run_with --hook-prestart "$PWD/slow" --hook-timeout 1 -- true
	assert_status 125
	assert_has "berth: hook: the prestart hook '$PWD/slow' took longer than 1 s"
	assert_has "--hook-timeout"
	nothing_left
	wait_until 5 none_runs 'sleep 1001'
}

@test "a killed supervisor leaves no hook, and none runs after it" {
	local pid

	hook slow 'sleep 1002 & sleep 1002'
	hook after
	berth run --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" --hook-prestart "$PWD/slow" --hook-poststop "$PWD/after" -- true &
	wait_until 10 eval '[ "$(pgrep -u "$(id -u)" -fxc "sleep 1002")" = 2 ]'
	pid=$(jq .supervisor "$(entry)/state.json")
	kill -KILL "$pid"
	wait_until 5 none_runs 'sleep 1002'
	[ ! -e out/after ]
	berth ps >/dev/null
	wait_until 5 nothing_left
}

@test "a signal during one of prestart ends it and the launch" {
	hook slow 'sleep 1003 & sleep 1003'
	berth run --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" --hook-prestart "$PWD/slow" -- true 2>told &
	wait_until 10 eval '[ "$(pgrep -u "$(id -u)" -fxc "sleep 1003")" = 2 ]'
	kill -TERM "$(jq .supervisor "$(entry)/state.json")"
	wait "$!" || status=$?
	assert_equal "$status" 125
	grep -q "signal 15 during the launch" told
	nothing_left
	wait_until 5 none_runs 'sleep 1003'
}

@test "by a policy and by variables; plan, explain, diff and show tell of them" {
	hook before
	hook next
	printf '{ "extends": "shell", "hooks": { "prestart": ["%s/before x"], "timeout": 9 } }' "$PWD" >base.json
	printf '{ "extends": "./base.json", "hooks": { "prestart": ["%s/next"] } }' "$PWD" >more.json
	run berth plan --policy ./more.json --rootfs "$BERTH_TEST_SMALL:O" -- true
	assert_has "hook           prestart $PWD/before x, within 9 s"
	assert_has "hook           prestart $PWD/next, within 9 s"
	assert_has "before anything of the root is"
	run_with --policy ./more.json -- true
	assert_status 0
	[ -s out/before ]
	[ -s out/next ]
	run berth policy explain ./more.json hooks.prestart
	assert_has "runs outside, as the caller"
	run berth policy diff ./base.json ./more.json
	assert_status 1
	assert_has "+"
	run berth policy audit --severity high ./more.json
	assert_has BP0
	run env -i HOME="$HOME" PATH="$PATH" XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-}" \
		BERTH_HOOK_PRESTART="$PWD/before"$'\n'"$PWD/next a" "$BERTH" plan --entrypoint --rootfs "$BERTH_TEST_SMALL:O" -- true
	assert_has "prestart $PWD/before, within 30 s"
	assert_has "prestart $PWD/next a, within 30 s"
}

@test "an audit log that has to be written and cannot be holds hooks up, but those of the end" {
	local reader

	mkfifo pipe
	cat pipe >lines 3>&- &
	reader=$!
	# Until it reads: a log that nobody does is refused.
	exec 9>pipe
	hook before "kill $reader; while kill -0 $reader 2>/dev/null; do sleep 0.05; done; exit 0"
	hook other
	hook after
	run_with --hook-prestart "$PWD/before" --hook-prestart "$PWD/other" --hook-poststop "$PWD/after" \
		--audit-log "$PWD/pipe" --audit-required -- true
	assert_status 125
	assert_has "run the prestart hook '$PWD/other': write the audit log: Broken pipe"
	[ -s out/before ]
	[ ! -e out/other ]
	[ -s out/after ]
	nothing_left
}

@test "what is refused" {
	local words text

	hook good
	hook others
	chmod o+w others
	: >plain
	mkdir volume shown
	cp good volume/hook
	ln -s "$PWD/volume/link" way
	ln -s ../good volume/link
	printf '#!%s/volume/sh\n' "$PWD" >script
	cp "$(command -v sh)" volume/sh
	printf '#!sh\n' >relative
	chmod 755 script relative
	ln good volume/hard
	cp good alone
	while IFS='|' read -r words text; do
		# shellcheck disable=SC2086 # words
		run berth run --rm --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" $words -- true
		assert_status 125
		assert_has "$text"
		[ ! -e out/good ] || fail "$words"
		nothing_left
	done <<-EOF
		--hook-prestart good|'good' is not absolute
		--hook-prestart $PWD/../x|goes through '..'
		--hook-timeout 0 --hook-prestart $PWD/alone|'0' is not in 1..3600
		--hook-timeout 5|--hook-timeout 5 without a hook
		--hook-poststop $PWD/none|execute the poststop hook '$PWD/none': No such file
		--hook-poststop $PWD/plain|execute the poststop hook '$PWD/plain': Permission denied
		--hook-poststop $PWD|: Is a directory
		--hook-poststop /dev/null|: Invalid argument
		--hook-poststop $PWD/others|others than you and root may write to the poststop hook
		--hook-prestart $PWD/volume/hook -v $PWD/volume:/v|'$PWD/volume' holds the prestart hook '$PWD/volume/hook'
		--hook-prestart $PWD/volume/hook -v $PWD/volume/hook:/v|'$PWD/volume/hook' holds the prestart hook
		--hook-prestart $PWD/volume/hook -v $PWD:/v:U|'$PWD' holds the prestart hook
		--hook-prestart $PWD/way -v $PWD/volume:/v|'$PWD/volume' has a link on the way to the prestart hook '$PWD/way'
		--hook-prestart $PWD/script -v $PWD/volume:/v|'$PWD/volume' holds '$PWD/volume/sh', which executes the prestart hook
		--hook-prestart $PWD/relative|execute the prestart hook '$PWD/relative': Exec format error
		--hook-prestart $PWD/good -v $PWD/shown:/v|'$PWD/shown' may have another name of the prestart hook '$PWD/good'
	EOF
	# Nothing of that is in the way where the workspace cannot write.
	for words in "$PWD/volume/hook -v $PWD/volume:/v:ro" "$PWD/way -v $PWD/volume:/v:ro" "$PWD/script -v $PWD/volume:/v:ro" \
		"$PWD/alone -v $PWD/shown:/v" "$PWD/good -v $PWD/volume:/v:ro"; do
		# shellcheck disable=SC2086 # words
		run_with --rm --hook-prestart $words -- true
		assert_status 0
	done
	# More than there is room for.
	# shellcheck disable=SC2046 # words
	run_with $(for _ in {1..17}; do echo --hook-prestart "$PWD/alone"; done) -- true
	assert_status 125
	assert_has "more than 16 hooks"
	# A root that is used in place, and upper layers.
	mkdir -p layers
	run_with --state "$PWD/layers" -- true
	assert_status 0
	cp good "layers/$ws/hook"
	berth rm "$ws" || true
	mkdir -p "layers/$ws"
	cp good "layers/$ws/hook"
	run_with --state "$PWD/layers" --hook-prestart "$PWD/layers/$ws/hook" -- true
	assert_status 125
	assert_has "'$PWD/layers/$ws' holds the prestart hook"
}
