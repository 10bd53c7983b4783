# shellcheck shell=bash disable=SC2034,SC2154 # start.sh brings these files together
# Builds out of the source tree.

# build DIR [CONFIGURE-OPTION...]: the binary is $top/DIR/berth afterwards.
build()
{
	local dir=$top/$1

	shift
	if [ ! -e "$top/configure" ] || [ "$top/configure.ac" -nt "$top/configure" ]; then
		say "autoreconf"
		quietly "$work/autoreconf.log" autoreconf -fi "$top"
	fi
	mkdir -p "$dir"
	if [ ! -e "$dir/Makefile" ] || [ "$top/configure" -nt "$dir/config.status" ]; then
		say "configure ${*:-(no options)}"
		(cd "$dir" && quietly "$work/configure.log" "$top/configure" "$@")
	fi
	say "make in ${dir#"$top"/}/"
	quietly "$work/make.log" make -C "$dir" -j "$(nproc)"
}
