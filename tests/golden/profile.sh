#!/usr/bin/env bash
# The pod's seccomp profile has to allow what the workspace's filter does: both are one list.

set -u -o pipefail

top=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}

python3 "$top/scripts/seccomp-profile" | diff -u "$top/templates/seccomp/berth.json" - || {
	echo "scripts/seccomp-profile >templates/seccomp/berth.json, and tell the administrators"
	exit 1
}
