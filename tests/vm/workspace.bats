#!/usr/bin/env bats
# tests/pod/workspace.bats with cgroup v2, the profiles of the node, and volumes as the kubelet gives them
# to pods with a user namespace: ID-mapped mounts. The first day is tier A by crun, the second tier B by
# runc on the same volumes. To unpack a whole Debian takes a quarter of an hour where the guest is emulated:
# the image that is pulled is a small one, and the Debian of the guest is put in the place of its tree.
# bats file_tags=debian
# shellcheck disable=SC2034,SC2154 # pod.bash and workspace.bash share variables with us

load ../lib/common
load ../lib/image
load ../pod/pod
load ../pod/workspace

export BATS_TEST_TIMEOUT=900 # emulated

setup_file()
{
	probe root tool:crun tool:runc tool:jq tool:git tool:ip tool:skopeo tool:apparmor_parser workspace registry
	cd "$BATS_FILE_TMPDIR" || return
	cluster_start
	export cluster registry registry_pid git_pid
	layer_make
	push_images "$BERTH_TEST_SMALL_TAR"
	apparmor_parser -r "$pod_top/templates/apparmor/berth"
}
teardown_file() { cluster_stop; }

setup()
{
	common_setup
	pod_command=()
	pod_image=$BERTH_TEST_WORKSPACE
	pod_options=(--apparmor-default unused)
	workspace_limit=400
	disk=/srv/disk # where the trees are: hard links
}
teardown()
{
	pod_stop
	volumes_off
}

# volumes_on: state and home of the pod that was made are directories of the node.
volumes_on()
{
	local volume

	for volume in state home; do
		mkdir -p "$disk/$volume"
		mount --bind -o X-mount.idmap="b:0:1000:1 b:1:100000:65535" "$disk/$volume" "$pod_dir/volumes/$volume"
		volumes+=("$pod_dir/volumes/$volume")
	done
}
volumes_off()
{
	[ "${#volumes[@]}" -eq 0 ] || umount "${volumes[@]}"
	volumes=()
}

# starts WORD...: what the pod that was made starts.
starts()
{
	jq '.process.args = $ARGS.positional' --args -- "$@" <"$pod_dir/config.json" >"$pod_dir/changed"
	mv "$pod_dir/changed" "$pod_dir/config.json"
}

# pulled: the store has the image, by berth and from the registry, and Debian is its tree.
pulled()
{
	local tree

	starts sleep infinity
	pod_up
	pod_exec berth image pull "$registry/team/workspace:1" 2>&1
	pod_oci kill "$pod" KILL
	wait_until 20 gone
	workspace_anew
	starts berth entrypoint

	tree=$(echo "$disk"/state/.store/images/trees/*/*/rootfs)
	rm -rf "$tree"
	cp -al "$BERTH_TEST_TREE" "$tree"
	cp -a --remove-destination "$BATS_FILE_TMPDIR/layer/." "$tree"
}

@test "tier A in its profiles: an application in the workspace's Docker, and the next pod is tier B" {
	volumes=()
	mkdir policy
	cp "$pod_top/templates/kubernetes/deployment/policy.json" policy
	pod_manifest=deployment/deployment.yaml
	workspace_image
	workspace_made tier-a --content "policy=$PWD/policy"
	volumes_on
	pulled
	workspace_up
	echo "# tier A: ready after $took ms" >&3
	run pod_exec cat /proc/1/attr/current
	assert_output "berth (enforce)"
	first_day
	run in_it docker info --format '{{.CgroupVersion}} {{.Driver}}'
	assert_output "2 overlay2"
	workspace_down
	run cat "$pod_dir/log"
	assert_has "runs: tier A, init systemd"
	assert_has "berth: workspace 'workspace' ended with 0"
	pod_stop
	volumes_off

	pod_runtime=runc
	pod_options=()
	pod_manifest=workspace-runc.yaml
	cluster_servers del
	workspace_made tier-b --env BERTH_VOLUME=/srv/home:/home \
		--pod '{ "volumes": [{ "name": "state", "persistentVolumeClaim": { "claimName": "state" } },
			{ "name": "home", "persistentVolumeClaim": { "claimName": "home" } }] }' \
		--container '{ "volumeMounts": [{ "name": "state", "mountPath": "/var/lib/workspace" },
			{ "name": "home", "mountPath": "/srv/home" }] }' --env BERTH_PUBLISH=8080:8080
	volumes_on
	workspace_up
	echo "# tier B: ready after $took ms" >&3
	second_day
	workspace_down
	run cat "$pod_dir/log"
	assert_has "runs: tier B, init berth"
}
