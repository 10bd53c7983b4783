#!/usr/bin/env bats
# The program of tests/lib/without.c, which the tests of the fallbacks rely on.

load ../lib/common

setup()
{
	probe root without
	common_setup
}

@test "a refused system call answers ENOSYS, or what it was told" {
	run "$BERTH_TEST_WITHOUT" uname -- uname
	assert_status 1
	assert_has "Function not implemented"

	run "$BERTH_TEST_WITHOUT" uname=EPERM -- uname
	assert_status 1
	assert_has "Operation not permitted"
}

@test "below it newuidmap keeps its privilege" {
	run "$BERTH_TEST_WITHOUT" getppid -- "$BERTH_TEST_AS_USER" \
		unshare --map-root-user --map-auto cat /proc/self/uid_map
	assert_status 0
	assert_equal "${#lines[@]}" 2 # the second extent takes newuidmap
}

@test "an unknown system call or answer is refused" {
	run "$BERTH_TEST_WITHOUT" no_such_call -- true
	assert_status 125
	assert_has "unknown system call 'no_such_call'"

	run "$BERTH_TEST_WITHOUT" uname=ENOSUCH -- true
	assert_status 125
	assert_has "unknown answer 'ENOSUCH'"
}
