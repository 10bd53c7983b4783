#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "apply_pasta.h"
#include "base/fd.h"
#include "netns/pasta.h"
#include "policies/caps.h"

#define WORDS_MAX 48

/* pasta itself mounts an empty root there, so it has to be there. */
#define GATEWAY_DIR "/tmp"
#define GATEWAY_PATH GATEWAY_DIR "/gateway"

/* Its command line, in the making. */
struct words {
	const char *word[WORDS_MAX];
	size_t n;
	char address[2 * IP_FAMILIES][IP_TEXT_MAX];
};

static void add(struct words *words, const char *word, const char *value)
{
	if (words->n + 3 > WORDS_MAX)
		return;
	words->word[words->n++] = word;
	if (value)
		words->word[words->n++] = value;
}

/*
 * Nothing of the pod's loopback, and no ports in either direction: the defaults of pasta have
 * both. Addresses and routes of the tap are ours to set.
 */
static void command_line(struct words *words, const struct plan *plan,
                         const char *program)
{
	const struct pasta *pasta = &plan->pasta;
	struct ip server;

	add(words, program, NULL);
	add(words, "--foreground", NULL);
	add(words, "--quiet", NULL);
	add(words, "--netns", GATEWAY_PATH);
	add(words, "--netns-only", NULL);
	add(words, "--no-netns-quit", NULL);
	add(words, "--ns-ifname", PASTA_IFNAME);
	add(words, "--mac-addr", PASTA_MAC);
	for (int i = 0; i < IP_FAMILIES; i++) {
		if (!pasta->tap[i].family)
			continue;
		add(words, "--address",
		    ip_text(&pasta->tap[i], false, words->address[2 * i]));
		(void)ip_text(&pasta->far[i], false, words->address[2 * i + 1]);
		/* Where the gateway asks, answers must stay as they are. */
		if (!pasta_name_server(&plan->relay, pasta->far[i].family, &server))
			add(words, "--dns-forward", words->address[2 * i + 1]);
	}
	add(words, "--gateway", words->address[2 * IP_V4 + 1]);
	add(words, "--netmask", "30");
	if (!pasta->tap[IP_V6].family)
		add(words, "--ipv4-only", NULL);
	add(words, "--no-map-gw", NULL);
	add(words, "--no-dhcp", NULL);
	add(words, "--no-dhcpv6", NULL);
	add(words, "--no-ra", NULL);
	add(words, "--tcp-ports", "none");
	add(words, "--udp-ports", "none");
	add(words, "--tcp-ns", "none");
	add(words, "--udp-ns", "none");
	words->word[words->n] = NULL;
}

/*
 * Should: keep what pasta needs to join the gateway, and to confine itself: it goes to an empty
 * root and loads a filter of its own.
 * Mustn't: let it have a descriptor of ours, or the capabilities over files of others.
 */
static int confine(int words, struct err *err)
{
	static const int kept[] = { CAP_SYS_ADMIN,       CAP_NET_ADMIN, CAP_SYS_PTRACE,
		                    CAP_SETPCAP,         CAP_SETUID,    CAP_SETGID,
		                    CAP_NET_BIND_SERVICE };
	cleanup_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	uint64_t keep = 0;
	int r;

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		keep |= UINT64_C(1) << kept[i];
	r = null < 0 ? err_set(err, errno, "open '/dev/null'")
	             : fd_replace_stdio(null, null, words, err);
	if (r == 0)
		r = caps_unbind(~keep, err);
	if (r == 0)
		r = caps_keep_only(kept, sizeof(kept) / sizeof(kept[0]), err);
	if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = err_set(err, errno, "set no_new_privs");
	return r;
}

/* Of the launch's mounts it is to see no more than there are now. */
static int own_mounts(struct err *err)
{
	if (unshare(CLONE_NEWNS) < 0)
		return err_set(err, errno, "make a mount namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_set(err, errno, "make mounts private");
	return 0;
}

/* By a path of its own: it drops what would let it look into the warden's /proc first. */
static int show_gateway(int netns, struct err *err)
{
	cleanup_close int file = -EBADF;
	char path[32];

	if (mount("tmpfs", GATEWAY_DIR, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
	          "mode=0700") < 0)
		return err_set(err, errno, "mount a tmpfs on '%s'", GATEWAY_DIR);
	file = open(GATEWAY_PATH, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", netns);
	if (file < 0 || mount(path, GATEWAY_PATH, NULL, MS_BIND, NULL) < 0)
		return err_set(err, errno, "show the gateway at '%s'", GATEWAY_PATH);
	return 0;
}

/* Nothing ignored: it takes what it finds ignored for a failure, and ignores SIGPIPE itself. */
static void default_signals(void)
{
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		(void)signal(i, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

int pasta_process(void *arg)
{
	static char *const environment[] = { NULL };
	struct launch *launch = arg;
	const struct plan *plan = launch->plan;
	struct words words = { .n = 0 };
	const char *program = "";
	struct err err = { 0 };
	int fd[2] = { -EBADF, -EBADF };
	int r = fd_keep_only(&launch->pasta, 1, &err);

	for (size_t i = 0; i < plan->n; i++)
		if (plan->step[i].kind == STEP_PASTA)
			program = plan->step[i].target;
	if (r == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		r = err_set(&err, errno, "tie pasta to the warden");
	if (r == 0)
		r = own_mounts(&err);
	if (r == 0)
		r = sync_expect(launch->pasta, SYNC_GATEWAY, NULL, fd, 2, &err);
	if (r == 0)
		r = show_gateway(fd[1], &err);
	if (r == 0)
		r = confine(fd[0], &err);
	if (r == 0) {
		default_signals();
		command_line(&words, plan, program);
		(void)execve(program, (char *const *)words.word, environment);
		(void)err_set(&err, errno, "execute '%s'", program);
	}
	(void)err_step(&err, "pasta");
	sync_fail(launch->pasta, &err);
	return 1;
}
