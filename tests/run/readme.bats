#!/usr/bin/env bats
# The commands of README.md. In order, as an ordinary user types them; "~/debian" is a link to
# the root file system that scripts/test unpacked.

load ../lib/common
load ../lib/readme

export BATS_TEST_TIMEOUT=300

setup()
{
	common_setup
	HOME=$BATS_TEST_TMPDIR
	# What a block calls "berth" is ours, in a cgroup of its own.
	export -f berth in_cgroup
	export test_prefix BERTH BERTH_TEST_CGROUP HOME
}

teardown()
{
	berth rm -f ws
	common_teardown
}

# run_blocks PATTERN: prints each command, and stops at the first that fails.
run_blocks()
{
	local block

	readme_blocks "$1" "$BATS_TEST_TMPDIR"
	for block in "$BATS_TEST_TMPDIR"/block-*; do
		case $block in
		*' terminal') script -qec "bash -eux '$block'" /dev/null <<<'exit' ;;
		*) bash -eux -o pipefail "$block" </dev/null ;;
		esac
	done
}

@test "README: one command, and the plan" {
	probe small subids
	ln -s "$BERTH_TEST_SMALL" "$HOME/debian"

	run run_blocks small
	assert_status 0
	assert_has 'uid=0(root)'
	assert_has HELLO
	assert_has 'I am root'
	assert_has 'max_inotify_watches = 500'
	assert_has '"kind": "seccomp"'
}

# bats test_tags=debian
@test "README: a whole system" {
	probe debian small subids cgroup tool:script
	ln -s "$BERTH_TEST_ROOTFS" "$HOME/debian"
	ln -s "$BERTH_TEST_SMALL_TAR" "$HOME/small.tar"

	run run_blocks 'debian.*'
	assert_status 0
	assert_has running
	assert_has 'hello from a container in a workspace'
	assert_has '"name": "ws"'
	assert_has 'root@ws'
	[ ! -e "$HOME/debian" ]
	run berth ps -aq
	[[ " $output " != *' ws '* ]]
}
