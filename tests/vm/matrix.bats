#!/usr/bin/env bats
# Which pod is which tier, and that the remedies of berth check turn the row they stand in.
# Each pod is one of templates/kubernetes with one thing changed, made by tests/vm/bundle and crun
# or runc. docs/kubernetes.md has the same as a table.
# bats file_tags=debian
# shellcheck disable=SC2034 # pod.bash and matrix.bash use our variables

load ../lib/common
load ../pod/pod
load matrix

export BATS_TEST_TIMEOUT=900 # emulated

setup()    { matrix_setup; }
teardown() { pod_stop; }

@test "matrix: the default pod, step by step to tier A (crun)" {
	pod_manifest=command.yaml
	on_the_node
	row D --pod "$host_users"
	remedy id-maps "hostUsers: false"
	nothing_runs ids "hostUsers: false"

	# The other remedy: IDs for root, in the image.
	echo root:100000:65536 >subid
	row C --pod "$host_users" --bind "$PWD/subid:/etc/subuid:ro" --bind "$PWD/subid:/etc/subgid:ro"
	mended id-maps ids
	command_runs

	pod_image=$BERTH_TEST_ROOTFS
	row C
	mended id-maps ids
	lacks proc sysfs ucounts
	remedy proc "procMount: Unmasked"
	remedy ucounts "procMount: Unmasked"
	command_runs
	no_system "procMount: Unmasked"

	row A --container "$unmasked"
	mended proc ucounts cgroup
	lacks
}

@test "matrix: the default pod, step by step to tier A (runc)" {
	probe tool:runc
	pod_runtime=runc
	pod_manifest=command.yaml
	on_the_node
	row D --pod "$host_users"
	remedy id-maps "hostUsers: false"

	pod_image=$BERTH_TEST_ROOTFS
	row C
	lacks cgroup proc sysfs ucounts
	command_runs
	no_system "procMount: Unmasked"

	row B --container "$unmasked"
	lacks cgroup
	remedy cgroup cgroup_writable
	command_runs
	no_system cgroup

	row A --cgroup-writable --container "$unmasked"
	mended cgroup
}

@test "matrix: the manifest of tier B as it is is tier B with runc" {
	probe tool:runc
	pod_runtime=runc
	pod_manifest=workspace-runc.yaml
	row B
	lacks cgroup
}

@test "matrix: the manifest of tier A as it is, with both profiles on the node" {
	probe tool:apparmor_parser tool:runc
	apparmor_parser -r "$pod_top/templates/apparmor/berth"
	for pod_runtime in crun runc; do
		row A --apparmor-default unused --cgroup-writable
		lacks
		mended user-namespace proc cgroup seccomp
		assert_equal "$(field apparmor detail)" "berth (enforce)"
		assert_equal "$(field sudo result)" yes
	done
}

@test "matrix: allowPrivilegeEscalation: false is tier A, without sudo" {
	row A --pod "$no_profiles" --container '{ "securityContext": { "allowPrivilegeEscalation": false } }'
	remedy sudo allowPrivilegeEscalation
	command_runs
	row A --pod "$no_profiles"
	mended sudo
}

@test "matrix: seccomp RuntimeDefault of containerd is tier D, our profile tier A" {
	containerd_profile >default.json
	row D --pod '{ "securityContext": { "appArmorProfile": null,
		"seccompProfile": { "type": "RuntimeDefault" } } }' --runtime-default default.json
	lacks cgroup user-namespace
	remedy user-namespace seccompProfile
	nothing_runs spawn seccompProfile

	# The kubelet's seccompDefault is the same for a pod that says nothing.
	row D --pod "$no_profiles" --seccomp-default --runtime-default default.json
	row A --pod '{ "securityContext": { "appArmorProfile": null,
		"seccompProfile": { "type": "Unconfined" } } }' --seccomp-default --runtime-default default.json
	mended user-namespace keyctl
	row A --pod "$no_apparmor" --seccomp-default --runtime-default default.json
	mended user-namespace
}

@test "matrix: seccomp RuntimeDefault of CRI-O and podman knows namespaces, but no sethostname" {
	probe file:/usr/share/containers/seccomp.json
	row A --pod '{ "securityContext": { "appArmorProfile": null,
		"seccompProfile": { "type": "RuntimeDefault" } } }' \
		--runtime-default /usr/share/containers/seccomp.json
	remedy hostname seccompProfile
	command_runs
	row A --pod "$no_apparmor" --seccomp-default --runtime-default /usr/share/containers/seccomp.json
	mended hostname
	command_runs
}

@test "matrix: uid 1000 has one ID: tier C, tier A as root" {
	row C --pod "$no_profiles" --container '{ "securityContext": { "runAsUser": 1000, "runAsGroup": 1000 } }'
	lacks cgroup ids setgroups
	remedy subordinate-ids "runAsUser: 0"
	remedy ids "runAsUser: 0"
	command_runs

	row A --pod "$no_profiles"
	mended ids setgroups
}

@test "matrix: uid 1000 with IDs lent: those that the pod has, by file capabilities of newuidmap" {
	local user='{ "securityContext": { "runAsUser": 1000, "runAsGroup": 1000 } }' program
	local lent=(--bind "$PWD/subid:/etc/subuid:ro" --bind "$PWD/subid:/etc/subgid:ro"
		--bind "$PWD/passwd:/etc/passwd:ro")

	# newuidmap wants to know his name.
	{ cat "$pod_image/etc/passwd"; echo "somebody:x:1000:1000::/:/bin/sh"; } >passwd

	# As on a laptop: the pod's user namespace has IDs up to 65535 only.
	echo somebody:100000:65536 >subid
	row C --pod "$no_profiles" --container "$user" "${lent[@]}"
	remedy ids /proc/self/uid_map
	command_runs
	row A --pod "$no_profiles" "${lent[@]}"
	mended ids

	# A newuidmap with the setuid bit writes as root, who did not make the namespace.
	echo somebody:2000:60000 >subid
	row C --pod "$no_profiles" --container "$user" "${lent[@]}"
	remedy newuidmap cap_setuid=ep
	remedy ids cap_setuid=ep
	run pod_exec berth run --rm -- grep -c . /proc/self/uid_map
	assert_equal "${lines[-1]}" 1
	for program in uid gid; do
		chmod u-s "$pod_dir/root/usr/bin/new${program}map"
		nsenter -t "$(pod_oci state "$pod" | jq .pid)" -U \
			setcap "cap_set$program=ep" "$pod_dir/root/usr/bin/new${program}map"
	done
	asked C
	mended newuidmap id-maps
	remedy ids "runAsUser at 0"
	run pod_exec berth run --rm -- sh -c 'touch /tmp/x && chown 60000:60000 /tmp/x && stat -c %u:%g /tmp/x'
	assert_status 0
	assert_equal "${lines[-1]}" 60000:60000
}

@test "matrix: user.max_user_namespaces is 0 on the node: tier D until it is not" {
	local before

	before=$(sysctl -n user.max_user_namespaces)
	pod_start node . --pod "$no_profiles"
	in_its_namespace 'echo 0 >/proc/sys/user/max_user_namespaces'
	asked D
	remedy user-namespace max_user_namespaces
	nothing_runs spawn max_user_namespaces
	in_its_namespace "echo $before >/proc/sys/user/max_user_namespaces"
	asked A
}

@test "matrix: capabilities: CRI-O's default lacks SETFCAP: tier D until it is added" {
	row D --pod "$no_profiles" --capabilities "$crio_capabilities"
	lacks id-maps
	remedy id-maps SETFCAP
	nothing_runs map SETFCAP
	row A --pod "$no_profiles" --capabilities "$crio_capabilities" \
		--container '{ "securityContext": { "capabilities": { "add": ["SETFCAP"] } } }'
	mended id-maps
	command_runs
}

@test "matrix: a memory limit and a pids limit of the pod are kept, and said" {
	probe file:/sys/fs/cgroup/cgroup.controllers
	row A --pod "$no_profiles" --pids 100 --container '{ "resources": { "limits": { "memory": "512Mi" } } }'
	run pod_exec cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max
	assert_output $'536870912\n100'
	command_runs
	run pod_exec berth run --rm --rootfs host --pids 50 -- true
	assert_status 0

	# Too few for berth itself: that is said, and nothing is left.
	row A --pod "$no_profiles" --pids 12
	run pod_exec berth run --rm -- sh -c 'for i in $(seq 30); do sleep 60 & done; wait'
	[ "$status" -ne 0 ]
	run pod_exec berth ps -aq
	assert_output ""
}

@test "matrix: a read-only root file system is tier A with volumes at /run and for --state" {
	row A --pod '{ "securityContext": null, "volumes": [{ "name": "state", "emptyDir": {} },
			{ "name": "run", "emptyDir": {} }] }' \
		--container '{ "securityContext": { "readOnlyRootFilesystem": true },
			"volumeMounts": [{ "name": "state", "mountPath": "/var/lib/workspace" },
				{ "name": "run", "mountPath": "/run" }] }'
	command_runs
	run pod_exec touch /x
	[ "$status" -ne 0 ]
}

@test "matrix: AppArmor's default profile refuses, ours and Unconfined are tier A" {
	probe tool:apparmor_parser tool:podman
	local default

	apparmor_parser -r "$pod_top/templates/apparmor/berth"
	default=$(podman_profile)

	row D --pod "$no_profiles" --apparmor-default "$default"
	assert_equal "$(field apparmor detail)" "$default (enforce)"
	remedy user-namespace appArmorProfile
	nothing_runs spawn appArmorProfile

	row A --pod '{ "securityContext": { "appArmorProfile": { "type": "Unconfined" } } }' \
		--apparmor-default "$default"
	assert_equal "$(field apparmor detail)" unconfined
	mended user-namespace
	command_runs
	row A --apparmor-default "$default"
	command_runs
}

# A whole system in the pod that stands: systemd, dockerd, its limits.
whole_system()
{
	pod_exec berth run --name ws --rootfs /srv/ws -d
	pod_exec timeout 600 berth wait --ready ws
	run pod_exec berth exec ws -- systemctl is-system-running
	assert_output running
	pod_exec berth exec -i ws -- docker import - small <"$BERTH_TEST_SMALL_TAR"
	run pod_exec berth exec ws -- docker run --rm -m 64m --cpus 0.5 small \
		cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max
	assert_output $'67108864\n50000 100000'
	run pod_exec berth exec ws -- docker run --rm --privileged small sh -c \
		'mkdir /m && mount -t tmpfs tmpfs /m && grep -c " /m " /proc/mounts'
	assert_output 1
	run pod_exec berth exec ws -- docker info --format \
		'{{.Driver}} {{.CgroupVersion}} {{.MemoryLimit}} {{.CPUCfsQuota}} {{.PidsLimit}} {{.CPUSet}}'
	assert_output "overlay2 2 true true true true"
	run pod_exec berth exec ws -- docker info --format '{{range .Warnings}}{{println .}}{{end}}'
	[[ $output != *"No "* ]] || fail "$output"
	pod_exec berth stop ws
	run pod_exec berth wait --exit ws
	assert_output 0
}

@test "matrix: tier A is a whole system (crun)" {
	probe file:/sys/fs/cgroup/cgroup.controllers
	row A --pod "$no_apparmor"
	whole_system
}

@test "matrix: tier A is a whole system (runc, writable cgroup, no_new_privs)" {
	probe tool:runc file:/sys/fs/cgroup/cgroup.controllers
	pod_runtime=runc
	row A --pod "$no_apparmor" --cgroup-writable \
		--container '{ "securityContext": { "allowPrivilegeEscalation": false } }'
	whole_system
}
