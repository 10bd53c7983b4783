#!/usr/bin/env bash
# Every remedy in the tables of berth check has a test that applies it, or a reason in
# tests/vm/remedies.untried why none can. Without arguments: that file names remedies that there are,
# one reason each. With files, in which tests/vm wrote down what it applied: nothing is missing.
set -eu

top=${top_srcdir:?}
list=${REMEDY_LIST:-$(dirname "$BERTH")/tests/golden/remedy_list}
untried=$top/tests/vm/remedies.untried
status=0

# complain TEXT FILE: of its lines, if there are any.
complain()
{
	[ -s "$2" ] || return 0
	printf '%s:\n' "$1" >&2
	sed 's/^/    /' "$2" >&2
	status=1
}

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"$list" | cut -f 2 | sort >"$dir/all"
[ -s "$dir/all" ]

# Paragraphs: the remedy, and below it, indented, why.
grep -E '^[^#[:space:]]' "$untried" | sort >"$dir/untried"
awk '/^#/ { next } /^[^[:space:]]/ { if (text) print text; text = $0 } /^[[:space:]]/ { text = "" }
	END { if (text) print text }' "$untried" >"$dir/unreasoned"
comm -13 "$dir/all" "$dir/untried" >"$dir/stale"
complain "tests/vm/remedies.untried: no such remedy" "$dir/stale"
complain "tests/vm/remedies.untried: without a reason" "$dir/unreasoned"

if [ $# -gt 0 ]; then
	sort -u "$@" >"$dir/applied"
	sort -u "$dir/applied" "$dir/untried" | comm -23 "$dir/all" - >"$dir/missing"
	comm -12 "$dir/applied" "$dir/untried" >"$dir/tried"
	complain "no test applies the remedy" "$dir/missing"
	complain "tests/vm/remedies.untried: a test applies it" "$dir/tried"
	printf '%d remedies: %d applied, %d cannot be\n' "$(wc -l <"$dir/all")" \
		"$(comm -12 "$dir/all" "$dir/applied" | wc -l)" "$(wc -l <"$dir/untried")"
fi
exit "$status"
