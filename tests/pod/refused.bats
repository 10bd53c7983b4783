# shellcheck shell=bash
# Pods that do not permit all of it: what works there, and what is said.
# bats file_tags=debian

load ../lib/common
load pod

setup() { common_setup; probe root tool:crun tool:jq debian; }
teardown() { pod_stop; }

@test "a masked /proc: single commands, no systemd, no watcher budget, and the remedy" {
	pod_start masked . --container '{ "securityContext": { "procMount": "Default" } }'
	run pod_exec berth run --rm -- id -u
	assert_status 0
	assert_has "procMount: Unmasked"
	run pod_exec berth run --rm --rootfs /srv/ws --init systemd
	assert_status 125
	assert_has "berth: init: "
	assert_has "hint: set procMount: Unmasked"
	run pod_exec berth run --rm --watches 100 -- true
	assert_status 125
	assert_has "hint: set procMount: Unmasked"
}

@test "no capabilities: one ID is not to be had for uid 0, and the remedy names them" {
	pod_start bare . --container '{ "securityContext": { "capabilities": { "drop": ["ALL"] } } }'
	run pod_exec berth run --rm -- true
	assert_status 125
	assert_has "berth: map: "
	assert_has "SETFCAP"
}

@test "user namespaces forbidden by seccomp: nothing starts, and the remedy says why" {
	pod_start filtered '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [
		{ names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: 38 },
		{ names: ["clone"], action: "SCMP_ACT_ERRNO", errnoRet: 1,
		  args: [{ index: 0, value: 268435456, valueTwo: 268435456,
		           op: "SCMP_CMP_MASKED_EQ" }] }] }'
	run pod_exec berth run --rm -- true
	assert_status 125
	assert_has "berth: "
	assert_has "seccompProfile"
}

@test "user.max_user_namespaces is 0: nothing starts, and the remedy names it" {
	pod_start none .
	# shellcheck disable=SC2154 # pod_start sets it
	pid=$(pure_crun state "$pod" | jq .pid)
	nsenter -t "$pid" -U -m sh -c 'echo 0 >/proc/sys/user/max_user_namespaces'
	run pod_exec berth run --rm -- true
	assert_status 125
	assert_has "max_user_namespaces"
}
