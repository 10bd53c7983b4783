#!/usr/bin/env bats
# The manifests of templates/kubernetes as podman kube play makes pods of them. It takes hostUsers
# and procMount from them, but neither seccompProfile nor appArmorProfile: those two are a setting of
# the node there (containers.conf).
# shellcheck disable=SC2034 # matrix.bash uses our variables

load ../lib/common
load ../pod/pod
load matrix

export BATS_TEST_TIMEOUT=300 # emulated

setup_file()
{
	cd "$BATS_FILE_TMPDIR" || return
	mkdir -p image/usr/local/bin
	cp -a /srv/trees/small/. image
	cp "$BERTH" image/usr/local/bin/berth
	tar -C image -c . | podman import --change 'CMD ["sleep", "infinity"]' - registry.example/workspace:1

	# The IDs that hostUsers: false hands out, and that a pod gets as many as the kubelet gives.
	cp -p /etc/subuid /etc/subgid .
	echo containers:2000000:655360 | tee -a /etc/subuid >>/etc/subgid
	printf '%s\n' '[storage]' 'driver = "overlay"' 'runroot = "/run/containers/storage"' \
		'graphroot = "/var/lib/containers/storage"' '[storage.options]' \
		'auto-userns-min-size = 65536' >storage.conf
	export CONTAINERS_STORAGE_CONF=$PWD/storage.conf CONTAINERS_CONF_OVERRIDE=$PWD/containers.conf
	node
}

teardown_file()
{
	cd "$BATS_FILE_TMPDIR" || return
	podman rmi -f registry.example/workspace:1
	cp -p subuid subgid /etc
}

setup() { matrix_setup; }

teardown()
{
	podman pod rm -af -t 0
	chown root:root /dev/null # crun gave it to the pod's root: its standard input
}

# node LINE...: containers.conf, the part that is for containers.
node()
{
	printf '%s\n' '[engine]' 'infra_image = "registry.example/workspace:1"' '[containers]' "$@" \
		>"$CONTAINERS_CONF_OVERRIDE"
}

# play MANIFEST: makes its pod, whose command waits; $pod is its container then.
play()
{
	pod=$(/usr/bin/python3 - "$pod_top/templates/kubernetes/$1" pod.yaml <<-'END'
		import sys, yaml
		manifest = yaml.safe_load(open(sys.argv[1]))
		container = manifest["spec"]["containers"][0]
		container["command"] = ["sleep", "infinity"]
		container.pop("livenessProbe", None) # nobody lives there
		yaml.safe_dump(manifest, open(sys.argv[2], "w"))
		print(manifest["metadata"]["name"] + "-" + container["name"])
	END
	)
	podman kube play --network none pod.yaml
}

inside() { podman exec "$pod" "$@"; }

@test "kube play: hostUsers: false gives the pod 65536 IDs of nobody" {
	play command.yaml
	run inside cat /proc/self/uid_map
	read -r first outside count <<<"$output"
	assert_equal "$first $count" "0 65536"
	[ "$outside" -ge 2000000 ]
}

@test "kube play: a default pod has podman's AppArmor profile: tier D, and the remedy" {
	play command.yaml
	report=$(inside berth check --format json)
	tier_is D
	[[ $(field apparmor detail) == containers-default-* ]]
	remedy user-namespace appArmorProfile
}

@test "kube play: the profiles of a manifest are not taken: workspace.yaml is tier D there" {
	apparmor_parser -r "$pod_top/templates/apparmor/berth"
	play workspace.yaml
	run inside cat /proc/self/attr/apparmor/current
	[[ $output == containers-default-* ]] || fail "podman knows appArmorProfile by now: '$output'"
	report=$(inside berth check --format json)
	tier_is D
}

@test "kube play: with AppArmor off for containers: command.yaml is tier C, procMount: Unmasked tier A" {
	node 'apparmor_profile = "unconfined"'
	play command.yaml
	report=$(inside berth check --format json)
	tier_is C
	remedy proc "procMount: Unmasked"
	podman pod rm -af -t 0
	play workspace-runc.yaml
	report=$(inside berth check --format json)
	tier_is A
}

@test "kube play: with both of our profiles as the node's own: workspace.yaml is tier A" {
	apparmor_parser -r "$pod_top/templates/apparmor/berth"
	node 'apparmor_profile = "berth"' "seccomp_profile = \"$pod_top/templates/seccomp/berth.json\""
	play workspace.yaml
	report=$(inside berth check --format json)
	tier_is A
	lacks
	assert_equal "$(field apparmor detail)" "berth (enforce)"
	run inside berth run --rm -- id -u
	assert_status 0
	assert_equal "${lines[-1]}" 0
}
