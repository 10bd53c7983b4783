#!/usr/bin/env bats
# Each row of the matrix, in short: what berth check says of that pod. matrix.bats has what runs in
# it, and the remedies.
# bats file_tags=debian
# shellcheck disable=SC2034 # pod.bash and matrix.bash use our variables

load ../lib/common
load ../pod/pod
load matrix

export BATS_TEST_TIMEOUT=300 # emulated

setup_file()
{
	apparmor_parser -r "$pod_top/templates/apparmor/berth"
	export apparmor_default
	apparmor_default=$(podman_profile)
	containerd_profile >"$BATS_FILE_TMPDIR/containerd.json"
}

setup()    { matrix_setup; probe tool:runc tool:apparmor_parser tool:podman; }
teardown() { pod_stop; }

# is TIER MANIFEST OPTION...: with $pod_runtime. The pod's command is berth check: a pod that stands
# and an exec in it take three times as long.
is()
{
	pod_manifest=$2.yaml
	pod_command=(berth check --format json)
	pod_made "row$((++row_count))" . "${@:3}"
	report=$(pod_oci run --bundle "$pod_dir" "$pod" <"$pod_dir/stdin" 2>&1 | cat) || fail "$report"
	tier_is "$1"
	pod_unmade
}

container() { printf '{ "securityContext": { %s } }' "$1"; }

@test "row: default pod" {
	on_the_node
	for pod_runtime in crun runc; do
		is D command --pod "$host_users"
	done
}

@test "row: hostUsers: false" {
	for pod_runtime in crun runc; do
		is C command
	done
}

@test "row: + procMount: Unmasked" {
	is A command --container "$unmasked"
	pod_runtime=runc
	is B command --container "$unmasked"
}

@test "row: + a writable cgroup" {
	for pod_runtime in crun runc; do
		is A command --container "$unmasked" --cgroup-writable
	done
}

@test "row: + allowPrivilegeEscalation: false" {
	is A command --container "$(container '"procMount": "Unmasked", "allowPrivilegeEscalation": false')"
}

@test "row: workspace.yaml, with both profiles" {
	is A workspace --apparmor-default "$apparmor_default"
	pod_runtime=runc
	is B workspace --apparmor-default "$apparmor_default"
	is A workspace --apparmor-default "$apparmor_default" --cgroup-writable
}

@test "row: workspace-runc.yaml" {
	is A workspace-runc
	pod_runtime=runc
	is B workspace-runc
}

@test "row: seccomp RuntimeDefault of containerd, of CRI-O; Unconfined; Localhost" {
	is D workspace --pod "$no_profiles" --seccomp-default --runtime-default "$BATS_FILE_TMPDIR/containerd.json"
	is A workspace --pod "$no_profiles" --seccomp-default --runtime-default /usr/share/containers/seccomp.json
	remedy hostname seccompProfile
	is A workspace --seccomp-default --pod '{ "securityContext": { "appArmorProfile": null,
		"seccompProfile": { "type": "Unconfined" } } }'
	is A workspace --pod "$no_apparmor" --seccomp-default
}

@test "row: AppArmor's default, Unconfined, Localhost" {
	is D workspace --pod "$no_profiles" --apparmor-default "$apparmor_default"
	is A workspace --apparmor-default "$apparmor_default" \
		--pod '{ "securityContext": { "appArmorProfile": { "type": "Unconfined" } } }'
	is A workspace --apparmor-default "$apparmor_default" \
		--pod '{ "securityContext": { "seccompProfile": null } }'
}

@test "row: uid 1000, without and with IDs lent" {
	local user

	user=$(container '"runAsUser": 1000, "runAsGroup": 1000')
	is C workspace --pod "$no_profiles" --container "$user"
	echo 1000:2000:60000 >subid
	is C workspace --pod "$no_profiles" --container "$user" --bind "$PWD/subid:/etc/subuid:ro" \
		--bind "$PWD/subid:/etc/subgid:ro"
}

@test "row: user.max_user_namespaces is 0" {
	pod_start node . --pod "$no_profiles"
	in_its_namespace 'echo 0 >/proc/sys/user/max_user_namespaces'
	asked D
}

@test "row: capabilities of CRI-O" {
	is D workspace --pod "$no_profiles" --capabilities "$crio_capabilities"
}

@test "row: memory and pids limits" {
	is A workspace --pod "$no_profiles" --pids 100 \
		--container '{ "resources": { "limits": { "memory": "512Mi" } } }'
}

@test "row: readOnlyRootFilesystem" {
	is A workspace --pod "$no_profiles" \
		--container "$(container '"procMount": "Unmasked", "readOnlyRootFilesystem": true')"
}
