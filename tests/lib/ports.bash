# shellcheck shell=bash
# For tests of published ports, beside network.bash: servers in the workspace $ws, whose way out is $net,
# and clients in the pod and outside it.

ports_setup()
{
	probe subids tool:python3 tool:ip tool:nsenter tool:curl tool:jq
	pod_up
	cp "$BATS_TEST_DIRNAME"/../lib/ports_*.py "$BATS_TEST_TMPDIR"
	chmod -R a+rX "$BATS_TEST_TMPDIR"
	ws=$(new_name)
}

# workspace OPTION... -- SERVE...: $ws, with ports_server.py SERVE... in it
workspace()
{
	local options=()

	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	berth_in_pod run -d --name "$ws" --net "$net" -v "$BATS_TEST_TMPDIR:/tests:ro" \
		"${options[@]}" -- python3 /tests/ports_server.py "${@:2}"
	wait_until 10 served
}

served() { berth_in_pod logs "$ws" | grep -qx ready; }

# ask WHERE TRY...: ports_client.py at_peer or in_pod
ask()
{
	run "$1" timeout 20 python3 "$BATS_TEST_TMPDIR/ports_client.py" "${@:2}"
	assert_status 0
}

says() { berth_in_pod logs "$ws" | grep -qx "$1"; }
lists() { berth_in_pod port "$ws" | grep -qxF -- "$1"; }
