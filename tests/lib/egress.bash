# shellcheck shell=bash
# For tests of where a workspace may go, beside network.bash: a client in it. $net is its way out, $name its
# name.

# inside OPTION... -- TRY...: relay_client.py in a workspace with these options; $run_log is its log, $patience its
# PATIENCE
inside()
{
	local options=()

	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	run berth_in_pod run --name "$name" --net "$net" "${options[@]}" -e PATIENCE="${patience:-10}" \
		-v "$BATS_TEST_TMPDIR:/client:ro" -- python3 /client/relay_client.py "$@"
	assert_status 0
	# shellcheck disable=SC2034 # for the test
	run_log=$(berth_in_pod logs "$name")
	berth_in_pod rm "$name"
}
