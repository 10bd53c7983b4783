# shellcheck shell=bash
# For the files that test images: load ../lib/common, then ../lib/image.

probe_image_tools()
{
	local name

	for name in skopeo umoci python3; do
		command -v "$name" >/dev/null || fail "'$name' is not installed"
	done
}

# image_setup: a store of the test's own, below its directory.
image_setup()
{
	export BERTH_STORE=$BATS_TEST_TMPDIR/store
	# shellcheck disable=SC2034 # for the files that load this
	images=$BERTH_STORE/images
}

# What is unpacked belongs to subordinate IDs: bats itself cannot remove it.
image_teardown()
{
	[ ! -e "$BATS_TEST_TMPDIR/store" ] || berth unshare -- rm -rf "$BATS_TEST_TMPDIR/store"
	[ ! -e "$BATS_TEST_TMPDIR/state" ] || berth unshare -- rm -rf "$BATS_TEST_TMPDIR/state"
}

# make_image DIR TAG [ARG...]: an image of the small root file system in the layout DIR; prints its digest.
make_image()
{
	python3 "$BATS_TEST_DIRNAME/../lib/image_layout.py" "$1" "$2" \
		--layer "$BERTH_TEST_SMALL_TAR" "${@:3}"
}

# pull ARG...: without progress.
pull() { berth image pull --progress none "$@"; }

# run_image REF [ARG...]: a workspace of it that leaves nothing.
run_image() { berth run --rm --progress none --net none --image "$@"; }

probe_registry()
{
	local name

	for name in docker-registry htpasswd openssl; do
		command -v "$name" >/dev/null || fail "'$name' is not installed"
	done
}

# free_port: prints a port of loopback that nobody listens at.
free_port()
{
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Where it listens, and the command that leads into that network: ours is the default.
registry_host=127.0.0.1
registry_in=()

# registry_start [tls] [login]: a registry of our own at $registry_host; sets registry to its host and port. Its
# files are in registry/: ca.crt, the log, and what was pushed below data/.
registry_start()
{
	local port word auth='' tls=''

	mkdir -p registry
	port=$(free_port)
	for word; do
		case $word in
		tls)
			openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
				-subj "/CN=$registry_host" -addext "subjectAltName=IP:$registry_host" \
				-keyout registry/key.pem -out registry/ca.crt 2>/dev/null
			tls="
  tls:
    certificate: $PWD/registry/ca.crt
    key: $PWD/registry/key.pem"
			;;
		login)
			htpasswd -Bbn dev s3cr3t >registry/htpasswd
			auth="
auth:
  htpasswd:
    realm: test
    path: $PWD/registry/htpasswd"
			;;
		esac
	done
	cat >registry/config.yml <<-END
		version: 0.1
		log:
		  accesslog:
		    disabled: false
		storage:
		  filesystem:
		    rootdirectory: $PWD/registry/data
		http:
		  addr: $registry_host:$port$tls$auth
	END
	registry=$registry_host:$port
	"${registry_in[@]}" docker-registry serve registry/config.yml >registry/log 2>&1 3>&- &
	registry_pid=$!
	# shellcheck disable=SC2016 # bash's own
	wait_until 20 "${registry_in[@]}" bash -c ': </dev/tcp/${0%:*}/${0#*:}' "$registry" 2>/dev/null
}

registry_stop()
{
	[ -n "${registry_pid:-}" ] || return 0
	kill "$registry_pid" 2>/dev/null || true
	wait "$registry_pid" 2>/dev/null || true
	registry_pid=
}

# insecure: skopeo, and so berth, may do without TLS at $registry. A file of the user's own.
insecure()
{
	mkdir -p "$XDG_CONFIG_HOME/containers"
	cat >"$XDG_CONFIG_HOME/containers/registries.conf" <<-END
		[[registry]]
		location = "$registry"
		insecure = true
	END
	export CONTAINERS_REGISTRIES_CONF=$XDG_CONFIG_HOME/containers/registries.conf
}
