#!/bin/sh
# profiles.sh FILE...: the shipped profiles as C, one array of them; a profile's name is its
# file's.
set -eu
echo '/* Made by policies/profiles.sh. */'
echo '#include "policies/policy.h"'
echo
echo 'const struct policy_profile policy_profiles[] = {'
for file; do
	name=${file##*/}
	printf '{ "%s",\n' "${name%.json}"
	sed 's/\\/\\\\/g; s/"/\\"/g; s/.*/"&\\n"/' "$file"
	echo '},'
done
echo '};'
echo 'const size_t policy_profiles_n = sizeof(policy_profiles) / sizeof(policy_profiles[0]);'
