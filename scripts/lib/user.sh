# shellcheck shell=bash disable=SC2034,SC2154 # start.sh brings these files together
# The ordinary user that berth runs as: whoever started the script; for root, a temporary
# user with a subordinate ID range, a runtime directory and, on a machine without systemd,
# a delegated cgroup. All of that is removed at the end.

cgroup_enabled= # by cgroup_delegate, in the group above ours

# user_open NAME: "as_user COMMAND..." works afterwards, and $trees is a directory of that user.
# The scripts and tests read the BERTH_TEST_* that it sets.
user_open()
{
	if [ "$(id -u)" -eq 0 ]; then
		user_make "$1"
	else
		user_self
	fi
	trees=$work/trees # his, since only who owns the directory may delete a tree in it
	install -d "$trees"
	[ "$(id -u)" -ne 0 ] || chown "$BERTH_TEST_UID:$BERTH_TEST_GID" "$trees"

	export BERTH_TEST_USER BERTH_TEST_UID BERTH_TEST_GID BERTH_TEST_HOME BERTH_TEST_RUNTIME BERTH_TEST_CGROUP
	BERTH_TEST_AS_USER=$top/scripts/lib/as-user
	export BERTH_TEST_AS_USER
}

as_user() { "$BERTH_TEST_AS_USER" "$@"; }

# user_unpack BERTH TAR NAME: into $trees/NAME with BERTH's ID map, so that uid 0 of the tar is
# root inside; deleted at the end. REPLY is the directory.
user_unpack()
{
	REPLY=$trees/$3
	as_user mkdir "$REPLY"
	at_exit as_user "$1" unshare -- rm -rf "$REPLY"
	as_user "$1" unshare -- tar -C "$REPLY" -xp <"$2"
	say "$(du -sh "$REPLY" | cut -f 1) in $REPLY"
}

user_self()
{
	BERTH_TEST_USER=$(id -un)
	BERTH_TEST_UID=$(id -u)
	BERTH_TEST_GID=$(id -g)
	BERTH_TEST_HOME=$HOME
	BERTH_TEST_CGROUP=
	BERTH_TEST_RUNTIME=${XDG_RUNTIME_DIR:-}
	if [ -z "$BERTH_TEST_RUNTIME" ]; then
		BERTH_TEST_RUNTIME=$(mktemp -d "$(memory_dir)/berth.XXXXXX")
		at_exit rm -rf "$BERTH_TEST_RUNTIME"
		say "XDG_RUNTIME_DIR is not set, taking $BERTH_TEST_RUNTIME"
	fi
	user_ranges "$BERTH_TEST_USER" "$BERTH_TEST_UID" || die "$(printf '%s\n%s' \
		"'$BERTH_TEST_USER' has no subordinate IDs; as root, run (with a range that is free):" \
		"usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $BERTH_TEST_USER")"
	say "as '$BERTH_TEST_USER', who is an ordinary user"
}

user_make()
{
	user_sweep
	# The number tells a later script whether the one that made the user still runs.
	BERTH_TEST_USER=$1-$$
	touch /etc/subuid /etc/subgid # useradd adds ranges to files that exist
	at_exit user_remove "$BERTH_TEST_USER"
	# Three times what a workspace needs, so that a user inside can be lent some, too.
	useradd --key SUB_UID_COUNT=196608 --key SUB_GID_COUNT=196608 \
		--user-group --create-home --home-dir "$work/home" --shell /bin/bash \
		"$BERTH_TEST_USER" 2>"$work/useradd.log" || die "$(cat "$work/useradd.log")"
	BERTH_TEST_UID=$(id -u "$BERTH_TEST_USER")
	BERTH_TEST_GID=$(id -g "$BERTH_TEST_USER")
	BERTH_TEST_HOME=$work/home
	user_ranges "$BERTH_TEST_USER" "$BERTH_TEST_UID" ||
		die "useradd gave '$BERTH_TEST_USER' no range in /etc/subuid and /etc/subgid"
	say "started as root: made the temporary user '$BERTH_TEST_USER' (uid $BERTH_TEST_UID," \
		"subordinate IDs $(sed -n "s/^$BERTH_TEST_USER://p" /etc/subuid | tr : +))"

	if [ -d /run/systemd/system ]; then
		user_manager
	else
		BERTH_TEST_RUNTIME=$(memory_dir)/$BERTH_TEST_USER
		install -d -m 0700 -o "$BERTH_TEST_UID" -g "$BERTH_TEST_GID" "$BERTH_TEST_RUNTIME"
		at_exit rm -rf "$BERTH_TEST_RUNTIME"
		cgroup_delegate "$BERTH_TEST_USER" "$BERTH_TEST_UID:$BERTH_TEST_GID"
	fi
}

# Whether USER, whose uid is UID, has a range in both files.
user_ranges()
{
	grep -qE "^($1|$2):" /etc/subuid && grep -qE "^($1|$2):" /etc/subgid
}

# A directory in memory for sockets and state.
memory_dir()
{
	local dir

	for dir in /run /dev/shm; do
		if [ -w "$dir" ] && [ "$(stat -f -c %T "$dir")" = tmpfs ]; then
			printf '%s' "$dir"
			return
		fi
	done
	printf '%s' "${TMPDIR:-/tmp}"
}

# With systemd the user gets a manager, and berth asks that for its cgroup.
user_manager()
{
	BERTH_TEST_CGROUP=
	BERTH_TEST_RUNTIME=/run/user/$BERTH_TEST_UID
	loginctl enable-linger "$BERTH_TEST_USER"
	at_exit loginctl terminate-user "$BERTH_TEST_USER"
	at_exit loginctl disable-linger "$BERTH_TEST_USER"
	for _ in {1..100}; do
		[ ! -S "$BERTH_TEST_RUNTIME/systemd/private" ] || break
		sleep 0.1
	done
	if [ -S "$BERTH_TEST_RUNTIME/systemd/private" ]; then
		say "its user manager runs and hands out cgroups"
	else
		warn "no user manager answers for '$BERTH_TEST_USER', so no systemd inside"
	fi
}

cgroup2_mount() { sed -n 's#^[^ ]* [^ ]* [^ ]* / \([^ ]*\) .* - cgroup2 .*#\1#p;T;q' /proc/self/mountinfo; }

# cgroup_delegate NAME UID:GID: a group of the unified hierarchy that belongs to the user.
cgroup_delegate()
{
	local mount group controller

	BERTH_TEST_CGROUP=
	mount=$(cgroup2_mount)
	if [ -z "$mount" ] || ! mkdir "$mount/$1" 2>"$work/cgroup.log"; then
		warn "no writable cgroup2 here, so no systemd inside: $(cat "$work/cgroup.log" 2>/dev/null)"
		return
	fi
	group=$mount/$1
	at_exit cgroup_remove "$group"

	# Controllers reach the group only through its parent, which may refuse (processes in it).
	cgroup_enabled=
	for controller in $(<"$mount/cgroup.controllers"); do
		if grep -qw "$controller" "$mount/cgroup.subtree_control"; then
			continue
		elif echo "+$controller" 2>/dev/null >"$mount/cgroup.subtree_control"; then
			cgroup_enabled+=" $controller"
		else
			warn "the $controller controller is not to be had for $group"
		fi
	done
	for controller in $(<"$group/cgroup.controllers"); do
		echo "+$controller" >"$group/cgroup.subtree_control"
	done
	chown "$2" "$group" "$group"/cgroup.{procs,subtree_control,threads}
	BERTH_TEST_CGROUP=$group
	say "no systemd on this machine: delegated the cgroup $group to it"
}

# Ends what is in the group and removes it, and what cgroup_delegate enabled above it if no
# other run is using that.
cgroup_remove()
{
	local group=$1 parent=${1%/*} controller

	[ -d "$group" ] || return 0
	echo 1 >"$group/cgroup.kill"
	for _ in {1..50}; do
		find "$group" -depth -type d -exec rmdir {} + 2>/dev/null
		[ -d "$group" ] || break
		sleep 0.1
	done
	[ ! -d "$group" ] || warn "$group could not be removed"
	if ! compgen -G "$parent/berth-*" >/dev/null; then
		for controller in $cgroup_enabled; do
			echo "-$controller" >"$parent/cgroup.subtree_control"
		done
	fi
}

# user_left_nothing: whether all workspaces are gone within ten seconds; says what is not.
user_left_nothing()
{
	local left

	for _ in {1..100}; do
		left=$(user_leavings)
		[ -n "$left" ] || return 0
		sleep 0.1
	done
	printf '%s\n' "$left"
	return 1
}

user_leavings()
{
	find "$BERTH_TEST_RUNTIME/berth" -mindepth 1 2>/dev/null
	[ -n "$BERTH_TEST_CGROUP" ] || return 0
	grep -lr 'populated 1' --include=cgroup.events "$BERTH_TEST_CGROUP"
	ps -o stat=,pid=,args= -U "$BERTH_TEST_UID" | awk '!/^Z/' # zombies wait for the machine's init
}

# user_remove NAME: its processes, files and entries. Only ever a user that user_make made.
user_remove()
{
	local name=$1 uid

	[[ $name =~ ^berth-[a-z]+-[0-9]+$ ]] || return 0
	uid=$(id -u "$name" 2>/dev/null) || return 0
	for _ in {1..50}; do
		pkill -KILL -U "$uid" || break # 1: there is none left
		sleep 0.1
	done
	userdel "$name" 2>/dev/null || warn "the user '$name' could not be removed"
	say "removed the temporary user '$name'"
}

# What a script left that was killed before it could clean up.
user_sweep()
{
	local name

	while IFS=: read -r name _; do
		[[ $name =~ ^berth-[a-z]+-([0-9]+)$ ]] || continue
		[ ! -d "/proc/${BASH_REMATCH[1]}" ] || continue
		say "an earlier run left the user '$name'"
		cgroup_remove "$(cgroup2_mount)/$name"
		user_remove "$name"
		rm -rf "/dev/shm/${name:?}" "/run/${name:?}"
	done </etc/passwd
}
