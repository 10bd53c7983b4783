# shellcheck shell=bash disable=SC2034,SC2154 # start.sh brings these files together
# What takes long to make and is the same each time is made once.

cache=${BERTH_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/berth}

# cache_make NAME SUFFIX INPUT COMMAND...: COMMAND, with a path appended, makes a file or a
# directory there; that is kept under a hash of COMMAND and INPUT, the text of all that goes into
# it. REPLY is its path afterwards. What nobody used for a week goes when its successor is made.
cache_make()
{
	local name=$1 suffix=$2 input=$3 lock target partial

	shift 3
	target=$cache/$name-$(printf '%s\n' "$@" "$input" | sha256sum | cut -c 1-12)$suffix
	mkdir -p "$cache"

	# Two scripts started together make it once: the second one waits, then finds it.
	exec {lock}>"$cache/$name.lock"
	if ! flock -n "$lock"; then
		say "another script is making it, waiting"
		flock "$lock"
	fi
	if [ -e "$target" ]; then
		touch "$target" 2>/dev/null || true # somebody else's cache
		say "found in the cache: $target"
	else
		find "$cache" -mindepth 1 -maxdepth 1 -name "$name-*$suffix" -mtime +7 -exec rm -rf {} +
		partial=$(mktemp -d "$cache/.$name.XXXXXX")
		at_exit rm -rf "$partial"
		"$@" "$partial/new"
		chmod -R a+rX "$partial/new"
		mv "$partial/new" "$target"
		rmdir "$partial"
		say "made $target ($(du -sh "$target" | cut -f 1))"
	fi
	exec {lock}>&-
	REPLY=$target
}
