#!/usr/bin/env bats
# berth check: what it finds is what berth run then meets, and it leaves nothing.

load ../lib/common
load ../lib/leavings

setup()
{
	probe small subids without tool:jq
	common_setup
	name=$(new_name)
}

# The conditions, each a prefix to a command. In all but the first two we are root of a user
# namespace with 65536 IDs, as in a pod: whose root may mount.
world()     { in_cgroup unshare --map-auto --map-root-user -m "$@"; }
# shellcheck disable=SC2016 # for the inner shell
groupless() { world sh -c 'mount -t tmpfs none /sys/fs/cgroup && exec "$@"' sh "$@"; }
# shellcheck disable=SC2016
masked()    { world sh -c 'mount --bind /dev/null /proc/version && exec "$@"' sh "$@"; }
# shellcheck disable=SC2016
nobody_lent()
{
	world sh -c 'mount --bind /dev/null /etc/subuid && mount --bind /dev/null /etc/subgid &&
		mount -t tmpfs -o mode=1777 tmpfs /run &&
		exec setpriv --reuid 1000 --regid 1000 --clear-groups --inh-caps=-all "$@"' sh "$@"
}
forbidden() { world env ASAN_OPTIONS=detect_leaks=0 "$BERTH_TEST_WITHOUT" -n clone3 clone=EPERM -- "$@"; }
# shellcheck disable=SC2016
used_up()
{
	world sh -c 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"' sh "$@"
}

# check CONDITION [ARG...]: the JSON report is in $output.
check()
{
	run --separate-stderr "$1" "$BERTH" check --format json "${@:2}"
	# shellcheck disable=SC2154 # run sets it
	assert_equal "$stderr" ""
}

# row NAME FIELD
row() { jq -r --arg name "$1" ".checks[] | select(.name == \$name) | .$2" <<<"$output"; }
limit() { jq -r --arg name "$1" ".limits[] | select(.name == \$name) | .$2" <<<"$output"; }
tier() { jq -r .tier <<<"$output"; }

# run_there CONDITION ARG...: berth run in that condition.
run_there() { run --separate-stderr "$1" "$BERTH" run --name "$name" --rm --rootfs "$BERTH_TEST_SMALL:O" "${@:2}"; }

# Where systemd is asked for, and the image could carry it.
mock_systemd()
{
	mkdir -p image/usr/lib/systemd image/sbin
	cp "$BERTH_TEST_SMALL/bin/busybox" image/usr/lib/systemd/systemd
	ln -s ../usr/lib/systemd/systemd image/sbin/init
}

no_systemd()
{
	mock_systemd
	run --separate-stderr "$1" "$BERTH" run --name "$name" --rm --rootfs "$PWD/image" --init systemd
	assert_status 125
	# shellcheck disable=SC2154
	[[ $stderr == *"hint: "* ]]
}

@test "with a cgroup of our own: tier A, and every row that a tier needs is yes" {
	probe cgroup
	check in_cgroup
	assert_status 0
	assert_equal "$(tier)" A
	assert_equal "$(jq -r '.checks[] | select(.needed_for and .result != "yes") | .name' <<<"$output")" ""
	assert_equal "$(jq -r .met <<<"$output")" true
	assert_equal "$(limit watches enforced)" true
	assert_equal "$(limit pids enforced)" true
}

# bats test_tags=debian
@test "tier A is true: systemd boots" {
	probe cgroup debian
	check in_cgroup
	assert_equal "$(tier)" A
	berth run --name "$name" --rootfs "$BERTH_TEST_ROOTFS:O" -d
	timeout 100 "$BERTH" wait --ready "$name"
	run in_cgroup "$BERTH" exec "$name" -- systemctl is-system-running
	assert_output running
}

@test "without a cgroup: tier B, all IDs, a /proc, and no systemd" {
	check groupless
	assert_equal "$(tier)" B
	assert_equal "$(row cgroup result)" no
	assert_equal "$(row cgroup needed_for)" A
	[ -n "$(row cgroup remedy)" ]
	assert_equal "$(limit memory enforced)" false
	assert_equal "$(limit watches enforced)" true
	run_there groupless --watches 50 -- sh -c 'test -d /proc/1 && awk "{ n += \$3 } END { print n }" /proc/self/uid_map'
	[ "$output" -ge 65536 ]
	no_systemd groupless
}

@test "a covered /proc: tier C, one command, no systemd, and the row tells" {
	check masked
	assert_equal "$(tier)" C
	assert_equal "$(row proc result)" no
	assert_equal "$(row proc needed_for)" B
	[[ $(row proc remedy) == *"findmnt -R /proc"* || $(row proc remedy) == *"procMount: Unmasked"* ]]
	assert_equal "$(row user-namespace result)" yes
	run_there masked -- echo one command
	assert_output "one command"
	no_systemd masked
}

@test "one ID: tier C, one command, no systemd" {
	check nobody_lent
	assert_equal "$(tier)" C
	assert_equal "$(row ids result)" no
	assert_equal "$(row subordinate-ids result)" no
	[[ $(row ids remedy) == *"--add-subuids"* ]]
	run --separate-stderr nobody_lent env XDG_RUNTIME_DIR=/run \
		"$BERTH" run --rm -- sh -c 'echo one command, IDs: $(cat /proc/self/uid_map | wc -l)'
	assert_status 0
	assert_output "one command, IDs: 1"
}

@test "user namespaces forbidden: tier D, nothing starts, and for the same reason" {
	for condition in forbidden used_up; do
		check "$condition" --require C
		assert_status 1
		assert_equal "$(tier)" D
		assert_equal "$(row user-namespace result)" no
		assert_equal "$(row nested result)" untried
		remedy=$(row user-namespace remedy)
		run_there "$condition" -- echo started
		assert_status 125
		assert_output ""
		assert_equal "$(sed -n 's/^hint: //p' <<<"$stderr")" "$remedy"
	done
	nothing_left "$name"
}

# refusal ROW TIER CALL[=ERROR]...
refusal()
{
	local wanted=$2 failed=$1

	shift 2
	run --separate-stderr world env ASAN_OPTIONS=detect_leaks=0 "$BERTH_TEST_WITHOUT" -n "$@" -- \
		"$BERTH" check --format json
	assert_equal "$(row "$failed" result)" no
	[[ $wanted == any || $(tier) == "$wanted" ]] || fail "$*: tier $(tier), expected $wanted"
	[ "$wanted" = any ] || [ "$(row "$failed" remedy)" != null ] || fail "$failed: no remedy"
}

# bats test_tags=long
@test "each call that a profile may refuse shows in its row, and costs what it costs" {
	refusal clone3 any clone3
	refusal openat2 D openat2
	refusal pidfd D pidfd_send_signal=EPERM
	refusal keyctl any keyctl=EPERM
	refusal hostname any sethostname=EPERM
	[[ $(row hostname remedy) == *"--hostname"* ]]
	refusal capabilities D mount=EACCES
	refusal tmpfs D fsopen
	refusal mount-api D mount_setattr=EPERM
	refusal pivot-root D pivot_root=EPERM
	refusal unshare D unshare=EPERM
	refusal seccomp D seccomp=EPERM
	refusal setgroups any setgroups=EPERM
}

@test "a probe that is killed has failed, and the rest of the report stands" {
	refusal keyctl any keyctl=KILL
	[[ $(row keyctl detail) == *"killed"* ]]
	assert_equal "$(row proc result)" yes
	refusal pivot-root D pivot_root=KILL
	assert_equal "$(row user-namespace result)" yes
}

@test "no_new_privs: sudo inside will not work, and newuidmap does not here" {
	run --separate-stderr in_cgroup setpriv --no-new-privs "$BERTH" check --format json
	assert_equal "$(row sudo result)" no
	assert_equal "$(row newuidmap result)" no
	assert_equal "$(row ids result)" no
	assert_equal "$(tier)" C
}

@test "--require: 0 for this tier or a better one, 1 for a worse one, 125 for nonsense" {
	for tier in B C; do
		run groupless "$BERTH" check --require "$tier"
		assert_status 0
	done
	run groupless "$BERTH" check --require A
	assert_status 1
	assert_has "for tier A it lacks: cgroup"
	run groupless "$BERTH" check
	assert_status 0
	for wrong in a D AA ''; do
		run "$BERTH" check --require "$wrong"
		assert_status 125
		assert_has "is none of A, B and C"
	done
	run "$BERTH" check --format xml
	assert_status 125
	run "$BERTH" check workspace
	assert_status 125
	assert_has "check takes options only"
}

@test "the report is one JSON document with every key" {
	check groupless --require A
	assert_status 1
	jq -e '.version == 1 and .required == "A" and .met == false and (.context | IN("pod", "machine"))
		and (.checks | length > 30) and (.limits | length == 26)
		and all(.checks[]; (.result | IN("yes", "no", "untried"))
			and has("name") and has("what") and has("detail") and has("needed_for") and has("remedy"))
		and all(.limits[]; has("name") and has("by") and has("remedy") and (.enforced | type == "boolean"))' \
		<<<"$output"
}

@test "the text has a row for each, no colour in a pipe, and fits a terminal" {
	check groupless
	json=$output
	rows=$(jq '.checks | length' <<<"$output")
	remedies=$(jq -r '[.checks[], .limits[]] | map(.remedy // empty) | unique[]' <<<"$output")
	[ -n "$remedies" ]
	run groupless "$BERTH" check
	assert_equal "$(sed -n '/^FEATURE/,/^$/p' <<<"$output" | grep -cE '^[a-z]')" "$rows"
	[[ $output != *$'\033'* ]]
	assert_equal "$(awk 'length > 110' <<<"$output")" ""
	assert_has "tier            B"
	assert_has $'\nlimits:\n'
	text=$(tr -s ' \n' ' ' <<<"$output")
	while read -r remedy; do
		[[ $text == *"> $remedy "* ]] || fail "nothing says '$remedy'"
	done <<<"$remedies"
	# Of the limits, what was said before is not said again.
	assert_equal "$(sed -n '/^limits:/,$p' <<<"$output" | grep -c '^ *> ' || true)" "$(
		jq '([.limits[].remedy // empty] | unique) - [.checks[].remedy // empty] | length' <<<"$json")"
}

@test "on a terminal it has colours, but not with NO_COLOR" {
	probe tool:script
	run script -qec "'$BERTH' check" /dev/null
	[[ $output == *$'\033[32myes'* ]]
	NO_COLOR=1 run script -qec "'$BERTH' check" /dev/null
	assert_has yes
	[[ $output != *$'\033'* ]]
}

# Everything that a check could leave, as one text; in a runtime directory that is ours alone.
traces()
{
	find "${BERTH_TEST_CGROUP:-/nonexistent}" -name 'berth.check-*' 2>/dev/null
	tree_below runtime
	pgrep -f -- "^$BERTH check" || true
}

@test "it leaves nothing: no process, mount, group or file" {
	export XDG_RUNTIME_DIR=$PWD/runtime
	mkdir runtime
	before=$(traces)
	for condition in in_cgroup groupless masked; do
		check "$condition"
	done
	assert_equal "$(traces)" "$before"
	# shellcheck disable=SC2016 # for the inner shell
	run world sh -c 'before=$(cat /proc/self/mountinfo); "$1" check >/dev/null
		[ "$(cat /proc/self/mountinfo)" = "$before" ] && echo same' sh "$BERTH"
	assert_output same
}

@test "killed at any moment it leaves nothing either" {
	export XDG_RUNTIME_DIR=$PWD/runtime
	mkdir runtime
	before=$(traces)
	# timeout(1) kills the whole process group, as a terminal that closes does.
	for delay in 0.001 0.003 0.006 0.010 0.015 0.020 0.030 0.040; do
		run in_cgroup timeout -s KILL "$delay" "$BERTH" check
	done
	same() { [ "$(traces)" = "$before" ]; }
	wait_until 10 same
}

@test "the group it makes enables nothing and moves nobody" {
	[ -n "${BERTH_TEST_CGROUP:-}" ] || return 0 # the user manager's scope is not touched
	# shellcheck disable=SC2016 # for the inner shell
	run in_cgroup sh -c '
		group=$(sed -n "s/^0:://p" /proc/self/cgroup)
		dir=$(findmnt -n -t cgroup2 -o TARGET | tail -n 1)$group
		before=$(cat "$dir/cgroup.subtree_control" "$dir/cgroup.type"; ls "$dir")
		"$1" check >/dev/null
		after=$(cat "$dir/cgroup.subtree_control" "$dir/cgroup.type"; ls "$dir")
		[ "$before" = "$after" ] && [ "$group" = "$(sed -n "s/^0:://p" /proc/self/cgroup)" ] &&
			echo same' sh "$BERTH"
	assert_output same
}

@test "it takes less than 100 ms of CPU time" {
	[ "$BERTH_TEST_BUILD" != build-asan ] || return 0 # which is another program
	TIMEFORMAT='%U %S'
	# The best of five: other tests run beside us.
	best=$(for _ in 1 2 3 4 5; do
		{ time in_cgroup "$BERTH" check >/dev/null; } 2>&1
	done | awk '{ print int(1000 * ($1 + $2)) }' | sort -n | head -n 1)
	[ "$best" -lt 100 ] || fail "$best ms"
}

@test "plan and inspect name the tier that check finds" {
	probe small
	name=$(new_name)
	run -0 --separate-stderr berth check --format json
	found=$(tier)
	run -0 berth plan --rootfs "$BERTH_TEST_SMALL" true
	assert_has $'\ntier: '"$found"
	run -0 berth plan --rootfs "$BERTH_TEST_SMALL" --format json true
	assert_has "\"tier\": \"$found\""
	berth run -d --rm --name "$name" --rootfs "$BERTH_TEST_SMALL" -- sleep 60
	run -0 berth inspect "$name"
	assert_has "\"tier\": \"$found\""
	run --separate-stderr env ASAN_OPTIONS=detect_leaks=0 unshare -r "$BERTH" check --format json
	found=$(tier)
	run -0 unshare -r "$BERTH" plan --rootfs "$BERTH_TEST_SMALL" true
	assert_has $'\ntier: '"$found"
	[ "$found" = C ] # one ID only
}

# slow_mounts MICROSECONDS [WHEN]: berth check, each fsmount of which takes that much longer.
slow_mounts()
{
	# A leak check cannot be traced.
	run --separate-stderr world env ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o /dev/null -e trace=fsmount \
		-e "inject=fsmount:delay_enter=$1${2:+:when=$2}" "$BERTH" check --format json
	assert_status 0
}

# bats test_tags=long
@test "slow is not hung: rows that take more than 5 s together all get a result" {
	probe tool:strace
	slow_mounts 1200000
	# shellcheck disable=SC2016 # jq's own
	jq -e '[.checks[] | select(.detail | test("hung"))] | length == 0' <<<"$output"
	jq -e '.checks[] | select(.name == "proc") | .result == "yes"' <<<"$output"
}

# bats test_tags=long
@test "a row that hangs is ended after 5 s, and named" {
	probe tool:strace
	slow_mounts 8000000 1
	jq -e '[.checks[] | select(.detail | test("hung for 5 s"))] | length > 0' <<<"$output"
}
