# shellcheck shell=bash
# The pod of templates/kubernetes, as the kubelet and an OCI runtime make it: tests/vm/bundle and
# crun. The tests of this folder run as root, which plays the node; berth in the pod has nothing
# of it.

pod_command=(sleep infinity)
pod_top=${BATS_TEST_DIRNAME%/tests/*}

# The pod's IDs are the test user's, so that the Debian tree unpacked in them is its image.
pod_ids()
{
	local file=$1 own=$2

	awk -F: -v user="$BERTH_TEST_USER" -v own="$own" \
		'$1 == user { print "0:" own ":1,1:" $2 ":65535"; exit }' "$file"
}

# pod_bundle DIR OPTION...: the bundle of the pod that we ship with our seccomp profile, on a
# node without AppArmor, whose cgroup controllers may be missing. The image is
# BERTH_TEST_ROOTFS with this berth; no_new_privs is set, which takes more than it gives.
pod_bundle()
{
	local dir=$1

	shift
	/usr/bin/python3 "$pod_top/tests/vm/bundle" \
		"$pod_top/templates/kubernetes/workspace.yaml" "$dir" \
		--seccomp-root "$pod_top/templates/seccomp" --no-controllers \
		--pod '{ "securityContext": { "appArmorProfile": null },
			"automountServiceAccountToken": true }' \
		--container '{ "securityContext": { "allowPrivilegeEscalation": false },
			"resources": null,
			"env": [{ "name": "LD_LIBRARY_PATH", "value": "/usr/local/lib/berth" }] }' \
		--uids "$(pod_ids /etc/subuid "$BERTH_TEST_UID")" \
		--gids "$(pod_ids /etc/subgid "$(id -g "$BERTH_TEST_USER")")" \
		--cgroup "/$pod" --rootfs "$dir/root" \
		--bind "$BERTH:/usr/local/bin/berth:ro" --bind "$dir/lib:/usr/local/lib/berth:ro" \
		--bind "$dir/ws:/srv/ws" "$@" -- "${pod_command[@]}"
}

# crun wants to see nothing but cgroup v2, also on a hybrid host.
pure_crun()
{
	# shellcheck disable=SC2016 # for the inner shell
	unshare -m sh -c '
		if [ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ]; then
			umount -R /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup
		fi
		exec crun --cgroup-manager=cgroupfs "$@"' sh "$@" 3>&-
}

# pod_start NAME OPTION...: makes a pod, with these options of bundle, and waits until it runs.
pod_start()
{
	pod=$1-$$
	pod_dir=$BATS_FILE_TMPDIR/$pod
	mkdir -p "$pod_dir"/{upper,work,root,lib,ws}
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "$pod_dir"
	: >"$pod_dir/stdin"
	ldd "$BERTH" | awk '/libyajl|libcap/ { print $3 }' | xargs -I{} cp -L {} "$pod_dir/lib/"
	# A container's root is an overlay; its volumes are not.
	chown "$BERTH_TEST_UID" "$pod_dir/upper" "$pod_dir/work"
	mount -t overlay -o "lowerdir=$BERTH_TEST_ROOTFS,upperdir=$pod_dir/upper,workdir=$pod_dir/work" \
		overlay "$pod_dir/root"
	mount --bind "${BERTH_TEST_POD_WS:-$BERTH_TEST_ROOTFS}" "$pod_dir/ws"
	pod_bundle "$pod_dir" "${@:2}"
	pure_crun run --detach --bundle "$pod_dir" "$pod" >"$pod_dir/log" 2>&1 <"$pod_dir/stdin" ||
		{ cat "$pod_dir/log"; return 1; }
}

pod_stop()
{
	[ -n "${pod:-}" ] || return 0
	pure_crun delete --force "$pod" || true
	umount "$pod_dir/root" "$pod_dir/ws"
	assert_equal "$(stat -c %U /dev/null)" root
}

# Through pipes: crun gives the standard streams of a process to the pod's root, whatever they
# are, and /dev/null is the node's.
pod_exec()
{
	cat | pure_crun exec --no-new-privs "$pod" "$@" 2> >(cat >&2) | cat
	return "${PIPESTATUS[1]}"
}
