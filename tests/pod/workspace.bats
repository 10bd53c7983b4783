# shellcheck shell=bash
# From an empty volume to a developer's application, and a pod later: the shipped manifests, a workspace
# that is an image of a registry. Tier A is the Deployment with its overlay for that, tier B the pod for
# runc as shipped.
# bats file_tags=debian
# shellcheck disable=SC2034,SC2154 # pod.bash and workspace.bash share variables with us

load ../lib/common
load ../lib/image
load pod
load workspace

export BATS_TEST_TIMEOUT=300

setup_file()
{
	probe root tool:crun tool:jq tool:git tool:ip workspace "file:${BERTH_TEST_WORKSPACE_TAR:-}" \
		registry image_tools
	cd "$BATS_FILE_TMPDIR" || return
	cluster_start
	export cluster registry registry_pid git_pid
	layer_make
	push_images "$BERTH_TEST_WORKSPACE_TAR"
}
teardown_file() { cluster_stop; }

setup()
{
	common_setup
	cluster_servers replace
	pod_command=()
	pod_image=$BERTH_TEST_WORKSPACE
}
teardown() { pod_stop; }

# goes [COMMAND]: both days; COMMAND is run when a container is made.
goes()
{
	local first

	workspace_up "$@"
	first=$took
	run cat "$pod_dir/log"
	assert_has '"step":"unpack"'
	assert_has '"step":"done"'
	first_day
	workspace_down
	run cat "$pod_dir/log"
	assert_has "berth: SIGTERM: workspace 'workspace' gets "
	assert_has "berth: workspace 'workspace' ended with 0"

	cluster_servers del
	workspace_anew
	workspace_up "$@"
	second_day # nothing is pulled or unpacked: how long that saves depends on the machine
	echo "# ready after $first ms with an empty volume, after $took ms in the next pod" >&3
	workspace_down
}

@test "tier A: pulled, booted, an application in its Docker, and all of it in the next pod" {
	probe tool:kubectl
	mkdir policy
	cp "$pod_top/templates/kubernetes/deployment/policy.json" policy
	kubectl kustomize "$pod_top/templates/kubernetes/launcher" |
		sed "s#registry.example/team/os:1#$registry/team/workspace:1#" >rendered.yaml
	pod_manifest=$PWD/rendered.yaml
	workspace_made tier-a --content "policy=$PWD/policy" --content "pull=$BATS_FILE_TMPDIR/secret"
	goes
	run cat "$pod_dir/log"
	assert_has "runs: tier A, init systemd"
}

@test "tier B: the same without systemd and without a cgroup, and the port is the pod's" {
	pod_manifest=workspace-runc.yaml
	workspace_image
	workspace_made tier-b --env BERTH_PUBLISH=8080:8080 --env BERTH_VOLUME=/srv/home:/home/dev:U \
		--pod '{ "volumes": [{ "name": "state", "persistentVolumeClaim": { "claimName": "state" } },
			{ "name": "home", "persistentVolumeClaim": { "claimName": "home" } }] }' \
		--container '{ "volumeMounts": [{ "name": "state", "mountPath": "/var/lib/workspace" },
			{ "name": "home", "mountPath": "/srv/home" }] }'
	goes take_cgroup_away
	run cat "$pod_dir/log"
	assert_has "runs: tier B, init berth"
}
