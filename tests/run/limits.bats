# Limits of the workspace's group. What needs a controller of cgroup v2 asks for it: the guest of
# tests/vm has all of them.

bats_require_minimum_version 1.5.0
load ../lib/common
load ../lib/network

setup()
{
	common_setup
	probe small
	name=$(new_name)
}

teardown()
{
	if [ -n "${pod_pid:-}" ]; then
		mount_is rw
		pod_down
	fi
	common_teardown
}

# A group that the user may write, where one of its own is not made by systemd.
probe_group() { [ -n "${BERTH_TEST_CGROUP:-}" ] || fail "no delegated group"; }

# controller:NAME: our group has it to give; lacks:NAME: it has not.
probe_controller()
{
	probe_group || return
	grep -qw "$1" "$BERTH_TEST_CGROUP/cgroup.controllers" || fail "no $1 controller"
}
probe_hugetlb() { probe_controller hugetlb && [ -d /sys/kernel/mm/hugepages/hugepages-2048kB ]; }
probe_lacks() { probe_group && ! grep -qw "$1" "$BERTH_TEST_CGROUP/cgroup.controllers"; }

# soon COMMAND...: within a time that an emulated machine keeps, too.
soon() { timeout 20 "$@" || fail "not within 20 s: $*"; }

# Another workspace, and whether it answers while ours does what it should not.
neighbour_up()
{
	neighbour=$(new_name)
	berth run -d --name "$neighbour" --rootfs "$BERTH_TEST_SMALL" -- sleep 3600
	neighbour_answers
}
neighbour_answers() { assert_equal "$(soon "$BERTH" exec "$neighbour" -- echo here)" here; }

start() { berth run -d --rm --name "$name" --rootfs "$BERTH_TEST_SMALL" "$@" -- sleep 600; }

# without EXPECTED COMMANDS [OPTION...]: the positive control of a limit, in a workspace that has none.
without()
{
	run -0 --separate-stderr berth run --rm --name "$(new_name)" --rootfs "$BERTH_TEST_SMALL" --init none \
		"${@:3}" -- sh -c "$2"
	assert_output "$1"
}

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
	# With a network of its own its relay's is another one.
	start --net none --max-descendants 4 --max-depth 2
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
	# Those of its own group it may write, unless the machine has cgroup2 with nsdelegate; above it
	# that changes nothing.
	run berth exec "$name" -- sh -c 'echo max >/sys/fs/cgroup/hugetlb.2MB.max'
	if grep -q '^[^ ]* [^ ]* cgroup2 [^ ]*nsdelegate' /proc/mounts; then
		assert_has "Operation not permitted"
	else
		assert_status 0
	fi
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
	probe lacks:memory
	run -125 --separate-stderr berth run --name "$name" --rootfs "$BERTH_TEST_SMALL" \
		--memory 512m -- echo started
	assert_output ""
	[[ $stderr == *"cgroup: --memory 512m: the controller 'memory' is "* ]]
	[[ $stderr == *"hint: "*"--best-effort memory"* ]]
	run -125 berth inspect "$name"
}

@test "a best-effort limit without its controller is said once, and kept" {
	probe lacks:memory
	run -0 --separate-stderr berth run --name "$name" --rootfs "$BERTH_TEST_SMALL" \
		--memory 512m --cpus 1 --best-effort memory,cpus -- echo started
	assert_output started
	assert_equal "$(grep -c -- '--memory 512m is not enforced' <<<"$stderr")" 1
	run berth inspect "$name"
	assert_has '"memory 512m: not enforced: the controller'
	run berth plan --rootfs "$BERTH_TEST_SMALL" --memory 512m --best-effort memory -- true
	assert_has 'note: --memory 512m is not enforced'
}

# Starts forty more, where it may.
forty='for i in $(seq 40); do sleep 9 & done; echo all'

@test "--pids without the controller is held by RLIMIT_NPROC" {
	probe lacks:pids
	start --pids 20
	run berth inspect "$name"
	assert_has '"pids 20: RLIMIT_NPROC"'
	run berth exec "$name" -- sh -c "$forty"
	assert_has "can't fork"
	without "all" "$forty"
}

# file NAME: what a file of the limits group says.
file() { cat "$(group)/$1"; }

@test "every limit is in its file" {
	for controller in cpu cpuset memory pids io; do probe controller:$controller; done
	disk=$(cat /sys/block/[vs]da/dev)
	start --cpus 0.5 --cpu-weight 50 --cpuset 0 --memory 64m --memory-high 60m --swap 0 \
		--pids 50 --io "$disk:rbps=1m,wiops=100" --io "$disk:wbps=2m" \
		--max-descendants 10 --max-depth 5
	assert_equal "$(file cpu.max)" "50000 100000"
	assert_equal "$(file cpu.weight)" 50
	assert_equal "$(file cpuset.cpus.effective)" 0
	assert_equal "$(file memory.max)" 67108864
	assert_equal "$(file memory.high)" 62914560
	assert_equal "$(file memory.swap.max)" 0
	assert_equal "$(file pids.max)" 50
	assert_equal "$(file io.max)" "$disk rbps=1048576 wbps=2097152 riops=max wiops=100"
	assert_equal "$(file cgroup.max.descendants)" 10
	assert_equal "$(file cgroup.max.depth)" 5
	run berth inspect "$name"
	assert_has '"memory 64m: memory.max = 67108864"'
	run berth exec "$name" -- nproc
	assert_output 1
	# By these the JVM and its like size themselves.
	run berth exec "$name" -- sh -c 'cat /sys/fs/cgroup/cpu.max /sys/fs/cgroup/memory.max'
	assert_output "50000 100000"$'\n'$((67108864 + 65536))
}

# metric NAME [LABEL]: the value of a metric of the workspace, as metrics.txt has it.
metric() { sed -n "s/^$1{workspace=\"$name\"${2:+,$2}} //p" metrics.txt; }

# between LOW VALUE HIGH: numbers with a point.
between()
{
	awk "BEGIN { exit !($1 <= $2 && $2 <= $3) }" || fail "$2 is not in $1..$3"
}

# cpu_seconds KEY: of cpu.stat.
cpu_seconds() { awk "\$1 == \"$1\" { printf \"%.6f\", \$2 / 1000000 }" "$(group)/cpu.stat"; }

@test "metrics: the processor time is that of the group" {
	local before key

	probe group
	start --net none
	berth exec "$name" -- sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done'
	for key in user system; do
		before=$(cpu_seconds ${key}_usec)
		"$BERTH" stats --format prometheus "$name" >metrics.txt
		between "$before" "$(metric berth_cpu_seconds_total "mode=\"$key\"")" "$(cpu_seconds ${key}_usec)"
	done
	between 0.01 "$(metric berth_cpu_seconds_total 'mode="user"')" 1000
}

as_many_as_before() { [ "$(file pids.current)" = "$before" ]; }

@test "metrics: use, limits and hits are what the files of the group say" {
	local before

	for controller in cpu memory pids io; do probe controller:$controller; done
	start --net none --cpus 0.5 --memory 64m --swap 0 --pids 20
	before=$(file pids.current)
	# Throttled, killed for memory, and refused a fork.
	berth exec "$name" -- sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; dd if=/dev/zero of=/dev/null bs=100M count=1' || true
	berth exec "$name" -- sh -c 'for i in $(seq 30); do sleep 1 & done; wait' || true
	wait_until 30 as_many_as_before # what it had started outlives a shell that cannot fork
	"$BERTH" stats --format prometheus "$name" >metrics.txt
	assert_equal "$(metric berth_cpu_limit_cores)" 0.500
	assert_equal "$(metric berth_memory_limit_bytes)" "$(file memory.max)"
	assert_equal "$(metric berth_swap_limit_bytes)" "$(file memory.swap.max)"
	assert_equal "$(metric berth_pids_limit)" "$(file pids.max)"
	assert_equal "$(metric berth_pids)" "$(file pids.current)"
	between 1 "$(metric berth_memory_bytes)" "$(file memory.max)"
	between 1 "$(metric berth_cpu_throttled_periods_total)" "$(awk '$1 == "nr_throttled" { print $2 }' "$(group)/cpu.stat")"
	between 1 "$(metric berth_oom_kills_total)" "$(awk '$1 == "oom_kill" { print $2 }' "$(group)/memory.events")"
	between 1 "$(metric berth_pids_limit_hits_total)" "$(awk '$1 == "max" { print $2 }' "$(group)/pids.events")"
}

@test "out of memory: the limit and the process are the reason, the exit status stays 137" {
	probe controller:memory
	for memory in "" "--memory 512m --swap 0"; do
		# shellcheck disable=SC2086 # words
		without taken 'dd if=/dev/zero of=/dev/null bs=268435456 count=1 && echo taken' $memory
	done
	run -137 --separate-stderr berth run --name "$name" --rootfs "$BERTH_TEST_SMALL" --init none \
		--memory 64m --swap 0 -- dd if=/dev/zero of=/dev/null bs=268435456 count=1
	run berth inspect "$name"
	assert_has "\"reason\": \"OOM-killed at memory.max 64 MiB: process 'dd'\""
	assert_has '"oom_kills": 1'
}

@test "out of memory under berth's init: what is known is the command" {
	probe controller:memory
	run -137 berth run --name "$name" --rootfs "$BERTH_TEST_SMALL" --memory 64m --swap 0 -- \
		dd if=/dev/zero of=/dev/null bs=268435456 count=1
	run berth inspect "$name"
	assert_has "\"reason\": \"OOM-killed at memory.max 64 MiB: command 'dd'\""
}

@test "a process that is killed for memory is told, also where the command goes on" {
	probe controller:memory
	run -3 --separate-stderr berth run --name "$name" --rootfs "$BERTH_TEST_SMALL" \
		--memory 64m --swap 0 -- sh -c 'dd if=/dev/zero of=/dev/null bs=268435456 count=1; exit 3'
	[[ $stderr == *"1 of the workspace's processes OOM-killed at memory.max 64 MiB"* ]]
	run berth logs "$name"
	assert_has "OOM-killed at memory.max 64 MiB"
	run berth inspect "$name"
	assert_has '"reason": ""'
	assert_has '"oom_kills": 1'
}

@test "the limit of a group inside is not taken for ours" {
	probe controller:memory
	run -137 berth run --name "$name" --rootfs "$BERTH_TEST_SMALL" --init none --memory 512m -- sh -c '
		mkdir /sys/fs/cgroup/main /sys/fs/cgroup/sub
		echo 1 >/sys/fs/cgroup/main/cgroup.procs
		echo +memory >/sys/fs/cgroup/cgroup.subtree_control
		echo 32m >/sys/fs/cgroup/sub/memory.max
		echo 0 >/sys/fs/cgroup/sub/memory.swap.max
		echo 1 >/sys/fs/cgroup/sub/cgroup.procs
		exec dd if=/dev/zero of=/dev/null bs=268435456 count=1'
	run berth inspect "$name"
	assert_has '"reason": "OOM-killed by a limit inside, or the pod'
}

@test "root inside writes its own memory.max, and still dies at ours" {
	probe controller:memory
	run -137 berth run --name "$name" --rootfs "$BERTH_TEST_SMALL" --memory 64m --swap 0 -- sh -c '
		echo max >/sys/fs/cgroup/memory.max
		exec dd if=/dev/zero of=/dev/null bs=268435456 count=1'
	run berth inspect "$name"
	assert_has "OOM-killed at memory.max 64 MiB"
}

# Swap space enough for what does not fit; the guest has a file for it.
probe_swap()
{
	awk 'NR > 1 { free += $3 - $4 } END { exit !(free >= 200 * 1024) }' /proc/swaps || fail "no 200 MiB of swap"
}

# What root inside can reach of the limits is lifted first.
# shellcheck disable=SC2016 # the shell inside
lift='mkdir -p /tmp/c; mount -t cgroup2 none /tmp/c
	for dir in /sys/fs/cgroup/../.. /sys/fs/cgroup/.. /proc/1/root/sys/fs/cgroup/.. /tmp/c/.. /tmp/c /sys/fs/cgroup; do
		for what in memory.swap.max memory.max memory.high; do echo max >$dir/$what; done
	done 2>/dev/null'

# touch_128m SWAP: does so where there are 64 MiB of memory; its status in $status, in $peak the most swap used.
# Of random bytes, since the kernel frees pages of nothing but zeros rather than to swap them out.
touch_128m()
{
	start --net none --memory 64m --swap "$1"
	run berth exec "$name" -- sh -c "$lift"' || :; exec dd if=/dev/urandom of=/dev/null bs=134217728 count=1'
	peak=$(file memory.swap.peak)
}

@test "root inside lifts its own memory.swap.max and those above, and --swap holds" {
	probe controller:memory swap tool:jq
	touch_128m 256m # the positive control
	assert_status 0
	[ "$peak" -ge 50331648 ] || fail "$peak bytes of swap for what 64 MiB of memory do not hold"
	# What is in use is told.
	berth exec "$name" -- sh -c 'mkdir /tmp/t && mount -t tmpfs none /tmp/t && dd if=/dev/zero of=/tmp/t/f bs=1M count=128'
	"$BERTH" stats --format json "$name" >stats.json
	assert_equal "$(jq -c '.[0] | [.swap >= 50331648, .swap_max]' stats.json)" '[true,268435456]'
	"$BERTH" stats --format prometheus "$name" >metrics.txt
	between 50331648 "$(metric berth_swap_bytes)" 268435456
	berth rm -f "$name"

	touch_128m 32m
	assert_status 137
	[[ $peak -gt 0 && $peak -le 33554432 ]] || fail "$peak bytes of swap, of 32 MiB"
	assert_equal "$(file memory.swap.max)" 33554432
	berth rm -f "$name"

	touch_128m 0
	assert_status 137
	assert_equal "$peak" 0
	told() { "$BERTH" logs "$name" | grep -q "OOM-killed at memory.max 64 MiB"; }
	wait_until 20 told # the workspace goes on, so it is told a moment later
}

@test "SIGKILL by berth kill is no lack of memory" {
	probe controller:memory
	berth run -d --name "$name" --rootfs "$BERTH_TEST_SMALL" --memory 64m --swap 0 -- sh -c '
		dd if=/dev/zero of=/dev/null bs=268435456 count=1; sleep 60'
	oom() { [[ $(file memory.events) == *"oom_kill 1"* ]]; }
	wait_until 30 oom
	berth kill "$name"
	berth wait --exit "$name" || :
	run berth inspect "$name"
	assert_has '"reason": "killed by signal 9"'
}

@test "a fork bomb meets pids.max, is told, and the supervisor answers" {
	probe controller:pids
	neighbour_up
	without all "$forty; $forty >/dev/null" # 80, where 40 are too many
	berth run -d --name "$name" --rootfs "$BERTH_TEST_SMALL" --pids 40 -- \
		sh -c 'b() { b | b & }; b; sleep 60'
	full() { [[ $(file pids.events) != "max 0" ]]; }
	wait_until 60 full
	run -0 soon "$BERTH" inspect "$name"
	assert_has '"alive": true'
	run grep -oE '"pids_max": [1-9]' <<<"$output"
	assert_status 0
	neighbour_answers
	told() { berth logs "$name" | grep -q 'the workspace reached pids.max 40'; }
	wait_until 30 told
	soon "$BERTH" stop -t 1 "$name"
	assert_equal "$(find "$BERTH_TEST_CGROUP" -name "berth-$name")" ""
}

# told_of EVENT: the first line of the audit log with that event, its limit and text.
told_of() { jq -r "select(.event == \"$1\") | \"\(.limit): \(.text)\"" audit.log | head -n 1; }

@test "the audit log tells of a limit of pids, and of who was killed for want of memory" {
	probe controller:pids controller:memory tool:jq
	berth run -d --name "$name" --rootfs "$BERTH_TEST_SMALL" --net none --audit-log "$PWD/audit.log" \
		--pids 40 --memory 64m --swap 0 -- sleep 600
	assert_equal "$(told_of limit)$(told_of oom-kill)" ""
	berth exec "$name" -- sh -c "$forty" || :
	told() { [ -n "$(told_of "$1")" ]; }
	wait_until 60 told limit
	run told_of limit
	[[ $output =~ ^"pids: pids: the workspace reached pids.max 40, "[1-9][0-9]*" forks failed so far"$ ]] ||
		fail "$output"
	few() { [ "$(file pids.current)" -lt 20 ]; } # what it had started is over
	wait_until 60 few
	berth exec "$name" -- dd if=/dev/zero of=/dev/null bs=268435456 count=1 || :
	wait_until 60 told oom-kill
	assert_equal "$(told_of oom-kill)" \
		"memory: memory: 1 of the workspace's processes OOM-killed at memory.max 64 MiB"
}

# spent [OPTION...]: in $spent the microseconds of processor time that a busy loop of five seconds has.
spent()
{
	local before

	start --net none "$@"
	before=$(awk '$1 == "usage_usec" { print $2 }' "$(group)/cpu.stat")
	berth exec "$name" -- timeout 5 sh -c 'while :; do :; done' || :
	spent=$(($(awk '$1 == "usage_usec" { print $2 }' "$(group)/cpu.stat") - before))
	berth rm -f "$name"
}

@test "--cpus holds a busy loop back" {
	local limited

	probe controller:cpu
	spent --cpus 0.1
	limited=$spent
	spent
	# By far less than half, also where the machine has little for the other one, and exec's part is large.
	[ $((limited * 2)) -lt "$spent" ] || fail "$limited us, without --cpus $spent us"
}

# The whole disk that we write to, as MAJOR:MINOR.
disk()
{
	local dir

	dir=$(readlink -e "/sys/dev/block/$(findmnt -nro MAJ:MIN -T "$BATS_TEST_TMPDIR")")
	[ ! -e "$dir/partition" ] || dir=${dir%/*}
	cat "$dir/dev"
}
probe_disk() { [ -n "$(disk)" ] || fail "$BATS_TEST_TMPDIR is on no disk"; }

# written: bytes that went to our disk, by io.stat.
written() { sed -n "s/^$(disk) .*wbytes=\([0-9]*\).*/\1/p" "$(group)/io.stat"; }

# write SECONDS [OPTION...]: 8 MiB past the page cache, in so long at most; $bytes went to the disk.
write()
{
	local before

	start --net none -v "$PWD/volume:/volume" "${@:2}"
	before=$(written)
	berth exec "$name" -- timeout "$1" dd if=/dev/zero of=/volume/file bs=256k count=32 oflag=direct || :
	bytes=$(($(written) - ${before:-0}))
	berth rm -f "$name"
}

@test "--io holds back who writes to a disk" {
	probe controller:io tool:findmnt disk
	mkdir volume
	write 4 --io "$(disk):wbps=512k"
	[[ $bytes -ge 262144 && $bytes -le 4194304 ]] || fail "$bytes bytes at 512 KiB/s"
	write 40 --io "$(disk):riops=1000000" # of reading only, so that the group counts
	[ "$bytes" -ge 8388608 ] || fail "$bytes bytes without wbps"
}

# hoard [OPTION...]: in $peak the most bytes a workspace had while it wrote 64 MiB to a disk.
hoard()
{
	start --net none -v "$PWD/volume:/volume" "$@"
	berth exec "$name" -- dd if=/dev/zero of=/volume/file bs=1M count=64
	peak=$(file memory.peak)
	berth rm -f "$name"
}

@test "--memory-high takes back what the page cache has above it" {
	probe controller:memory tool:findmnt disk
	mkdir volume
	hoard --memory-high 16m
	[ "$peak" -lt 41943040 ] || fail "$peak bytes above 16 MiB"
	hoard --memory 512m
	[ "$peak" -ge 67108864 ] || fail "$peak bytes of 64 MiB"
}

@test "one who takes memory without end leaves the supervisor alone" {
	probe controller:memory
	neighbour_up
	berth run -d --name "$name" --rootfs "$BERTH_TEST_SMALL" --memory 32m --swap 0 -- \
		sh -c 'while :; do dd if=/dev/zero of=/dev/null bs=67108864 count=1; done'
	some() { berth inspect "$name" | grep -qE '"oom_kills": ([2-9]|[1-9][0-9])'; }
	wait_until 60 some
	neighbour_answers
	soon "$BERTH" stop -t 1 "$name"
	run berth logs "$name"
	# Bounded: a line for each pause, and not for each victim.
	[ "$(grep -c 'OOM-killed' <<<"$output")" -lt 10 ]
}

@test "50 000 cgroups inside: 4096, and the supervisor takes them away" {
	probe group
	neighbour_up
	berth run -d --name "$name" --rootfs "$BERTH_TEST_SMALL" -- \
		sh -c 'cd /sys/fs/cgroup && mkdir $(seq 50000) 2>/dev/null; touch /tmp/done; sleep 60'
	there() { [ "$(file cgroup.stat | sed -n 's/^nr_descendants //p')" -eq 4096 ]; }
	wait_until 60 there
	run -0 soon "$BERTH" inspect "$name"
	neighbour_answers
	soon "$BERTH" stop -t 1 "$name"
	assert_equal "$(find "$BERTH_TEST_CGROUP" -name "berth-$name")" ""
}

@test "a CPU that is not there is no limit" {
	probe controller:cpuset
	run -125 --separate-stderr berth run --name "$name" --rootfs "$BERTH_TEST_SMALL" --cpuset 500 -- true
	[[ $stderr == *"cgroup-limit: "*"500"* && $stderr == *"hint: "* ]]
	assert_equal "$(find "$BERTH_TEST_CGROUP" -name "berth-$name")" ""
}

@test "--io of a device that is none" {
	probe controller:io
	run -125 --separate-stderr berth run --name "$name" --rootfs "$BERTH_TEST_SMALL" \
		--io 4094:0:rbps=1m -- true
	[[ $stderr == *"cgroup-limit: "*"4094:0"*"hint: --io takes a whole disk"* ]]
	run -125 --separate-stderr berth run --name "$name" --rootfs "$BERTH_TEST_SMALL" \
		--io /dev/null:rbps=1m -- true
	[[ $stderr == *"'/dev/null' is no block device"* ]]
}

# A group of our own to spoil, and a shell in it: in_spoiled COMMANDS COMMAND...
in_spoiled()
{
	local spoil=$1

	shift
	(
		group=$BERTH_TEST_CGROUP/$test_prefix-$BASHPID
		mkdir "$group"
		echo "$BASHPID" >"$group/cgroup.procs"
		cd "$group" || exit
		eval "$spoil"
		exec "$@" 3>&-
	)
}

# Nothing of the workspace is left: neither groups nor an entry.
nothing_left()
{
	assert_equal "$(find "$BERTH_TEST_CGROUP" -name "berth-$name")" ""
	run -125 berth inspect "$name"
}

@test "cgroup.max.descendants of the pod is used up" {
	probe group
	for room in 0 1 2; do
		run -125 --separate-stderr in_spoiled "echo $room >cgroup.max.descendants" \
			"$BERTH" run --name "$name" --rootfs "$BERTH_TEST_SMALL" -i -- true
		[[ $stderr == *"hint: cgroup.max.descendants or cgroup.max.depth is reached"* ]]
		nothing_left
	done
	run -0 in_spoiled "echo 3 >cgroup.max.descendants" \
		"$BERTH" run --name "$name" --rm --rootfs "$BERTH_TEST_SMALL" -i -- true
}

@test "a threaded group is none to build in: said where it is needed" {
	probe group
	threaded='mkdir t; echo threaded >t/cgroup.type; echo $BASHPID >t/cgroup.procs'
	run -0 in_spoiled "$threaded" "$BERTH" run --name "$name" --rm --rootfs "$BERTH_TEST_SMALL" -i -- true
	if [ -S "${XDG_RUNTIME_DIR:-}/systemd/private" ]; then
		# The user's manager has a better one.
		run -0 in_spoiled "$threaded" \
			"$BERTH" run --name "$name" --rm --rootfs "$BERTH_TEST_SMALL" --max-depth 3 -- true
		nothing_left
		return
	fi
	run -125 --separate-stderr in_spoiled "$threaded" \
		"$BERTH" run --name "$name" --rootfs "$BERTH_TEST_SMALL" --max-depth 3 -- true
	[[ $stderr == *"--max-depth 3: our own group is threaded"* && $stderr == *"hint: "* ]]
	nothing_left
}

@test "processes that are born in our group while it is emptied are in nobody's way" {
	probe group
	storm='for i in 1 2 3; do (while :; do /bin/true; done) >/dev/null 2>&1 3>&- & done'
	run in_spoiled "$storm" "$BERTH" run --name "$name" --rm --rootfs "$BERTH_TEST_SMALL" -i -- true
	for group in "$BERTH_TEST_CGROUP/$test_prefix"-*; do echo 1 >"$group/cgroup.kill"; done
	assert_status 0
	nothing_left
}

@test "a pod whose pids.max leaves no room" {
	probe controller:pids
	for room in 1 2 3; do
		run -125 --separate-stderr in_spoiled "echo $room >pids.max" \
			"$BERTH" run --name "$name" --rootfs "$BERTH_TEST_SMALL" -- true
		[[ $stderr == *"hint: "*"pids.max"* ]]
		nothing_left
	done
	run -0 in_spoiled "echo 20 >pids.max" \
		"$BERTH" run --name "$name" --rm --rootfs "$BERTH_TEST_SMALL" -- true
}

@test "who waits for the processor is seen in the metrics" {
	probe controller:cpu pressure
	berth run -d --name "$name" --rootfs "$BERTH_TEST_SMALL" --cpus 0.1 -- sh -c 'while :; do :; done'
	waits()
	{
		"$BERTH" stats --format prometheus "$name" >metrics.txt
		awk "BEGIN { exit !(0$(metric berth_waiting_seconds_total 'resource="cpu"') > 0.1) }"
	}
	wait_until 60 waits
}

# What a kernel counts that has PSI, and has it switched on.
probe_pressure() { cat "$BERTH_TEST_CGROUP/cpu.pressure" >/dev/null; }

# bats test_tags=long
@test "the group is removed under us during the launch" {
	probe group tool:strace
	# A tracer and newuidmap do not go together: one ID, then.
	ASAN_OPTIONS=detect_leaks=0 in_spoiled : setpriv --no-new-privs strace -f -qq -o /dev/null -e trace=clone3 -e inject=clone3:delay_enter=3000000 \
		"$BERTH" run --name "$name" --rootfs "$BERTH_TEST_SMALL" -i -- true 2>"$BATS_TEST_TMPDIR/told" &
	pid=$!
	made() { group=$(find "$BERTH_TEST_CGROUP" -name payload -path "*/berth-$name/*") && [ -n "$group" ]; }
	wait_until 20 made
	rmdir "$group"
	status=0
	wait "$pid" || status=$?
	assert_status 125
	run cat "$BATS_TEST_TMPDIR/told"
	assert_has "berth: spawn: "
	assert_has "hint: "
	nothing_left
}

@test "a process of another PID namespace in our group cannot be moved: said where it is needed" {
	probe group subids
	run -125 --separate-stderr in_spoiled : unshare --user --map-root-user --map-auto --mount --pid --fork --mount-proc \
		"$BERTH" run --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --max-depth 3 -- true
	[[ $stderr == *"berth: cgroup-leaf: a process of another PID namespace sits in our group"* ]] || fail "$stderr"
	[[ $stderr == *"hint: give berth a group of its own"* ]] || fail "$stderr"
	nothing_left
}

# crun exec and runc exec, as the probes of a pod have them, are in the group before they are in the
# PID namespace.
@test "a process of another PID namespace that is about to leave our group is waited for" {
	probe group subids
	in_spoiled : unshare --user --map-root-user --map-auto --mount --pid --fork --mount-proc \
		"$BERTH" run --rm --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --max-depth 3 -- echo here >told 2>&1 &
	pid=$!
	# The stranger is alone there: the others have been moved.
	alone()
	{
		group=$(find "$BERTH_TEST_CGROUP" -path "*/$test_prefix-*/berth.supervisor" -printf '%h') && [ -n "$group" ] &&
			stranger=$(cat "$group/cgroup.procs") && [[ $stranger =~ ^[0-9]+$ ]]
	}
	wait_until 20 alone
	mkdir "$BERTH_TEST_CGROUP/$test_prefix-elsewhere"
	echo "$stranger" >"$BERTH_TEST_CGROUP/$test_prefix-elsewhere/cgroup.procs"
	status=0
	wait "$pid" || status=$?
	assert_equal "$status $(cat told)" "0 here"
	nothing_left
}

@test "a workspace of our name with another runtime directory keeps its group" {
	probe group
	mkdir -m 0700 other
	run in_spoiled : sh -c '
		"$BERTH" run -d --rm --name "$0" --rootfs "$BERTH_TEST_SMALL" -- sleep 600 >/dev/null
		XDG_RUNTIME_DIR=$1 "$BERTH" run -d --name "$0" --rootfs "$BERTH_TEST_SMALL" -- sleep 600
		echo "status $?"
		XDG_RUNTIME_DIR=$1 "$BERTH" ps -a --format json
		"$BERTH" exec "$0" -- echo here' "$name" "$PWD/other"
	assert_has "the group 'berth-$name' has processes already"
	assert_has "hint: a workspace of this name runs with another runtime directory"
	assert_has "status 125"
	assert_equal "${lines[*]: -3}" "[ ] here"
}

# A pod in which the mount of our group's hierarchy can become read-only, and a limit that needs no
# controller, beside some that do.
hierarchy_up()
{
	probe group subids tool:ip tool:nsenter tool:findmnt
	pod_up
	hierarchy=$(findmnt -nro TARGET -T "$BERTH_TEST_CGROUP")
	limit=(--max-depth 7)
	! (probe_controller memory && probe_controller pids) 2>/dev/null || limit+=(--memory 64m --pids 50)
	in_its_pod=(nsenter -t "$pod_pid" -U -n -m -S 0 -G 0 --)
}
mount_is() { in_pod mount -o "remount,bind,$1" "$hierarchy"; }

# limits_hold: in $limits, where the workspace's group is as we see it.
limits_hold()
{
	limits=$(find "$BERTH_TEST_CGROUP" -name "berth-$name")
	assert_equal "$(cat "$limits/cgroup.max.depth")" 7
	[ "${#limit[@]}" -eq 2 ] ||
		assert_equal "$(cat "$limits/memory.max" "$limits/pids.max")" 67108864$'\n'50
}

@test "the mount of cgroup2 is read-only: the limits are held through one of our own" {
	hierarchy_up
	mount_is ro
	run in_pod mkdir "$BERTH_TEST_CGROUP/$test_prefix-no"
	assert_has "Read-only file system"
	run -0 berth_in_pod run -d --rm --name "$name" --rootfs "$BERTH_TEST_SMALL:O" "${limit[@]}" -- sleep 600
	limits_hold
	run -0 --separate-stderr berth_in_pod stop -t 1 "$name"
	assert_equal "$stderr" ""
	nothing_left
	in_pod sh -c 'echo 0 >/proc/sys/user/max_user_namespaces'
	run -125 --separate-stderr berth_in_pod run --name "$name" --rootfs "$BERTH_TEST_SMALL:O" "${limit[@]}" -- true
	[[ $stderr == *"berth: cgroup-view: mount cgroup2 for ourselves: No space left on device"* ]] || fail "$stderr"
	[[ $stderr == *"hint: user.max_user_namespaces is used up"* ]] || fail "$stderr"
	nothing_left
}

@test "the mount of cgroup2 is read-only, and the group is not ours: a limit is refused, and nothing left" {
	local option value foreign

	hierarchy_up
	foreign='in_pod chown 1 "$PWD"; mount_is ro'
	set -- "${limit[@]}"
	while [ $# -gt 0 ]; do
		option=$1 value=$2
		shift 2
		[ "$option" != --pids ] || continue # held by RLIMIT_NPROC then
		mount_is rw
		run -125 --separate-stderr in_spoiled "$foreign" "${in_its_pod[@]}" "$BERTH" run --name "$name" \
			--rootfs "$BERTH_TEST_SMALL:O" "$option" "$value" -- echo started
		assert_output ""
		[[ $stderr == *"berth: cgroup: $option $value: our own group is not delegated to us"* ]] || fail "$stderr"
		[[ $stderr == *"hint: "*"cgroup_writable"*"--best-effort ${option#--}"* ]] || fail "$stderr"
		nothing_left
		mount_is rw
		run -0 --separate-stderr in_spoiled "$foreign" "${in_its_pod[@]}" "$BERTH" run --name "$name" --rm \
			--rootfs "$BERTH_TEST_SMALL:O" "$option" "$value" --best-effort "${option#--}" -- echo started
		assert_output started
		assert_equal "$(grep -c -- "$option $value is not enforced" <<<"$stderr")" 1
	done
}

# read_only_before CALL NUMBER PATH GROUP: the mount becomes read-only when GROUP is there and the launch is
# about to make its CALL of that number about PATH; "." is our own group.
read_only_before()
{
	# It waits for so long there.
	in_spoiled "export group" "${in_its_pod[@]}" bash -c '[ "$2" != . ] || path=$group
		exec strace -f -qq -o /dev/null -P "${path:-$2}" -e trace="$0" \
			-e inject="$0:delay_enter=5000000:when=$1" "$BERTH" "${@:3}"' "${@:1:3}" run --name "$name" \
		--rootfs "$BERTH_TEST_SMALL:O" "${limit[@]}" -- true >told 2>&1 &
	pid=$!
	made() { [ -n "$(find "$BERTH_TEST_CGROUP" -path "$BERTH_TEST_CGROUP/$test_prefix-*/$1")" ]; }
	wait_until 20 made "$4"
	wait_until 4 mount_is ro # refused while it still writes who is to move there
	status=0
	wait "$pid" || status=$?
	assert_status 125
	run cat told
	assert_has "hint: the cgroup mount became read-only"
}

@test "the mount of cgroup2 becomes read-only during the launch: said, and what is left goes later" {
	local call number path step

	probe tool:strace
	hierarchy_up
	export ASAN_OPTIONS=detect_leaks=0 # a tracer is there
	read_only_before mkdirat 2 . berth.supervisor # where what is in our group goes
	assert_has "berth: cgroup-make: make the group 'berth-$name': Read-only file system"
	mount_is rw
	nothing_left
	while read -r call number path step; do
		read_only_before "$call" "$number" "${path//NAME/$name}" "berth-$name"
		[[ $output == *"berth: $step: "*": Read-only file system"* ]] || fail "$output"
		[[ $output == *"remove cgroup 'berth-$name': "*"Read-only file system, left for the next berth command"* ]] ||
			fail "$output"
		berth_in_pod ps >/dev/null
		[ -n "$(find "$BERTH_TEST_CGROUP" -name "berth-$name")" ]
		mount_is rw
		berth_in_pod ps >/dev/null
		nothing_left
	done <<-'END'
		openat 1 berth-NAME/cgroup.max.depth cgroup-limit
		mkdirat 3 . cgroup-make
	END
}

@test "the mount of cgroup2 becomes read-only while a workspace runs: the limits stay, it ends, and its group goes later" {
	local how

	hierarchy_up
	for how in --detach --rm; do
		name=$(new_name)
		run -0 berth_in_pod run -d $how --name "$name" --rootfs "$BERTH_TEST_SMALL:O" "${limit[@]}" -- sleep 600
		limits_hold
		mount_is ro
		run in_pod sh -c 'echo 9 >"$0/cgroup.max.depth"' "$limits"
		assert_has "Read-only file system"
		limits_hold
		run -125 berth_in_pod exec "$name" -- true
		assert_has "berth: cgroup: open 'cgroup.procs' of init's group: Read-only file system"
		assert_has "hint: the cgroup mount became read-only: make it writable again"
		run -0 berth_in_pod inspect "$name"
		assert_has '"max-depth 7: cgroup.max.depth = 7"'
		run -0 --separate-stderr berth_in_pod stop -t 1 "$name"
		assert_output "$name"
		[[ $stderr == *"workspace '$name' has ended, and its cgroup is still there"* ]] || fail "$stderr"
		# Nobody is in it, its limits are what they were, and how it ended is known.
		assert_equal "$(sed -n 's/^populated //p' "$limits/cgroup.events")" 0
		limits_hold
		run -0 berth_in_pod inspect "$name"
		assert_has '"status": "exited"'
		assert_has '"exit_code": 143'
		run -0 berth_in_pod logs "$name"
		assert_has "remove cgroup 'berth-$name': remove cgroup '"
		assert_has "': Read-only file system, left for the next berth command"
		run berth_in_pod rm "$name"
		assert_status 125
		assert_has "remove cgroup 'berth-$name': "
		assert_has "Read-only file system"
		[ -d "$limits" ]
		mount_is rw
		run -0 berth_in_pod ps -a
		[ ! -e "$limits" ]
		if [ "$how" = --detach ]; then
			run -0 berth_in_pod inspect "$name"
			assert_has '"exit_code": 143'
			assert_has '"cgroup": ""'
			run -0 berth_in_pod rm "$name"
		fi
		nothing_left
	done
}

# limits_of: soft and hard of some, of a /proc/PID/limits.
limits_of() { sed -nE 's/^Max (open files|core file size|locked memory|stack size) +([0-9a-z]+) +([0-9a-z]+).*/\1: \2 \3/p'; }

@test "--ulimit holds for PID 1, the command, exec and a script of ours, after a new start, too" {
	local expected="stack size: 1048576 2097152
core file size: 0 0
open files: 100 200
locked memory: 65536 65536"

	echo 'cat /proc/self/limits >/tmp/script' >script
	berth run -d --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --ulimit nofile=100:200 --ulimit core=0 \
		--ulimit memlock=64k --ulimit stack=1m:2m --bootstrap script -- \
		sh -c 'cat /proc/self/limits >/tmp/command; sleep 60'
	wait_until 10 berth exec "$name" -- test -s /tmp/script
	for file in 1/limits self/limits; do
		assert_equal "$(berth exec "$name" -- cat "/proc/$file" | limits_of)" "$expected"
	done
	for file in command script; do
		assert_equal "$(berth exec "$name" -- cat "/tmp/$file" | limits_of)" "$expected"
	done
	run berth inspect "$name"
	assert_has '"ulimit nofile=100:200: RLIMIT_NOFILE"'
	berth stop -t 0 "$name"
	berth start "$name"
	assert_equal "$(berth exec "$name" -- cat /proc/1/limits | limits_of)" "$expected"
	assert_equal "$(berth exec -u 7 "$name" -- cat /proc/self/limits | limits_of)" "$expected"
	# Who comes in with less has less.
	run in_cgroup prlimit --nofile=50:60 "$BERTH" exec "$name" -- sh -c 'ulimit -n; ulimit -Hn'
	assert_output $'60\n60'
}

@test "--ulimit: what each of them holds, and without it does not" {
	local with without

	# OPTION, then what fails by it. Processor time is limited as ticks of the clock count it, of which
	# an emulated machine on a busy one loses three of four: there the loop is far longer.
	while IFS=: read -r with without; do
		# The address sanitizer maps terabytes, in what is to become the command, too.
		[[ $BERTH_TEST_BUILD != build-asan || $with != @(as|data)=* ]] || continue
		run berth run --rm --name "$(new_name)" --rootfs "$BERTH_TEST_SMALL:O" --ulimit "$with" -- \
			sh -c "$without" sh 3000
		[ "$status" -gt 0 ] || fail "--ulimit $with: $without"
		run -0 berth run --rm --name "$(new_name)" --rootfs "$BERTH_TEST_SMALL:O" -- sh -c "$without"
	done <<-'END'
	nofile=20:exec 25</dev/null
	fsize=64k:dd if=/dev/zero of=/tmp/x bs=64k count=2 2>&1
	as=64m:dd if=/dev/zero of=/dev/null bs=128M count=1 2>&1
	data=64m:dd if=/dev/zero of=/dev/null bs=128M count=1 2>&1
	stack=128k:/bin/true $(seq 20000)
	cpu=1:while read -r a b c d e f g h i j k l m u s rest </proc/$$/stat; [ $((u + s)) -lt ${1:-150} ]; do :; done
	END
}

@test "--ulimit above our own hard limit: refused with its number, or as much as there is" {
	run in_cgroup prlimit --nofile=100:150 "$BERTH" run --rm --name "$name" --rootfs "$BERTH_TEST_SMALL" \
		--ulimit nofile=100:151 -- true
	assert_status 125
	assert_has "--ulimit nofile=100:151: our own hard limit is 150"
	assert_has "LimitNOFILE="
	run in_cgroup prlimit --nofile=100:150 "$BERTH" run --rm --name "$name" --rootfs "$BERTH_TEST_SMALL" \
		--ulimit nofile=100:150 -- sh -c 'ulimit -n; ulimit -Hn'
	assert_output $'100\n150'
	run --separate-stderr in_cgroup prlimit --nofile=100:150 "$BERTH" run --name "$name" \
		--rootfs "$BERTH_TEST_SMALL" --ulimit nofile=120:unlimited --best-effort ulimit -- \
		sh -c 'ulimit -n; ulimit -Hn'
	assert_output $'120\n150'
	[[ $stderr == *"--ulimit nofile=120:unlimited is above our own hard limit: it is 120:150"* ]]
	run berth inspect "$name"
	assert_has '"ulimit nofile=120:150: RLIMIT_NOFILE"'
}

@test "--ulimit: names that something else holds better are refused with its name" {
	for row in nproc:--pids sigpending:--pending-signals msgqueue:--message-queues rss:--memory; do
		run berth run --rm --name "$name" --rootfs "$BERTH_TEST_SMALL" --ulimit "${row%:*}=5" -- true
		assert_status 125
		assert_has "${row#*:} holds all"
	done
}

@test "--ulimit of a policy: names are merged, null takes one away, an option counts more" {
	echo '{ "extends": "shell", "limits": { "ulimits": { "nofile": "100:200", "core": "0", "memlock": "64k" } } }' >base.json
	echo '{ "extends": "./base.json", "limits": { "ulimits": { "memlock": null, "core": "0:4096" } } }' >team.json
	run --separate-stderr berth run --rm --name "$name" --policy ./team.json --net none --rootfs "$BERTH_TEST_SMALL:O" \
		--ulimit core=1k -- cat /proc/self/limits
	assert_equal "$(limits_of <<<"$output" | grep -v stack)" "core file size: 1024 1024
open files: 100 200
locked memory: $(ulimit -l | awk '{ print $1 == "unlimited" ? $1 : $1 * 1024 }') $(ulimit -Hl | awk '{ print $1 == "unlimited" ? $1 : $1 * 1024 }')"
}
