#!/usr/bin/env bash
# The templates hold what docs/templates.md says: fields, names, references; those that are policies
# and manifests are valid and have no finding. BERTH is the program; top_srcdir the tree.

set -u -o pipefail
export LC_ALL=C.UTF-8

top=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
berth=${BERTH:-$top/berth}
failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

/usr/bin/env python3 "$top/tests/golden/templates.py" "$top" \
	"$("$berth" entrypoint --variables | sed 's/ .*//')" \
	"$(XDG_RUNTIME_DIR=/nonexistent "$berth" stats --format prometheus)" \
	"$work/launcher.json" || failed=1

cd "$top/templates/kubernetes" || exit
"$berth" policy validate deployment/policy.json >/dev/null || failed=1
manifests=(./*.yaml deployment/deployment.yaml "$work/launcher.json")
"$berth" policy audit --severity medium "${manifests[@]}" >/dev/null || {
	"$berth" policy audit --severity medium "${manifests[@]}"
	failed=1
}
exit "$failed"
