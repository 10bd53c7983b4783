# shellcheck shell=bash
# berth check in pods: which tier each is, and that the remedy it names, applied to the pod,
# turns the row.
# bats file_tags=debian

load ../lib/common
load pod

setup() { common_setup; probe root tool:crun tool:jq debian; }
teardown() { pod_stop; }

masked='.linux.maskedPaths = ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list",
		"/proc/scsi", "/sys/firmware"] |
	.linux.readonlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
		"/proc/sysrq-trigger"]'

check() { run pod_exec berth check --format json "$@"; }
row() { jq -r --arg name "$1" ".checks[] | select(.name == \$name) | .$2" <<<"$output"; }
tier() { jq -r .tier <<<"$output"; }

# with JQ CONDITION...: what check says in the pod of that configuration.
with()
{
	pod_start "$1" "$2"
	check
}

# again NAME JQ: the same pod with its spec mended.
again()
{
	pod_stop
	with "$1" "$2"
}

# The pod's cgroup, as the node sees it.
pod_cgroup()
{
	local pid path mount

	# shellcheck disable=SC2154 # pod_start sets it
	pid=$(pure_crun state "$pod" | jq .pid)
	path=$(sed -n 's/^0:://p' "/proc/$pid/cgroup")
	mount=$(findmnt -n -t cgroup2 -o TARGET | tail -n 1)
	echo "$mount$path"
}

@test "the reference pod: tier A through a cgroup2 mount of its own, and nothing is left" {
	pod_start reference .
	group=$(pod_cgroup)
	before=$(find "$group" -printf '%P %m %U %s\n'; cat "$group/cgroup.subtree_control")
	check --require A
	assert_status 0
	assert_equal "$(tier)" A
	assert_equal "$(jq -r .context <<<"$output")" pod
	[[ $(row cgroup detail) == *"mount of our own"* ]]
	assert_equal "$(row sysfs-writable result)" no
	assert_equal "$(row sudo result)" no
	[[ $(row sudo remedy) == *allowPrivilegeEscalation* ]]
	assert_equal "$(row root-volume result)" no
	assert_equal "$(row ids result)" yes
	assert_equal "$(find "$group" -printf '%P %m %U %s\n'; cat "$group/cgroup.subtree_control")" "$before"
	run pod_exec sh -c 'cat /proc/[0-9]*/cmdline | tr "\0" " "'
	[[ $output != *"berth check"* ]]
}

@test "a cgroup that is not the pod's: tier B until the runtime hands it over" {
	pod_start runc .
	group=$(pod_cgroup)
	owner=$(stat -c %u:%g "$group")
	chown 0:0 "$group"
	check --require A
	assert_status 1
	assert_equal "$(tier)" B
	assert_equal "$(row cgroup result)" no
	[[ $(row cgroup remedy) == *cgroup_writable* ]]
	assert_equal "$(jq -r '.limits[] | select(.name == "watches") | .enforced' <<<"$output")" true
	run pod_exec berth run --rm --rootfs /srv/ws -- awk '{ n += $3 } END { print n }' /proc/self/uid_map
	assert_output 65536
	run pod_exec berth run --rm --rootfs /srv/ws --init systemd
	assert_status 125
	chown "$owner" "$group"
	check --require A
	assert_status 0
}

@test "a masked /proc: tier C until procMount: Unmasked" {
	with masked "$masked"
	assert_equal "$(tier)" C
	for name in proc ucounts; do
		assert_equal "$(row "$name" result)" no
		[[ $(row "$name" remedy) == *"procMount: Unmasked"* ]]
	done
	again unmasked .
	assert_equal "$(tier)" A
	assert_equal "$(row proc result)" yes
	assert_equal "$(row ucounts result)" yes
}

@test "a user who is not root, under no_new_privs: tier C until runAsUser: 0" {
	pod_start user .
	user=(setpriv --reuid 1000 --regid 1000 --clear-groups --inh-caps=-all env XDG_RUNTIME_DIR=/tmp)
	run pod_exec "${user[@]}" berth check --format json
	assert_equal "$(tier)" C
	assert_equal "$(row ids result)" no
	[[ $(row subordinate-ids remedy) == *"runAsUser: 0"* ]]
	run pod_exec "${user[@]}" berth run --rm -- echo one command
	assert_status 0
	assert_has "one command"
	check
	assert_equal "$(tier)" A
	assert_equal "$(row subordinate-ids result)" yes
}

@test "no capabilities: tier D, for the reason that run has" {
	with bare '.process.capabilities = {}'
	assert_equal "$(tier)" D
	assert_equal "$(row id-maps result)" no
	remedy=$(row id-maps remedy)
	[[ $remedy == *SETFCAP* ]]
	run pod_exec berth run --rm -- true
	assert_status 125
	assert_has "hint: $remedy"
	again capable .
	assert_equal "$(tier)" A
}

@test "seccomp: tier D until the profile allows user namespaces; keyctl and clone3 only inform" {
	with filtered '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [
		{ names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: 38 },
		{ names: ["clone"], action: "SCMP_ACT_ERRNO", errnoRet: 1,
		  args: [{ index: 0, value: 268435456, valueTwo: 268435456,
		           op: "SCMP_CMP_MASKED_EQ" }] }] }'
	assert_equal "$(tier)" D
	assert_equal "$(row user-namespace result)" no
	remedy=$(row user-namespace remedy)
	[[ $remedy == *seccompProfile* ]]
	assert_equal "$(row clone3 result)" no
	assert_equal "$(row pidfd result)" yes
	run pod_exec berth run --rm -- true
	assert_status 125
	assert_has "hint: $remedy"
	again default '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [
		{ names: ["clone3", "keyctl"], action: "SCMP_ACT_ERRNO", errnoRet: 38 }] }'
	assert_equal "$(tier)" A
	assert_equal "$(row keyctl result)" no
	assert_equal "$(row cgroup-birth result)" no
	again pivot '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [
		{ names: ["pivot_root"], action: "SCMP_ACT_ERRNO", errnoRet: 1 }] }'
	assert_equal "$(tier)" D
	[[ $(row pivot-root remedy) == *pivot_root* ]]
}

@test "user.max_user_namespaces: 0 is tier D, 1 is not enough for two levels" {
	pod_start none .
	pid=$(pure_crun state "$pod" | jq .pid)
	for number in 0 1; do
		nsenter -t "$pid" -U -m sh -c "echo $number >/proc/sys/user/max_user_namespaces"
		check
		assert_equal "$(tier)" D
		case $number in
		0) name='user-namespace' ;;
		1) name='nested' ;;
		esac
		assert_equal "$(row "$name" result)" no
		[[ $(row "$name" remedy) == *max_user_namespaces* ]]
	done
	run pod_exec berth run --rm -- true
	assert_status 125
	nsenter -t "$pid" -U -m sh -c 'echo 1000 >/proc/sys/user/max_user_namespaces'
	check
	assert_equal "$(tier)" A
}
