# shellcheck shell=bash
# What a script says while it works, and what it undoes when it ends.

phase_name=
phase_start=0
phase_table=
exit_steps=()
ticker=

say()  { printf '    %s\n' "$*"; }
warn() { printf '    note: %s\n' "$*" >&2; }

die()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# phase TEXT: the next part of the work; its time goes into phase_report.
phase()
{
	phase_end
	phase_name=$1
	phase_start=$SECONDS
	printf '\n==> %s\n' "$1"
}

phase_end()
{
	[ -n "$phase_name" ] || return 0
	phase_table+=$(printf '%5d s  %s' $((SECONDS - phase_start)) "$phase_name")$'\n'
	phase_name=
}

phase_report()
{
	phase_end
	printf '\n%s' "$phase_table"
	printf '%5d s  in all\n' "$SECONDS"
}

# quietly LOG COMMAND...: runs it with its output in LOG; shows the end of that if it fails,
# and on a terminal the seconds that have passed meanwhile.
quietly()
{
	local log=$1 status=0

	shift
	if [ -t 1 ]; then
		local start=$SECONDS
		while sleep 1; do printf '\r    %d s ' $((SECONDS - start)); done &
		ticker=$!
	fi
	"$@" >"$log" 2>&1 </dev/null || status=$?
	end_ticker
	if [ "$status" -ne 0 ]; then
		tail -n 80 "$log" >&2
		printf '%s: exit status %d from: %s\n' "${0##*/}" "$status" "$*" >&2
	fi
	return "$status"
}

end_ticker()
{
	[ -n "$ticker" ] || return 0
	kill "$ticker"
	wait "$ticker" 2>/dev/null || true # 143: we ended it
	ticker=
	printf '\r\033[K'
}

# at_exit COMMAND...: run at the end, the last one first, however the script ends.
at_exit() { exit_steps+=("$(printf '%q ' "$@")"); }

# Does what at_exit was told, each once; a failure does not keep the rest from being done.
undo()
{
	local step

	while [ "${#exit_steps[@]}" -gt 0 ]; do
		step=${exit_steps[-1]}
		unset 'exit_steps[-1]'
		eval "$step" || warn "exit status $? from: $step"
	done
}

on_exit()
{
	local status=$?

	trap '' INT TERM
	trap - EXIT
	set +e
	end_ticker
	undo
	exit "$status"
}

# A signal ends the script through EXIT, so that everything is undone once.
trap on_exit EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
