#!/usr/bin/env bats
# Each call that a seccomp profile or AppArmor around berth may forbid, made to fail with EPERM
# or EACCES: one line, the remedy, nothing left. What fails with ENOSYS is in fallbacks.bats.

load ../lib/common
load ../lib/leavings

setup()
{
	probe small subids without
	common_setup
	name=$(new_name)
	mkdir volume
	before=$(tree_below "$BERTH_TEST_SMALL" volume)
}

# world COMMAND...: as root of a user namespace, as in a pod: the filter takes no_new_privs,
# under which newuidmap cannot help an ordinary user.
world() { run --separate-stderr in_cgroup unshare --map-auto --map-root-user -m "$@"; }

# without CALL=ERROR... -- [ARG...]
without()
{
	local calls=()

	while [ "$1" != -- ]; do
		calls+=("$1")
		shift
	done
	shift
	ASAN_OPTIONS=detect_leaks=0 world "$BERTH_TEST_WITHOUT" -n "${calls[@]}" -- \
		"$BERTH" run --name "$name" --rootfs "$BERTH_TEST_SMALL:O" -v "$PWD/volume:/mnt:ro" \
		"$@" -- echo started
}

# refused STEP HINT CALL=ERROR... -- [ARG...]; STEP is a pattern.
refused()
{
	local step=$1 hint=$2 want said

	shift 2
	want="berth: $step: *"$'\nhint: '"*$hint*"
	without "$@"
	# shellcheck disable=SC2154 # run sets it
	said=$(grep -v '^berth: warning: ' <<<"$stderr" || true)
	[ "$status" -eq 125 ] || fail "$*: exit status $status: $stderr"
	assert_output ""
	assert_equal "$(wc -l <<<"$said")" 2
	# shellcheck disable=SC2053 # a pattern
	[[ $said == $want ]] || fail "$*: not of step '$step' with the hint '$hint':" $'\n'"$said"
	nothing_left "$name"
	assert_equal "$(tree_below "$BERTH_TEST_SMALL" volume)" "$before"
}

@test "positive control: with every call it starts" {
	without getpmsg=EPERM -- --rm
	assert_output started
	assert_status 0
	nothing_left "$name"
}

@test "namespaces: clone, after clone3 was hidden or forbidden" {
	refused spawn seccompProfile clone3 clone=EPERM --
	refused spawn seccompProfile clone3=EPERM clone=EPERM --
	refused spawn user.max_user_namespaces clone3 clone=ENOSPC --
	refused spawn "hides clone" clone3 clone=ENOSYS --
	refused spawn "pids.max" clone3 clone=EAGAIN --
}

@test "clone3 forbidden is clone3 hidden" {
	without clone3=EPERM -- --rm
	assert_output started
	nothing_left "$name"
}

# bats test_tags=long
@test "mounts" {
	refused private AppArmor mount=EACCES --
	refused private userns mount=EPERM --
	for call in fsopen fsconfig fsmount open_tree move_mount mount_setattr; do
		refused '*' seccompProfile "$call=EPERM" --
	done
}

@test "the root: pivot_root, umount2, openat2, chroot" {
	refused pivot seccompProfile pivot_root=EPERM --
	refused unshare seccompProfile unshare=EPERM --
	refused detach seccompProfile umount2=EPERM --
	refused root seccompProfile openat2=EPERM --
	refused warden seccompProfile chroot=EPERM --
}

@test "identity and confinement: setgroups, capset, prctl, seccomp" {
	for call in setgroups capset prctl seccomp; do
		refused warden seccompProfile "$call=EPERM" --
	done
}

@test "the host name" {
	refused hostname seccompProfile sethostname=EPERM -- --hostname other
}

@test "the birth of the command is berth's affair: 125" {
	refused spawn seccompProfile vfork=EPERM --
	refused spawn pids.max vfork=EAGAIN --
}

@test "descriptors and memory that are used up" {
	refused launch "ulimit -n" socketpair=EMFILE --
	refused launch "ulimit -n" pipe2=EMFILE --
	refused spawn memory clone3 clone=ENOMEM --
}

@test "-d: the caller is told the same" {
	refused private userns mount=EPERM -- -d
	refused pivot seccompProfile pivot_root=EPERM -- -d
	refused spawn seccompProfile vfork=EPERM -- -d
}
