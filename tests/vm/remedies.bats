#!/usr/bin/env bats
# What berth check says to change, changed: the row says yes then. Here are the remedies of a machine
# and of a node; matrix.bats has those of a pod's manifest. "apply" runs the words that were printed.
# bats file_tags=debian
# shellcheck disable=SC2034 # pod.bash and matrix.bash use our variables

load ../lib/common
load ../pod/pod
load matrix

export BATS_TEST_TIMEOUT=600 # emulated

setup()
{
	matrix_setup
	undo=()
}

teardown()
{
	local i

	for ((i = ${#undo[@]} - 1; i >= 0; i--)); do
		eval "${undo[i]}"
	done
	pod_stop
}

# machine [COMMAND...]: asks berth check as the guest's user, through COMMAND.
machine() { report=$(as_user "$@" "$BERTH" check --format json); }

# logind removes the user's runtime directory with his manager; that of the other files is another.
no_linger()
{
	loginctl disable-linger "$BERTH_TEST_USER"
	systemctl stop "user@$BERTH_TEST_UID.service" "user-runtime-dir@$BERTH_TEST_UID.service"
	install -d -m 0700 -o "$BERTH_TEST_UID" -g "$BERTH_TEST_GID" "$BERTH_TEST_RUNTIME"
}

# apply NAME PATTERN: runs the first match of the extended PATTERN in that row's remedy, as root, for
# the guest's user.
apply()
{
	local words

	words=$(field "$1" remedy | grep -oE -m 1 "$2" | head -n 1)
	[ -n "$words" ] || fail "no '$2' in: $(field "$1" remedy)"
	bash -euc "${words//USER/$BERTH_TEST_USER}"
}

@test "remedy: a user without IDs: the usermod that it prints" {
	local file

	for file in /etc/subuid /etc/subgid; do
		cp -p "$file" "$file.before"
		undo+=("mv $file.before $file")
		sed -i "/^$BERTH_TEST_USER:/d" "$file"
	done
	machine
	remedy subordinate-ids usermod
	remedy ids usermod
	remedy setgroups usermod
	apply ids "usermod --add-subuids [0-9-]+ --add-subgids [0-9-]+ USER"
	machine
	mended subordinate-ids ids setgroups
}

@test "remedy: a user with fewer IDs, or one" {
	local file

	for file in /etc/subuid /etc/subgid; do
		cp -p "$file" "$file.before"
		undo+=("mv $file.before $file")
		sed -i "s/^$BERTH_TEST_USER:.*/$BERTH_TEST_USER:900000:1000/" "$file"
	done
	machine
	remedy ids "lend this user 65536 IDs"
	apply ids "usermod --add-subuids [0-9-]+ --add-subgids [0-9-]+ USER"
	machine
	mended ids

	for file in /etc/subuid /etc/subgid; do echo "$BERTH_TEST_USER:$BERTH_TEST_UID:65536" >"$file"; done
	machine
	remedy id-maps "mend the user's lines in /etc/subuid and /etc/subgid"
	for file in /etc/subuid /etc/subgid; do echo "$BERTH_TEST_USER:900000:65536" >"$file"; done
	machine
	mended id-maps ids
	machine unshare --user --map-root-user
	remedy setgroups "lend this user 65536 IDs"
	machine
	mended setgroups
}

@test "remedy: newuidmap missing, or without its setuid bit" {
	undo+=("mv /usr/bin/newuidmap.away /usr/bin/newuidmap")
	mv /usr/bin/newuidmap{,.away}
	machine
	remedy newuidmap "install the package uidmap"
	remedy ids "install the package uidmap"
	cp -p /usr/bin/newuidmap{.away,}
	machine
	mended newuidmap ids

	chmod u-s /usr/bin/newuidmap
	machine
	remedy newuidmap "reinstall the package uidmap"
	remedy id-maps "setuid bit"
	chmod u+s /usr/bin/newuidmap
	machine
	mended newuidmap id-maps ids
}

@test "remedy: no_new_privs: start berth without it" {
	machine setpriv --no-new-privs
	remedy newuidmap "start berth without no_new_privs"
	remedy ids "no_new_privs is set, so newuidmap cannot help"
	remedy sudo "start berth without no_new_privs"
	machine
	mended newuidmap sudo ids
}

@test "remedy: mounts over parts of /proc and /sys: those that findmnt shows, unmounted" {
	local where

	for where in "proc /proc/irq" "sysfs /sys/firmware"; do
		mount -t tmpfs tmpfs "${where#* }"
		machine
		[ "$(field "${where% *}" result)" = no ] || umount "${where#* }"
		remedy "${where% *}" "unmount it"
		apply "${where% *}" "findmnt -R /(proc|sys)" >mounts
		assert_equal "$(grep -c "${where#* } " mounts)" 1
		umount "${where#* }"
		machine
		mended "${where% *}"
	done
}

@test "remedy: a user's cgroup: linger, systemd-run, Delegate" {
	local BERTH_TEST_CGROUP=

	machine
	remedy cgroup "systemd-run --user --scope -p Delegate=yes"
	remedy service-manager enable-linger
	apply service-manager "loginctl enable-linger USER"
	undo+=("no_linger")
	wait_until 100 as_user systemctl --user is-system-running --wait
	machine
	mended service-manager
	machine systemd-run --user --scope -q -p Delegate=yes --
	mended cgroup

	# Debian hands cpu, memory and pids to users.
	remedy controllers "systemctl edit user@.service"
	mkdir -p /etc/systemd/system/user@.service.d
	undo+=("rm -r /etc/systemd/system/user@.service.d; systemctl daemon-reload")
	printf '[Service]\n%s\n' "$(field controllers remedy | grep -o 'Delegate=.*')" \
		>/etc/systemd/system/user@.service.d/delegate.conf
	systemctl daemon-reload
	systemctl restart "user@$BERTH_TEST_UID.service"
	machine systemd-run --user --scope -q -p Delegate=yes --
	mended controllers
}

# gone MODULE: with those that use it. A network namespace that holds it ends some time after its
# last process.
gone()
{
	local user users

	users=$(awk -v module="$1" '$1 == module { gsub(/[,-]/, " ", $4); print $4 }' /proc/modules)
	for user in $users; do
		gone "$user" || return
	done
	! grep -q "^$1 " /proc/modules || rmmod "$1"
}

@test "remedy: modules of the kernel that may not load: the modprobe that it prints" {
	local row name module

	undo+=("rm -f /etc/modprobe.d/berth-test.conf")
	for row in veth:veth nftables:nf_tables relay:nft_tproxy shaping:sch_tbf \
		forwarding:nft_masq overlay:overlay; do
		name=${row%:*} module=${row#*:}
		wait_until 30 gone "$module" 2>/dev/null || fail "$(lsmod)"
		echo "install $module /bin/false" >/etc/modprobe.d/berth-test.conf
		machine
		remedy "$name" "$module"
		rm /etc/modprobe.d/berth-test.conf
		apply "$name" "modprobe [a-z0-9_ -]+"
		machine
		mended "$name"
	done
}

@test "remedy: kernel.unprivileged_userns_clone and user.max_user_namespaces" {
	sysctl -qw kernel.unprivileged_userns_clone=0
	undo+=("sysctl -qw kernel.unprivileged_userns_clone=1")
	machine
	remedy user-namespace kernel.unprivileged_userns_clone=0
	sysctl -qw kernel.unprivileged_userns_clone=1
	machine
	mended user-namespace

	undo+=("sysctl -qw user.max_user_namespaces=$(sysctl -n user.max_user_namespaces)")
	sysctl -qw user.max_user_namespaces=0
	machine
	remedy user-namespace user.max_user_namespaces
	sysctl -qw user.max_user_namespaces=100
	machine
	mended user-namespace nested
}

@test "remedy: a filter around berth, and a limit of open files" {
	local n

	machine "$BERTH_TEST_WITHOUT" -n clone3 keyctl sethostname --
	remedy clone3 "a seccomp filter may hide it"
	remedy cgroup-birth "a seccomp filter may hide clone3"
	remedy keyctl "a seccomp filter around berth refuses it"
	remedy hostname "a seccomp filter around berth refuses it"
	machine
	mended clone3 cgroup-birth keyctl hostname
	machine "$BERTH_TEST_WITHOUT" -n keyctl=KILL --
	remedy keyctl "this one kills its caller"
	machine
	mended keyctl

	for n in {6..12}; do
		machine prlimit "--nofile=$n:$n"
		[[ $(field user-namespace remedy) != *ulimit* ]] || break
	done
	remedy user-namespace "ulimit -n"
	machine
	mended user-namespace
}

@test "remedy: /sys is read-only" {
	machine_in() { unshare -m bash -c 'mount -o "remount,bind,$0" /sys && exec "$@"' "$@"; }
	report=$(machine_in ro "$BERTH_TEST_AS_USER" "$BERTH" check --format json)
	remedy sysfs-writable "mount /sys read-write"
	report=$(machine_in rw "$BERTH_TEST_AS_USER" "$BERTH" check --format json)
	mended sysfs-writable
}

@test "remedy: a threaded group" {
	# shellcheck disable=SC2016 # for the inner shell
	machine bash -ec 'cd "/sys/fs/cgroup$(sed -n "s/^0:://p" /proc/self/cgroup)"
		mkdir t; echo threaded >t/cgroup.type; echo $$ >t/cgroup.procs; exec "$@"' bash
	remedy cgroup "the group is threaded"
	machine
	mended cgroup
}

@test "remedy: kernel.keys.maxkeys" {
	# A user who holds the only one that he may have.
	local held='import ctypes, os, sys; ctypes.CDLL(None).syscall(250, 1, 0); os.execv(sys.argv[1], sys.argv[1:])'

	undo+=("sysctl -qw kernel.keys.maxkeys=$(sysctl -n kernel.keys.maxkeys)")
	sysctl -qw kernel.keys.maxkeys=1
	machine /usr/bin/python3 -c "$held"
	remedy keyctl kernel.keys.maxkeys
	sysctl -qw kernel.keys.maxkeys=200
	machine /usr/bin/python3 -c "$held"
	mended keyctl
}

# with_filter CALL:ERRNO...: a pod whose seccomp profile refuses these.
with_filter()
{
	pod_stop
	# shellcheck disable=SC2016 # for jq
	pod_start filter "$(jq -n --args '.linux.seccomp = { "defaultAction": "SCMP_ACT_ALLOW",
		"syscalls": [ $ARGS.positional[] | split(":") | { "names": [.[0]], "action": "SCMP_ACT_ERRNO",
			"errnoRet": (.[1] | tonumber) } ] }' "$@" | jq -r '".linux.seccomp = \(.linux.seccomp)"')" \
		--pod "$no_profiles"
	report=$(pod_exec berth check --format json)
}

@test "remedy: calls that a pod's seccomp profile refuses: our Localhost profile, or Unconfined" {
	with_filter clone3:38 keyctl:1 pivot_root:1
	remedy clone3 seccompProfile
	remedy keyctl "seccompProfile: Unconfined"
	remedy pivot-root seccompProfile
	row A --pod "$no_apparmor"
	mended clone3 pivot-root
	# Keyrings are not in our profile: nothing in a workspace needs them.
	remedy keyctl "seccompProfile: Unconfined"
	row A --pod "$no_profiles"
	mended keyctl
}

@test "remedy: calls without which nothing starts" {
	with_filter unshare:1 mount:1 openat2:1 fsopen:1 socket:38
	remedy unshare "seccompProfile to one that allows unshare"
	remedy capabilities "or a seccomp profile refuses mount"
	remedy openat2 "set seccompProfile"
	remedy cgroup2 "set seccompProfile to one that allows them"
	remedy loopback "the pod's seccomp profile, lacks a system call"
	with_filter clone:38 clone3:38
	remedy user-namespace "profile hides clone: set one that allows it"
	row A --pod "$no_apparmor"
	mended unshare capabilities openat2 cgroup2 loopback user-namespace
}

# confined RULE...: the report of a pod with our AppArmor profile, changed: "deny ..." is added,
# "without ..." a line that is left out.
confined()
{
	local rule profile

	pod_stop
	profile=$(sed 's/^profile berth /profile berth-test /; s/peer=berth,/peer=berth-test,/' \
		"$pod_top/templates/apparmor/berth")
	for rule; do
		case $rule in
		without\ *) profile=$(grep -vx "  ${rule#* }," <<<"$profile") ;;
		*) profile=${profile%\}}"  $rule,"$'\n}' ;;
		esac
	done
	apparmor_parser -r <<<"$profile"
	pod_start confined '.process.apparmorProfile = "berth-test"' --pod "$no_apparmor"
	report=$(pod_exec berth check --format json)
	assert_equal "$(field apparmor detail)" "berth-test (enforce)"
}

@test "remedy: AppArmor refuses mounts, or a capability: our profile, or Unconfined" {
	probe tool:apparmor_parser
	apparmor_parser -r "$pod_top/templates/apparmor/berth"

	confined "without mount" "without remount"
	tier_is D
	remedy capabilities "AppArmor denies mount: set appArmorProfile: Unconfined"

	confined "deny capability sys_admin"
	tier_is D
	remedy user-namespace "by AppArmor (set appArmorProfile: Unconfined"

	confined "deny capability net_admin"
	tier_is D
	remedy loopback appArmorProfile
	remedy veth appArmorProfile
	remedy nftables appArmorProfile
	remedy relay appArmorProfile
	remedy shaping appArmorProfile
	remedy forwarding appArmorProfile
	row A --apparmor-default unused
	mended capabilities user-namespace loopback veth nftables relay shaping forwarding
}

@test "remedy: a pod's user without helpers" {
	local user='{ "securityContext": { "runAsUser": 1000, "runAsGroup": 1000'
	local no_more=', "allowPrivilegeEscalation": false'

	row C --pod "$no_profiles" --container "$user$no_more } }"
	remedy newuidmap "run as root with hostUsers: false"
	remedy sudo "allowPrivilegeEscalation: true"
	remedy subordinate-ids "runAsUser: 0"
	row A --pod "$no_profiles"
	mended newuidmap sudo subordinate-ids

	# That is not all of it: its setuid bit helps a pod's user nothing.
	row C --pod "$no_profiles" --container "$user } }"
	remedy newuidmap "setcap cap_setuid=ep"
	rm "$pod_dir/root/usr/bin/newuidmap"
	report=$(pod_exec berth check --format json)
	remedy newuidmap "install the package uidmap in the image"
	row A --pod "$no_profiles"
	mended newuidmap
}

@test "remedy: a pod whose root has one ID" {
	pod_start one . --pod "$no_profiles"
	report=$(pod_exec unshare --user --map-root-user berth check --format json)
	tier_is C
	remedy ids "set hostUsers: false in the pod, and leave runAsUser at 0"
	remedy setgroups "set hostUsers: false in the pod, and leave runAsUser at 0"
	asked A
	mended ids setgroups
}

@test "remedy: a pod's cgroup that is full: cgroup.max.descendants, pids.max" {
	pod_start full . --pod "$no_profiles" --pids 100
	group=/sys/fs/cgroup/$pod
	echo 0 >"$group/cgroup.max.descendants"
	report=$(pod_exec berth check --format json)
	remedy cgroup cgroup.max.descendants
	echo max >"$group/cgroup.max.descendants"
	report=$(pod_exec berth check --format json)
	mended cgroup

	echo 4 >"$group/pids.max"
	report=$(pod_exec berth check --format json)
	remedy user-namespace pids.max
	echo 100 >"$group/pids.max"
	report=$(pod_exec berth check --format json)
	mended user-namespace
}

@test "remedy: a pod whose node hands it no controllers" {
	local group=/sys/fs/cgroup/bare controllers

	pod_start bare . --pod "$no_profiles" --cgroup "/bare/pod"
	controllers=$(<"$group/cgroup.subtree_control")
	echo "-${controllers// / -}" >"$group/cgroup.subtree_control"
	asked A
	remedy controllers "let the node hand the controllers down"
	echo "+${controllers// / +}" >"$group/cgroup.subtree_control"
	asked A
	mended controllers
}

@test "remedy: the pod's root is an overlay: a volume for --state" {
	row A --pod "$no_profiles" --container '{ "volumeMounts": null }'
	remedy root-volume "mount a volume"
	run pod_exec berth run --rm --rootfs /srv/ws:O --state /var/lib/workspace -- touch /kept
	assert_status 125
	assert_has "give a directory on ext4 or xfs: an emptyDir"
	row A --pod "$no_profiles"
	run pod_exec berth run --rm --rootfs /srv/ws:O --state /var/lib/workspace -- touch /kept
	assert_status 0
	helped root-volume # the root is what it is
}

# state DIR [COMMAND...]: the report of a machine for that directory; of a pod, for in_pod DIR.
state()  { report=$(as_user "${@:2}" "$BERTH" check --format json --state "$1"); }
in_pod() { report=$(unshare --fork --pid --mount-proc "$BERTH_TEST_AS_USER" "$BERTH" check --format json --state "$1"); }

# unfit DIR ROW MACHINE POD COMMAND: the row says no and, on a machine and in a pod, these; COMMAND is
# what they say, and mends it.
unfit()
{
	local where

	for where in state:"$3" in_pod:"$4"; do
		"${where%%:*}" "$1"
		remedy "$2" "${where#*:}"
		told[$2:$where]=${told[$2]}
	done
	eval "$5"
	for where in state:"$3" in_pod:"$4"; do
		"${where%%:*}" "${moved:-$1}"
		told[$2]=${told[$2:$where]}
		mended "$2"
	done
}

@test "remedy: a directory for --state that layers cannot lie in, without room, or noexec" {
	local dir moved=

	# Where the user may look.
	dir=$(mktemp -d /var/tmp/berth-state-XXXXXX)
	undo+=("rm -r $dir")
	chmod 755 "$dir"
	cd "$dir"
	mkdir at lower merged
	dir+=/at
	undo+=("cd /; umount -q $dir")
	mount -t tmpfs -o "ro,size=4g,nr_inodes=20k" none at
	unfit "$dir/none/yet" state-layers "mount -o remount,rw DIR" "leave readOnly out" "mount -o remount,rw at"
	mended state-room state-exec
	mount -o remount,size=100m at
	unfit "$dir" state-room "make room in --state" "ask for a larger volume" "mount -o remount,size=4g at"
	mount -o remount,nr_inodes=500 at
	unfit "$dir" state-room "make room in --state" "ask for a larger volume" "mount -o remount,nr_inodes=20k at"
	mount -o remount,noexec at
	unfit "$dir" state-exec "mount -o remount,exec DIR" "leave noexec out" "mount -o remount,exec at"

	undo+=("umount -q $PWD/merged")
	mkdir at/upper at/work
	mount -t overlay -o "lowerdir=lower,upperdir=at/upper,workdir=at/work" none merged
	moved=$dir
	unfit "$PWD/merged" state-layers "ext4, xfs" "mount an emptyDir" true
	machine
	assert_equal "$(field state-layers result)" untried
	# A pod says it by the variable.
	machine env BERTH_STATE="$PWD/merged"
	remedy state-layers "--state"
}

@test "remedy: skopeo or umoci is missing: its package" {
	local name where

	bin=$(mktemp -d /var/tmp/berth-bin-XXXXXX)
	undo+=("rm -r $bin")
	chmod 755 "$bin"
	for name in skopeo umoci; do
		for where in "install the package $name, if" "install the package $name in the image"; do
			rm -f "$bin/$name"
			with_bin "$where"
			remedy "$name" "$where"
			install -m 755 /bin/true "$bin/$name"
			with_bin "$where"
			mended "$name"
		done
	done
}

# with_bin REMEDY: the report of a pod or machine, as the remedy is for, where $bin is /usr/local/bin and
# $name is not elsewhere.
with_bin()
{
	local new=(unshare --mount)

	[[ $1 != *"in the image"* ]] || new+=(--fork --pid --mount-proc)
	# shellcheck disable=SC2016 # for the inner shell
	report=$("${new[@]}" bash -ec 'mount --bind "$0" /usr/local/bin
		[ ! -e "/usr/bin/$1" ] || mount --bind /dev/null "/usr/bin/$1"
		shift; exec "$@"' "$bin" "$name" "$BERTH_TEST_AS_USER" "$BERTH" check --format json)
}
