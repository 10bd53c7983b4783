# shellcheck shell=bash
# A pod whose image has a link "envbox" to berth: "envbox docker" is its first process, with a template's
# variables. What it pulls is in its store already, since no Debian here has skopeo.
# bats file_tags=debian

load ../lib/common
load ../lib/image
load pod

setup_file()
{
	probe root tool:crun tool:jq debian small image_tools
	cd "$BATS_FILE_TMPDIR" || return
	make_image layout small --config '{ "Entrypoint": ["/bin/false"] }'
	make_image layout debian
	mkdir store
	chown "$BERTH_TEST_UID" store
	chmod -R a+rX . "$BATS_RUN_TMPDIR"
	# As a pod's root, whose IDs are those of tests/pod.
	for tag in small debian; do
		as_user "$BERTH" unshare -- "$BERTH" image pull --progress none --store "$PWD/store" "oci:$PWD/layout:$tag"
	done
	# The test user may have more IDs than the pod, to whom those are the same that both have.
	tree=store/images/trees/0-0x1+1-1x65535
	[ -d "$tree" ] || mv store/images/trees/* "$tree"
}

setup()
{
	common_setup
	# shellcheck disable=SC2034 # for pod.bash
	pod_command=()
	chmod 755 .
	mkdir home
	chown "$BERTH_TEST_UID:$(id -g "$BERTH_TEST_USER")" home
}
teardown()
{
	[ -z "${runner:-}" ] || ! kill -0 "$runner" 2>/dev/null || pure_crun kill "$pod" KILL
	pod_stop
}

# envbox TAG VARIABLE=VALUE...: such a pod of the manifest, with nothing of its environment.
envbox()
{
	local tag=$1 variables=()

	shift
	mapfile -t variables < <(jq -Rnc '[inputs | capture("(?<name>[^=]*)=(?<value>.*)") | .value |= gsub("\\\\n"; "\n")]' < <(
		printf '%s\n' "CODER_INNER_IMAGE=oci:$BATS_FILE_TMPDIR/layout:$tag" BERTH_STORE=/srv/store \
			BERTH_STATE=/var/lib/workspace BERTH_STOP_TIMEOUT=90 "$@"))
	pod_made "envbox-$tag" . --container '{ "command": ["envbox", "docker"] }' \
		--container "{ \"env\": ${variables[0]} }" --bind "$BATS_FILE_TMPDIR/store:/srv/store" \
		--bind "$PWD/home:/home/coder"
	ln -s berth "$pod_dir/root/usr/local/bin/envbox"
}

# The image is Debian, whatever was unpacked of it.
debian_tree()
{
	find "$BATS_FILE_TMPDIR/store/images/trees" -path "*$(jq -r '.manifests[]
		| select(.annotations["org.opencontainers.image.ref.name"] == "debian").digest | sub("^sha256:"; "")' \
		"$BATS_FILE_TMPDIR/layout/index.json")*" -name rootfs -prune
}

go()
{
	pod_oci run --bundle "$pod_dir" "$pod" >"$pod_dir/log" 2>&1 <"$pod_dir/stdin" &
	runner=$!
}
ended()
{
	wait_until "$1" ends
	code=0
	wait "$runner" || code=$?
	runner=
}
ends() { ! kill -0 "$runner" 2>/dev/null; }
ready() { [ "$(pod_exec berth health --ready 2>&1)" = ready ]; }
ready_or_gone() { ready || [ "$(pod_oci state "$pod" 2>/dev/null | jq -r .status)" != running ]; }
last() { cat "$pod_dir/etc/termination-log"; }

@test "systemd boots, the user has his home on a new volume, SIGTERM stops the agent first" {
	tree=$(debian_tree)
	[ -d "$tree" ]
	envbox debian CODER_INNER_USERNAME=www-data CODER_MOUNTS=/home/coder:/var/www CODER_AGENT_TOKEN=a-token \
		'CODER_BOOTSTRAP_SCRIPT=trap "systemctl is-active dbus >$HOME/stopped; exit 0" TERM\nid -un >"$BINARY_DIR/begun"\necho "$CODER_AGENT_TOKEN" >>"$BINARY_DIR/begun"\nwhile :; do sleep 0.2; done'
	jq --arg from "$BERTH_TEST_ROOTFS" --arg to "/srv/store${tree#"$BATS_FILE_TMPDIR/store"}" \
		'.mounts += [{ source: $from, destination: $to, type: "bind", options: ["bind", "ro"] }]' \
		"$pod_dir/config.json" >"$pod_dir/changed"
	mv "$pod_dir/changed" "$pod_dir/config.json"
	go
	wait_until 60 pod_exec /bin/true
	wait_until 100 ready_or_gone
	ready || fail "$(cat "$pod_dir/log")"
	run pod_exec berth exec -u root -- systemctl is-system-running
	assert_output running
	wait_until 20 test -s home/.coder/begun
	assert_equal "$(cat home/.coder/begun)" $'www-data\na-token'
	run pod_exec berth exec -- stat -c %U /var/www /var/www/.coder
	assert_output $'www-data\nwww-data'
	run pod_exec /bin/sh -c 'cat /proc/1/comm; ls /run/berth-envbox-*'
	assert_output $'envbox\nscript'

	pure_crun kill "$pod" TERM
	ended 100
	run cat "$pod_dir/log"
	assert_has "init systemd"
	assert_has "berth: SIGTERM: workspace 'workspace' gets 90 s to stop"
	assert_has "berth: workspace 'workspace' ended with 0: powered off"
	assert_equal "$code" 0
	assert_equal "$(last)" ""
	# While the system was there.
	assert_equal "$(cat home/stopped)" active
	run find "$pod_dir/root/run" -name 'berth-envbox-*'
	assert_output ''
}

@test "without systemd and a group of its own it stays up: limits are the pod's, and that is said" {
	envbox small CODER_INNER_USERNAME=root CODER_CPUS=1 CODER_MEMORY=536870912
	pod_oci create --bundle "$pod_dir" "$pod" >"$pod_dir/log" 2>&1 <"$pod_dir/stdin"
	take_cgroup_away
	pod_oci start "$pod"
	wait_until 30 ready_or_gone
	ready || fail "$(cat "$pod_dir/log")"
	run cat "$pod_dir/log"
	assert_has "tier B, init berth"
	[[ $output =~ "cpus 1".*"not enforced" ]] || fail "$output"
	[[ $output =~ "memory 536870912".*"not enforced" ]] || fail "$output"
	run pod_exec berth exec -- sh -c 'tr "\0" " " </proc/*/cmdline 2>/dev/null; cat /proc/*/cmdline | tr "\0" " "'
	assert_has "sleep infinity"
}

@test "a volume that envbox filled is refused, and that is the pod's last word" {
	chown 4200000000:4200000000 home
	envbox small CODER_INNER_USERNAME=root CODER_MOUNTS=/home/coder:/mnt
	go
	ended 30
	assert_equal "$code" 125
	run last
	assert_has "berth: volume: -v '/home/coder': it belongs to uid 65534, as what envbox wrote"
	assert_has 'hint: give it back its own IDs once, from outside: docs/from-envbox.md'
}

@test "the pod for such volumes gives everything its own IDs, and may be made again" {
	script=$(/usr/bin/python3 -c 'import sys, yaml
print(yaml.safe_load(open(sys.argv[1]))["spec"]["containers"][0]["args"][0])' \
		"$pod_top/templates/kubernetes/from-envbox/volume.yaml")
	mkdir -p home/dir
	touch home/dir/file home/other home/last home/beyond
	ln -s /etc/passwd home/link
	chown -h 101000:101001 home home/dir home/dir/file home/link
	chown 100000:7 home/other
	chown 165535:165535 home/last
	chown 165536:99999 home/beyond
	for _ in once again; do
		sh -ec "${script//\/volume/$PWD/home}"
		run stat -c '%u:%g %n' home home/dir home/dir/file home/link home/other home/last home/beyond /etc/passwd
		assert_output $'1000:1001 home\n1000:1001 home/dir\n1000:1001 home/dir/file\n1000:1001 home/link
0:7 home/other\n65535:65535 home/last\n165536:99999 home/beyond\n0:0 /etc/passwd'
	done
}
