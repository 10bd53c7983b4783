# shellcheck shell=bash disable=SC2034,SC2154
# Sums up what cmocka, automake and bats say, for the closing line of scripts/test.

passed=0
failed=0
skipped=0

count()
{
	passed=$((passed + $1))
	failed=$((failed + $2))
	skipped=$((skipped + $3))
	say "$1 passed, $2 failed, $3 skipped"
}

# lines PATTERN FILE: how many lines of FILE match.
lines() { grep -cE "$1" "$2" || [ $? -eq 1 ]; }

# count_tap FILE STATUS: the tests in what bats --formatter tap printed, maybe several times, and
# a failure more if it ended badly though no test failed or not all of the plans was run.
count_tap()
{
	local ok not_ok skip plan

	skip=$(lines '^ok .* # skip' "$1")
	ok=$(($(lines '^ok ' "$1") - skip))
	not_ok=$(lines '^not ok ' "$1")
	plan=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$1" | awk '{ n += $1 } END { if (NR) print n }')
	if [ "${plan:-x}" != $((ok + not_ok + skip)) ]; then
		say "bats planned ${plan:-nothing} and ran $((ok + not_ok + skip))"
		not_ok=$((not_ok + 1))
	elif [ "$2" -ne 0 ] && [ "$not_ok" -eq 0 ]; then
		say "bats ended with exit status $2"
		not_ok=1
	fi
	count "$ok" "$not_ok" "$skip"
}

# cmocka_sum WORD FILE: of the group totals "[  PASSED  ] 3 test(s)." in FILE.
cmocka_sum()
{
	sed -n "s/^\[ *$1 *\] \(.*: \)\?\([0-9]*\) test(s).*/\2/p" "$2" |
		awk '{ n += $1 } END { print n + 0 }'
}

# count_check DIR: the tests of the "make check" that $work/check.start is older than. A cmocka
# program says how many of its functions passed; any other program is one test.
count_check()
{
	local trs log result ok=0 not_ok=0 skip=0 in_ok in_not_ok

	while read -r trs; do
		log=${trs%.trs}.log
		result=$(sed -n 's/^:global-test-result: //p' "$trs")
		in_ok=$(cmocka_sum PASSED "$log")
		in_not_ok=$(cmocka_sum FAILED "$log")
		case $result in
		PASS)
			skip=$((skip + $(cmocka_sum SKIPPED "$log")))
			ok=$((ok + (in_ok > 0 ? in_ok : 1)))
			;;
		SKIP) skip=$((skip + 1)) ;;
		*)
			ok=$((ok + in_ok))
			not_ok=$((not_ok + (in_not_ok > 0 ? in_not_ok : 1)))
			say "${log#"$1"/} ($result):"
			tail -n 60 "$log"
			;;
		esac
	done < <(find "$1" -name '*.trs' -newer "$work/check.start")
	count "$ok" "$not_ok" "$skip"
}
