# shellcheck shell=bash
# The pods of templates/kubernetes, as the kubelet and an OCI runtime make them: tests/vm/bundle
# and crun or runc. The tests run as root, which plays the node; berth in the pod has nothing of it.

pod_top=${BATS_TEST_DIRNAME%/tests/*}
pod_runtime=crun
pod_manifest=workspace.yaml
pod_command=(sleep infinity)       # () leaves it to the manifest
pod_image=${BERTH_TEST_ROOTFS:-}   # of a pod with a user namespace

# What the tests of this folder change of the manifest and add to the node: no AppArmor, no limits,
# and no_new_privs, which takes more than it gives.
pod_options=(
	--pod '{ "securityContext": { "appArmorProfile": null }, "automountServiceAccountToken": true }'
	--container '{ "securityContext": { "allowPrivilegeEscalation": false }, "resources": null }'
)

# The pod's IDs are the test user's, so that the tree unpacked in them is its image.
pod_ids()
{
	local file=$1 own=$2

	awk -F: -v user="$BERTH_TEST_USER" -v own="$own" \
		'$1 == user { print "0:" own ":1,1:" $2 ":65535"; exit }' "$file"
}

# pod_bundle DIR OPTION...: the bundle of $pod_manifest with our seccomp profile on the node, whose
# cgroup controllers may be missing. The image is $pod_image with this berth.
pod_bundle()
{
	local dir=$1 node=() group=/$pod manifest=$pod_manifest

	shift
	[[ $manifest == /* ]] || manifest=$pod_top/templates/kubernetes/$manifest
	! pod_by_systemd || group=system.slice:pod:$pod
	grep -qw memory "/sys/fs/cgroup/cgroup.controllers" 2>/dev/null || node=(--no-controllers)
	/usr/bin/python3 "$pod_top/tests/vm/bundle" \
		"$manifest" "$dir" \
		--seccomp-root "$pod_top/templates/seccomp" "${node[@]}" \
		--uids "$(pod_ids /etc/subuid "$BERTH_TEST_UID")" \
		--gids "$(pod_ids /etc/subgid "$(id -g "$BERTH_TEST_USER")")" \
		--cgroup "$group" --rootfs "$dir/root" --env LD_LIBRARY_PATH=/usr/local/lib/berth \
		--bind "$BERTH:/usr/local/bin/berth:ro" --bind "$dir/lib:/usr/local/lib/berth:ro" \
		--bind "$dir/ws:/srv/ws" "${pod_options[@]}" "$@" -- "${pod_command[@]}"
}

# runc gives a cgroup to the pod's root with the systemd driver only, which is the kubelet's default.
pod_by_systemd() { [ "$pod_runtime" = runc ] && [ -d /run/systemd/system ]; }

# The runtime wants to see nothing but cgroup v2, also on a hybrid host.
pod_oci()
{
	local runtime=("$pod_runtime")

	[ "$pod_runtime" != crun ] || runtime+=(--cgroup-manager=cgroupfs)
	! pod_by_systemd || runtime+=(--systemd-cgroup)
	# shellcheck disable=SC2016 # for the inner shell
	unshare -m sh -c '
		if [ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ]; then
			umount -R /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup
		fi
		exec "$@"' sh "${runtime[@]}" "$@" 3>&-
}
pure_crun() { pod_oci "$@"; }

# pod_made NAME JQ OPTION...: makes a pod with these options of bundle, its OCI configuration
# changed by JQ; nothing runs yet.
pod_made()
{
	pod=$1-$$
	pod_dir=$BATS_FILE_TMPDIR/$pod
	mkdir -p "$pod_dir"/{lib,ws}
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "$pod_dir"
	: >"$pod_dir/stdin"
	ldd "$BERTH" | awk '/libyajl|libyaml|libcap/ { print $3 }' | xargs -r cp -Lt "$pod_dir/lib"
	pod_bundle "$pod_dir" "${@:3}"
	pod_root
	mount --bind "${BERTH_TEST_POD_WS:-$pod_image}" "$pod_dir/ws"
	[ "$2" = . ] ||
		{ jq "$2" "$pod_dir/config.json" >"$pod_dir/changed" && mv "$pod_dir/changed" "$pod_dir/config.json"; }
}

# pod_root: a container's root is an overlay; its volumes are not.
pod_root()
{
	mkdir -p "$pod_dir"/{upper,work,root}
	chown --reference="$pod_image" "$pod_dir/upper" "$pod_dir/work"
	mount -t overlay -o "lowerdir=$pod_image,upperdir=$pod_dir/upper,workdir=$pod_dir/work" \
		overlay "$pod_dir/root"
}

# pod_start NAME JQ OPTION...: the same, and waits until it runs.
pod_start()
{
	pod_made "$@"
	pod_oci run --detach --bundle "$pod_dir" "$pod" >"$pod_dir/log" 2>&1 <"$pod_dir/stdin" ||
		{ cat "$pod_dir/log"; return 1; }
}

# take_cgroup_away: as runc leaves it, the group is the node's root's.
take_cgroup_away()
{
	local group

	group=$(find /sys/fs/cgroup -maxdepth 2 -name "$pod" -path "*$pod" | head -n 1)
	chown -R 0:0 "$group"
}

pod_stop()
{
	[ -n "${pod:-}" ] || return 0
	pod_oci delete --force "$pod" || true
	pod_unmade
}

# pod_unmade: the rest of a pod that ended.
pod_unmade()
{
	umount "$pod_dir/root" "$pod_dir/ws"
	assert_equal "$(stat -c %U /dev/null)" root
	pod=
}

# Through pipes: crun gives the standard streams of a process to the pod's root, whatever they
# are, and /dev/null is the node's.
pod_exec()
{
	local options

	# As the kubelet's exec has it: the user and the setting of the container.
	options=(--user "$(jq -r '.process.user | "\(.uid):\(.gid)"' "$pod_dir/config.json")")
	! jq -e .process.noNewPrivileges "$pod_dir/config.json" >/dev/null || options+=(--no-new-privs)
	cat | pod_oci exec "${options[@]}" "$pod" "$@" 2> >(cat >&2) | cat
	return "${PIPESTATUS[1]}"
}

# docker_works WORKSPACE: run, exec, stop, build and --privileged by the dockerd of a workspace in
# the pod.
docker_works()
{
	local in=(pod_exec berth exec "$1" --)

	pod_exec berth exec -i "$1" -- docker import - small <"$BERTH_TEST_SMALL_TAR"
	run "${in[@]}" docker run --rm small /bin/busybox echo from inside
	assert_output "from inside"
	run "${in[@]}" docker run --rm --privileged small /bin/sh -c \
		'mkdir /m && mount -t tmpfs tmpfs /m && grep -c " /m " /proc/mounts; grep " /sys " /proc/mounts'
	assert_status 0
	assert_equal "${lines[0]}" 1
	assert_has "sysfs /sys sysfs ro,"
	"${in[@]}" docker run -d --name sleeper small /bin/sleep 1000
	run "${in[@]}" docker exec sleeper /bin/echo in it
	assert_output "in it"
	"${in[@]}" docker stop -t 1 sleeper
	"${in[@]}" sh -c 'mkdir -p /tmp/build && printf "%s\n" "FROM small" "RUN echo built >/result" \
		>/tmp/build/Dockerfile && docker build -q -t built /tmp/build'
	run "${in[@]}" docker run --rm built /bin/cat /result
	assert_output built
	"${in[@]}" docker system prune -af
}
