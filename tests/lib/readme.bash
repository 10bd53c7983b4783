# shellcheck shell=bash
# The commands of README.md, as they stand there. A block is marked by the line above it,
# "<!-- test: WORDS -->".

# readme_blocks PATTERN DIR: writes the blocks whose words match to DIR/block-NN.WORDS, in their
# order; fails where there is none.
readme_blocks()
{
	awk -v pattern="^$1\$" -v dir="$2" '
		/^```/ && inside { inside = 0; close(file) }
		inside { print >file }
		/^```sh/ {
			words = before
			if (!sub(/^<!-- test: /, "", words) || !sub(/ -->$/, "", words))
				exit 1
			if (words ~ pattern) {
				inside = 1
				n++
				file = sprintf("%s/block-%02d.%s", dir, n, words)
			}
		}
		{ before = $0 }
		END { exit n == 0 }' "$(dirname "${BASH_SOURCE[0]}")/../../README.md"
}
