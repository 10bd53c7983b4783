# shellcheck shell=bash
# The pod as its manifest has it: berth run is the pod's PID 1, its state lies on the volume.
# bats file_tags=debian

load ../lib/common
load pod

setup()
{
	common_setup
	probe root tool:crun tool:jq debian
	# shellcheck disable=SC2034 # for pod.bash
	pod_command=()
}
teardown() { pod_stop; }

@test "the manifest's command boots systemd, the probe says ready, SIGTERM ends the pod" {
	pod_start workspace .
	pod_exec timeout 100 berth wait --ready workspace
	run pod_exec berth exec workspace -- systemctl is-system-running
	assert_output running
	run pod_exec berth exec workspace -- docker info --format '{{.Driver}}'
	assert_output overlay2
	# shellcheck disable=SC2154 # pod_start sets it
	run ls "$pod_dir/volumes/state"
	assert_output workspace

	# As the kubelet does.
	# shellcheck disable=SC2154
	pure_crun kill "$pod" TERM
	wait_until 30 pod_gone
}

pod_gone() { [ "$(pure_crun state "$pod" | jq -r .status)" = stopped ]; }
