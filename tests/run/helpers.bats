#!/usr/bin/env bats
# The helpers of tests/lib: what the other files rely on without looking.

load ../lib/common

@test "each call of berth has a cgroup of its own" {
	probe cgroup
	[ -n "$BERTH_TEST_CGROUP" ] || return 0 # the user manager's part, not ours

	first=$(in_cgroup grep ^0:: /proc/self/cgroup)
	second=$(in_cgroup grep ^0:: /proc/self/cgroup)
	[ "${first%/*}" = "${second%/*}" ]
	[ "$first" != "$second" ]
}

@test "the user owns his cgroup and its children" {
	probe cgroup
	[ -n "$BERTH_TEST_CGROUP" ] || return 0

	group=$(in_cgroup sed -n 's/^0::.*\///p' /proc/self/cgroup)
	[ -w "$BERTH_TEST_CGROUP/$group/cgroup.subtree_control" ]
}

@test "tests run as an ordinary user without capabilities" {
	[ "$(id -u)" -ne 0 ]
	run grep CapEff /proc/self/status
	assert_output $'CapEff:\t0000000000000000'
}

@test "a skip without a probe fails" {
	run skip "no reason"
	assert_status 1
	assert_has "skip without a probe"
}

@test "a probe that has to pass fails where it does not" {
	BERTH_TEST_REQUIRE=tool run probe tool:no-such-program
	assert_status 1
	assert_has "'no-such-program' is not installed"
}

@test "wait_until waits, and is bounded" {
	(sleep 0.2; touch "$BATS_TEST_TMPDIR/there") 3>&- &
	wait_until 5 test -e "$BATS_TEST_TMPDIR/there"

	run wait_until 0 test -e "$BATS_TEST_TMPDIR/nowhere"
	assert_status 1
	assert_has "not within 0 s"
}

@test "the small root file system is root's, seen from inside" {
	probe small

	run berth unshare -- stat -c '%u:%g %a' "$BERTH_TEST_SMALL/bin/busybox" "$BERTH_TEST_SMALL/tmp"
	assert_output $'0:0 755\n0:0 1777'
}
