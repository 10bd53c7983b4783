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
	local command expected

	same "man/berth.1: commands" "$(commands | sort)" \
		"$(sed -n '/^\.Sh COMMANDS/,/^\.Sh ENV/s/^\.Ss //p' "$docs/man/berth.1" | sort)"
	for command in $(commands); do
		case $command in
		version) continue ;; # takes nothing
		# "Takes the options of run and".
		plan) expected=$(comm -23 <(options_of plan) <(options_of run)) ;;
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
	same "completions/berth.bash: policy audit s" shell \
		"$(complete_words berth policy audit --severity low shel)"
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

	for file in README.md HACKING.md docs/kubernetes.md docs/launch.md docs/limits.md docs/threat-model.md docs/decisions.md \
		docs/plan-format.md docs/check-format.md docs/audit.md docs/policy.md; do
		while read -r path; do
			compgen -G "$top/${path//NAME/*}*" >/dev/null || found "$file: there is no '$path'"
		done < <(grep -oE '`(runtime|cgroups|netns|policies|tests|scripts|templates|docs|man|completions)/[A-Za-z0-9_./-]*' \
			"$docs/$file" | cut -c 2- | sort -u)
		while read -r path; do
			[ -e "$docs/$(dirname "$file")/$path" ] || found "$file: the link to '$path' is dead"
		done < <(grep -oE '\]\([^):#]+\)' "$docs/$file" | sed 's/^](//; s/)$//' | sort -u)
	done
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

check_all()
{
	check_limits
	check_policy
	check_man
	check_completion
	check_hints
	check_lists
	check_paths
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
	spoiled man 'berth.1: policy: missing: --severity' man/berth.1 's/Fl -severity//'
	spoiled hints 'berth.1: hints: missing: spawn' man/berth.1 's/nested too deep/too deep/'
	spoiled completion 'berth.bash: run: missing: --stop-timeout' completions/berth.bash \
		's/\[a-z-\]/[a-z]/g'
	spoiled completion 'berth.bash: run --init: missing: systemd' completions/berth.bash 's/--init)/--unit)/'
	spoiled lists "plan-format.md: kinds: missing: pivot" docs/plan-format.md '/^| `pivot`/d'
	spoiled lists "check-format.md: rows: missing: pivot-root" docs/check-format.md '/^| `pivot-root`/d'
	spoiled lists "launch.md: no message [JOINED]" docs/launch.md 's/\[JOINED\]//'
	spoiled lists "launch.md: no step 'reroot'" docs/launch.md 's/reroot/root/'
	spoiled limits "limits.md: no row of '--memory' with 'memory.max'" docs/limits.md \
		's/`memory.max`, the page/`memory`, the page/; s/| `memory.max` |/| `memory.min` |/'
	spoiled policy "policy.md: keys: missing: limits.memory --memory" docs/policy.md \
		'/^| `limits.memory`/d'
	spoiled paths "there is no 'runtime/nowhere.c'" docs/decisions.md '1s,$, `runtime/nowhere.c`,'
	spoiled paths "link to 'nowhere.md'" README.md '1s,$, [x](nowhere.md),'
	spoiled blocks 'README.md:' README.md 's/<!-- test: try -->//'
fi
exit "$failed"
