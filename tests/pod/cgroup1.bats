# Limits on cgroup v1, in groups that root gives to the user as an administrator would.
# Where the machine has no v1 hierarchies there is nothing to test.

bats_require_minimum_version 1.5.0
load ../lib/common

hierarchies=(cpu cpuset memory pids blkio)

# where CONTROLLER: the mount point of its hierarchy.
where() { awk -v c="$1" '$1 == "cgroup" && ("," $4 ",") ~ ("," c ",") { print $2; exit }' /proc/mounts; }

# A hierarchy for each, in which we may make groups.
probe_v1()
{
	local controller

	for controller in "${hierarchies[@]}"; do
		[ -w "$(where "$controller")/cgroup.procs" ] || fail "no writable $controller hierarchy"
	done
}

setup()
{
	local controller dir file

	common_setup
	probe small tool:unshare v1
	name=$(new_name)
	group=berth.test-$BASHPID
	for controller in "${hierarchies[@]}"; do
		dir=$(where "$controller")/$group
		mkdir "$dir"
		[ "$controller" != cpuset ] || for file in cpuset.cpus cpuset.mems; do
			cat "$dir/../$file" >"$dir/$file"
		done
		chown "$BERTH_TEST_UID" "$dir" "$dir/cgroup.procs"
	done
}

teardown()
{
	local controller left=0

	if [ -e ids ]; then
		with_ids rm -f "$name" 2>/dev/null || :
	fi
	[ -z "${open:-}" ] || rm -rf "$open"
	[ -n "${group:-}" ] || return 0
	berth rm -f "$name" 2>/dev/null || :
	for controller in "${hierarchies[@]}"; do
		# What a test did not remove is its failure, but not the next one's.
		wait_until 5 rmdir "$(where "$controller")/$group" || left=1
	done
	return "$left"
}

in_groups()
{
	local controller

	for controller in "${hierarchies[@]}"; do
		echo "$BASHPID" >"$(where "$controller")/$group/cgroup.procs"
	done
	"$@" 3>&-
}

# berth ARG...: as the user, in those groups.
berth() { (in_groups as_user "$BERTH" "$@"); }

start() { berth run -d --rm --name "$name" --rootfs "$BERTH_TEST_SMALL" "$@" -- sleep 60; }

# limit FILE: what the file of the workspace's group says.
limit() { cat "$(where "$1")/$group/berth-$name/$2"; }

none_left() { [ -z "$(find /sys/fs/cgroup -maxdepth 3 -name "berth-$name")" ]; }

@test "v1: a hog is killed at --memory, and that is told" {
	local hog='dd if=/dev/zero of=/dev/null bs=67108864 count=1 2>/dev/null && echo taken'

	run berth run --rm --name "$name" --rootfs "$BERTH_TEST_SMALL" -- sh -c "$hog" # none is set
	assert_output taken
	run berth run --rm --name "$name" --rootfs "$BERTH_TEST_SMALL" --memory 32m --swap 0 -- sh -c "$hog"
	assert_has "OOM-killed at memory.limit_in_bytes 32 MiB"
	[[ $output != *taken* ]]
	run berth run --name "$name" --rootfs "$BERTH_TEST_SMALL" --memory 32m --swap 0 -- \
		sh -c 'x=x; while :; do x=$x$x; done'
	assert_status 137
	assert_has "OOM-killed at memory.limit_in_bytes 32 MiB"
	run berth inspect "$name"
	assert_has '"memory 32m: memory.limit_in_bytes = 33554432 (cgroup v1)"'
	assert_has '"reason": "OOM-killed at memory.limit_in_bytes 32 MiB: '
	assert_has '"oom_kills": 1'
	none_left
}

@test "v1: a process that is killed for memory is told while the workspace goes on" {
	told() { berth logs "$name" | grep -q "1 of the workspace's processes OOM-killed at memory.limit_in_bytes 32 MiB"; }
	berth run -d --rm --name "$name" --rootfs "$BERTH_TEST_SMALL" --memory 32m --swap 0 -- \
		sh -c 'dd if=/dev/zero of=/dev/null bs=268435456 count=1; sleep 60'
	wait_until 20 told
}

@test "v1: --pids stops a fork bomb" {
	local bomb='for i in 1 2 3 4 5 6 7 8 9; do (sleep 9 & sleep 9 & sleep 9 &); done'

	start
	run -0 berth exec "$name" -- sh -c "$bomb" # none is set
	assert_output ""
	berth rm -f "$name"
	start --pids 20
	assert_equal "$(limit pids pids.max)" 20
	run berth exec "$name" -- sh -c "$bomb"
	assert_has "can't fork"
	[ "$(limit pids payload/pids.current)" -le 20 ]
	run berth inspect "$name"
	assert_has '"pids 20: pids.max = 20 (cgroup v1)"'
	[[ $output != *'"pids_max": 0'* ]]
}

@test "v1: --cpus holds a busy loop back" {
	throttled() { limit cpu cpu.stat | grep -q 'nr_throttled [1-9]'; }
	start --cpus 0.2
	assert_equal "$(limit cpu cpu.cfs_quota_us)" 20000
	berth exec -d "$name" -- sh -c 'while :; do :; done'
	wait_until 20 throttled
}

@test "v1: --cpuset, and what it may not have" {
	run berth run --rm --name "$name" --rootfs "$BERTH_TEST_SMALL" --cpuset 0 -- \
		grep Cpus_allowed_list /proc/self/status
	assert_output $'Cpus_allowed_list:\t0'
	run -125 berth run --name "$name" --rootfs "$BERTH_TEST_SMALL" --cpuset 8000 -- true
	assert_has "cgroup1-limit: write '8000' to 'cpuset.cpus' of cgroup v1"
	assert_has "hint: "
	none_left
}

@test "v1: swap counts with memory, and --cpu-weight becomes shares" {
	swap=(--swap 1m)
	[ -e "$(where memory)/memory.memsw.limit_in_bytes" ] || swap=()
	start --memory 64m "${swap[@]}" --cpu-weight 50
	assert_equal "$(limit cpu cpu.shares)" 512
	assert_equal "$(limit memory memory.limit_in_bytes)" 67108864
	[ "${#swap[@]}" -gt 0 ] || return 0
	assert_equal "$(limit memory memory.memsw.limit_in_bytes)" 68157440
}

@test "v1: what exec starts is limited, too" {
	start --memory 32m --swap 0
	run berth exec "$name" -- sh -c 'x=x; while :; do x=$x$x; done'
	assert_status 137
	run berth inspect "$name"
	assert_has '"oom_kills": 1'
}

@test "v1: root inside sees its own group, and cannot lift the limit above" {
	start --memory 32m
	run berth exec "$name" -- sh -c '
		mkdir /dev/shm/m && mount -t cgroup -o memory m /dev/shm/m
		echo -1 >/dev/shm/m/memory.limit_in_bytes
		echo -1 >/dev/shm/m/../memory.limit_in_bytes
		mkdir /dev/shm/m/below
		cat /dev/shm/m/cgroup.procs >/dev/null && ls /dev/shm/m'
	[[ $output == *memory.limit_in_bytes* ]]
	[[ $output != *berth-* ]]
	assert_equal "$(limit memory memory.limit_in_bytes)" 33554432
	berth rm -f "$name"
	none_left # with the group that root inside made
}

@test "v1: after a crash the next command removes the groups" {
	start --memory 32m --pids 50
	pid=$(berth inspect "$name" | sed -n 's/.*"supervisor": \([0-9]*\).*/\1/p')
	kill -9 "$pid"
	gone() { berth ps -a >/dev/null && none_left; }
	wait_until 10 gone
}

@test "v1: groups that are not the user's are not used" {
	for controller in "${hierarchies[@]}"; do chown 0 "$(where "$controller")/$group"; done
	run -125 berth run --name "$name" --rootfs "$BERTH_TEST_SMALL" --memory 32m -- true
	assert_has "the controller 'memory' is mounted as cgroup v1, and our own group '/$group' there is not ours"
	assert_has "hint: "
	run -0 berth run --rm --name "$name" --rootfs "$BERTH_TEST_SMALL" --memory 32m \
		--best-effort memory -- echo ran
	assert_has "ran"
}

@test "v1: what it has no file for, and a missing berth-cgroup1" {
	run -125 berth run --name "$name" --rootfs "$BERTH_TEST_SMALL" --memory-high 32m -- true
	assert_has "--memory-high 32m: cgroup v1 has nothing like it"
	open=$(mktemp -d /run/berth.test.XXXXXX)
	chmod 755 "$open"
	install -m 0755 "$BERTH" "$open/berth"
	BERTH=$open/berth
	[ ! -e /usr/local/libexec/berth/berth-cgroup1 ] || return 0
	run -125 berth run --name "$name" --rootfs "$BERTH_TEST_SMALL" --memory 32m -- true
	assert_has "berth-cgroup1, which writes there, is missing"
}

# IDs for root's workspaces, and a tree that these may reach.
lend()
{
	open=$(mktemp -d /var/tmp/berth.test.XXXXXX)
	chmod 755 "$open"
	cp -a "$BERTH_TEST_SMALL" "$open/root"
	echo 'root:5000000:65536' >ids
}

# with_ids ARG...: berth as root, with those.
with_ids()
{
	XDG_RUNTIME_DIR=$open BERTH=$BERTH unshare -m --propagation private \
		bash -ec 'mount --bind ids /etc/subuid; mount --bind ids /etc/subgid; exec "$BERTH" "$@"' _ "$@"
}

@test "v1: root with lent IDs moves an init that has other ones" {
	lend
	run -0 with_ids run --rm --name "$name" --rootfs "$open/root" --memory 32m --pids 9 -- \
		sh -c 'grep Uid /proc/1/status; cat /proc/self/cgroup'
	assert_has $'Uid:\t0\t0\t0\t0' # the launcher's ID is gone
	[[ $output != *"$name"* ]]
	none_left
}

# The whole disk that /var/tmp is on, as MAJOR:MINOR.
disk()
{
	local dir

	dir=$(readlink -e "/sys/dev/block/$(findmnt -nro MAJ:MIN -T /var/tmp)")
	[ ! -e "$dir/partition" ] || dir=${dir%/*}
	cat "$dir/dev"
}
probe_disk() { [ -n "$(disk)" ] || fail "/var/tmp is on no disk"; }

@test "v1: --io is kept where root inside is not who starts berth, and refused where he is" {
	probe disk tool:findmnt
	run -125 berth run --name "$name" --rootfs "$BERTH_TEST_SMALL" --io "$(disk):rbps=1m" -- true
	assert_has "cgroup v1 counts it in one group only, which root inside would own"
	assert_has "hint: "

	lend
	head -c 3M /dev/zero >"$open/root/file"
	with_ids run -d --rm --name "$name" --rootfs "$open/root" \
		--io "$(disk):rbps=1m" --io "$(disk):wiops=50" -- sleep 60
	io=$(where blkio)/$(sed -n 's/^[0-9]*:blkio:\///p' /proc/self/cgroup)/berth-$name/payload
	assert_equal "$(cat "$io/blkio.throttle.read_bps_device")" "$(disk) 1048576"
	assert_equal "$(cat "$io/blkio.throttle.write_iops_device")" "$(disk) 50"
	before=$(date +%s%N)
	with_ids exec "$name" -- dd if=/file of=/dev/null bs=1M iflag=direct
	[ $(($(date +%s%N) - before)) -gt 1500000000 ] || fail "3 MiB at 1 MiB/s in less than 1.5 s"
	with_ids rm -f "$name"
	none_left
}
