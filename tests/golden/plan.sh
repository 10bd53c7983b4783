#!/usr/bin/env bash
# Compares what berth plans with the files in plan/. After a change that is
# meant, make and read the new ones:
#
#	make tests/golden/plan_golden && top_srcdir=. tests/golden/plan.sh --update && git diff tests/golden/plan

set -u
export LC_ALL=C

golden=${top_srcdir:-.}/tests/golden
program=tests/golden/plan_golden
status=0

names=$("$program" --list) || exit

if [[ ${1:-} == --update ]]; then
	rm -f "$golden"/plan/*.txt
	for name in $names; do
		"$program" "$name" >"$golden/plan/$name.txt" || exit
	done
	exit
fi

"$program" --check || status=1
for name in $names; do
	diff -u --label "$name.txt" "$golden/plan/$name.txt" --label planned <("$program" "$name") || status=1
done
# Without a policy a whole machine has the profile systemd-docker: by the same steps, from the same place.
diff -u --label 'no policy' <("$program" user-systemd | sed 1d) --label systemd-docker <("$program" user-systemd-docker | sed 1d) || status=1
for file in "$golden"/plan/*.txt; do
	name=${file##*/}
	if ! grep -qxF -e "${name%.txt}" <<<"$names"; then
		echo "$name: no case of that name"
		status=1
	fi
done
exit "$status"
