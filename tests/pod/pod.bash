# shellcheck shell=bash
# A pod as the kubelet and an OCI runtime make it: crun, a user namespace 65536 IDs wide, the
# 14 default capabilities, no_new_privs, a cgroup namespace, /sys/fs/cgroup read-only. The
# tests of this folder run as root, which plays the node; berth in the pod has nothing of it.

# The pod's IDs are the test user's, so that the Debian tree unpacked in them is its image.
pod_mappings()
{
	local file=$1 own=$2 first

	first=$(awk -F: -v user="$BERTH_TEST_USER" '$1 == user { print $2; exit }' "$file")
	printf '[{"containerID":0,"hostID":%s,"size":1},{"containerID":1,"hostID":%s,"size":65535}]' \
		"$own" "$first"
}

# pod_config JQ: the OCI configuration of a pod with procMount: Unmasked, changed by JQ.
pod_config()
{
	local capabilities='["CAP_CHOWN","CAP_DAC_OVERRIDE","CAP_FSETID","CAP_FOWNER","CAP_MKNOD",
		"CAP_NET_RAW","CAP_SETGID","CAP_SETUID","CAP_SETFCAP","CAP_SETPCAP",
		"CAP_NET_BIND_SERVICE","CAP_SYS_CHROOT","CAP_KILL","CAP_AUDIT_WRITE"]'

	jq -n --argjson caps "$capabilities" --arg name "$pod" \
		--argjson uids "$(pod_mappings /etc/subuid "$BERTH_TEST_UID")" \
		--argjson gids "$(pod_mappings /etc/subgid "$(id -g "$BERTH_TEST_USER")")" \
		--arg root "$pod_dir/root" --arg berth "$BERTH" --arg lib "$pod_dir/lib" \
		--arg secret "$pod_dir/secret" --arg ws "$pod_dir/ws" '{
		ociVersion: "1.0.0",
		hostname: "pod",
		process: { terminal: false, user: { uid: 0, gid: 0 }, args: ["sleep", "infinity"],
			cwd: "/", noNewPrivileges: true,
			env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
				"LD_LIBRARY_PATH=/usr/local/lib/berth"],
			capabilities: { bounding: $caps, effective: $caps, permitted: $caps } },
		root: { path: $root, readonly: false },
		mounts: [
			{ destination: "/proc", type: "proc", source: "proc" },
			{ destination: "/dev", type: "tmpfs", source: "tmpfs",
			  options: ["nosuid", "strictatime", "mode=755", "size=65536k"] },
			{ destination: "/dev/pts", type: "devpts", source: "devpts",
			  options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"] },
			{ destination: "/dev/shm", type: "tmpfs", source: "shm",
			  options: ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"] },
			{ destination: "/dev/mqueue", type: "mqueue", source: "mqueue",
			  options: ["nosuid", "noexec", "nodev"] },
			{ destination: "/sys", type: "sysfs", source: "sysfs",
			  options: ["nosuid", "noexec", "nodev", "ro"] },
			{ destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup",
			  options: ["nosuid", "noexec", "nodev", "relatime", "ro"] },
			{ destination: "/usr/local/bin/berth", type: "bind", source: $berth,
			  options: ["bind", "ro"] },
			{ destination: "/usr/local/lib/berth", type: "bind", source: $lib,
			  options: ["bind", "ro"] },
			{ destination: "/var/run/secrets/token", type: "bind", source: $secret,
			  options: ["bind", "ro"] },
			{ destination: "/etc/hosts", type: "bind", source: $secret,
			  options: ["bind", "ro"] },
			{ destination: "/srv/ws", type: "bind", source: $ws, options: ["rbind"] }
		],
		linux: { uidMappings: $uids, gidMappings: $gids, cgroupsPath: ("/" + $name),
			namespaces: [{ type: "pid" }, { type: "network" }, { type: "ipc" },
				{ type: "uts" }, { type: "mount" }, { type: "cgroup" }, { type: "user" }],
			maskedPaths: [], readonlyPaths: [] } }' | jq "$1"
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

# pod_start NAME JQ: makes a pod and waits until it runs.
pod_start()
{
	pod=$1-$$
	pod_dir=$BATS_FILE_TMPDIR/$pod
	mkdir -p "$pod_dir"/{upper,work,root,lib,ws}
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "$pod_dir"
	: >"$pod_dir/stdin"
	echo "a secret of the pod" >"$pod_dir/secret"
	ldd "$BERTH" | awk '/libyajl|libcap/ { print $3 }' | xargs -I{} cp -L {} "$pod_dir/lib/"
	# A container's root is an overlay; its volumes are not.
	chown "$BERTH_TEST_UID" "$pod_dir/upper" "$pod_dir/work"
	mount -t overlay -o "lowerdir=$BERTH_TEST_ROOTFS,upperdir=$pod_dir/upper,workdir=$pod_dir/work" \
		overlay "$pod_dir/root"
	mount --bind "${BERTH_TEST_POD_WS:-$BERTH_TEST_ROOTFS}" "$pod_dir/ws"
	pod_config "$2" >"$pod_dir/config.json"
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
