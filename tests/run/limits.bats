# Limits of the workspace's group. Those of cpu, memory, io and pids need cgroup v2 alone and are
# tried in tests/vm/limits.bats; here is what any machine with a delegated group has.

bats_require_minimum_version 1.5.0
load ../lib/common

setup()
{
	common_setup
	probe small
	name=$(new_name)
}

# A group that the user may write, where one of its own is not made by systemd.
probe_group() { [ -n "${BERTH_TEST_CGROUP:-}" ] || fail "no delegated group"; }

probe_hugetlb()
{
	probe_group
	grep -qw hugetlb "$BERTH_TEST_CGROUP/cgroup.controllers" || fail "no hugetlb controller"
}

# without CONTROLLER: a controller that the group here does not have.
probe_without() { probe_group; ! grep -qw "$1" "$BERTH_TEST_CGROUP/cgroup.controllers"; }

start() { berth run -d --rm --name "$name" --rootfs "$BERTH_TEST_SMALL" "$@" -- sleep 60; }

# The directory of the workspace's limits.
group()
{
	local mount path

	mount=$(berth inspect "$name" | sed -n 's/.*"cgroup_mount": "\(.*\)",*/\1/p')
	path=$(berth inspect "$name" | sed -n 's/.*"cgroup": "\(.*\)",*/\1/p')
	printf '%s%s\n' "$mount" "$path"
}

@test "the number of cgroups inside is limited without a word" {
	probe group
	start
	assert_equal "$(cat "$(group)/cgroup.max.descendants")" 4096
	assert_equal "$(cat "$(group)/cgroup.max.depth")" 32
}

@test "--max-descendants and --max-depth hold against root inside" {
	probe group
	start --max-descendants 4 --max-depth 2
	assert_equal "$(cat "$(group)/cgroup.max.descendants")" 4
	run berth exec "$name" -- sh -c 'cd /sys/fs/cgroup && mkdir a && mkdir a/b'
	assert_status 1 # payload is the first level, a the second
	run berth exec "$name" -- sh -c 'cd /sys/fs/cgroup && mkdir b c d; ls -d [a-z]'
	assert_has $'a\nb\nc' # and payload is the first of four
	run berth exec "$name" -- sh -c 'echo max >/sys/fs/cgroup/cgroup.max.descendants'
	run berth exec "$name" -- sh -c 'mkdir /sys/fs/cgroup/e'
	assert_status 1
}

@test "--hugetlb is written, read back, kept for the next start, and told" {
	probe hugetlb
	berth run -d --name "$name" --rootfs "$BERTH_TEST_SMALL" --hugetlb 2m:4m --max-depth 7 -- sleep 60
	assert_equal "$(cat "$(group)/hugetlb.2MB.max")" 4194304
	run berth inspect "$name"
	assert_has '"hugetlb 2m:4m: hugetlb.2MB.max = 4194304"'
	assert_has '"max-depth 7: cgroup.max.depth = 7"'
	berth kill "$name"
	berth wait --exit "$name" || :
	berth start "$name"
	assert_equal "$(cat "$(group)/hugetlb.2MB.max")" 4194304
	assert_equal "$(cat "$(group)/cgroup.max.depth")" 7
}

@test "root inside cannot lift a limit: its files are out of sight" {
	probe hugetlb
	start --hugetlb 2m:4m
	run berth exec "$name" -- sh -c 'echo max >/sys/fs/cgroup/../hugetlb.2MB.max'
	assert_equal "$(cat "$(group)/hugetlb.2MB.max")" 4194304
	# Those of its own group it may write; above it that changes nothing.
	run -0 berth exec "$name" -- sh -c 'echo max >/sys/fs/cgroup/hugetlb.2MB.max'
	assert_equal "$(cat "$(group)/hugetlb.2MB.max")" 4194304
}

@test "a page size that this machine has not" {
	probe hugetlb
	run -125 --separate-stderr berth run --name "$name" --rootfs "$BERTH_TEST_SMALL" \
		--hugetlb 16m:16m -- true
	[[ $stderr == *"cgroup-limit: "*"hugetlb.16MB.max"* ]]
	[[ $stderr == *"hint: "* ]]
	run -125 berth inspect "$name"
}

@test "a page size that this machine has not, best-effort" {
	probe hugetlb
	run -0 --separate-stderr berth run --name "$name" --rootfs "$BERTH_TEST_SMALL" \
		--hugetlb 16m:16m --hugetlb 2m:2m --best-effort hugetlb -- true
	[[ $stderr == *"hugetlb.16MB.max"*"going on without it"* ]]
	run berth inspect "$name"
	assert_has '"hugetlb 16m:16m: not enforced: it could not be written"'
	assert_has '"hugetlb 2m:2m: hugetlb.2MB.max = 2097152"'
}

@test "a required limit without its controller starts nothing" {
	probe without:memory
	run -125 --separate-stderr berth run --name "$name" --rootfs "$BERTH_TEST_SMALL" \
		--memory 512m -- echo started
	assert_output ""
	[[ $stderr == *"cgroup: --memory 512m: the controller 'memory' is not handed down"* ]]
	[[ $stderr == *"hint: "*"--best-effort memory"* ]]
	run -125 berth inspect "$name"
}

@test "a best-effort limit without its controller is said once, and kept" {
	probe without:memory
	run -0 --separate-stderr berth run --name "$name" --rootfs "$BERTH_TEST_SMALL" \
		--memory 512m --cpus 1 --best-effort memory,cpus -- echo started
	assert_output started
	assert_equal "$(grep -c -- '--memory 512m is not enforced' <<<"$stderr")" 1
	run berth inspect "$name"
	assert_has '"memory 512m: not enforced: the controller'
	run berth plan --rootfs "$BERTH_TEST_SMALL" --memory 512m --best-effort memory -- true
	assert_has 'note: --memory 512m is not enforced'
}

@test "--pids without the controller is held by RLIMIT_NPROC" {
	probe without:pids
	start --pids 20
	run berth inspect "$name"
	assert_has '"pids 20: RLIMIT_NPROC"'
	run berth exec "$name" -- sh -c 'for i in $(seq 40); do sleep 9 & done; echo all'
	assert_has "can't fork"
}
