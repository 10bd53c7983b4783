#!/usr/bin/env bash
# What the documentation lists has to be what the program has: options, hints, kinds of steps,
# messages, paths. Each finding is one line; the last part spoils copies of the documents and
# expects to be told.
#
#	docs.sh            checks
#	docs.sh --hints    prints the hints as man/berth.1 has to list them
#
# BERTH is the program; top_srcdir the tree. In make check both are set.

# shellcheck disable=SC2016 # backquotes of Markdown

set -u -o pipefail
export LC_ALL=C.UTF-8

top=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
berth=${BERTH:-$top/berth}
docs=${1:-$top} # where README.md, docs/, man/ and completions/ are read from
failed=0

found()
{
	printf '%s\n' "$*"
	failed=1
}

# help [COMMAND]: its --help, asked for once.
help()
{
	local name=${1:-berth}

	[ -e "$helps/$name" ] || "$berth" ${1:+"$1"} --help >"$helps/$name"
	cat "$helps/$name"
}
helps=$(mktemp -d)
trap 'rm -rf "$helps"' EXIT

commands() { help | sed -n 's/^  \([a-z][a-z]*\)  *.*/\1/p'; }

# The options of a command's --help, "-v" and "--volume" each on a line of its own.
options_of()
{
	help "$1" | sed -n \
		-e 's/^  \(-[a-zA-Z]\), \(--[a-z-]*\).*/\1\n\2/p' \
		-e 's/^      \(--[a-z-]*\).*/\1/p' | grep -vx -e --help | sort
}

# The items of a command's section in the manual page, likewise.
options_in_man()
{
	sed -n "/^\.Ss $1\$/,/^\.S[sh]/p" "$docs/man/berth.1" |
		sed -n 's/^\.It \(Fl .*\)/\1/p' | grep -oE 'Fl [-a-zA-Z]+' | sed 's/^Fl /-/' | sort
}

same()
{
	local what=$1 side

	while IFS=$'\t' read -r side; do
		case $side in
		'<'*) found "$what: missing: ${side#< }" ;;
		'>'*) found "$what: not in the program: ${side#> }" ;;
		esac
	done < <(diff <(printf '%s\n' "$2") <(printf '%s\n' "$3") | grep '^[<>]')
}

check_man()
{
	local command expected option image_section

	same "man/berth.1: commands" "$(commands | sort)" \
		"$(sed -n '/^\.Sh COMMANDS/,/^\.Sh ENV/s/^\.Ss //p' "$docs/man/berth.1" | sort)"
	same "man/berth.1: synopsis" "$(commands | sort)" \
		"$(sed -n '/^\.Sh SYNOPSIS/,/^\.Sh DESC/s/^\.Cm \([a-z]*\).*/\1/p' "$docs/man/berth.1" | sort)"
	for command in $(commands); do
		case $command in
		version) continue ;; # takes nothing
		# "Takes the options of run and".
		plan | entrypoint) expected=$(comm -23 <(options_of "$command") <(options_of run)) ;;
		*) expected=$(options_of "$command") ;;
		esac
		same "man/berth.1: $command" "$expected" "$(options_in_man "$command")"
	done
	for command in $("$berth" policy --help | sed -n 's/^  \([a-z][a-z]*\)  *.*/\1/p'); do
		sed -n '/^\.Ss policy$/,/^\.Ss check$/p' "$docs/man/berth.1" | grep -q "Cm $command\b" ||
			found "man/berth.1: policy: missing: $command"
		[ "$command" = schema ] || while read -r option; do
			sed -n '/^\.Ss policy$/,/^\.Ss check$/p' "$docs/man/berth.1" |
				grep -q "Fl ${option#-}\b" || found "man/berth.1: policy: missing: $option"
		done < <("$berth" policy "$command" --help | sed -n 's/^      \(--[a-z-]*\).*/\1/p' | grep -vx -e --help)
	done
	for command in $("$berth" image --help | sed -n 's/^  \([a-z][a-z]*\)  *.*/\1/p'); do
		image_section=$(sed -n '/^\.Ss image$/,/^\.Ss unshare$/p' "$docs/man/berth.1")
		grep -q "Cm $command\b" <<<"$image_section" ||
			found "man/berth.1: image: missing: $command"
		while read -r option; do
			grep -q -e "Fl ${option#-}\b" <<<"$image_section" ||
				found "man/berth.1: image: missing: $option"
		done < <("$berth" image "$command" --help |
			sed -n 's/^  *\(-[a-z], \)\{0,1\}\(--[a-z-]*\).*/\2/p' | grep -vx -e --help)
	done
	if command -v man >/dev/null; then
		while read -r line; do
			found "man/berth.1: $line"
		done < <(man --warnings=w -l "$docs/man/berth.1" 2>&1 >/dev/null)
	fi
	if command -v mandoc >/dev/null; then
		while read -r line; do
			found "man/berth.1: $line"
		done < <(mandoc -Tlint -Wwarning "$docs/man/berth.1" 2>&1)
	fi
}

# complete_words WORD...: what the completion offers for the last one.
complete_words()
(
	compopt() { :; } # works in a real completion only
	# shellcheck source=completions/berth.bash
	. "$docs/completions/berth.bash"
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	_berth "$berth"
	printf '%s\n' "${COMPREPLY[@]}" | grep -vx -e --help | sort
)

# The table of namespaces in docs/policy.md is what explain tells, which the launch is held to.
check_namespaces()
{
	same "docs/policy.md: namespaces" \
		"$("$berth" policy explain systemd-docker namespaces |
			sed -E 's/^([a-z]+): ([^;]*);.*; keys: ([^;]*);.*/\1: \2: \3/')" \
		"$(sed -n '/^## Namespaces$/,/^## /p' "$docs/docs/policy.md" |
			sed -nE 's/^\| `([a-z]+)` \| ([^|,]*)(, or the pod.s)? \| ([^|]*) \| .*/\1: \2: \4/p' | tr -d '`')"
}

check_completion()
{
	local command

	same "completions/berth.bash: commands" "$(commands | sort)" "$(complete_words berth '')"
	for command in $(commands); do
		[ "$command" != version ] || continue
		same "completions/berth.bash: $command" "$(options_of "$command")" \
			"$(complete_words berth "$command" -)"
	done
	same "completions/berth.bash: run --init" $'auto\nberth\nnone\nsystemd' \
		"$(complete_words berth run --name x --init '')"
	same "completions/berth.bash: run --init=b" berth \
		"$(complete_words berth run -d --init = b)"
	same "completions/berth.bash: policy" $'audit\nexplain\nlist' \
		"$(complete_words berth policy '' | grep -xE 'audit|explain|list')"
	same "completions/berth.bash: policy audit" $'--format\n--list\n--severity\n--workspace' \
		"$(complete_words berth policy audit -)"
	same "completions/berth.bash: policy audit --format" $'json\nsarif\ntext' \
		"$(complete_words berth policy audit --list --format '')"
	same "completions/berth.bash: policy seccomp --format" $'bpf\npfc' \
		"$(complete_words berth policy seccomp --format '')"
	same "completions/berth.bash: policy verify --format" $'json\ntable' \
		"$(complete_words berth policy verify --format '')"
	same "completions/berth.bash: stats --format p" prometheus \
		"$(complete_words berth stats --format p)"
	same "completions/berth.bash: policy audit s" shell \
		"$(complete_words berth policy audit --severity low shel)"
	same "completions/berth.bash: image" $'ls\nprune\npull\nrm' "$(complete_words berth image '')"
	same "completions/berth.bash: image prune" $'--all\n--keep-size\n--store\n-a' \
		"$(complete_words berth image prune -)"
	same "completions/berth.bash: image pull --pull" $'always\nmissing\nnever' \
		"$(complete_words berth image pull --pull '')"
	same "completions/berth.bash: after the command" '' \
		"$(complete_words berth run --name x ls -)"
}

# The rows of runtime/hints.c: step, errno, text, with tabs between.
hints()
{
	sed '/^#include/d' "$top/runtime/hints.c" | "${CC:-cc}" -E -P -x c - |
		sed -n '/hints\[\] = {/,/^};/p' | sed '1d;$d' | tr '\n\t' '  ' |
		sed 's/ *},/\n/g' |
		sed -n 's/" *"//g; s/^ *{ *"\{0,1\}\([a-zA-Z0-9-]*\)"\{0,1\}, *\([A-Z]*\), *"\(.*\)" *$/\1\t\2\t\3/p' |
		sed 's/^NULL/any step/'
}

# The same as items of the manual page.
hints_for_man()
{
	local step code text

	while IFS=$'\t' read -r step code text; do
		[ "$step" = 'any step' ] || step="Cm $step"
		printf '.It %s , Er %s\n' "$step" "$code"
		fold -s -w 76 <<<"$text" | sed 's/ *$//; s/-/\\-/g'
	done < <(hints)
}

check_hints()
{
	local rows listed

	rows=$(hints | sort)
	[ -n "$rows" ] || found "tests/golden/docs.sh: cannot read runtime/hints.c any more"
	listed=$(sed -n '/^By step and error:$/,/^\.El$/p' "$docs/man/berth.1" | sed '1,2d;$d' |
		sed 's/^\.It \(Cm \)\?\(.*\) , Er \([A-Z]*\)$/\x01\2\t\3\t/; s/\\-/-/g' |
		tr '\n\001' ' \n' | sed 's/\t */\t/g; s/ *$//' | sed 1d | sort)
	same "man/berth.1: hints" "$rows" "$listed"
}

# names TABLE FILE: the words of a table of names in C.
names() { sed -n "/$1/,/^};/s/.*= \"\([a-z-]*\)\",.*/\1/p" "$top/$2" | sort; }

check_lists()
{
	local name drawn

	same "docs/check-format.md: rows" "$("$berth" check --format json |
		sed -n '/"checks"/,/^  \]/s/^ *"name": "\(.*\)",$/\1/p' | sort)" \
		"$(sed -n '/^## Rows/,/^## /s/^| `\([a-z0-9-]*\)`.*/\1/p' "$docs/docs/check-format.md" | sort)"

	same "docs/plan-format.md: kinds" "$(names 'step_name\[STEP_MAX\]' runtime/step.c)" \
		"$(sed -n '/^## Kinds/,/^## /s/^| `\([a-z-]*\)`.*/\1/p' "$docs/docs/plan-format.md" | sort)"
	for name in $(names 'sync_name\[SYNC_MAX\]' runtime/sync.c); do
		grep -qF "[${name^^}]" "$docs/docs/launch.md" ||
			found "docs/launch.md: no message [${name^^}]"
	done
	drawn=$(sed -n '/^## The sequence/,/^## What/p' "$docs/docs/launch.md")
	for name in $(names 'step_name\[STEP_MAX\]' runtime/step.c); do
		[[ " ${drawn//[^a-z-]/ } " == *" $name "* ]] || found "docs/launch.md: no step '$name'"
	done
}

# Paths of the tree that the documents name, and links from one to another.
check_paths()
{
	local file path

	for file in README.md HACKING.md $(cd "$docs" && printf '%s\n' docs/*.md); do
		case $file in
		docs/*) grep -qF "* [$file]($file): " "$docs/README.md" || found "README.md: its documentation does not list '$file'" ;;
		esac
		while read -r path; do
			compgen -G "$top/${path//NAME/*}*" >/dev/null || found "$file: there is no '$path'"
		done < <(grep -oE '`(runtime|cgroups|netns|policies|tests|scripts|templates|docs|man|completions)/[A-Za-z0-9_./-]*' \
			"$docs/$file" | cut -c 2- | sort -u)
		while read -r path; do
			[ -e "$docs/$(dirname "$file")/$path" ] || found "$file: the link to '$path' is dead"
		done < <(grep -oE '\]\([^):#]+\)' "$docs/$file" | sed 's/^](//; s/)$//' | sort -u)
	done
}

# sources FOLDER: the names of its source files.
sources() { (cd "$top/$1" && printf '%s\n' *.c); }

# Each source file of two folders is in HACKING's table of that folder, by name or pattern; and
# each name and pattern there is that of a file.
check_subjects()
{
	local folder name pattern patterns

	for folder in runtime netns; do
		patterns=$(sed -n "/^Inside \`$folder\`:/,/^\(Inside\|## \)/{/^|/p;}" "$docs/HACKING.md" |
			sed "/^Inside \`$folder\`:/d" | grep -oE '`[a-z0-9_*]+\.c`' | tr -d '`' | sort -u)
		while read -r name; do
			while read -r pattern; do
				# shellcheck disable=SC2053 # a pattern it is
				[[ $name != $pattern ]] || continue 2
			done <<<"$patterns"
			found "HACKING.md: no subject has '$folder/$name'"
		done < <(sources "$folder")
		while read -r pattern; do
			compgen -G "$top/$folder/$pattern" >/dev/null ||
				compgen -G "$top/cgroups/$pattern" >/dev/null ||
				found "HACKING.md: there is no '$folder/$pattern'"
		done <<<"$patterns"
	done
}

# The decisions are numbered, each once, in their order: others name them by number.
check_decisions()
{
	local before=0 number

	while read -r number; do
		[ "$number" -gt "$before" ] || found "decisions.md: $number comes after $before"
		before=$number
	done < <(sed -n 's/^\([0-9]*\)\. \*\*.*/\1/p' "$docs/docs/decisions.md")
	[ "$before" -gt 0 ] || found "decisions.md: no decisions"
}

# Each block of commands says how it is tested; see tests/run/readme.bats.
check_blocks()
{
	local line

	while read -r line; do
		found "README.md:$line: a block of commands without '<!-- test: ... -->' above it"
	done < <(awk '/^```sh/ && before !~ /^<!-- test: [a-z ]+ -->$/ { print NR } { before = $0 }' \
		"$docs/README.md")
}

# The tables of limits in docs/limits.md: each knob with its files, as cgroups/knobs.c has them.
check_limits()
{
	local name file v1

	while read -r name file v1; do
		grep -qE "^\\| \`--${name}[ \`].*\`${file//%s/2MB}\`" "$docs/docs/limits.md" ||
			found "docs/limits.md: no row of '--$name' with '$file'"
		v1=${v1//blkio.throttle.%s/blkio.throttle.write_bps}
		if [[ $v1 == NULL ]]; then
			grep -qE "\`--${name}\`.* \| none \|" "$docs/docs/limits.md"
		else
			grep -qE "^\\| \`--${name}[ \`].*\`${v1//%s/2MB}\`" "$docs/docs/limits.md"
		fi || found "docs/limits.md: no row of '--$name' with '$v1' of cgroup v1"
		help run | grep -q -e "--$name " || found "run has no --$name"
	done < <(sed -n '/knob_info\[KNOB_N\] = {/,/^};/p' "$top/cgroups/knobs.c" |
		sed -n '/\[KNOB_/,/},$/p' | tr -d '\t' | paste -s -d ' ' |
		sed 's/ *\[KNOB_/\n/g' |
		sed -n 's/^[A-Z_]*\] = { "\([a-z-]*\)", .*, "\([a-z.%]*\)", KNOB.*, "\{0,1\}\([a-zA-Z_.%]*\)"\{0,1\} },$/\1 \2 \3/p')
}

# The table of keys in docs/policy.md, as policies/policy_keys.c has them.
check_policy()
{
	same "docs/policy.md: keys" \
		"$(sed -n 's/^\t{ "\([a-z._]*\)", POLICY_.*, "\([a-z-]*\)", .*/\1 --\2/p' \
			"$top/policies/policy_keys.c" | sort)" \
		"$(sed -n 's/^| `\([a-z._]*\)` | .* | `\(--[a-z-]*\)` | .*/\1 \2/p' \
			"$docs/docs/policy.md" | sort)"
}

# The table of docs/metrics.md, as berth prints them.
check_metrics()
{
	same "docs/metrics.md: metrics" \
		"$(XDG_RUNTIME_DIR=/nonexistent "$berth" stats --format prometheus |
			sed -n 's/^# TYPE //p' | sort)" \
		"$(sed -n 's/^| `\(berth_[a-z_]*\)` | \([a-z]*\) | .*/\1 \2/p' "$docs/docs/metrics.md" | sort)"
}

# The events of docs/audit-log.md with their keys, as runtime/supervisor_audit.c has them.
check_audit_log()
{
	local source=$top/runtime/supervisor_audit.c

	same "docs/audit-log.md: events" \
		"$(sed -n 's/^\t\[EVENT_[A-Z_]*\] = "\([a-z-]*\)",/\1/p' "$top/runtime/auditlog.c" | sort)" \
		"$(sed -n '/^| Event /,/^$/s/^| `\([a-z-]*\)` .*/\1/p' "$docs/docs/audit-log.md" | sort)"
	same "docs/audit-log.md: keys" \
		"$( (echo lines; grep -oE '(TEXT|NUMBER)\("[a-z0-9_]+"|\{ "[a-z_]+", AUDITLOG' "$source" |
			grep -oE '"[a-z0-9_]+"' | tr -d '"') | sort -u)" \
		"$(sed -n '/^| Event /,/^$/s/^| `[a-z-]*` | \([^|]*\) |.*/\1/p' "$docs/docs/audit-log.md" |
			grep -oE '`[a-z0-9_]+`' | tr -d '`' | sort -u)"
}

# The table of variables in docs/entrypoint.md, as the program lists them.
check_variables()
{
	same "docs/entrypoint.md: variables" \
		"$("$berth" entrypoint --variables | sed 's/ .*//' | sort)" \
		"$(sed -n 's/^| `\(BERTH_[A-Z_]*\)` | .*/\1/p' "$docs/docs/entrypoint.md" | sort)"
}

# What the tests say at the control socket: a wrong version is only hung up on.
check_control()
{
	same "tests/lib/control.py: version" "$(sed -n 's/^#define CONTROL_VERSION //p' "$top/runtime/control.h")" \
		"$(sed -n 's/^VERSION = //p' "$docs/tests/lib/control.py")"
}

check_all()
{
	check_control
	check_variables
	check_limits
	check_policy
	check_audit_log
	check_metrics
	check_man
	check_namespaces
	check_completion
	check_hints
	check_lists
	check_paths
	check_subjects
	check_decisions
	check_blocks
}

# spoiled CHECK EXPECTED FILE SED: whether CHECK refuses a copy of the documents with FILE changed.
spoiled()
{
	local copy told check=check_$1

	shift

	copy=$(mktemp -d)
	mkdir "$copy/tree"
	cp -R "$top"/{README.md,HACKING.md,docs,man,completions} "$copy/tree"
	install -D "$top/tests/lib/control.py" "$copy/tree/tests/lib/control.py"
	chmod -R u+w "$copy/tree"
	sed -i "$3" "$copy/tree/$2"
	if told=$(docs=$copy/tree failed=0 && "$check" && exit "$failed") || ! grep -qF -e "$1" <<<"$told"; then
		found "docs.sh: '$2' with '$3' is not refused with '$1', but with '$told'"
	fi
	rm -rf "$copy"
}

if [ "${1-}" = --hints ]; then
	hints_for_man
	exit
fi
check_all
if [ $# -eq 0 ] && [ "$failed" -eq 0 ]; then
	spoiled man 'berth.1: run: missing: --watches' man/berth.1 '/^\.It Fl -watches/d'
	spoiled man 'berth.1: run: not in the program: --waches' man/berth.1 's/Fl -watches/Fl -waches/'
	spoiled man 'berth.1: run: missing: -v' man/berth.1 's/Fl v , //'
	spoiled man 'berth.1: commands: missing: unshare' man/berth.1 '/^\.Ss unshare/d'
	spoiled man 'berth.1: synopsis: missing: port' man/berth.1 '/^\.Cm port$/d'
	spoiled man 'berth.1: policy: missing: --severity' man/berth.1 's/Fl -severity//'
	spoiled man 'berth.1: image: missing: --keep-size' man/berth.1 's/Fl -keep-size//'
	spoiled hints 'berth.1: hints: missing: spawn' man/berth.1 's/nested too deep/too deep/'
	spoiled completion 'berth.bash: run: missing: --stop-timeout' completions/berth.bash \
		's/\[a-z-\]/[a-z]/g'
	spoiled completion 'berth.bash: run --init: missing: systemd' completions/berth.bash 's/--init)/--unit)/'
	spoiled lists "plan-format.md: kinds: missing: pivot" docs/plan-format.md '/^| `pivot`/d'
	spoiled lists "check-format.md: rows: missing: pivot-root" docs/check-format.md '/^| `pivot-root`/d'
	spoiled lists "launch.md: no message [JOINED]" docs/launch.md 's/\[JOINED\]//'
	spoiled lists "launch.md: no step 'reroot'" docs/launch.md 's/reroot/root/'
	spoiled control 'control.py: version: missing' tests/lib/control.py 's/^VERSION = /&1/'
	spoiled variables 'entrypoint.md: variables: missing: BERTH_RATE_UP' docs/entrypoint.md \
		'/^| `BERTH_RATE_UP`/d'
	spoiled limits "limits.md: no row of '--memory' with 'memory.max'" docs/limits.md \
		's/`memory.max`, the page/`memory`, the page/; s/| `memory.max` |/| `memory.min` |/'
	spoiled policy "policy.md: keys: missing: limits.memory --memory" docs/policy.md \
		'/^| `limits.memory`/d'
	spoiled namespaces "policy.md: namespaces: not in the program: uts: its own: none" docs/policy.md 's/| `hostname` | `limits.uts/| none | `limits.uts/'
	spoiled namespaces "policy.md: namespaces: missing: ipc: its own: none" docs/policy.md '/^| `ipc`/d'
	spoiled metrics 'metrics.md: metrics: missing: berth_pids gauge' docs/metrics.md '/^| `berth_pids`/d'
	spoiled audit_log 'audit-log.md: events: missing: oom-kill' docs/audit-log.md 's/`oom-kill`/`oom`/'
	spoiled audit_log 'audit-log.md: keys: missing: by_uid' docs/audit-log.md 's/`by_uid`//g'
	spoiled paths "there is no 'runtime/nowhere.c'" docs/decisions.md '1s,$, `runtime/nowhere.c`,'
	spoiled paths "link to 'nowhere.md'" README.md '1s,$, [x](nowhere.md),'
	spoiled paths "README.md: its documentation does not list 'docs/network.md'" README.md \
		'/^\* \[docs\/network.md\]/d'
	spoiled paths "docs/network.md: there is no 'netns/nowhere.c'" docs/network.md '1s,$, `netns/nowhere.c`,'
	spoiled subjects "HACKING.md: no subject has 'runtime/ports.c'" HACKING.md 's/`ports\*\.c`//'
	spoiled subjects "HACKING.md: no subject has 'netns/maker.c'" HACKING.md 's/`maker.c`//'
	spoiled subjects "HACKING.md: there is no 'netns/taker.c'" HACKING.md 's/`maker.c`/`maker.c`, `taker.c`/'
	spoiled decisions 'decisions.md: 2 comes after 2' docs/decisions.md 's/^3\. \*\*/2. **/'
	spoiled blocks 'README.md:' README.md 's/<!-- test: try -->//'
fi
exit "$failed"
