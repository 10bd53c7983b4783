# shellcheck shell=bash
# What workspaces may not leave behind, for the tests that look. Loaded after common.bash.

# processes_of WORD...: PIDs of living processes with one of the words in their command line;
# of a word that only one test has, such as a workspace's name. No zombies: those are empty.
processes_of()
{
	local word pid

	for word; do
		for pid in $(pgrep -f -- "$word"); do
			[ "$pid" = "$$" ] || [ "$pid" = "$BASHPID" ] || echo "$pid"
		done
	done
	return 0
}

# mounts_of WORD: lines with WORD in any mount table that we may read.
mounts_of() { cat /proc/[0-9]*/mountinfo 2>/dev/null | grep -F -- "$1" || true; }

# namespaces_of PID: the inodes of its namespaces that are not ours.
namespaces_of()
{
	local link

	for link in "/proc/$1/ns/"{user,mnt,pid,net,ipc,uts,cgroup}; do
		[ "$(readlink "$link")" = "$(readlink "/proc/self/ns/${link##*/}")" ] || readlink "$link"
	done
}

# in_use NAMESPACE...: those that some process is in.
in_use()
{
	local all

	all=$(readlink /proc/[0-9]*/ns/* 2>/dev/null | sort -u)
	printf '%s\n' "$@" | grep -Fx -f - <(printf '%s\n' "$all") || true
}

# groups_of NAME: the cgroups of that workspace.
groups_of()
{
	[ -z "${BERTH_TEST_CGROUP:-}" ] || find "$BERTH_TEST_CGROUP" -type d -name "berth-$1" 2>/dev/null
}

# tree_below DIR...: everything in it, with owner, mode, size and time.
tree_below() { find "$@" -printf '%p %u %m %s %T@ %l\n' 2>/dev/null | sort; }

state_dir() { echo "${XDG_RUNTIME_DIR:-/run}/berth"; }

# nothing_left NAME [WORD...]: whether no process, mount, cgroup or entry is left of it; says
# what is.
nothing_left()
{
	local name=$1 left=()

	left+=("$(processes_of "$@")" "$(mounts_of "$name")" "$(groups_of "$name")")
	left+=("$(find "$(state_dir)" -mindepth 1 -maxdepth 1 -name "*$name*" 2>/dev/null)")
	left+=("$(find "$(state_dir)" -mindepth 1 -maxdepth 1 \( -name '.new-*' -o -name '.gone-*' \) 2>/dev/null)")
	[ -z "$(printf %s "${left[@]}")" ] || {
		printf 'left: %s\n' "${left[@]}" >&2
		return 1
	}
}
