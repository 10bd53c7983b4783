#!/usr/bin/env bash
# What berth policy audit finds, and what it says of what it cannot read.
#
#	audit/NAME.yaml	with audit/NAME.txt, and bad-NAME.yaml with its line of audit/bad.txt;
#			--update writes both anew
#	--rules		prints the table of docs/audit.md
#
# and the cases of audit_cases.py, SARIF by audit_sarif.py, and the shipped manifests.

set -u -o pipefail
export LC_ALL=C.UTF-8

top=$(cd "${top_srcdir:-$(dirname "$0")/../..}" && pwd)
berth=$(realpath "${BERTH:-$top/berth}")
golden=$top/tests/golden
failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

wrong()
{
	printf '%s\n' "$*"
	failed=1
}

# The exit status comes last.
good()
{
	"$berth" policy audit "$1"
	echo "exit status $?"
}

bad()
{
	local name

	for name in bad-*.yaml; do
		{ "$berth" policy audit "$name" >/dev/null; } 2>&1
		echo "exit status $?"
	done
}

rules()
{
	"$berth" policy audit --list --format json | python3 -c '
import json, sys
for rule in json.load(sys.stdin):
    severity = rule["severity"]
    if rule["severity_mapped"] != severity:
        severity += " (" + rule["severity_mapped"] + ")"
    cells = "`" + rule["rule"] + "`", rule["name"], severity, rule["title"], rule["remedy"], rule["reference"]
    print("| " + " | ".join(cells) + " |")'
}
if [ "${1-}" = --rules ]; then
	rules
	exit
fi

cd "$golden/audit" || exit
if [ "${1-}" = --update ]; then
	good deployment.yaml >deployment.txt
	bad >bad.txt
	exit
fi
diff -u deployment.txt <(good deployment.yaml) || failed=1
diff -u bad.txt <(bad) || failed=1
! grep -q never-printed deployment.txt || wrong "a secret was printed"

diff -u --label docs/audit.md --label --rules <(grep '^| `B' "$top/docs/audit.md") <(rules) || failed=1

python3 "$golden/audit_cases.py" "$berth" "$work" || failed=1

"$berth" policy audit --format sarif -- deployment.yaml "$golden/../../policies/profiles/shell.json" shell \
	bad-open.yaml >"$work/sarif" 2>/dev/null
[ $? -eq 125 ] || wrong "a file that cannot be read does not end in 125"
python3 "$golden/audit_sarif.py" "$work/sarif" || failed=1

# What we ship has nothing at or above medium, but the tiers that docs/kubernetes.md says.
cd "$top/templates/kubernetes" || exit
"$berth" policy audit --format json ./*.yaml >"$work/templates" ||
	wrong "a shipped manifest has findings at or above medium"
python3 - "$work/templates" <<-'END' || failed=1
	import json, sys
	tiers = {t["file"][2:]: t["best"] + t["worst"] for t in json.load(open(sys.argv[1]))["tiers"]}
	want = {"command.yaml": "CD", "workspace-runc.yaml": "AD", "workspace.yaml": "AB"}
	if tiers != want:
	    sys.exit(f"tiers of the shipped manifests: {tiers}, not {want}")
END

# --severity sets the exit status; standard input and pipes are read.
status() { "$berth" policy audit "$@" >/dev/null 2>&1; echo $?; }
is() { [ "$1" = "$2" ] || wrong "exit status $1, not $2: $3"; }
is "$(status --severity medium workspace.yaml)" 0 "medium"
is "$(status --severity low workspace.yaml)" 1 "low"
is "$(status --severity nonsense workspace.yaml)" 125 "nonsense"
is "$(status - <workspace.yaml)" 0 "standard input"
is "$(status <(cat workspace.yaml))" 0 "a pipe"
is "$(status nowhere.yaml)" 125 "no file"
is "$(status)" 125 "nothing"
is "$(status --workspace no-such-workspace)" 125 "no workspace"
is "$(status --list shell)" 125 "--list with a word"
head -c 9000000 /dev/zero | tr '\0' ' ' >"$work/huge.yaml"
is "$(status "$work/huge.yaml")" 125 "a huge file"

# A name of somebody else's does not speak to the terminal.
printf 'kind: Pod\nmetadata: {name: "a\\e[31m"}\nspec: {containers: []}\n' >"$work/escape.yaml"
if "$berth" policy audit "$work/escape.yaml" | grep -q $'\033'; then
	wrong "an escape sequence reaches the terminal"
fi
exit "$failed"
