# shellcheck shell=bash
# What the process that serves metrics has, seen by the machine's root: nobody else may look.

load ../lib/common

setup()
{
	common_setup
	name=$(new_name)
	probe root small tool:curl tool:pgrep
}
teardown() { as_user "$BERTH" rm -f "$name" || true; }

@test "two sockets, an empty root, and a network without anybody" {
	at=/tmp/$name.sock
	as_user "$BERTH" run -d --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --net none \
		--metrics-listen "unix:$at" -- /bin/sleep 1000
	curl -sSf --unix-socket "$at" http://ws/readyz
	pid=$(pgrep -n -x -u "$BERTH_TEST_UID" berth-metrics)
	# Its standard streams, the listener, the supervisor, and what it waits with.
	assert_equal "$(find "/proc/$pid/fd" -type l -printf '%f %l\n' | sort -n | sed 's/^[0-9]* //; s/:.*//' | paste -sd' ')" \
		"/dev/null /dev/null /dev/null socket socket anon_inode"
	for kind in user net ipc; do
		[ "$(readlink "/proc/$pid/ns/$kind")" != "$(readlink "/proc/self/ns/$kind")" ]
	done
	[ "$(readlink "/proc/$pid/root")" != / ]
	run ls "/proc/$pid/root/etc"
	[ "$status" -ne 0 ]
	run nsenter -t "$pid" -n ip -o link
	assert_equal "$(wc -l <<<"$output")" 1
	[ ! -s "/proc/$pid/environ" ]
}
