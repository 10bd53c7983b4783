# shellcheck shell=bash
# berth as root of the reference pod: hostUsers: false, procMount: Unmasked, nothing else.
# bats file_tags=debian

load ../lib/common
load pod

setup_file()
{
	probe root tool:crun tool:jq debian
	pod_start unmasked .
	export pod pod_dir
}

teardown_file() { pod_stop; }

# Whatever a test leaves would be the next one's trouble.
teardown() { pod_exec sh -c 'berth ps -aq | xargs -r berth rm -f' >/dev/null; }

@test "the pod has no privilege" {
	run pod_exec grep -E '^(CapEff|NoNewPrivs)' /proc/self/status
	assert_output "CapEff:	00000000a80425fb
NoNewPrivs:	1"
	run pod_exec unshare -m true
	[ "$status" -ne 0 ]
}

@test "berth run is a shell in the pod's own image, without what the pod mounted" {
	run pod_exec berth run --rm -- sh -c \
		'id -u; cat /etc/hosts; ls -A /var/run/secrets /srv/ws; touch /usr/x /etc/y && echo wrote'
	assert_status 0
	assert_has "wrote"
	assert_has "127.0.0.1 localhost"
	[[ $output != *"Kubernetes-managed"* ]]
	[[ $output != *token* ]]
	[[ $output != *bin* ]]
	run pod_exec ls /usr/x /etc/y
	[ "$status" -ne 0 ]
}

@test "systemd boots to running, with dockerd, from a directory on a volume" {
	pod_exec berth run --name ws --rootfs /srv/ws -d
	pod_exec timeout 100 berth wait --ready ws
	run pod_exec berth exec ws -- systemctl is-system-running
	assert_output running
	run pod_exec berth exec ws -- systemctl --failed --quiet --no-legend
	assert_output ""
	pod_exec berth exec -i ws -- docker import - small <"$BERTH_TEST_SMALL_TAR"
	run pod_exec berth exec ws -- docker run --rm small /bin/busybox echo from inside
	assert_output "from inside"
	run pod_exec berth exec ws -- docker info --format '{{.Driver}} {{.CgroupVersion}}'
	assert_output "overlay2 2"
	pod_exec berth exec ws -- docker rmi -f small
	pod_exec berth stop ws
	run pod_exec berth wait --exit ws
	assert_output 0
}

@test "systemd boots from the pod's own image, and docker's layers lie beside its overlay" {
	pod_exec berth run --name host -d --init systemd
	pod_exec timeout 100 berth wait --ready host
	run pod_exec berth exec host -- systemctl is-system-running
	assert_output running
	run pod_exec berth exec host -- docker info --format '{{.Driver}}'
	assert_output overlay2
	pod_exec berth stop host
}

@test "the cgroup tree is made through a mount of our own, and goes with the workspace" {
	run pod_exec berth plan -i -- true
	assert_has cgroup-view
	run pod_exec berth run --rm -i --name group -- cat /proc/self/cgroup
	assert_has "0::/"
	local where
	where=$(find /sys/fs/cgroup -maxdepth 2 -name "$pod" -path "*$pod" | head -n 1)
	run find "$where" -name 'berth-*'
	assert_output ""
}
