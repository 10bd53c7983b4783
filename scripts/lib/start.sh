# shellcheck shell=bash
# Sourced first by every script: the pieces they share, and a place for their files.

set -euo pipefail
umask 022

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# shellcheck source=lib/say.sh
. "$top/scripts/lib/say.sh"
# shellcheck source=lib/packages.sh
. "$top/scripts/lib/packages.sh"
# shellcheck source=lib/build.sh
. "$top/scripts/lib/build.sh"
# shellcheck source=lib/cache.sh
. "$top/scripts/lib/cache.sh"
# shellcheck source=lib/rootfs.sh
. "$top/scripts/lib/rootfs.sh"
# shellcheck source=lib/user.sh
. "$top/scripts/lib/user.sh"

# For logs, the temporary user's home and unpacked trees: gone at the end. That user must
# reach it, and a tree of 500 MB must fit.
work=$(mktemp -d "${BERTH_TMP:-/var/tmp}/berth.XXXXXX")
chmod 0755 "$work"
at_exit rm -rf "$work"
