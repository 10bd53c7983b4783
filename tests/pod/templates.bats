# shellcheck shell=bash
# The templates in use, in pods without any privilege: the Deployment boots and keeps what it should,
# the unit runs a workspace. The base image is built in tests/run/templates.bats.
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

# deployment: starts the pod of the rendered Deployment.
deployment()
{
	local policy=$BATS_TEST_TMPDIR/policy

	mkdir -p "$policy"
	cp "$pod_top/templates/kubernetes/deployment/policy.json" "$policy"
	kubectl kustomize "$pod_top/templates/kubernetes/deployment" >"$BATS_TEST_TMPDIR/rendered.yaml"
	chmod 644 "$BATS_TEST_TMPDIR/rendered.yaml"
	# shellcheck disable=SC2034
	pod_manifest=$BATS_TEST_TMPDIR/rendered.yaml
	pod_start deployment . --content "policy=$policy"
}
gone() { [ "$(pure_crun state "$pod" | jq -r .status)" = stopped ]; }
in_it() { pod_exec berth exec -- "$@"; }

@test "kustomize: one Deployment with its volumes, policy and network policy, and no finding" {
	probe tool:kubectl
	run kubectl kustomize "$pod_top/templates/kubernetes/deployment"
	assert_status 0
	printf '%s\n' "$output" >rendered.yaml
	assert_equal "$(sed -n 's/^kind: //p' rendered.yaml | sort | tr '\n' ' ')" \
		"ConfigMap Deployment NetworkPolicy PersistentVolumeClaim PersistentVolumeClaim "
	# The pod mounts the policy by the name that changes with its content.
	name=$(sed -n 's/^  name: \(workspace-policy-.*\)/\1/p' rendered.yaml)
	grep -qx "          name: $name" rendered.yaml
	"$BERTH" policy audit --severity medium rendered.yaml
}

@test "kustomize: the overlay for images changes the Deployment's pod, and has no finding" {
	probe tool:kubectl
	kubectl kustomize "$pod_top/templates/kubernetes/deployment" >base.yaml
	kubectl kustomize "$pod_top/templates/kubernetes/launcher" >rendered.yaml
	run diff base.yaml rendered.yaml
	assert_status 1
	assert_equal "$(sed -n 's/^< *//p' <<<"$output")" "image: registry.example/workspace:1"
	assert_equal "$(sed -n 's/^> *image: //p' <<<"$output")" registry.example/berth:1
	assert_equal "$(sed -n 's/^> *- name: //p' <<<"$output" | tr '\n' ' ')" \
		"BERTH_IMAGE BERTH_STORE BERTH_USER REGISTRY_AUTH_FILE pull "
	"$BERTH" policy audit --severity medium rendered.yaml
}

@test "the Deployment's pod boots by its policy, and the next one finds homes, changes and images" {
	probe tool:kubectl
	deployment
	wait_until 100 ready
	run in_it systemctl is-system-running
	assert_output running
	run pod_exec berth plan --entrypoint
	assert_has "from: /etc/berth/policy.json:6: volumes /srv/home:/home"
	in_it sh -c 'echo kept >/home/file; echo changed >/usr/local/file'
	pod_exec berth exec -i -- docker import - small <"$BERTH_TEST_SMALL_TAR"
	# shellcheck disable=SC2154 # pod_start sets both
	pure_crun kill "$pod" TERM
	wait_until 90 gone

	# The same volumes, another container: a new /run.
	pure_crun delete --force "$pod"
	# shellcheck disable=SC2154
	pod_oci run --detach --bundle "$pod_dir" "$pod" >"$pod_dir/log" 2>&1 <"$pod_dir/stdin"
	wait_until 100 ready
	run in_it cat /home/file /usr/local/file
	assert_output $'kept\nchanged'
	run in_it docker run --rm small /bin/busybox echo from the image
	assert_output "from the image"
}
ready() { [ "$(pod_exec berth health --ready 2>&1)" = ready ]; }

@test "coder: without systemd an empty volume is the home of its user" {
	local volume

	volume=$(sed -n 's/.*"BERTH_VOLUME", value = "\(.*\)".*/\1/p' "$pod_top/templates/coder/main.tf")
	# shellcheck disable=SC2034
	pod_manifest=workspace-runc.yaml
	pod_made coder . --env "BERTH_VOLUME=$volume" --env BERTH_USER=dev \
		--pod '{ "volumes": [{ "name": "state", "emptyDir": {} }, { "name": "home", "emptyDir": {} }] }' \
		--container '{ "volumeMounts": [{ "name": "state", "mountPath": "/var/lib/workspace" },
			{ "name": "home", "mountPath": "/srv/home" }] }'
	# As templates/docker/Dockerfile has it.
	echo dev:x:1000:1000::/home/dev:/bin/bash >>"$pod_dir/root/etc/passwd"
	echo dev:x:1000: >>"$pod_dir/root/etc/group"
	mkdir "$pod_dir/root/home/dev"
	pod_oci run --detach --bundle "$pod_dir" "$pod" >"$pod_dir/log" 2>&1 <"$pod_dir/stdin"
	wait_until 100 ready
	run in_it sh -c 'id -un; cd && pwd && stat -c %U . && echo kept >file'
	assert_output $'dev\n/home/dev\ndev'
	assert_status 0
	run cat "$pod_dir/volumes/home/file"
	assert_output kept
}

# machine: a workspace with systemd to play a machine, which has this berth, and setuid programs.
machine()
{
	pod_start machine . --container '{ "env": [{ "name": "BERTH_INIT", "value": "systemd" },
		{ "name": "BERTH_STATE", "value": "/var/lib/workspace" }],
		"securityContext": { "allowPrivilegeEscalation": null } }'
	wait_until 100 ready
	tar -C "$(dirname "$BERTH")" -c "$(basename "$BERTH")" | pod_exec berth exec -i -- \
		sh -c 'tar -C /usr/bin --no-same-owner -x && chmod 755 /usr/bin/berth'
}

probe_static() { fail "berth needs libraries that the machine does not have"; }

# of_machine ARG...: berth as the unit's user.
of_machine() { in_it runuser -u workspaces -- env XDG_RUNTIME_DIR=/run/workspaces berth "$@"; }

@test "systemd: the unit is right, runs a workspace of an ordinary user, and ends it" {
	! ldd "$BERTH" | grep -q yajl || probe static
	machine
	in_it useradd --system --create-home --home-dir /var/lib/workspaces workspaces
	in_it usermod --add-subuids 10000-50000 --add-subgids 10000-50000 workspaces
	pod_exec berth exec -i -- sh -c 'cat >/etc/systemd/system/berth@.service' \
		<"$pod_top/templates/systemd/berth@.service"
	run in_it systemd-analyze verify --man=no berth@dev.service
	assert_status 0
	assert_output ""
	# What is the unit's, with a command in the place of a system: 40001 IDs are few.
	of_machine unshare -- mkdir /var/lib/workspaces/dev
	pod_exec berth exec -i -- runuser -u workspaces -- berth unshare -- tar -C /var/lib/workspaces/dev -x \
		<"$BERTH_TEST_SMALL_TAR"
	in_it sh -c 'mkdir -p /etc/berth /etc/systemd/system/berth@dev.service.d
		echo "{ \"rootfs\": \"/var/lib/workspaces/dev:O\", \"network\": { \"uplink\": \"none\" } }" >/etc/berth/dev.json
		sed -n "s/^ExecStart=.*/[Service]\nExecStart=\n& -- sleep 1000/p" /etc/systemd/system/berth@.service \
			>/etc/systemd/system/berth@dev.service.d/command.conf
		systemctl daemon-reload; systemctl start berth@dev'
	wait_until 20 of_machine health --ready dev 2>/dev/null ||
		fail "$(in_it journalctl -u berth@dev -o cat)"
	run of_machine exec dev -- hostname
	assert_output dev
	run in_it systemctl show -p ActiveState,NRestarts berth@dev
	assert_has ActiveState=active
	assert_has NRestarts=0
	in_it systemctl stop berth@dev
	run of_machine health dev
	assert_status 1
	run in_it sh -c 'systemctl is-failed berth@dev; pgrep -u workspaces -x sleep'
	assert_status 1
	# 128 + SIGTERM is how a command ends that is asked to.
	run in_it journalctl -u berth@dev -o cat
	assert_has "berth: SIGTERM: workspace 'dev' gets 80 s to stop"

	# Without its policy there is nothing to start.
	run in_it systemctl start berth@other
	run in_it systemctl is-active berth@other
	assert_output inactive
}
