#!/usr/bin/env bats
# What most users meet first: workspace-runc.yaml as it is, made by runc, which mounts the pod's
# cgroup read-only and gives it to nobody. The pod's command is the manifest's own.
# bats file_tags=debian
# shellcheck disable=SC2034 # pod.bash uses our variables

load ../lib/common
load ../pod/pod
load matrix

export BATS_TEST_TIMEOUT=900 # emulated

setup()
{
	matrix_setup
	probe tool:runc
	pod_runtime=runc
	pod_manifest=workspace-runc.yaml
	pod_command=()
}

teardown() { pod_stop; }

@test "tier B: the pod's cgroup is read-only and not its own" {
	pod_command=(sleep infinity)
	row B
	lacks cgroup
	run pod_exec sh -c 'grep " /sys/fs/cgroup " /proc/mounts; stat -c %u /sys/fs/cgroup'
	assert_has " ro,"
	assert_equal "${lines[-1]}" 65534
	# A limit that cannot be kept stops the launch.
	run pod_exec berth run --rm --memory 100m -- true
	assert_status 125
	assert_has "hint: "
	assert_has cgroup_writable
}

@test "tier B: the pod runs containerd and dockerd: run, exec, build, stop, --privileged" {
	pod_start tier-b .
	pod_exec berth wait --ready --timeout 300 workspace
	run pod_exec berth exec workspace -- ps --no-headers --ppid 1 -o comm
	assert_has containerd
	assert_has dockerd
	run pod_exec berth exec workspace -- docker info --format '{{.DefaultRuntime}} {{.Driver}}'
	assert_has overlay2
	docker_works workspace

	# A daemon that dies is started again.
	pod_exec berth exec workspace -- pkill -KILL -x dockerd
	pod_exec timeout 300 berth exec workspace -- sh -c 'until docker version >/dev/null 2>&1; do sleep 1; done'

	# The kubelet's SIGTERM ends the pod cleanly.
	pod_oci kill "$pod" TERM
	wait_until 100 pod_ended
	run tail -n 5 "$pod_dir/log"
}

pod_ended() { [ "$(pod_oci state "$pod" | jq -r .status)" = stopped ]; }
