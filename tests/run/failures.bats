#!/usr/bin/env bats
# Every failure before the payload starts: 125, one line that names the step and quotes the
# value, the remedy where one is known, and nothing left behind.

load ../lib/common
load ../lib/leavings

setup()
{
	probe small subids
	common_setup
	small=$BERTH_TEST_SMALL:O
	name=$(new_name)
	before=$(ls -A "$BERTH_TEST_SMALL")
}

# Deletes what only an ID of the workspace's own may.
teardown()
{
	[ ! -e tree ] || "$BERTH" unshare -- rm -rf tree
	common_teardown
}

# told STEP TEXT [HINT]: what "run" ended with is one line with TEXT, and one with HINT or none.
told()
{
	local step=$1 text=$2 hint=${3:-} lines

	assert_status 125
	lines=$(grep -v '^berth: warning: parts of /proc are covered' <<<"$output" || true)
	assert_equal "$(grep -c '^berth: ' <<<"$lines")" 1
	[[ $lines == "berth: $step: "* ]] || fail "not of step '$step':" $'\n'"$lines"
	assert_has "$text"
	if [ -n "$hint" ]; then
		assert_equal "$(wc -l <<<"$lines")" 2
		[[ $lines == *$'\nhint: '*"$hint"* ]] || fail "no hint '$hint' in:" $'\n'"$lines"
	else
		assert_equal "$(wc -l <<<"$lines")" 1
	fi
	nothing_left "$name"
	assert_equal "$(ls -A "$BERTH_TEST_SMALL")" "$before"
}

# fails ARG...: a workspace that does not come to be.
fails() { run berth run --name "$name" "$@"; }

# world SETUP COMMAND...: the same as root of a user and a mount namespace, as in a pod, after
# SETUP has changed them.
world()
{
	local prepare=$1

	shift
	run in_cgroup unshare --map-auto --map-root-user -m sh -euc "$prepare"'
		exec "$@"' world "$@"
}

# tree COMMAND: a small tree of our own, changed by a COMMAND within it.
tree()
{
	"$BERTH" unshare -- cp -a "$BERTH_TEST_SMALL" tree
	"$BERTH" unshare -- sh -euc "cd tree; $1"
}

@test "positive control: as it should be, and in a world of our own, it works" {
	fails --rm --rootfs "$small" -- echo works
	assert_output works
	world 'true' "$BERTH" run --rm --name "$name" --rootfs "$small" -- echo works
	assert_output works
	nothing_left "$name"
}

@test "a root file system that is not there, or no directory" {
	fails --rootfs "$PWD/nowhere" -- true
	told root "'$PWD/nowhere': No such file or directory" "--rootfs takes a directory"
	fails --rootfs "$PWD/nowhere:O" -- true
	told root "'$PWD/nowhere': No such file or directory" "--rootfs takes a directory"
	fails --rootfs /etc/passwd -- true
	told root "'/etc/passwd': Not a directory" "--rootfs takes a directory"
	[ ! -e nowhere ]
}

@test "a root file system of somebody else's, without /dev" {
	fails --rootfs /usr -- true
	told mount "open '/dev' in the workspace: Permission denied" "a user whom this one was not lent"
}

@test "a directory with no root file system in it" {
	mkdir -p empty source/src scratch
	for dir in empty source; do
		fails --rootfs "$PWD/$dir" -- true
		told root "'$PWD/$dir' holds no root file system" "and not the command"
		fails --rootfs "$PWD/$dir" -- /src/no-such-program
		told root "'$PWD/$dir' holds no root file system" "and not the command"
		fails --rootfs "$PWD/$dir"
		told root "'$PWD/$dir' holds no root file system" "berth unshare"
	done
	assert_equal "$(find empty source)" "$(printf '%s\n' empty source source/src)"

	# One static program is enough, and so is one on a volume, or where PATH says.
	for place in scratch/echo source/src/echo; do
		cp "$BERTH_TEST_SMALL/bin/busybox" "$place"
	done
	fails --rm --rootfs "$PWD/scratch" -- /echo works
	assert_output works
	fails --rm --rootfs "$PWD/empty" -v "$PWD/scratch:/opt" -- /opt/echo works
	assert_output works
	fails --rm --rootfs "$PWD/source" -e PATH=/src -- echo works
	assert_output works
	nothing_left "$name"
}

@test "a volume of somebody else's is not given away" {
	fails --rootfs "$small" -v /usr/share:/x:U -- true
	assert_status 125
	assert_has "berth: own: give the volume '/x' to '0'"
	assert_has "hint: what is there belongs to a user whom this one was not lent"
	nothing_left "$name"
}

@test "--init systemd without one in the image" {
	fails --rootfs "$small" --init systemd
	told init "'$BERTH_TEST_SMALL' has no systemd" "install systemd-sysv"
}

@test "--init systemd with one ID" {
	tree 'mkdir -p usr/lib/systemd; touch usr/lib/systemd/systemd; chmod +x usr/lib/systemd/systemd'
	run in_cgroup unshare -r "$BERTH" run --name "$name" --rootfs "$PWD/tree" --init systemd
	told init "systemd needs 65536 IDs" "/etc/subuid"
	run in_cgroup setpriv --no-new-privs "$BERTH" run --name "$name" --rootfs "$PWD/tree" \
		--init systemd
	told init "systemd needs 65536 IDs" "no_new_privs"
}

@test "a command with one ID that denies setgroups works" {
	run in_cgroup unshare -r "$BERTH" run --rm --name "$name" --rootfs "$BERTH_TEST_SMALL" -- id -u
	assert_status 0
	assert_output 0
}

@test "max_user_namespaces is 0, or used up by the warden" {
	for number in 0 1; do
		world "echo $number >/proc/sys/user/max_user_namespaces" \
			"$BERTH" run --name "$name" --rootfs "$small" -- true
		told spawn "No space left on device" "user.max_user_namespaces"
	done
}

@test "a masked /proc: no systemd" {
	tree 'mkdir -p usr/lib/systemd; touch usr/lib/systemd/systemd; chmod +x usr/lib/systemd/systemd'
	world 'mount -t tmpfs none /proc/bus' \
		"$BERTH" run --name "$name" --rootfs "$PWD/tree" --init systemd
	told init "parts of this one are covered" "procMount: Unmasked"
}

@test "a read-only /proc/sys: no --watches and no --inotify-instances" {
	for option in --watches --inotify-instances; do
		world 'mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys' \
			"$BERTH" run --name "$name" --rootfs "$small" "$option" 10 -- true
		told ucount "$option 10: /proc/sys/user is read-only here" "procMount: Unmasked"
	done
}

@test "a full disk under --state" {
	mkdir full
	# Four inodes: one for the mount itself, and then in the middle of the launch none.
	for room in 1 2 3 4; do
		world "mount -t tmpfs -o nr_inodes=$room none full; trap 'find full -mindepth 1' EXIT
			(exec \"\$@\")" "$BERTH" run --name "$name" --rootfs "$small" --state "$PWD/full" \
			-- true
		assert_has "No space left on device"
		assert_has "berth: "
		[[ $output != *$'\nfull/'* ]] || fail "left in the store: $output"
		nothing_left "$name"
	done
}

@test "a full disk under the runtime directory" {
	mkdir full
	world 'mount -t tmpfs -o size=64k none full; export XDG_RUNTIME_DIR=$PWD/full
		cat /dev/zero >full/file 2>/dev/null || true
		"$@" || status=$?; ls -A full/berth; exit "$status"' \
		"$BERTH" run --name "$name" --rootfs "$small" -- true
	told state "'state.json': No space left on device" "the disk is full"
	world 'mount -t tmpfs -o nr_inodes=2 none full; export XDG_RUNTIME_DIR=$PWD/full
		"$@" || status=$?; ls -A full/berth; exit "$status"' \
		"$BERTH" run -d --name "$name" --rootfs "$small" -- true
	told state "No space left on device" "the disk is full"
}

@test "an overlay on an overlay" {
	mkdir disk
	world 'mount -t tmpfs none disk; mkdir disk/lower disk/upper disk/work disk/on
		mount -t overlay -o lowerdir=disk/lower,upperdir=disk/upper,workdir=disk/work none disk/on
		"$@" || status=$?; ls -A disk/on; exit "$status"' \
		"$BERTH" run --name "$name" --rootfs "$small" --state "$PWD/disk/on" -- true
	told storage "overlay cannot carry the layers of overlay" "give a directory on ext4 or xfs"
}

@test "--state where nothing can be made" {
	fails --rootfs "$small" --state "$PWD/no/where" -- true
	told state "'$PWD/no/where/$name': No such file or directory" "--state takes a directory"
	touch file
	fails --rootfs "$small" --state "$PWD/file" -- true
	told state "'$PWD/file/$name': Not a directory" "--state takes a directory"
	fails --rootfs "$BERTH_TEST_SMALL" --state "$PWD/store" -- true
	told options "--state '$PWD/store' without an upper layer"
	[ ! -e store ]
}

@test "options: bad values are quoted" {
	while read -r quoted option value; do
		fails --rootfs "$small" "$option" "$value" -- true
		told options "$quoted"
	done <<'END'
'0' --pids 0
'-1' --pids -1
'12x' --pids 12x
'4294967296' --watches 4294967296
'99999999999999999999' --watches 99999999999999999999
'1.5' --inotify-instances 1.5
'1h' --stop-timeout 1h
'bridge' --net bridge
'100' --rate-up 100
'100mbps' --rate-down 100mbps
'63kbit' --rate-down 63kbit
'upstart' --init upstart
'=x' --env =x
'etc' --workdir etc
'/a/../b' --workdir /a/../b
'/a/../b' --state /a/../b
'-x' --hostname -x
'a:b' --hostname a:b
'.x' --hostname .x
END
	fails --rootfs "$small" --env '' -- true
	told options "''"
}

@test "options: bad names of workspaces are quoted" {
	for bad in a/b .. . .x -x 'a b' ä "$(printf '%064d' 0)"; do
		run berth run --name "$bad" --rootfs "$small" -- true
		told options "'$bad' is no name" "begin with a letter or digit"
	done
	run berth run --name '' --rootfs "$small" -- true
	told options "'' is empty"
}

@test "options: what a value holds makes no second line, and nothing for the terminal" {
	run berth run --name $'a\nhint: b\e[1m' --rootfs "$small" -- true
	told options "'a?hint: b?[1m' is no name" "begin with a letter or digit"
	fails --rootfs $'/no\nwhere' -- true
	told root "'/no?where'" "--rootfs takes a directory"
}

@test "options: bad root file systems are quoted" {
	fails --rootfs /a/../b -- true
	told options "'/a/../b' goes through '..'"
	fails --rootfs ../x:O -- true
	told options "'$PWD/../x' goes through '..'"
	fails --rootfs :O -- true
	told options "':O'"
	fails --rootfs / -- true
	told options "'/'" "--rootfs host"
}

@test "options: bad volumes are quoted" {
	for volume in /a :/a; do
		fails --rootfs "$small" -v "$volume" -- true
		told options "'$volume' is not SRC:DST" ":ro, :rw, :U, :own or :seed"
	done
	while read -r quoted volume; do
		fails --rootfs "$small" -v "$volume" -- true
		told options "$quoted"
	done <<'END'
'/a:/b:rx' /a:/b:rx
'b' /a:b
'/b/../c' /a:/b/../c
'/a/../b' /a/../b:/c
'/b/./c' /a:/b/./c
'/a:/' /a:/
END
}

@test "options: an unknown one, and the nearest" {
	while read -r option near; do
		fails "$option" -- true
		told options "unknown option '$option', did you mean '$near'?" "berth run --help"
	done <<'END'
--rootfz --rootfs
--watch --watches
--inotify --inotify-instances
--pid --pids
--netw --net
END
	fails --nothing-like-it
	told options "unknown option '--nothing-like-it'" "berth run --help"
	fails -q
	told options "unknown option '-q'" "berth run --help"
	fails --rm=yes
	told options "'yes'"
	fails --pids
	told options "'--pids' needs a value"
}

@test "options that do not go together" {
	fails --rootfs "$small" --init none
	told options "--init none needs a command"
	fails --rootfs "$small" --init systemd -- true
	told options "'true'"
}

@test "a volume's source that is not there" {
	fails --rootfs "$small" -v "$PWD/nowhere:/mnt" -- true
	told volume "'$PWD/nowhere': No such file or directory" "make it first"
	[ ! -e nowhere ]
}

@test "a volume's target that is mounted anew" {
	mkdir dir
	for target in /proc /proc/x /sys/fs /dev /dev/pts/x; do
		fails --rootfs "$small" -v "$PWD/dir:$target" -- true
		told volume "'$target'" "choose a target"
	done
}

@test "a volume's target through a symbolic link of the image" {
	mkdir dir
	tree 'ln -s /etc link; ln -s / etc/root'
	for target in /link /link/x /link/x/y /etc/root/tmp; do
		for root in "$PWD/tree" "$PWD/tree:O"; do
			fails --rootfs "$root" -v "$PWD/dir:$target" -- true
			told bind "'$target'" "symbolic link"
		done
	done
	run "$BERTH" unshare -- ls -A tree/link/x
	[[ $output == *"No such file"* ]]
}

@test "an image with /proc, /sys or /dev as a symbolic link" {
	for dir in proc sys dev; do
		tree "rm -r $dir; ln -s /etc $dir"
		for root in "$PWD/tree" "$PWD/tree:O"; do
			fails --rootfs "$root" -- true
			told mount "'/$dir'" "symbolic link"
		done
		"$BERTH" unshare -- rm -rf tree
	done
}

@test "an image with /proc, /sys or /dev as a file" {
	for dir in proc sys dev; do
		tree "rm -r $dir; echo content >$dir"
		fails --rootfs "$PWD/tree" -- true
		told mount "'/$dir'"
		"$BERTH" unshare -- rm -rf tree
	done
}

@test "a command that is not there: 127, and nothing is kept" {
	for init in berth none; do
		run -127 berth run --rm --name "$name" --rootfs "$small" --init "$init" -- no-such-program
		assert_status 127
		assert_equal "$(grep -c '^berth: exec: ' <<<"$output")" 1
		assert_has "'no-such-program'"
		assert_has "hint: "
		nothing_left "$name"
	done
	run -127 berth run -d --name "$name" --rootfs "$small" -- no-such-program
	assert_status 127
	nothing_left "$name"
}

@test "a user or a working directory that is not there" {
	fails --rootfs "$small" -u nobody-here -- true
	told user "'nobody-here'" "/etc/passwd"
	fails --rootfs "$small" -w /no/where -- true
	told workdir "'/no/where'" "make the directory first"
}

@test "--pids above what this user may have" {
	run in_cgroup prlimit --nproc=5000:5000 "$BERTH" run --name "$name" --rootfs "$small" \
		--pids 5001 -- true
	told rlimit "--pids 5001: our own hard limit is 5000" "raise RLIMIT_NPROC"
}

@test "--watches above the node's" {
	number=$(($(</proc/sys/user/max_inotify_watches) + 1))
	fails --rootfs "$small" --watches "$number" -- true
	told ucount "$number" "ask for at most that"
}

@test "a name that is taken, by one that ran and one that runs" {
	berth run --name "$name" --rootfs "$small" -- true
	run berth run --name "$name" --rootfs "$small" -- true
	assert_status 125
	assert_has "berth: state: the name '$name' is taken"
	assert_has "hint: 'berth start $name' runs it again, 'berth rm $name' removes it"
	berth rm "$name"

	berth run -d --name "$name" --rootfs "$small" -- sleep 1000
	run berth run --name "$name" --rootfs "$small" -- true
	assert_status 125
	assert_has "hint: that workspace is running"
	run berth exec "$name" -- echo alive
	assert_output alive
	berth rm -f "$name"
	nothing_left "$name"
}

@test "a failure of a detached launch is told by the caller" {
	mkdir dir
	tree 'ln -s /etc link'
	fails -d --rootfs "$PWD/tree" -v "$PWD/dir:/link" -- true
	told bind "'/link'" "symbolic link"
}
