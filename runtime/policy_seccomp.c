#include "policy_seccomp.h"

#include <errno.h>
#include <linux/filter.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "options.h"
#include "policies/seccomp_choice.h"
#include "run.h"

/* What the options fill in. */
struct request {
	bool bpf;
};

static int set_format(void *field, const char *value, struct err *err)
{
	bool *bpf = field;

	if (strcmp(value, "pfc") != 0 && strcmp(value, "bpf") != 0)
		return err_set(err, EINVAL, "'%s' is not pfc or bpf", value);
	*bpf = !strcmp(value, "bpf");
	return 0;
}

static const struct option rows[] = {
	{ "format", '\0', "pfc|bpf",
	  "how it prints: pseudo filter code, or what seccomp(2) takes (pfc)", set_format,
	  offsetof(struct request, bpf) },
};

static const struct options options = {
	.words = "[POLICY]",
	.about = "Print the filter of system calls that a policy makes on this kind of "
		 "machine; without\na policy, that of every workspace.",
	.row = rows,
	.n = sizeof(rows) / sizeof(rows[0]),
};

static struct seccomp_choice choice_of(const struct config *config)
{
	return (struct seccomp_choice){ config->seccomp, config->seccomp_allow,
		                        config->seccomp_deny };
}

static int print_bpf(const struct seccomp_choice *choice, struct arena *arena,
                     struct err *err)
{
	struct seccomp_made *made = arena_alloc(arena, sizeof(*made));
	int r = made ? seccomp_make(choice, SECCOMP_REFUSE, made, err)
	             : err_set(err, ENOMEM, "make the filter");

	if (r < 0)
		return r;
	if (isatty(STDOUT_FILENO)) {
		(void)err_set(err, EINVAL, "a filter in binary on a terminal");
		return err_hint(err, "send it into a file, or take --format pfc");
	}
	if (fwrite(made->filter.insn, sizeof(struct sock_filter), made->filter.n,
	           stdout) != made->filter.n)
		return err_set(err, errno, "write the filter");
	return 0;
}

static int print(const char *name, bool bpf, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	struct seccomp_chosen *chosen = arena_alloc(&arena, sizeof(*chosen));
	struct policy policy = { 0 };
	struct config config = { 0 };
	struct seccomp_choice choice;
	int r = chosen ? 0 : err_set(err, ENOMEM, "make the filter");

	if (r == 0 && name)
		r = policy_load(name, &arena, &policy, err);
	if (r == 0 && name)
		r = config_from_policy(&policy, &arena, &config, err);
	if (r < 0)
		return r;
	choice = choice_of(&config);
	if (bpf)
		return print_bpf(&choice, &arena, err);
	r = seccomp_choose(&choice, SECCOMP_REFUSE, chosen, err);
	if (r == 0)
		seccomp_print(&chosen->set, stdout);
	return r;
}

int policy_seccomp_main(int argc, char **argv, struct err *err)
{
	struct request request = { 0 };
	int first = options_parse(&options, &request, argc, argv, err);

	if (first == OPTIONS_HELP)
		return 0;
	if (first >= 0 && argc - first > 1)
		first = err_set(err, EINVAL, "'%s': one policy at a time",
		                argv[first + 1]);
	if (first < 0)
		return err_step(err, "options");
	return print(first < argc ? argv[first] : NULL, request.bpf, err);
}

int policy_seccomp_explain(const struct config *config, const char *call, struct err *err)
{
	cleanup_arena struct arena arena = { 0 };
	struct seccomp_chosen *chosen = arena_alloc(&arena, sizeof(*chosen));
	const struct seccomp_choice choice = choice_of(config);
	int r = chosen ? seccomp_choose(&choice, SECCOMP_REFUSE, chosen, err)
	               : err_set(err, ENOMEM, "look at the filter");

	if (r < 0 || seccomp_explain(&chosen->set, call, stdout))
		return r;
	(void)err_set(err, EINVAL, "no key '%s', and no system call", call);
	return err_hint(err, "'berth policy schema' lists the keys");
}
