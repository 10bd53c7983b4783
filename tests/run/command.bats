#!/usr/bin/env bats
# Single commands: exit codes, signals, streams, users, volumes, layers.

load ../lib/common
load ../lib/leavings

setup()
{
	probe small subids
	common_setup
	small=$BERTH_TEST_SMALL:O # what is written stays out of the shared tree
}

# small_run ARG...: a workspace that nothing is kept of.
small_run() { berth run --rm --name "$(new_name)" --rootfs "$small" "$@"; }

@test "the exit code is the command's" {
	for code in 0 1 42 124 125 126 127 128 255; do
		run "-$code" small_run -- sh -c "exit $code"
		assert_status "$code"
		assert_output ""
	done
}

@test "a command killed by a signal is 128 and its number" {
	for signal in 1 2 6 9 15; do
		run small_run -- sh -c "kill -$signal \$\$"
		assert_status $((128 + signal))
	done
}

@test "127 is a command that is not there" {
	run -127 small_run -- no-such-program
	assert_status 127
	assert_has "berth: exec: find 'no-such-program' in the workspace's PATH"
	assert_has "hint: "

	run -127 small_run -- /bin/no-such-program
	assert_status 127
	assert_has "'/bin/no-such-program'"
}

@test "126 is a command that cannot be executed" {
	run small_run -- /etc/passwd
	assert_status 126
	assert_has "berth: exec: execute '/etc/passwd': Permission denied"

	run small_run -- /etc
	assert_status 126
}

@test "with --init none the same codes, and PID 1 is the command" {
	run small_run --init none -- sh -c 'echo $$; exit 42'
	assert_output 1
	assert_status 42

	run -127 small_run --init none -- no-such-program
	assert_status 127
	run small_run --init none -- /etc/passwd
	assert_status 126
}

@test "125 is berth's own failure" {
	run berth run --rootfs "$BATS_TEST_TMPDIR/nowhere" -- true
	assert_status 125
	run berth run --no-such-option
	assert_status 125
	run berth no-such-command
	assert_status 125
	run berth
	assert_status 125
}

@test "under berth's init the command is a child of PID 1" {
	run small_run -- sh -c 'echo $$ $PPID; cat /proc/1/comm'
	assert_output $'2 1\nberth-init'
}

@test "no word of the caller's is in sight, not even when the command begins" {
	for _ in 1 2 3 4 5; do
		run small_run -- cat /proc/1/cmdline
		assert_output berth-init
	done
}

@test "berth's init reaps orphans" {
	# Each inner shell leaves a child behind; as zombies they would all be in /proc.
	run small_run -- sh -c '
		for i in 1 2 3 4 5 6 7 8 9 10; do (sleep 0.01 &) done
		for i in $(seq 100); do
			set -- $(grep -l "(sleep)" /proc/[0-9]*/stat 2>/dev/null)
			[ $# -gt 0 ] || exit 0
			sleep 0.1
		done
		exit 1'
	assert_status 0
}

@test "what the command leaves running ends with it" {
	local seconds=$((1000000 + RANDOM)) name

	name=$(new_name)
	run berth run --rm --name "$name" --rootfs "$small" -- sh -c "sleep $seconds & echo started"
	assert_output started
	assert_status 0
	nothing_left "$name" "sleep $seconds"
}

@test "of a command that ended before the supervisor looked the record says that it runs only while something does" {
	probe tool:strace

	# records OPTION... -- COMMAND...: how often the record is written where each message reaches the supervisor
	# late, so that the command has ended by then; with options of strace. As a pod's root: under strace newuidmap(1)
	# cannot help.
	records()
	{
		local options=()

		while [ "$1" != -- ]; do options+=("$1"); shift; done
		shift
		ASAN_OPTIONS=detect_leaks=0 in_cgroup unshare --map-auto --map-root-user -m strace -qq -o trace "${options[@]}" \
			-e trace=renameat,recvmsg,exit_group -e inject=recvmsg:delay_exit=300000 \
			"$BERTH" run --rm --name "$(new_name)" --net none --rootfs "$small" -- "$@" || true
		grep -c 'renameat(.*"state.json")' trace
	}
	run records -- true
	assert_output 1
	# One that has not ended by then.
	run records -- sleep 2
	assert_output 2
	# Of one that was killed its child still holds the output: our init, who ends that, is late, too.
	run --separate-stderr records -f -e inject=exit_group:delay_enter=2000000 -- sh -c 'sleep 1000 & kill -KILL $$'
	assert_output 2
}

@test "when it returns nothing of it runs any more" {
	local seconds=$((1000000 + RANDOM))

	# Where nothing else shows the end, it is not waited for one by one.
	for _ in {1..20}; do
		run small_run --net none -- sh -c "for i in \$(seq 20); do sleep $seconds </dev/null >/dev/null 2>&1 & done; exit 7"
		assert_status 7
		run pgrep -f "^sleep $seconds\$"
		assert_status 1
	done
}

@test "upper layers go when nobody writes to them any more" {
	for _ in {1..10}; do
		run --separate-stderr small_run --net none --state "$PWD/state" -- \
			sh -c 'while :; do mkdir -p /a/b && : >/a/b/$((i = i + 1)); done </dev/null >/dev/null 2>&1 & sleep 0.02'
		assert_status 0
		[[ $stderr != *remove* ]] || fail "$stderr"
		run ls -A state
		assert_output ""
	done
}

# background ARG...: small_run in the background; $pid is berth's own, $! what to wait for.
background()
{
	rm -f said pid # of the call before
	# shellcheck disable=SC2016 # for the inner shell
	in_cgroup sh -c 'echo $$ >pid; exec "$@"' sh "$BERTH" run --rm --name "$(new_name)" \
		--rootfs "$small" "$@" >said 3>&- &
	wait_until 10 grep -q ready said
	pid=$(<pid)
}

# What to run to be told of signals.
traps='for s in TERM INT USR1 HUP; do trap "echo got $s; exit 7" $s; done
	echo ready; while :; do sleep 0.05; done'

@test "signals to berth reach the command" {
	for signal in TERM INT USR1 HUP; do
		background -- sh -c "$traps"
		kill -s "$signal" "$pid"
		status=0
		wait $! || status=$?
		assert_status 7
		run cat said
		assert_output $'ready\ngot '"$signal"
	done
}

@test "with --init none signals reach the command, too" {
	background --init none -- sh -c "$traps"
	kill -s TERM "$pid"
	status=0
	wait $! || status=$?
	assert_status 7
}

@test "a command without a handler dies of the signal" {
	background -- sh -c 'echo ready; exec sleep 1000'
	kill -s TERM "$pid"
	status=0
	wait $! || status=$?
	assert_status 143
}

@test "without -i standard input is empty" {
	run small_run -- wc -c <<<"not passed on"
	assert_output 0
	assert_status 0
}

@test "-i passes standard input on, and its end" {
	run small_run -i -- cat <<<"passed on"
	assert_output "passed on"

	head -c 1000000 /dev/urandom >random
	small_run -i -- cat <random >copied
	cmp random copied

	run small_run -i -- wc -c </dev/null
	assert_output 0
}

@test "-i with a closed standard input is an empty one" {
	# Closed by a shell of its own: the pipe of "run" would get the number otherwise.
	# shellcheck disable=SC2016
	run in_cgroup sh -c 'exec "$@" <&-' sh "$BERTH" run --rm --name "$(new_name)" \
		--rootfs "$small" -i -- wc -c
	assert_status 0
	assert_output 0
}

@test "output and errors are two streams" {
	small_run -- sh -c 'echo out; echo err >&2' >out 2>err
	run cat out
	assert_output out
	run cat err
	assert_output err
}

@test "closed output streams are no failure of the command" {
	small_run -- sh -c 'echo lost; exit 3' >&- 2>&- || status=$?
	assert_status 3
}

nobody_is() { [ -z "$(processes_of "$1")" ]; }

@test "an output that nobody reads any more ends the command, not berth" {
	set +o pipefail
	small_run -- yes | head -n 1
	wait_until 10 nobody_is "$test_prefix"
}

@test "-u by name, by number, with a group" {
	run small_run -u dev -- sh -c 'id; echo $HOME; pwd'
	assert_output $'uid=1000(dev) gid=1000(dev) groups=60(games)\n/home/dev\n/'

	run small_run -u 1234 -- id
	assert_output "uid=1234 gid=0(root)"

	run small_run -u 1234:60 -- id
	assert_output "uid=1234 gid=60(games)"

	run small_run -u dev:nogroup -- id -gn
	assert_output nogroup
}

@test "-u with --init none" {
	run small_run --init none -u dev -- id -u
	assert_output 1000
}

@test "-u of a user that the image does not know" {
	run small_run -u nobody-here -- true
	assert_status 125
	assert_has "'nobody-here'"
	assert_has "hint: "
}

@test "a user without capabilities inside" {
	run small_run -u dev -- grep -E '^Cap(Inh|Prm|Eff|Amb)' /proc/self/status
	assert_output "$(printf 'Cap%s:\t0000000000000000\n' Inh Prm Eff Amb)"
}

@test "-w" {
	run small_run -w /home/dev -- pwd
	assert_output /home/dev

	run small_run -w /no/where -- pwd
	assert_status 125
	assert_has "'/no/where'"

	run small_run -w home -- pwd
	assert_status 125
	assert_has "'home' is not absolute"

	run small_run -w /home/../etc -- pwd
	assert_status 125
	assert_has "'/home/../etc' goes through '..'"
}

@test "-e: given, taken from us, overridden, last one wins" {
	export FROM_US="our value" PATH
	run small_run -e A=1 -e FROM_US -e NOT_SET -e A=2 -e HOME=/tmp -e EMPTY= -- env
	assert_has "FROM_US=our value"
	assert_has $'A=2'
	assert_has "HOME=/tmp"
	[[ $output != *NOT_SET* ]]
	[[ $output != *A=1* ]]
	grep -qx 'EMPTY=' <<<"$output"
}

@test "-e with a prefix takes ours that begin so, and never everything" {
	export OURS_ONE="1 one" OURS_TWO=2 THEIRS=3 OURS_SECRET=4
	run small_run -e 'OURS_*' -e OURS_SECRET= -- sh -c 'env | grep -E "^(OURS|THEIRS)" | sort'
	assert_output $'OURS_ONE=1 one\nOURS_SECRET=\nOURS_TWO=2'
	echo '{ "pass_environment": ["OURS_T*", "THEIRS", "NOT_SET"] }' >policy.json
	run small_run --policy ./policy.json -- sh -c 'env | grep -E "^(OURS|THEIRS)" | sort'
	assert_output $'OURS_TWO=2\nTHEIRS=3'
	run small_run -e '*' -- true
	assert_status 125
	assert_has "'*' takes whatever there is"
}

@test "our environment stays out" {
	export SECRET_OF_OURS=1
	run small_run -- env
	[[ $output != *SECRET_OF_OURS* ]]
	[[ $output != *BERTH_* ]]
	[[ $output != *XDG_RUNTIME_DIR* ]]
}

@test "--hostname, and the name where it is not given" {
	run small_run --hostname other.example -- hostname
	assert_output other.example

	name=$(new_name)
	run berth run --rm --name "$name" --rootfs "$small" -- sh -c 'hostname; cat /proc/sys/kernel/hostname'
	assert_output "$name"$'\n'"$name"
}

@test "-v: a directory, writable, with its owner" {
	mkdir dir
	run small_run -v "$PWD/dir:/mnt" -- sh -c 'echo from inside >/mnt/file; stat -c %u /mnt/file'
	assert_output 0
	run cat dir/file
	assert_output "from inside"
	assert_equal "$(stat -c %u dir/file)" "$(id -u)"
}

@test "-v: a relative source is below our directory" {
	mkdir dir && touch dir/there
	run small_run -v ./dir:/mnt -- ls /mnt
	assert_output there
	run small_run -v dir:/mnt -- ls /mnt
	assert_output there
}

@test "-v: read-only" {
	mkdir dir && echo old >dir/file
	run small_run -v "$PWD/dir:/mnt:ro" -- sh -c 'cat /mnt/file; echo new >/mnt/file'
	[ "$status" -ne 0 ]
	assert_has old
	assert_has "Read-only file system"
	run cat dir/file
	assert_output old
}

@test "-v: a file" {
	echo content >file
	run small_run -v "$PWD/file:/etc/given:ro" -- cat /etc/given
	assert_output content

	run small_run -v "$PWD/file:/etc/given" -- sh -c 'echo more >>/etc/given'
	assert_status 0
	run cat file
	assert_output $'content\nmore'
}

@test "-v: what is mounted below the source comes along" {
	mkdir -p dir/below other && touch other/there
	# shellcheck disable=SC2016 # for the inner shell
	run in_cgroup unshare --map-auto --map-root-user -m sh -c '
		mount --bind other dir/below
		exec "$0" run --rm --name "$1" --rootfs "$2" -v "$PWD/dir:/mnt:ro" -- \
			sh -c "ls /mnt/below; touch /mnt/below/new"' "$BERTH" "$(new_name)" "$small"
	assert_has there
	assert_has "Read-only file system"
}

@test "-v: set-user-ID bits and device nodes do not count" {
	mkdir dir
	run small_run -v "$PWD/dir:/mnt" -- grep ' /mnt ' /proc/mounts
	assert_has nosuid
	assert_has nodev
}

@test "-v: targets are made, of the right kind" {
	mkdir dir && echo content >file
	run small_run -v "$PWD/dir:/a/b/c" -v "$PWD/file:/d/e/f" -- sh -c 'ls -d /a/b/c/; cat /d/e/f'
	assert_output $'/a/b/c/\ncontent'
	assert_status 0
}

@test "-v: several, one within the other, in the order given" {
	mkdir outer inner && touch outer/o inner/i
	run small_run -v "$PWD/outer:/mnt" -v "$PWD/inner:/mnt/sub" -- sh -c 'ls /mnt; ls /mnt/sub'
	assert_output $'o\nsub\ni'
}

@test "-v: a source that is not there is not made" {
	run small_run -v "$PWD/nowhere:/mnt" -- true
	assert_status 125
	assert_has "'$PWD/nowhere'"
	[ ! -e nowhere ]
}

@test "DIR:O leaves DIR unchanged" {
	before=$(tree_below "$BERTH_TEST_SMALL")
	run small_run -- sh -c 'echo x >/etc/passwd; rm -r /home/dev; mkdir /new; chmod 700 /tmp; chown 1000 /mnt
		ln -s /x /etc/link; cat /etc/passwd; ls -d /home/dev /new'
	assert_has x
	assert_has "/home/dev: No such file"
	assert_has /new
	assert_equal "$(tree_below "$BERTH_TEST_SMALL")" "$before"
}

@test "DIR in place is changed" {
	"$BERTH" unshare -- cp -a "$BERTH_TEST_SMALL" tree
	small=$PWD/tree
	run small_run -- sh -c 'echo kept >/etc/kept; chown 1000 /etc/kept'
	assert_status 0
	run small_run -- sh -c 'cat /etc/kept; stat -c %u /etc/kept'
	assert_output $'kept\n1000'
	"$BERTH" unshare -- rm -rf tree
}

@test "without --state the upper layer ends with the workspace" {
	name=$(new_name)
	berth run --name "$name" --rootfs "$small" -- touch /etc/gone
	run berth start "$name"
	assert_status 0
	berth wait "$name"
	berth rm "$name"
	run small_run -- ls /etc/gone
	[ "$status" -ne 0 ]
}

@test "--state keeps the upper layer from start to start, and rm removes it" {
	name=$(new_name)
	mkdir store
	# shellcheck disable=SC2016 # for the shell inside
	berth run --name "$name" --rootfs "$small" --state "$PWD/store" -- \
		sh -c 'echo run >>/root/times; chown 1000 /root/times; exit $(wc -l </root/times)' || status=$?
	assert_status 1
	for times in 2 3; do
		berth start "$name"
		run berth wait "$name"
		assert_output "$times"
	done
	[ -n "$(ls -A store)" ]
	[ ! -e "$BERTH_TEST_SMALL/root/times" ]

	berth rm "$name"
	run ls -A store
	assert_output ""
}

@test "--rootfs host: the machine's own files, changes stay inside" {
	run berth run --rm --name "$(new_name)" -- id -un
	assert_has root
	assert_status 0

	mark=berth-$RANDOM$RANDOM
	run berth run --rm --name "$(new_name)" -- sh -c "touch /tmp/$mark /var/tmp/$mark /etc/$mark /usr/$mark
		ls /tmp/$mark /etc/$mark /usr/bin/env"
	assert_has "/tmp/$mark"
	assert_has /usr/bin/env
	run find /tmp /var/tmp /etc /usr -maxdepth 1 -name "$mark"
	assert_output ""
}

@test "--rootfs host is the default and says what it is good for" {
	run --separate-stderr berth run --rm --name "$(new_name)" -- pwd
	assert_output /
	# shellcheck disable=SC2154 # run sets it
	[[ $stderr == *"single commands"* ]]
}

@test "--rootfs host --init systemd is refused for somebody else's files" {
	run berth run --rm --name "$(new_name)" --rootfs host --init systemd
	assert_status 125
	assert_has "berth: init: "
	assert_has "hint: "
}

secret=secret-$BATS_ROOT_PID-of-the-pod

# In a world of our own, as a pod is: mounts below every kind of directory.
host_in_a_pod()
{
	mkdir secret
	echo "$secret" >secret/token
	# shellcheck disable=SC2016 # for the inner shells
	in_cgroup unshare --map-auto --map-root-user -m sh -euc '
		mount -t tmpfs none /mnt
		mkdir -p /mnt/secret /mnt/.hidden
		mount --bind "$PWD/secret" /mnt/secret
		mount --bind "$PWD/secret" /home
		mount --bind "$PWD/secret/token" /etc/hostname
		mount --bind "$PWD/secret/token" /etc/passwd
		mount --bind "$PWD/secret" /usr/local/share
		exec "$@"' world "$BERTH" run --rm --name "$(new_name)" "$@"
}

@test "--rootfs host: what the pod mounted does not appear" {
	run host_in_a_pod -- sh -c 'cat /mnt/secret/token /home/token /usr/local/share/token /etc/hostname
		ls -d /usr/bin /usr/local/bin /home /mnt /usr/local/share; grep -rs '"$secret"' /mnt /home /etc /usr/local/share'
	[[ $output != *"$secret"* ]]
	assert_has /usr/local/bin
	assert_has "/mnt"
	assert_has "/usr/local/share"
	run cat secret/token
	assert_output "$secret"
}

@test "--rootfs host: what was asked for appears" {
	run host_in_a_pod -v "$PWD/secret:/opt/secret:ro" -- cat /opt/secret/token
	assert_output "$secret"
	assert_status 0
}

@test "--rootfs host: changes below rebuilt directories stay inside" {
	run host_in_a_pod -- sh -c 'echo changed >/etc/hostname; echo changed >/home/token
		echo changed >/usr/local/share/token; echo changed >/usr/local/bin/berth-test; cat /home/token'
	assert_has changed
	run cat secret/token
	assert_output "$secret"
	[ ! -e /usr/local/bin/berth-test ]
	[ ! -e /etc/berth-test ]
}

@test "--rootfs host --state keeps the upper layers" {
	# In the root itself, which is made anew: most of the machine is not his, inside neither.
	name=$(new_name)
	times=/$name
	mkdir store
	berth run --name "$name" --state "$PWD/store" -- \
		sh -c "echo run >>$times; exit \$(wc -l <$times)" || status=$?
	assert_status 1
	berth start "$name"
	run berth wait "$name"
	assert_output 2
	[ ! -e "$times" ]
	berth rm "$name"
	run ls -A store
	assert_output ""
}

@test "with --net none the network is loopback alone, and it works" {
	# shellcheck disable=SC2016 # for the shell inside
	run small_run --net none -- sh -c 'ls /sys/class/net
		nc -l -p 7 -e echo answered & for i in $(seq 50); do nc 127.0.0.1 7 </dev/null 2>/dev/null && exit; sleep 0.1; done; exit 1'
	assert_output $'lo\nanswered'
}

@test "--net host is ours" {
	run small_run --net host -- ls -l /proc/self/ns/net
	assert_has "$(readlink /proc/self/ns/net)"
	run small_run -- ls -l /proc/self/ns/net
	[[ $output != *"$(readlink /proc/self/ns/net)"* ]]
}

@test "a name is taken once" {
	name=$(new_name)
	berth run --name "$name" --rootfs "$small" -- true
	run berth run --name "$name" --rootfs "$small" -- true
	assert_status 125
	assert_has "'$name' is taken"
	assert_has "hint: "
}

@test "a caller that ignores SIGCHLD still learns the exit status" {
	probe tool:python3
	run in_cgroup python3 -c 'import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execv(sys.argv[1], sys.argv[1:])' "$BERTH" run --rm --rootfs "$BERTH_TEST_SMALL" -- sh -c 'exit 7'
	assert_status 7
}
