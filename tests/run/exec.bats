#!/usr/bin/env bats
# "berth exec": what the command of a running workspace gets, and what it must not get.

load ../lib/common

setup()
{
	common_setup
	probe small subids
	ws=$(new_name)
}

# workspace [OPTION...]: one in the background, which does nothing.
workspace()
{
	berth run -d --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" "$@" -- sleep 1000
}

# inside COMMAND...: as root of the workspace.
inside() { berth exec "$ws" "$@"; }

# client ARG...: "berth exec" in the background; $client is its own PID, not a subshell's.
client()
{
	"$BERTH" exec "$@" 3>&- &
	client=$!
}

# runs WORDS: whether a command that begins so runs inside; prints its PID there.
runs()
{
	# shellcheck disable=SC2016
	inside sh -c 'for p in /proc/[0-9]*; do
		words=$(tr "\0" " " 2>/dev/null <$p/cmdline)
		case $words in "$0 "*) echo ${p#/proc/}; exit ;; esac
	done; exit 1' "$1"
}
ended() { ! runs "$1"; }

# Namespaces, cgroup, privileges

@test "it joins every namespace of init" {
	workspace --init none
	# shellcheck disable=SC2016 # the shell inside expands it
	run inside sh -c 'for ns in user mnt pid net ipc uts cgroup; do
		[ "$(readlink /proc/self/ns/$ns)" = "$(readlink /proc/1/ns/$ns)" ] || echo "$ns differs"
	done; echo compared'
	assert_output "compared"
}

@test "without a command it is the login shell of the user, as /etc/passwd has it" {
	workspace
	inside sh -c 'printf "#!/bin/sh\necho mine \$1 for \$HOME\n" >/tmp/shell; chmod 755 /tmp/shell
		echo "own:x:77:77::/tmp:/tmp/shell" >>/etc/passwd'
	run berth exec -u own "$ws"
	assert_output "mine -l for /tmp"
	run berth exec -u 78 "$ws" <<<'echo from sh'
	assert_output "from sh"
	run berth exec -d "$ws"
	assert_status 125
	assert_has "-d needs a command"
}

@test "it joins a workspace whose init hides its memory" {
	workspace --init berth
	run inside ls /proc/1/ns
	assert_output "" || assert_has "Permission denied"
	# shellcheck disable=SC2016
	run inside sh -c 'for ns in user mnt pid net ipc uts cgroup; do
		[ "$(readlink /proc/self/ns/$ns)" = "$(readlink /proc/2/ns/$ns)" ] || echo "$ns differs"
	done; echo compared'
	assert_output "compared"
}

@test "with --net host it stays in the pod's network" {
	workspace --init none --net host
	run inside readlink /proc/self/ns/net
	assert_output "$(readlink /proc/self/ns/net)"
}

@test "it runs in init's own cgroup" {
	probe cgroup
	workspace --init none
	run inside sh -c 'cmp /proc/self/cgroup /proc/1/cgroup && echo same'
	assert_output "same"

	# Seen from outside, where no cgroup namespace makes "/" of everything.
	inside sleep 3.14159 &
	client=$!
	pid=
	found() { pid=$(pgrep -f '^sleep 3[.]14159$'); }
	wait_until 5 found
	init=$(pgrep -f "^sleep 1000$" | while read -r p; do
		[ "$(readlink "/proc/$p/ns/pid")" != "$(readlink "/proc/$pid/ns/pid")" ] || echo "$p"
	done)
	assert_equal "$(cat "/proc/$pid/cgroup")" "$(cat "/proc/$init/cgroup")"
	assert_equal "$(cat "/proc/$pid/oom_score_adj")" "$(cat "/proc/$init/oom_score_adj")"
	wait "$client"
}

@test "root inside has every capability and the filter; nothing is ignored or blocked" {
	workspace
	run inside sed -n '/^\(Cap\|Seccomp:\|SigBlk\|SigIgn\|Umask\)/s/\t/ /p' /proc/self/status
	assert_has "CapInh: 0000000000000000"
	assert_has "CapAmb: 0000000000000000"
	assert_has "SigBlk: 0000000000000000"
	assert_has "SigIgn: 0000000000000000"
	assert_has "Umask: 0022"
	assert_has "Seccomp: 2"
	full=$(inside sed -n 's/^CapBnd:\t//p' /proc/self/status)
	assert_has "CapPrm: $full"
	assert_has "CapEff: $full"
	run inside sh -c 'sed -n "s/^\(Cap\|Seccomp\).*:/&/p" /proc/2/status >/tmp/init
		sed -n "s/^\(Cap\|Seccomp\).*:/&/p" /proc/self/status | cmp - /tmp/init && echo same'
	assert_output "same"
}

@test "an ordinary user inside has no capability" {
	workspace
	run berth exec -u 1000 "$ws" grep -E '^Cap(Prm|Eff|Inh|Amb)' /proc/self/status
	assert_output $'CapInh:\t0000000000000000\nCapPrm:\t0000000000000000
CapEff:\t0000000000000000\nCapAmb:\t0000000000000000'
}

@test "the command has descriptors 0 to 2 only" {
	workspace
	client "$ws" sleep 777 9</etc/passwd 8>/dev/null
	wait_until 5 runs "sleep 777"
	# shellcheck disable=SC2016
	run inside sh -c 'echo $(ls $0/fd)' "/proc/$(runs "sleep 777")"
	assert_output "0 1 2"
}

# The command

@test "exit codes are the command's, or say who failed" {
	workspace
	codes=(
		"0 true" "1 false" "7 sh -c 'exit 7'" "255 sh -c 'exit 255'"
		"137 sh -c 'kill -9 \$\$'" "143 sh -c 'kill -15 \$\$'"
		"127 no-such-command" "127 /no/such/command" "127 ''"
		"126 /etc" "126 /etc/passwd"
	)
	for row in "${codes[@]}"; do
		status=0
		eval "inside ${row#* }" 2>/dev/null || status=$?
		assert_equal "${row#* }: $status" "${row#* }: ${row%% *}"
	done
}

@test "what is not found, or not executable, is named" {
	workspace
	run -127 inside no-such-command
	assert_equal "${lines[0]}" "berth: exec: find 'no-such-command' in the workspace's PATH: No such file or directory"
	run inside /etc/passwd
	assert_equal "${lines[0]}" "berth: exec: execute '/etc/passwd': Permission denied"
	inside sh -c 'printf "#!/no/such\n" >/tmp/lost; chmod 755 /tmp/lost'
	run -127 inside /tmp/lost
	assert_has "hint: the file is there"
}

@test "berth's own failures are 125" {
	run berth exec no-such-workspace true
	assert_status 125
	workspace
	for words in "-d $ws" "-x $ws true" "-w relative $ws true" "-d -i $ws true" \
		"-w /no/such/dir $ws true" "-u no-such-user $ws true" "-e =v $ws true"; do
		# shellcheck disable=SC2086
		run berth exec $words
		assert_equal "exec $words: $status" "exec $words: 125"
		[[ $output == berth:* ]] || fail "no reason: $output"
	done
}

@test "a workspace that has ended is not running" {
	workspace
	berth stop "$ws"
	run berth exec "$ws" true
	assert_status 125
	assert_has "not running"
}

@test "-- is not needed, and not taken from the command" {
	workspace
	run berth exec "$ws" echo -- a
	assert_output "-- a"
	run berth exec "$ws" -- echo -- a
	assert_output "-- a"
	# Behind it nothing is a name: tests/pod/entrypoint.bats.
	run -127 berth exec -- "$ws" true
	assert_status 127
	assert_has "find '$ws'"
}

@test "the environment is made from scratch, with run's variables" {
	workspace -e FROM_RUN=1 -e BOTH=run
	export SECRET=1 PASSED="a b"
	run berth exec -e BOTH=exec -e PASSED -e NOT_SET_HERE -e EMPTY= "$ws" env
	[[ $output != *SECRET* && $output != *NOT_SET_HERE* ]]
	for line in "FROM_RUN=1" "BOTH=exec" "PASSED=a b" "EMPTY=" "HOME=/root" \
		"container=berth" "HOSTNAME=$ws"; do
		[[ $'\n'$output$'\n' == *$'\n'"$line"$'\n'* ]] || fail "no $line in $output"
	done
	[ "$(grep -c '^BOTH=' <<<"$output")" = 1 ]
}

@test "-u takes a name, a number or both with a group" {
	workspace
	rows=(
		"root 0:0" "0 0:0" "nobody 65534:65534" "65534 65534:65534" "1234 1234:0"
		"1234:5678 1234:5678" "nobody:0 65534:0"
	)
	for row in "${rows[@]}"; do
		# shellcheck disable=SC2016
		run berth exec -u "${row% *}" "$ws" sh -c 'echo $(id -u):$(id -g)'
		assert_equal "${row% *} $output" "$row"
	done
	run berth exec -u nobody "$ws" sh -c 'echo out >/dev/stdout; echo err >/dev/stderr'
	assert_equal "$(sort <<<"$output")" $'err\nout' # two pipes have no order
}

@test "-u and -w of run are exec's unless it is given its own" {
	workspace -u 1234:5678 -w /usr
	# shellcheck disable=SC2016
	run inside sh -c 'echo $(id -u):$(id -g) $(pwd)'
	assert_output "1234:5678 /usr"
	# shellcheck disable=SC2016
	run berth exec -u 0 -w /tmp "$ws" sh -c 'echo $(id -u):$(id -g) $(pwd)'
	assert_output "0:0 /tmp"
}

@test "-w is resolved inside" {
	workspace
	inside ln -s / /tmp/up
	run berth exec -w /tmp/up/etc "$ws" cat passwd
	assert_equal "$output" "$(inside cat /etc/passwd)"
	[ "$output" != "$(cat /etc/passwd)" ]
}

# Streams and life

@test "10 MB pass unchanged in both directions" {
	workspace
	head -c 10000000 /dev/urandom >data
	berth exec -i "$ws" cat <data >copy
	cmp data copy
	# shellcheck disable=SC2002
	cat data | berth exec -i "$ws" sha256sum | cut -d ' ' -f 1 >sum
	assert_equal "$(cat sum)" "$(sha256sum <data | cut -d ' ' -f 1)"
}

@test "without -i, and with a closed input, it reads the end of file" {
	workspace
	run berth exec "$ws" wc -c <<<"text"
	assert_output "0"
	# Closed in a shell of its own: "run" would hand it its own pipe as descriptor 0.
	# shellcheck disable=SC2016
	run in_cgroup sh -c '"$BERTH" exec -i "$0" wc -c <&-' "$ws"
	assert_output "0"
	run berth exec -i "$ws" wc -c </dev/null
	assert_output "0"
}

@test "standard output and standard error stay apart" {
	workspace
	berth exec "$ws" sh -c 'echo out; echo err >&2' >out 2>err
	assert_equal "$(cat out)/$(cat err)" "out/err"
}

@test "a reader that goes away ends the command" {
	workspace
	run timeout 20 bash -c 'in_cgroup() { "$@"; }; "$BERTH" exec "$0" yes | head -n 1' "$ws"
	assert_status 0
	assert_output "y"
	wait_until 5 ended yes
}

@test "two at a time do not mix" {
	workspace
	clients=()
	for n in 1 2 3 4; do
		berth exec -i "$ws" sh -c 'cat; echo end' < <(yes "$n" | head -n 20000) >"out$n" &
		clients+=($!)
	done
	wait "${clients[@]}"
	for n in 1 2 3 4; do
		assert_equal "$(sort -u "out$n" | tr '\n' ' ')" "$n end "
		assert_equal "$(wc -l <"out$n")" 20001
	done
}

@test "signals to the client reach the command" {
	workspace
	client "$ws" sh -c 'trap "echo got it; exit 3" TERM; echo ready; while :; do sleep 0.1; done' >out
	wait_until 10 grep -q ready out
	kill -TERM "$client"
	status=0
	wait "$client" || status=$?
	assert_status 3
	assert_equal "$(cat out)" $'ready\ngot it'
}

@test "killing the client kills the command" {
	workspace
	for user in 0 1000; do
		client -u "$user" "$ws" sleep 777
		wait_until 10 runs "sleep 777"
		kill -KILL "$client"
		wait "$client" || true
		wait_until 5 ended "sleep 777"
	done
}

@test "the end of the workspace is the end of the command" {
	workspace
	client "$ws" sleep 777
	wait_until 10 runs "sleep 777"
	berth kill -s KILL "$ws"
	status=0
	wait "$client" || status=$?
	assert_status 137
}

@test "a stopped client does not hold the end of its workspace" {
	workspace
	client "$ws" sleep 777
	wait_until 10 runs "sleep 777"
	kill -STOP "$client"
	in_cgroup timeout 10 "$BERTH" kill -s KILL "$ws"
	in_cgroup timeout 10 "$BERTH" wait "$ws" || [ $? -eq 137 ]
	kill -CONT "$client"
	status=0
	wait "$client" || status=$?
	assert_status 137
}

@test "nothing of a client stays outside: where the pod's PID 1 does not reap, the workspace ends, too" {
	probe tool:unshare
	# PID 1 of this one is a sleep, as in a pod that runs "sleep infinity".
	unshare --map-auto --map-root-user -m -p -f --mount-proc sleep 1000 3>&- &
	local outside=$! pod
	wait_until 5 pgrep -P "$outside" -x sleep # newuidmap was a child, too
	pod=$(pgrep -P "$outside" -x sleep)
	# In a group without anybody who is outside.
	in_there()
	{
		nsenter -t "$pod" -U -m -p -S 0 -G 0 --wd="$PWD" -- sh -c '
			[ -z "$0" ] || { mkdir -p "$0" && echo 0 >"$0/cgroup.procs"; }; exec "$@"' \
			"${BERTH_TEST_CGROUP:+$BERTH_TEST_CGROUP/$test_prefix-$RANDOM}" "$@"
	}
	in_there "$BERTH" run -d --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" -- sleep 1000
	in_there sh -c 'echo $$ >client; exec "$@"' sh "$BERTH" exec "$ws" sleep 777 3>&- &
	wait_until 10 in_there "$BERTH" exec "$ws" sh -c "grep -qs ^sleep.777 /proc/[0-9]*/cmdline"
	wait_until 10 test -s client
	in_there sh -c 'kill -KILL $(cat client)'
	status=0
	in_there timeout 20 "$BERTH" stop -t 1 "$ws" || status=$?
	in_there "$BERTH" rm -f "$ws" || true
	kill -KILL "$pod"
	wait "$outside" || true
	assert_status 0
}

@test "-d returns at once and leaves the command to init" {
	workspace
	run timeout 10 bash -c '"$BERTH" exec -d "$0" sh -c "sleep 0.5; echo done >/tmp/done; exec sleep 778"' "$ws"
	assert_status 0
	assert_output ""
	wait_until 10 inside test -s /tmp/done
	wait_until 10 runs "sleep 778"
	run inside sed -n 's/^PPid:\t//p' "/proc/$(runs "sleep 778")/status"
	assert_output "1"
	run -127 berth exec -d "$ws" no-such-command
}

# What root inside must not get

# bats test_tags=long
# shellcheck disable=SC2016 # what is quoted is for the shell inside
@test "root inside cannot look into the joiner or write to berth" {
	# Our own file, which root inside could write to if a process led it there.
	cp "$BERTH" own-berth
	before=$(sha256sum <own-berth)
	workspace
	inside sh -c 'printf "#!/proc/self/exe\n" >/tmp/trap; chmod 755 /tmp/trap'
	berth exec -i "$ws" sh -c 'cat >/tmp/hunt' <<'HUNT'
while :; do
	for p in /proc/[0-9]*; do
		read -r comm <$p/comm || continue
		[ "$comm" = berth ] || continue
		case $0 in
		exe | fd/3 | cwd) set -- readlink $p/$0 ;;
		write) set -- eval "true >>$p/exe && echo written" ;;
		*) set -- head -c 1 $p/$0 ;;
		esac
		got=$("$@" 2>/dev/null) || got=
		# Only if it still is the joiner: its command is root inside's own.
		read -r comm <$p/comm && [ "$comm" = berth ] && echo "$*: $got" >>/tmp/led
	done
done
HUNT
	# What root inside can do to make the joiner take longer.
	inside sh -c 'yes "# a line that is no user" | head -c 900000 >>/etc/passwd'
	inside sh -c 'yes "# a line that is no group" | head -c 900000 >>/etc/group'
	hunters=()
	for what in exe fd/3 cwd write mem environ; do
		client "$ws" sh -c '. /tmp/hunt 2>/dev/null' "$what"
		hunters+=("$client")
	done
	# Until each kind has looked at a joiner, and then some more.
	met()
	{
		for _ in $(seq 5); do
			in_cgroup ./own-berth exec "$ws" /tmp/trap 2>/dev/null || true
			in_cgroup ./own-berth exec "$ws" true
		done
		inside sh -c 'for what; do grep -q "^$what " /tmp/led || exit 1; done' sh \
			readlink eval head
	}
	wait_until 60 met
	met
	kill "${hunters[@]}"
	wait "${hunters[@]}" || true
	run inside sed 's/.*: //' /tmp/led # "COMMAND: what it gave", of joiners only
	assert_status 0
	[ "${#lines[@]}" -eq 0 ] || assert_equal "$(sort -u <<<"$output")" ""
	assert_equal "$(sha256sum <own-berth)" "$before"
}
