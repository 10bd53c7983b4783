#!/usr/bin/env bats
# The guest of tests/vm is what it should be, and a workspace of an ordinary user works in it:
# systemd and dockerd with all controllers of cgroup v2 (tier A). Run as the guest's root.

load ../lib/common

setup_file()
{
	export test_prefix=t-smoke-$$ ws=t-smoke-$$-ws dir

	# The layer above the tree is no place for dockerd's own layers, so those are a volume.
	dir=$(as_user mktemp -d /var/tmp/smoke.XXXXXX)
	as_user mkdir "$dir/docker" "$dir/state"
	as_user "$BERTH" run --name "$ws" -d --rootfs "$BERTH_TEST_ROOTFS:O" --state "$dir/state" \
		-v "$dir/docker:/var/lib/docker" --memory 1500m --pids 1000
}

teardown_file()
{
	as_user "$BERTH" rm -f "$ws"
	as_user "$BERTH" unshare -- rm -rf "$dir"
}

setup()    { cd "$BATS_TEST_TMPDIR" || exit; }
teardown() { :; } # nothing is one test's own

inside() { as_user "$BERTH" exec -i "$ws" -- "$@"; }

@test "cgroup v2 alone, and the user has every controller" {
	run stat -f -c %T /sys/fs/cgroup
	assert_output cgroup2fs
	for controller in cpuset cpu io memory hugetlb pids misc; do
		run cat "$BERTH_TEST_CGROUP/cgroup.subtree_control"
		assert_has "$controller"
	done
}

@test "AppArmor confines, and no security module of the guest is off" {
	run cat /sys/module/apparmor/parameters/enabled
	assert_output Y
	run cat /sys/kernel/security/lsm
	assert_has apparmor
}

@test "the trees are the user's, and root inside is him" {
	run stat -c %u:%g "$BERTH_TEST_ROOTFS/bin/sh" "$BERTH_TEST_SMALL/bin"
	assert_output $'1000:1000\n1000:1000'
	run as_user "$BERTH" run --rootfs "$BERTH_TEST_SMALL" -- sh -c 'id -u; stat -c %u /bin'
	assert_output $'0\n0'
}

@test "an unmodified Debian boots: running, no unit failed" {
	run as_user timeout 240 "$BERTH" wait --ready "$ws"
	assert_status 0
	run inside systemctl is-system-running
	assert_output running
}

@test "dockerd is on overlay2 and cgroup v2 with systemd, and limits memory, CPU and processes" {
	run inside docker info --format '{{.Driver}} {{.CgroupVersion}} {{.CgroupDriver}}'
	assert_output "overlay2 2 systemd"
	run inside docker info --format '{{.MemoryLimit}} {{.SwapLimit}} {{.CPUCfsQuota}} {{.PidsLimit}}'
	assert_output "true true true true"
	# Of what it misses it warns, line by line.
	run inside docker info --format '{{range .Warnings}}{{println .}}{{end}}'
	[[ $output != *"No "* ]] || fail "$output"
}

@test "docker run -m, --cpus and --pids-limit reach their cgroup" {
	inside docker import - small <"$BERTH_TEST_SMALL_TAR"
	run inside docker run --rm -m 64m --cpus 0.5 --pids-limit 50 small sh -c \
		'cd /sys/fs/cgroup; cat memory.max cpu.max pids.max'
	assert_output $'67108864\n50000 100000\n50'
}

# near A B MORE: no further from one another than a tenth and MORE.
near() { [ $(($1 - $2)) -le $(($2 / 10 + $3)) ] && [ $(($2 - $1)) -le $(($2 / 10 + $3)) ]; }

@test "systemd-cgtop shows the workspace's groups and no others, and what they use of its limits" {
	local group path tasks memory rest rows=0

	group=$(find "$BERTH_TEST_CGROUP" -path "*/berth-$ws/payload")
	run inside systemd-cgtop --batch --iterations=1 --raw --order=path --depth=2
	assert_status 0
	while read -r path tasks rest memory rest; do
		# All that it shows is there, and below what we call "payload".
		[ -d "$group/$path" ] || fail "no group '$path' in:"$'\n'"$output"
		rows=$((rows + 1))
		case $path in
		/)
			near "$tasks" "$(<"$group/pids.current")" 10 || fail "$tasks tasks in all"
			near "$memory" "$(<"$group/memory.current")" 8388608 || fail "$memory bytes in all"
			[ "$tasks" -le 1000 ] && [ "$memory" -le 1572864000 ] || fail "$tasks, $memory: above the limits"
			;;
		*system.slice/docker.service)
			near "$tasks" "$(<"$group/system.slice/docker.service/pids.current")" 5 || fail "$tasks of dockerd"
			;;
		esac
	done <<<"$output"
	[ "$rows" -ge 5 ] || fail "$output"
	assert_has system.slice/docker.service
	# Of the machine there are far more.
	near "$(ps -eL --no-headers | wc -l)" "$(<"$group/pids.current")" 10 && fail "as many as of the machine"
	[[ $output != *berth-test* ]] || fail "$output"
}

@test "stop is a clean power-off, and leaves no group" {
	run as_user "$BERTH" stop "$ws"
	assert_status 0
	run as_user "$BERTH" inspect "$ws"
	assert_has '"reason": "powered off"'
	run find "$BERTH_TEST_CGROUP" -mindepth 1 -name "berth-*"
	assert_output ""
}
