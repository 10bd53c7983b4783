# shellcheck shell=bash
# Each call that berth can do without, and each that it cannot, made to fail with ENOSYS around
# it, as a seccomp profile of a pod does.

load ../lib/common

setup()
{
	common_setup
	probe small subids without
}

# without CALL...: runs "true" in a workspace of a root of a user namespace, as in a pod: under
# no_new_privs, which the filter takes, newuidmap could not help an ordinary user.
without()
{
	ASAN_OPTIONS=detect_leaks=0 run in_cgroup unshare --map-auto --map-root-user -m \
		"$BERTH_TEST_WITHOUT" -n "$@" -- "$BERTH" run --rm -i --name "$(new_name)" \
		--rootfs "$BERTH_TEST_SMALL" -- sh -c 'echo works; ls /proc/self/fd | wc -l' </dev/null
}

@test "positive control: with every call it works" {
	without getpmsg
	assert_status 0
	assert_has works
}

@test "clone3: clone does it, and the group is joined after birth" {
	without clone3
	assert_status 0
	assert_has works
}

@test "close_range: the list of descriptors does it, and nothing is inherited" {
	without close_range
	assert_status 0
	assert_has "works
4" # 0 to 2, and ls itself reading
}

@test "both at once" {
	without clone3 close_range
	assert_status 0
	assert_has works
}

@test "openat2 and the mount calls are needed, and that is said" {
	local call

	for call in openat2 fsopen open_tree move_mount mount_setattr; do
		without "$call"
		assert_status 125
		assert_has "berth: "
		assert_has "Function not implemented"
	done
	without openat2
	assert_has "berth needs openat2"
}

@test "seccomp refused: nothing runs without its filter" {
	without seccomp=EPERM
	assert_status 125
	[[ $output != *works* ]]
}
