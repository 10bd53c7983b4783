# shellcheck shell=bash
# bash completion for berth(1). Commands, options and which of them take a value come from
# --help, so that this file knows no list of its own.

# __berth_commands PROGRAM [COMMAND]: the commands, or the verbs of one, one a line.
__berth_commands() { "$@" --help 2>/dev/null | sed -n 's/^  \([a-z][a-z]*\)  *.*/\1/p'; }

# __berth_options PROGRAM COMMAND [VERB]: the options, one a line; those that take a value end in "=".
__berth_options()
{
	"$1" "${@:2}" --help 2>/dev/null | sed -n \
		-e 's/^  \(-[a-zA-Z]\), \(--[a-z-]*\) [^ ].*/\1=\n\2=/p;t' \
		-e 's/^      \(--[a-z-]*\) [^ ].*/\1=/p;t' \
		-e 's/^  \(-[a-zA-Z]\), \(--[a-z-]*\).*/\1\n\2/p;t' \
		-e 's/^      \(--[a-z-]*\).*/\1/p'
}

# __berth_reply WORDS CURRENT: those of WORDS, one a line, that begin with CURRENT.
__berth_reply() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2"); }

# __berth_files ACTION CURRENT: names of files (-f) or directories (-d).
__berth_files()
{
	compopt -o filenames
	mapfile -t COMPREPLY < <(compgen "$1" -- "$2")
}

# __berth_policies PROGRAM CURRENT: files, and the names of profiles.
__berth_policies()
{
	__berth_files -f "$2"
	mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W \
		"none $("$1" policy list 2>/dev/null | sed 's/ .*//')" -- "$2")
}

# __berth_images PROGRAM CURRENT: names of the images in the store. A ":" is a word's end to readline.
__berth_images()
{
	__berth_reply "$("$1" image ls -q 2>/dev/null)" "$2"
	! declare -F __ltrim_colon_completions >/dev/null || __ltrim_colon_completions "$2"
}

# __berth_value PROGRAM COMMAND OPTION CURRENT: what the value of an option may be.
__berth_value()
{
	case $3 in
	--init) __berth_reply $'auto\nsystemd\nberth\nnone' "$4" ;;
	--net) __berth_reply $'auto\nrelay\nhost\nnone' "$4" ;;
	--format)
		case $2 in
		image*) __berth_reply $'text\njson' "$4" ;;
		'policy audit') __berth_reply $'text\njson\nsarif' "$4" ;;
		'policy seccomp') __berth_reply $'pfc\nbpf' "$4" ;;
		'policy verify') __berth_reply $'table\njson' "$4" ;;
		policy*) __berth_reply $'text\njson' "$4" ;;
		plan | check) __berth_reply $'text\njson' "$4" ;;
		ps) __berth_reply $'table\njson' "$4" ;;
		stats) __berth_reply $'table\njson\nprometheus' "$4" ;;
		*) __berth_reply json "$4" ;;
		esac
		;;
	--policy) __berth_policies "$1" "$4" ;;
	-o | --output) __berth_files -f "$4" ;;
	--severity) __berth_reply $'info\nlow\nmedium\nhigh' "$4" ;;
	--workspace) __berth_reply "$("$1" ps -aq 2>/dev/null)" "$4" ;;
	--egress-default) __berth_reply $'allow\ndeny' "$4" ;;
	--require) __berth_reply $'A\nB\nC' "$4" ;;
	--rootfs)
		__berth_files -d "$4"
		[[ host != "$4"* ]] || COMPREPLY+=(host)
		;;
	--pull) __berth_reply $'missing\nalways\nnever' "$4" ;;
	--progress) __berth_reply $'auto\nbar\njson\nnone' "$4" ;;
	--tls-verify) __berth_reply $'true\nfalse' "$4" ;;
	--image) __berth_images "$1" "$4" ;;
	--authfile) __berth_files -f "$4" ;;
	--store | --cert-dir) __berth_files -d "$4" ;;
	--seccomp) __berth_reply $'workspace\nworkspace-i386' "$4" ;;
	--nested) __berth_reply $'true\nfalse' "$4" ;;
	--audit-log)
		__berth_files -f "$4"
		[[ stderr != "$4"* ]] || COMPREPLY+=(stderr)
		;;
	--state) __berth_files -d "$4" ;;
	-v | --volume) __berth_files -f "$4" ;;
	-e | --env) mapfile -t COMPREPLY < <(compgen -v -- "$4") ;;
	-s | --signal) __berth_reply $'HUP\nINT\nKILL\nQUIT\nTERM\nUSR1\nUSR2' "$4" ;;
	esac
}

_berth()
{
	local program=$1 current=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]}
	local options usage word previous='' words=0 i verb=()

	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		__berth_reply "$(__berth_commands "$program")" "$current"
		return
	fi
	if [[ $command == @(policy|image) ]] && ((COMP_CWORD == 2)); then
		__berth_reply "$(__berth_commands "$program" "$command")" "$current"
		return
	fi
	[[ $command != @(policy|image) ]] || verb=("${COMP_WORDS[2]}")
	options=$(__berth_options "$program" "$command" "${verb[@]}")

	# "--name=x" are three words here.
	[[ $current != = ]] || current=
	for ((i = 2 + ${#verb[@]}; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ $word == = ]]; then
			continue
		elif [[ -n $previous ]]; then
			previous=
		elif [[ $word == -- ]]; then
			words=2 # a command follows, and its words are none of ours
		elif grep -qxF -- "$word=" <<<"$options"; then
			previous=$word
		elif [[ $word != -* ]]; then
			((words += 1))
		fi
	done

	if [[ -n $previous ]]; then
		__berth_value "$program" "$command${verb[0]:+ ${verb[0]}}" "$previous" "$current"
		return
	fi
	if ((${#verb[@]} > 0)); then
		if [[ $current == -* ]]; then
			__berth_reply "${options//=/}" "$current"
		elif [[ ${verb[0]} == verify ]]; then
			__berth_reply "$("$program" ps -q 2>/dev/null)" "$current"
		elif [[ ${verb[0]} == report ]]; then
			__berth_policies "$program" "$current"
			mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W \
				"$("$program" ps -q 2>/dev/null)" -- "$current")
		else
			case $command in
			policy) __berth_policies "$program" "$current" ;;
			image) __berth_images "$program" "$current" ;;
			esac
		fi
		return
	fi
	usage=$("$program" "$command" --help 2>/dev/null | head -n 1)
	[[ $usage == *[\ [\[]NAME...* ]] || ((words == 0)) || return 0
	if [[ $current == -* ]]; then
		__berth_reply "${options//=/}" "$current"
	elif [[ $usage == *[\ [\[]NAME* ]]; then
		__berth_reply "$("$program" ps -aq 2>/dev/null)" "$current"
	fi
} && complete -F _berth berth
