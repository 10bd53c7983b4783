#!/usr/bin/env bats
# What root inside, or a signal that was meant for somebody else, does to the end of a workspace
# and to what is kept of it outside.

load ../lib/common

setup()
{
	common_setup
	probe small subids
	ws=$(new_name)
}

runtime() { printf '%s/berth\n' "${XDG_RUNTIME_DIR:-/run}"; }
log_has() { berth logs "$ws" | grep -qx "$1"; }
ints() { [ "$(berth logs "$ws" | grep -cx int)" -ge "$1" ]; }
ends() { ! berth ps -q | grep -qx "$ws"; }

# keep COMMAND...: in the background, and kept.
keep()
{
	berth run -d --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" "${options[@]}" -- "$@" >/dev/null
}

@test "berth's own records are out of reach, even in a volume that holds them" {
	local root

	for root in "$BERTH_TEST_SMALL" "$BERTH_TEST_SMALL:O"; do
		run berth run --rm --name "$ws" --rootfs "$root" -v "$(dirname "$(runtime)"):/mnt:ro" -- \
			sh -c 'ls -A /mnt/berth; touch /mnt/berth/x || echo no; umount /mnt/berth || echo no
				mount -o remount,rw,bind /mnt/berth || echo no; mv /mnt/berth /mnt/b || echo no'
		assert_status 0
		assert_equal "$(grep -v : <<<"$output")" $'no\nno\nno\nno'
	done
	run berth run --rm --name "$ws" --rootfs "$BERTH_TEST_SMALL" -v "$(dirname "$(runtime)"):/mnt" -- true
	assert_status 125
	assert_has "holds berth's runtime directory"
	run berth run --rm --name "$ws" --rootfs "$BERTH_TEST_SMALL" -v "$(runtime):/mnt:ro" -- true
	assert_status 125
	assert_has "is berth's runtime directory"
}

@test "groups nested deeper than any program needs go at the end" {
	probe cgroup
	options=(--init berth --max-depth 400)
	keep sleep 1000
	run berth exec "$ws" -- sh -c 'cd /sys/fs/cgroup && mkdir -p w/1/x w/2/x w/3 &&
		for i in $(seq 300); do mkdir d && cd d || exit; done'
	assert_status 0
	run berth stop -t 0 "$ws"
	assert_status 0
	run berth start "$ws"
	assert_status 0
	run berth rm -f "$ws"
	assert_status 0
}

@test "SIGTERM to the whole process group is a polite end" {
	local pid status=0

	setsid "$BERTH" run --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" -- \
		sh -c 'trap "sleep 0.5; echo bye; exit 3" TERM; echo up; while :; do sleep 0.1; done' >out 2>&1 3>&- &
	pid=$!
	wait_until 10 log_has up
	kill -TERM -- "-$pid"
	wait "$pid" || status=$?
	assert_equal "$status $(paste -sd' ' out)" "3 up bye"
	run berth inspect "$ws"
	assert_has '"exit_code": 3'
}

@test "a signal to the whole process group reaches the command once" {
	local pid

	setsid "$BERTH" run --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" -- \
		sh -c 'trap "echo int" INT; echo up; while :; do sleep 0.1; done' >/dev/null 2>&1 3>&- &
	pid=$!
	wait_until 10 log_has up
	for i in 1 2 3 4 5; do
		kill -INT -- "-$pid"
		wait_until 10 ints "$i" # a second one before it is handled would be the same one
	done
	sleep 0.5 # for one too many
	run berth logs "$ws"
	assert_equal "$(grep -c int <<<"$output")" 5
}

@test "an image that reboots for ever does not keep a processor busy, and can be stopped" {
	options=(--init none)
	keep busybox sh -c 'echo up; reboot -f'
	sleep 3
	run berth logs "$ws"
	[ "$(grep -c up <<<"$output")" -le 5 ] || fail "started too often: $output"
	run berth stop "$ws"
	assert_status 0
	ends
}

# bats test_tags=long
@test "a stop that comes when the next start is due is none too late" {
	local pid stop status=0

	options=(--init none)
	keep busybox sh -c 'echo up; reboot -f'
	begun() { [ "$(berth logs "$ws" | grep -cx up)" -eq 3 ]; }
	wait_until 20 begun # after 1 and 2 s; the fourth begins 4 s later
	rests() { [ "$(berth ps -a --format json | jq -r --arg ws "$ws" '.[] | select(.name == $ws) | .status')" = exited ]; }
	wait_until 10 rests
	pid=$("$BERTH" inspect "$ws" | jq '.[0].pids.supervisor')
	kill -STOP "$pid"
	"$BERTH" stop "$ws" >out 2>&1 &
	stop=$!
	sleep 5 # its timer and the request are both there when it goes on
	kill -CONT "$pid"
	wait "$stop" || status=$?
	assert_equal "$status $(cat out)" "0 $ws"
	ends
	assert_equal "$(berth logs "$ws" | grep -cx up)" 3
}

@test "who was asked to end does not begin again by a reboot" {
	options=(--init none)
	keep busybox sh -c 'trap "exec reboot -f" TERM; echo up; while :; do sleep 0.1; done'
	wait_until 10 log_has up
	run berth stop -t 10 "$ws"
	assert_status 0
	ends
	run berth inspect "$ws"
	assert_has '"reason": "rebooted"'
}

# A TCP socket that cannot send what it holds, and lingers for an hour when it is closed, goes with
# a message to whoever hears that systemd is ready; nobody but that message has it then.
lingers='import array, os, socket, struct
listener = socket.create_server(("127.0.0.1", 0))
one = socket.create_connection(listener.getsockname())
other = listener.accept()[0]
one.setblocking(False)
try:
    while True: one.send(bytes(65536))
except BlockingIOError: one.setblocking(True)
one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 3600))
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.connect("/run/host/notify")
print("words", notify.send(b"STATUS=here"))
rights = socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [one.fileno(), other.fileno()])
try: print("descriptors", notify.sendmsg([b"STATUS=here"], [rights]))
except PermissionError as error: print(error.strerror)
os.sys.stdout.flush()
os._exit(0) # who ends does not linger'

# bats test_tags=debian
@test "descriptors that linger, sent to whoever hears READY=1, hold nobody outside" {
	probe debian without tool:python3
	local how

	printf '%s\n' "$lingers" >lingers
	for how in getpmsg option:83; do # 83: SO_PASSRIGHTS, from Linux 6.16 on
		# As root of a user namespace, since newuidmap cannot help under the filter's no_new_privs.
		# shellcheck disable=SC2016 # the shell there
		ASAN_OPTIONS=detect_leaks=0 run in_cgroup unshare --map-auto --map-root-user -m bash -ec '
			"$BERTH_TEST_WITHOUT" -n "$0" -- "$BERTH" run -d --name "$1" --net none --rootfs "$2:O"
			"$BERTH" wait --ready "$1"
			"$BERTH" exec -i "$1" -- python3 - <lingers
			timeout 20 "$BERTH" exec "$1" -- echo answers
			timeout 60 "$BERTH" stop "$1" && echo stopped' "$how" "$(new_name)" "$BERTH_TEST_ROOTFS"
		assert_status 0
		assert_has "words 11"
		[ "$how" = getpmsg ] || assert_has "descriptors 11"
		assert_has answers
		assert_has stopped
	done
}

# As many messages as go, for two seconds: what came through, and in how many milliseconds.
flood='import socket, time
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.connect("/run/host/notify")
notify.setblocking(False)
begin, sent = time.monotonic(), 0
while time.monotonic() - begin < 2:
    try: sent += notify.send(b"STATUS=here") > 0
    except BlockingIOError: time.sleep(0.0005)
print(sent, int((time.monotonic() - begin) * 1000))'

# bats test_tags=debian
@test "a flood of messages to whoever hears READY=1 is read at its pace" {
	probe debian without tool:python3
	local how sent ms

	printf '%s\n' "$flood" >flood
	for how in getpmsg option:83; do
		# shellcheck disable=SC2016 # the shell there
		ASAN_OPTIONS=detect_leaks=0 run in_cgroup unshare --map-auto --map-root-user -m bash -ec '
			"$BERTH_TEST_WITHOUT" -n "$0" -- "$BERTH" run -d --name "$1" --net none --rootfs "$2:O"
			"$BERTH" wait --ready "$1"
			"$BERTH" exec -i "$1" -- python3 - <flood
			timeout 60 "$BERTH" stop "$1" && echo stopped' "$how" "$(new_name)" "$BERTH_TEST_ROOTFS"
		assert_status 0
		assert_has stopped
		read -r sent ms < <(grep -E '^[0-9]+ [0-9]+$' <<<"$output")
		# 64 in 100 ms; those that the socket holds come beside them.
		[ "$sent" -gt 64 ] || fail "$sent messages in $ms ms"
		[ "$sent" -le $((64 * (ms / 100 + 2) + 100)) ] || fail "$sent messages in $ms ms"
	done
}
