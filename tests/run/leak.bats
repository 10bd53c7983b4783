#!/usr/bin/env bats
# 200 workspaces come and go: what was there before is there afterwards, and nothing else.

load ../lib/common

BATS_TEST_TIMEOUT=400
export BATS_TEST_TIMEOUT

setup()
{
	common_setup
	probe small subids
	prefix=$test_prefix-leak
	export prefix
}

# What a workspace could leave, one thing a line.
inventory()
{
	echo "processes: $(pgrep -u "$(id -u)" -c -f "$prefix")"
	wc -l </proc/self/mountinfo | sed 's/^/mounts: /'
	find "${XDG_RUNTIME_DIR:?}" -mindepth 1 | sort
	find "${BERTH_TEST_CGROUP:-/nonexistent}" -name 'berth-*' 2>/dev/null | sort
	find /dev/shm /tmp -maxdepth 1 -user "$(id -un)" -name "*berth*" 2>/dev/null | sort
	sed 's/:.*//' /proc/net/dev | sort
	find /proc/self/fd -mindepth 1 | wc -l
}

# bats test_tags=long
@test "200 workspaces leave nothing" {
	berth run --rm --name "$prefix-first" --rootfs "$BERTH_TEST_SMALL" -- true
	inventory >before
	for i in $(seq 100); do
		berth run --rm --name "$prefix-$i" --rootfs "$BERTH_TEST_SMALL:O" -- true
	done
	for i in $(seq 101 150); do
		berth run -d --name "$prefix-$i" --rootfs "$BERTH_TEST_SMALL:O" -- sleep 1000 >/dev/null
		berth exec "$prefix-$i" -- true
		berth rm -f "$prefix-$i" >/dev/null
	done
	for i in $(seq 151 200); do
		berth run --name "$prefix-$i" --rootfs "$BERTH_TEST_SMALL:O" -- true
		berth rm "$prefix-$i" >/dev/null
	done
	inventory >after
	diff -u before after
}
