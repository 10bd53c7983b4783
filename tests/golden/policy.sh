#!/usr/bin/env bash
# What berth policy prints of the shipped profiles, and of two policies with something of each kind,
# compared with the files in policy/: show, explain, diff, audit with SARIF, and the schema.
#
#	policy.sh            compares
#	policy.sh --update   writes them anew; read the difference before you commit it

set -u -o pipefail
export LC_ALL=C.UTF-8

top=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
top=$(cd "$top" && pwd)
berth=$(cd "$(dirname "${BERTH:-$top/berth}")" && pwd)/$(basename "${BERTH:-$top/berth}")
golden=$top/tests/golden/policy
failed=0

cd "$golden" || exit
profiles=$("$berth" policy list | sed 's/ .*//')
policies="$profiles ./team.json ./looser.json"

# ask WORD...: a command, what it prints, and its exit status where that is not 0.
ask()
{
	local status=0

	printf '$ berth policy %s\n' "$*"
	"$berth" policy "$@" 2>&1 || status=$?
	[ "$status" -eq 0 ] || printf 'exit status %s\n' "$status"
}

# Which of the kernel's calls there are differs; these are on every machine.
calls="keyctl bpf clone clone3 ptrace personality ioctl socket mount fsopen open_tree move_mount unshare reboot kexec_load read"

# Of each kind that there is one.
paths="/ /work/src /workshop /opt/tools/ /dev/fuse /dev/shm/x /dev/mqueue /dev/null /proc/interrupts /proc/kcore /proc/irq/3 /proc/1 /sys/firmware/acpi /etc/hosts /a/../b"

# output FILE: what is to be in it.
output()
{
	local one other call path

	case $1 in
	show.txt) for one in "" $policies; do ask show ${one:+"$one"}; done ;;
	show.json) "$berth" policy show --format json ./looser.json ;;
	explain.txt) for one in "" $policies; do ask explain ${one:+"$one"}; done ;;
	calls.txt) for call in $calls; do ask explain shell "$call"; ask explain ./team.json "$call"; done ;;
	namespaces.txt) for one in shell strict ./team.json ./looser.json; do ask explain "$one" namespaces; done ;;
	paths.txt) for path in $paths; do ask explain shell "$path"; ask explain ./team.json "$path"; done ;;
	diff.txt)
		for one in $policies; do
			for other in $policies; do ask diff "$one" "$other"; done
		done
		;;
	audit.txt) for one in $policies; do ask audit --severity high "$one"; done ;;
	audit.json) "$berth" policy audit --format json ./team.json ./looser.json ../audit/deployment.yaml ;;
	audit.sarif) "$berth" policy audit --format sarif ./team.json ./looser.json ../audit/deployment.yaml ../audit/bad-open.yaml 2>/dev/null ;;
	schema.json) "$berth" policy schema ;;
	esac | sed "s/$version/VERSION/g"
}
version=$("$berth" version | sed 's/[^0-9]*\([0-9.]*[0-9]\).*/\1/; s/\./\\./g; q')
files="show.txt show.json explain.txt calls.txt namespaces.txt paths.txt diff.txt audit.txt audit.json audit.sarif schema.json"

if [ "${1-}" = --update ]; then
	for file in $files; do
		text=$(output "$file"); printf '%s\n' "$text" >"$file"
	done
	exit
fi
for file in $files; do
	diff -u --label "$file" "$file" --label "berth policy" <(output "$file") || failed=1
done
for file in *; do
	[[ " $files team.json looser.json " == *" $file "* ]] || { echo "$file: no case of that name"; failed=1; }
done
python3 ../audit_sarif.py audit.sarif || failed=1
# The schema takes what berth takes, and not what it refuses.
if python3 -c 'import jsonschema'; then
	python3 - <<-'END' || failed=1
		import json, jsonschema, sys
		schema = json.load(open("schema.json"))
		policy = json.load(open("show.json"))
		jsonschema.Draft202012Validator.check_schema(schema)
		check = jsonschema.Draft202012Validator(schema)
		check.validate(policy)
		for key, value in ("hooks", {"prestart": "/a"}), ("hooks", {"prestat": []}), ("stop", {"signal": 9}), ("nested", "true"), ("none", 1):
		    if check.is_valid({**policy, key: value}):
		        sys.exit(f"the schema takes {key}: {value}")
	END
else
	echo "the schema was not asked: install python3-jsonschema"
	failed=1
fi
exit "$failed"
