#!/usr/bin/env bats
# Each call that berth can do without, and each that it cannot, made to fail with ENOSYS around
# it, as a seccomp profile of a pod does.

load ../lib/common
load ../lib/leavings

setup()
{
	common_setup
	probe small subids without
	name=$(new_name)
}

# without CALL...: runs "true" in a workspace of a root of a user namespace, as in a pod: under
# no_new_privs, which the filter takes, newuidmap could not help an ordinary user.
without()
{
	ASAN_OPTIONS=detect_leaks=0 run in_cgroup unshare --map-auto --map-root-user -m \
		"$BERTH_TEST_WITHOUT" -n "$@" -- "${program:-$BERTH}" run --rm -i --name "$name" \
		--net none --rootfs "$BERTH_TEST_SMALL:O" -- \
		sh -c 'echo works; ls /proc/self/fd | wc -l; cat /proc/self/cgroup; echo end' </dev/null
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

@test "sethostname: a name that nobody asked for may be missing, another may not" {
	without sethostname=EPERM
	assert_status 0
	assert_has works
	assert_has "hostname: set the host name '$name': Operation not permitted, going on without it"
	ASAN_OPTIONS=detect_leaks=0 run in_cgroup unshare --map-auto --map-root-user -m \
		"$BERTH_TEST_WITHOUT" -n sethostname=EPERM -- "$BERTH" run --rm --name "$name" \
		--rootfs "$BERTH_TEST_SMALL:O" --hostname box -- true
	assert_status 125
	assert_has "berth: hostname: set the host name 'box'"
	assert_has "hint: set seccompProfile to one that allows sethostname, or go without --hostname"
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

# refused STEP HINT CALL...: nothing runs without them, one line says so, and nothing is left.
# STEP is a pattern.
refused()
{
	local step=$1 hint=$2

	shift 2
	without "$@"
	assert_status 125
	assert_equal "$(grep -c '^berth: ' <<<"$output")" 1
	[[ $output =~ ^berth:\ $step:\  ]] || fail "not of step '$step':" $'\n'"$output"
	if [ -n "$hint" ]; then
		[[ $output == *$'\nhint: '*"$hint"* ]] || fail "no hint '$hint' in:" $'\n'"$output"
	fi
	nothing_left "$name"
}

@test "the group is joined after birth: so says the plan, and there it is" {
	probe cgroup
	run in_cgroup unshare --map-auto --map-root-user -m "$BERTH" plan -d --rootfs "$BERTH_TEST_SMALL" -- true
	[[ $output != *cgroup-join* ]]
	run in_cgroup unshare --map-auto --map-root-user -m "$BERTH_TEST_WITHOUT" -n clone3 -- \
		"$BERTH" plan -d --rootfs "$BERTH_TEST_SMALL" -- true
	assert_has cgroup-join
	without clone3
	assert_has $'\n0::/\n' # a namespace of its own, which begins there
}

@test "both answers that a profile gives: ENOSYS and EPERM" {
	for code in ENOSYS EPERM; do
		without "clone3=$code" "close_range=$code"
		assert_status 0
		assert_has works
	done
}

@test "the mount calls are needed, and that is said" {
	for call in fsopen fsconfig fsmount open_tree move_mount mount_setattr; do
		refused root "Linux 5.12" "$call"
		assert_has "Function not implemented"
		refused root "" "$call=EPERM"
	done
	refused private "Linux 5.12" mount
	refused pivot "Linux 5.12" pivot_root
}

@test "openat2 is needed, and that is said; clearing up does without" {
	refused root "berth needs openat2" openat2
	refused root "" openat2=EPERM
}

@test "neither clone3 nor clone" {
	refused spawn "hides clone" clone3 clone
	refused spawn "user namespaces are forbidden" clone3 clone=EPERM
}

@test "seccomp refused: nothing runs without its filter" {
	# Two of them, each with its own filter, and either may be the first.
	refused '(warden|seccomp)' "Linux 5.12" seccomp
	refused '(warden|seccomp)' "" seccomp=EPERM
}

@test "pidfd_send_signal is needed; the end of what was begun does without" {
	refused launch "Linux 5.12" pidfd_send_signal
}

@test "namespaces by the pidfd alone, and by number on kernels before 6.11" {
	local list='cd /proc/self/ns && for n in cgroup ipc mnt net pid user uts; do readlink "$n"; done' how

	for how in getpmsg ioctl:ff; do
		ASAN_OPTIONS=detect_leaks=0 run in_cgroup "$BERTH_TEST_WITHOUT" -n "$how" -- "$BERTH" run -d \
			--name "$name" --net none --rootfs "$BERTH_TEST_SMALL" -- \
			sh -c "$list >/dev/shm/own && mv /dev/shm/own /dev/shm/namespaces; exec sleep 1000"
		assert_status 0
		wait_until 10 "$BERTH" exec "$name" -- test -e /dev/shm/namespaces
		run "$BERTH" exec "$name" -- sh -c "$list | diff - /dev/shm/namespaces && wc -l </dev/shm/namespaces"
		assert_status 0
		[ "$output" = 7 ]
		run "$BERTH" rm -f "$name"
		assert_status 0
	done
}

@test "a binary that root inside could write to is not started from where it lies" {
	program=$(own_berth)
	refused airlock "Linux 5.12" memfd_create
	refused airlock "vm.memfd_noexec" memfd_create=EACCES
	refused airlock "Linux 5.12" execveat
}

@test "a seal that the kernel refuses for a moment is asked for again, and not for ever" {
	probe subids tool:strace
	local name

	name=$(new_name)
	cat >script <<-'END'
		"$BERTH" run -d --name "$1" --rootfs "$BERTH_TEST_SMALL:O" --net none -- sleep 1000 >/dev/null
		traced() { strace -qq -e signal=none -e trace=fcntl "$@"; }
		traced -o once "$BERTH" exec "$1" -- true
		n=$(grep -n -m 1 F_ADD_SEALS once | cut -d : -f 1)
		traced -o again -e inject=fcntl:error=EBUSY:when=$n..$((n + 2)) "$BERTH" exec "$1" -- echo here
		grep -c "F_ADD_SEALS.*EBUSY.*INJECTED" again
		traced -o never -e inject=fcntl:error=EBUSY:when=$n..$((n + 100)) "$BERTH" exec "$1" -- true || echo "status $?"
		"$BERTH" rm -f "$1" >/dev/null
	END
	# Its own file is one that root of the namespace could write to.
	BERTH=$(own_berth)
	export BERTH
	ASAN_OPTIONS=detect_leaks=0 run in_cgroup unshare --map-auto --map-root-user -m bash -eu script "$name"
	assert_equal "$output" "here
3
berth: seal: seal the file in memory: Device or resource busy
status 125"
}
