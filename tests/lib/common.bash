# shellcheck shell=bash
# For every bats file: "load ../lib/common". A file that needs more in setup() or teardown()
# defines its own and calls common_setup or common_teardown there.
#
# Set by scripts/test:
#   BERTH                  the binary under test
#   BERTH_TEST_BUILD       "build", or "build-asan" with sanitizers
#   BERTH_TEST_SMALL       an unpacked root file system of one busybox (do not write to it)
#   BERTH_TEST_SMALL_TAR   the same as a tar, also an image for "docker import"
#   BERTH_TEST_ROOTFS      an unpacked Debian with systemd and docker.io; empty with --fast
#   BERTH_TEST_WORKSPACE   one with a developer's tools, skopeo and umoci, for tests/pod/workspace.bats
#   BERTH_TEST_WORKSPACE_TAR  the same as a tar
#   BERTH_TEST_BASES       a directory with bookworm.tar and trixie.tar: what debian:SUITE is
#   BERTH_TEST_SOURCE      berth's source as a tar
#   BERTH_TEST_WITHOUT     the program of tests/lib/without.c
#   BERTH_TEST_CGROUP      the user's delegated cgroup; empty where berth has to find its own
#   BERTH_TEST_AS_USER     as-user COMMAND...: root's way to become the ordinary user
#   BERTH_TEST_USER, _UID, _HOME, _RUNTIME: who that is, and his XDG_RUNTIME_DIR
#   BERTH_TEST_REQUIRE     the probes that have to pass, since scripts/test saw to them
#
# A test that needs Debian carries "# bats test_tags=debian" (a file: file_tags) and says
# "probe debian"; one that waits for seconds, and shows nothing more in a build with sanitizers,
# carries "long" and is run with the release build alone. Nothing else decides what runs.

bats_require_minimum_version 1.5.0

# The longest a test may take, unless it says otherwise in its file.
export BATS_TEST_TIMEOUT=${BATS_TEST_TIMEOUT:-120}

setup()    { common_setup; }
teardown() { common_teardown; }

common_setup()
{
	test_prefix=t$BATS_SUITE_TEST_NUMBER-$$
	cd "$BATS_TEST_TMPDIR" || return
}

# Removes every workspace of this test, and fails if one resists.
common_teardown()
{
	local entry failed=0

	for entry in "${XDG_RUNTIME_DIR:-/run}/berth/$test_prefix"-*; do
		[ -e "$entry" ] || continue
		berth rm -f "${entry##*/}" || failed=1
	done
	if [ -n "${BERTH_TEST_CGROUP:-}" ]; then
		find "$BERTH_TEST_CGROUP" -mindepth 1 -maxdepth 1 -name "$test_prefix-*" \
			-exec find {} -depth -type d -exec rmdir {} ';' ';' 2>/dev/null
	fi
	return "$failed"
}

# new_name: prints a name for a workspace that no other test has; teardown removes it.
new_name() { printf '%s-%s\n' "$test_prefix" "$BASHPID$RANDOM"; }

# berth ARG...: the binary under test, in a cgroup of its own as each pod and session has one.
berth() { in_cgroup "$BERTH" "$@"; }

# own_berth: prints where a copy of the binary is that belongs to us: to a pod's root belongs that of the image,
# and the one under test may be the node's.
own_berth()
{
	local copy=$BATS_TEST_TMPDIR/own-berth

	[ -x "$copy" ] || install -m 0755 "$BERTH" "$copy"
	printf '%s\n' "$copy"
}

# in_cgroup COMMAND...: for what has to stand around berth: in_cgroup timeout 5 "$BERTH" ...
in_cgroup()
{
	(
		if [ -n "${BERTH_TEST_CGROUP:-}" ]; then
			group=$BERTH_TEST_CGROUP/$test_prefix-$BASHPID
			mkdir -p "$group"
			echo "$BASHPID" >"$group/cgroup.procs"
		fi
		exec "$@" 3>&- # bats waits for the last holder of its own 3
	)
}

# as_user COMMAND...: for the root tests of tests/pod.
as_user() { "$BERTH_TEST_AS_USER" "$@" 3>&-; }

# wait_until SECONDS COMMAND...: until COMMAND succeeds, asked 20 times a second.
wait_until()
{
	local seconds=$1 deadline

	shift
	deadline=$(($(date +%s%N) + seconds * 1000000000))
	until "$@"; do
		if [ "$(date +%s%N)" -ge "$deadline" ]; then
			echo "not within $seconds s: $*" >&2
			return 1
		fi
		sleep 0.05
	done
}

fail()
{
	printf '%s\n' "$*" >&2
	return 1
}

# The last three look at what "run" left behind.

assert_equal()
{
	[ "$1" = "$2" ] || fail "got      '$1'" $'\n'"expected '$2'"
}

assert_status()
{
	# shellcheck disable=SC2154 # run sets both
	[ "$status" -eq "$1" ] || fail "exit status $status, expected $1; output:" $'\n'"$output"
}

assert_output() { assert_equal "$output" "$1"; }

assert_has()
{
	[[ $output == *"$1"* ]] || fail "no '$1' in:" $'\n'"$output"
}

# Prerequisites, each a function probe_NAME that succeeds or prints what is missing.

# probe NAME...: skips the test unless each is there. The only way to skip: a test that
# cannot fail is worse than none, so a bare skip fails.
probe()
{
	local name reason

	for name; do
		reason=$("probe_${name%%:*}" "${name#*:}" 2>&1) && continue
		if [[ " ${BERTH_TEST_REQUIRE:-} " == *" ${name%%:*} "* ]]; then
			fail "'$name' should be here, but: $reason"
			return 1
		fi
		bats_skip "needs $name: $reason"
	done
}

eval "bats_$(declare -f skip)"
skip() { fail "skip without a probe: $*"; }

probe_tool()
{
	command -v "$1" >/dev/null || fail "'$1' is not installed"
}

probe_file()
{
	[ -r "$1" ] || fail "no file '$1'"
}

probe_root()
{
	[ "$(id -u)" -eq 0 ] || fail "uid $(id -u)"
}

probe_small()
{
	[ -x "${BERTH_TEST_SMALL:-/nonexistent}/bin/busybox" ] || fail "BERTH_TEST_SMALL is not set"
}

probe_debian()
{
	[ -x "${BERTH_TEST_ROOTFS:-/nonexistent}/usr/sbin/dockerd" ] ||
		fail "BERTH_TEST_ROOTFS is no Debian with dockerd"
}

probe_without()
{
	[ -x "${BERTH_TEST_WITHOUT:-/nonexistent}" ] || fail "BERTH_TEST_WITHOUT is not set"
}

probe_subids()
{
	grep -qE "^($(id -un)|$(id -u)):" /etc/subuid || fail "no line in /etc/subuid"
}

# What systemd inside needs: a cgroup of ours, or a manager to ask for one.
probe_cgroup()
{
	[ -n "${BERTH_TEST_CGROUP:-}" ] || [ -S "${XDG_RUNTIME_DIR:-}/systemd/private" ] ||
		fail "neither a delegated cgroup nor a user manager"
}
